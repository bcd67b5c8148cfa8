/* SPDX-License-Identifier: ISC */
#include "mount/commands.h"

#include <string.h>

const struct command *const commands[] = {
	&command_mount, &command_umount,
	&command_branches, &command_make, &command_fork, &command_rename,
	&command_swap, &command_drop, &command_restore,
	&command_merge, &command_merge_file, &command_drivers,
	&command_conflicts, &command_resolve,
	&command_status, &command_commit, &command_publish, &command_log,
	&command_splice,
	&command_mkqueue, &command_push, &command_pop, &command_peek,
	&command_stats, &command_fsck,
	NULL,
};

const struct command *command_find(const char *name)
{
	for (const struct command *const *c = commands; *c; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}
