/* SPDX-License-Identifier: ISC */
#include "mount/client.h"
#include "mount/commands.h"
#include "mount/report.h"

#include <stdio.h>

static void print(const json_t *reply)
{
	const json_t *list = json_object_get(reply, "problems"), *problem;
	size_t i;

	json_array_foreach(list, i, problem) {
		print_name(json_string_value(problem));
		putchar('\n');
	}
	printf("branches: %lld, problems: %zu\n",
	       (long long)reply_number(reply, "branches"),
	       json_array_size(list));
}

static int fsck(struct client *c, const struct operands *operands,
		void *options)
{
	json_t *reply = NULL;
	int status = client_do(c, json_pack("{s:s}", "do", "fsck"), &reply);

	if (status == STATUS_OK && !client_is_json(c))
		print(reply);
	if (status == STATUS_OK &&
	    json_array_size(json_object_get(reply, "problems")) > 0)
		status = STATUS_NEGATIVE;
	json_decref(reply);
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	return client_command(self, NULL, argc, argv, 0, 0, fsck, NULL);
}

const struct command command_fsck = {
	"fsck", "",
	"Check the branches, their commits, files and ropes, the branch table,\n"
	"and what Git does not hold of the files.  Exits 1 if something is wrong.\n"
	"(`git fsck` checks Git's side.)", run,
};
