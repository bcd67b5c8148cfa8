/* SPDX-License-Identifier: ISC */
#include "mount/client.h"
#include "mount/commands.h"
#include "mount/report.h"

#include <stdio.h>
#include <string.h>

struct merge_options {
	bool keep, consume;
};

/* What there is to do, on standard output like `git merge`. */
static int show_conflicts(struct client *c, const char *from, const char *into)
{
	struct report report = { "" };
	json_t *reply;
	int r = client_ask(c, json_pack("{s:s, s:s}", "do", "conflicts",
					"branch", from), &reply, &report);

	if (r < 0)
		return say(client_name(c), STATUS_ERROR, "%s", report.text);
	r = print_conflicts(reply);
	json_decref(reply);
	if (r < 0)
		return say(client_name(c), STATUS_ERROR, "%s", strerror(-r));
	printf("Both branches are as they were.  To resolve, edit these files "
	       "in %s and say\n  irminfs resolve %s [PATH...]\nor take one "
	       "side as it is with --ours (%s) or --theirs (%s);\nthen merge "
	       "again.\n", from, from, into, from);
	return STATUS_NEGATIVE;
}

/* "A B" or "A into B" or "A". */
static const char *target(struct client *c, const struct operands *operands)
{
	int last = operands->count - 1;

	if (last == 2 && strcmp(operands->values[1], "into") != 0) {
		say(client_name(c), 0, "say irminfs merge FROM into INTO");
		return NULL;
	}
	return client_branch_or(c, operands, last ? last : 1);
}

static int merge(struct client *c, const struct operands *operands,
		 void *options)
{
	const struct merge_options *o = options;
	const char *from = client_operand(operands->values[0]);
	const char *into = target(c, operands);
	json_t *reply = NULL;
	int status;

	if (!into)
		return STATUS_ERROR;
	status = client_do(c, json_pack("{s:s, s:s, s:s, s:b}", "do", "merge",
					"from", from, "into", into, "keep",
					!o->consume), &reply);
	if (status == STATUS_OK && !client_is_json(c))
		printf("Merged %s into %s, now at " SHORT_ID "; %s is %s.\n",
		       from, into, reply_text(reply, "head"), from,
		       o->consume ? "gone" : "kept");
	json_decref(reply);
	if (status == STATUS_NEGATIVE && !client_is_json(c))
		status = show_conflicts(c, from, into);
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct merge_options o = { 0 };
	const struct flag flags[] = {
		{ 'k', "keep", NULL, "keep FROM (this is the default)",
		  .set = &o.keep },
		{ 'c', "consume", NULL, "let FROM go, as mv -T does",
		  .set = &o.consume },
		{ 0 },
	};

	return client_command(self, flags, argc, argv, 1, 3, merge, &o);
}

const struct command command_merge = {
	"merge", "FROM [[into] INTO]",
	"Merge branch FROM into branch INTO, or into that of the working\n"
	"directory.  Exits 1 and lists them if there are conflicts.", run,
};
