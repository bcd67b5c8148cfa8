/* SPDX-License-Identifier: ISC */
#include "structures/rope_contents_private.h"
#include "structures/rope_stored.h"

#include <errno.h>

/* From this size on, in bytes, new bytes do not pass through memory. */
#define LOG_LEAST 4096u

/* ---- life ---- */

int rope_contents_make(struct pool *pool, uint64_t id,
		       struct rope_contents **ret)
{
	struct rope_contents *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->contents.ops = &rope_contents_ops;
	atomic_init(&r->contents.refs, 1);
	r->pool = pool;
	r->id = id;
	pthread_mutex_init(&r->lock, NULL);
	*ret = r;
	return 0;
}

static void free_contents(struct contents *c)
{
	struct rope_contents *r = (struct rope_contents *)c;

	rope_free(r->rope);
	rope_free(r->older);
	rope_source_unref(r->log);
	free(r->moves);
	ranges_release(&r->ranges);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void set_rope(struct rope_contents *r, struct rope *rope)
{
	rope_free(r->rope);
	r->rope = rope;
	r->size = rope_size(rope);
}

int rope_contents_new(struct pool *pool, struct contents **ret)
{
	struct rope_contents *c;
	struct rope *rope;
	int r = rope_new(&rope);

	if (r < 0)
		return r;
	r = rope_contents_make(pool, pool_new_id(pool), &c);
	if (r < 0) {
		rope_free(rope);
		return r;
	}
	set_rope(c, rope);
	*ret = &c->contents;
	return 0;
}

uint64_t rope_contents_memory(struct contents *c)
{
	struct rope_contents *r = (struct rope_contents *)c;
	SCOPED_LOCK(&r->lock);

	return rope_memory(r->rope);
}

/* ---- reading ---- */

static ssize_t read_bytes(struct contents *c, void *data, size_t size,
			  uint64_t offset)
{
	struct rope_contents *r = (struct rope_contents *)c;
	SCOPED_LOCK(&r->lock);

	return rope_read(r->rope, data, size, offset);
}

static uint64_t size_of(struct contents *c)
{
	return ((struct rope_contents *)c)->size;
}

static int stretch(struct contents *c, uint64_t offset, uint64_t end,
		   bool *ret_data, uint64_t *ret_end)
{
	struct rope_contents *r = (struct rope_contents *)c;
	SCOPED_LOCK(&r->lock);

	if (offset >= r->size)
		return -ENXIO;
	return rope_contents_find(r->rope, offset, end < r->size ? end : r->size,
				  ret_data, ret_end);
}

/* ---- where it may be cut ---- */

/* Of one leaf or the edge of two: these were parted before. */
static int check_leaf(void *context, struct rope_node *leaf, uint64_t offset,
		      uint64_t size)
{
	struct stored *s = leaf->is_piece ?
				   stored_of(rope_piece(leaf)->source) : NULL;

	if (!s)
		return 0;
	return size == 1 ? stored_check_levels(s) :
	       stored_check_cut(s, rope_piece(leaf)->offset + offset + 1);
}

static int check_edge(struct rope_contents *r, uint64_t offset)
{
	uint64_t start = offset ? offset - 1 : 0, end = offset + 1;

	if (end > r->size)
		end = r->size;
	return start < end ? rope_node_each(r->rope->root, start, end - start,
					    check_leaf, NULL) : 0;
}

static int check_cut(struct contents *c, uint64_t offset, uint64_t size)
{
	struct rope_contents *r = (struct rope_contents *)c;
	int error;
	SCOPED_LOCK(&r->lock);

	/* nothing is left of what is replaced whole */
	if (offset == 0 && size >= r->size)
		return 0;
	rope_settle(r->rope);
	error = check_edge(r, offset);
	return error < 0 || !size || size > r->size - offset ? error :
	       check_edge(r, offset + size);
}

/* ---- changing: all or nothing, on a clone where it takes several steps ---- */

static void changed(struct rope_contents *r)
{
	r->version++;
	r->size = rope_size(r->rope);
	rope_contents_trim(r);
}

/* Puts the changed clone in the place of the rope. */
static int finish(struct rope_contents *r, struct rope *clone, int error)
{
	if (error < 0) {
		rope_free(clone);
		return error;
	}
	set_rope(r, clone);
	changed(r);
	return 0;
}

/* Zeros up to offset, where that is behind the end. */
static int fill_gap(struct rope *rope, uint64_t offset)
{
	uint64_t size = rope_size(rope);

	return offset > size ? rope_insert_zeros(rope, size, offset - size) : 0;
}

static int insert(struct rope_contents *r, struct rope *rope, uint64_t offset,
		  const void *data, size_t size)
{
	return size >= LOG_LEAST ? rope_contents_log(r, rope, offset, data, size)
				 : rope_insert(rope, offset, data, size);
}

static int replace(struct rope_contents *r, struct rope *rope, uint64_t offset,
		   uint64_t delete_size, const void *data, size_t size)
{
	int error = fill_gap(rope, offset);

	if (error == 0)
		error = rope_delete(rope, offset, delete_size);
	return error < 0 || !size ? error : insert(r, rope, offset, data, size);
}

static int replace_on_clone(struct rope_contents *r, uint64_t offset,
			    uint64_t delete_size, const void *data, size_t size)
{
	struct rope *clone;
	int error = rope_clone(r->rope, &clone);

	if (error < 0)
		return error;
	return finish(r, clone, replace(r, clone, offset, delete_size, data,
					size));
}

static ssize_t write_bytes(struct contents *c, const void *data, size_t size,
			   uint64_t offset)
{
	struct rope_contents *r = (struct rope_contents *)c;
	int error;
	SCOPED_LOCK(&r->lock);

	if (r->frozen)
		return -EROFS;
	if (size < LOG_LEAST && offset <= r->size) {
		error = rope_write(r->rope, offset, data, size);
		if (error == 0)
			changed(r);
	} else {
		error = replace_on_clone(r, offset, size, data, size);
	}
	return error < 0 ? error : (ssize_t)size;
}

static int splice(struct contents *c, uint64_t offset, uint64_t delete_size,
		  const void *data, size_t size)
{
	struct rope_contents *r = (struct rope_contents *)c;
	int error;
	SCOPED_LOCK(&r->lock);

	if (r->frozen)
		return -EROFS;
	if (offset > r->size)
		return -EINVAL;
	if (delete_size && size)
		return replace_on_clone(r, offset, delete_size, data, size);
	error = delete_size ? rope_delete(r->rope, offset, delete_size)
			    : insert(r, r->rope, offset, data, size);
	if (error == 0)
		changed(r);
	return error;
}

static int truncate_to(struct contents *c, uint64_t size)
{
	struct rope_contents *r = (struct rope_contents *)c;
	int error;
	SCOPED_LOCK(&r->lock);

	if (r->frozen)
		return -EROFS;
	if (size == r->size)
		return 0;
	error = size < r->size ? rope_delete(r->rope, size, r->size - size)
			       : fill_gap(r->rope, size);
	if (error == 0)
		changed(r);
	return error;
}

static int zero(struct contents *c, uint64_t offset, uint64_t length)
{
	struct rope_contents *r = (struct rope_contents *)c;
	struct rope *clone;
	int error;
	SCOPED_LOCK(&r->lock);

	if (r->frozen)
		return -EROFS;
	if (offset >= r->size || !length)
		return 0;
	if (length > r->size - offset)
		length = r->size - offset;
	error = rope_clone(r->rope, &clone);
	if (error < 0)
		return error;
	error = rope_delete(clone, offset, length);
	if (error == 0)
		error = rope_insert_zeros(clone, offset, length);
	return finish(r, clone, error);
}

/* ---- sharing ---- */

/* What is to be copied, as a rope of its own, so that no two locks are held. */
static int take(struct rope_contents *from, struct rope **ret,
		struct stored_version *ret_stored)
{
	SCOPED_LOCK(&from->lock);

	*ret_stored = rope_contents_is_stored(from) ? from->stored :
					(struct stored_version){ 0 };
	return rope_clone(from->rope, ret);
}

static int put(struct rope_contents *to, uint64_t to_offset, struct rope *from,
	       uint64_t from_offset, uint64_t length)
{
	struct rope *clone;
	int error = rope_clone(to->rope, &clone);

	if (error < 0)
		return error;
	error = replace(to, clone, to_offset, length, NULL, 0);
	if (error == 0)
		error = rope_insert_rope(clone, to_offset, from, from_offset,
					 length);
	return finish(to, clone, error);
}

static ssize_t share(struct contents *from_contents, uint64_t from_offset,
		     struct contents *to_contents, uint64_t to_offset,
		     size_t length)
{
	struct rope_contents *to = (struct rope_contents *)to_contents;
	struct stored_version stored;
	scoped_rope struct rope *from = NULL;
	uint64_t size;
	int error;

	if (to->frozen)
		return -EROFS;
	error = take((struct rope_contents *)from_contents, &from, &stored);
	if (error < 0)
		return error;
	size = rope_size(from);
	if (from_offset >= size)
		return 0;
	if (length > size - from_offset)
		length = size - from_offset;
	SCOPED_LOCK(&to->lock);
	error = put(to, to_offset, from, from_offset, length);
	if (error < 0)
		return error;
	/* A copy of a whole stored file is stored. */
	if (stored.known && length == size && to->size == size) {
		to->stored = stored;
		to->stored.version = to->version;
	}
	return length;
}

/* ---- snapshots ---- */

static int snapshot(struct contents *c, struct contents **ret)
{
	struct rope_contents *r = (struct rope_contents *)c, *copy;
	int error = rope_contents_make(r->pool, r->id, &copy);

	if (error < 0)
		return error;
	SCOPED_LOCK(&r->lock);
	copy->frozen = true;
	copy->version = r->version;
	copy->stored = r->stored;
	copy->captured = r->captured;
	copy->has_base = r->has_base;
	copy->base_is_local = r->base_is_local;
	copy->base = r->base;
	copy->base_size = r->base_size;
	error = rope_clone(r->rope, &copy->rope);
	if (error == 0) {
		copy->size = r->size;
		error = rope_contents_compare(copy, r->older);
	}
	if (error < 0) {
		free_contents(&copy->contents);
		return error;
	}
	*ret = &copy->contents;
	return 0;
}

const struct contents_ops rope_contents_ops = {
	.name = "rope",
	.read = read_bytes,
	.write = write_bytes,
	.truncate = truncate_to,
	.zero = zero,
	.splice = splice,
	.share = share,
	.size = size_of,
	.stretch = stretch,
	.check_cut = check_cut,
	.snapshot = snapshot,
	.store = rope_contents_store,
	.stored = rope_contents_stored,
	.captured = rope_contents_captured,
	.changes = rope_contents_changes,
	.free = free_contents,
};
