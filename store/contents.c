/* SPDX-License-Identifier: ISC */
#include "store/contents.h"
#include "store/tree.h"

#include <errno.h>
#include <stdatomic.h>

struct contents *contents_ref(struct contents *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void contents_unref(struct contents *c)
{
	if (c && atomic_fetch_sub_explicit(&c->refs, 1,
					   memory_order_acq_rel) == 1)
		c->ops->free(c);
}

ssize_t contents_read(struct contents *c, void *data, size_t size,
		      uint64_t offset)
{
	return size ? c->ops->read(c, data, size, offset) : 0;
}

static bool is_too_big(uint64_t offset, uint64_t size)
{
	return offset > CONTENTS_SIZE_MAX || size > CONTENTS_SIZE_MAX - offset;
}

ssize_t contents_write(struct contents *c, const void *data, size_t size,
		       uint64_t offset)
{
	if (!size)
		return 0;
	if (is_too_big(offset, size))
		return -EFBIG;
	return c->ops->write(c, data, size, offset);
}

ssize_t contents_move(struct contents *c, int pipe, size_t size,
		      uint64_t offset)
{
	if (!size || !c->ops->move)
		return 0;
	if (is_too_big(offset, size))
		return -EFBIG;
	return c->ops->move(c, pipe, size, offset);
}

int contents_truncate(struct contents *c, uint64_t size)
{
	if (size > CONTENTS_SIZE_MAX)
		return -EFBIG;
	return c->ops->truncate(c, size);
}

int contents_zero(struct contents *c, uint64_t offset, uint64_t length)
{
	return c->ops->zero(c, offset, length);
}

bool contents_can_splice(const struct contents *c)
{
	return c->ops->splice;
}

int contents_splice(struct contents *c, uint64_t offset, uint64_t delete_size,
		    const void *data, size_t insert_size)
{
	uint64_t size = contents_size(c);

	if (!c->ops->splice)
		return -EOPNOTSUPP;
	if (offset > size)
		return -EINVAL;
	if (delete_size > size - offset)
		delete_size = size - offset;
	if (is_too_big(size - delete_size, insert_size))
		return -EFBIG;
	if (!delete_size && !insert_size)
		return 0;
	return c->ops->splice(c, offset, delete_size, data, insert_size);
}

/* ---- sharing ---- */

#define COPY_SIZE ((size_t)256 << 10)

/* Copies what fits the buffer; 0 at the end. */
static ssize_t copy_step(struct contents *from, uint64_t from_offset,
			 struct contents *to, uint64_t to_offset, char *buffer,
			 size_t length)
{
	ssize_t n = contents_read(from, buffer,
				  length < COPY_SIZE ? length : COPY_SIZE,
				  from_offset);

	return n > 0 ? contents_write(to, buffer, n, to_offset) : n;
}

static ssize_t copy(struct contents *from, uint64_t from_offset,
		    struct contents *to, uint64_t to_offset, size_t length)
{
	scoped_free char *buffer = malloc(COPY_SIZE);
	size_t done = 0;

	if (!buffer)
		return -ENOMEM;
	while (done < length) {
		ssize_t n = copy_step(from, from_offset + done, to,
				      to_offset + done, buffer, length - done);

		if (n < 0)
			return done ? (ssize_t)done : n;
		if (n == 0)
			break;
		done += n;
	}
	return done;
}

static bool overlaps(uint64_t a, uint64_t b, uint64_t length)
{
	return a < b ? b - a < length : a - b < length;
}

ssize_t contents_share(struct contents *from, uint64_t from_offset,
		       struct contents *to, uint64_t to_offset, size_t length)
{
	uint64_t size = contents_size(from);

	if (from_offset >= size || !length)
		return 0;
	if (length > size - from_offset)
		length = size - from_offset;
	if (is_too_big(to_offset, length))
		return -EFBIG;
	if (from == to && overlaps(from_offset, to_offset, length))
		return -EINVAL;
	if (from->ops == to->ops && from->ops->share)
		return from->ops->share(from, from_offset, to, to_offset,
					length);
	return copy(from, from_offset, to, to_offset, length);
}

uint64_t contents_size(struct contents *c)
{
	return c->ops->size(c);
}

uint64_t contents_data_size(struct contents *c)
{
	return c->ops->data_size ? c->ops->data_size(c) : contents_size(c);
}

int contents_stretch(struct contents *c, uint64_t offset, uint64_t end,
		     bool *ret_data, uint64_t *ret_end)
{
	return c->ops->stretch(c, offset, end, ret_data, ret_end);
}

off_t contents_seek(struct contents *c, uint64_t offset, int whence)
{
	uint64_t end;
	bool data;
	int r;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	r = contents_stretch(c, offset, UINT64_MAX, &data, &end);
	if (r < 0)
		return r;
	if (data == (whence == SEEK_DATA))
		return offset;
	if (whence == SEEK_DATA && end >= contents_size(c))
		return -ENXIO;
	return end;
}

int contents_check_cut(struct contents *c, uint64_t offset, uint64_t size)
{
	return c->ops->check_cut ? c->ops->check_cut(c, offset, size) : 0;
}

int contents_snapshot(struct contents *c, struct contents **ret_snapshot)
{
	return c->ops->snapshot(c, ret_snapshot);
}

int contents_store(struct contents *snapshot, struct odb *odb,
		   struct oid *ret_oid)
{
	return snapshot->ops->store(snapshot, odb, ret_oid);
}

int contents_store_as(struct contents *snapshot, struct odb *odb, uint32_t mode,
		      struct oid *ret_oid)
{
	const struct contents_kind *kind = contents_kind();

	if (!mode_is_rope(mode))
		return contents_store(snapshot, odb, ret_oid);
	if (!kind)
		return -EOPNOTSUPP;
	return kind->store(snapshot, odb, mode_is_executable(mode), ret_oid);
}

void contents_stored_local(struct contents *c, struct contents *snapshot,
			   const struct oid *oid)
{
	c->ops->stored(c, snapshot, oid, CONTENTS_AS_LOCAL);
}

void contents_stored_as(struct contents *c, struct contents *snapshot,
			uint32_t mode, const struct oid *oid)
{
	c->ops->stored(c, snapshot, oid, mode_is_rope(mode) ?
		       CONTENTS_AS_ROPE : CONTENTS_AS_BLOB);
}

void contents_changes(struct contents *snapshot, struct contents_changes *ret)
{
	snapshot->ops->changes(snapshot, ret);
}

void contents_captured(struct contents *c)
{
	c->ops->captured(c);
}
