/* SPDX-License-Identifier: ISC */
#include "fs/operations.h"
#include "fs/pending.h"
#include "fs/queue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* rename(2) in all its forms.  EXDEV is answered only where copying and removing
 * the source, which is what mv does then, is what the user means: between
 * branches, below their roots.  Everything else that cannot be done is EPERM. */

/* ---- inside branches ---- */

static bool is_readonly(struct inode *dir)
{
	struct branch *b = inode_branch(dir);

	return !b || branch_readonly(b);
}

/* What the caller is still writing gets another name in its queue, and is pushed
 * before it leaves that.  -ENOENT: it is no such thing. */
static int rename_pending(fuse_req_t req, struct inode *from_dir,
			  const char *from, struct inode *to_dir, const char *to)
{
	struct fs *fs = fs_of(req);
	pid_t pid = fuse_req_ctx(req)->pid;
	struct node *node;
	int r;

	if (!queue_is(from_dir))
		return -ENOENT;
	if (from_dir == to_dir)
		return pending_rename(fs, from_dir, from, to, pid);
	node = pending_find(fs, from_dir, from, pid);
	if (!node)
		return -ENOENT;
	r = pending_push(fs, node);
	node_unref(node);
	return r < 0 ? r : -ENOENT;
}

/* The kernel takes what it kept of the old name to the new one, which may be
 * another element's, and keeps it; and knows nothing of a number. */
static void tell_pushed(struct fs *fs, struct inode *queue, const char *to,
			const char *name)
{
	notify_drop_name(fs->trees, queue, to);
	if (name)
		notify_drop_name(fs->trees, queue, name);
	queue_changed(fs, queue);
}

static int rename_node(fuse_req_t req, struct inode *from_dir, const char *from,
		       struct inode *to_dir, const char *to, unsigned int flags)
{
	scoped_free char *name = NULL;
	int r;

	if (strcmp(from, CONTROL_NAME) == 0 || strcmp(to, CONTROL_NAME) == 0)
		return -EPERM;
	/* mv would copy first, and be left with a source that it cannot remove */
	if (is_readonly(from_dir) || is_readonly(to_dir))
		return -EROFS;
	/* the one that we make up can only be removed */
	if (irmin_has_git(fs_of(req), from_dir, from) ||
	    irmin_has_git(fs_of(req), to_dir, to))
		return -EPERM;
	r = rename_pending(req, from_dir, from, to_dir, to);
	if (r != -ENOENT)
		return r;
	r = node_rename_named(from_dir->node, from, to_dir->node, to, flags,
			      &name);
	queue_tell_attributes(fs_of(req), from_dir);
	queue_apply_types(fs_of(req), from_dir, false);
	if (r == 0 && queue_is(to_dir))
		tell_pushed(fs_of(req), to_dir, to, name);
	return r;
}

/* ".irmin/first" out of its queue claims. */
static int rename_first(fuse_req_t req, struct inode *control,
			const char *from, struct inode *to_dir, const char *to,
			unsigned int flags)
{
	struct inode *queue = control->parent;
	scoped_free char *name = NULL;
	int r;

	if (irmin_id(control) != CONTROL_DIRECTORY ||
	    strcmp(from, FIRST_NAME) != 0 || !queue_is(queue))
		return -EPERM;
	if (strcmp(to, CONTROL_NAME) == 0)
		return -EPERM;
	if (is_readonly(queue) || is_readonly(to_dir))
		return -EROFS;
	r = node_rename_first(queue->node, to_dir->node, to, flags, &name);
	if (r == 0)
		queue_changed(fs_of(req), queue);
	return r;
}

/* ---- branches ---- */

/* The other name of a rename. */
struct destination {
	struct inode *dir;
	const char *name;
	struct branch *branch;		/* of that name, or NULL */
	bool is_space;			/* a folder of branches has it */
};

static void destination_release(struct destination *to)
{
	if (to->branch)
		branch_unref(to->branch);
}

static int find_destination(struct fs *fs, struct destination *to)
{
	scoped_free char *full = NULL;
	int r = name_branch(fs, to->dir, to->name, &to->branch);

	if (r != -ENOENT)
		return r;
	r = name_join(to->dir, to->name, &full);
	if (r == 0)
		to->is_space = store_is_space(fs->store, full);
	return r;
}

static int swap_branches(fuse_req_t req, struct branch *b,
			 const struct destination *to)
{
	const struct caller caller = caller_of(req, "swap");
	struct report report = { "" };
	int r;

	if (!to->branch)
		return to->is_space ? -EPERM : -ENOENT;
	r = store_swap(fs_of(req)->store, b, to->branch, &caller, &report);
	if (r < 0)
		log_info("cannot swap branches: %s", report.text);
	return r;
}

