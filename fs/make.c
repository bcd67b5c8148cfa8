/* SPDX-License-Identifier: ISC */
#include "fs/operations.h"

#include "fs/connection.h"
#include "fs/inode.h"
#include "fs/pending.h"
#include "fs/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Whether a node can be made in dir, as far as dir decides that. */
static int check_dir(const struct inode *dir, const char *name)
{
	if (strlen(name) > NAME_LENGTH_MAX)
		return -ENAMETOOLONG;
	return dir->kind == INODE_NODE ? 0 : -EPERM;
}

/* Replies the new node, or the error of making it. */
static void reply_made(fuse_req_t req, struct inode *dir, int r,
		       struct node *node, uint64_t answer)
{
	struct inode *inode;

	if (r == 0)
		r = inode_for_node(fs_of(req), dir, node, &inode);
	if (r < 0)
		reply_error(req, r);
	else
		reply_entry(req, inode, answer, !queue_is(dir));
}

/* device: of a device, else any. */
static void make_node(fuse_req_t req, struct inode *dir, const char *name,
		      mode_t mode, dev_t device)
{
	const struct caller caller = caller_of(req, "make");
	uint64_t answer = answer_begin(fs_of(req));
	struct node *node = NULL;
	int r = check_dir(dir, name);

	if (r == 0)
		r = S_ISREG(mode) || S_ISDIR(mode) ?
			node_make(dir->node, name, mode, &caller, &node) :
			node_make_special(dir->node, name, mode, device,
					  &caller, &node);
	reply_made(req, dir, r, node, answer);
}

/* ---- branches ---- */

static int make_branch(fuse_req_t req, struct inode *space, const char *name)
{
	const struct caller caller = caller_of(req, "make");
	struct fs *fs = fs_of(req);
	scoped_free char *full = NULL;
	struct report report = { "" };
	int r = name_join(space, name, &full);

	if (r < 0)
		return r;
	r = store_make(fs->store, full, &caller, &report);
	if (r < 0)
		log_info("cannot make branch %s: %s", full, report.text);
	return r;
}

/* A directory that the kernel does not keep: it asks again, and gets a link. */
static int look_up_made(struct fs *fs, struct inode *space, const char *name,
			struct inode **ret, bool *ret_keep)
{
	if (!name_is_encoded(name))
		return name_lookup(fs, space, name, ret, ret_keep);
	*ret_keep = false;
	return inode_for_control(fs, space, CONTROL_MADE_DIRECTORY, 0, ret);
}

static void mkdir_branch(fuse_req_t req, struct inode *space, const char *name)
{
	struct fs *fs = fs_of(req);
	struct inode *inode;
	uint64_t answer;
	bool keep;
	int r = make_branch(req, space, name);

	/* what was made is a change of branches itself */
	answer = answer_begin(fs);
	if (r == 0)
		r = look_up_made(fs, space, name, &inode, &keep);
	if (r < 0)
		reply_error(req, r);
	else
		reply_entry(req, inode, answer, keep);
}

/* ---- operations ---- */

void op_mkdir(fuse_req_t req, fuse_ino_t dir_id, const char *name, mode_t mode)
{
	struct inode *dir = inode_of(fs_of(req), dir_id);

	enter(req);
	if (dir->kind == INODE_SPACE)
		mkdir_branch(req, dir, name);
	else if (dir->kind == INODE_CONTROL)
		irmin_make(req, dir, name, S_IFDIR, NULL);
	else
		make_node(req, dir, name, S_IFDIR | (mode & 07777), 0);
}

void op_mknod(fuse_req_t req, fuse_ino_t dir_id, const char *name, mode_t mode,
	      dev_t device)
{
	struct inode *dir = inode_of(fs_of(req), dir_id);

	enter(req);
	make_node(req, dir, name, mode & (S_IFMT | 07777), device);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t dir_id,
		const char *name)
{
	struct inode *dir = inode_of(fs_of(req), dir_id);
	const struct caller caller = caller_of(req, "make");
	uint64_t answer = answer_begin(fs_of(req));
	struct node *node = NULL;
	int r = check_dir(dir, name);

	enter(req);
	if (r == 0)
		r = node_symlink(dir->node, name, target, &caller, &node);
	reply_made(req, dir, r, node, answer);
}

