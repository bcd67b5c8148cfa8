/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include "tests/pipes.h"
#include "tests/unit/contents_pool.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||           \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static size_t resident(void)
{
	unsigned long pages = 0, skipped;
	FILE *file = fopen("/proc/self/statm", "re");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &skipped, &pages), 2);
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

/* IRMINFS_POOL_MIB: how much is written (64); the budget is a sixteenth. */
static void file_larger_than_the_budget_stays_out_of_memory(void **state)
{
	const char *size = getenv("IRMINFS_POOL_MIB");
	size_t total = (size ? strtoul(size, NULL, 10) : 64) << 20, before, most;
	struct fixture f;
	struct contents *c;

	fixture_open(&f, total / 16, 0);
	c = new_file(&f);
	before = most = resident();
	for (size_t at = 0; at < total; at += 16 * BLOCK) {
		put(c, 16 * BLOCK, at, at / BLOCK);
		most = most > resident() ? most : resident();
	}
	assert_in_range(stats_of(&f).block_bytes, 0, total / 16);
	assert_in_range(stats_of(&f).spill_bytes, total - total / 8, total);
	for (size_t at = 0; at < total; at += 16 * BLOCK) {
		assert_pattern(c, 16 * BLOCK, at, at / BLOCK);
		most = most > resident() ? most : resident();
	}
	assert_int_equal(contents_truncate(c, 0), 0);
	assert_int_equal(stats_of(&f).spill_bytes, 0);
	contents_unref(c);
	fixture_close(&f);
	/* Sanitizers keep freed memory for a while. */
	if (!SANITIZED)
		assert_true(most - before < total / 16 + (16 << 20));
}

static void spilled_blocks_are_written_in_place(void **state)
{
	struct fixture f;
	struct contents *c;
	uint64_t spilled;

	fixture_open(&f, 2 * BLOCK, 0);
	c = new_file(&f);
	put(c, 8 * BLOCK, 0, 1);
	spilled = stats_of(&f).spill_bytes;
	assert_true(spilled >= 5 * BLOCK);
	put(c, 100, 50, 2);
	put(c, 100, BLOCK - 50, 3);
	assert_int_equal(contents_zero(c, 1000, 1000), 0);
	assert_int_equal(stats_of(&f).spill_bytes, spilled);
	assert_pattern(c, 50, 0, 1);
	assert_pattern(c, 100, 50, 2);
	assert_zeros(c, 1000, 1000);
	assert_pattern(c, 100, BLOCK - 50, 3);
	contents_unref(c);
	fixture_close(&f);
}

static void stored_blocks_are_dropped_not_spilled(void **state)
{
	struct fixture f;
	struct contents *c, *other;
	struct oid oid;

	fixture_open(&f, 4 * BLOCK, 0);
	c = new_file(&f);
	put(c, 3 * BLOCK, 0, 1);
	store_file(&f, c, &oid);
	other = new_file(&f);
	put(other, 4 * BLOCK, 0, 2);
	assert_int_equal(stats_of(&f).spill_bytes, 0);
	assert_int_equal(f.reads, 0);
	assert_pattern(c, 3 * BLOCK, 0, 1);
	assert_int_equal(f.reads, 1);
	put(c, 10, 5, 3);
	assert_pattern(c, 5, 0, 1);
	assert_pattern(c, 10, 5, 3);
	contents_unref(c);
	contents_unref(other);
	fixture_close(&f);
}

/* Reading a large blob means unpacking it whole: blocks of it that are at hand
 * are kept, in the spill file up to the file budget. */
static void large_stored_file_is_not_unpacked_after_each_cut(void **state)
{
	struct fixture f;
	struct contents *c;
	struct oid oid;
	scoped_free unsigned char *base = pattern(8 * BLOCK, 1);

	fixture_open(&f, 2 * BLOCK, 64 << 20);
	c = stored_file(&f, 8 * BLOCK, 1);
	for (unsigned int i = 0; i < 5; i++) {
		put(c, 100, i * BLOCK, 2 + i);
		store_file(&f, c, &oid);
	}
	for (unsigned int i = 0; i < 5; i++) {
		assert_pattern(c, 100, i * BLOCK, 2 + i);
		assert_bytes(c, base + i * BLOCK + 100, BLOCK - 100,
			     i * BLOCK + 100);
	}
	assert_bytes(c, base + 5 * BLOCK, 3 * BLOCK, 5 * BLOCK);
	assert_int_equal(f.unpacks, 1);
	contents_unref(c);
	fixture_close(&f);
}

