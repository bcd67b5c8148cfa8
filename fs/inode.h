/* SPDX-License-Identifier: ISC */
#ifndef FS_INODE_H
#define FS_INODE_H

#include "fs/irmin.h"
#include "fs/private.h"

/* A full memory is an error of the caller: handle.tbl is NULL after HASH_ADD. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Inside of inodes. */

/* A name in a space that the kernel keeps. */
struct noted_name {
	UT_hash_handle hh;
	char name[];
};

struct space_inode {
	struct inode inode;		/* first */
	struct noted_name *names;	/* inodes->lock */
	struct timespec changed;	/* inodes->lock */
	UT_hash_handle hh;
};

struct control_key {
	struct inode *parent;
	uint64_t number;
	enum control id;
};

struct control_inode {
	struct inode inode;		/* first */
	struct control_key key;
	_Atomic unsigned int hidden;	/* CONTROL_CONFLICT: files unlinked */
	UT_hash_handle hh;
};

/* A node of a revision, in the tree of one name. */
struct view_key {
	struct inode *parent;		/* the tree's root */
	struct node *node;
};

struct view_inode {
	struct inode inode;		/* first */
	struct view_key key;		/* NULL, NULL: a root */
	struct view *view;		/* of a root, referenced */
	char *name;			/* of a root, owned */
	UT_hash_handle hh;		/* roots: by name, others: by key */
};

struct inodes {
	pthread_mutex_t lock;		/* guards all, and refs and lookups */
	struct inode *first;
	size_t count;
	struct space_inode *spaces;	/* by name */
	struct control_inode *controls;	/* by key */
	struct view_inode *views;	/* roots of revisions by name: the newest
					 * of each */
	struct view_inode *view_nodes;	/* below them, by key */
};

static inline struct control_inode *control_inode_of(struct inode *inode)
{
	return (struct control_inode *)inode;
}

/* Nodes of revisions (inode_view.c). */
/* The revision that a tree's root is of, or NULL. */
static inline struct view *inode_view(const struct inode *inode)
{
	return inode->of_view ? ((const struct view_inode *)inode)->view : NULL;
}
void view_inode_unlink_locked(struct inodes *all, struct inode *inode);
int view_inode_get(struct fs *fs, struct inode *root, struct node *node,
		   struct inode **ret);

/* Adds a new one to the list of all. */
void inode_link_locked(struct inodes *all, struct inode *inode);

/* A new reference.  -ENOMEM. */
int inode_for_control(struct fs *fs, struct inode *parent, enum control id,
		      uint64_t number, struct inode **ret);

/* When its listing changed last. */
struct timespec inode_space_time(struct fs *fs, struct inode *inode);

#endif
