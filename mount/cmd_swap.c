/* SPDX-License-Identifier: ISC */
#include "mount/client.h"
#include "mount/commands.h"

static int swap(struct client *c, const struct operands *operands,
		void *options)
{
	return client_do(c, json_pack("{s:s, s:s, s:s}", "do", "swap",
			"branch", client_operand(operands->values[0]),
			"with", client_operand(operands->values[1])), NULL);
}

static int run(const struct command *self, int argc, char **argv)
{
	return client_command(self, NULL, argc, argv, 2, 2, swap, NULL);
}

const struct command command_swap = {
	"swap", "BRANCH BRANCH", "Let two branches swap their names.", run,
};
