/* SPDX-License-Identifier: ISC */
#include "store/overlay_private.h"

#include <assert.h>
#include <errno.h>

/* Copying between files by sharing blocks and groups of them. */

#define GROUP_SIZE ((uint64_t)GROUP_BLOCKS * BLOCK_SIZE)

/* One call's state: bytes of from at from_offset go to to_offset. */
struct share {
	struct overlay *from, *to;
	uint64_t from_offset, to_offset;
	uint64_t left;			/* bytes */
	uint64_t to_size;		/* of the target when it began */
	char *buffer;			/* for bytes that cannot be shared */
};

static void advance(struct share *s, uint64_t bytes)
{
	s->from_offset += bytes;
	s->to_offset += bytes;
	s->left -= bytes;
	if (s->to->size < s->to_offset)
		s->to->size = s->to_offset;
}

/* Whether the range is the rest of the source, and nothing in the target is
 * behind it: then bytes behind it do not matter. */
static bool is_rest(const struct share *s)
{
	return s->from_offset + s->left == s->from->size &&
	       s->to_offset + s->left >= s->to_size;
}

/* ---- the base ---- */

/* Whether the target may take the next bytes from the source's base too: it does
 * so up to here and not further than the source, and nothing of it is behind
 * the range. */
static bool can_extend_base(const struct share *s, uint64_t bytes)
{
	struct overlay *from = s->from, *to = s->to;
	bool same = to->base == from->base;

	if (s->from_offset != s->to_offset || from == to ||
	    s->from_offset >= from->base_limit ||
	    s->to_offset + s->left < s->to_size)
		return false;
	if (to->base_limit > from->base_limit &&
	    s->from_offset + bytes > from->base_limit)
		return false;
	return s->to_offset == 0 ? same || !to->base_limit
				 : same && to->base_limit >= s->to_offset;
}

static void adopt(struct blob **place, struct blob *blob)
{
	blob_unref(*place);
	*place = blob_ref(blob);
}

/* The next bytes come from the base wherever the map has no block. */
static void extend_base(struct share *s, uint64_t bytes)
{
	struct overlay *from = s->from, *to = s->to;
	uint64_t end = s->to_offset + bytes;

	if (!to->base_limit) {
		adopt(&to->base, from->base);
		adopt(&to->older, from->older);
	}
	/* It would have to agree with the base on the bytes of both. */
	if (to->older != from->older)
		adopt(&to->older, NULL);
	if (end > from->base_limit)
		end = from->base_limit;
	if (to->base_limit < end)
		to->base_limit = end;
}

/* ---- steps ---- */

static int copy_bytes(struct share *s, uint64_t bytes)
{
	ssize_t n;

	if (!s->buffer)
		s->buffer = malloc(BLOCK_SIZE);
	if (!s->buffer)
		return -ENOMEM;
	if (bytes > BLOCK_SIZE)
		bytes = BLOCK_SIZE;
	n = overlay_read_locked(s->from, s->buffer, bytes, s->from_offset);
	if (n > 0)
		n = overlay_write_locked(s->to, s->buffer, n, s->to_offset);
	if (n < 0)
		return n;
	advance(s, n);
	return 0;
}

/* The source's base at the place, as a block. */
static int base_block(struct share *s, uint64_t bytes, struct block **ret_block)
{
	struct overlay *from = s->from;

	if (bytes > from->base_limit - s->from_offset)
		bytes = from->base_limit - s->from_offset;
	return block_new_stored(from->pool, from->base, s->from_offset, bytes,
				ret_block);
}

