/* SPDX-License-Identifier: ISC */
#ifndef FS_QUEUE_H
#define FS_QUEUE_H

#include "fs/private.h"

/* Queues: directories whose entries the kernel does not keep, since names there
 * do not always become what it believes. */

/* Whether names in dir are asked for each time. */
bool queue_is(const struct inode *dir);

/* The inode of the first element; a new reference.  -ENOENT: none, or dir is no
 * queue. */
int queue_first(struct fs *fs, struct inode *dir, struct inode **ret);
bool queue_has_first(const struct inode *dir);

/* Makes a directory one of the type that value names, and tells the kernel.
 * -EROFS; -EINVAL; errors of node_set_type. */
int queue_convert(struct fs *fs, struct inode *dir, const char *value,
		  size_t size);

/* Takes the element that inode is out of the queue of that number, if who asks may.
 * Errors of node_claim. */
int queue_claim(fuse_req_t req, struct inode *inode, uint64_t queue);

/* The listing of dir changed without the kernel's knowing. */
void queue_changed(struct fs *fs, struct inode *dir);

/* A directory became a queue, or a plain one: the kernel forgets what it has kept of
 * it.  context: the struct fs. */
void queue_retyped(void *context, struct node *dir);

/* An operation in the tree of inode may have changed a .gitattributes, or (closed) it
 * closes one that was written: directories follow it, before the answer.  Writing
 * itself needs no such call, as its writer closes the file. */
void queue_apply_types(struct fs *fs, const struct inode *inode, bool closed);

/* An operation in the tree of inode may have rewritten the root's .gitattributes:
 * tells the kernel, later. */
void queue_tell_attributes(struct fs *fs, struct inode *inode);

#endif
