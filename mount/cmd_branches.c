/* SPDX-License-Identifier: ISC */
#include "mount/client.h"
#include "mount/commands.h"
#include "mount/report.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct branches_options {
	bool names, dropped;
};

static void add_note(struct buffer *notes, const char *before, const char *text)
{
	if (notes->length)
		buffer_puts(notes, "; ");
	buffer_puts(notes, before);
	buffer_puts(notes, text);
}

static void note_conflicts(struct buffer *notes, long long count)
{
	char text[64];

	snprintf(text, sizeof(text), "%lld conflict%s", count,
		 count == 1 ? "" : "s");
	add_note(notes, text, "");
}

static void note_dropped(struct buffer *notes, time_t dropped)
{
	char text[64] = "";
	struct tm tm;

	if (localtime_r(&dropped, &tm))
		strftime(text, sizeof(text), "%F %H:%M", &tm);
	add_note(notes, "dropped ", text);
}

static void add_branch(struct table_text *t, const char *here, const json_t *b)
{
	scoped_buffer struct buffer notes = { 0 };
	const char *name = reply_text(b, "name");
	bool is_here = here && strcmp(name, here) == 0;

	if (json_is_true(json_object_get(b, "changed")))
		add_note(&notes, "changed", "");
	if (reply_number(b, "conflicts"))
		note_conflicts(&notes, reply_number(b, "conflicts"));
	if (json_is_string(json_object_get(b, "readonly")))
		add_note(&notes, "read-only: ", reply_text(b, "readonly"));
	if (json_is_string(json_object_get(b, "stuck")))
		add_note(&notes, "stuck: ", reply_text(b, "stuck"));
	if (reply_number(b, "dropped"))
		note_dropped(&notes, reply_number(b, "dropped"));
	table_text_add(t, "%s%s", is_here ? "* " : "  ", name);
	table_text_add(t, SHORT_ID, reply_text(b, "head"));
	table_text_add(t, "%s", notes.data ? notes.data : "");
}

static int print_table(struct client *c, const json_t *list)
{
	struct table_text *t = table_text_new(3);
	const json_t *b;
	size_t i;
	int r;

	json_array_foreach(list, i, b)
		add_branch(t, client_branch(c), b);
	r = table_text_print(t);
	if (r < 0)
		return say(client_name(c), STATUS_ERROR, "%s", strerror(-r));
	return STATUS_OK;
}

static void print_names(const json_t *list)
{
	const json_t *b;
	size_t i;

	json_array_foreach(list, i, b)
		puts(reply_text(b, "name"));
}

static int branches(struct client *c, const struct operands *operands,
		    void *options)
{
	const struct branches_options *o = options;
	/* their commits are waited for only if they are shown */
	bool heads = !o->names || client_is_json(c);
	json_t *reply = NULL, *list;
	int status = client_do(c, json_pack("{s:s, s:b}", "do", o->dropped ?
						    "dropped" : "branches",
					    "heads", heads),
			       &reply);

	list = json_object_get(reply, "branches");
	if (status == STATUS_OK && !client_is_json(c)) {
		if (o->names)
			print_names(list);
		else
			status = print_table(c, list);
	}
	json_decref(reply);
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct branches_options o = { 0 };
	const struct flag flags[] = {
		{ 0, "names", NULL, "names alone, for scripts",
		  .set = &o.names },
		{ 0, "dropped", NULL, "those that `irminfs restore` can bring back",
		  .set = &o.dropped },
		{ 0 },
	};

	return client_command(self, flags, argc, argv, 0, 0, branches, &o);
}

const struct command command_branches = {
	"branches", "",
	"List the branches with their commits, and what is special about them.",
	run,
};