static int rename_branch(fuse_req_t req, struct branch *b,
			 const struct destination *to)
{
	const struct caller caller = caller_of(req, "rename");
	scoped_free char *name = NULL;
	struct report report = { "" };
	int r = name_join(to->dir, to->name, &name);

	if (r < 0)
		return r;
	r = store_rename(fs_of(req)->store, b, name, &caller, &report);
	if (r < 0)
		log_info("cannot rename a branch to %s: %s", name, report.text);
	return r;
}

/* The kernel moves what it keeps under the old name, for ever, to the new one,
 * and has not asked us for it: let it ask.  Under an encoded name it must not
 * keep a branch at all; whoever stands in that is found again by its real name. */
static void tell_moved(struct fs *fs, const struct destination *to)
{
	scoped_free char *name = NULL;

	if (!name_is_encoded(to->name)) {
		notify_expire_name(fs->spaces, to->dir, to->name);
		return;
	}
	notify_drop_name(fs->spaces, to->dir, to->name);
	if (name_join(to->dir, to->name, &name) == 0)
		notify_look(fs->spaces, name);
}

static void reply_moved(fuse_req_t req, const struct destination *to, int r)
{
	if (r == 0)
		tell_moved(fs_of(req), to);
	reply_error(req, r);
}

static void move_branch(fuse_req_t req, struct inode *from_dir,
			const char *from, struct branch *b,
			const struct destination *to, unsigned int flags)
{
	if (flags & RENAME_EXCHANGE)
		reply_moved(req, to, swap_branches(req, b, to));
	else if (to->is_space)
		reply_error(req, flags ? -EEXIST : -ENOTEMPTY);
	else if (!to->branch)
		reply_moved(req, to, rename_branch(req, b, to));
	else if ((flags & RENAME_NOREPLACE) || name_is_encoded(to->name))
		reply_error(req, -EEXIST);
	else if (to->branch == b)
		reply_error(req, 0);
	else
		rename_branch_begin(fs_of(req)->renames, req, from_dir, from,
				    to->dir, to->name);
}

/* The source is no branch: a folder of branches or a revision. */
static int check_source(struct fs *fs, struct inode *dir, const char *name)
{
	struct inode *inode;
	bool keep;
	int r = name_lookup(fs, dir, name, &inode, &keep);

	if (r < 0)
		return r;
	inode_unref(fs, inode);
	return -EPERM;
}

static void rename_in_spaces(fuse_req_t req, struct inode *from_dir,
			     const char *from, struct inode *to_dir,
			     const char *to, unsigned int flags)
{
	struct destination destination = { .dir = to_dir, .name = to };
	struct fs *fs = fs_of(req);
	struct branch *b;
	int r;

	if (strcmp(from, CONTROL_NAME) == 0 || strcmp(to, CONTROL_NAME) == 0) {
		reply_error(req, -EPERM);
		return;
	}
	r = name_branch(fs, from_dir, from, &b);
	if (r < 0) {
		if (r == -ENOENT)
			r = check_source(fs, from_dir, from);
		reply_error(req, r);
		return;
	}
	r = find_destination(fs, &destination);
	if (r < 0)
		reply_error(req, r);
	else
		move_branch(req, from_dir, from, b, &destination, flags);
	destination_release(&destination);
	branch_unref(b);
}

/* ---- the operation ---- */

void op_rename(fuse_req_t req, fuse_ino_t from_id, const char *from,
	       fuse_ino_t to_id, const char *to, unsigned int flags)
{
	struct fs *fs = fs_of(req);
	struct inode *from_dir = inode_of(fs, from_id);
	struct inode *to_dir = inode_of(fs, to_id);

	if (rename_branch_finish(fs->renames, req, from_dir, from, to_dir, to))
		return;
	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE))
		reply_error(req, -EINVAL);
	else if (strlen(to) > NAME_LENGTH_MAX)
		reply_error(req, -ENAMETOOLONG);
	else if (from_dir->kind == INODE_NODE && to_dir->kind == INODE_NODE)
		reply_error(req, rename_node(req, from_dir, from, to_dir, to,
					     flags));
	else if (from_dir->kind == INODE_CONTROL && to_dir->kind == INODE_NODE)
		reply_error(req, rename_first(req, from_dir, from, to_dir, to,
					      flags));
	else if (inode_is_space(from_dir) && inode_is_space(to_dir))
		rename_in_spaces(req, from_dir, from, to_dir, to, flags);
	else
		reply_error(req, -EPERM);
}
