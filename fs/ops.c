/* SPDX-License-Identifier: ISC */
#include "fs/operations.h"

/* The most that one WRITE carries, and that is read ahead. */
#define TRANSFER_MAX (1u << 19)

/* We alone change the tree: the kernel caches what it likes and is told what
 * changed.  It checks access control lists; the mask of a process is not for
 * files in directories with a default list, so that it is applied by us.  Not
 * wanted: the writeback cache, with which fsync of a directory misses the pages
 * of its files; pages dropped when times change; lookups by number (export),
 * which would bring us numbers that we have forgotten; asynchronous direct I/O,
 * after which the kernel leaves older pages to whoever reads through its cache. */
static void op_init(void *userdata, struct fuse_conn_info *c)
{
	struct fs *fs = userdata;
	const unsigned int wanted =
		FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_READDIRPLUS |
		FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_PARALLEL_DIROPS |
		FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_EXPLICIT_INVAL_DATA |
		FUSE_CAP_ASYNC_READ |
		(fs->no_xattr ? 0 : FUSE_CAP_POSIX_ACL | FUSE_CAP_DONT_MASK);

	c->want = c->capable & wanted;
	fs->has_acl = c->want & FUSE_CAP_POSIX_ACL;
	fs->opens_directories = !(c->capable & FUSE_CAP_NO_OPENDIR_SUPPORT);
	c->max_write = TRANSFER_MAX;
	c->max_readahead = TRANSFER_MAX;
	c->max_background = 64;
	c->congestion_threshold = 48;
	c->time_gran = 1;
}

/* Operations that are not here are answered with ENOSYS, once: access (the kernel
 * checks permissions), locks (they stay in the kernel). */
const struct fuse_lowlevel_ops fs_operations = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.ioctl = op_ioctl,
	.release = op_release,
	.flush = op_flush,
	.fsync = op_fsync,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.releasedir = op_releasedir,
	.fsyncdir = op_fsync,
	.statfs = op_statfs,
	.setxattr = op_setxattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
	.create = op_create,
	.fallocate = op_fallocate,
	.readdirplus = op_readdirplus,
	.copy_file_range = op_copy_file_range,
	.lseek = op_lseek,
};
