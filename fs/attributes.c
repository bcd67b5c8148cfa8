/* SPDX-License-Identifier: ISC */
#include "fs/operations.h"

#include "fs/connection.h"
#include "fs/inode.h"
#include "fs/queue.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

/* Numbers of spaces: FNV-1a of the name; the root's is 1. */
static ino_t space_number(const char *name)
{
	uint64_t x = 0xcbf29ce484222325u;

	if (!name[0])
		return 1;
	for (; *name; name++)
		x = (x ^ (unsigned char)*name) * 0x100000001b3u;
	return x;
}

static void space_stat(struct fs *fs, struct inode *inode, struct stat *ret)
{
	struct timespec changed = inode_space_time(fs, inode);

	*ret = (struct stat){
		.st_ino = space_number(inode->name),
		.st_mode = S_IFDIR | 0755,
		.st_nlink = 2,
		.st_uid = fs->uid,
		.st_gid = fs->gid,
		.st_blksize = 4096,
		.st_atim = changed,
		.st_mtim = changed,
		.st_ctim = changed,
	};
}

int inode_stat(struct fs *fs, struct inode *inode, struct stat *ret)
{
	switch (inode->kind) {
	case INODE_NODE:
		return node_stat(inode->node, ret);
	case INODE_CONTROL:
		return irmin_stat(fs, inode, ret);
	case INODE_SPACE:
		space_stat(fs, inode, ret);
		return 0;
	default:
		*ret = (struct stat){
			.st_ino = inode_id(fs, inode),
			.st_mode = inode->kind == INODE_LINK ?
				   S_IFLNK | 0777 : S_IFREG | 0400,
			.st_nlink = 1,
			.st_size = inode->kind == INODE_LINK ?
				   strlen(inode->name) : 0,
			.st_uid = fs->uid,
			.st_gid = fs->gid,
		};
		return 0;
	}
}

double attributes_timeout(const struct inode *inode)
{
	return inode->kind == INODE_CONTROL ? 0 : TIMEOUT_FOREVER;
}

static void reply_attributes(fuse_req_t req, struct inode *inode)
{
	struct stat st;
	int r = inode_stat(fs_of(req), inode, &st);

	if (r < 0)
		reply_failure(req, inode, "read", r);
	else
		fuse_reply_attr(req, &st, attributes_timeout(inode));
}

void op_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info)
{
	reply_attributes(req, inode_of(fs_of(req), id));
}

/* ---- changing ---- */

static unsigned int translate(int set, const struct stat *given,
			      struct stat *values)
{
	static const struct {
		int from;
		unsigned int to;
	} same[] = {
		{ FUSE_SET_ATTR_MODE, NODE_SET_MODE },
		{ FUSE_SET_ATTR_UID, NODE_SET_UID },
		{ FUSE_SET_ATTR_GID, NODE_SET_GID },
		{ FUSE_SET_ATTR_ATIME, NODE_SET_ATIME },
		{ FUSE_SET_ATTR_MTIME, NODE_SET_MTIME },
		{ FUSE_SET_ATTR_CTIME, NODE_SET_CTIME },
		{ FUSE_SET_ATTR_ATIME_NOW, NODE_SET_ATIME },
		{ FUSE_SET_ATTR_MTIME_NOW, NODE_SET_MTIME },
	};
	unsigned int which = 0;

	*values = *given;
	if (set & FUSE_SET_ATTR_ATIME_NOW)
		clock_real(&values->st_atim);
	if (set & FUSE_SET_ATTR_MTIME_NOW)
		clock_real(&values->st_mtim);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (set & same[i].from)
			which |= same[i].to;
	return which;
}

static int set_node(fuse_req_t req, struct inode *inode,
		    const struct stat *given, int set)
{
	struct node *node = inode->node;
	struct stat values;
	unsigned int which = translate(set, given, &values);
	int r = 0;

	if (set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) {
		which |= NODE_DROP_PRIVILEGES;
		r = file_drop_privileges(req, inode, fuse_req_ctx(req)->uid);
	}
	if (r == 0 && (set & FUSE_SET_ATTR_SIZE))
		r = file_drop_privileges(req, inode,
					 connection_kills_privileges());
	if (r == 0 && (set & FUSE_SET_ATTR_SIZE))
		r = node_truncate(node, given->st_size);
	if (r == 0 && which)
		r = node_set_attributes(node, &values, which);
	return r;
}

/* Shells and editors truncate and touch what they write to. */
static int set_control(struct inode *inode, int set)
{
	const int refused = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID |
			    FUSE_SET_ATTR_GID;

	return S_ISDIR(irmin_type(inode)) || (set & refused) ? -EPERM : 0;
}

void op_setattr(fuse_req_t req, fuse_ino_t id, struct stat *given, int set,
		struct fuse_file_info *info)
{
	struct inode *inode = inode_of(fs_of(req), id);
	int r = -EPERM;

	enter(req);
	if (inode->kind == INODE_NODE)
		r = set_node(req, inode, given, set);
	else if (inode->kind == INODE_CONTROL)
		r = set_control(inode, set);
	queue_apply_types(fs_of(req), inode, false);
	if (r < 0)
		reply_failure(req, inode, "changed", r);
	else
		reply_attributes(req, inode);
}

void op_readlink(fuse_req_t req, fuse_ino_t id)
{
	struct inode *inode = inode_of(fs_of(req), id);
	scoped_free char *target = NULL;
	int r = -EINVAL;

	if (inode->kind == INODE_NODE)
		r = node_readlink(inode->node, &target);
	if (inode->kind == INODE_LINK)
		fuse_reply_readlink(req, inode->name);
	else if (r < 0)
		reply_failure(req, inode, "read", r);
	else
		fuse_reply_readlink(req, target);
}

static void take_away(struct statvfs *st, uint64_t bytes)
{
	fsblkcnt_t blocks = bytes / st->f_frsize + 1;

	st->f_bfree -= blocks < st->f_bfree ? blocks : st->f_bfree;
	st->f_bavail -= blocks < st->f_bavail ? blocks : st->f_bavail;
}

/* The space is that of the disk that the store is on, without what changes will take
 * that are in memory yet. */
void op_statfs(fuse_req_t req, fuse_ino_t id)
{
	struct fs *fs = fs_of(req);
	struct statvfs st;

	if (fstatvfs(git_repo_dir_fd(store_repo(fs->store)), &st) < 0) {
		reply_error(req, -errno);
		return;
	}
	if (!store_is_readonly(fs->store))
		take_away(&st, pool_room_needed(store_pool(fs->store)));
	st.f_namemax = NAME_LENGTH_MAX;
	fuse_reply_statfs(req, &st);
}
