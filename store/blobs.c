/* SPDX-License-Identifier: ISC */
#include "store/blobs.h"
#include "store/pool_spill.h"
#include "store/util.h"

#include <assert.h>
#include <errno.h>
#include <sys/stat.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

enum blob_state { BLOB_ABSENT, BLOB_LOADING, BLOB_LOADED };

/* The size is part of the key: who announces a wrong one does not disturb
 * others. */
struct blob_key {
	uint64_t size;
	struct oid oid;
	unsigned char local;
};
#define KEY_SIZE (offsetof(struct blob_key, local) + 1)

struct blob {
	struct blob_key key;		/* constant */
	struct blobs *blobs;		/* constant */
	/* Guarded by blobs->lock: */
	unsigned int refs;
	unsigned int pins;		/* reads under way; each has a ref */
	enum blob_state state;
	struct blob *prev, *next;	/* in blobs->memory or ->files if loaded */
	UT_hash_handle hh;
	/* Set by the loader, constant while pinned: */
	char *data;
	int fd;				/* -1 unless it is a file */
};

struct cache {
	struct blob *list;		/* loaded ones, last used last */
	uint64_t bytes, budget;		/* of those, and of those being loaded */
	size_t count;
	size_t kept;			/* that many used last stay if referenced */
};

struct blobs {
	struct blobs_options options;	/* constant */
	pthread_mutex_t lock;		/* leaf */
	pthread_cond_t loaded;		/* some blob left BLOB_LOADING */
	struct blob *all;		/* by key */
	struct cache memory, files;
	uint64_t hits, misses;
};

int blobs_new(const struct blobs_options *options, struct blobs **ret_blobs)
{
	struct blobs *blobs = calloc(1, sizeof(*blobs));

	if (!blobs)
		return -ENOMEM;
	blobs->options = *options;
	blobs->memory.budget = options->memory_budget;
	blobs->memory.kept = 1;
	blobs->files.budget = options->file_budget;
	blobs->files.kept = BLOB_FILES_KEPT;
	pthread_mutex_init(&blobs->lock, NULL);
	pthread_cond_init(&blobs->loaded, NULL);
	*ret_blobs = blobs;
	return 0;
}

void blobs_free(struct blobs *blobs)
{
	struct blob *blob, *next;

	if (!blobs)
		return;
	HASH_ITER(hh, blobs->all, blob, next) {
		assert(!blob->refs);
		HASH_DEL(blobs->all, blob);
		free(blob->data);
		if (blob->fd >= 0)
			close(blob->fd);
		free(blob);
	}
	pthread_cond_destroy(&blobs->loaded);
	pthread_mutex_destroy(&blobs->lock);
	free(blobs);
}

static bool is_small(const struct blob *blob)
{
	return blob->key.size <= blob->blobs->options.memory_max;
}

static struct cache *cache_of(struct blob *blob)
{
	return is_small(blob) ? &blob->blobs->memory : &blob->blobs->files;
}

const struct oid *blob_oid(const struct blob *blob)
{
	return &blob->key.oid;
}

bool blob_is_local(const struct blob *blob)
{
	return blob->key.local;
}

static struct odb *odb_of(const struct blob *blob)
{
	const struct blobs_options *options = &blob->blobs->options;

	return blob->key.local ? options->local : options->odb;
}

/* ---- references ---- */

static struct blob *add_locked(struct blobs *blobs, const struct blob_key *key)
{
	struct blob *blob = calloc(1, sizeof(*blob));

	if (!blob)
		return NULL;
	blob->key = *key;
	blob->blobs = blobs;
	blob->fd = -1;
	HASH_ADD(hh, blobs->all, key, KEY_SIZE, blob);
	if (!blob->hh.tbl) {
		free(blob);
		return NULL;
	}
	return blob;
}

static int get(struct blobs *blobs, const struct blob_key *key,
	       struct blob **ret_blob)
{
	struct blob *blob;
	SCOPED_LOCK(&blobs->lock);

