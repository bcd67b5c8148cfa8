/* SPDX-License-Identifier: ISC */
#include "tests/unit/contents_pool.h"

/* What a snapshot says, and what it says again after a capture that failed. */
static void capture(struct contents *c, bool succeeds,
		    struct contents **ret_snapshot,
		    struct contents_changes *ret_changes)
{
	assert_int_equal(contents_snapshot(c, ret_snapshot), 0);
	contents_changes(*ret_snapshot, ret_changes);
	if (succeeds)
		contents_captured(c);
}

static void assert_range(const struct contents_changes *changes, size_t i,
			 uint64_t offset, uint64_t end)
{
	assert_true(i < changes->ranges->count);
	assert_int_equal(changes->ranges->at[i].offset, offset);
	assert_int_equal(changes->ranges->at[i].end, end);
}

/* The cost follows the change, not the file. */
static void small_change_of_a_large_file_is_small(void **state)
{
	struct contents_changes changes;
	struct contents *c, *snapshot;
	struct fixture f;

	fixture_open(&f, 0, 0);
	c = stored_file(&f, 100 * BLOCK, 1);
	put(c, 4096, 50 * BLOCK, 2);
	capture(c, true, &snapshot, &changes);
	assert_int_equal(changes.base, CONTENTS_STORED);
	assert_int_equal(changes.base_size, 100 * BLOCK);
	assert_int_equal(changes.low, UINT64_MAX);
	assert_int_equal(changes.ranges->count, 1);
	assert_range(&changes, 0, 50 * BLOCK, 50 * BLOCK + 4096);
	contents_unref(snapshot);
	put(c, 100, 7, 3);
	capture(c, true, &snapshot, &changes);
	assert_int_equal(changes.base, CONTENTS_CAPTURED);
	assert_int_equal(changes.ranges->count, 1);
	assert_range(&changes, 0, 7, 107);
	contents_unref(snapshot);
	contents_unref(c);
	fixture_close(&f);
}

static void what_is_stored_needs_no_bytes(void **state)
{
	struct contents_changes changes;
	struct contents *c, *snapshot;
	struct fixture f;
	struct oid oid;

	fixture_open(&f, 0, 0);
	c = new_file(&f);
	put(c, 1000, 0, 1);
	store_file(&f, c, &oid);
	capture(c, true, &snapshot, &changes);
	assert_int_equal(changes.base, CONTENTS_STORED);
	assert_true(oid_equal(&changes.oid, &oid));
	assert_int_equal(changes.ranges->count, 0);
	contents_unref(snapshot);
	/* A copy of a stored file is that blob too. */
	contents_unref(c);
	c = stored_file(&f, 3 * BLOCK, 4);
	snapshot = c;
	c = new_file(&f);
	assert_int_equal(contents_share(snapshot, 0, c, 0, 3 * BLOCK),
			 3 * BLOCK);
	contents_unref(snapshot);
	capture(c, true, &snapshot, &changes);
	assert_int_equal(changes.base, CONTENTS_STORED);
	assert_int_equal(changes.ranges->count, 0);
	contents_unref(snapshot);
	contents_unref(c);
	fixture_close(&f);
}

/* What Git is not to have is stored elsewhere, and read back from there; a file
 * that comes or goes is stored whole where it was not. */
