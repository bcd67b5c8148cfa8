/* SPDX-License-Identifier: ISC */
#include "fs/private.h"
#include "fs/queue.h"

/* What the store wants to be done when it changes what the kernel has cached. */

/* ---- merges ---- */

static void merge_begins(void *context)
{
	answers_suspend(context);
}

static void merge_ends(void *context)
{
	answers_resume(context);
}

/* Dropped, not expired: a revalidation that is under way would give an expired
 * name its time to live back. */
static void name_changes(void *context, struct node *dir, const char *name)
{
	struct fs *fs = context;
	struct inode *inode = inode_find_node(fs, dir);

	if (!inode)
		return;
	notify_drop_name(fs->trees, inode, name);
	notify_wait(fs->trees, -1);
	inode_unref(fs, inode);
}

static void node_changed(void *context, struct node *n)
{
	struct fs *fs = context;
	struct inode *inode = inode_find_node(fs, n);

	if (!inode)
		return;
	notify_inode(fs->pages, inode);
	notify_wait(fs->pages, -1);
	inode_unref(fs, inode);
}

/* ---- shared mappings ---- */

static void flush_writer(void *context, struct node *node)
{
	struct fs *fs = context;
	struct inode *inode = inode_find_node(fs, node);

	if (!inode)
		return;
	notify_inode(fs->pages, inode);
	inode_unref(fs, inode);
}

void front_flush(struct fs *fs, struct worktree *w)
{
	worktree_each_writer(w, flush_writer, fs);
}

static void flush_mappings(void *context, struct worktree *w)
{
	struct fs *fs = context;

	front_flush(fs, w);
	notify_wait(fs->pages, -1);
}

/* ---- branches ---- */

static void expire(struct fs *fs, struct inode *space, const char *name)
{
	notify_expire_name(fs->spaces, space, name);
}

/* Replies about branches that are under way are written before the names
 * expire. */
static void branches_changed(void *context, const char *name)
{
	struct fs *fs = context;
	struct inode *space = inode_find_space(fs, name);

	if (!space)
		return;
	answers_suspend(fs);
	answers_resume(fs);
	inode_take_names(fs, space, expire);
	notify_inode(fs->pages, space);
	inode_unref(fs, space);
}

/* So that the kernel knows it by that name before somebody renames it. */
static void branch_moved(void *context, const char *name)
{
	struct fs *fs = context;

	notify_look(fs->spaces, name);
}

/* ---- */

void front_install(struct fs *fs)
{
	const struct store_front front = {
		.watch = {
			.changing = name_changes,
			.changed = node_changed,
			.begin = merge_begins,
			.end = merge_ends,
			.retyped = queue_retyped,
			.context = fs,
		},
		.flush_mappings = flush_mappings,
		.branches_changed = branches_changed,
		.branch_moved = branch_moved,
		/* the kernel keeps nothing of conflicts/ */
		.conflicts_changed = NULL,
	};

	store_set_front(fs->store, &front);
}

void front_remove(struct fs *fs)
{
	const struct store_front none = { 0 };

	store_set_front(fs->store, &none);
}
