/* SPDX-License-Identifier: ISC */
#include "store/overlay_private.h"

#include <errno.h>

/* Up to this size a file is read into memory to be stored; beyond it streams. */
#define STORE_WHOLE ((uint64_t)1 << 20)

/* ---- store ---- */

struct stream {
	struct overlay *o;
	uint64_t offset;
};

static ssize_t next_bytes(void *context, void *buffer, size_t size)
{
	struct stream *stream = context;
	ssize_t n = overlay_read_locked(stream->o, buffer, size,
					stream->offset);

	if (n > 0)
		stream->offset += n;
	return n;
}

static int store_whole(struct overlay *o, struct odb *odb, struct oid *ret_oid)
{
	scoped_free char *data = malloc(o->size + 1);
	ssize_t n;

	if (!data)
		return -ENOMEM;
	n = overlay_read_locked(o, data, o->size, 0);
	if (n < 0)
		return n;
	return odb_write(odb, OBJECT_BLOB, data, n, ret_oid);
}

/* Whether what is stored as that blob is in odb. */
static bool is_in(const struct overlay *o, const struct blob *blob,
		  const struct odb *odb)
{
	const struct pool_options *options = &o->pool->options;

	return odb == (blob_is_local(blob) ? options->local : options->odb);
}

/* 1: it is stored already. */
static int store_locked(struct overlay *o, struct odb *odb,
			struct oid *ret_oid)
{
	struct stream stream = { .o = o };

	if (overlay_is_stored(o) && is_in(o, o->stored, odb)) {
		*ret_oid = *blob_oid(o->stored);
		return 1;
	}
	if (o->size <= STORE_WHOLE)
		return store_whole(o, odb, ret_oid);
	return odb_write_blob(odb, o->size, next_bytes, &stream, ret_oid);
}

/* A snapshot that is stored again, after a failure elsewhere, costs nothing.
 * Without memory it is just done again. */
static void remember(struct overlay *o, struct odb *odb, const struct oid *oid)
{
	const struct pool_options *options = &o->pool->options;
	struct blob *blob;
	int r = odb == options->odb ?
			blobs_get(o->pool->blobs, oid, o->size, &blob) :
		odb == options->local ?
			blobs_get_local(o->pool->blobs, oid, o->size, &blob) :
			-ENOENT;

	if (r < 0)
		return;
	SCOPED_WRITE(&o->lock);
	blob_unref(o->stored);
	o->stored = blob;
	o->stored_version = o->version;
}

int overlay_store(struct contents *c, struct odb *odb, struct oid *ret_oid)
{
	struct overlay *o = (struct overlay *)c;
	struct oid oid;
	int r;

	pthread_rwlock_rdlock(&o->lock);
	r = store_locked(o, odb, &oid);
	pthread_rwlock_unlock(&o->lock);
	if (r < 0)
		return r;
	if (r == 0 && o->frozen)
		remember(o, odb, &oid);
	*ret_oid = oid;
	return 0;
}

/* ---- stored ---- */

/* Same block in both: not changed since the snapshot. */
static void mark_blocks(struct overlay *o, const struct overlay *snapshot,
			struct blob *blob)
{
	for (uint64_t i = map_next(&o->map, 0); i != MAP_END;
	     i = map_next(&o->map, i + 1)) {
		struct block *block = map_get(&o->map, i);

		if (block->length && block == map_get(&snapshot->map, i))
			block_mark_stored(block, blob, i * BLOCK_SIZE);
	}
}

static void replace(struct blob **place, struct blob *blob)
{
	blob_unref(*place);
	*place = blob_ref(blob);
}

/* The base is the latest where possible; see overlay_private.h. */
static void move_base(struct overlay *o, struct blob *blob, uint64_t version)
{
	if (o->base == blob || o->shared_version > version)
		return;
	if (!o->base_limit || blob_is_near(blob))
		replace(&o->older, NULL);
	else if (blob_is_near(o->base))
		replace(&o->older, o->base);
	replace(&o->base, o->base_limit ? blob : NULL);
}

void overlay_stored(struct contents *c, struct contents *snapshot,
		    const struct oid *oid, enum contents_place place)
{
	struct overlay *o = (struct overlay *)c;
	struct overlay *s = (struct overlay *)snapshot;
	struct blobs *blobs = o->pool->blobs;
	struct blob *blob;

	/* What is stored as a rope becomes one first. */
	if (place == CONTENTS_AS_ROPE ||
	    (place == CONTENTS_AS_LOCAL ?
		     blobs_get_local(blobs, oid, s->size, &blob) :
		     blobs_get(blobs, oid, s->size, &blob)) < 0)
		return;
	overlay_lock_pair(o, s);
	/* An older snapshot than the last one has nothing to tell. */
	if (!o->stored || s->version >= o->stored_version) {
		mark_blocks(o, s, blob);
		move_base(o, blob, s->version);
		replace(&o->stored, blob);
		o->stored_version = s->version;
	}
	if (o->tracking.captured == s->version)
		tracking_set_base(&o->tracking, blob, s->size);
	overlay_unlock_pair(o, s);
	blob_unref(blob);
	pool_trim_spilled(o->pool);
}