/* A block that is whole, or the rest. */
static int share_block(struct share *s)
{
	uint64_t bytes = s->left < BLOCK_SIZE ? s->left : BLOCK_SIZE;
	uint64_t index = block_index(s->to_offset);
	struct block *block = map_get(&s->from->map,
				      block_index(s->from_offset));
	bool is_based = !block && s->from_offset < s->from->base_limit;
	bool extend = can_extend_base(s, bytes);
	int r = map_reserve(&s->to->map, index, index);

	if (r == 0 && is_based && !extend)
		r = base_block(s, bytes, &block);
	if (r < 0)
		return r;
	if (extend)
		extend_base(s, bytes);
	if (block && block->length && !is_based)
		block_ref(block);
	else if (!is_based)
		block = overlay_hole_locked(s->to, index);
	map_set(&s->to->map, index, block);
	advance(s, bytes);
	return 0;
}

/* Whether places without a block mean the same in both groups, if the target's
 * base is extended where that is possible. */
static bool agree_on_base(const struct share *s)
{
	if (s->from_offset < s->from->base_limit)
		return can_extend_base(s, GROUP_SIZE);
	return s->to_offset >= s->to->base_limit;
}

static bool can_share_group(const struct share *s)
{
	return s->from != s->to && s->from_offset % GROUP_SIZE == 0 &&
	       s->to_offset % GROUP_SIZE == 0 &&
	       (s->left >= GROUP_SIZE || is_rest(s)) && agree_on_base(s);
}

static int share_group(struct share *s)
{
	uint64_t bytes = s->left < GROUP_SIZE ? s->left : GROUP_SIZE;
	struct group *group = map_group(&s->from->map,
					s->from_offset / GROUP_SIZE);
	int r = map_set_group(&s->to->map, s->to_offset / GROUP_SIZE, group);

	if (r < 0)
		return r;
	if (s->from_offset < s->from->base_limit)
		extend_base(s, bytes);
	advance(s, bytes);
	return 0;
}

static int share_step(struct share *s)
{
	uint32_t from = s->from_offset % BLOCK_SIZE;
	uint32_t to = s->to_offset % BLOCK_SIZE;
	uint64_t rest = BLOCK_SIZE - from;

	if (from != to)
		return copy_bytes(s, s->left);
	if (from || (s->left < BLOCK_SIZE && !is_rest(s)))
		return copy_bytes(s, s->left < rest ? s->left : rest);
	return can_share_group(s) ? share_group(s) : share_block(s);
}

/* ---- the whole ---- */

/* A copy of a whole stored file is stored. */
static void share_stored(struct overlay *from, struct overlay *to)
{
	if (!overlay_is_stored(from))
		return;
	blob_unref(to->stored);
	to->stored = blob_ref(from->stored);
	to->stored_version = to->version;
}

static ssize_t share_locked(struct overlay *from, uint64_t from_offset,
			    struct overlay *to, uint64_t to_offset,
			    size_t length)
{
	struct share s = {
		.from = from, .from_offset = from_offset,
		.to = to, .to_offset = to_offset,
		.left = length, .to_size = to->size,
	};
	int r = 0;

	overlay_note_locked(to, to_offset, to_offset + length);
	to->shared_version = to->version;
	if (from->sparse)
		to->sparse = true;
	while (s.left && r == 0)
		r = share_step(&s);
	free(s.buffer);
	if (r < 0 && s.left == length)
		return r;
	if (!s.left && from != to && from_offset == 0 && to_offset == 0 &&
	    length == from->size && to->size == length)
		share_stored(from, to);
	return length - s.left;
}

ssize_t overlay_share(struct contents *from_contents, uint64_t from_offset,
		      struct contents *to_contents, uint64_t to_offset,
		      size_t length)
{
	struct overlay *from = (struct overlay *)from_contents;
	struct overlay *to = (struct overlay *)to_contents;
	ssize_t n = 0;

	assert(from->pool == to->pool);
	if (to->frozen)
		return -EROFS;
	overlay_lock_pair(to, from);
	/* It may have become shorter since the caller looked. */
	if (from_offset < from->size) {
		if (length > from->size - from_offset)
			length = from->size - from_offset;
		n = share_locked(from, from_offset, to, to_offset, length);
	}
	overlay_unlock_pair(to, from);
	return n;
}
