/* SPDX-License-Identifier: ISC */
#include "store/pool_spill.h"
#include "store/pool.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>

/* A file below this many slots is kept open when its last slot is returned: it
 * holds little, and work at the edge of the budget would reopen it for ever. */
#define SLOTS_KEPT 64

static int open_and_unlink(int dir_fd)
{
	char name[64];
	uint64_t number;
	int fd;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return -EIO;
	snprintf(name, sizeof(name), "spill-%016llx.tmp",
		 (unsigned long long)number);
	fd = openat(dir_fd, name,
		    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (unlinkat(dir_fd, name, 0) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

int spill_open_file(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	/* What kernels and file systems without O_TMPFILE answer. */
	if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL ||
	    errno == ENOENT)
		return open_and_unlink(dir_fd);
	return -errno;
}

int spill_init(struct spill *spill, int dir_fd)
{
	int fd = spill_open_file(dir_fd);

	if (fd < 0)
		return fd;
	*spill = (struct spill){ .dir_fd = dir_fd, .fd = fd };
	pthread_mutex_init(&spill->lock, NULL);
	return 0;
}

void spill_release(struct spill *spill)
{
	if (spill->fd >= 0)
		close(spill->fd);
	free(spill->unused);
	pthread_mutex_destroy(&spill->lock);
}

/* Another thread may have opened one meanwhile; then ours goes. */
static int reopen(struct spill *spill)
{
	scoped_fd int fd = spill_open_file(spill->dir_fd);
	SCOPED_LOCK(&spill->lock);

	if (fd < 0)
		return fd;
	if (spill->fd < 0) {
		spill->fd = fd;
		fd = -1;
	}
	return 0;
}

/* The stack has room for all slots there are, so that dropping cannot fail. */
static int add_slot_locked(struct spill *spill, uint32_t *ret_slot)
{
	if (spill->slots == spill->capacity) {
		uint32_t capacity = spill->capacity ? spill->capacity * 2 : 256;
		uint32_t *unused;

		if (capacity >= SPILL_NONE / 2)
			return -ENOSPC;
		unused = realloc(spill->unused, capacity * sizeof(*unused));
		if (!unused)
			return -ENOMEM;
		spill->unused = unused;
		spill->capacity = capacity;
	}
	*ret_slot = spill->slots++;
	return 0;
}

/* 1: no file is open. */
static int try_take(struct spill *spill, uint32_t *ret_slot)
{
	SCOPED_LOCK(&spill->lock);

	if (spill->fd < 0)
		return 1;
	if (!spill->unused_count)
		return add_slot_locked(spill, ret_slot);
	*ret_slot = spill->unused[--spill->unused_count];
	if (spill->hollow > spill->unused_count)
		spill->hollow = spill->unused_count;
	return 0;
}

int spill_take(struct spill *spill, uint32_t *ret_slot)
{
	int r;

	while ((r = try_take(spill, ret_slot)) > 0) {
		r = reopen(spill);
		if (r < 0)
			return r;
	}
	return r;
}

bool spill_drop(struct spill *spill, uint32_t slot)
{
	scoped_fd int done = -1;
	SCOPED_LOCK(&spill->lock);

	spill->unused[spill->unused_count++] = slot;
	if (spill->unused_count < spill->slots || spill->slots < SLOTS_KEPT)
		return (spill->unused_count - spill->hollow) % SLOTS_KEPT == 0;
	done = spill->fd;
	spill->fd = -1;
	spill->slots = spill->unused_count = spill->hollow = 0;
	return false;
}

/* So many at once that others do not wait long. */
#define SLOTS_TRIMMED 256

static bool trim_some(struct spill *spill, uint64_t room)
{
	SCOPED_LOCK(&spill->lock);
	uint32_t full = spill->unused_count - spill->hollow;
	uint32_t end = spill->hollow;

	if (spill->fd < 0 || !full || (uint64_t)full * BLOCK_SIZE <= room)
		return false;
	end += full < SLOTS_TRIMMED ? full : SLOTS_TRIMMED;
	for (; spill->hollow < end; spill->hollow++)
		if (fallocate(spill->fd,
			      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (off_t)spill->unused[spill->hollow] * BLOCK_SIZE,
			      BLOCK_SIZE) < 0)
			return false;
	return true;
}

bool spill_trim(struct spill *spill, uint64_t room)
{
	bool trimmed = false;

	while (trim_some(spill, room)) {
		trimmed = true;
		room = 0;
	}
	return trimmed;
}

int spill_read(struct spill *spill, uint32_t slot, void *data, uint32_t from,
	       uint32_t size)
{
	ssize_t n = read_fully(spill->fd, data, size,
			       (off_t)slot * BLOCK_SIZE + from);

	if (n < 0)
		return n;
	return (uint32_t)n == size ? 0 : -EIO;
}

int spill_write(struct spill *spill, uint32_t slot, const void *data,
		uint32_t from, uint32_t size)
{
	return write_fully(spill->fd, data, size,
			   (off_t)slot * BLOCK_SIZE + from);
}

int spill_move(struct spill *spill, uint32_t slot, int pipe, uint32_t from,
	       uint32_t to, uint32_t *ret_end)
{
	loff_t at = (off_t)slot * BLOCK_SIZE + from;
	int r = 0;

	while (r == 0 && from < to) {
		ssize_t n = splice(pipe, NULL, spill->fd, &at, to - from,
				   SPLICE_F_NONBLOCK);

		if (n > 0)
			from += n;
		else if (n == 0 || errno != EINTR)
			r = n == 0 || errno == EAGAIN ? -EIO : -errno;
	}
	*ret_end = from;
	return r;
}

uint64_t spill_bytes(struct spill *spill)
{
	SCOPED_LOCK(&spill->lock);

	return (uint64_t)(spill->slots - spill->unused_count) * BLOCK_SIZE;
}
