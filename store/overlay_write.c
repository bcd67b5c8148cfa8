/* SPDX-License-Identifier: ISC */
#include "store/overlay_private.h"

#include <errno.h>

/* A write prepares all its blocks first, which is what can fail, and then
 * copies.  More than this is done in several such steps. */
#define STEP_BLOCKS 64
#define STEP_SIZE ((size_t)STEP_BLOCKS * BLOCK_SIZE)

void overlay_note_locked(struct overlay *o, uint64_t offset, uint64_t end)
{
	o->version++;
	if (offset > o->size)
		o->sparse = true;
	ranges_add(&o->tracking.ranges, offset, end);
}

struct block *overlay_hole_locked(struct overlay *o, uint64_t index)
{
	return index * BLOCK_SIZE < o->base_limit ? block_ref(o->pool->zero)
						  : NULL;
}

/* ---- blocks to write to ---- */

/* The first block of a file starts as small as it may be, as most files are
 * small; those behind it get their full size at once. */
static uint32_t capacity_for(uint64_t index, uint32_t to)
{
	return index ? BLOCK_SIZE : (to + 63) & ~63u;
}

static uint32_t base_length(struct overlay *o, uint64_t index)
{
	uint64_t start = index * BLOCK_SIZE;

	if (start >= o->base_limit)
		return 0;
	return o->base_limit - start < BLOCK_SIZE ? o->base_limit - start
						  : BLOCK_SIZE;
}

/* A new block in the map with the first length bytes of the old one (if any) or
 * of the base. */
static int copy_block(struct overlay *o, uint64_t index, uint32_t length,
		      uint32_t to, struct block **ret_block)
{
	uint32_t capacity = capacity_for(index, to > length ? to : length);
	struct block *block;
	int r = block_new(o->pool, capacity, &block);

	if (r < 0)
		return r;
	if (length)
		r = overlay_read_block_locked(o, index, block->data, 0, length);
	if (r < 0) {
		block_unref(block);
		return r;
	}
	block_publish(block, length);
	map_set(&o->map, index, block);
	*ret_block = block;
	return 0;
}

/* A block of its own in the map, with the old bytes and room up to `to`. */
static int prepare_partial(struct overlay *o, uint64_t index, uint32_t to,
			   struct block **ret_block)
{
	struct block *block = map_get(&o->map, index);
	int r = 1;

	if (block && block_is_exclusive(block))
		r = block_prepare(block, to);
	if (r > 0)
		return copy_block(o, index, block ? block->length
						  : base_length(o, index),
				  to, ret_block);
	if (r == 0)
		*ret_block = block;
	return r;
}

/* A block for bytes that replace all old ones; not yet in the map if it is a
 * new one.  When memory is full they go to the spill file at once, instead of
 * putting others there. */
static int prepare_whole(struct overlay *o, uint64_t index, uint32_t to,
			 struct block **ret_block)
{
	struct block *block = map_get(&o->map, index);

	if (block && block_is_exclusive(block) &&
	    block_prepare_whole(block, to)) {
		*ret_block = block;
		return 0;
	}
	if (to == BLOCK_SIZE && pool_is_full(o->pool) &&
	    block_new_spilled(o->pool, ret_block) == 0)
		return 0;
	return block_new(o->pool, capacity_for(index, to), ret_block);
}

/* Part of a file in one block. */
struct part {
	uint64_t index;
	uint32_t from, to;
};

/* Where [offset, end) is in its block number `index`. */
static struct part part_of(uint64_t index, uint64_t offset, uint64_t end)
{
	uint64_t start = index * BLOCK_SIZE;

	return (struct part){
		.index = index,
		.from = offset > start ? offset - start : 0,
		.to = end - start < BLOCK_SIZE ? end - start : BLOCK_SIZE,
	};
}

static int prepare(struct overlay *o, const struct part *part,
		   struct block **ret_block)
{
	bool ends = part->to == BLOCK_SIZE ||
		    part->index * BLOCK_SIZE + part->to >= o->size;

	if (part->from == 0 && ends)
		return prepare_whole(o, part->index, part->to, ret_block);
	return prepare_partial(o, part->index, part->to, ret_block);
}

/* ---- write ---- */

static void drop_new(struct overlay *o, struct block **targets,
		     uint64_t first, size_t from, size_t count)
{
	for (size_t i = from; i < count; i++)
		if (map_get(&o->map, first + i) != targets[i])
			block_unref(targets[i]);
}

