/* SPDX-License-Identifier: ISC */
#include "store/pool.h"

#include <assert.h>
#include <errno.h>

/* ---- making and freeing ---- */

static struct block *allocate(struct pool *pool)
{
	struct block *block = calloc(1, sizeof(*block));

	if (!block)
		return NULL;
	atomic_init(&block->refs, 1);
	block->pool = pool;
	block->slot = SPILL_NONE;
	pthread_mutex_init(&block->lock, NULL);
	return block;
}

int block_new(struct pool *pool, uint32_t capacity, struct block **ret_block)
{
	struct block *block = allocate(pool);
	int r;

	if (!block)
		return -ENOMEM;
	r = pool_buffer_new(pool, capacity, &block->data);
	if (r < 0) {
		block_unref(block);
		return r;
	}
	block->capacity = capacity;
	*ret_block = block;
	return 0;
}

int block_new_spilled(struct pool *pool, struct block **ret_block)
{
	struct block *block;
	uint32_t slot;
	int r = pool_ask_disk(pool, BLOCK_SIZE);

	if (r == 0)
		r = spill_take(&pool->spill, &slot);
	if (r < 0)
		return r;
	block = allocate(pool);
	if (!block) {
		spill_drop(&pool->spill, slot);
		return -ENOMEM;
	}
	block->slot = slot;
	*ret_block = block;
	return 0;
}

int block_new_stored(struct pool *pool, struct blob *origin, uint64_t offset,
		     uint32_t length, struct block **ret_block)
{
	struct block *block = allocate(pool);

	if (!block)
		return -ENOMEM;
	block->length = length;
	block->origin = blob_ref(origin);
	block->origin_offset = offset;
	*ret_block = block;
	return 0;
}

static void lose_slot(struct block *block)
{
	if (block->slot_bytes)
		pool_count_spilled(block, 0);
	if (block->slot != SPILL_NONE &&
	    spill_drop(&block->pool->spill, block->slot))
		pool_trim_spill(block->pool);
	block->slot = SPILL_NONE;
}

static void lose_data(struct block *block)
{
	if (block->data && block->origin)
		pool_count_clean(block->pool, block->capacity, false);
	if (block->data)
		pool_buffer_free(block->pool, block->data, block->capacity);
	block->data = NULL;
	block->capacity = 0;
}

static void lose_origin(struct block *block)
{
	if (block->data && block->origin)
		pool_count_clean(block->pool, block->capacity, false);
	blob_unref(block->origin);
	block->origin = NULL;
}

static void block_free(struct block *block)
{
	/* An eviction may be under way: wait for it, then leave the lists, so
	 * that no other finds the block. */
	pthread_mutex_lock(&block->lock);
	if (block->list != BLOCK_UNLISTED)
		pool_unlist_block(block);
	lose_slot(block);
	lose_data(block);
	lose_origin(block);
	pthread_mutex_unlock(&block->lock);
	pthread_mutex_destroy(&block->lock);
	free(block);
}

void block_unref(struct block *block)
{
	if (block && atomic_fetch_sub_explicit(&block->refs, 1,
					       memory_order_acq_rel) == 1)
		block_free(block);
}

/* ---- reading ---- */

/* Bytes below the length. */
static int read_bytes(struct block *block, void *data, uint32_t from,
		      uint32_t size)
{
	struct blob *origin = NULL;
	uint64_t offset = 0;
	int r = 0;

	atomic_store_explicit(&block->used, true, memory_order_relaxed);
	pthread_mutex_lock(&block->lock);
	if (block->data) {
		memcpy(data, block->data + from, size);
	} else if (block->slot != SPILL_NONE) {
		r = spill_read(&block->pool->spill, block->slot, data, from,
			       size);
	} else {
		origin = blob_ref(block->origin);
		offset = block->origin_offset + from;
	}
	pthread_mutex_unlock(&block->lock);
	if (!origin)
		return r;
	r = blob_read(origin, data, size, offset);
	blob_unref(origin);
	return r;
}

int block_read(struct block *block, void *data, uint32_t from, uint32_t size)
{
	uint32_t have = 0;
	int r = 0;

	if (from < block->length)
		have = block->length - from;
	if (have > size)
		have = size;
	if (have)
		r = read_bytes(block, data, from, have);
	if (have < size)
		memset((char *)data + have, 0, size - have);
	return r;
}

void block_publish(struct block *block, uint32_t length)
{
	SCOPED_LOCK(&block->lock);

	block->length = length;
	pool_list_block(block);
}

bool block_is_stored(struct block *block)
{
	SCOPED_LOCK(&block->lock);

	return !block->data && block->slot == SPILL_NONE && block->origin;
}

/* ---- writing ---- */

/* A block that is about to change is not what its origin holds. */
static void make_dirty(struct block *block)
{
	if (!block->origin)
		return;
	lose_origin(block);
	if (block->slot != SPILL_NONE)
		pool_count_spilled(block, block->length);
	if (block->list == BLOCK_SPILLED)
		pool_list_block(block);
}

static uint32_t grown(uint32_t capacity, uint32_t to)
{
	uint32_t twice = capacity * 2;

	if (to < twice)
		to = twice;
	return to < BLOCK_SIZE ? to : BLOCK_SIZE;
}

