/* SPDX-License-Identifier: ISC */
#include "mount/commands.h"
#include "structures/structures.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "irminfs -C DIR log" is "irminfs log -C DIR": moves a subcommand that stands
 * behind the flags that all share to the front.  Returns it or NULL. */
static const struct command *find_command(int argc, char **argv)
{
	const struct command *command;
	int at = 1;

	while (at < argc) {
		if (!strcmp(argv[at], "-C") ||
		    !strcmp(argv[at], "--directory") ||
		    !strcmp(argv[at], "--store"))
			at += 2;
		else if (!strcmp(argv[at], "--json") ||
			 !strncmp(argv[at], "--directory=", 12) ||
			 !strncmp(argv[at], "--store=", 8))
			at++;
		else
			break;
	}
	command = at < argc ? command_find(argv[at]) : NULL;
	if (command) {
		char *name = argv[at];

		memmove(argv + 2, argv + 1, (at - 1) * sizeof(*argv));
		argv[1] = name;
	}
	return command;
}

int main(int argc, char **argv)
{
	const struct command *command;

	setlocale(LC_CTYPE, "");
	if (structures_register() < 0) {
		fputs("irminfs: no room for the types of structures/\n", stderr);
		return EXIT_FAILURE;
	}
	command = find_command(argc, argv);
	if (command)
		return command->run(command, argc - 1, argv + 1);
	/* "irminfs STORE MOUNTPOINT", also as mount(8) calls it */
	return command_mount.run(&command_mount, argc, argv);
}
