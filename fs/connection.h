/* SPDX-License-Identifier: ISC */
#ifndef FS_CONNECTION_H
#define FS_CONNECTION_H

#include "fs/private.h"

/* The connection with the kernel: mounting, unmounting, what is negotiated. */

/* Clears the mount of a daemon that died at mountpoint, checks that mounting is
 * possible.  Errors of fs_mount. */
int connection_prepare(const char *mountpoint, struct report *report);

/* Mounts fs->session.  Errors of fs_mount. */
int connection_mount(struct fs *fs, struct report *report);

/* Ends what the kernel waits for, if it is still mounted. */
void connection_abort(struct fs *fs);
void connection_unmount(struct fs *fs);

/* Bytes in and out of the session, for what libfuse 3.14 cannot negotiate
 * (negotiate.c). */
int connection_negotiate(struct fs *fs);

/* Whether the request that this thread has read last takes setuid and setgid
 * away from the file that it writes to or truncates. */
bool connection_kills_privileges(void);
/* Whether it is to make a file without a name, though it says FUSE_CREATE. */
bool connection_makes_nameless(void);

#endif
