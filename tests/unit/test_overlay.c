/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include "tests/unit/contents_pool.h"
#include "store/tree.h"

static void truncating_down_and_up_gives_zeros(void **state)
{
	struct fixture f;
	struct contents *c;

	fixture_open(&f, 0, 0);
	c = stored_file(&f, 3 * BLOCK, 1);
	assert_int_equal(contents_truncate(c, 1000), 0);
	assert_int_equal(contents_truncate(c, 3 * BLOCK), 0);
	assert_pattern(c, 1000, 0, 1);
	assert_zeros(c, 3 * BLOCK - 1000, 1000);
	put(c, 5000, 500, 2);
	assert_int_equal(contents_truncate(c, 600), 0);
	assert_int_equal(contents_truncate(c, 9000), 0);
	assert_pattern(c, 500, 0, 1);
	assert_pattern(c, 100, 500, 2);
	assert_zeros(c, 8400, 600);
	contents_unref(c);
	fixture_close(&f);
}

static void small_write_copies_one_block(void **state)
{
	struct fixture f;
	struct contents *c;

	fixture_open(&f, 0, 0);
	c = stored_file(&f, 3 * BLOCK, 1);
	assert_int_equal(f.reads, 0);
	put(c, 4096, BLOCK + 4096, 2);
	assert_int_equal(stats_of(&f).block_bytes, BLOCK);
	assert_pattern(c, BLOCK + 4096, 0, 1);
	assert_pattern(c, 4096, BLOCK + 4096, 2);
	assert_int_equal(contents_size(c), 3 * BLOCK);
	assert_int_equal(f.reads, 1);
	contents_unref(c);
	fixture_close(&f);
}

static void overwriting_a_stored_file_reads_nothing(void **state)
{
	struct fixture f;
	struct contents *c;

	fixture_open(&f, 0, 0);
	c = stored_file(&f, 2 * BLOCK + 100, 1);
	put(c, 2 * BLOCK + 100, 0, 2);
	assert_pattern(c, 2 * BLOCK + 100, 0, 2);
	assert_int_equal(f.reads, 0);
	contents_unref(c);
	fixture_close(&f);
}

static void small_file_takes_little_memory(void **state)
{
	struct fixture f;
	struct contents *c;

	fixture_open(&f, 0, 0);
	c = new_file(&f);
	put(c, 100, 0, 1);
	assert_in_range(stats_of(&f).block_bytes, 100, 128);
	for (size_t at = 100; at < 3 * BLOCK; at += 100)
		put(c, 100, at, 1);
	assert_pattern(c, 100, 2 * BLOCK / 100 * 100, 1);
	assert_int_equal(stats_of(&f).block_bytes, 4 * BLOCK);
	contents_unref(c);
	fixture_close(&f);
}

static void sparse_file_takes_memory_for_data_only(void **state)
{
	struct fixture f;
	struct contents *c, *snapshot;
	uint64_t end = CONTENTS_SIZE_MAX - 1;

	fixture_open(&f, 0, 0);
	c = new_file(&f);
	assert_int_equal(contents_write(c, "x", 1, end), 1);
	assert_int_equal(contents_size(c), CONTENTS_SIZE_MAX);
	assert_int_equal(stats_of(&f).block_bytes, BLOCK);
	assert_zeros(c, BLOCK, (uint64_t)7 << 30);
	assert_int_equal(contents_seek(c, 5, SEEK_HOLE), 5);
	assert_in_range(contents_seek(c, 0, SEEK_DATA), end + 1 - BLOCK, end);
	assert_int_equal(contents_seek(c, end, SEEK_HOLE), CONTENTS_SIZE_MAX);
	assert_int_equal(contents_snapshot(c, &snapshot), 0);
	assert_int_equal(contents_truncate(c, 0), 0);
	assert_int_equal(stats_of(&f).block_bytes, BLOCK);
	assert_bytes(snapshot, "x", 1, end);
	contents_unref(snapshot);
	assert_int_equal(stats_of(&f).block_bytes, 0);
	contents_unref(c);
	fixture_close(&f);
}

