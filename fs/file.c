/* SPDX-License-Identifier: ISC */
#include "fs/operations.h"

#include "fs/connection.h"
#include "fs/handle.h"
#include "fs/payload.h"
#include "fs/pending.h"
#include "fs/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* ---- open and release ---- */

/* What writing takes away.  setgid without the right to execute means nothing, but
 * it would if somebody gave that right back. */
static unsigned int to_drop(fuse_req_t req, struct inode *inode)
{
	mode_t bits = node_privileges(inode->node);
	struct asking asking;
	struct stat st;

	if (!(bits & S_ISGID))
		return bits ? NODE_DROP_PRIVILEGES : 0;
	if (node_stat(inode->node, &st) == 0 &&
	    rights_have_group(rights_of(req, &asking), st.st_gid))
		return NODE_DROP_PRIVILEGES;
	return NODE_DROP_PRIVILEGES | NODE_DROP_SETGID;
}

int file_drop_privileges(fuse_req_t req, struct inode *inode, bool kill)
{
	const struct stat unused = { 0 };
	struct fs *fs = fs_of(req);
	int r = xattr_drop_capability(inode);
	unsigned int which = r == 0 && kill ? to_drop(req, inode) : 0;

	if (!which)
		return r;
	r = node_set_attributes(inode->node, &unused, which);
	if (r == 0)
		fuse_lowlevel_notify_inval_inode(fs->session,
						 inode_id(fs, inode), -1, 0);
	return r;
}

static bool is_changing(const struct fuse_file_info *info)
{
	return is_writable(info) || (info->flags & O_TRUNC);
}

static int open_node(fuse_req_t req, struct inode *inode,
		     struct fuse_file_info *info)
{
	struct branch *b = inode_branch(inode);
	int r = 0;

	info->keep_cache = 1;
	info->noflush = !is_writable(info) || !node_tells_types(inode->node);
	info->fh = is_writable(info) ? HANDLE_WRITABLE : 0;
	if (!is_changing(info))
		return 0;
	if (!b || branch_readonly(b))
		return -EROFS;
	if (is_writable(info))
		r = node_writer_begin(inode->node);
	if (r < 0)
		return r;
	if (info->flags & O_TRUNC)
		r = file_drop_privileges(req, inode, connection_kills_privileges());
	if (r == 0 && (info->flags & O_TRUNC))
		r = node_truncate(inode->node, 0);
	if (r < 0 && is_writable(info))
		node_writer_end(inode->node);
	return r;
}

void op_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info)
{
	struct inode *inode = inode_of(fs_of(req), id);
	int r = -EACCES;

	enter(req);
	if (inode->kind == INODE_CONTROL) {
		irmin_open(req, inode, info);
		return;
	}
	if (inode->kind == INODE_NODE)
		r = open_node(req, inode, info);
	if (r < 0)
		reply_failure(req, inode, "opened", r);
	else if (fuse_reply_open(req, info) < 0 && is_writable(info))
		node_writer_end(inode->node);
}

void op_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct inode *inode = inode_of(fs, id);

	if (inode->kind == INODE_NODE && is_writable(info))
		node_writer_end(inode->node);
	if (inode->kind == INODE_NODE)
		pending_end(fs, pending_of(info));
	else if (inode->kind == INODE_CONTROL)
		handle_free(fs, handle_of(info));
	reply_error(req, 0);
}

/* Not asked for where info->noflush was set, by a kernel that knows it. */
void op_flush(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct inode *inode = inode_of(fs, id);

	if (inode->kind == INODE_NODE && pending_of(info))
		pending_flushed(fs, pending_of(info));
	if (inode->kind == INODE_NODE && node_tells_types(inode->node))
		queue_apply_types(fs, inode, true);
	reply_error(req, 0);
}

/* ---- data ---- */

void op_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
	     struct fuse_file_info *info)
{
	struct inode *inode = inode_of(fs_of(req), id);
	scoped_free char *data = NULL;
	ssize_t done;

	if (inode->kind == INODE_CONTROL) {
		irmin_read(req, size, offset, info);
		return;
	}
	data = malloc(size);
	done = data ? node_read(inode->node, data, size, offset) : -ENOMEM;
	if (done < 0)
		reply_failure(req, inode, "read", done);
	else
		fuse_reply_buf(req, data, done);
}

/* The branch that is to be synced, or NULL. */
static int begin_sync(fuse_req_t req, struct inode *inode,
		      struct branch **ret_branch)
{
	if (inode->kind == INODE_NODE)
		*ret_branch = inode_branch(inode);
	return *ret_branch ? pending_keep(fs_of(req), inode->node) : 0;
}

static int sync_branch(fuse_req_t req, struct inode *inode)
{
	const struct caller caller = caller_of(req, "fsync");
	struct branch *b = NULL;
	int r = begin_sync(req, inode, &b);

	return r == 0 && b ? branch_sync(b, &caller) : r;
}

static void reply_written(fuse_req_t req, size_t size)
{
	struct pool *pool = store_pool(fs_of(req)->store);

	fuse_reply_write(req, size);
	pool_trim_blocks(pool);
}

