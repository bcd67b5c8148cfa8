/* SPDX-License-Identifier: ISC */
#include "tests/unit/contents_pool.h"
#include "tests/unit/journal_fake.h"
#include "store/checksum.h"
#include "store/journal_private.h"
#include "store/table.h"

#include <stdatomic.h>
#include <stdio.h>

/* Frames are those of cuts that rename a branch, which are as long as the name. */

#define SMALL 20u
#define HALF 100000u		/* two of these fill a segment of the least size */

static struct disk disk;
static struct journal *journal;
static struct table *table;

static void open_journal(void)
{
	assert_int_equal(journal_new(disk_files(&disk), 0, &journal), 0);
}

static void close_journal(void)
{
	journal_free(journal);
	journal = NULL;
}

static int set_up(void **state)
{
	disk_init(&disk);
	table = table_new();
	open_journal();
	table->journal.epoch = journal_begin(journal, 0);
	journal_settle(journal);
	return table ? 0 : -1;
}

static int tear_down(void **state)
{
	close_journal();
	table_free(table);
	disk_release(&disk);
	return 0;
}

static struct cut *renaming(uint64_t sequence, size_t length)
{
	struct cut *cut = cut_new(1);

	cut->first = cut->sequence = sequence;
	cut->records[0].kind = RECORD_RENAME;
	cut->records[0].branch = 7;
	cut->records[0].name = calloc(1, length + 1);
	memset(cut->records[0].name, 'n', length);
	return cut;
}

static int add(uint64_t sequence, size_t length)
{
	struct cut *cut = renaming(sequence, length);
	bool sick = false;
	int r = journal_add(journal, cut, &sick);

	assert_false(sick);
	cut_free(cut);
	return r;
}

static int flush(void)
{
	bool sick = false;
	int r = journal_flush(journal, &sick);

	assert_false(sick);
	return r;
}

static void put_frame(uint64_t sequence, size_t length)
{
	assert_int_equal(add(sequence, length), 0);
	assert_int_equal(flush(), 0);
}

static int note(void *context, const void *frame, size_t length,
		uint64_t sequence, journal_data *data, void *source)
{
	return buffer_printf(context, "%llu ", (unsigned long long)sequence);
}

/* What another opening reads, as text: sequences, or the error. */
static const char *read_all(void)
{
	static char text[256];
	struct buffer b = { 0 };
	int r;

	close_journal();
	open_journal();
	r = journal_read(journal, table, note, &b);
	snprintf(text, sizeof(text), "%s%s", b.data ? b.data : "",
		 r == 0 ? "" : r == -EUCLEAN ? "damaged" : strerror(-r));
	buffer_release(&b);
	return text;
}

/* ---- what comes back ---- */

static void flushed_frames_come_back_in_order(void **state)
{
	put_frame(1, SMALL);
	assert_int_equal(add(2, SMALL), 0);
	assert_int_equal(add(3, SMALL), 0);
	assert_int_equal(flush(), 0);
	assert_int_equal(disk_flushes(&disk), 2);
	assert_int_equal(add(4, SMALL), 0);
	disk_lose(&disk);
	assert_string_equal(read_all(), "1 2 3 ");
}

static void published_frames_do_not_count_but_held_ones_do(void **state)
{
	for (uint64_t i = 1; i <= 5; i++)
		put_frame(i, SMALL);
	table->journal.published = 4;
	assert_int_equal(table_add_held(table, 2), 0);
	assert_string_equal(read_all(), "2 5 ");
}

static void a_torn_frame_ends_the_reading(void **state)
{
	struct journal_stats stats;

	put_frame(1, SMALL);
	put_frame(2, SMALL);
	put_frame(3, SMALL);
	/* all of the header and the frames, which are in one segment */
	journal_get_stats(journal, &stats);
	disk.seen[1].data[stats.bytes - 150] ^= 1;
	assert_string_equal(read_all(), "1 ");
}