static void sizes_beyond_the_limit_are_refused(void **state)
{
	struct fixture f;
	struct contents *c;
	struct oid oid = { { 1 } };

	fixture_open(&f, 0, 0);
	c = new_file(&f);
	assert_int_equal(contents_write(c, "xy", 2, CONTENTS_SIZE_MAX - 1),
			 -EFBIG);
	assert_int_equal(contents_write(c, "x", 1, UINT64_MAX), -EFBIG);
	assert_int_equal(contents_truncate(c, CONTENTS_SIZE_MAX + 1), -EFBIG);
	assert_int_equal(contents_write(c, "x", 0, UINT64_MAX), 0);
	put(c, 10, 0, 1);
	assert_int_equal(contents_read(c, &oid, 10, UINT64_MAX), 0);
	assert_int_equal(contents_zero(c, 5, UINT64_MAX), 0);
	assert_zeros(c, 5, 5);
	assert_int_equal(contents_share(c, 0, c, CONTENTS_SIZE_MAX - 5, 10),
			 -EFBIG);
	assert_int_equal(contents_seek(c, 0, SEEK_SET), -EINVAL);
	assert_int_equal(contents_size(c), 10);
	contents_unref(c);
	assert_int_equal(overlay_new_stored(f.pool, &oid, CONTENTS_SIZE_MAX + 1,
					    &c), -EFBIG);
	fixture_close(&f);
}

static void zeroing_stored_bytes_makes_holes(void **state)
{
	struct fixture f;
	struct contents *c;

	fixture_open(&f, 0, 0);
	c = stored_file(&f, 4 * BLOCK, 1);
	assert_int_equal(contents_zero(c, BLOCK - 10, 2 * BLOCK), 0);
	assert_pattern(c, BLOCK - 10, 0, 1);
	assert_zeros(c, 2 * BLOCK, BLOCK - 10);
	assert_int_equal(contents_seek(c, BLOCK, SEEK_HOLE), BLOCK);
	assert_int_equal(contents_seek(c, BLOCK, SEEK_DATA), 2 * BLOCK);
	assert_int_equal(contents_data_size(c), 3 * BLOCK);
	/* The hole stays one when a block beside it goes. */
	assert_int_equal(contents_zero(c, 0, UINT64_MAX), 0);
	assert_int_equal(stats_of(&f).block_bytes, 0);
	assert_int_equal(contents_seek(c, 0, SEEK_DATA), -ENXIO);
	assert_int_equal(contents_data_size(c), 0);
	assert_zeros(c, 4 * BLOCK, 0);
	contents_unref(c);
	fixture_close(&f);
}

static void holes_begin_at_pages(void **state)
{
	struct fixture f;
	struct contents *c;

	fixture_open(&f, 0, 0);
	c = new_file(&f);
	assert_int_equal(contents_truncate(c, 2 * BLOCK + 4100), 0);
	put(c, 12, 0, 1);
	put(c, 12, 2 * BLOCK + 4000, 1);
	assert_int_equal(contents_seek(c, 4, SEEK_HOLE), 4096);
	assert_int_equal(contents_seek(c, 100, SEEK_DATA), 100);
	assert_int_equal(contents_seek(c, 4096, SEEK_DATA), 2 * BLOCK);
	assert_int_equal(contents_seek(c, 2 * BLOCK, SEEK_HOLE),
			 2 * BLOCK + 4096);
	put(c, 1, 2 * BLOCK + 4097, 1);
	assert_int_equal(contents_seek(c, 2 * BLOCK, SEEK_HOLE),
			 2 * BLOCK + 4100);
	contents_unref(c);
	fixture_close(&f);
}

