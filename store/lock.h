/* SPDX-License-Identifier: ISC */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The lock of a store: the file irminfs/lock in the repository's folder, held
 * by an open file description lock (fcntl F_OFD_SETLK on the whole file).  It
 * goes with the last copy of the descriptor: a child of fork(2) that keeps its
 * copy keeps the store locked, one that calls exec does not.
 *
 * The file holds "PID NEWLINE MOUNTPOINT NEWLINE" for people and for
 * lock_holder; only the lock itself counts, so what a killed process left in
 * the file means nothing.  It is never removed: a lock on a removed file would
 * exclude nobody.
 *
 * repo_fd is a descriptor of the repository's folder. */

struct store_lock;

/* The store's private folder, irminfs/ (mode 0700), durably made if it is
 * absent and create is set; the caller closes ret_fd.  -ENOENT: absent;
 * errors of mkdir(2), fsync(2) and open(2). */
int lock_open_folder(int repo_fd, bool create, int *ret_fd);

/* Takes the lock without waiting; mountpoint may be NULL.  -EBUSY: another
 * process (or another description of this one) holds it; -EROFS, -EACCES and
 * other errors of open(2) and write(2): the file cannot be written. */
int lock_take(int repo_fd, const char *mountpoint,
	      struct store_lock **ret_lock);

/* Writes this process's pid and mount point again: after fork(2) (a daemon that
 * took the lock before it went to the background) or once the mount point is
 * known.  Errors of write(2). */
int lock_describe(struct store_lock *lock, const char *mountpoint);

/* Gives it up; accepts NULL. */
void lock_release(struct store_lock *lock);

/* Pid and mount point (cut to size bytes; empty: none) of who holds it; the pid
 * is 0 while the holder has not written it yet.  -ENOENT: nobody holds it; errors
 * of open(2) and read(2). */
int lock_holder(int repo_fd, pid_t *ret_pid, char *ret_mountpoint, size_t size);

/* Blocks until nobody holds it, without taking it.  -ETIMEDOUT after seconds, or a
 * minute if the holder was killed and is not gone yet; errors of lock_holder. */
int lock_wait_free(int repo_fd, unsigned int seconds);

#endif
