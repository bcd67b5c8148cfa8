/* SPDX-License-Identifier: ISC */
#include "store/checksum.h"
#include "store/journal_decoder.h"
#include "store/journal_format.h"
#include "store/overlay.h"

#include <errno.h>

/* A full memory is an error of the caller: handle.tbl is NULL after HASH_ADD. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Contents as the last frame that names them left them. */
struct replayed {
	uint64_t id, version;
	struct contents *contents;
	UT_hash_handle hh;
};

struct journal_replay {
	struct pool *pool;
	const struct table *table;
	struct replayed *contents;
};

int journal_replay_new(struct pool *pool, const struct table *table,
		       struct journal_replay **ret_replay)
{
	struct journal_replay *replay = calloc(1, sizeof(*replay));

	if (!replay)
		return -ENOMEM;
	replay->pool = pool;
	replay->table = table;
	pool_begin_replay(pool);
	*ret_replay = replay;
	return 0;
}

void journal_replay_free(struct journal_replay *replay)
{
	struct replayed *c, *next;

	if (!replay)
		return;
	HASH_ITER(hh, replay->contents, c, next) {
		HASH_DEL(replay->contents, c);
		contents_unref(c->contents);
		free(c);
	}
	pool_end_replay(replay->pool);
	free(replay);
}

/* ---- contents ---- */

struct wanted {
	uint64_t id, version, size, low, other;
	struct oid oid;
	uint8_t base;
};

static int open_stored(struct journal_replay *replay, const struct oid *oid,
		       uint64_t size, bool is_local, struct contents **ret)
{
	if (!is_local)
		return contents_open(replay->pool, oid, size, ret);
	return pool_local_odb(replay->pool) ?
		overlay_new_local(replay->pool, oid, size, ret) : -EUCLEAN;
}

/* What a frame before made, or else what the table says that it was. */
static int open_captured(struct journal_replay *replay, struct replayed *before,
			 const struct wanted *wanted, struct contents **ret)
{
	const struct table_journal *j = &replay->table->journal;

	if (before && before->version == wanted->other) {
		*ret = contents_ref(before->contents);
		return 0;
	}
	for (size_t i = 0; i < j->contents_count; i++) {
		const struct table_contents *c = &j->contents[i];

		if (c->id == wanted->id && c->version == wanted->other)
			return open_stored(replay, &c->oid, c->size,
					   c->is_local, ret);
	}
	return -EUCLEAN;
}

static int open_base(struct journal_replay *replay, struct replayed *before,
		     const struct wanted *wanted, struct contents **ret)
{
	switch (wanted->base) {
	case CONTENTS_EMPTY:
		return overlay_new(replay->pool, ret);
	case CONTENTS_STORED:
	case CONTENTS_STORED_LOCAL:
		return open_stored(replay, &wanted->oid, wanted->other,
				   wanted->base == CONTENTS_STORED_LOCAL, ret);
	case CONTENTS_CAPTURED:
		return open_captured(replay, before, wanted, ret);
	default:
		return -EUCLEAN;
	}
}

static int put_bytes(struct contents *c, const char *bytes, uint64_t length,
		     uint64_t offset)
{
	while (length) {
		ssize_t n = contents_write(c, bytes, length, offset);

		if (n <= 0)
			return n < 0 ? n : -EIO;
		bytes += n;
		offset += n;
		length -= n;
	}
	return 0;
}

static int put_data(struct decoder *d, struct contents *c, uint64_t offset,
		    uint64_t length)
{
	scoped_free char *bytes = NULL;
	uint64_t position, checksum = 0;
	int r = journal_get_u64(d, &position);

	if (r == 0)
		r = journal_get_u64(d, &checksum);
	if (r < 0 || length > JOURNAL_PIECE)
		return -EUCLEAN;
	bytes = malloc(length + 1);
	if (!bytes)
		return -ENOMEM;
	if (d->data(d->context, bytes, length, position) != (ssize_t)length ||
	    checksum64(bytes, length, 0) != checksum)
		return -EUCLEAN;
	return put_bytes(c, bytes, length, offset);
}

/* What all extents begin with. */
struct extent {
	uint64_t offset, length;
	uint8_t kind;
};

static int get_extent(struct decoder *d, uint64_t size, struct extent *ret)
{
	int r = journal_get_u64(d, &ret->offset);

	if (r == 0)
		r = journal_get_u64(d, &ret->length);
	if (r == 0)
		r = journal_get_u8(d, &ret->kind);
	if (r == 0 && (ret->offset > size || ret->length > size - ret->offset))
		r = -EUCLEAN;
	return r;
}

static int put_extent(struct decoder *d, struct contents *c,
		      const struct extent *extent)
{
	const char *bytes;

	switch (extent->kind) {
	case JOURNAL_ZEROS:
		return contents_zero(c, extent->offset, extent->length);
	case JOURNAL_DATA:
		return put_data(d, c, extent->offset, extent->length);
	case JOURNAL_BYTES:
		bytes = journal_get(d, extent->length);
		return bytes ? put_bytes(c, bytes, extent->length,
					 extent->offset) : -EUCLEAN;
	default:
		return extent->kind == JOURNAL_MOVED ? -EUCLEAN : -ENOTSUP;
	}
}