static void snapshot_keeps_what_it_saw(void **state)
{
	struct fixture f;
	struct contents *c, *snapshot;

	fixture_open(&f, 0, 0);
	c = new_file(&f);
	put(c, 3 * BLOCK, 0, 1);
	assert_int_equal(contents_snapshot(c, &snapshot), 0);
	put(c, 10, BLOCK + 10, 2);
	assert_int_equal(stats_of(&f).block_bytes, 4 * BLOCK);
	assert_int_equal(contents_truncate(c, 2 * BLOCK + 5), 0);
	assert_pattern(snapshot, 3 * BLOCK, 0, 1);
	assert_pattern(c, 10, BLOCK + 10, 2);
	assert_int_equal(contents_write(snapshot, "x", 1, 0), -EROFS);
	assert_int_equal(contents_share(c, 0, snapshot, 0, 1), -EROFS);
	contents_unref(c);
	assert_pattern(snapshot, 3 * BLOCK, 0, 1);
	contents_unref(snapshot);
	fixture_close(&f);
}

/* ---- sharing ---- */

static void copying_a_stored_file_reads_nothing(void **state)
{
	struct fixture f;
	struct contents *a, *b;
	struct oid first, second;

	fixture_open(&f, 0, 0);
	a = stored_file(&f, 3 * BLOCK + 77, 1);
	b = new_file(&f);
	store_file(&f, a, &first);
	assert_int_equal(contents_share(a, 0, b, 0, SIZE_MAX),
			 3 * BLOCK + 77);
	store_file(&f, b, &second);
	assert_true(oid_equal(&first, &second));
	assert_int_equal(f.reads + f.unpacks + f.writes, 0);
	assert_int_equal(stats_of(&f).block_bytes, 0);
	assert_pattern(b, 3 * BLOCK + 77, 0, 1);
	/* No longer than its source was, and now its own. */
	put(b, 10, 0, 2);
	assert_int_equal(contents_truncate(b, 5 * BLOCK), 0);
	assert_zeros(b, 2 * BLOCK - 77, 3 * BLOCK + 77);
	assert_pattern(a, 3 * BLOCK + 77, 0, 1);
	contents_unref(a);
	contents_unref(b);
	fixture_close(&f);
}

static void copying_changed_blocks_takes_no_memory(void **state)
{
	struct fixture f;
	struct contents *a, *b;

	fixture_open(&f, 0, 0);
	a = new_file(&f);
	put(a, 40 << 20, 0, 1);
	b = new_file(&f);
	assert_int_equal(contents_share(a, 0, b, 0, 40 << 20), 40 << 20);
	assert_int_equal(contents_share(a, BLOCK, b, 41 << 20, BLOCK), BLOCK);
	assert_int_equal(stats_of(&f).block_bytes, 40 << 20);
	assert_pattern(b, 40 << 20, 0, 1);
	assert_zeros(b, 1 << 20, 40 << 20);
	contents_unref(a);
	assert_pattern(b, 40 << 20, 0, 1);
	contents_unref(b);
	fixture_close(&f);
}

static void copying_keeps_what_is_behind_the_range(void **state)
{
	struct fixture f;
	struct contents *a, *b;

	fixture_open(&f, 0, 0);
	a = stored_file(&f, BLOCK + 100, 1);
	b = new_file(&f);
	put(b, 3 * BLOCK, 0, 2);
	assert_int_equal(contents_share(a, BLOCK, b, 0, BLOCK), 100);
	assert_int_equal(contents_share(a, 0, b, BLOCK, BLOCK), BLOCK);
	assert_int_equal(contents_share(a, BLOCK + 200, b, 0, BLOCK), 0);
	assert_int_equal(contents_size(b), 3 * BLOCK);
	assert_pattern(b, BLOCK, BLOCK, 1);
	contents_unref(b);

	b = new_file(&f);
	put(b, 2 * BLOCK, 0, 2);
	assert_int_equal(contents_share(a, 0, b, 0, 50), 50);
	assert_pattern(b, 50, 0, 1);
	contents_unref(a);
	contents_unref(b);
	fixture_close(&f);
}

/* The base of both is the blob as stored last, but the source still reads from
 * the one before, which is at hand: that one lacks what the source changed. */
