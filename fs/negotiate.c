/* SPDX-License-Identifier: ISC */
#include "fs/connection.h"
#include "fs/payload.h"

#include <linux/fuse.h>
#include <sys/uio.h>

/* What libfuse 3.14 does not know is added to its answer to FUSE_INIT on its way
 * out, and read from requests on their way in:
 *
 * FUSE_PARALLEL_DIROPS: it never answers with that, although one may want it;
 * without it the kernel sends one LOOKUP or READDIR at a time for each
 * directory.
 *
 * FUSE_HANDLE_KILLPRIV_V2: we take setuid and setgid away when a file is written
 * to, truncated or given to another owner.  The kernel does not ask for the
 * attributes before a chown then, nor for security.capability before a write.
 * Whether the caller may keep the bits is a flag of the request.
 *
 * FUSE_TMPFILE, which it answers with ENOSYS: it is FUSE_CREATE to libfuse, with
 * the same arguments and the same answer, and a name that means nothing. */

#define WANTED (FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2)

static __thread bool kills_privileges;
static __thread bool is_nameless;

static bool read_flag(const struct fuse_in_header *header)
{
	const void *argument = header + 1;

	switch (header->opcode) {
	case FUSE_WRITE:
		return ((const struct fuse_write_in *)argument)->write_flags &
		       FUSE_WRITE_KILL_SUIDGID;
	case FUSE_SETATTR:
		return ((const struct fuse_setattr_in *)argument)->valid &
		       FATTR_KILL_SUIDGID;
	case FUSE_OPEN:
		return ((const struct fuse_open_in *)argument)->open_flags &
		       FUSE_OPEN_KILL_SUIDGID;
	default:
		return false;
	}
}

bool connection_kills_privileges(void)
{
	return kills_privileges;
}

bool connection_makes_nameless(void)
{
	return is_nameless;
}

/* The buffer is large enough for a header and the fixed part of any request. */
static ssize_t read_request(int fd, void *data, size_t size, void *userdata)
{
	struct fuse_in_header *header = data;
	const struct fuse_init_in *init = (const void *)(header + 1);
	struct fs *fs = userdata;
	ssize_t n = payload_receive(fd, data, size);

	if (n < (ssize_t)sizeof(*header))
		return n;
	kills_privileges = read_flag(header);
	is_nameless = header->opcode == FUSE_TMPFILE;
	if (is_nameless)
		header->opcode = FUSE_CREATE;
	if (header->opcode == FUSE_INIT)
		fs->offered = init->flags;
	return n;
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
		init->flags |= fs->offered & WANTED;
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
