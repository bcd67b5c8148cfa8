/* SPDX-License-Identifier: ISC */
#include "fs/payload.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/ioctl.h>

/* Below that a copy costs less than the calls. */
#define LARGE ((size_t)128 << 10)
/* As much as anybody may have.  The kernel fails a request that takes more pages than
 * the pipe does: the largest is half of that (TRANSFER_MAX). */
#define PIPE_SIZE (1 << 20)

#define HEAD (sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in))

static __thread struct payload {
	int ends[2];			/* 0: none, or there can be none */
	bool is_refused;
	bool is_expected;		/* the last request was a large write */
	char *data;			/* of the request */
	size_t size;			/* of what is in the pipe; 0: nothing */
} payload;

static void close_pipe(struct payload *p)
{
	if (p->ends[0]) {
		close(p->ends[0]);
		close(p->ends[1]);
	}
	p->ends[0] = 0;
	p->size = 0;
}

static int open_pipe(struct payload *p)
{
	int ends[2];

	if (p->ends[0])
		return 0;
	if (p->is_refused || pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	p->ends[0] = ends[0];
	p->ends[1] = ends[1];
	if (fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE) >= PIPE_SIZE &&
	    fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
		return 0;
	/* too many of the user's, or less allowed on this machine */
	p->is_refused = true;
	close_pipe(p);
	return -1;
}

/* Exactly so many bytes that are in the pipe. */
static int take(struct payload *p, char *data, size_t size)
{
	return read_there(p->ends[0], data, size) == size ? 0 : -EIO;
}

/* What a write that failed has left there. */
static void empty(struct payload *p)
{
	int left;

	if (p->size && (ioctl(p->ends[0], FIONREAD, &left) < 0 || left))
		close_pipe(p);
	p->size = 0;
}

static bool is_large_write(const void *data, size_t size)
{
	const struct fuse_in_header *header = data;

	return size >= HEAD + LARGE && header->opcode == FUSE_WRITE;
}

static ssize_t receive_by_pipe(struct payload *p, int fd, char *data,
			       size_t size)
{
	ssize_t n = splice(fd, NULL, p->ends[1], NULL, size, 0);
	ssize_t head = n < (ssize_t)HEAD ? n : (ssize_t)HEAD;

	if (n <= 0)
		return n;
	if (take(p, data, head) < 0)
		goto fail;
	if (is_large_write(data, n)) {
		p->data = data + head;
		p->size = n - head;
	} else if (take(p, data + head, n - head) < 0) {
		goto fail;
	}
	return n;
fail:
	close_pipe(p);
	errno = EIO;
	return -1;
}

ssize_t payload_receive(int fd, void *data, size_t size)
{
	struct payload *p = &payload;
	ssize_t n;

	empty(p);
	if (!p->is_expected || size > PIPE_SIZE || open_pipe(p) < 0)
		n = read(fd, data, size);
	else
		n = receive_by_pipe(p, fd, data, size);
	p->is_expected = n > 0 && is_large_write(data, n);
	return n;
}

int payload_pipe(void)
{
	return payload.size ? payload.ends[0] : -1;
}

int payload_fetch(void)
{
	struct payload *p = &payload;
	int r = take(p, p->data, p->size);

	if (r == 0)
		p->size = 0;
	return r;
}

void payload_release(void)
{
	close_pipe(&payload);
}
