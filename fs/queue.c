/* SPDX-License-Identifier: ISC */
#include "fs/operations.h"
#include "fs/pending.h"
#include "fs/queue.h"
#include "store/irmin_attribute.h"

#include <errno.h>
#include <string.h>

bool queue_is(const struct inode *dir)
{
	return dir->kind == INODE_NODE && node_is_queue(dir->node);
}

/* ---- the first element ---- */

int queue_first(struct fs *fs, struct inode *dir, struct inode **ret)
{
	scoped_free char *name = NULL;
	struct node *node;
	int r = dir->kind == INODE_NODE ? node_first(dir->node, &node, &name) :
					  -ENOENT;

	if (r < 0)
		return r == -ENOTSUP ? -ENOENT : r;
	return inode_for_node(fs, dir, node, ret);
}

bool queue_has_first(const struct inode *dir)
{
	scoped_free char *name = NULL;
	struct node *node;

	if (dir->kind != INODE_NODE || node_first(dir->node, &node, &name) < 0)
		return false;
	node_unref(node);
	return true;
}

/* ---- telling the kernel ---- */

/* At once, so that who comes next lists it anew; this waits for no lock that a
 * request may hold. */
void queue_changed(struct fs *fs, struct inode *dir)
{
	fuse_lowlevel_notify_inval_inode(fs->session, inode_id(fs, dir), 0, 0);
}

void queue_tell_attributes(struct fs *fs, struct inode *inode)
{
	struct inode *root = inode_tree(inode);

	if (inode->kind != INODE_NODE ||
	    !worktree_took_attributes(node_worktree(root->node)))
		return;
	notify_drop_name(fs->trees, root, ATTRIBUTES_NAME);
	notify_inode(fs->pages, root);
}

/* The kernel lets everybody who can open a file call ioctl(2) on it. */
static int claim(fuse_req_t req, struct inode *inode, uint64_t queue,
		 struct node **ret_dir, char **ret_name)
{
	struct asking asking;

	return node_claim(inode->node, queue, rights_of(req, &asking), ret_dir,
			  ret_name);
}

int queue_claim(fuse_req_t req, struct inode *inode, uint64_t queue)
{
	struct fs *fs = fs_of(req);
	scoped_free char *name = NULL;
	struct inode *dir;
	struct node *node;
	int r = pending_take_back(fs, inode->node);

	if (r != -ENOENT)
		return r;
	r = claim(req, inode, queue, &node, &name);
	if (r < 0)
		return r;
	dir = inode_find_node(fs, node);
	if (dir) {
		queue_changed(fs, dir);
		inode_unref(fs, dir);
	}
	queue_changed(fs, inode);
	node_unref(node);
	return 0;
}

/* ---- the type of a directory ---- */

static int set_type(struct inode *inode, const char *value, size_t size)
{
	char type[IRMIN_TYPE_SIZE];
	struct branch *b = inode_branch(inode);

	if (!b || branch_readonly(b))
		return -EROFS;
	if (size == 0 || size >= sizeof(type) || memchr(value, '\0', size))
		return -EINVAL;
	memcpy(type, value, size);
	type[size] = '\0';
	return node_set_type(inode->node, type);
}

/* What the kernel has kept of it when it was something else.  Later: it has locked
 * the directory for whoever asks. */
struct dropping {
	struct fs *fs;
	struct inode *dir;
};

static int drop_name(void *context, const struct listed *entry)
{
	const struct dropping *d = context;

	notify_drop_name(d->fs->trees, d->dir, entry->name);
	return 0;
}

static void tell_retyped(struct fs *fs, struct inode *inode)
{
	struct dropping dropping = { fs, inode };

	queue_changed(fs, inode);
	/* without memory some names may be kept: nothing more can be done */
	node_list(inode->node, 0, drop_name, &dropping);
}

void queue_retyped(void *context, struct node *dir)
{
	struct inode *inode = inode_find_node(context, dir);

	if (!inode)
		return;
	tell_retyped(context, inode);
	inode_unref(context, inode);
}

void queue_apply_types(struct fs *fs, const struct inode *inode, bool closed)
{
	struct worktree *w = inode->kind == INODE_NODE ?
				     node_worktree(inode->node) : NULL;

	if (w && worktree_has_new_types(w))
		worktree_apply_types(w, closed, queue_retyped, fs);
}

int queue_convert(struct fs *fs, struct inode *inode, const char *value,
		  size_t size)
{
	bool was_queue = queue_is(inode);
	int r = set_type(inode, value, size);

	queue_tell_attributes(fs, inode);
	if (r < 0 || was_queue)
		return r;
	tell_retyped(fs, inode);
	return 0;
}
