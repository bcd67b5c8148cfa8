/* SPDX-License-Identifier: ISC */
#ifndef FS_GUARD_H
#define FS_GUARD_H

#include "fs/connection.h"

/* A process that ends the connection with the kernel when the daemon is killed.
 *
 * A notification that waits for a directory cannot be killed, and keeps the
 * device of the dead daemon open.  Whoever holds that directory waits for an
 * answer, which nobody will write, beyond SIGKILL as well.  So somebody else has
 * to break the connection; the kernel tells a child when the thread that forked
 * it dies, although the process is not over. */

/* To be called by the thread that lives as long as the daemon, once it is
 * mounted.  -ENOMEM, -EAGAIN: no process can be made.  -EMFILE, -ENFILE. */
int guard_new(struct fs *fs, struct guard **ret);
void guard_free(struct guard *g);	/* ends the process; accepts NULL */

#endif
