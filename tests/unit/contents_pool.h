/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_CONTENTS_POOL_H
#define TESTS_UNIT_CONTENTS_POOL_H

#include "tests/test.h"
#include "store/overlay.h"
#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* A pool over an odb in memory that can be made to fail. */

#define BLOCK ((size_t)65536)

struct fixture {
	struct odb odb;			/* passes on to inner */
	struct odb *inner;
	struct odb *local;		/* in memory, too */
	struct pool *pool;
	int fd;
	int fail;			/* what reads return, if not 0 */
	struct oid gone;		/* a blob that reads do not find */
	_Atomic unsigned int reads, unpacks, writes;
};

static int fixture_check(struct fixture *f, const struct oid *oid)
{
	return oid_equal(oid, &f->gone) ? -EIO : f->fail;
}

static int fixture_read(struct odb *odb, const struct oid *oid,
			enum object_type *ret_type, void **ret_data,
			size_t *ret_size)
{
	struct fixture *f = (struct fixture *)odb;
	int r = fixture_check(f, oid);

	f->reads++;
	return r < 0 ? r : f->inner->ops->read(f->inner, oid, ret_type,
					       ret_data, ret_size);
}

static int fixture_read_header(struct odb *odb, const struct oid *oid,
			       enum object_type *ret_type, uint64_t *ret_size)
{
	struct fixture *f = (struct fixture *)odb;
	int r = fixture_check(f, oid);

	return r < 0 ? r : odb_read_header(f->inner, oid, ret_type, ret_size);
}

static int fixture_unpack(struct odb *odb, const struct oid *oid, int fd)
{
	struct fixture *f = (struct fixture *)odb;
	int r = fixture_check(f, oid);

	f->unpacks++;
	return r < 0 ? r : odb_unpack(f->inner, oid, fd);
}

static int fixture_write(struct odb *odb, enum object_type type,
			 const void *data, size_t size, struct oid *ret_oid)
{
	struct fixture *f = (struct fixture *)odb;

	f->writes++;
	return odb_write(f->inner, type, data, size, ret_oid);
}

static int fixture_write_blob(struct odb *odb, uint64_t size,
			      odb_source *source, void *context,
			      struct oid *ret_oid)
{
	struct fixture *f = (struct fixture *)odb;

	f->writes++;
	return odb_write_blob(f->inner, size, source, context, ret_oid);
}

static const struct odb_ops fixture_ops = {
	.read = fixture_read,
	.read_header = fixture_read_header,
	.unpack = fixture_unpack,
	.write = fixture_write,
	.write_blob = fixture_write_blob,
};

/* Budgets of 0 stand for plenty. */
static inline void fixture_open(struct fixture *f, size_t block_budget,
				uint64_t file_budget)
{
	struct pool_options options = {
		.odb = &f->odb,
		.block_budget = block_budget ? block_budget : 64 << 20,
		.blob_budget = 16 << 20,
		.file_budget = file_budget,
		.blob_max = 4 * BLOCK,
	};

	*f = (struct fixture){ .odb.ops = &fixture_ops };
	assert_int_equal(memory_odb_new(&f->inner), 0);
	assert_int_equal(memory_odb_new(&f->local), 0);
	options.local = f->local;
	memset(&f->gone, 0xff, sizeof(f->gone));
	f->fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->fd >= 0);
	options.dir_fd = f->fd;
	assert_int_equal(pool_new(&options, &f->pool), 0);
}

static inline void fixture_close(struct fixture *f)
{
	struct pool_stats stats;

	pool_get_stats(f->pool, &stats);
	assert_int_equal(stats.block_bytes, 0);
	assert_int_equal(stats.spill_bytes, 0);
	pool_free(f->pool);
	odb_free(f->inner);
	odb_free(f->local);
	close(f->fd);
}

/* Bytes that differ from one place and seed to the next. */
static inline unsigned char *pattern(size_t size, unsigned int seed)
{
	unsigned char *data = malloc(size + 1);

	assert_non_null(data);
	for (size_t i = 0; i < size; i++)
		data[i] = (i * 2654435761u + i / 251 + seed * 97) >> 3;
	return data;
}

static inline void put(struct contents *c, size_t size, uint64_t offset,
		       unsigned int seed)
{
	scoped_free unsigned char *data = pattern(size, seed);

	assert_int_equal(contents_write(c, data, size, offset), size);
}

static inline void assert_bytes(struct contents *c, const void *data,
				size_t size, uint64_t offset)
{
	scoped_free unsigned char *read = malloc(size + 1);

	assert_non_null(read);
	memset(read, 0xee, size);
	assert_int_equal(contents_read(c, read, size, offset), size);
	assert_memory_equal(read, data, size);
}

static inline void assert_pattern(struct contents *c, size_t size,
				  uint64_t offset, unsigned int seed)
{
	scoped_free unsigned char *data = pattern(size, seed);

	assert_bytes(c, data, size, offset);
}

static inline void assert_zeros(struct contents *c, size_t size,
				uint64_t offset)
{
	scoped_free unsigned char *zeros = calloc(1, size + 1);

	assert_bytes(c, zeros, size, offset);
}

/* A stored file that holds the pattern. */
static inline struct contents *stored_file(struct fixture *f, size_t size,
					   unsigned int seed)
{
	scoped_free unsigned char *data = pattern(size, seed);
	struct contents *c;
	struct oid oid;

	assert_int_equal(odb_write(f->inner, OBJECT_BLOB, data, size, &oid), 0);
	assert_int_equal(overlay_new_stored(f->pool, &oid, size, &c), 0);
	return c;
}

static inline struct contents *new_file(struct fixture *f)
{
	struct contents *c;

	assert_int_equal(overlay_new(f->pool, &c), 0);
	return c;
}

/* What a cut does. */
static inline void store_file(struct fixture *f, struct contents *c,
			      struct oid *ret_oid)
{
	struct contents *snapshot;

	assert_int_equal(contents_snapshot(c, &snapshot), 0);
	assert_int_equal(contents_store(snapshot, &f->odb, ret_oid), 0);
	contents_stored_as(c, snapshot, MODE_FILE, ret_oid);
	contents_unref(snapshot);
}

static inline struct pool_stats stats_of(struct fixture *f)
{
	struct pool_stats stats;

	pool_get_stats(f->pool, &stats);
	return stats;
}

#endif
