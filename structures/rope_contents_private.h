/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_ROPE_CONTENTS_PRIVATE_H
#define STRUCTURES_ROPE_CONTENTS_PRIVATE_H

#include "structures/rope_contents.h"
#include "structures/rope_private.h"
#include "structures/rope_store.h"

/* What rope_contents*.c share. */

/* What a version of the contents is stored as. */
struct stored_version {
	bool known;
	bool is_rope, executable;	/* as a rope, with that bit; or a blob, */
	bool is_local;			/* in the pool's local odb */
	uint64_t version;
	struct oid oid;
};

/* Contents, or a snapshot of them.
 *
 * What the journal is to tell counts from the base: the version `captured`, or,
 * if has_base, what that is stored as.  `older` is that version, as far as the
 * rope has anything in common with it; NULL: nothing is known, all is new.
 */
struct rope_contents {
	struct contents contents;
	struct pool *pool;		/* constant */
	bool frozen;			/* constant: a snapshot */
	pthread_mutex_t lock;		/* guards what follows */
	struct rope *rope;
	_Atomic uint64_t size;		/* read without the lock */
	uint64_t version;		/* counts changes */
	struct stored_version stored;
	uint64_t id;			/* constant */
	uint64_t captured;		/* 0: never */
	bool has_base, base_is_local;
	struct oid base;
	uint64_t base_size;		/* of either */
	struct rope *older;
	/* New bytes go there; NULL: there is none yet. */
	struct rope_source *log;
	uint64_t spilled;		/* memory after the last spill */

	/* Of a snapshot, constant: how it is made of the base. */
	uint64_t low;
	struct contents_move *moves;
	size_t move_count;
	struct ranges ranges;
};

extern const struct contents_ops rope_contents_ops;

static inline struct rope_contents *rope_contents_of(struct contents *c)
{
	return c->ops == &rope_contents_ops ? (struct rope_contents *)c : NULL;
}

static inline bool rope_contents_is_stored(const struct rope_contents *r)
{
	return r->stored.known && r->stored.version == r->version;
}

static inline void rope_freep(struct rope **rope)
{
	rope_free(*rope);
}

#define scoped_rope scoped(rope_freep)

/* A new one without a rope; the caller gives it one. */
int rope_contents_make(struct pool *pool, uint64_t id,
		       struct rope_contents **ret);

/* ---- rope_contents_source.c: bytes that the pool has ---- */

/* Bytes of contents, whose reference it takes, on failure too. */
int contents_source_new(struct contents *c, struct rope_source **ret);
/* NULL: another kind of source. */
struct contents *contents_source_of(struct rope_source *source);

/* A rope of all bytes of contents, which it refers to. */
int rope_of_contents(struct contents *c, struct rope **ret);

/* Puts bytes of the log in; they are new to rope_compare.  r->lock is held. */
int rope_contents_log(struct rope_contents *r, struct rope *rope,
		      uint64_t offset, const void *data, size_t size);

/* Moves bytes to the log if there are too many in memory, and to a new one if this
 * one has mostly what was overwritten since. */
void rope_contents_trim(struct rope_contents *r);

/* contents_stretch of a rope; offset < end <= its size. */
int rope_contents_find(struct rope *rope, uint64_t offset, uint64_t end,
		       bool *ret_data, uint64_t *ret_end);

/* ---- rope_contents_store.c ---- */

/* Fills in what a snapshot has to tell; its rope is there. */
int rope_contents_compare(struct rope_contents *snapshot, struct rope *older);

void rope_contents_changes(struct contents *snapshot,
			   struct contents_changes *ret);
void rope_contents_captured(struct contents *c);
int rope_contents_store(struct contents *snapshot, struct odb *odb,
			struct oid *ret_oid);
int rope_contents_store_rope(struct contents *snapshot, struct odb *odb,
			     bool executable, struct oid *ret_oid);
void rope_contents_stored(struct contents *c, struct contents *snapshot,
			  const struct oid *oid, enum contents_place place);

#endif
