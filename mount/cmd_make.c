/* SPDX-License-Identifier: ISC */
#include "mount/client.h"
#include "mount/commands.h"

static int make(struct client *c, const struct operands *operands,
		void *options)
{
	return client_do(c, json_pack("{s:s, s:s}", "do", "make",
			"branch", client_operand(operands->values[0])), NULL);
}

static int run(const struct command *self, int argc, char **argv)
{
	return client_command(self, NULL, argc, argv, 1, 1, make, NULL);
}

const struct command command_make = {
	"make", "BRANCH", "Make a new, empty branch.", run,
};
