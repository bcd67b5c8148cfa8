/* SPDX-License-Identifier: ISC */
#include "mount/client.h"
#include "mount/commands.h"

static int drop(struct client *c, const struct operands *operands,
		void *options)
{
	int status = STATUS_OK;

	for (int i = 0; i < operands->count && status == STATUS_OK; i++)
		status = client_do(c, json_pack("{s:s, s:s}", "do", "drop",
				"branch", client_operand(operands->values[i])),
				   NULL);
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	return client_command(self, NULL, argc, argv, 1, 1 << 20, drop, NULL);
}

const struct command command_drop = {
	"drop", "BRANCH...",
	"Drop branches; `irminfs restore` brings them back for 30 days.", run,
};