/* Where bytes come from: memory, or whole blocks out of a pipe. */
struct source {
	const char *data;		/* NULL: the pipe */
	int pipe;
};

static int take(struct block *block, const struct part *part,
		const struct source *source, uint64_t done)
{
	if (source->data)
		return block_write(block, source->data + done, part->from,
				   part->to);
	return block_move(block, source->pipe, 0);
}

/* What came out of the pipe before the disk was full goes along. */
static int take_instead(struct block *block, struct block *full,
			const struct part *part, const struct source *source,
			uint64_t done)
{
	uint32_t length = full->length;
	int r;

	if (source->data || !length)
		return take(block, part, source, done);
	r = block_read(full, block->data, 0, length);
	if (r < 0)
		return r;
	block_publish(block, length);
	return block_move(block, source->pipe, length);
}

/* Fills a prepared block; where the disk has no room for one in the spill file,
 * memory may. */
static int fill_block(struct overlay *o, struct block **target,
		      const struct part *part, const struct source *source,
		      uint64_t done)
{
	struct block *block;
	int r = take(*target, part, source, done);

	if (r == 0 || map_get(&o->map, part->index) == *target)
		return r;
	r = block_new(o->pool, BLOCK_SIZE, &block);
	if (r < 0)
		return r;
	r = take_instead(block, *target, part, source, done);
	block_unref(*target);
	*target = block;
	return r;
}

/* Copies to the prepared blocks; returns how many bytes. */
static ssize_t fill(struct overlay *o, struct block **targets,
		    const struct source *source, uint64_t offset, uint64_t end)
{
	uint64_t first = block_index(offset), at = offset;
	size_t count = block_index(end - 1) - first + 1;

	for (size_t i = 0; i < count; i++) {
		struct part part = part_of(first + i, offset, end);
		int r = fill_block(o, &targets[i], &part, source, at - offset);

		if (r < 0) {
			drop_new(o, targets, first, i, count);
			return at > offset ? (ssize_t)(at - offset) : r;
		}
		if (map_get(&o->map, part.index) != targets[i])
			map_set(&o->map, part.index, targets[i]);
		at = part.index * BLOCK_SIZE + part.to;
		if (at > o->size)
			o->size = at;
	}
	return end - offset;
}

/* At most STEP_SIZE bytes. */
static ssize_t write_step(struct overlay *o, const struct source *source,
			  size_t size, uint64_t offset)
{
	struct block *targets[STEP_BLOCKS + 1];
	uint64_t end = offset + size, first = block_index(offset);
	size_t count = block_index(end - 1) - first + 1;
	ssize_t n;
	int r = map_reserve(&o->map, first, first + count - 1);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct part part = part_of(first + i, offset, end);

		r = prepare(o, &part, &targets[i]);
		if (r < 0)
			drop_new(o, targets, first, 0, i);
	}
	if (r < 0)
		return r;
	n = fill(o, targets, source, offset, end);
	if (count > 1)
		pool_trim_blocks(o->pool);
	return n;
}

ssize_t overlay_write_locked(struct overlay *o, const void *data, size_t size,
			     uint64_t offset)
{
	size_t done = 0;

	overlay_note_locked(o, offset, offset + size);
	while (done < size) {
		size_t step = size - done < STEP_SIZE ? size - done : STEP_SIZE;
		const struct source source = {
			.data = (const char *)data + done,
		};
		ssize_t n = write_step(o, &source, step, offset + done);

		if (n < 0)
			return done ? (ssize_t)done : n;
		done += n;
		if ((size_t)n < step)
			break;
	}
	return done;
}

ssize_t overlay_write(struct contents *c, const void *data, size_t size,
		      uint64_t offset)
{
	struct overlay *o = (struct overlay *)c;
	SCOPED_WRITE(&o->lock);

	if (o->frozen)
		return -EROFS;
	return overlay_write_locked(o, data, size, offset);
}

ssize_t overlay_move(struct contents *c, int pipe, size_t size, uint64_t offset)
{
	struct overlay *o = (struct overlay *)c;
	const struct source source = { .pipe = pipe };
	SCOPED_WRITE(&o->lock);

	if (offset % BLOCK_SIZE || size % BLOCK_SIZE || size > STEP_SIZE)
		return 0;
	if (o->frozen)
		return -EROFS;
	overlay_note_locked(o, offset, offset + size);
	return write_step(o, &source, size, offset);
}