static void stored_blocks_leave_the_spill_file_beyond_its_budget(void **state)
{
	struct fixture f;
	struct contents *c;
	struct oid oid;

	fixture_open(&f, BLOCK, 3 * BLOCK);
	c = new_file(&f);
	put(c, 10 * BLOCK, 0, 1);
	assert_true(stats_of(&f).spill_bytes >= 9 * BLOCK);
	store_file(&f, c, &oid);
	assert_int_equal(stats_of(&f).spill_bytes, 3 * BLOCK);
	assert_pattern(c, 10 * BLOCK, 0, 1);
	assert_int_equal(f.unpacks, 1);
	contents_unref(c);
	fixture_close(&f);
}

/* ---- full disk ---- */

static void limit_files(size_t most)
{
	struct rlimit limit = { most, RLIM_INFINITY };

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A file size limit stands for a disk that is full. */
static void full_disk_fails_the_writer_and_loses_nothing(void **state)
{
	struct fixture f;
	struct contents *c, *stored;
	struct oid oid;
	char byte = 'x';
	size_t size = 0;
	ssize_t n;

	fixture_open(&f, 4 * BLOCK, 0);
	signal(SIGXFSZ, SIG_IGN);
	limit_files(3 * BLOCK);
	c = new_file(&f);
	for (;;) {
		scoped_free unsigned char *data = pattern(BLOCK, size / BLOCK);

		n = contents_write(c, data, BLOCK, size);
		if (n < 0)
			break;
		assert_int_equal(n, BLOCK);
		size += BLOCK;
	}
	assert_int_equal(n, -EFBIG);
	assert_int_equal(size, 7 * BLOCK);
	assert_int_equal(contents_size(c), size);
	for (size_t at = 0; at < size; at += BLOCK)
		assert_pattern(c, BLOCK, at, at / BLOCK);
	/* What is in memory or spilled can still be changed. */
	for (size_t at = 0; at < size; at += BLOCK)
		assert_int_equal(contents_write(c, &byte, 1, at), 1);
	assert_int_equal(contents_truncate(c, 4 * BLOCK), 0);
	put(c, BLOCK, 4 * BLOCK, 9);
	contents_unref(c);

	/* Clean blocks give room where spilling does not. */
	limit_files(0);
	stored = new_file(&f);
	put(stored, 2 * BLOCK, 0, 5);
	store_file(&f, stored, &oid);
	c = new_file(&f);
	put(c, 2 * BLOCK, 0, 6);
	put(c, 2 * BLOCK, 2 * BLOCK, 7);
	assert_pattern(c, 2 * BLOCK, 0, 6);
	limit_files(RLIM_INFINITY);
	assert_pattern(stored, 2 * BLOCK, 0, 5);
	contents_unref(c);
	contents_unref(stored);
	fixture_close(&f);
}

/* ---- out of a pipe ---- */

static void move(struct contents *c, size_t size, uint64_t offset,
		 unsigned int seed)
{
	scoped_free unsigned char *data = pattern(size, seed);
	size_t left;

	assert_int_equal(move_bytes(c, data, size, offset, &left), size);
	assert_int_equal(left, 0);
}

static void pipes_fill_blocks_in_memory_and_spilled_ones(void **state)
{
	scoped_free unsigned char *first = pattern(3 * BLOCK, 1);
	struct fixture f;
	struct contents *c;

	fixture_open(&f, 4 * BLOCK, 0);
	c = new_file(&f);
	move(c, 3 * BLOCK, BLOCK, 1);
	assert_zeros(c, BLOCK, 0);
	move(c, 12 * BLOCK, 4 * BLOCK, 2);
	assert_in_range(stats_of(&f).spill_bytes, 10 * BLOCK, 15 * BLOCK);
	/* over others */
	move(c, 2 * BLOCK, 0, 3);
	move(c, 2 * BLOCK, 14 * BLOCK, 4);
	assert_pattern(c, 2 * BLOCK, 0, 3);
	assert_bytes(c, first + BLOCK, 2 * BLOCK, 2 * BLOCK);
	assert_pattern(c, 10 * BLOCK, 4 * BLOCK, 2);
	assert_pattern(c, 2 * BLOCK, 14 * BLOCK, 4);
	assert_int_equal(contents_size(c), 16 * BLOCK);
	contents_unref(c);
	fixture_close(&f);
}

static void pipes_leave_snapshots_alone_and_take_whole_blocks(void **state)
{
	scoped_free unsigned char *data = pattern(2 * BLOCK, 5);
	struct contents *c, *snapshot;
	struct fixture f;
	size_t left;

	fixture_open(&f, 4 * BLOCK, 0);
	c = new_file(&f);
	move(c, 8 * BLOCK, 0, 1);
	assert_int_equal(contents_snapshot(c, &snapshot), 0);
	move(c, 8 * BLOCK, 0, 2);
	assert_pattern(snapshot, 8 * BLOCK, 0, 1);
	assert_pattern(c, 8 * BLOCK, 0, 2);
	assert_int_equal(move_bytes(c, data, 2 * BLOCK, 1, &left), 0);
	assert_int_equal(left, 2 * BLOCK);
	assert_int_equal(move_bytes(c, data, BLOCK + 1, 0, &left), 0);
	assert_int_equal(left, BLOCK + 1);
	assert_int_equal(move_bytes(snapshot, data, BLOCK, 0, &left), -EROFS);
	assert_int_equal(left, BLOCK);
	assert_int_equal(move_bytes(c, data, BLOCK, CONTENTS_SIZE_MAX, &left),
			 -EFBIG);
	assert_pattern(c, 8 * BLOCK, 0, 2);
	contents_unref(snapshot);
	contents_unref(c);
	fixture_close(&f);
}

/* The disk is full within a block: the part that came out of the pipe is not lost,
 * as long as there is room in memory. */
static void pipe_goes_on_in_memory_where_the_disk_is_full(void **state)
{
	scoped_free unsigned char *data = pattern(BLOCK, 7);
	scoped_free unsigned char *twice = pattern(2 * BLOCK, 8);
	struct contents *c, *changed, *stored;
	struct fixture f;
	struct oid oid;
	size_t left;

	fixture_open(&f, 4 * BLOCK, 0);
	signal(SIGXFSZ, SIG_IGN);
	changed = new_file(&f);
	put(changed, 2 * BLOCK, 0, 1);
	stored = new_file(&f);
	put(stored, 2 * BLOCK, 0, 2);
	store_file(&f, stored, &oid);
	limit_files(2 * BLOCK + BLOCK / 4);
	c = new_file(&f);
	for (size_t i = 0; i < 4; i++)
		move(c, BLOCK, i * BLOCK, i);
	assert_int_equal(stats_of(&f).spill_bytes, 2 * BLOCK);
	assert_int_equal(stats_of(&f).block_bytes, 4 * BLOCK);
	assert_int_equal(move_bytes(c, data, BLOCK, 4 * BLOCK, &left), -EFBIG);
	assert_int_equal(left, BLOCK - BLOCK / 4);
	assert_int_equal(contents_size(c), 4 * BLOCK);
	for (size_t i = 0; i < 4; i++)
		assert_pattern(c, BLOCK, i * BLOCK, i);
	/* a block of its own takes the first half, the second is told of */
	assert_int_equal(move_bytes(c, twice, 2 * BLOCK, 3 * BLOCK, &left),
			 BLOCK);
	assert_pattern(c, BLOCK, 3 * BLOCK, 8);
	assert_int_equal(contents_size(c), 4 * BLOCK);
	assert_pattern(changed, 2 * BLOCK, 0, 1);
	assert_pattern(stored, 2 * BLOCK, 0, 2);
	limit_files(RLIM_INFINITY);
	contents_unref(changed);
	contents_unref(stored);
	contents_unref(c);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_larger_than_the_budget_stays_out_of_memory),
		cmocka_unit_test(spilled_blocks_are_written_in_place),
		cmocka_unit_test(stored_blocks_are_dropped_not_spilled),
		cmocka_unit_test(large_stored_file_is_not_unpacked_after_each_cut),
		cmocka_unit_test(
			stored_blocks_leave_the_spill_file_beyond_its_budget),
		cmocka_unit_test(full_disk_fails_the_writer_and_loses_nothing),
		cmocka_unit_test(pipes_fill_blocks_in_memory_and_spilled_ones),
		cmocka_unit_test(
			pipes_leave_snapshots_alone_and_take_whole_blocks),
		cmocka_unit_test(pipe_goes_on_in_memory_where_the_disk_is_full),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
