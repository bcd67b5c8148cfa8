/* SPDX-License-Identifier: ISC */
#include "mount/commands.h"
#include "structures/structures.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The program irminfs where libgit2 can be linked statically: merges single files
 * itself, since Git starts its merge drivers once a file, and leaves everything
 * else to the whole program, whose libraries take longer to load than a file takes
 * to merge. */

/* The whole program stands beside this one (where it is built), or where it was
 * installed. */
static void run_whole(char **argv)
{
	char path[PATH_MAX], whole[PATH_MAX + 16];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length > 0) {
		path[length] = '\0';
		snprintf(whole, sizeof(whole), "%s/" IRMINFS_WHOLE_NAME,
			 dirname(path));
		execv(whole, argv);
	}
	execv(IRMINFS_WHOLE, argv);
}

int main(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], command_merge_file.name) != 0) {
		run_whole(argv);
		fprintf(stderr, "irminfs: cannot run %s: %s\n", IRMINFS_WHOLE,
			strerror(errno));
		return STATUS_ERROR;
	}
	setlocale(LC_CTYPE, "");
	if (structures_register_file_types() < 0) {
		fputs("irminfs: no room for the types of structures/\n", stderr);
		return STATUS_ERROR;
	}
	return command_merge_file.run(&command_merge_file, argc - 1, argv + 1);
}
