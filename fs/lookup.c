/* SPDX-License-Identifier: ISC */
#include "fs/operations.h"
#include "fs/pending.h"
#include "fs/queue.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

static int lookup_in_queue(fuse_req_t req, struct inode *dir, const char *name,
			   struct node **ret)
{
	struct fs *fs = fs_of(req);

	pending_settle(fs, dir);
	*ret = pending_find(fs, dir, name, fuse_req_ctx(req)->pid);
	return *ret ? 0 : node_lookup(dir->node, name, ret);
}

static int lookup_in_tree(fuse_req_t req, struct inode *dir, const char *name,
			  struct inode **ret, bool *ret_keep)
{
	struct node *node;
	int r = queue_is(dir) ? lookup_in_queue(req, dir, name, &node) :
				node_lookup(dir->node, name, &node);

	/* not before: it may have been loaded only now */
	*ret_keep = !queue_is(dir);
	/* the branch may be empty now, and have a ".git" then */
	if (r == -ENOENT && strcmp(name, GIT_NAME) == 0)
		*ret_keep = false;
	if (r == -ENOENT)
		return irmin_lookup_git(fs_of(req), dir, name, ret);
	return r < 0 ? r : inode_for_node(fs_of(req), dir, node, ret);
}

static int lookup(fuse_req_t req, struct inode *dir, const char *name,
		  struct inode **ret, bool *ret_keep)
{
	struct fs *fs = fs_of(req);

	*ret_keep = true;
	if (strlen(name) > NAME_LENGTH_MAX)
		return -ENAMETOOLONG;
	if (dir->kind == INODE_PLACEHOLDER || dir->kind == INODE_LINK)
		return -ENOTDIR;
	if (dir->kind == INODE_CONTROL || strcmp(name, CONTROL_NAME) == 0)
		return irmin_lookup(fs, dir, name, ret, ret_keep);
	if (dir->kind == INODE_SPACE)
		return name_lookup(fs, dir, name, ret, ret_keep);
	return lookup_in_tree(req, dir, name, ret, ret_keep);
}

/* See told.c. */
static void note_answer(fuse_req_t req, const struct inode *dir,
			const char *name, const struct inode *answer)
{
	if (inode_is_space(answer))
		told_space(fs_of(req), req);
	else if (inode_is_space(dir) && inode_is_tree_root(answer) &&
		 answer->branch)
		told_branch(fs_of(req), req, dir, name);
}

void op_lookup(fuse_req_t req, fuse_ino_t dir_id, const char *name)
{
	struct fs *fs = fs_of(req);
	struct inode *dir = inode_of(fs, dir_id);
	uint64_t answer = answer_begin(fs);
	struct inode *inode;
	bool keep = true;
	int r;

	if (rename_branch_lookup(fs->renames, req, dir, name))
		return;
	r = lookup(req, dir, name, &inode, &keep);
	if (r == 0)
		note_answer(req, dir, name, inode);
	if (r == -ENOENT && dir->kind == INODE_NODE && keep)
		reply_missing(req, answer);
	else if (r < 0)
		reply_failure(req, dir, "searched", r);
	else
		reply_entry(req, inode, answer, keep);
}

/* What was forgotten lies scattered over the heap, where the C library would keep
 * it.  Asked for the more rarely the more is still in use, since it walks
 * through all that is free. */
#define TRIM_LEAST 16384

static void trim(void *context)
{
	malloc_trim(0);
}

static void note_forgotten(struct fs *fs, size_t count)
{
	size_t forgotten = atomic_fetch_add(&fs->forgotten, count) + count;

	if (forgotten < TRIM_LEAST || forgotten < inodes_count(fs))
		return;
	/* otherwise the next ones try again */
	if (atomic_compare_exchange_strong(&fs->forgotten, &forgotten, 0))
		jobs_add(fs->jobs, trim, NULL);
}

void op_forget(fuse_req_t req, fuse_ino_t id, uint64_t count)
{
	struct fs *fs = fs_of(req);

	inode_forget(fs, inode_of(fs, id), count);
	note_forgotten(fs, 1);
	fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count,
		     struct fuse_forget_data *forgets)
{
	struct fs *fs = fs_of(req);

	for (size_t i = 0; i < count; i++)
		inode_forget(fs, inode_of(fs, forgets[i].ino),
			     forgets[i].nlookup);
	note_forgotten(fs, count);
	fuse_reply_none(req);
}