/* What is left of a block would be read from the disk first. */
static void whole_blocks_are_written(void **state)
{
	for (uint64_t i = 1; i <= 40; i++) {
		put_frame(i, SMALL);
		assert_int_equal(disk.seen[1].length % JOURNAL_BLOCK, 0);
		assert_int_equal(disk.last_offset % JOURNAL_BLOCK, 0);
		assert_true(disk.last_size <= 2 * JOURNAL_BLOCK);
	}
	/* what is behind the frames is overwritten */
	assert_int_equal(add(41, HALF), 0);
	assert_int_equal(flush(), 0);
	assert_string_equal(read_all(), "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 "
			    "16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 "
			    "32 33 34 35 36 37 38 39 40 41 ");
}

static void what_is_missing_in_between_is_damage(void **state)
{
	put_frame(1, SMALL);
	put_frame(3, SMALL);
	assert_string_equal(read_all(), "1 damaged");
	/* unless it was published without a frame */
	table->journal.published = 2;
	assert_string_equal(read_all(), "3 ");
}

static void a_missing_segment_is_damage(void **state)
{
	for (uint64_t i = 1; i <= 5; i++)
		put_frame(i, HALF);
	disk.seen[2].data[0] = 'x';
	assert_string_equal(read_all(), "1 2 damaged");
}

static void a_newer_version_is_refused(void **state)
{
	char *header;

	put_frame(1, SMALL);
	header = disk.seen[1].data;
	put_u32_at(header + 8, JOURNAL_VERSION + 1);
	put_u64_at(header + 32, checksum64(header, 32, 0));
	assert_string_equal(read_all(), strerror(ENOTSUP));
}

static void hostile_headers_are_passed_over(void **state)
{
	char *header;

	put_frame(1, SMALL);
	header = disk.seen[1].data;
	put_u64_at(header + 24, UINT64_MAX - 2);	/* in file 1 too */
	put_u64_at(header + 32, checksum64(header, 32, 0));
	assert_string_equal(read_all(), "");
	put_u64_at(header + 24, 1);
	put_u64_at(header + 16, UINT64_MAX);
	put_u64_at(header + 32, checksum64(header, 32, 0));
	assert_string_equal(read_all(), "");
	assert_int_equal(journal_begin(journal, 1), 2);
}

/* ---- segments ---- */

static void segments_are_used_in_turn_when_published(void **state)
{
	struct journal_stats stats;

	for (uint64_t i = 1; i <= 6; i++)
		put_frame(i, HALF);
	journal_get_stats(journal, &stats);
	assert_int_equal(stats.segments_used, 3);
	/* one stays free for the next opening */
	assert_int_equal(add(7, HALF), -EAGAIN);
	assert_int_equal(flush(), 0);
	journal_release(journal, 1, 0);
	assert_int_equal(add(7, HALF), -EAGAIN);
	journal_release(journal, 2, 0);
	put_frame(7, HALF);
	table->journal.published = 2;
	assert_string_equal(read_all(), "3 4 5 6 7 ");
}

static void held_segments_are_kept(void **state)
{
	for (uint64_t i = 1; i <= 6; i++)
		put_frame(i, HALF);
	/* with all that come after them */
	journal_release(journal, 6, 2);
	assert_int_equal(add(7, HALF), -EAGAIN);
	journal_release(journal, 6, 5);
	for (uint64_t i = 7; i <= 10; i++)
		put_frame(i, HALF);
	assert_int_equal(add(11, HALF), -EAGAIN);
	table->journal.published = 6;
	assert_int_equal(table_add_held(table, 5), 0);
	assert_string_equal(read_all(), "5 7 8 9 10 ");
}

static void what_fits_nowhere_is_refused(void **state)
{
	assert_int_equal(add(1, 300000), -EFBIG);
	put_frame(1, 256 * 1024 - JOURNAL_HEADER - JOURNAL_FRAME - 42);
	assert_int_equal(add(2, 256 * 1024 - JOURNAL_HEADER - JOURNAL_FRAME -
				 41), -EFBIG);
	put_frame(2, SMALL);
	assert_string_equal(read_all(), "1 2 ");
}

/* The header of a segment that is used again is lost, its frames are not. */
static void frames_without_their_header_are_none(void **state)
{
	for (uint64_t i = 1; i <= 6; i++)
		put_frame(i, HALF);
	journal_release(journal, 4, 0);
	table->journal.published = 4;
	put_frame(7, HALF);
	put_frame(8, HALF);
	assert_int_equal(add(9, HALF), 0);
	assert_int_equal(flush(), 0);
	assert_string_equal(read_all(), "5 6 7 8 9 ");
	/* 9 is in file 1, which was segment 1 */
	put_u64_at(disk.seen[1].data + 24, 1);
	put_u64_at(disk.seen[1].data + 32,
		   checksum64(disk.seen[1].data, 32, 0));
	assert_string_equal(read_all(), "5 6 7 8 ");
}

