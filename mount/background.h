/* SPDX-License-Identifier: ISC */
#ifndef MOUNT_BACKGROUND_H
#define MOUNT_BACKGROUND_H

/* Going to the background, in two steps: the parent waits at the terminal and
 * passes on what the child has to say, until that is ready or has ended. */

/* Forks.  In the parent: returns the exit status once it is known.  In the
 * child: -1; it is detached from the terminal, and messages of the log and
 * standard error go to the parent.  Call before any thread is started. */
int background_begin(const char *name);

/* In the child: lets the parent go; messages go to syslog from now on.
 * -EPIPE: the parent is gone, the user gave up; errors of open(2). */
int background_ready(void);

#endif