	HASH_FIND(hh, blobs->all, key, KEY_SIZE, blob);
	if (!blob)
		blob = add_locked(blobs, key);
	if (!blob)
		return -ENOMEM;
	blob->refs++;
	*ret_blob = blob;
	return 0;
}

int blobs_get(struct blobs *blobs, const struct oid *oid, uint64_t size,
	      struct blob **ret_blob)
{
	const struct blob_key key = { .size = size, .oid = *oid };

	return get(blobs, &key, ret_blob);
}

int blobs_get_local(struct blobs *blobs, const struct oid *oid, uint64_t size,
		    struct blob **ret_blob)
{
	const struct blob_key key = {
		.size = size, .oid = *oid, .local = 1,
	};

	return get(blobs, &key, ret_blob);
}

struct blob *blob_ref(struct blob *blob)
{
	if (blob) {
		SCOPED_LOCK(&blob->blobs->lock);
		blob->refs++;
	}
	return blob;
}

/* ---- staying within the budgets ---- */

static void forget_locked(struct blob *blob)
{
	HASH_DEL(blob->blobs->all, blob);
	free(blob);
}

static struct blob *pick_locked(struct cache *cache, bool all)
{
	size_t left = cache->count;
	struct blob *blob;

	if (cache->bytes <= cache->budget && !all)
		return NULL;
	DL_FOREACH(cache->list, blob) {
		bool kept = blob->refs && left <= cache->kept && !all;

		if (!blob->pins && !kept)
			return blob;
		left--;
	}
	return NULL;
}

/* Takes what the blob holds. */
static void unload_locked(struct blob *blob, char **ret_data, int *ret_fd)
{
	struct cache *cache = cache_of(blob);

	DL_DELETE(cache->list, blob);
	cache->count--;
	cache->bytes -= blob->key.size;
	blob->state = BLOB_ABSENT;
	*ret_data = STEAL(blob->data);
	*ret_fd = blob->fd;
	blob->fd = -1;
	if (!blob->refs)
		forget_locked(blob);
}

static bool trim_one(struct blobs *blobs, struct cache *cache, bool all)
{
	/* Freed after the lock is gone: both may take their time. */
	scoped_free char *data = NULL;
	scoped_fd int fd = -1;
	SCOPED_LOCK(&blobs->lock);
	struct blob *blob = pick_locked(cache, all);

	if (!blob)
		return false;
	unload_locked(blob, &data, &fd);
	return true;
}

static void trim(struct blobs *blobs, struct cache *cache)
{
	while (trim_one(blobs, cache, false))
		;
}

void blobs_give_way(struct blobs *blobs)
{
	while (trim_one(blobs, &blobs->memory, true))
		;
}

static void drop_unused_files(struct blobs *blobs)
{
	while (trim_one(blobs, &blobs->files, true))
		;
}

void blob_unref(struct blob *blob)
{
	struct blobs *blobs;
	struct cache *cache;
	bool over = false;

	if (!blob)
		return;
	blobs = blob->blobs;
	cache = cache_of(blob);
	pthread_mutex_lock(&blobs->lock);
	if (--blob->refs == 0) {
		if (blob->state == BLOB_ABSENT)
			forget_locked(blob);
		over = cache->bytes > cache->budget;
	}
	pthread_mutex_unlock(&blobs->lock);
	if (over)
		trim(blobs, cache);
}

/* ---- loading ---- */

static int load_memory(struct blob *blob)
{
	void *data;
	size_t size;
	int r = odb_read(odb_of(blob), &blob->key.oid, OBJECT_BLOB, &data,
			 &size);

	if (r < 0)
		return r;
	if (size != blob->key.size) {
		free(data);
		return -EUCLEAN;
	}
	blob->data = data;
	return 0;
}

static int unpack(struct blob *blob)
{
	struct blobs *blobs = blob->blobs;
	scoped_fd int fd = spill_open_file(blobs->options.dir_fd);
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	r = odb_unpack(odb_of(blob), &blob->key.oid, fd);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size != blob->key.size)
		return -EUCLEAN;
	blob->fd = fd;
	fd = -1;
	return 0;
}

