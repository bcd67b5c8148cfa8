/* SPDX-License-Identifier: ISC */
#ifndef FS_OPERATIONS_H
#define FS_OPERATIONS_H

#include "fs/irmin.h"
#include "fs/private.h"
#include "fs/rename_branch.h"

#include <fcntl.h>

/* The FUSE operations; see struct fuse_lowlevel_ops. */

extern const struct fuse_lowlevel_ops fs_operations;

/* At the start of operations that show that the calling thread is not
 * repeating a rename. */
static inline void enter(fuse_req_t req)
{
	rename_branch_other(fs_of(req)->renames, req);
}

static inline bool is_writable(const struct fuse_file_info *info)
{
	return (info->flags & O_ACCMODE) != O_RDONLY;
}

/* File handle of files in work trees that are open for writing; others have 0.
 * (IOCTL comes without flags.) */
#define HANDLE_WRITABLE 1u

/* attributes.c */
void op_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info);
void op_setattr(fuse_req_t req, fuse_ino_t id, struct stat *given, int set,
		struct fuse_file_info *info);
void op_readlink(fuse_req_t req, fuse_ino_t id);
void op_statfs(fuse_req_t req, fuse_ino_t id);

/* lookup.c */
void op_lookup(fuse_req_t req, fuse_ino_t dir, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t id, uint64_t count);
void op_forget_multi(fuse_req_t req, size_t count,
		     struct fuse_forget_data *forgets);

/* make.c */
void op_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
	      dev_t device);
void op_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t dir,
		const char *name);
void op_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t dir, const char *name);
void op_create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
	       struct fuse_file_info *info);

/* remove.c */
void op_unlink(fuse_req_t req, fuse_ino_t dir, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name);

/* rename.c */
void op_rename(fuse_req_t req, fuse_ino_t from_dir, const char *from,
	       fuse_ino_t to_dir, const char *to, unsigned int flags);

/* file.c */
void op_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info);
void op_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
	     struct fuse_file_info *info);
void op_write(fuse_req_t req, fuse_ino_t id, const char *data, size_t size,
	      off_t offset, struct fuse_file_info *info);
void op_ioctl(fuse_req_t req, fuse_ino_t id, unsigned int command,
	      void *argument, struct fuse_file_info *info, unsigned int flags,
	      const void *data, size_t size, size_t out_size);
void op_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info);
void op_flush(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info);
void op_fsync(fuse_req_t req, fuse_ino_t id, int data_only,
	      struct fuse_file_info *info);
void op_fallocate(fuse_req_t req, fuse_ino_t id, int mode, off_t offset,
		  off_t length, struct fuse_file_info *info);
void op_lseek(fuse_req_t req, fuse_ino_t id, off_t offset, int whence,
	      struct fuse_file_info *info);
void op_copy_file_range(fuse_req_t req, fuse_ino_t from, off_t from_offset,
			struct fuse_file_info *from_info, fuse_ino_t to,
			off_t to_offset, struct fuse_file_info *to_info,
			size_t length, int flags);

/* splice.c */
bool is_splice(unsigned int command, size_t size);
void splice_ioctl(fuse_req_t req, struct inode *inode, const void *data,
		  size_t size);

/* xattr.c */
void op_setxattr(fuse_req_t req, fuse_ino_t id, const char *name,
		 const char *value, size_t size, int flags);
void op_getxattr(fuse_req_t req, fuse_ino_t id, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t id, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t id, const char *name);
/* Changing the file takes its capability away, if it has one. */
int xattr_drop_capability(struct inode *inode);
/* Contents are about to change: as xattr_drop_capability, and if `kill` (the caller
 * has not the right to keep them) setuid and setgid go as well.  setgid stays where
 * the group cannot execute the file and the caller is of the group, as on other
 * file systems.  The kernel is told to ask for the mode again. */
int file_drop_privileges(fuse_req_t req, struct inode *inode, bool kill);

/* dir.c */
void op_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info);
void op_readdir(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		struct fuse_file_info *info);
void op_readdirplus(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		    struct fuse_file_info *info);
void op_releasedir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info);

#endif
