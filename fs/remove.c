/* SPDX-License-Identifier: ISC */
#include "fs/operations.h"
#include "fs/pending.h"
#include "fs/queue.h"
#include "store/inside.h"

#include <errno.h>
#include <string.h>

static int stop_at_first(void *context, const struct listed *entry)
{
	*(bool *)context = false;
	return 1;
}

static int is_empty(struct branch *b, bool *ret)
{
	bool empty = true;
	struct worktree *w;
	struct node *root;
	int r = branch_worktree(b, &w);

	if (r < 0)
		return r;
	root = worktree_root(w);
	r = node_list(root, 0, stop_at_first, &empty);
	node_unref(root);
	if (r == 0)
		*ret = empty;
	return r;
}

/* What `rm -r` of a branch ends in.  The kernel holds the directory, so that
 * nothing is made in it meanwhile. */
static int rmdir_branch(fuse_req_t req, struct branch *b)
{
	const struct caller caller = caller_of(req, "drop");
	struct report report = { "" };
	bool empty = false;
	int r = is_empty(b, &empty);

	if (r < 0)
		return r;
	if (!empty)
		return -ENOTEMPTY;
	r = store_drop(fs_of(req)->store, b, &caller, &report);
	if (r < 0)
		log_info("cannot drop a branch: %s", report.text);
	return r;
}

/* A folder of branches goes away with the last one, not before; a revision
 * cannot be removed. */
static int rmdir_other(struct fs *fs, struct inode *space, const char *name)
{
	struct inode *inode;
	bool keep;
	int r = name_lookup(fs, space, name, &inode, &keep);

	if (r < 0)
		return r;
	r = inode->kind == INODE_SPACE ? -ENOTEMPTY : -EROFS;
	inode_unref(fs, inode);
	return r;
}

static int rmdir_in_space(fuse_req_t req, struct inode *space, const char *name)
{
	struct fs *fs = fs_of(req);
	struct branch *b;
	int r;

	if (strcmp(name, CONTROL_NAME) == 0)
		return -EPERM;
	r = name_branch(fs, space, name, &b);
	if (r == -ENOENT)
		return rmdir_other(fs, space, name);
	if (r < 0)
		return r;
	r = rmdir_branch(req, b);
	branch_unref(b);
	return r;
}

static void rmdir_node(fuse_req_t req, struct inode *dir, const char *name)
{
	int r = node_rmdir(dir->node, name);

	queue_tell_attributes(fs_of(req), dir);
	reply_error(req, r);
}

void op_rmdir(fuse_req_t req, fuse_ino_t dir_id, const char *name)
{
	struct inode *dir = inode_of(fs_of(req), dir_id);

	enter(req);
	if (dir->kind == INODE_SPACE)
		reply_error(req, rmdir_in_space(req, dir, name));
	else if (dir->kind == INODE_CONTROL || strcmp(name, CONTROL_NAME) == 0)
		irmin_rmdir(req, dir, name);
	else
		rmdir_node(req, dir, name);
}

/* The file `.git` that we make up. */
static int hide_git(struct fs *fs, struct inode *dir, const char *name)
{
	if (!irmin_has_git(fs, dir, name))
		return -ENOENT;
	inside_hide(dir->branch);
	return 0;
}

static int unlink_node(fuse_req_t req, struct inode *dir, const char *name)
{
	struct fs *fs = fs_of(req);
	int r = queue_is(dir) ? pending_cancel(fs, dir, name,
					       fuse_req_ctx(req)->pid) : -ENOENT;

	if (r == -ENOENT)
		r = node_unlink(dir->node, name);
	queue_apply_types(fs, dir, false);
	return r == -ENOENT ? hide_git(fs, dir, name) : r;
}

void op_unlink(fuse_req_t req, fuse_ino_t dir_id, const char *name)
{
	struct inode *dir = inode_of(fs_of(req), dir_id);

	enter(req);
	if (dir->kind == INODE_CONTROL)
		irmin_unlink(req, dir, name);
	else if (dir->kind == INODE_NODE)
		reply_error(req, unlink_node(req, dir, name));
	else
		reply_error(req, -EPERM);
}