static int load(struct blob *blob)
{
	int r;

	if (is_small(blob))
		return load_memory(blob);
	r = unpack(blob);
	if (r == -ENOSPC || r == -EDQUOT) {
		drop_unused_files(blob->blobs);
		r = unpack(blob);
	}
	return r;
}

static void touch_locked(struct blob *blob)
{
	struct cache *cache = cache_of(blob);

	blob->pins++;
	blob->blobs->hits++;
	DL_DELETE(cache->list, blob);
	DL_APPEND(cache->list, blob);
}

/* 1: pinned; 0: the caller is to load it, and it is accounted for; -EAGAIN. */
static int try_pin(struct blob *blob, bool may_load)
{
	struct blobs *blobs = blob->blobs;
	SCOPED_LOCK(&blobs->lock);

	while (blob->state == BLOB_LOADING && may_load)
		pthread_cond_wait(&blobs->loaded, &blobs->lock);
	if (blob->state == BLOB_LOADED) {
		touch_locked(blob);
		return 1;
	}
	if (!may_load)
		return -EAGAIN;
	blob->state = BLOB_LOADING;
	blobs->misses++;
	cache_of(blob)->bytes += blob->key.size;
	return 0;
}

static void end_loading(struct blob *blob, bool loaded)
{
	struct blobs *blobs = blob->blobs;
	struct cache *cache = cache_of(blob);
	SCOPED_LOCK(&blobs->lock);

	if (loaded) {
		blob->state = BLOB_LOADED;
		blob->pins++;
		cache->count++;
		DL_APPEND(cache->list, blob);
	} else {
		blob->state = BLOB_ABSENT;
		cache->bytes -= blob->key.size;
	}
	pthread_cond_broadcast(&blobs->loaded);
}

static int pin(struct blob *blob)
{
	int r = try_pin(blob, true);

	if (r != 0)
		return r;
	/* Room first, so that memory does not exceed the budget meanwhile. */
	trim(blob->blobs, cache_of(blob));
	r = load(blob);
	end_loading(blob, r == 0);
	return r;
}

static void unpin(struct blob *blob)
{
	struct blobs *blobs = blob->blobs;
	struct cache *cache = cache_of(blob);
	bool over;

	pthread_mutex_lock(&blobs->lock);
	over = --blob->pins == 0 && cache->bytes > cache->budget;
	pthread_mutex_unlock(&blobs->lock);
	if (over)
		trim(blobs, cache);
}

/* ---- reading ---- */

static int read_pinned(struct blob *blob, void *data, size_t size,
		       uint64_t offset)
{
	ssize_t n;

	assert(offset <= blob->key.size && size <= blob->key.size - offset);
	if (blob->data) {
		memcpy(data, blob->data + offset, size);
		return 0;
	}
	n = read_fully(blob->fd, data, size, offset);
	if (n < 0)
		return n;
	return (size_t)n == size ? 0 : -EIO;
}

int blob_read(struct blob *blob, void *data, size_t size, uint64_t offset)
{
	int r = pin(blob);

	if (r < 0)
		return r;
	r = read_pinned(blob, data, size, offset);
	unpin(blob);
	return r;
}

int blob_read_loaded(struct blob *blob, void *data, size_t size,
		     uint64_t offset)
{
	int r = try_pin(blob, false);

	if (r < 0)
		return r;
	r = read_pinned(blob, data, size, offset);
	unpin(blob);
	return r;
}

bool blob_is_near(struct blob *blob)
{
	if (is_small(blob))
		return true;
	SCOPED_LOCK(&blob->blobs->lock);
	return blob->state == BLOB_LOADED;
}

void blobs_get_stats(struct blobs *blobs, struct blobs_stats *ret)
{
	SCOPED_LOCK(&blobs->lock);

	*ret = (struct blobs_stats){
		.memory_bytes = blobs->memory.bytes,
		.file_bytes = blobs->files.bytes,
		.hits = blobs->hits,
		.misses = blobs->misses,
	};
}
