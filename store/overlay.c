/* SPDX-License-Identifier: ISC */
#include "store/overlay_private.h"

#include <errno.h>

static const struct contents_ops overlay_ops;

static int make(struct pool *pool, bool frozen, struct overlay **ret)
{
	struct overlay *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->contents.ops = &overlay_ops;
	atomic_init(&o->contents.refs, 1);
	o->pool = pool;
	o->frozen = frozen;
	rwlock_init(&o->lock);
	tracking_init(&o->tracking, pool);
	*ret = o;
	return 0;
}

static void overlay_free(struct contents *c)
{
	struct overlay *o = (struct overlay *)c;

	map_release(&o->map);
	blob_unref(o->base);
	blob_unref(o->older);
	blob_unref(o->stored);
	tracking_clear(&o->tracking);
	pthread_rwlock_destroy(&o->lock);
	free(o);
}

int overlay_new(struct pool *pool, struct contents **ret)
{
	struct overlay *o;
	int r = make(pool, false, &o);

	if (r == 0)
		*ret = &o->contents;
	return r;
}

/* Takes over the reference to the blob, on failure too. */
static int make_stored(struct pool *pool, struct blob *blob, uint64_t size,
		       struct contents **ret)
{
	struct overlay *o;
	int r = make(pool, false, &o);

	if (r < 0) {
		blob_unref(blob);
		return r;
	}
	o->base = blob;
	o->stored = blob_ref(o->base);
	o->base_limit = size;
	o->size = size;
	tracking_set_base(&o->tracking, blob, size);
	*ret = &o->contents;
	return 0;
}

int overlay_new_stored(struct pool *pool, const struct oid *oid, uint64_t size,
		       struct contents **ret)
{
	struct blob *blob;
	int r = size > CONTENTS_SIZE_MAX ? -EFBIG :
		blobs_get(pool->blobs, oid, size, &blob);

	return r < 0 ? r : make_stored(pool, blob, size, ret);
}

int overlay_new_local(struct pool *pool, const struct oid *oid, uint64_t size,
		      struct contents **ret)
{
	struct blob *blob;
	int r = size > CONTENTS_SIZE_MAX ? -EFBIG :
		blobs_get_local(pool->blobs, oid, size, &blob);

	return r < 0 ? r : make_stored(pool, blob, size, ret);
}

/* ---- locks ---- */

void overlay_lock_pair(struct overlay *exclusive, struct overlay *shared)
{
	if (shared < exclusive)
		pthread_rwlock_rdlock(&shared->lock);
	pthread_rwlock_wrlock(&exclusive->lock);
	if (shared > exclusive)
		pthread_rwlock_rdlock(&shared->lock);
}

void overlay_unlock_pair(struct overlay *exclusive, struct overlay *shared)
{
	pthread_rwlock_unlock(&exclusive->lock);
	if (shared != exclusive)
		pthread_rwlock_unlock(&shared->lock);
}

/* ---- reading ---- */

static int read_stored(struct overlay *o, void *data, size_t size,
		       uint64_t offset)
{
	int r = -EAGAIN;

	if (o->older && !blob_is_near(o->base))
		r = blob_read_loaded(o->older, data, size, offset);
	if (r == -EAGAIN)
		r = blob_read(o->base, data, size, offset);
	return r;
}

/* Bytes of the base, zeros behind base_limit. */
static int read_base(struct overlay *o, void *data, size_t size,
		     uint64_t offset)
{
	size_t have = 0;
	int r = 0;

	if (offset < o->base_limit)
		have = size < o->base_limit - offset ? size
						     : o->base_limit - offset;
	if (have)
		r = read_stored(o, data, have, offset);
	if (have < size)
		memset((char *)data + have, 0, size - have);
	return r;
}

/* A block that came from another file, or went to one, may depend on a blob of
 * that file, which can vanish from the repository when that file changes.  Here
 * the same bytes are stored too, unless the block came after that. */
static int read_fallback(struct overlay *o, struct block *block, void *data,
			 uint32_t size, uint64_t offset)
{
	uint64_t end = offset - offset % BLOCK_SIZE + block->length;
	uint32_t have = 0;

	if (!o->stored || o->shared_version > o->stored_version ||
	    !block_is_stored(block))
		return -EIO;
	if (offset < end)
		have = size < end - offset ? size : end - offset;
	memset((char *)data + have, 0, size - have);
	return blob_read(o->stored, data, have, offset);
}

int overlay_read_block_locked(struct overlay *o, uint64_t index, void *data,
			      uint32_t from, uint32_t size)
{
	struct block *block = map_get(&o->map, index);
	uint64_t offset = index * BLOCK_SIZE + from;
	int r;

	if (!block)
		return read_base(o, data, size, offset);
	r = block_read(block, data, from, size);
	if (r == -EIO)
		r = read_fallback(o, block, data, size, offset);
	return r;
}

/* Reads from one block, or up to the next block, within size; returns how many
 * bytes. */
