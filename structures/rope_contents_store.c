/* SPDX-License-Identifier: ISC */
#include "structures/rope_contents_private.h"

#include <errno.h>

/* Up to this size a file is read into memory to be stored; beyond it streams. */
#define STORE_WHOLE ((uint64_t)1 << 20)

/* A move of less, in bytes, takes more room in the journal than the bytes. */
#define MOVE_LEAST 48u

/* ---- what changed ---- */

struct comparing {
	struct rope_contents *snapshot;
	size_t capacity;
};

static int add_move(struct comparing *c, uint64_t offset, uint64_t size,
		    uint64_t from)
{
	struct rope_contents *s = c->snapshot;
	size_t capacity = c->capacity ? 2 * c->capacity : 8;
	struct contents_move *moves;

	if (s->move_count == c->capacity) {
		moves = reallocarray(s->moves, capacity, sizeof(*moves));
		if (!moves)
			return -ENOMEM;
		s->moves = moves;
		c->capacity = capacity;
	}
	s->moves[s->move_count++] = (struct contents_move){
		.offset = offset, .size = size, .from = from,
	};
	return 0;
}

/* Pieces come in order and are told exactly, as many as they are. */
static int add_range(struct ranges *ranges, uint64_t offset, uint64_t end)
{
	size_t capacity = ranges->capacity ? 2 * ranges->capacity : 8;
	struct range *at;

	if (ranges->count && ranges->at[ranges->count - 1].end == offset) {
		ranges->at[ranges->count - 1].end = end;
		return 0;
	}
	if (ranges->count == ranges->capacity) {
		at = reallocarray(ranges->at, capacity, sizeof(*at));
		if (!at)
			return -ENOMEM;
		ranges->at = at;
		ranges->capacity = capacity;
	}
	ranges->at[ranges->count++] = (struct range){ offset, end };
	return 0;
}

static int add_piece(void *context, uint64_t offset, uint64_t size,
		     uint64_t from)
{
	struct comparing *c = context;

	if (offset == 0 && from == 0) {
		c->snapshot->low = size;
		return 0;
	}
	return from == ROPE_UNKNOWN || size < MOVE_LEAST ?
		add_range(&c->snapshot->ranges, offset, offset + size) :
		add_move(c, offset, size, from);
}

static void set_base(struct rope_contents *r,
		     const struct stored_version *stored, uint64_t size)
{
	r->has_base = true;
	r->base_is_local = stored->is_local;
	r->base = stored->oid;
	r->base_size = size;
}

static void drop_base(struct rope_contents *r)
{
	r->has_base = false;
	r->base_size = r->size;
}

int rope_contents_compare(struct rope_contents *snapshot, struct rope *older)
{
	struct comparing c = { .snapshot = snapshot };

	if (rope_contents_is_stored(snapshot)) {
		set_base(snapshot, &snapshot->stored, snapshot->size);
		snapshot->low = snapshot->size;
		return 0;
	}
	if (!older) {
		snapshot->has_base = false;
		snapshot->captured = 0;
		snapshot->base_size = 0;
		snapshot->ranges.all = true;
		return 0;
	}
	return rope_compare(older, snapshot->rope, add_piece, &c);
}

void rope_contents_changes(struct contents *snapshot,
			   struct contents_changes *ret)
{
	const struct rope_contents *r = (struct rope_contents *)snapshot;

	*ret = (struct contents_changes){
		.id = r->id, .version = r->version, .size = r->size,
		.low = r->low, .moves = r->moves, .move_count = r->move_count,
		.ranges = &r->ranges, .base_size = r->base_size,
	};
	if (r->has_base) {
		ret->base = r->base_is_local ? CONTENTS_STORED_LOCAL :
					       CONTENTS_STORED;
		ret->oid = r->base;
	} else if (r->captured) {
		ret->base = CONTENTS_CAPTURED;
		ret->since = r->captured;
	}
}

