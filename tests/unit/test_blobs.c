/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include "tests/unit/contents_pool.h"
#include "store/blobs.h"

#define SMALL 1000
#define LARGE 5000

static struct blobs *open_blobs(struct fixture *f, uint64_t memory,
				uint64_t files)
{
	struct blobs_options options = {
		.odb = &f->odb, .memory_budget = memory, .file_budget = files,
		.memory_max = 2000,
	};
	struct blobs *blobs;

	fixture_open(f, 0, 0);
	options.dir_fd = f->fd;
	assert_int_equal(blobs_new(&options, &blobs), 0);
	return blobs;
}

static struct blob *get(struct fixture *f, struct blobs *blobs, size_t size,
			unsigned int seed)
{
	scoped_free unsigned char *data = pattern(size, seed);
	struct blob *blob;
	struct oid oid;

	assert_int_equal(odb_write(f->inner, OBJECT_BLOB, data, size, &oid), 0);
	assert_int_equal(blobs_get(blobs, &oid, size, &blob), 0);
	return blob;
}

static void assert_blob(struct blob *blob, size_t size, unsigned int seed)
{
	scoped_free unsigned char *data = pattern(size, seed);
	scoped_free unsigned char *read = malloc(size);

	assert_int_equal(blob_read(blob, read, size, 0), 0);
	assert_memory_equal(read, data, size);
	assert_int_equal(blob_read(blob, read, 10, size - 10), 0);
	assert_memory_equal(read, data + size - 10, 10);
}

static uint64_t memory_bytes(struct blobs *blobs)
{
	struct blobs_stats stats;

	blobs_get_stats(blobs, &stats);
	return stats.memory_bytes;
}

static uint64_t file_bytes(struct blobs *blobs)
{
	struct blobs_stats stats;

	blobs_get_stats(blobs, &stats);
	return stats.file_bytes;
}

static void least_recently_used_blob_leaves_memory(void **state)
{
	struct fixture f;
	struct blobs *blobs = open_blobs(&f, 2 * SMALL, 0);
	struct blob *a = get(&f, blobs, SMALL, 1);
	struct blob *b = get(&f, blobs, SMALL, 2);
	struct blob *c = get(&f, blobs, SMALL, 3);

	assert_blob(a, SMALL, 1);
	assert_blob(b, SMALL, 2);
	assert_blob(a, SMALL, 1);
	assert_blob(c, SMALL, 3);
	assert_int_equal(f.reads, 3);
	assert_int_equal(memory_bytes(blobs), 2 * SMALL);
	assert_blob(a, SMALL, 1);
	assert_int_equal(f.reads, 3);
	assert_blob(b, SMALL, 2);
	assert_int_equal(f.reads, 4);
	blob_unref(a);
	blob_unref(b);
	blob_unref(c);
	blobs_free(blobs);
	fixture_close(&f);
}

static void blob_is_kept_after_use(void **state)
{
	struct fixture f;
	struct blobs *blobs = open_blobs(&f, SMALL, LARGE);

	for (int i = 0; i < 3; i++) {
		struct blob *small = get(&f, blobs, SMALL, 1);
		struct blob *large = get(&f, blobs, LARGE, 1);

		assert_blob(small, SMALL, 1);
		assert_blob(large, LARGE, 1);
		blob_unref(small);
		blob_unref(large);
	}
	assert_int_equal(f.reads, 1);
	assert_int_equal(f.unpacks, 1);
	blobs_free(blobs);
	fixture_close(&f);
}

