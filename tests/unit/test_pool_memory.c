/* SPDX-License-Identifier: ISC */
#include "tests/failing.h"
#include "tests/unit/contents_pool.h"

/* Pools when memory ends. */

#define BLOCKS 10

/* A write that finds no memory for its bytes moves others to the spill file. */
static void blocks_make_room_for_others(void **state)
{
	scoped_free unsigned char *data = pattern(BLOCK, BLOCKS);
	struct fixture f;
	struct contents *c;
	bool made_room = false;

	fixture_open(&f, 0, 0);
	c = new_file(&f);
	for (unsigned int i = 0; i < BLOCKS; i++)
		put(c, BLOCK, i * BLOCK, i);
	for (unsigned int k = 1; !made_room && k < 100; k++) {
		ssize_t r;

		fail_in = k;
		r = contents_write(c, data, BLOCK, BLOCKS * BLOCK);
		made_room = r == (ssize_t)BLOCK && !fail_in;
		fail_in = 0;
		assert_true(r == (ssize_t)BLOCK || r == -ENOMEM);
		assert_int_equal(contents_truncate(c, BLOCKS * BLOCK), 0);
	}
	assert_true(made_room);
	assert_int_equal(stats_of(&f).spill_bytes, BLOCKS * BLOCK);
	for (unsigned int i = 0; i < BLOCKS; i++)
		assert_pattern(c, BLOCK, i * BLOCK, i);
	contents_unref(c);
	fixture_close(&f);
}

static void cached_blobs_give_way(void **state)
{
	struct fixture f;
	struct contents *c;

	fixture_open(&f, 0, 0);
	c = stored_file(&f, 2 * BLOCK, 1);
	assert_pattern(c, 2 * BLOCK, 0, 1);
	assert_int_equal(stats_of(&f).blob_bytes, 2 * BLOCK);
	pool_give_way(f.pool);
	assert_int_equal(stats_of(&f).blob_bytes, 0);
	assert_pattern(c, 2 * BLOCK, 0, 1);
	contents_unref(c);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_make_room_for_others),
		cmocka_unit_test(cached_blobs_give_way),
	};

	return cmocka_run_group_tests_name("pool_memory", tests, NULL, NULL);
}