void rope_contents_captured(struct contents *c)
{
	struct rope_contents *r = (struct rope_contents *)c;
	SCOPED_LOCK(&r->lock);

	/* A base that nothing was done to since stays one. */
	if (rope_contents_is_stored(r))
		set_base(r, &r->stored, r->size);
	else if (r->captured != r->version)
		drop_base(r);
	r->captured = r->version;
	rope_free(r->older);
	r->older = NULL;
	/* Without memory all is new the next time. */
	if (rope_clone(r->rope, &r->older) < 0)
		r->older = NULL;
}

/* ---- storing ---- */

struct stream {
	struct rope *rope;
	uint64_t offset;
};

static ssize_t next_bytes(void *context, void *buffer, size_t size)
{
	struct stream *stream = context;
	ssize_t n = rope_read(stream->rope, buffer, size, stream->offset);

	if (n > 0)
		stream->offset += n;
	return n;
}

static int store_whole(struct rope_contents *r, struct odb *odb,
		       struct oid *ret_oid)
{
	scoped_free char *data = malloc(r->size + 1);
	ssize_t n;

	if (!data)
		return -ENOMEM;
	n = rope_read(r->rope, data, r->size, 0);
	return n < 0 ? n : odb_write(odb, OBJECT_BLOB, data, n, ret_oid);
}

static int store_blob(struct rope_contents *r, struct odb *odb,
		      struct oid *ret_oid)
{
	struct stream stream = { .rope = r->rope };

	return r->size <= STORE_WHOLE ?
		store_whole(r, odb, ret_oid) :
		odb_write_blob(odb, r->size, next_bytes, &stream, ret_oid);
}

/* A snapshot that is stored again, after a failure elsewhere, costs nothing. */
static void remember(struct rope_contents *r, const struct stored_version *form,
		     struct odb *odb, const struct oid *oid)
{
	bool is_local = odb == pool_local_odb(r->pool);

	if (!r->frozen || (odb != pool_odb(r->pool) && !is_local))
		return;
	r->stored = *form;
	r->stored.is_local = is_local;
	r->stored.version = r->version;
	r->stored.oid = *oid;
}

static int store_as(struct rope_contents *r, const struct stored_version *form,
		    struct odb *odb, struct oid *ret_oid)
{
	struct oid oid;
	int error;
	SCOPED_LOCK(&r->lock);

	if (rope_contents_is_stored(r) &&
	    odb == (r->stored.is_local ? pool_local_odb(r->pool) :
					 pool_odb(r->pool)) &&
	    r->stored.is_rope == form->is_rope &&
	    r->stored.executable == form->executable) {
		*ret_oid = r->stored.oid;
		return 0;
	}
	error = form->is_rope ?
		rope_store(r->rope, odb, form->executable, &oid) :
		store_blob(r, odb, &oid);
	if (error < 0)
		return error;
	remember(r, form, odb, &oid);
	*ret_oid = oid;
	return 0;
}

int rope_contents_store(struct contents *snapshot, struct odb *odb,
			struct oid *ret_oid)
{
	static const struct stored_version blob = { .known = true };

	return store_as((struct rope_contents *)snapshot, &blob, odb, ret_oid);
}

int rope_contents_store_rope(struct contents *snapshot, struct odb *odb,
			     bool executable, struct oid *ret_oid)
{
	const struct stored_version form = {
		.known = true, .is_rope = true, .executable = executable,
	};
	struct rope_contents *r = rope_contents_of(snapshot);
	scoped_rope struct rope *rope = NULL;
	int error;

	if (r)
		return store_as(r, &form, odb, ret_oid);
	error = rope_of_contents(snapshot, &rope);
	return error < 0 ? error : rope_store(rope, odb, executable, ret_oid);
}

/* ---- stored ---- */

/* Takes what is known from the stored rope, and what is new from the present
 * one. */
struct rebuilding {
	struct rope *to, *stored, *now;
};

static int add_rebuilt(void *context, uint64_t offset, uint64_t size,
		       uint64_t from)
{
	struct rebuilding *b = context;

	return from == ROPE_UNKNOWN ?
		rope_insert_rope(b->to, offset, b->now, offset, size) :
		rope_insert_rope(b->to, offset, b->stored, from, size);
}

static int rebuild(struct rope *older, struct rope *now, struct rope *stored,
		   struct rope **ret)
{
	scoped_rope struct rope *to = NULL;
	struct rebuilding b = { .stored = stored, .now = now };
	int r = rope_new(&to);