/* And the other way round: what the file had before is behind the header. */
static void old_frames_behind_a_new_header_are_none(void **state)
{
	struct buffer old = { 0 };

	for (uint64_t i = 1; i <= 6; i++)
		put_frame(i, HALF);
	buffer_append(&old, disk.seen[1].data, disk.seen[1].length);
	journal_release(journal, 6, 0);
	table->journal.published = 0;
	put_frame(7, HALF);
	put_frame(8, HALF);
	put_frame(9, HALF);
	memcpy(disk.seen[1].data + JOURNAL_HEADER, old.data + JOURNAL_HEADER,
	       old.length - JOURNAL_HEADER);
	table->journal.published = 6;
	assert_string_equal(read_all(), "7 8 ");
	buffer_release(&old);
}

/* ---- epochs ---- */

static void an_epoch_is_never_used_again(void **state)
{
	put_frame(1, SMALL);
	put_frame(2, SMALL);
	assert_string_equal(read_all(), "1 2 ");
	/* an opening that is cut off before its table is durable */
	assert_int_equal(journal_begin(journal, 1), 2);
	put_frame(1, SMALL);
	assert_string_equal(read_all(), "1 2 ");
	table->journal.epoch = journal_begin(journal, 1);
	assert_int_equal(table->journal.epoch, 3);
	journal_settle(journal);
	put_frame(1, SMALL);
	assert_string_equal(read_all(), "1 ");
	/* nor when the table is lost */
	table->journal.epoch = 0;
	assert_string_equal(read_all(), "");
	assert_int_equal(journal_begin(journal, 0), 4);
}

static void old_segments_wait_for_the_table(void **state)
{
	for (uint64_t i = 1; i <= 6; i++)
		put_frame(i, HALF);
	/* twice: the first opening is cut off */
	for (int i = 0; i < 2; i++) {
		assert_string_equal(read_all(), "1 2 3 4 5 6 ");
		journal_begin(journal, 1);
		put_frame(1, HALF);
		assert_int_equal(add(2, 2 * HALF), -EAGAIN);
	}
	journal_settle(journal);
	assert_int_equal(add(2, 2 * HALF), 0);
}

/* ---- failures ---- */

static void a_full_disk_drops_frames_and_no_more(void **state)
{
	put_frame(1, SMALL);
	assert_int_equal(add(2, SMALL), 0);
	assert_int_equal(add(3, HALF), 0);
	disk_fail(&disk, -ENOSPC, 0);
	assert_int_equal(flush(), -ENOSPC);
	assert_string_equal(read_all(), "1 2 ");
	disk_fail(&disk, 0, 0);
}

static void a_dropped_frame_may_come_again(void **state)
{
	put_frame(1, SMALL);
	assert_int_equal(add(2, SMALL), 0);
	assert_int_equal(add(3, SMALL), 0);
	disk_fail(&disk, -ENOSPC, 0);
	assert_int_equal(flush(), -ENOSPC);
	disk_fail(&disk, 0, 0);
	assert_int_equal(flush(), 0);
	put_frame(2, SMALL + 1);
	assert_string_equal(read_all(), "1 2 ");
}

/* The flush before a new segment fails: who flushes must hear of it. */
static void what_adding_drops_is_told_by_flushing(void **state)
{
	assert_int_equal(add(1, HALF), 0);
	assert_int_equal(add(2, HALF), 0);
	disk_fail(&disk, -ENOSPC, 0);
	assert_int_equal(add(3, HALF), -ENOSPC);
	assert_int_equal(flush(), -ENOSPC);
	disk_fail(&disk, 0, 0);
	assert_int_equal(flush(), 0);
	put_frame(1, HALF);
	assert_string_equal(read_all(), "1 ");
}

