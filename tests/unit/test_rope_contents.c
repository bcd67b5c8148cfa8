/* SPDX-License-Identifier: ISC */
#include "tests/unit/contents_pool.h"
#include "store/tree.h"
#include "structures/rope_contents.h"
#include "structures/structures.h"

/* Files as ropes, one behaviour each; model_rope_contents does the rest. */

#define SIZE ((size_t)1 << 20)

static struct fixture f;

static int set_up(void **state)
{
	fixture_open(&f, 0, 0);
	return 0;
}

static int tear_down(void **state)
{
	fixture_close(&f);
	return 0;
}

/* Bytes that repeat nowhere. */
static unsigned char *noise(size_t size)
{
	unsigned char *data = malloc(size);
	uint64_t x = 88172645463325252;

	assert_non_null(data);
	for (size_t i = 0; i < size; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		data[i] = x >> 32;
	}
	return data;
}

static unsigned int store_rope(struct contents *c)
{
	unsigned int before = f.writes;
	struct contents *snapshot;
	struct oid oid;

	assert_int_equal(contents_snapshot(c, &snapshot), 0);
	assert_int_equal(contents_store_as(snapshot, &f.odb, MODE_ROPE, &oid),
			 0);
	contents_stored_as(c, snapshot, MODE_ROPE, &oid);
	contents_unref(snapshot);
	return f.writes - before;
}

/* Without captures nothing is known of the version before, and the rope is not
 * made of what is stored. */
static void what_was_stored_is_not_written_again(void **state)
{
	scoped_free unsigned char *data = noise(SIZE);
	struct contents *c;

	assert_int_equal(rope_contents_new(f.pool, &c), 0);
	assert_int_equal(contents_write(c, data, SIZE, 0), SIZE);
	assert_in_range(store_rope(c), 200, 600);
	assert_int_equal(contents_splice(c, 500000, 0, "x", 1), 0);
	assert_in_range(store_rope(c), 2, 15);
	assert_int_equal(contents_splice(c, 500000, 1, NULL, 0), 0);
	assert_in_range(store_rope(c), 2, 15);
	assert_bytes(c, data, SIZE, 0);
	contents_unref(c);
}

/* ---- the log of new bytes ---- */

static uint64_t taken(void)
{
	struct pool_stats stats;

	pool_get_stats(f.pool, &stats);
	return stats.block_bytes + stats.spill_bytes;
}

static void capture(struct contents *c, struct contents **ret)
{
	assert_int_equal(contents_snapshot(c, ret), 0);
	contents_captured(c);
}

/* Whoever writes the same place over and over does not fill the disk, captured or
 * not. */
static void overwritten_bytes_are_given_up(void **state)
{
	scoped_free unsigned char *data = noise(SIZE);
	struct contents *c, *snapshot;

	assert_int_equal(rope_contents_new(f.pool, &c), 0);
	assert_int_equal(contents_write(c, data, SIZE, 0), SIZE);
	for (int i = 0; i < 20000; i++) {
		size_t at = i * 7919 % (SIZE - 4096);

		assert_int_equal(contents_write(c, data + at, 4096, at), 4096);
		if (i % 1000 == 0) {
			capture(c, &snapshot);
			contents_unref(snapshot);
		}
		assert_in_range(taken(), 0, 3 * (6 << 20));
	}
	assert_bytes(c, data, SIZE, 0);
	contents_unref(c);
}

/* Nor does who never waits until all is stored. */
static void a_log_ends_with_what_is_stored(void **state)
{
	scoped_free unsigned char *data = noise(4096);
	struct contents *c, *snapshot;
	struct oid oid;

	assert_int_equal(rope_contents_new(f.pool, &c), 0);
	assert_int_equal(contents_write(c, data, 4096, 0), 4096);
	for (int i = 0; i < 1000; i++) {
		capture(c, &snapshot);
		assert_int_equal(contents_write(c, data, 4096, 0), 4096);
		assert_int_equal(contents_store(snapshot, &f.odb, &oid), 0);
		contents_stored_as(c, snapshot, MODE_FILE, &oid);
		contents_unref(snapshot);
		assert_in_range(taken(), 0, 4 * BLOCK);
	}
	assert_bytes(c, data, 4096, 0);
	contents_unref(c);
}

static int set_up_all(void **state)
{
	return structures_register();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_was_stored_is_not_written_again),
		TEST(overwritten_bytes_are_given_up),
		TEST(a_log_ends_with_what_is_stored),
	};

	return cmocka_run_group_tests_name("rope_contents", tests, set_up_all,
					   NULL);
}