	b.to = to;
	if (r == 0)
		r = rope_compare(older, now, add_rebuilt, &b);
	if (r == 0)
		*ret = STEAL(to);
	return r;
}

static int load(struct rope_contents *r, const struct stored_version *version,
		uint64_t size, struct rope **ret)
{
	const struct oid *oid = &version->oid;
	struct contents *blob;
	int error;

	if (version->is_rope)
		return rope_load(pool_odb(r->pool), oid, ret);
	error = version->is_local ?
		overlay_new_local(r->pool, oid, size, &blob) :
		overlay_new_stored(r->pool, oid, size, &blob);
	if (error < 0)
		return error;
	error = rope_of_contents(blob, ret);
	contents_unref(blob);
	return error;
}

/* What `version` of the contents was is stored now: what is left of it is read
 * from there.  Older objects may vanish from the repository, and bytes in memory
 * and in the log need not be kept.  When it fails all stays as it is. */
static void move_base(struct rope_contents *r, struct rope *then,
		      const struct stored_version *version, uint64_t size)
{
	scoped_rope struct rope *stored = NULL, *now = NULL, *older = NULL;
	int error = load(r, version, size, &stored);

	if (error < 0 || rope_size(stored) != size)
		return;
	error = r->version == version->version ?
			rope_clone(stored, &now) :
			rebuild(then, r->rope, stored, &now);
	if (error == 0 && r->captured != version->version)
		error = rebuild(then, r->older, stored, &older);
	if (error < 0 || rope_size(now) != r->size)
		return;
	/* What is newer is in there, but nothing that comes. */
	rope_source_unref(STEAL(r->log));
	rope_free(r->rope);
	rope_free(r->older);
	r->rope = STEAL(now);
	r->older = older ? STEAL(older) : STEAL(stored);
	r->spilled = 0;
}

/* Where the tree cannot be read from there: what changes next is stored in as
 * few objects all the same. */
static void remember_snapshot(struct rope_contents *r, struct contents *snapshot,
			      bool is_rope)
{
	struct rope_contents *s = is_rope ? rope_contents_of(snapshot) : NULL;

	if (!s) {
		rope_forget(r->rope);
		return;
	}
	SCOPED_LOCK(&s->lock);
	rope_remember(r->rope, s->rope);
}

/* What the snapshot had, as far as we know that. */
static int rope_then(struct rope_contents *r, struct contents *snapshot,
		     uint64_t version, struct rope **ret)
{
	struct rope_contents *s = rope_contents_of(snapshot);

	if (s) {
		SCOPED_LOCK(&s->lock);
		return rope_clone(s->rope, ret);
	}
	return r->captured == version ? rope_clone(r->older, ret) : -ENOENT;
}

static bool header_of(struct rope_contents *r, const struct oid *oid,
		      struct stored_version *ret)
{
	struct rope_header header;

	if (rope_read_header(pool_odb(r->pool), oid, &header) < 0)
		return false;
	ret->executable = header.executable;
	return true;
}

void rope_contents_stored(struct contents *c, struct contents *snapshot,
			  const struct oid *oid, enum contents_place place)
{
	struct rope_contents *r = (struct rope_contents *)c;
	struct stored_version stored = {
		.known = true, .is_rope = place == CONTENTS_AS_ROPE,
		.is_local = place == CONTENTS_AS_LOCAL, .oid = *oid,
	};
	scoped_rope struct rope *then = NULL;
	struct contents_changes changes;

	contents_changes(snapshot, &changes);
	if (changes.id != r->id ||
	    (stored.is_rope && !header_of(r, oid, &stored)))
		return;
	stored.version = changes.version;
	SCOPED_LOCK(&r->lock);
	/* An older snapshot than the last one has nothing to tell. */
	if (r->stored.known && stored.version < r->stored.version)
		return;
	r->stored = stored;
	remember_snapshot(r, snapshot, stored.is_rope);
	if (r->captured == stored.version)
		set_base(r, &stored, changes.size);
	if (r->older && rope_then(r, snapshot, stored.version, &then) == 0)
		move_base(r, then, &stored, changes.size);
}