/* ---- truncate ---- */

/* Ends the block that the new end of the file falls into; it is reserved. */
static int cut_block(struct overlay *o, uint64_t size)
{
	uint64_t index = block_index(size);
	uint32_t length = size % BLOCK_SIZE;
	struct block *block = map_get(&o->map, index);

	if (!block || block->length <= length)
		return 0;
	if (!block_is_exclusive(block))
		return copy_block(o, index, length, length, &block);
	block_cut(block, length);
	return 0;
}

static int shrink(struct overlay *o, uint64_t size)
{
	uint64_t count = block_count(size);
	int r = 0;

	/* What can fail comes first. */
	if (count && map_group(&o->map, (count - 1) / GROUP_BLOCKS))
		r = map_reserve(&o->map, count - 1, count - 1);
	if (r == 0 && size % BLOCK_SIZE)
		r = cut_block(o, size);
	if (r < 0)
		return r;
	map_cut(&o->map, count);
	if (o->base_limit > size)
		o->base_limit = size;
	o->size = size;
	if (o->tracking.low > size)
		o->tracking.low = size;
	ranges_cut(&o->tracking.ranges, size);
	return 0;
}

int overlay_truncate(struct contents *c, uint64_t size)
{
	struct overlay *o = (struct overlay *)c;
	SCOPED_WRITE(&o->lock);

	if (o->frozen)
		return -EROFS;
	if (size == o->size)
		return 0;
	o->version++;
	if (size < o->size)
		return shrink(o, size);
	o->sparse = true;
	o->size = size;
	return 0;
}

/* ---- zero ---- */

/* Zeros in one block, other bytes of which stay. */
static int zero_part(struct overlay *o, const struct part *part)
{
	struct block *block = map_get(&o->map, part->index);
	uint32_t length = block ? block->length : base_length(o, part->index);
	uint32_t to = part->to < length ? part->to : length;
	int r;

	if (part->from >= to)
		return 0;
	r = map_reserve(&o->map, part->index, part->index);
	if (r == 0)
		r = prepare_partial(o, part->index, to, &block);
	if (r == 0)
		r = block_write(block, NULL, part->from, to);
	return r;
}

/* Whole blocks [first, end) of one group. */
static int zero_in_group(struct overlay *o, uint64_t first, uint64_t end)
{
	uint64_t g = first / GROUP_BLOCKS;
	bool is_based = first * BLOCK_SIZE < o->base_limit;
	int r;

	if (!map_group(&o->map, g) && !is_based)
		return 0;
	if (end - first == GROUP_BLOCKS && !is_based)
		return map_set_group(&o->map, g, NULL);
	r = map_reserve(&o->map, first, end - 1);
	for (uint64_t i = first; r == 0 && i < end; i++)
		map_set(&o->map, i, overlay_hole_locked(o, i));
	return r;
}

static int zero_blocks(struct overlay *o, uint64_t first, uint64_t end)
{
	int r = 0;

	while (r == 0 && first < end) {
		uint64_t next = (first / GROUP_BLOCKS + 1) * GROUP_BLOCKS;

		r = zero_in_group(o, first, next < end ? next : end);
		first = next;
	}
	return r;
}

/* Parts of blocks at both ends first: they need room. */
static int zero_range(struct overlay *o, uint64_t offset, uint64_t end)
{
	uint64_t first = block_index(offset), last = block_index(end - 1);
	struct part head = part_of(first, offset, end);
	struct part tail = part_of(last, offset, end);
	int r = 0;

	if (end == o->size)
		tail.to = BLOCK_SIZE;
	if (first == last)
		head.to = tail.to;
	if (head.from) {
		r = zero_part(o, &head);
		first++;
	}
	if (r == 0 && tail.to < BLOCK_SIZE && last >= first) {
		r = zero_part(o, &tail);
		last--;
	}
	/* Unsigned: last + 1 is right if last was block 0 and is done. */
	return r < 0 ? r : zero_blocks(o, first, last + 1);
}

int overlay_zero(struct contents *c, uint64_t offset, uint64_t length)
{
	struct overlay *o = (struct overlay *)c;
	SCOPED_WRITE(&o->lock);

	if (o->frozen)
		return -EROFS;
	if (offset >= o->size || !length)
		return 0;
	if (length > o->size - offset)
		length = o->size - offset;
	overlay_note_locked(o, offset, offset + length);
	o->sparse = true;
	return zero_range(o, offset, offset + length);
}
