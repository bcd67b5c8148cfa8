/* SPDX-License-Identifier: ISC */
#include "mount/client.h"
#include "mount/commands.h"
#include "mount/report.h"

#include <string.h>

static int conflicts(struct client *c, const struct operands *operands,
		     void *options)
{
	const char *branch = operands->count ?
				     client_operand(operands->values[0]) : NULL;
	json_t *reply = NULL;
	int r = 0, status;

	status = client_do(c, json_pack("{s:s, s:s*}", "do", "conflicts",
					"branch", branch), &reply);
	if (status == STATUS_OK && !client_is_json(c))
		r = print_conflicts(reply);
	json_decref(reply);
	return r < 0 ? say(client_name(c), STATUS_ERROR, "%s", strerror(-r)) :
		       status;
}

static int run(const struct command *self, int argc, char **argv)
{
	return client_command(self, NULL, argc, argv, 0, 1, conflicts, NULL);
}

const struct command command_conflicts = {
	"conflicts", "[BRANCH]",
	"List what merging BRANCH, or any branch, could not settle: branch,\n"
	"number, path, reason, and the branch that it was merged into.", run,
};
