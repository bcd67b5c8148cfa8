/* SPDX-License-Identifier: ISC */
#include "mount/client.h"
#include "mount/commands.h"

static int publish(struct client *c, const struct operands *operands,
		   void *options)
{
	return client_do(c, json_pack("{s:s}", "do", "publish"), NULL);
}

static int run(const struct command *self, int argc, char **argv)
{
	return client_command(self, NULL, argc, argv, 0, 0, publish, NULL);
}

const struct command command_publish = {
	"publish", "",
	"Wait until all that is durable is in Git too, for whoever reads the\n"
	"repository beside the mount.  Commits nothing.", run,
};
