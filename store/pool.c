/* SPDX-License-Identifier: ISC */
#include "store/pool.h"

#include <assert.h>
#include <errno.h>
#include <sys/statvfs.h>
#include <utlist.h>

#define OVERSHOOT_MOST ((size_t)1 << 20)

static int make_blobs(struct pool *pool)
{
	const struct pool_options *options = &pool->options;
	struct blobs_options o = {
		.odb = options->odb,
		.local = options->local,
		.dir_fd = options->dir_fd,
		.memory_budget = options->blob_budget,
		.file_budget = options->file_budget,
		.memory_max = options->blob_max ? options->blob_max
						: POOL_BLOB_MAX,
	};

	return blobs_new(&o, &pool->blobs);
}

int pool_new(const struct pool_options *options, struct pool **ret_pool)
{
	scoped_free struct pool *pool = calloc(1, sizeof(*pool));
	int r;

	if (!pool)
		return -ENOMEM;
	pool->options = *options;
	r = make_blobs(pool);
	if (r < 0)
		return r;
	r = spill_init(&pool->spill, options->dir_fd);
	if (r < 0)
		goto free_blobs;
	pthread_mutex_init(&pool->lock, NULL);
	r = block_new_stored(pool, NULL, 0, 0, &pool->zero);
	if (r < 0)
		goto free_spill;
	*ret_pool = STEAL(pool);
	return 0;
free_spill:
	pthread_mutex_destroy(&pool->lock);
	spill_release(&pool->spill);
free_blobs:
	blobs_free(pool->blobs);
	return r;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	block_unref(pool->zero);
	assert(!pool->bytes && !pool->resident && !pool->spilled);
	assert(!pool->clean_bytes && !pool->spilled_bytes);
	for (size_t i = 0; i < pool->buffer_count; i++)
		free(pool->buffers[i]);
	blobs_free(pool->blobs);
	spill_release(&pool->spill);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

struct odb *pool_odb(struct pool *pool)
{
	return pool->options.odb;
}

struct odb *pool_local_odb(struct pool *pool)
{
	return pool->options.local;
}

uint64_t pool_new_id(struct pool *pool)
{
	return ++pool->last_id;
}

void pool_get_stats(struct pool *pool, struct pool_stats *ret)
{
	struct pool_stats stats = { .spill_bytes = spill_bytes(&pool->spill) };
	struct blobs_stats blobs;

	blobs_get_stats(pool->blobs, &blobs);
	stats.blob_bytes = blobs.memory_bytes;
	stats.file_bytes = blobs.file_bytes;
	stats.blob_hits = blobs.hits;
	stats.blob_misses = blobs.misses;
	pthread_mutex_lock(&pool->lock);
	stats.block_bytes = pool->bytes;
	pthread_mutex_unlock(&pool->lock);
	*ret = stats;
}

/* ---- lists ---- */

static void unlist_locked(struct block *block)
{
	struct pool *pool = block->pool;

	if (block->list == BLOCK_RESIDENT) {
		DL_DELETE(pool->resident, block);
		pool->resident_count--;
	} else if (block->list == BLOCK_SPILLED) {
		DL_DELETE(pool->spilled, block);
		pool->spilled_count--;
	}
	block->list = BLOCK_UNLISTED;
}

void pool_unlist_block(struct block *block)
{
	SCOPED_LOCK(&block->pool->lock);

	unlist_locked(block);
}

void pool_list_block(struct block *block)
{
	struct pool *pool = block->pool;
	SCOPED_LOCK(&pool->lock);

	unlist_locked(block);
	if (block->data) {
		DL_APPEND(pool->resident, block);
		pool->resident_count++;
		block->list = BLOCK_RESIDENT;
	} else if (block->slot != SPILL_NONE && block->origin) {
		DL_APPEND(pool->spilled, block);
		pool->spilled_count++;
		block->list = BLOCK_SPILLED;
	}
}

/* ---- room ---- */

/* Whether the block, next under the clock hand, is to go; it is locked then. */
static bool choose_locked(struct block *block, bool only_clean)
{
	if (!only_clean && atomic_exchange_explicit(&block->used, false,
						    memory_order_relaxed))
		return false;
	if (pthread_mutex_trylock(&block->lock) != 0)
		return false;
	if (!only_clean || block->origin)
		return true;
	pthread_mutex_unlock(&block->lock);
	return false;
}

/* A victim, locked and unlisted; NULL when all blocks are in use just now.  Two
 * turns of the clock: the first may have met nothing but used ones. */
static struct block *pick_locked(struct pool *pool, bool only_clean)
{
	size_t steps = pool->resident_count * 2;

	while (steps--) {
		struct block *block = pool->resident;

		if (choose_locked(block, only_clean)) {
			unlist_locked(block);
			return block;
		}
		/* The list is a ring to its head: this moves it to the end. */
		DL_DELETE(pool->resident, block);
		DL_APPEND(pool->resident, block);
	}
	return NULL;
}

/* Bytes beyond the budget that may wait for pool_trim_blocks. */
static size_t overshoot(const struct pool *pool)
{
	size_t part = pool->options.block_budget / 64;

	return part < OVERSHOOT_MOST ? part : OVERSHOOT_MOST;
}

/* Accounts for bytes and evicts until that many are not exceeded.  If the spill
 * file is full, clean blocks may still give room.  When other threads hold all
 * blocks for the moment, more are taken rather than waited for. */
static int reserve(struct pool *pool, size_t bytes, size_t most)
{
	int error = 0, r;

	pthread_mutex_lock(&pool->lock);
	pool->bytes += bytes;
	while (pool->bytes > most) {
		struct block *victim = pick_locked(pool, error < 0);

		if (!victim)
			break;
		pthread_mutex_unlock(&pool->lock);
		r = block_evict(victim, error < 0);
		if (r < 0)
			error = r;
		pthread_mutex_lock(&pool->lock);
	}
	r = pool->bytes > most ? error : 0;
	if (r < 0)
		pool->bytes -= bytes;
	pthread_mutex_unlock(&pool->lock);
	return r;
}

bool pool_is_full(struct pool *pool)
{
	bool full = false;
	SCOPED_LOCK(&pool->lock);

	if (pool->bytes + BLOCK_SIZE > pool->options.block_budget &&
	    pool->resident &&
	    pthread_mutex_trylock(&pool->resident->lock) == 0) {
		full = !pool->resident->origin;
		pthread_mutex_unlock(&pool->resident->lock);
	}
	return full;
}

void pool_trim_blocks(struct pool *pool)
{
	/* What does not go now fails the next who needs room. */
	(void)reserve(pool, 0, pool->options.block_budget);
}

static bool evict_one(struct pool *pool)
{
	struct block *victim;

	pthread_mutex_lock(&pool->lock);
	victim = pick_locked(pool, false);
	pthread_mutex_unlock(&pool->lock);
	return victim && block_evict(victim, false) == 0;
}

static void drop_buffers(struct pool *pool)
{
	SCOPED_LOCK(&pool->lock);

	while (pool->buffer_count)
		free(pool->buffers[--pool->buffer_count]);
}

void pool_give_way(struct pool *pool)
{
	size_t left;

	pthread_mutex_lock(&pool->lock);
	left = pool->resident_count;
	pthread_mutex_unlock(&pool->lock);
	blobs_give_way(pool->blobs);
	while (left && evict_one(pool))
		left--;
	drop_buffers(pool);
}

static char *reuse_buffer(struct pool *pool)
{
	SCOPED_LOCK(&pool->lock);

	return pool->buffer_count ? pool->buffers[--pool->buffer_count] : NULL;
}

/* The disk is asked once for so many bytes, and each time when it is full. */
#define UNASKED_MAX ((size_t)1 << 20)

static uint64_t disk_room(const struct pool *pool)
{
	struct statvfs v;

	if (fstatvfs(pool->options.dir_fd, &v) < 0)
		return UINT64_MAX;
	return (uint64_t)v.f_bavail * v.f_frsize;
}

/* All changed bytes, and trees, journal and attributes. */
uint64_t pool_room_needed(struct pool *pool)
{
	SCOPED_LOCK(&pool->lock);
	uint64_t bytes = pool->bytes - pool->clean_bytes + pool->spilled_bytes;

	return bytes + bytes / 8 + 2 * UNASKED_MAX;
}

static bool must_ask(struct pool *pool, size_t bytes)
{
	SCOPED_LOCK(&pool->lock);

	pool->unasked_bytes += bytes;
	return pool->unasked_bytes > UNASKED_MAX && !pool->replays;
}

void pool_begin_replay(struct pool *pool)
{
	SCOPED_LOCK(&pool->lock);

	pool->replays++;
}

void pool_end_replay(struct pool *pool)
{
	SCOPED_LOCK(&pool->lock);

	pool->replays--;
}

/* Fails while there is still somebody to tell: later on there would be no room
 * to store what programs have written and closed. */
int pool_ask_disk(struct pool *pool, size_t bytes)
{
	uint64_t needed, room;

	if (!must_ask(pool, bytes))
		return 0;
	needed = pool_room_needed(pool) + bytes;
	room = disk_room(pool);
	if (room < needed && spill_trim(&pool->spill, 0))
		room = disk_room(pool);
	if (room < needed)
		return -ENOSPC;
	SCOPED_LOCK(&pool->lock);
	pool->unasked_bytes = 0;
	return 0;
}

void pool_trim_spill(struct pool *pool)
{
	spill_trim(&pool->spill, disk_room(pool));
}

void pool_count_clean(struct pool *pool, uint32_t capacity, bool clean)
{
	SCOPED_LOCK(&pool->lock);

	if (clean)
		pool->clean_bytes += capacity;
	else
		pool->clean_bytes -= capacity;
}

void pool_count_spilled(struct block *block, uint32_t bytes)
{
	SCOPED_LOCK(&block->pool->lock);

	block->pool->spilled_bytes += bytes;
	block->pool->spilled_bytes -= block->slot_bytes;
	block->slot_bytes = bytes;
}

int pool_buffer_new(struct pool *pool, uint32_t capacity, char **ret_data)
{
	char *data = NULL;
	int r = pool_ask_disk(pool, capacity);

	if (r == 0)
		r = reserve(pool, capacity,
			    pool->options.block_budget + overshoot(pool));
	if (r < 0)
		return r;
	if (capacity == BLOCK_SIZE)
		data = reuse_buffer(pool);
	if (!data)
		data = malloc(capacity);
	if (!data) {
		pool_give_way(pool);
		data = malloc(capacity);
	}
	if (!data) {
		SCOPED_LOCK(&pool->lock);
		pool->bytes -= capacity;
		return -ENOMEM;
	}
	*ret_data = data;
	return 0;
}

void pool_buffer_free(struct pool *pool, char *data, uint32_t capacity)
{
	scoped_free char *extra = data;
	SCOPED_LOCK(&pool->lock);

	pool->bytes -= capacity;
	if (capacity == BLOCK_SIZE && pool->buffer_count < POOL_BUFFERS)
		pool->buffers[pool->buffer_count++] = STEAL(extra);
}

/* ---- clean spilled blocks ---- */

/* Beyond the budget the oldest one that nobody uses just now; locked. */
static struct block *pick_spilled(struct pool *pool)
{
	SCOPED_LOCK(&pool->lock);
	struct block *block;

	if ((uint64_t)pool->spilled_count * BLOCK_SIZE <=
	    pool->options.file_budget)
		return NULL;
	DL_FOREACH(pool->spilled, block) {
		if (pthread_mutex_trylock(&block->lock) != 0)
			continue;
		unlist_locked(block);
		return block;
	}
	return NULL;
}

void pool_trim_spilled(struct pool *pool)
{
	struct block *block;

	while ((block = pick_spilled(pool)))
		block_drop_slot(block);
}