static void local_blobs_are_a_base_of_their_own(void **state)
{
	struct contents_changes changes;
	struct contents *c, *snapshot;
	struct fixture f;
	struct oid oid, same;
	enum object_type type;

	fixture_open(&f, 0, 0);
	c = new_file(&f);
	put(c, 3 * BLOCK, 0, 1);
	assert_int_equal(contents_snapshot(c, &snapshot), 0);
	assert_int_equal(contents_store(snapshot, f.local, &oid), 0);
	assert_int_equal(odb_read_header(f.inner, &oid, &type, NULL), -EIO);
	contents_captured(c);
	contents_stored_local(c, snapshot, &oid);
	contents_unref(snapshot);
	put(c, 10, 5, 2);
	capture(c, true, &snapshot, &changes);
	assert_int_equal(changes.base, CONTENTS_STORED_LOCAL);
	assert_true(oid_equal(&changes.oid, &oid));
	assert_int_equal(changes.ranges->count, 1);
	assert_range(&changes, 0, 5, 15);
	contents_unref(snapshot);
	contents_unref(c);
	/* opened anew, and never read */
	assert_int_equal(overlay_new_local(f.pool, &oid, 3 * BLOCK, &c), 0);
	capture(c, false, &snapshot, &changes);
	assert_int_equal(changes.base, CONTENTS_STORED_LOCAL);
	assert_int_equal(contents_store(snapshot, &f.odb, &same), 0);
	assert_true(oid_equal(&same, &oid));
	assert_int_equal(odb_read_header(f.inner, &oid, &type, NULL), 0);
	contents_unref(snapshot);
	assert_pattern(c, 3 * BLOCK, 0, 1);
	contents_unref(c);
	fixture_close(&f);
}

static void failed_capture_is_told_again(void **state)
{
	struct contents_changes first, second;
	struct contents *c, *one, *two;
	struct fixture f;

	fixture_open(&f, 0, 0);
	c = new_file(&f);
	put(c, 100, 0, 1);
	capture(c, false, &one, &first);
	put(c, 100, 200, 2);
	capture(c, true, &two, &second);
	assert_int_equal(second.base, CONTENTS_EMPTY);
	assert_int_equal(second.id, first.id);
	assert_true(second.version > first.version);
	assert_int_equal(second.ranges->count, 2);
	assert_range(&second, 0, 0, 100);
	assert_range(&second, 1, 200, 300);
	/* what the first one says stays true of it */
	assert_int_equal(first.ranges->count, 1);
	assert_range(&first, 0, 0, 100);
	contents_unref(one);
	contents_unref(two);
	contents_unref(c);
	fixture_close(&f);
}

static void shrinking_is_remembered(void **state)
{
	struct contents_changes changes;
	struct contents *c, *snapshot;
	struct fixture f;

	fixture_open(&f, 0, 0);
	c = stored_file(&f, 1000, 1);
	assert_int_equal(contents_truncate(c, 300), 0);
	assert_int_equal(contents_truncate(c, 2000), 0);
	capture(c, true, &snapshot, &changes);
	assert_int_equal(changes.low, 300);
	assert_int_equal(changes.size, 2000);
	assert_int_equal(changes.ranges->count, 0);
	contents_unref(snapshot);
	capture(c, true, &snapshot, &changes);
	assert_int_equal(changes.base, CONTENTS_CAPTURED);
	assert_int_equal(changes.low, UINT64_MAX);
	contents_unref(snapshot);
	contents_unref(c);
	fixture_close(&f);
}

/* A write that fails leaves the size as it was, and no range behind it. */
static void failed_write_says_nothing_behind_the_end(void **state)
{
	struct contents_changes changes;
	struct contents *c, *snapshot;
	struct fixture f;

	fixture_open(&f, 0, 0);
	c = stored_file(&f, BLOCK + 1000, 1);
	f.fail = -EIO;
	assert_int_equal(contents_write(c, "x", 1, BLOCK + 2000), -EIO);
	f.fail = 0;
	assert_int_equal(contents_size(c), BLOCK + 1000);
	capture(c, true, &snapshot, &changes);
	assert_int_equal(changes.size, BLOCK + 1000);
	assert_int_equal(changes.ranges->count, 0);
	contents_unref(snapshot);
	contents_unref(c);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_change_of_a_large_file_is_small),
		cmocka_unit_test(what_is_stored_needs_no_bytes),
		cmocka_unit_test(local_blobs_are_a_base_of_their_own),
		cmocka_unit_test(failed_capture_is_told_again),
		cmocka_unit_test(shrinking_is_remembered),
		cmocka_unit_test(failed_write_says_nothing_behind_the_end),
	};

	return cmocka_run_group_tests_name("overlay_tracking", tests, NULL,
					   NULL);
}