static void files_in_use_are_kept_beyond_the_budget(void **state)
{
	struct fixture f;
	struct blobs *blobs = open_blobs(&f, 0, LARGE);
	struct blob *blob[BLOB_FILES_KEPT + 1];

	for (int i = 0; i < BLOB_FILES_KEPT; i++)
		blob[i] = get(&f, blobs, LARGE, i);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < BLOB_FILES_KEPT; i++)
			assert_blob(blob[i], LARGE, i);
	assert_int_equal(f.unpacks, BLOB_FILES_KEPT);
	blob[BLOB_FILES_KEPT] = get(&f, blobs, LARGE, BLOB_FILES_KEPT);
	assert_blob(blob[BLOB_FILES_KEPT], LARGE, BLOB_FILES_KEPT);
	assert_int_equal(file_bytes(blobs), BLOB_FILES_KEPT * LARGE);
	assert_false(blob_is_near(blob[0]));
	assert_true(blob_is_near(blob[1]));
	for (int i = 0; i <= BLOB_FILES_KEPT; i++)
		blob_unref(blob[i]);
	assert_int_equal(file_bytes(blobs), LARGE);
	blobs_free(blobs);
	fixture_close(&f);
}

static void wrong_size_is_damage(void **state)
{
	struct fixture f;
	struct blobs *blobs = open_blobs(&f, SMALL, LARGE);
	struct blob *small = get(&f, blobs, SMALL, 1), *large, *wrong;
	char byte;

	large = get(&f, blobs, LARGE, 1);
	assert_int_equal(blobs_get(blobs, blob_oid(small), SMALL - 1, &wrong),
			 0);
	assert_int_equal(blob_read(wrong, &byte, 1, 0), -EUCLEAN);
	blob_unref(wrong);
	assert_int_equal(blobs_get(blobs, blob_oid(large), LARGE + 1, &wrong),
			 0);
	assert_int_equal(blob_read(wrong, &byte, 1, 0), -EUCLEAN);
	blob_unref(wrong);
	assert_int_equal(memory_bytes(blobs) + file_bytes(blobs), 0);
	assert_blob(small, SMALL, 1);
	assert_blob(large, LARGE, 1);
	blob_unref(small);
	blob_unref(large);
	blobs_free(blobs);
	fixture_close(&f);
}

static void failed_load_may_be_repeated(void **state)
{
	struct fixture f;
	struct blobs *blobs = open_blobs(&f, SMALL, LARGE);
	struct blob *blob = get(&f, blobs, LARGE, 1);
	char byte;

	assert_int_equal(blob_read_loaded(blob, &byte, 1, 0), -EAGAIN);
	f.fail = -EIO;
	assert_int_equal(blob_read(blob, &byte, 1, 0), -EIO);
	f.fail = -ENOSPC;
	f.unpacks = 0;
	assert_int_equal(blob_read(blob, &byte, 1, 0), -ENOSPC);
	assert_int_equal(f.unpacks, 2);
	f.fail = 0;
	assert_blob(blob, LARGE, 1);
	assert_int_equal(blob_read_loaded(blob, &byte, 1, 0), 0);
	blob_unref(blob);
	blobs_free(blobs);
	fixture_close(&f);
}

static void *read_blob(void *argument)
{
	scoped_free unsigned char *data = pattern(LARGE, 1);
	unsigned char read[LARGE];

	if (blob_read(argument, read, LARGE, 0) < 0 ||
	    memcmp(read, data, LARGE) != 0)
		abort();
	return NULL;
}

static void concurrent_readers_load_once(void **state)
{
	struct fixture f;
	struct blobs *blobs = open_blobs(&f, SMALL, LARGE);
	struct blob *blob = get(&f, blobs, LARGE, 1);
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_blob,
						blob), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(f.unpacks, 1);
	blob_unref(blob);
	blobs_free(blobs);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(least_recently_used_blob_leaves_memory),
		cmocka_unit_test(blob_is_kept_after_use),
		cmocka_unit_test(files_in_use_are_kept_beyond_the_budget),
		cmocka_unit_test(wrong_size_is_damage),
		cmocka_unit_test(failed_load_may_be_repeated),
		cmocka_unit_test(concurrent_readers_load_once),
	};

	return cmocka_run_group_tests_name("blobs", tests, NULL, NULL);
}
