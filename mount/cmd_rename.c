/* SPDX-License-Identifier: ISC */
#include "mount/client.h"
#include "mount/commands.h"

static int do_rename(struct client *c, const struct operands *operands,
		     void *options)
{
	return client_do(c, json_pack("{s:s, s:s, s:s}", "do", "rename",
			"branch", client_operand(operands->values[0]),
			"to", client_operand(operands->values[1])), NULL);
}

static int run(const struct command *self, int argc, char **argv)
{
	return client_command(self, NULL, argc, argv, 2, 2, do_rename, NULL);
}

const struct command command_rename = {
	"rename", "BRANCH NEW", "Give a branch a new name.", run,
};
