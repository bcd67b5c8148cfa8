/* SPDX-License-Identifier: ISC */
#ifndef FS_PENDING_H
#define FS_PENDING_H

#include "fs/operations.h"

/* Elements of queues that are open since they were made.  Only the process that
 * made one finds it by its name; the last close of that open pushes it.  After an
 * fsync that is done by the next mount if this one ends before.
 *
 * The kernel tells of the last close only afterwards (RELEASE), but of each close
 * while it lasts (FLUSH): after a FLUSH, who asks about the queue waits a little
 * for the RELEASE, so that what was closed is there for whoever comes then. */

struct pending;

/* A new one for an open of node, which pid made in dir as name.  NULL: no
 * memory. */
struct pending *pending_new(struct fs *fs, struct inode *dir, const char *name,
			    struct node *node, pid_t pid);
/* Pushes it unless that was done or it is unfinished (FS_UNFINISHED), and frees it.
 * NULL is accepted. */
void pending_end(struct fs *fs, struct pending *p);
/* Frees it; the element is lost, unless it is kept. */
void pending_drop(struct fs *fs, struct pending *p);

/* FLUSH came. */
void pending_flushed(struct fs *fs, struct pending *p);
/* Pushes the element that node is, if it is one.  Errors of node_push_pending. */
int pending_push(struct fs *fs, struct node *node);
/* Keeps it so that the next cut makes it safe, or else pushes it.  The same
 * errors. */
int pending_keep(struct fs *fs, struct node *node);

/* It is never pushed, by who has it open; -ENOENT: it is none. */
int pending_take_back(struct fs *fs, struct node *node);

/* What pid made in dir as name: a new reference, or NULL. */
struct node *pending_find(struct fs *fs, struct inode *dir, const char *name,
			  pid_t pid);
/* It is called `to` from now on; -ENOENT: there is none. */
int pending_rename(struct fs *fs, struct inode *dir, const char *name,
		   const char *to, pid_t pid);
/* It is never pushed; -ENOENT. */
int pending_cancel(struct fs *fs, struct inode *dir, const char *name,
		   pid_t pid);

/* Waits for what was closed in dir. */
void pending_settle(struct fs *fs, struct inode *dir);

/* That of an open, or NULL: what info->fh has beside HANDLE_WRITABLE. */
static inline struct pending *pending_of(const struct fuse_file_info *info)
{
	return (struct pending *)(uintptr_t)(info->fh & ~(uint64_t)HANDLE_WRITABLE);
}

#endif
