/* SPDX-License-Identifier: ISC */
#ifndef FS_IRMINFS_IOCTL_H
#define FS_IRMINFS_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* ioctl(2) of irminfs on a file that is open for writing.
 *
 * Inserting and deleting in the middle of a file, in a time that does not depend
 * on its size: `size` bytes of data take the place of delete_size bytes at offset,
 * and what follows moves.  What is to be deleted behind the end is left out.  The
 * position of the descriptor stays.
 *
 *	struct irminfs_splice *s = malloc(sizeof(*s) + size);
 *	...
 *	r = ioctl(fd, IRMINFS_SPLICE(size), s);
 *
 * The kernel learns of the new size when somebody asks for it: call fstat(2) before
 * sendfile(2), splice(2), copy_file_range(2) and the use of mappings.
 *
 * One call is all or nothing, for readers of the file and for commits; insert more
 * than IRMINFS_SPLICE_MAX bytes with several calls.
 *
 * Errors: EBADF (not open for writing), EINVAL (offset is behind the end), EFBIG,
 * ENOSPC, EDQUOT, EIO, EROFS, ENOENT (the branch was dropped), ENOTTY (not a file
 * of a branch in an irminfs mount).
 */

struct irminfs_splice {
	__u64 offset, delete_size;	/* bytes */
	__u8 data[];
};

/* _IOC has 14 bits for the size. */
#define IRMINFS_SPLICE_MAX 16352u
#define IRMINFS_SPLICE(size)                                                   \
	_IOC(_IOC_WRITE, 0xb7, 2, sizeof(struct irminfs_splice) + (size))

#endif
