/* SPDX-License-Identifier: ISC */
#include "mount/client.h"
#include "mount/commands.h"

static int restore(struct client *c, const struct operands *operands,
		   void *options)
{
	const char *name = client_operand(operands->values[0]);
	const char *as = operands->count > 1 ?
				 client_operand(operands->values[1]) : NULL;

	/* s* leaves a NULL out */
	return client_do(c, json_pack("{s:s, s:s, s:s*}", "do", "restore",
				      "branch", name, "as", as), NULL);
}

static int run(const struct command *self, int argc, char **argv)
{
	return client_command(self, NULL, argc, argv, 1, 2, restore, NULL);
}

const struct command command_restore = {
	"restore", "BRANCH [NEW]",
	"Bring a dropped branch back, under another name if NEW is given.", run,
};
