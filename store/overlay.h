/* SPDX-License-Identifier: ISC */
#ifndef STORE_OVERLAY_H
#define STORE_OVERLAY_H

#include "store/contents.h"

/* The built-in kind of contents: blocks of changed bytes over a stored blob.
 *
 * Blocks (64 KiB, the last one of a small file as small as it can be) live in
 * memory up to the pool's budget; the least recently used beyond it move to a
 * spill file in the store's private folder.  Blobs that are read are cached in
 * memory up to the pool's blob budget; blobs of more than POOL_BLOB_MAX bytes
 * are unpacked once into an unlinked cache file and read from there.
 */

#define POOL_BLOB_MAX ((uint64_t)8 << 20)

struct pool;

struct pool_options {
	struct odb *odb;	/* where stored blobs are; outlives the pool */
	struct odb *local;	/* those that Git does not have; same; or NULL */
	int dir_fd;		/* folder for spill and cache files; outlives it */
	size_t block_budget;	/* bytes of changed blocks in memory */
	size_t blob_budget;	/* bytes of cached blobs in memory */
	uint64_t file_budget;	/* bytes of cache files kept when unused; as much
				 * again of spilled blocks that are stored too */
	uint64_t blob_max;	/* 0: POOL_BLOB_MAX */
};

/* Errors of open(2) for the spill file. */
int pool_new(const struct pool_options *options, struct pool **ret_pool);
void pool_free(struct pool *pool);	/* no contents may be left */

/* Bytes of the disk that publishing what is changed will take, before anything of it
 * goes from memory and spill file.  Where the disk has less than that and what is
 * to be written, writing is refused. */
uint64_t pool_room_needed(struct pool *pool);

/* Between the two, changes are not refused because the disk has no room to store them:
 * what a journal brings back was acknowledged, and is on the disk.  They nest. */
void pool_begin_replay(struct pool *pool);
void pool_end_replay(struct pool *pool);

/* Memory has ended: blocks go to the spill file and cached blobs away, whatever the
 * budgets, so that others find some. */
void pool_give_way(struct pool *pool);

/* Evicts blocks beyond the budget.  Writing makes a few that may wait for this, so
 * that whoever writes is answered before; others evict what is beyond these. */
void pool_trim_blocks(struct pool *pool);

struct pool_stats {
	uint64_t block_bytes, blob_bytes, spill_bytes, file_bytes;
	uint64_t blob_hits, blob_misses;
};
void pool_get_stats(struct pool *pool, struct pool_stats *ret);

/* For other kinds of contents: where stored ones are, and an id for tracking that
 * nothing else in the pool has. */
struct odb *pool_odb(struct pool *pool);
struct odb *pool_local_odb(struct pool *pool);	/* NULL: there is none */
uint64_t pool_new_id(struct pool *pool);

/* Contents of a new, empty file; of a stored blob of known size. */
int overlay_new(struct pool *pool, struct contents **ret);
int overlay_new_stored(struct pool *pool, const struct oid *oid, uint64_t size,
		       struct contents **ret);
/* Of one that is stored in the pool's `local`. */
int overlay_new_local(struct pool *pool, const struct oid *oid, uint64_t size,
		      struct contents **ret);

#endif