static void other_failures_are_sick(void **state)
{
	bool sick = false;

	assert_int_equal(add(1, SMALL), 0);
	disk_fail(&disk, -EIO, 0);
	assert_int_equal(journal_flush(journal, &sick), -EIO);
	assert_true(sick);
	sick = false;
	disk_fail(&disk, 0, -ENOSPC);
	assert_int_equal(add(1, SMALL), 0);
	assert_int_equal(journal_flush(journal, &sick), -ENOSPC);
	assert_true(sick);
}

/* ---- data files ---- */

static struct cut *committing(struct fixture *f, uint64_t sequence, size_t size)
{
	struct cut *cut = cut_new(1);
	struct record *record = &cut->records[0];
	struct contents *c = new_file(f);

	put(c, size, 0, sequence);
	cut->first = cut->sequence = sequence;
	record->kind = RECORD_COMMIT;
	record->branch = 1;
	record->commit = calloc(1, sizeof(*record->commit));
	record->commit->author.name = strdup("A");
	record->commit->author.email = strdup("a@b");
	record->commit->committer.name = strdup("A");
	record->commit->committer.email = strdup("a@b");
	record->delta = delta_new(false);
	assert_int_equal(contents_snapshot(c, &delta_add(record->delta,
		DELTA_CONTENTS, MODE_FILE, "file")->contents), 0);
	contents_unref(c);
	return cut;
}

static int add_data(struct fixture *f, uint64_t sequence, size_t size)
{
	struct cut *cut = committing(f, sequence, size);
	bool sick = false;
	int r = journal_add(journal, cut, &sick);

	cut_free(cut);
	return r;
}

static void long_extents_are_flushed_first(void **state)
{
	struct journal_stats stats;
	bool sick = false;
	struct fixture f;

	fixture_open(&f, 0, 0);
	assert_int_equal(add_data(&f, 1, JOURNAL_PIECE), 0);
	assert_int_equal(disk.seen[5].length, JOURNAL_PIECE);
	disk_fail(&disk, 0, -EIO);
	disk.error_file = 5;
	assert_int_equal(journal_flush(journal, &sick), -EIO);
	assert_true(sick);
	assert_int_equal(disk.seen[1].length, 0);
	disk_fail(&disk, 0, 0);
	/* the segment was not begun: this is the next */
	assert_int_equal(add_data(&f, 1, JOURNAL_PIECE), 0);
	assert_int_equal(flush(), 0);
	assert_int_equal(disk.durable[6].length, JOURNAL_PIECE);
	journal_get_stats(journal, &stats);
	assert_int_equal(stats.data_bytes, JOURNAL_PIECE);
	assert_in_range(stats.bytes - JOURNAL_PIECE,
			disk.seen[2].length - JOURNAL_BLOCK + 1,
			disk.seen[2].length);
	assert_string_equal(read_all(), "1 ");
	fixture_close(&f);
}

static void no_room_leaves_no_data_behind(void **state)
{
	struct fixture f;

	fixture_open(&f, 0, 0);
	assert_int_equal(add_data(&f, 1, 2 * JOURNAL_LONG), 0);
	assert_int_equal(flush(), 0);
	assert_int_equal(disk.seen[5].length, 2 * JOURNAL_LONG);
	disk.room = 1 << 20;
	assert_int_equal(add_data(&f, 2, 2 * JOURNAL_LONG), -ENOSPC);
	disk.room = UINT64_MAX;
	disk_fail(&disk, -ENOSPC, 0);
	assert_int_equal(add_data(&f, 2, 3 * JOURNAL_LONG), -ENOSPC);
	assert_int_equal(disk.seen[5].length, 2 * JOURNAL_LONG);
	disk_fail(&disk, 0, 0);
	assert_int_equal(add_data(&f, 2, 2 * JOURNAL_LONG), 0);
	assert_int_equal(flush(), 0);
	assert_int_equal(disk.seen[5].length, 4 * JOURNAL_LONG);
	assert_string_equal(read_all(), "1 2 ");
	fixture_close(&f);
}

