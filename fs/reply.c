/* SPDX-License-Identifier: ISC */
#include "fs/inode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* An answer that began while something was changing: never cached. */
#define ANSWER_NEVER UINT64_MAX

uint64_t answer_begin(struct fs *fs)
{
	/* in this order: ended <= begun at any time, so that equal values mean
	 * that nothing was changing when the second was read */
	uint64_t ended = atomic_load(&fs->ended);
	uint64_t begun = atomic_load(&fs->begun);

	return begun == ended ? begun : ANSWER_NEVER;
}

void answers_suspend(struct fs *fs)
{
	atomic_fetch_add(&fs->begun, 1);
	pthread_rwlock_wrlock(&fs->replying);
	pthread_rwlock_unlock(&fs->replying);
}

void answers_resume(struct fs *fs)
{
	atomic_fetch_add(&fs->ended, 1);
}

bool answer_is_current(struct fs *fs, uint64_t answer)
{
	return atomic_load(&fs->begun) == answer;
}

/* What had no memory makes room for what comes after it. */
void reply_error(fuse_req_t req, int error)
{
	struct fs *fs = fs_of(req);

	fuse_reply_err(req, -error);
	if (error == -ENOMEM)
		pool_give_way(store_pool(fs->store));
}

/* "branch main" or "commit 4f2a91c..."; NULL: no memory. */
static char *name_tree(struct inode *inode)
{
	struct branch *b = inode_branch(inode);
	struct view *v = inode_view(inode_tree(inode));
	scoped_free char *name = b ? branch_name(b) : NULL;
	char hex[OID_HEX_SIZE] = "", *text;

	if (!name && v)
		oid_hex(view_commit(v), hex);
	if (asprintf(&text, "%s %s", name ? "branch" : "commit",
		     name ? name : hex) < 0)
		return NULL;
	return text;
}

/* What is tried again and again is told once. */
static bool is_told(fuse_req_t req, struct inode *inode)
{
	struct fs *fs = fs_of(req);
	uint64_t id = inode_id(fs, inode);

	return atomic_exchange(&fs->told_failure, id) == id;
}

static void tell_failure(struct inode *inode, const char *action, int error)
{
	scoped_free char *path = node_path(inode->node);
	scoped_free char *tree = name_tree(inode);

	if (path && tree)
		log_error("\"%s\" of %s cannot be %s: %s; git fsck tells what is "
			  "missing or damaged in the repository, and a clone may "
			  "have it", *path ? path : ".", tree, action,
			  strerror(-error));
}

void reply_failure(fuse_req_t req, struct inode *inode, const char *action,
		   int error)
{
	if ((error == -EIO || error == -EUCLEAN) &&
	    inode->kind == INODE_NODE && !is_told(req, inode))
		tell_failure(inode, action, error);
	reply_error(req, error);
}

int entry_fill(struct fs *fs, struct inode *inode, double timeout,
	       struct fuse_entry_param *ret)
{
	struct fuse_entry_param entry = {
		.ino = inode_id(fs, inode),
		.generation = 1,
		.entry_timeout = timeout,
		.attr_timeout = attributes_timeout(inode),
	};
	int r = inode_stat(fs, inode, &entry.attr);

	if (r < 0)
		return r;
	*ret = entry;
	return 0;
}

/* Writes an entry of inode; `file` is for CREATE.  The kernel may know the inode
 * before the reply is written, so that it is counted before. */
static int write_entry(fuse_req_t req, struct inode *inode,
		       const struct fuse_entry_param *entry,
		       const struct fuse_file_info *file)
{
	struct fs *fs = fs_of(req);
	int r;

	inode_remember(fs, inode);
	r = file ? fuse_reply_create(req, entry, file) :
		   fuse_reply_entry(req, entry);
	if (r < 0)
		inode_forget(fs, inode, 1);
	return r;
}

static int reply_current(fuse_req_t req, struct inode *inode, uint64_t answer,
			 bool keep, const struct fuse_file_info *file)
{
	struct fs *fs = fs_of(req);
	struct fuse_entry_param entry;
	int r = entry_fill(fs, inode, keep ? TIMEOUT_FOREVER : 0, &entry);

	if (r < 0) {
		reply_failure(req, inode, "read", r);
		return r;
	}
	SCOPED_READ(&fs->replying);
	if (!answer_is_current(fs, answer))
		entry.entry_timeout = entry.attr_timeout = 0;
	return write_entry(req, inode, &entry, file);
}

void reply_entry(fuse_req_t req, struct inode *inode, uint64_t answer,
		 bool keep)
{
	struct fs *fs = fs_of(req);

	reply_current(req, inode, answer, keep, NULL);
	inode_unref(fs, inode);
}

void reply_entry_for(fuse_req_t req, struct inode *inode, double timeout)
{
	struct fs *fs = fs_of(req);
	struct fuse_entry_param entry;
	int r = entry_fill(fs, inode, timeout, &entry);

	if (r < 0)
		reply_failure(req, inode, "read", r);
	else
		write_entry(req, inode, &entry, NULL);
	inode_unref(fs, inode);
}

bool reply_create(fuse_req_t req, struct inode *inode, uint64_t answer,
		  bool keep, const struct fuse_file_info *file)
{
	struct fs *fs = fs_of(req);
	int r = reply_current(req, inode, answer, keep, file);

	inode_unref(fs, inode);
	return r == 0;
}

void reply_missing(fuse_req_t req, uint64_t answer)
{
	const struct fuse_entry_param nothing = {
		.entry_timeout = TIMEOUT_FOREVER,
	};
	struct fs *fs = fs_of(req);

	SCOPED_READ(&fs->replying);
	if (answer_is_current(fs, answer))
		fuse_reply_entry(req, &nothing);
	else
		fuse_reply_err(req, ENOENT);
}
