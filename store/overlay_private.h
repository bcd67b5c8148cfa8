/* SPDX-License-Identifier: ISC */
#ifndef STORE_OVERLAY_PRIVATE_H
#define STORE_OVERLAY_PRIVATE_H

#include "store/overlay_map.h"

/* What changed since the last capture, or since the contents were made.  Of a
 * snapshot: what it has to tell; constant, so without a lock. */
struct tracking {
	uint64_t id;
	uint64_t captured;		/* version then; 0: never */
	bool has_base;			/* that is a blob, base, */
	bool is_local;			/* of the local face */
	struct oid base;
	uint64_t base_size;		/* then */
	uint64_t low;			/* the smallest size since */
	struct ranges ranges;
};

/* What overlay*.c share.
 *
 * A byte of the file below its size is
 *   the block's, where the map has one (zero behind the block's length),
 *   otherwise the base's, below base_limit,
 *   otherwise zero.
 * Invariants: base_limit is at most the size and the base's size; a block's
 * bytes end at or before the size.  So truncating down and up gives zeros.
 *
 * All blobs that the file was stored as since it last took bytes of another
 * file agree on the bytes that come from the base, as these never changed.  So
 * the base may be any of them; it is the latest, because older ones may vanish
 * from the repository.  `older` is one that was loaded when the base was stored:
 * used as long as it is at hand and the base is not, so that a large file is not
 * unpacked after each cut.
 */
struct overlay {
	struct contents contents;
	struct pool *pool;		/* constant */
	bool frozen;			/* constant: a snapshot */
	pthread_rwlock_t lock;		/* guards what follows */
	_Atomic uint64_t size;		/* read without the lock */
	_Atomic bool sparse;		/* it may have holes; the same */
	/* Bytes of data, at that version; by who holds the lock shared, too. */
	_Atomic uint64_t counted, counted_version;
	struct map map;
	struct blob *base, *older;	/* or NULL */
	uint64_t base_limit;
	/* Counts changes; a snapshot has the count of the moment. */
	uint64_t version;
	struct blob *stored;		/* what stored_version is stored as */
	uint64_t stored_version;
	uint64_t shared_version;	/* when blocks of other files came last */
	struct tracking tracking;
};

static inline uint64_t block_index(uint64_t offset)
{
	return offset / BLOCK_SIZE;
}

/* Number of blocks that size bytes take. */
static inline uint64_t block_count(uint64_t size)
{
	return (size + BLOCK_SIZE - 1) / BLOCK_SIZE;
}

static inline bool overlay_is_stored(const struct overlay *o)
{
	return o->stored && o->stored_version == o->version;
}

/* Locks one exclusively and another shared, in an order that cannot deadlock.
 * They may be the same. */
void overlay_lock_pair(struct overlay *exclusive, struct overlay *shared);
void overlay_unlock_pair(struct overlay *exclusive, struct overlay *shared);

/* The functions below need o->lock. */

ssize_t overlay_read_locked(struct overlay *o, void *data, size_t size,
			    uint64_t offset);

/* Bytes of one block, whether the map has it or not. */
int overlay_read_block_locked(struct overlay *o, uint64_t index, void *data,
			      uint32_t from, uint32_t size);

/* ---- overlay_write.c: and these need it exclusively ---- */

/* Bytes [offset, end) are about to change. */
void overlay_note_locked(struct overlay *o, uint64_t offset, uint64_t end);

ssize_t overlay_write(struct contents *c, const void *data, size_t size,
		      uint64_t offset);
ssize_t overlay_move(struct contents *c, int pipe, size_t size,
		     uint64_t offset);
int overlay_truncate(struct contents *c, uint64_t size);
int overlay_zero(struct contents *c, uint64_t offset, uint64_t length);

ssize_t overlay_write_locked(struct overlay *o, const void *data, size_t size,
			     uint64_t offset);

/* What the map holds for a block without bytes; a new reference. */
struct block *overlay_hole_locked(struct overlay *o, uint64_t index);

/* ---- overlay_share.c ---- */

ssize_t overlay_share(struct contents *from, uint64_t from_offset,
		      struct contents *to, uint64_t to_offset, size_t length);

/* ---- overlay_store.c ---- */

int overlay_store(struct contents *c, struct odb *odb, struct oid *ret_oid);
void overlay_stored(struct contents *c, struct contents *snapshot,
		    const struct oid *oid, enum contents_place place);

/* ---- overlay_tracking.c ---- */

void tracking_init(struct tracking *t, struct pool *pool);
/* The contents is the blob, as stored. */
void tracking_set_base(struct tracking *t, const struct blob *blob,
		       uint64_t size);
/* -ENOMEM. */
int tracking_copy(const struct tracking *t, struct tracking *ret_copy);
/* Nothing changed since. */
void tracking_clear(struct tracking *t);

void overlay_changes(struct contents *snapshot, struct contents_changes *ret);
void overlay_captured(struct contents *c);

#endif