static void copy_does_not_see_an_older_blob(void **state)
{
	struct fixture f;
	struct contents *a, *b;
	struct oid oid;

	fixture_open(&f, 0, 64 << 20);
	a = stored_file(&f, 8 * BLOCK, 1);
	assert_pattern(a, 100, 0, 1);
	put(a, BLOCK, 5 * BLOCK, 2);
	store_file(&f, a, &oid);
	assert_int_equal(overlay_new_stored(f.pool, &oid, 8 * BLOCK, &b), 0);
	assert_int_equal(contents_share(a, 6 * BLOCK, b, 6 * BLOCK, BLOCK * 2),
			 2 * BLOCK);
	assert_pattern(b, BLOCK, 5 * BLOCK, 2);
	contents_unref(a);
	contents_unref(b);
	fixture_close(&f);
}

/* ---- storing ---- */

static void bytes_copied_after_the_snapshot_survive_storing(void **state)
{
	struct fixture f;
	struct contents *a, *b, *snapshot;
	struct oid oid;

	fixture_open(&f, 0, 0);
	a = stored_file(&f, 4 * BLOCK, 1);
	b = new_file(&f);
	assert_int_equal(contents_share(a, 0, b, 0, BLOCK), BLOCK);
	assert_int_equal(contents_snapshot(b, &snapshot), 0);
	assert_int_equal(contents_share(a, BLOCK, b, BLOCK, 3 * BLOCK),
			 3 * BLOCK);
	assert_int_equal(contents_store(snapshot, &f.odb, &oid), 0);
	contents_stored_as(b, snapshot, MODE_FILE, &oid);
	assert_pattern(b, 4 * BLOCK, 0, 1);
	contents_unref(snapshot);
	contents_unref(a);
	contents_unref(b);
	fixture_close(&f);
}

static void storing_unchanged_contents_costs_nothing(void **state)
{
	struct fixture f;
	struct contents *c;
	struct oid first, second;

	fixture_open(&f, 0, 0);
	c = new_file(&f);
	put(c, 2 * BLOCK, 0, 1);
	store_file(&f, c, &first);
	assert_int_equal(f.writes, 1);
	store_file(&f, c, &second);
	assert_int_equal(f.writes, 1);
	assert_true(oid_equal(&first, &second));
	put(c, 1, 5, 3);
	store_file(&f, c, &second);
	assert_int_equal(f.writes, 2);
	assert_false(oid_equal(&first, &second));
	contents_unref(c);
	fixture_close(&f);
}

static void empty_file_is_the_empty_blob(void **state)
{
	struct fixture f;
	struct contents *c;
	struct oid oid, empty;

	fixture_open(&f, 0, 0);
	c = new_file(&f);
	store_file(&f, c, &oid);
	assert_int_equal(oid_parse("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
				   &empty), 0);
	assert_true(oid_equal(&oid, &empty));
	contents_unref(c);
	assert_int_equal(overlay_new_stored(f.pool, &oid, 0, &c), 0);
	put(c, 3, 1, 1);
	assert_int_equal(contents_size(c), 4);
	contents_unref(c);
	fixture_close(&f);
}

static void large_file_streams_with_its_holes(void **state)
{
	struct fixture f;
	struct contents *c, *again;
	struct oid oid;

	fixture_open(&f, 0, 64 << 20);
	c = new_file(&f);
	put(c, 100, 3 << 20, 1);
	assert_int_equal(contents_truncate(c, 5 << 20), 0);
	store_file(&f, c, &oid);
	assert_int_equal(overlay_new_stored(f.pool, &oid, 5 << 20, &again), 0);
	assert_zeros(again, 3 << 20, 0);
	assert_pattern(again, 100, 3 << 20, 1);
	assert_zeros(again, (2 << 20) - 100, (3 << 20) + 100);
	assert_int_equal(f.unpacks, 1);
	contents_unref(c);
	contents_unref(again);
	fixture_close(&f);
}

