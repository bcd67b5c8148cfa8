/* SPDX-License-Identifier: ISC */
#include "mount/commands.h"

#include <stddef.h>
#include <stdio.h>

/* What lets plain Git merge with our types.  The output is a piece of a Git
 * configuration file: what belongs elsewhere is a comment in it. */

static const struct {
	const char *type, *what, *pattern;
} types[] = {
	{ "token", "lines, and words where lines conflict", "*.md" },
	{ "counter", "a number that both sides count up or down", "hits" },
	{ "set", "lines that are each there or not", ".gitignore" },
	{ "log", "lines that are only ever added", "*.log" },
};

#define COUNT (sizeof(types) / sizeof(*types))

static int run(const struct command *self, int argc, char **argv)
{
	struct operands operands;
	int status = flags_parse(self, NULL, NULL, argc, argv, 0, 0, &operands);

	if (status >= 0)
		return status;
	printf("# irminfs drivers >>.git/config, or >>~/.gitconfig\n");
	for (size_t i = 0; i < COUNT; i++)
		printf("[merge \"%s\"]\n\tname = %s\n\tdriver = irminfs "
		       "merge-file --in-place --type %s -L base -L ours "
		       "-L theirs -m %%L -p %%P %%O %%A %%B\n", types[i].type,
		       types[i].what, types[i].type);
	printf("# and in .gitattributes lines such as\n");
	for (size_t i = 0; i < COUNT; i++)
		printf("#\t%s merge=%s\n", types[i].pattern, types[i].type);
	return output_finish(self->name, STATUS_OK);
}

const struct command command_drivers = {
	"drivers", "",
	"Print what a Git configuration needs so that plain Git merges with our\n"
	"types, and examples for .gitattributes.", run,
};
