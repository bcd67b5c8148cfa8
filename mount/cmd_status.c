/* SPDX-License-Identifier: ISC */
#include "mount/client.h"
#include "mount/commands.h"
#include "mount/report.h"

#include <stdio.h>

/* As `git status --short --branch`: "## branch", then "M path". */
static void print(const json_t *reply)
{
	const json_t *list = json_object_get(reply, "branches"), *b, *p;
	size_t i, j;

	json_array_foreach(list, i, b) {
		const json_t *paths = json_object_get(b, "paths");

		if (json_array_size(paths) == 0 && json_array_size(list) > 1)
			continue;
		fputs("## ", stdout);
		print_name(reply_text(b, "name"));
		putchar('\n');
		json_array_foreach(paths, j, p) {
			printf("%s ", reply_text(p, "status"));
			print_name(reply_text(p, "path"));
			putchar('\n');
		}
	}
}

static int show_status(struct client *c, const struct operands *operands,
		       void *options)
{
	const char *branch = operands->count ?
			client_operand(operands->values[0]) : client_branch(c);
	json_t *reply = NULL;
	int status;

	status = client_do(c, json_pack("{s:s, s:s*}", "do", "status",
					"branch", branch), &reply);
	if (status == STATUS_OK && !client_is_json(c))
		print(reply);
	json_decref(reply);
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	return client_command(self, NULL, argc, argv, 0, 1, show_status, NULL);
}

const struct command command_status = {
	"status", "[BRANCH]",
	"List the paths that are changed and not yet committed: those of BRANCH,\n"
	"of the working directory's branch, or of all.", run,
};
