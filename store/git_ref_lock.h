/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_REF_LOCK_H
#define STORE_GIT_REF_LOCK_H

#include "store/util.h"

/* Git's lock protocol for files (its lockfile.h): NAME.lock is made with
 * O_EXCL, takes the new contents and becomes NAME. */

struct ref_lock {
	int dir_fd;		/* git directory; the caller's */
	char *name, *lock_name;	/* relative to it; owned */
	char *mark;		/* see git_ref_mark.h; owned, or NULL */
	bool made;		/* folders were made for it */
	int fd;			/* of the lock; -1 when it is gone */
	off_t length;		/* bytes written */
};

/* Makes the folders that name needs.  -EBUSY: someone else holds it for longer
 * than milliseconds; -EEXIST: a file is where a folder has to be; errors of
 * open(2) and mkdir(2). */
int ref_lock_take(int dir_fd, const char *name, unsigned int milliseconds,
		  struct ref_lock *ret_lock);

/* Appends to the new contents. */
int ref_lock_write(struct ref_lock *lock, const void *data, size_t size);

/* The new contents become the file, durably; the lock is gone.  -EEXIST: name
 * is a folder that holds other refs (empty folders make room). */
int ref_lock_commit(struct ref_lock *lock);

/* Gives up the lock if it is still held, and frees. */
void ref_lock_release(struct ref_lock *lock);

/* fsync of the folder that holds name. */
int ref_sync_folder(int dir_fd, const char *name);

/* Removes empty folders above name, down to but not including the first two
 * components ("refs/heads"). */
void ref_remove_empty_parents(int dir_fd, const char *name);

#endif
