/* SPDX-License-Identifier: ISC */
#include "fs/connection.h"

#include <errno.h>
#include <linux/fuse.h>
#include <sys/uio.h>

/* libfuse 3.14 never answers FUSE_INIT with FUSE_PARALLEL_DIROPS, although one
 * may want it: without it the kernel sends one LOOKUP or READDIR at a time for
 * each directory.  The flag is added to the answer on its way out. */

static ssize_t read_request(int fd, void *data, size_t size, void *userdata)
{
	return read(fd, data, size);
}

static bool is_init_answer(const struct iovec *parts, int count)
{
	const struct fuse_out_header *header = parts[0].iov_base;

	return count == 2 && header->error == 0 && header->unique != 0 &&
	       parts[1].iov_len >= FUSE_COMPAT_22_INIT_OUT_SIZE &&
	       parts[1].iov_len <= sizeof(struct fuse_init_out);
}

/* The first answer to a request is that to FUSE_INIT. */
static ssize_t write_reply(int fd, struct iovec *parts, int count,
			   void *userdata)
{
	struct fs *fs = userdata;
	struct fuse_init_out *init;

	if (!fs->negotiated && is_init_answer(parts, count)) {
		fs->negotiated = true;
		init = parts[1].iov_base;
		init->flags |= FUSE_PARALLEL_DIROPS;
	}
	return writev(fd, parts, count);
}

int connection_negotiate(struct fs *fs)
{
	static const struct fuse_custom_io io = {
		.read = read_request,
		.writev = write_reply,
	};

	return fuse_session_custom_io(fs->session, &io,
				      fuse_session_fd(fs->session));
}
