/* SPDX-License-Identifier: ISC */
#include "mount/client.h"
#include "mount/commands.h"

#include <stdio.h>

static int show_stats(struct client *c, const struct operands *operands,
		      void *options)
{
	json_t *reply = NULL, *value;
	const char *name;
	int status = client_do(c, json_pack("{s:s}", "do", "stats"), &reply);

	if (status == STATUS_OK && !client_is_json(c))
		json_object_foreach(reply, name, value)
			printf("%s %lld\n", name, json_integer_value(value));
	json_decref(reply);
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	return client_command(self, NULL, argc, argv, 0, 0, show_stats, NULL);
}

const struct command command_stats = {
	"stats", "",
	"Show what the mount has done: commits made durable, flushes, how long it\n"
	"took until they were in Git, and what its caches hold.", run,
};
