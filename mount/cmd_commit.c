/* SPDX-License-Identifier: ISC */
#include "mount/client.h"
#include "mount/commands.h"
#include "mount/report.h"

#include <stdio.h>

static int commit(struct client *c, const struct operands *operands,
		  void *options)
{
	const char **message = options;
	const char *branch = client_branch_or(c, operands, 0);
	json_t *reply = NULL;
	int status;

	if (!branch)
		return STATUS_ERROR;
	status = client_do(c, json_pack("{s:s, s:s, s:s*}", "do", "commit",
					"branch", branch, "message", *message),
			   &reply);
	if (status == STATUS_OK && !client_is_json(c))
		printf("%s is at " SHORT_ID ".\n", branch,
		       reply_text(reply, "head"));
	json_decref(reply);
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	const char *message = NULL;
	const struct flag flags[] = {
		{ 'm', "message", "TEXT", "message of the commit",
		  .text = &message },
		{ 0 },
	};

	return client_command(self, flags, argc, argv, 0, 1, commit, &message);
}

const struct command command_commit = {
	"commit", "[BRANCH]",
	"Commit what is changed in a branch now and wait until it is in Git.\n"
	"Nothing changed: no commit.", run,
};