/* ---- moves ---- */

/* Moves that come first among the extents. */
struct moves {
	struct contents_move *at;
	size_t count, capacity;
};

static void moves_release(struct moves *moves)
{
	free(moves->at);
}

static int add_move(struct moves *moves, const struct contents_move *m)
{
	size_t capacity = moves->capacity ? 2 * moves->capacity : 16;
	struct contents_move *at;

	if (moves->count == moves->capacity) {
		at = reallocarray(moves->at, capacity, sizeof(*at));
		if (!at)
			return -ENOMEM;
		moves->at = at;
		moves->capacity = capacity;
	}
	moves->at[moves->count++] = *m;
	return 0;
}

/* Each behind the one before, from within the base. */
static int get_move(struct decoder *d, uint64_t base_size, uint64_t end,
		    const struct extent *extent, struct contents_move *ret)
{
	*ret = (struct contents_move){
		.offset = extent->offset, .size = extent->length,
	};
	if (journal_get_u64(d, &ret->from) < 0 || ret->offset < end ||
	    ret->from > base_size || ret->size > base_size - ret->from)
		return -EUCLEAN;
	return 0;
}

/* Those of *left extents that are moves. */
static int get_moves(struct decoder *d, uint64_t base_size,
		     const struct wanted *wanted, uint32_t *left,
		     struct moves *ret)
{
	uint64_t end = wanted->low;

	for (; *left; --*left) {
		const char *start = d->at;
		struct contents_move m;
		struct extent extent;
		int r = get_extent(d, wanted->size, &extent);

		if (r == 0 && extent.kind != JOURNAL_MOVED) {
			d->at = start;
			return 0;
		}
		if (r == 0)
			r = get_move(d, base_size, end, &extent, &m);
		if (r == 0 && m.size)
			r = add_move(ret, &m);
		if (r < 0)
			return r;
		end = m.offset + m.size;
	}
	return 0;
}

/* ---- all of it ---- */

/* *c: the base, which becomes what is wanted; still a reference on failure. */
static int change(struct decoder *d, struct contents **c,
		  const struct wanted *wanted)
{
	scoped(moves_release) struct moves moves = { 0 };
	struct contents_changes changes = {
		.size = wanted->size, .low = wanted->low,
	};
	struct extent extent;
	uint32_t left = 0;
	int r = journal_get_u32(d, &left);

	if (r == 0)
		r = get_moves(d, contents_size(*c), wanted, &left, &moves);
	changes.moves = moves.at;
	changes.move_count = moves.count;
	if (r == 0)
		r = contents_rearrange(d->replay->pool, *c, &changes, c);
	for (; r == 0 && left; left--) {
		r = get_extent(d, wanted->size, &extent);
		if (r == 0)
			r = put_extent(d, *c, &extent);
	}
	return r;
}

/* c is what the contents of that id is now; takes the reference on success. */
static int remember(struct journal_replay *replay, struct replayed *before,
		    const struct wanted *wanted, struct contents *c)
{
	if (!before) {
		before = calloc(1, sizeof(*before));
		if (!before)
			return -ENOMEM;
		before->id = wanted->id;
		HASH_ADD(hh, replay->contents, id, sizeof(before->id), before);
		if (!before->hh.tbl) {
			free(before);
			return -ENOMEM;
		}
	}
	contents_unref(before->contents);
	before->contents = c;
	before->version = wanted->version;
	return 0;
}

static int get_wanted(struct decoder *d, struct wanted *ret)
{
	int r = journal_get_u64(d, &ret->id);

	if (r == 0)
		r = journal_get_u64(d, &ret->version);
	if (r == 0)
		r = journal_get_u64(d, &ret->size);
	if (r == 0)
		r = journal_get_u8(d, &ret->base);
	if (r == 0)
		r = journal_get_oid(d, &ret->oid);
	if (r == 0)
		r = journal_get_u64(d, &ret->other);
	if (r == 0)
		r = journal_get_u64(d, &ret->low);
	return r == 0 && ret->size > CONTENTS_SIZE_MAX ? -EUCLEAN : r;
}

int journal_get_contents(struct decoder *d, struct contents **ret)
{
	struct replayed *before;
	struct contents *c;
	struct wanted wanted;
	int r = get_wanted(d, &wanted);

	if (r < 0)
		return r;
	HASH_FIND(hh, d->replay->contents, &wanted.id, sizeof(wanted.id),
		  before);
	r = open_base(d->replay, before, &wanted, &c);
	if (r < 0)
		return r;
	r = change(d, &c, &wanted);
	if (r == 0)
		r = contents_snapshot(c, ret);
	if (r == 0)
		r = remember(d->replay, before, &wanted, c);
	if (r < 0)
		contents_unref(c);
	return r;
}