static ssize_t read_run(struct overlay *o, void *data, size_t size,
			uint64_t offset)
{
	uint64_t index = block_index(offset), next;
	uint32_t from = offset % BLOCK_SIZE;
	int r;

	if (map_get(&o->map, index)) {
		if (size > BLOCK_SIZE - from)
			size = BLOCK_SIZE - from;
		r = overlay_read_block_locked(o, index, data, from, size);
		return r < 0 ? r : (ssize_t)size;
	}
	next = map_next(&o->map, index);
	if (next != MAP_END && size > next * BLOCK_SIZE - offset)
		size = next * BLOCK_SIZE - offset;
	r = read_base(o, data, size, offset);
	return r < 0 ? r : (ssize_t)size;
}

ssize_t overlay_read_locked(struct overlay *o, void *data, size_t size,
			    uint64_t offset)
{
	size_t done = 0;

	if (offset >= o->size)
		return 0;
	if (size > o->size - offset)
		size = o->size - offset;
	while (done < size) {
		ssize_t n = read_run(o, (char *)data + done, size - done,
				     offset + done);

		if (n < 0)
			return n;
		done += n;
	}
	return done;
}

static ssize_t overlay_read(struct contents *c, void *data, size_t size,
			    uint64_t offset)
{
	struct overlay *o = (struct overlay *)c;
	SCOPED_READ(&o->lock);

	return overlay_read_locked(o, data, size, offset);
}

static uint64_t overlay_size(struct contents *c)
{
	return ((struct overlay *)c)->size;
}

/* ---- holes ---- */

/* Holes begin at pages, as on ext4: who looks for them may count on whole ones. */
#define PAGE 4096u

static uint64_t page_end(uint64_t offset)
{
	return (offset + PAGE - 1) / PAGE * PAGE;
}

/* Whether there is data at offset (below the size), and where that ends, which
 * may be behind the size. */
static bool is_data(struct overlay *o, uint64_t offset, uint64_t *ret_end)
{
	uint64_t index = block_index(offset), next;
	struct block *block = map_get(&o->map, index);
	uint64_t data_end, end;

	if (block) {
		data_end = index * BLOCK_SIZE + block->length;
		end = (index + 1) * BLOCK_SIZE;
	} else {
		next = map_next(&o->map, index);
		data_end = o->base_limit;
		end = next == MAP_END ? o->size : next * BLOCK_SIZE;
	}
	data_end = page_end(data_end);
	*ret_end = offset < data_end && data_end < end ? data_end : end;
	return offset < data_end;
}

static int overlay_stretch(struct contents *c, uint64_t offset, uint64_t end,
			   bool *ret_data, uint64_t *ret_end)
{
	struct overlay *o = (struct overlay *)c;
	uint64_t at, next;
	SCOPED_READ(&o->lock);

	if (offset >= o->size)
		return -ENXIO;
	if (end > o->size)
		end = o->size;
	*ret_data = is_data(o, offset, &at);
	while (at < end && is_data(o, at, &next) == *ret_data)
		at = next;
	*ret_end = at < end ? at : end;
	return 0;
}

static uint64_t count_data(struct overlay *o)
{
	uint64_t offset = 0, end, bytes = 0;

	for (; offset < o->size; offset = end) {
		bool data = is_data(o, offset, &end);

		if (end > o->size)
			end = o->size;
		if (data)
			bytes += end - offset;
	}
	return bytes;
}

/* What made it sparse has raised the version, so that 0 is none. */
static uint64_t overlay_data_size(struct contents *c)
{
	struct overlay *o = (struct overlay *)c;

	if (!o->sparse)
		return o->size;
	SCOPED_READ(&o->lock);
	if (o->counted_version != o->version) {
		o->counted = count_data(o);
		o->counted_version = o->version;
	}
	return o->counted;
}

/* ---- snapshots ---- */

static int overlay_snapshot(struct contents *c, struct contents **ret)
{
	struct overlay *o = (struct overlay *)c, *copy;
	int r = make(o->pool, true, &copy);

	if (r < 0)
		return r;
	SCOPED_READ(&o->lock);
	r = map_copy(&o->map, &copy->map);
	if (r == 0)
		r = tracking_copy(&o->tracking, &copy->tracking);
	if (r < 0) {
		overlay_free(&copy->contents);
		return r;
	}
	copy->size = o->size;
	copy->sparse = o->sparse;
	/* A write that failed may have noted more than there is. */
	ranges_cut(&copy->tracking.ranges, o->size);
	copy->base = blob_ref(o->base);
	copy->older = blob_ref(o->older);
	copy->base_limit = o->base_limit;
	copy->version = o->version;
	copy->stored = blob_ref(o->stored);
	copy->stored_version = o->stored_version;
	copy->shared_version = o->shared_version;
	if (overlay_is_stored(o)) {
		tracking_set_base(&copy->tracking, o->stored, o->size);
		tracking_clear(&copy->tracking);
	}
	*ret = &copy->contents;
	return 0;
}

static const struct contents_ops overlay_ops = {
	.name = "overlay",
	.read = overlay_read,
	.write = overlay_write,
	.move = overlay_move,
	.truncate = overlay_truncate,
	.zero = overlay_zero,
	.share = overlay_share,
	.size = overlay_size,
	.data_size = overlay_data_size,
	.stretch = overlay_stretch,
	.snapshot = overlay_snapshot,
	.store = overlay_store,
	.stored = overlay_stored,
	.captured = overlay_captured,
	.changes = overlay_changes,
	.free = overlay_free,
};
