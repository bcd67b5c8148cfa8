/* SPDX-License-Identifier: ISC */
#include "mount/client.h"
#include "mount/commands.h"

/* Where the working directory is: a branch or a revision. */
static const char *here(struct client *c)
{
	if (!client_branch(c) && !client_revision(c))
		say(client_name(c), 0, "fork from where? You are not inside a "
		    "branch; say irminfs fork FROM NEW");
	return client_branch(c) ? client_branch(c) : client_revision(c);
}

static int do_fork(struct client *c, const struct operands *operands,
		   void *options)
{
	char **names = operands->values;
	const char *from = operands->count > 1 ? client_operand(names[0]) :
						 here(c);

	if (!from)
		return STATUS_ERROR;
	return client_do(c, json_pack("{s:s, s:s, s:s}", "do", "fork",
			"from", from, "branch",
			client_operand(names[operands->count - 1])), NULL);
}

static int run(const struct command *self, int argc, char **argv)
{
	return client_command(self, NULL, argc, argv, 1, 2, do_fork, NULL);
}

const struct command command_fork = {
	"fork", "[FROM] NEW",
	"Make branch NEW at the present state of branch FROM (or at a revision);\n"
	"FROM is the branch of the working directory if it is left out.", run,
};