/* Of the frames that found no room the first may be whole. */
static void data_stays_while_a_frame_may_name_it(void **state)
{
	struct fixture f;

	fixture_open(&f, 0, 0);
	put_frame(1, SMALL);
	assert_int_equal(add_data(&f, 2, JOURNAL_LONG), 0);
	assert_int_equal(add(3, HALF), 0);
	disk_fail(&disk, -ENOSPC, 0);
	assert_int_equal(flush(), -ENOSPC);
	disk_fail(&disk, 0, 0);
	assert_int_equal(disk.seen[5].length, JOURNAL_LONG);
	assert_int_equal(add_data(&f, 4, JOURNAL_LONG), 0);
	assert_int_equal(disk.seen[5].length, 2 * JOURNAL_LONG);
	assert_string_equal(read_all(), "1 2 ");
	fixture_close(&f);
}

static void a_new_segment_begins_a_new_data_file(void **state)
{
	struct fixture f;

	fixture_open(&f, 0, 0);
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(add_data(&f, i, JOURNAL_PIECE / 2), 0);
	assert_int_equal(flush(), 0);
	assert_true(disk.seen[5].length > 0);
	assert_int_equal(disk.seen[6].length, JOURNAL_PIECE / 2);
	assert_int_equal(add_data(&f, 4, 5 * JOURNAL_PIECE), -EFBIG);
	fixture_close(&f);
}

/* ---- in advance ---- */

static void zeros_are_written_ahead_and_not_over_frames(void **state)
{
	put_frame(1, SMALL);
	journal_prepare(journal);
	assert_true(disk.durable[1].length >= 256 * 1024);
	put_frame(2, HALF);
	put_frame(3, HALF);
	journal_prepare(journal);
	put_frame(4, HALF);
	assert_string_equal(read_all(), "1 2 3 4 ");
	/* it knows how far the files go */
	table->journal.epoch = journal_begin(journal, 1);
	journal_settle(journal);
	journal_prepare(journal);
	put_frame(1, SMALL);
	journal_prepare(journal);
	assert_string_equal(read_all(), "1 ");
}

static void a_full_disk_is_not_filled_with_zeros(void **state)
{
	disk.room = 1 << 20;
	put_frame(1, SMALL);
	journal_prepare(journal);
	assert_int_equal(disk.seen[1].length, 2 * JOURNAL_BLOCK);
}

#define FRAMES 400

static void *prepare_all(void *stop)
{
	while (!atomic_load((_Atomic bool *)stop))
		journal_prepare(journal);
	return NULL;
}

static void preparing_does_not_disturb_frames(void **state)
{
	_Atomic bool stop = false;
	struct buffer expected = { 0 };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, prepare_all, &stop), 0);
	for (uint64_t i = 1; i <= FRAMES; i++) {
		put_frame(i, 3000 + i);
		if (i > 50)
			journal_release(journal, i - 50, 0);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	table->journal.published = FRAMES - 30;
	for (uint64_t i = FRAMES - 29; i <= FRAMES; i++)
		buffer_printf(&expected, "%d ", (int)i);
	assert_string_equal(read_all(), expected.data);
	buffer_release(&expected);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(flushed_frames_come_back_in_order),
		TEST(published_frames_do_not_count_but_held_ones_do),
		TEST(a_torn_frame_ends_the_reading),
		TEST(whole_blocks_are_written),
		TEST(what_is_missing_in_between_is_damage),
		TEST(a_missing_segment_is_damage),
		TEST(a_newer_version_is_refused),
		TEST(hostile_headers_are_passed_over),
		TEST(segments_are_used_in_turn_when_published),
		TEST(held_segments_are_kept),
		TEST(what_fits_nowhere_is_refused),
		TEST(frames_without_their_header_are_none),
		TEST(old_frames_behind_a_new_header_are_none),
		TEST(an_epoch_is_never_used_again),
		TEST(old_segments_wait_for_the_table),
		TEST(a_full_disk_drops_frames_and_no_more),
		TEST(a_dropped_frame_may_come_again),
		TEST(what_adding_drops_is_told_by_flushing),
		TEST(other_failures_are_sick),
		TEST(long_extents_are_flushed_first),
		TEST(no_room_leaves_no_data_behind),
		TEST(data_stays_while_a_frame_may_name_it),
		TEST(a_new_segment_begins_a_new_data_file),
		TEST(zeros_are_written_ahead_and_not_over_frames),
		TEST(a_full_disk_is_not_filled_with_zeros),
		TEST(preparing_does_not_disturb_frames),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
