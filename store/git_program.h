/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_PROGRAM_H
#define STORE_GIT_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

/* Starts the program argv[0] (found in PATH, argv ends with NULL) with in (-1:
 * nothing) to read, and with out and err as its outputs.  Variables of Git in our
 * own environment do not reach it, and replace refs do not count.  own_group: it
 * leads a new process group.  keep: a descriptor that it has as well, and what it
 * starts, or -1.  The caller waits for it.  Errors of posix_spawn(3). */
int git_program_start(char *const *argv, int in, int out, int err,
		      bool own_group, int keep, pid_t *ret_pid);

#endif
