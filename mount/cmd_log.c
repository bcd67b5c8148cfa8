/* SPDX-License-Identifier: ISC */
#include "mount/client.h"
#include "mount/commands.h"
#include "mount/report.h"

#include <limits.h>
#include <stdio.h>

struct log_options {
	const char *count;
	bool oneline;
};

static void print(const json_t *reply, bool oneline)
{
	const json_t *list = json_object_get(reply, "commits"), *commit;
	size_t i;

	json_array_foreach(list, i, commit) {
		if (oneline) {
			print_commit_line(commit);
			continue;
		}
		if (i)
			putchar('\n');
		print_commit(commit);
	}
}

/* What to show without an operand: where the user is, or what HEAD names. */
static const char *here(const struct client *c)
{
	if (client_branch(c))
		return client_branch(c);
	return client_revision(c) ? client_revision(c) : "HEAD";
}

static int show_log(struct client *c, const struct operands *operands,
		    void *options)
{
	const struct log_options *o = options;
	const char *revision = operands->count ?
			client_operand(operands->values[0]) : here(c);
	json_t *request, *reply = NULL;
	unsigned long count = 0;
	int status;

	if (o->count && parse_number(o->count, 1, INT_MAX, &count) < 0)
		return say(client_name(c), STATUS_USAGE,
			   "-n %s: not a number of commits", o->count);
	request = json_pack("{s:s, s:s}", "do", "log", "revision", revision);
	if (request && count)
		json_object_set_new(request, "count", json_integer(count));
	status = client_do(c, request, &reply);
	if (status == STATUS_OK && !client_is_json(c))
		print(reply, o->oneline);
	json_decref(reply);
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct log_options o = { 0 };
	const struct flag flags[] = {
		{ 'n', "max-count", "N", "show at most N commits (1000)",
		  .text = &o.count },
		{ 0, "oneline", NULL, "one line a commit", .set = &o.oneline },
		{ 0 },
	};

	return client_command(self, flags, argc, argv, 0, 1, show_log, &o);
}

const struct command command_log = {
	"log", "[REVISION]",
	"Show the commits of a branch or revision, newest first; by default\n"
	"those of the working directory's branch.", run,
};