/* Between branches EXDEV, so that programs copy. */
void op_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t dir_id, const char *name)
{
	struct fs *fs = fs_of(req);
	struct inode *inode = inode_of(fs, id), *dir = inode_of(fs, dir_id);
	uint64_t answer = answer_begin(fs);
	int r = check_dir(dir, name);

	enter(req);
	if (r == 0)
		r = inode->kind == INODE_NODE ?
			node_link(inode->node, dir->node, name) : -EPERM;
	queue_apply_types(fs, dir, false);
	if (r < 0)
		reply_error(req, r);
	else
		reply_entry(req, inode_ref(fs, inode), answer, !queue_is(dir));
}

/* ---- create ---- */

/* In a queue it is one of its elements when it is closed. */
static int make_file(fuse_req_t req, struct inode *dir, const char *name,
		     mode_t mode, struct node **ret)
{
	const struct caller caller = caller_of(req, "make");
	int r;

	if (connection_makes_nameless())
		return node_make_nameless(dir->node, mode, &caller, ret);
	r = queue_is(dir) ? node_make_pending(dir->node, name, mode, &caller,
					      ret) : -ENOTSUP;
	return r == -ENOTSUP ? node_make(dir->node, name, S_IFREG | mode,
					 &caller, ret) : r;
}

/* What its open is to remember.  -ENOMEM. */
static int note_pending(fuse_req_t req, struct inode *dir, const char *name,
			struct node *node, struct fuse_file_info *info)
{
	bool is_pending = node_is_pending(node);
	struct pending *p;

	info->fh = is_writable(info) ? HANDLE_WRITABLE : 0;
	info->noflush = !is_pending && !node_tells_types(node);
	if (!is_pending)
		return 0;
	p = pending_new(fs_of(req), dir, name, node, fuse_req_ctx(req)->pid);
	if (!p) {
		node_end_pending(node, dir->node);
		return -ENOMEM;
	}
	info->fh |= (uintptr_t)p;
	return 0;
}

static void undo_create(fuse_req_t req, struct node *node, bool writes,
			struct fuse_file_info *info)
{
	if (writes)
		node_writer_end(node);
	if (pending_of(info))
		pending_drop(fs_of(req), pending_of(info));
}

static void create_node(fuse_req_t req, struct inode *dir, const char *name,
			struct node *node, uint64_t answer,
			struct fuse_file_info *info)
{
	struct inode *inode;
	int r = note_pending(req, dir, name, node, info);
	bool writes = false;

	/* held beyond inode, which is given up with the reply */
	node_ref(node);
	if (r == 0 && is_writable(info)) {
		r = node_writer_begin(node);
		writes = r == 0;
	}
	info->keep_cache = 1;
	if (r == 0)
		r = inode_for_node(fs_of(req), dir, node, &inode);
	else
		node_unref(node);
	if (r < 0)
		reply_error(req, r);
	else if (!reply_create(req, inode, answer, !queue_is(dir), info))
		r = -EINTR;
	if (r < 0)
		undo_create(req, node, writes, info);
	node_unref(node);
}

void op_create(fuse_req_t req, fuse_ino_t dir_id, const char *name, mode_t mode,
	       struct fuse_file_info *info)
{
	struct inode *dir = inode_of(fs_of(req), dir_id);
	uint64_t answer = answer_begin(fs_of(req));
	struct node *node;
	int r = check_dir(dir, name);

	enter(req);
	if (connection_makes_nameless() && dir->kind != INODE_NODE) {
		reply_error(req, -EOPNOTSUPP);
		return;
	}
	if (dir->kind == INODE_CONTROL) {
		irmin_make(req, dir, name, S_IFREG, info);
		return;
	}
	if (r == 0)
		r = make_file(req, dir, name, mode & 07777, &node);
	/* It came from below after the kernel found nothing: the kernel looks
	 * again on ESTALE, and opens it. */
	if (r == -EEXIST && !(info->flags & O_EXCL))
		r = -ESTALE;
	if (r < 0)
		reply_error(req, r);
	else
		create_node(req, dir, name, node, answer, info);
}