static void change_after_the_snapshot_survives_storing(void **state)
{
	struct fixture f;
	struct contents *c, *snapshot;
	struct oid oid;

	fixture_open(&f, 3 * BLOCK, 0);
	c = new_file(&f);
	put(c, 3 * BLOCK, 0, 1);
	assert_int_equal(contents_snapshot(c, &snapshot), 0);
	assert_int_equal(contents_store(snapshot, &f.odb, &oid), 0);
	put(c, 10, BLOCK + 10, 2);
	assert_int_equal(contents_truncate(c, 2 * BLOCK), 0);
	contents_stored_as(c, snapshot, MODE_FILE, &oid);
	contents_unref(snapshot);
	assert_int_equal(contents_truncate(c, 3 * BLOCK), 0);
	/* Press everything out of memory. */
	snapshot = new_file(&f);
	put(snapshot, 4 * BLOCK, 0, 3);
	assert_pattern(c, BLOCK, 0, 1);
	assert_pattern(c, 10, BLOCK + 10, 2);
	assert_zeros(c, BLOCK, 2 * BLOCK);
	contents_unref(snapshot);
	contents_unref(c);
	fixture_close(&f);
}

static void file_does_not_depend_on_another_ones_blob(void **state)
{
	struct fixture f;
	struct contents *a, *b, *other;
	struct oid oid;

	fixture_open(&f, 2 * BLOCK, 0);
	a = new_file(&f);
	put(a, 2 * BLOCK, 0, 1);
	b = new_file(&f);
	assert_int_equal(contents_share(a, 0, b, 0, BLOCK), BLOCK);
	store_file(&f, b, &oid);
	store_file(&f, a, &oid);
	put(a, 1, BLOCK + 1, 3);
	store_file(&f, a, &f.gone);
	other = new_file(&f);
	put(other, 3 * BLOCK, 0, 3);
	assert_pattern(b, BLOCK, 0, 1);
	put(b, 10, 100, 2);
	assert_pattern(b, 100, 0, 1);
	assert_pattern(b, 10, 100, 2);
	contents_unref(a);
	contents_unref(b);
	contents_unref(other);
	fixture_close(&f);
}

static void damage_is_reported_and_spoils_nothing_else(void **state)
{
	struct fixture f;
	struct contents *c, *wrong;
	struct oid oid;
	char byte;

	fixture_open(&f, 0, 0);
	c = stored_file(&f, 2 * BLOCK, 1);
	store_file(&f, c, &oid);
	assert_int_equal(overlay_new_stored(f.pool, &oid, BLOCK, &wrong), 0);
	assert_int_equal(contents_read(wrong, &byte, 1, 0), -EUCLEAN);
	f.fail = -EIO;
	assert_int_equal(contents_read(c, &byte, 1, 0), -EIO);
	assert_int_equal(contents_write(c, "x", 1, 5), -EIO);
	assert_int_equal(contents_truncate(c, 2 * BLOCK + 5), 0);
	f.fail = 0;
	assert_pattern(c, 2 * BLOCK, 0, 1);
	contents_unref(wrong);
	contents_unref(c);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(truncating_down_and_up_gives_zeros),
		cmocka_unit_test(small_write_copies_one_block),
		cmocka_unit_test(overwriting_a_stored_file_reads_nothing),
		cmocka_unit_test(small_file_takes_little_memory),
		cmocka_unit_test(sparse_file_takes_memory_for_data_only),
		cmocka_unit_test(sizes_beyond_the_limit_are_refused),
		cmocka_unit_test(zeroing_stored_bytes_makes_holes),
		cmocka_unit_test(holes_begin_at_pages),
		cmocka_unit_test(snapshot_keeps_what_it_saw),
		cmocka_unit_test(copying_a_stored_file_reads_nothing),
		cmocka_unit_test(copying_changed_blocks_takes_no_memory),
		cmocka_unit_test(copying_keeps_what_is_behind_the_range),
		cmocka_unit_test(copy_does_not_see_an_older_blob),
		cmocka_unit_test(
			bytes_copied_after_the_snapshot_survive_storing),
		cmocka_unit_test(storing_unchanged_contents_costs_nothing),
		cmocka_unit_test(empty_file_is_the_empty_blob),
		cmocka_unit_test(large_file_streams_with_its_holes),
		cmocka_unit_test(change_after_the_snapshot_survives_storing),
		cmocka_unit_test(file_does_not_depend_on_another_ones_blob),
		cmocka_unit_test(damage_is_reported_and_spoils_nothing_else),
	};

	return cmocka_run_group_tests_name("overlay", tests, NULL, NULL);
}
