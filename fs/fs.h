/* SPDX-License-Identifier: ISC */
#ifndef FS_FS_H
#define FS_FS_H

#include "store/store.h"

#include <sys/ioctl.h>

/* The FUSE front end: serves a store at a mount point. */

struct fs_options {
	const char *mountpoint;		/* absolute, exists */
	const char *fsname;		/* shown in /proc/mounts: the store */
	const char *mount_options;	/* further FUSE options "a,b=c", or NULL */
	bool debug;			/* -d: print each request */
	bool no_xattr;			/* extended attributes are refused */
};

/* Requests to .irmin/control (store/control.h) are written there.  Nothing can be
 * opened for writing in a read-only mount; there the text is the argument of an
 * ioctl, at most FS_REQUEST_MAX bytes, on a descriptor that is open for reading.
 * The reply is read as after a write. */
#define FS_REQUEST(size) _IOC(_IOC_WRITE, 0xb7, 1, size)
#define FS_REQUEST_MAX ((size_t)_IOC_SIZEMASK)

/* Of an element that is open: takes exactly that one out of the queue whose st_ino
 * the argument points to.  ENOENT: somebody else has, maybe into another queue. */
#define FS_CLAIM _IOW(0xb7, 2, uint64_t)

/* An element that is made under a name which begins so is pushed when it has another
 * one: whoever is killed before that has pushed nothing. */
#define FS_UNFINISHED ".irmin-push-"

struct fs;

/* Mounts: the kernel knows the mount when it returns, requests wait for fs_run.
 * A dead mount at the mount point (ENOTCONN) is cleared first.  Starts the
 * notifier thread and the helper process.  -ENODEV: no /dev/fuse, -EACCES,
 * -EPERM, -ENOENT, -ENOTDIR; report says what to do. */
int fs_mount(struct store *store, const struct fs_options *options,
	     struct fs **ret_fs, struct report *report);

/* Serves requests until unmounted or fs_stop; blocks.  started (or NULL) is called
 * once they are being served; a negative result ends it.  0 or negative errno. */
int fs_run(struct fs *fs, int (*started)(void));

/* Ends fs_run; may be called from a signal handler. */
void fs_stop(struct fs *fs);

/* Unmounts what the user who calls has mounted, by the program fusermount3; lazy:
 * also what is in use.  -ENOENT: it is not installed; -EPERM: it could not, and did
 * not say why. */
int fs_fusermount(const char *mountpoint, bool lazy);

/* Unmounts if that has not happened, forgets all inodes, and frees; the store
 * stays open. */
void fs_free(struct fs *fs);

#endif
