/* SPDX-License-Identifier: ISC */
#ifndef STORE_POOL_H
#define STORE_POOL_H

#include "store/blobs.h"
#include "store/overlay.h"
#include "store/pool_spill.h"

#include <stdatomic.h>

/* What a pool is made of: blocks, the budget for those in memory, and the spill
 * file.  For the overlay alone; others see store/overlay.h.
 *
 * A block holds up to 64 KiB of a file: `length` bytes, behind them zeros.  The
 * bytes are in exactly one place (none if length is 0):
 *   memory    data != NULL
 *   spilled   slot != SPILL_NONE
 *   stored    origin != NULL, and neither of the above
 * A block in memory or spilled may have an origin too: then it is clean, and
 * can become a stored one at any time without loss.
 *
 * Blocks are shared by contents and snapshots through reference counts.  The
 * bytes change only while there is a single reference, whose contents is locked
 * exclusively; nobody else can make a second one then.  So length is constant
 * for whoever holds that lock shared.  Where the bytes are changes any time.
 *
 * Lock order: contents, block->lock, then one of the leaves pool->lock,
 * spill.lock, blobs' lock.  Who makes room picks other contents' blocks under
 * pool->lock and only tries their locks, so it never waits for them.
 */

#define BLOCK_SIZE 65536u

struct block {
	_Atomic unsigned int refs;
	_Atomic bool used;		/* since the clock hand passed */
	uint32_t length;		/* see above */
	struct pool *pool;		/* constant */
	pthread_mutex_t lock;		/* guards what follows */
	char *data;
	uint32_t capacity;		/* bytes of data */
	uint32_t slot;
	uint32_t slot_bytes;		/* counted in pool->spilled_bytes */
	struct blob *origin;		/* holds a reference */
	uint64_t origin_offset;
	/* Changed under block->lock and pool->lock: */
	enum { BLOCK_UNLISTED, BLOCK_RESIDENT, BLOCK_SPILLED } list;
	struct block *prev, *next;	/* guarded by pool->lock */
};

#define POOL_BUFFERS 32

struct pool {
	struct pool_options options;	/* constant */
	struct blobs *blobs;		/* constant */
	struct block *zero;		/* constant: a block without bytes, for
					 * holes over stored bytes */
	struct spill spill;
	_Atomic uint64_t last_id;	/* pool_new_id */
	pthread_mutex_t lock;		/* leaf; guards what follows */
	size_t bytes;			/* of blocks in memory or just being made */
	size_t clean_bytes;		/* those of clean ones */
	uint64_t spilled_bytes;		/* of blocks spilled and not stored */
	size_t unasked_bytes;		/* made since the disk was asked for room */
	unsigned int replays;		/* that run; the disk is not asked */
	struct block *resident;		/* evictable ones, in clock order */
	struct block *spilled;		/* clean spilled ones, oldest first */
	size_t resident_count, spilled_count;
	/* Buffers of BLOCK_SIZE to use again, warm and without system calls. */
	char *buffers[POOL_BUFFERS];
	size_t buffer_count;
};

/* ---- pool.c ---- */

/* A buffer within the budget; evicts other blocks to make room.  -ENOMEM;
 * -ENOSPC: the disk has no room to store all that is changed; and when there is
 * none in the spill file -ENOSPC, -EDQUOT, -EIO. */
int pool_buffer_new(struct pool *pool, uint32_t capacity, char **ret_data);
void pool_buffer_free(struct pool *pool, char *data, uint32_t capacity);

/* Whether another block in memory would put one into the spill file: the next
 * to go is not clean.  A guess: others change it meanwhile. */
bool pool_is_full(struct pool *pool);

/* A locked block in memory became clean, or is clean no longer. */
void pool_count_clean(struct pool *pool, uint32_t capacity, bool clean);

/* So many bytes of the locked block are in the spill file alone. */
void pool_count_spilled(struct block *block, uint32_t bytes);

/* Gives the space of what is unused in the spill file back, where the disk has
 * less than that. */
void pool_trim_spill(struct pool *pool);

/* Whether the disk has room to store all that is changed and so many bytes more:
 * 0 or -ENOSPC. */
int pool_ask_disk(struct pool *pool, size_t bytes);

/* Puts a locked block on the list that it belongs to, or on none. */
void pool_list_block(struct block *block);
void pool_unlist_block(struct block *block);

/* Drops clean spilled blocks beyond the file budget. */
void pool_trim_spilled(struct pool *pool);

/* ---- pool_block.c ---- */

/* An empty block with room for capacity bytes.  It is not evicted, so that its
 * data is the caller's, until it is written to or published.  Errors of
 * pool_buffer_new. */
int block_new(struct pool *pool, uint32_t capacity, struct block **ret_block);

/* An empty block in the spill file, of full size.  Errors of pool_ask_disk and
 * spill_take. */
int block_new_spilled(struct pool *pool, struct block **ret_block);

/* The caller has put length bytes in the data of a new block. */
void block_publish(struct block *block, uint32_t length);

/* A block that is the blob's bytes at offset; takes no memory for them. */
int block_new_stored(struct pool *pool, struct blob *origin, uint64_t offset,
		     uint32_t length, struct block **ret_block);

static inline struct block *block_ref(struct block *block)
{
	atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
	return block;
}
void block_unref(struct block *block);		/* accepts NULL */

static inline bool block_is_exclusive(struct block *block)
{
	return atomic_load_explicit(&block->refs, memory_order_acquire) == 1;
}

/* size bytes at from, zeros behind the length.  Errors of blob_read, -EIO. */
int block_read(struct block *block, void *data, uint32_t from, uint32_t size);

/* Whether the bytes are nowhere but in a blob. */
bool block_is_stored(struct block *block);

/* The functions below are for a block with a single reference. */

/* Makes sure that block_write up to the byte `to` finds room and old bytes; it
 * is no longer clean.  1: it is a stored one, of which a copy must be made.
 * Errors of pool_buffer_new. */
int block_prepare(struct block *block, uint32_t to);

/* Same for a write that leaves none of the old bytes: does nothing and returns
 * false where a new block is better. */
bool block_prepare_whole(struct block *block, uint32_t to);

/* Writes bytes, or zeros if data is NULL, at [from, to) of a prepared block.
 * Cannot fail while it is in memory; -ENOSPC, -EIO. */
int block_write(struct block *block, const void *data, uint32_t from,
		uint32_t to);

/* Writes the bytes [from, BLOCK_SIZE), where all before it are there, out of a pipe
 * that holds as many.  Where that fails (-ENOSPC, -EINVAL, -EIO) those that were
 * taken out are there, as its length says. */
int block_move(struct block *block, int pipe, uint32_t from);

/* Makes it at most length bytes long. */
void block_cut(struct block *block, uint32_t length);

/* ---- states, for pool.c and the overlay ---- */

/* Moves a locked, unlisted block out of memory and unlocks it.  force: a clean
 * one is dropped even where reading it again is expensive.  On an error it is
 * listed again. */
int block_evict(struct block *block, bool force);

/* Drops the slot of a locked, unlisted clean block and unlocks it. */
void block_drop_slot(struct block *block);

/* The bytes are stored in blob at offset, and the block clean.  Of all blobs that
 * have them the last one stored is the least likely to vanish. */
void block_mark_stored(struct block *block, struct blob *blob, uint64_t offset);

#endif