/* The block is locked meanwhile: room for it is never made by evicting it. */
static int grow(struct block *block, uint32_t to)
{
	uint32_t capacity = grown(block->capacity, to);
	char *data;
	int r = pool_buffer_new(block->pool, capacity, &data);

	if (r < 0)
		return r;
	memcpy(data, block->data, block->length);
	lose_data(block);
	block->data = data;
	block->capacity = capacity;
	return 0;
}

int block_prepare(struct block *block, uint32_t to)
{
	SCOPED_LOCK(&block->lock);

	if (!block->data && block->slot == SPILL_NONE)
		return 1;
	make_dirty(block);
	if (block->data && block->capacity < to)
		return grow(block, to);
	return 0;
}

bool block_prepare_whole(struct block *block, uint32_t to)
{
	SCOPED_LOCK(&block->lock);

	if (block->data ? block->capacity < to : block->slot == SPILL_NONE)
		return false;
	make_dirty(block);
	return true;
}

static int write_spilled(struct block *block, const void *data, uint32_t from,
			 uint32_t to)
{
	static const char zeros[BLOCK_SIZE];
	struct spill *spill = &block->pool->spill;
	int r = 0;

	if (from > block->length)
		r = spill_write(spill, block->slot, zeros, block->length,
				from - block->length);
	if (r < 0)
		return r;
	return spill_write(spill, block->slot, data ? data : zeros, from,
			   to - from);
}

static void write_memory(struct block *block, const void *data, uint32_t from,
			 uint32_t to)
{
	assert(to <= block->capacity);
	if (from > block->length)
		memset(block->data + block->length, 0, from - block->length);
	if (data)
		memcpy(block->data + from, data, to - from);
	else
		memset(block->data + from, 0, to - from);
}

static void note_written(struct block *block, uint32_t to)
{
	if (to > block->length)
		block->length = to;
	if (block->slot != SPILL_NONE && block->length > block->slot_bytes)
		pool_count_spilled(block, block->length);
	if (block->data && block->list == BLOCK_UNLISTED)
		pool_list_block(block);
	if (block->list == BLOCK_RESIDENT)
		atomic_store_explicit(&block->used, true, memory_order_relaxed);
}

int block_write(struct block *block, const void *data, uint32_t from,
		uint32_t to)
{
	int r = 0;
	SCOPED_LOCK(&block->lock);

	if (block->data)
		write_memory(block, data, from, to);
	else
		r = write_spilled(block, data, from, to);
	if (r == 0)
		note_written(block, to);
	return r;
}

static int move_to_memory(char *data, int pipe, uint32_t from, uint32_t *ret_end)
{
	*ret_end = from + read_there(pipe, data + from, BLOCK_SIZE - from);
	return *ret_end < BLOCK_SIZE ? -EIO : 0;
}

int block_move(struct block *block, int pipe, uint32_t from)
{
	uint32_t end;
	int r;
	SCOPED_LOCK(&block->lock);

	assert(from <= block->length);
	assert(!block->data || block->capacity == BLOCK_SIZE);
	if (block->data)
		r = move_to_memory(block->data, pipe, from, &end);
	else
		r = spill_move(&block->pool->spill, block->slot, pipe, from,
			       BLOCK_SIZE, &end);
	note_written(block, end);
	return r;
}

void block_cut(struct block *block, uint32_t length)
{
	SCOPED_LOCK(&block->lock);

	/* Still clean if it was: its origin begins with these bytes. */
	if (length < block->length)
		block->length = length;
}

/* ---- moving between memory, spill file and odb ---- */

static int spill(struct block *block)
{
	struct spill *spill = &block->pool->spill;
	uint32_t slot;
	int r = spill_take(spill, &slot);

	if (r < 0)
		return r;
	r = spill_write(spill, slot, block->data, 0, block->length);
	if (r < 0) {
		spill_drop(spill, slot);
		return r;
	}
	block->slot = slot;
	if (!block->origin)
		pool_count_spilled(block, block->length);
	return 0;
}

int block_evict(struct block *block, bool force)
{
	struct pool *pool = block->pool;
	bool drop = block->origin && (force || blob_is_near(block->origin));
	bool clean;
	int r = drop ? 0 : spill(block);

	if (r == 0)
		lose_data(block);
	if (!drop)
		pool_list_block(block);
	clean = block->origin;
	/* From here on the block may be gone. */
	pthread_mutex_unlock(&block->lock);
	if (clean && !drop)
		pool_trim_spilled(pool);
	return r;
}

void block_drop_slot(struct block *block)
{
	lose_slot(block);
	pthread_mutex_unlock(&block->lock);
}

/* A spilled block that became clean: kept while reading it from the blob would
 * mean unpacking a large one. */
static void settle_spilled(struct block *block)
{
	if (blob_is_near(block->origin))
		lose_slot(block);
	pool_list_block(block);
}

void block_mark_stored(struct block *block, struct blob *blob, uint64_t offset)
{
	SCOPED_LOCK(&block->lock);

	lose_origin(block);
	block->origin = blob_ref(blob);
	block->origin_offset = offset;
	if (block->data)
		pool_count_clean(block->pool, block->capacity, true);
	if (block->slot_bytes)
		pool_count_spilled(block, 0);
	if (block->slot != SPILL_NONE)
		settle_spilled(block);
}