/* Bytes that need not be copied are not. */
static ssize_t write_bytes(struct node *n, const char *data, size_t size,
			   off_t offset, bool append)
{
	int pipe = payload_pipe();
	ssize_t moved = 0;
	int r;

	if (pipe >= 0 && !append)
		moved = node_move(n, pipe, size, offset);
	if (moved)
		return moved;
	r = payload_fetch();
	return r < 0 ? r : node_write(n, data, size, offset, append);
}

void op_write(fuse_req_t req, fuse_ino_t id, const char *data, size_t size,
	      off_t offset, struct fuse_file_info *info)
{
	struct inode *inode = inode_of(fs_of(req), id);
	/* a page of a mapping comes without flags of an open file, and belongs
	 * where it is */
	bool append = (info->flags & O_APPEND) && !info->writepage;
	ssize_t done;
	int r;

	if (inode->kind == INODE_CONTROL) {
		r = payload_fetch();
		if (r < 0)
			reply_error(req, r);
		else
			irmin_write(req, inode, data, size, offset, info);
		return;
	}
	r = file_drop_privileges(req, inode, connection_kills_privileges());
	done = r < 0 ? r : write_bytes(inode->node, data, size, offset, append);
	if (done > 0 && (info->flags & O_DSYNC) && !info->writepage)
		r = sync_branch(req, inode);
	if (done < 0)
		reply_failure(req, inode, "changed", done);
	else if (r < 0)
		reply_error(req, r);
	else
		reply_written(req, done);
}

static void reply_claim(fuse_req_t req, struct inode *inode, const void *data)
{
	struct branch *b = inode_branch(inode);
	uint64_t queue;
	int r;

	memcpy(&queue, data, sizeof(queue));
	r = !b || branch_readonly(b) ? -EROFS : queue_claim(req, inode, queue);
	if (r < 0)
		reply_error(req, r == -ENOTSUP ? -ENOTTY : r);
	else
		fuse_reply_ioctl(req, 0, NULL, 0);
}

void op_ioctl(fuse_req_t req, fuse_ino_t id, unsigned int command,
	      void *argument, struct fuse_file_info *info, unsigned int flags,
	      const void *data, size_t size, size_t out_size)
{
	struct inode *inode = inode_of(fs_of(req), id);
	bool is_file = !(flags & FUSE_IOCTL_DIR);

	if (inode->kind == INODE_CONTROL && is_file &&
	    command == FS_REQUEST(size))
		irmin_ioctl(req, inode, data, size, info);
	else if (inode->kind == INODE_NODE && command == FS_CLAIM &&
		 size == sizeof(uint64_t))
		reply_claim(req, inode, data);
	else if (inode->kind != INODE_NODE || !is_file ||
		 !is_splice(command, size))
		reply_error(req, -ENOTTY);
	else if (!(info->fh & HANDLE_WRITABLE))
		reply_error(req, -EBADF);
	else
		splice_ioctl(req, inode, data, size);
}

static void reply_synced(void *req, int result)
{
	reply_error(req, result);
}

/* Also of directories. */
void op_fsync(fuse_req_t req, fuse_ino_t id, int data_only,
	      struct fuse_file_info *info)
{
	const struct caller caller = caller_of(req, "fsync");
	struct inode *inode = inode_of(fs_of(req), id);
	struct branch *b = NULL;
	int r = begin_sync(req, inode, &b);

	if (r < 0 || !b)
		reply_error(req, r);
	else
		branch_sync_later(b, &caller, reply_synced, req);
}

void op_fallocate(fuse_req_t req, fuse_ino_t id, int mode, off_t offset,
		  off_t length, struct fuse_file_info *info)
{
	struct inode *inode = inode_of(fs_of(req), id);
	int r = -EOPNOTSUPP;

	if (inode->kind == INODE_NODE) {
		/* this request has no flag that says so */
		r = file_drop_privileges(req, inode, fuse_req_ctx(req)->uid);
		if (r == 0)
			r = node_allocate(inode->node, mode, offset, length);
	}
	reply_failure(req, inode, "changed", r);
}

void op_copy_file_range(fuse_req_t req, fuse_ino_t from_id, off_t from_offset,
			struct fuse_file_info *from_info, fuse_ino_t to_id,
			off_t to_offset, struct fuse_file_info *to_info,
			size_t length, int flags)
{
	/* what is answered has 32 bits */
	const size_t most = (size_t)1 << 30;
	struct inode *from = inode_of(fs_of(req), from_id);
	struct inode *to = inode_of(fs_of(req), to_id);
	ssize_t done = -EOPNOTSUPP;

	/* as of fallocate */
	if (from->kind == INODE_NODE && to->kind == INODE_NODE)
		done = file_drop_privileges(req, to, fuse_req_ctx(req)->uid);
	if (done == 0)
		done = node_copy_range(from->node, from_offset, to->node,
				       to_offset, length < most ? length : most);
	if (done < 0)
		reply_failure(req, from, "copied", done);
	else
		fuse_reply_write(req, done);
}
