/* SPDX-License-Identifier: ISC */
#ifndef MOUNT_COMMANDS_H
#define MOUNT_COMMANDS_H

#include "mount/flags.h"

/* One in each cmd_NAME.c. */
extern const struct command command_mount, command_umount;
extern const struct command command_branches, command_make, command_fork;
extern const struct command command_rename, command_swap, command_drop;
extern const struct command command_restore;
extern const struct command command_merge, command_merge_file;
extern const struct command command_drivers;
extern const struct command command_conflicts, command_resolve;
extern const struct command command_log, command_status, command_commit;
extern const struct command command_publish, command_stats, command_fsck;
extern const struct command command_splice;
extern const struct command command_mkqueue, command_push, command_pop;
extern const struct command command_peek;

#endif
