/* SPDX-License-Identifier: ISC */
#include "tests/unit/engine_journal.h"
#include "store/checksum.h"
#include "store/engine_private.h"
#include "store/journal_record.h"

/* ---- durable ---- */

static void a_cut_costs_one_flush(void **state)
{
	struct oid head;
	unsigned int flushes;
	uint64_t main, sequence;

	open_it();
	main = made("main");
	head = head_of(main);
	flushes = disk_flushes(&disk);
	sequence = queue_one(quiet(main, "a", "1"));
	assert_int_equal(engine_wait(engine, sequence), 0);
	assert_int_equal(disk_flushes(&disk), flushes + 1);
	assert_false(is_published(main, sequence));
	assert_true(ref_is("main", &head));
	/* once is enough */
	assert_int_equal(engine_wait(engine, sequence), 0);
	assert_int_equal(disk_flushes(&disk), flushes + 1);
	assert_int_equal(stats_now().journaled, 2);
	assert_int_equal(stats_now().queued, 1);
	crash();
	open_it();
	assert_true(has_file(main, "a"));
	close_engine();
}

static void *wait_for_one(void *argument)
{
	uint64_t sequence = *(uint64_t *)argument;

	return engine_wait(engine, sequence) == 0 ? argument : NULL;
}

#define WAITERS 6

static void waits_share_flushes(void **state)
{
	pthread_t threads[WAITERS];
	uint64_t sequences[WAITERS], main;
	unsigned int flushes;

	open_it();
	main = made("main");
	flushes = disk_flushes(&disk);
	disk_shut(&disk, &disk.shut, true);
	for (int i = 0; i < WAITERS; i++) {
		sequences[i] = queue_one(quiet(main, "a", "1"));
		assert_int_equal(pthread_create(&threads[i], NULL, wait_for_one,
						&sequences[i]), 0);
		while (!disk_waiting(&disk))
			usleep(100);
	}
	disk_shut(&disk, &disk.shut, false);
	for (int i = 0; i < WAITERS; i++) {
		void *result;

		pthread_join(threads[i], &result);
		assert_ptr_equal(result, &sequences[i]);
	}
	assert_int_equal(disk_flushes(&disk), flushes + 2);
	assert_int_equal(stats_now().flushes, 1 + 2);
	close_engine();
}

static void what_has_no_frame_is_published_at_once(void **state)
{
	struct record record;
	uint64_t main, journaled, sequence;
	struct oid head;

	open_it();
	main = made("main");
	journaled = queue_one(quiet(main, "a", "1"));
	record = quiet(main, "b", "1");
	record.direct = true;
	sequence = queue_one(record);
	assert_int_equal(engine_wait(engine, sequence), 0);
	assert_true(is_published(main, journaled));
	assert_true(is_published(main, sequence));
	head = head_of(main);
	record = record_of(RECORD_MOVE, main, 0, NULL);
	record.oid = outside_commit(&head);
	assert_int_equal(run(record), 0);
	assert_true(ref_is("main", &record.oid));
	assert_int_equal(run(record_of(RECORD_CONFLICTS, main, 9, NULL)), 0);
	assert_int_equal(stats_now().queued, 0);
	/* and what follows has frames again */
	assert_int_equal(run(quiet(main, "c", "1")), 0);
	assert_int_equal(stats_now().queued, 1);
	crash();
	open_it();
	assert_true(has_file(main, "c"));
	close_engine();
}

static void what_nobody_waits_for_is_safe_after_closing(void **state)
{
	uint64_t main;

	open_it();
	main = made("main");
	queue_one(quiet(main, "a", "1"));
	set_error(&fake.table_error, -ENOSPC);
	assert_int_equal(engine_close(engine), 0);
	set_error(&fake.table_error, 0);
	crash();
	open_it();
	assert_true(has_file(main, "a"));
	close_engine();
}

static void preparing_segments_keeps_nobody_waiting(void **state)
{
	struct record record;
	uint64_t main;

	open_it();
	disk_shut(&disk, &disk.shut_apart, true);
	main = make("main");
	record = quiet(main, "a", "1");
	record.direct = true;
	assert_int_equal(run(record), 0);
	assert_int_equal(run(quiet(main, "b", "1")), 0);
	disk_shut(&disk, &disk.shut_apart, false);
	assert_message(main, "b");
	close_engine();
}

/* ---- folding ---- */

static void cuts_of_one_branch_become_one_commit(void **state)
{
	uint64_t main, work;
	struct oid before;
	struct commit *commit;

	open_it();
	main = made("main");
	work = made("work");
	before = head_of(main);
	assert_int_equal(run(quiet(main, "a", "1")), 0);
	assert_int_equal(run(quiet(work, "x", "1")), 0);
	assert_int_equal(run(quiet(main, "b", "1")), 0);
	assert_int_equal(run(quiet(main, "c", "1")), 0);
	commit = newest(main);
	assert_true(oid_equal(&commit->parents[0], &before));
	assert_non_null(strstr(commit->message, "a, b, c"));
	commit_free(commit);
	assert_true(has_file(work, "x"));
	close_engine();
}

static void keep_all_keeps_all(void **state)
{
	uint64_t main;

	keep_all = true;
	open_it();
	main = made("main");
	for (int i = 0; i < 3; i++)
		assert_int_equal(run(quiet(main, (char[]){ 'a' + i, 0 }, "1")),
				 0);
	assert_int_equal(engine_publish_all(engine), 0);
	assert_int_equal(stats_now().commits, 4);
	close_engine();
}

static void some_cuts_stay_commits(void **state)
{
	struct record record;
	uint64_t main, fork;

	open_it();
	main = made("main");
	assert_int_equal(run(quiet(main, "a", "1")), 0);
	assert_int_equal(run(commit_of(main, "b", "1")), 0);	/* a message */
	record = quiet(main, "c", "1");
	record.last = true;
	assert_int_equal(run(record), 0);
	fork = engine_new_incarnation(engine);
	assert_int_equal(run(quiet(main, "d", "1")), 0);
	assert_int_equal(run(record_of(RECORD_FORK, fork, main, "fork")), 0);
	assert_int_equal(run(quiet(main, "e", "1")), 0);
	assert_message(main, "e");
	assert_message(fork, "d");
	assert_int_equal(stats_now().commits, 1 + 5);
	assert_true(has_file(fork, "d"));
	assert_false(has_file(fork, "e"));
	close_engine();
}

#define MANY 1024
#define DOUBLINGS 10

static struct cut *many_cuts(void)
{
	struct cut *cuts = NULL, **end = &cuts;

	for (int i = 0; i < MANY; i++) {
		struct cut *cut = cut_new(1);
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		cut->records[0] = quiet(1, name, "1");
		cut->first = cut->sequence = i + 1;
		cut->journaled = true;
		*end = cut;
		end = &cut->next;
	}
	return cuts;
}

/* Thousands may wait: what they are folded through must not be their square. */
static void many_are_folded_two_by_two(void **state)
{
	struct cut *cuts = many_cuts(), *next;
	struct cut *folded = engine_fold(&cuts, false);
	size_t frames = 0, entries = 0, count = 0;

	assert_null(cuts->next);
	assert_int_equal(cuts->first, 1);
	assert_int_equal(cuts->sequence, MANY);
	assert_int_equal(cuts->folded_count, MANY - 1);
	assert_int_equal(cuts->records[0].delta->count, MANY);
	cut_free(cuts);
	for (; folded; folded = next, count++) {
		next = folded->next;
		frames += folded->folded_count;
		entries += folded->records[0].delta->capacity;
		cut_free(folded);
	}
	assert_int_equal(count, MANY - 1);
	assert_true(frames <= MANY * DOUBLINGS);
	assert_true(entries <= 2 * MANY * DOUBLINGS);
}

/* ---- little room ---- */

static void a_full_journal_publishes(void **state)
{
	uint64_t main;

	open_it();
	main = made("main");
	for (int i = 0; i < 40; i++) {
		struct record record = quiet(main, "a", (char[]){ 'a' + i, 0 });

		record.trailers = calloc(1, 100000);
		memset(record.trailers, 't', 99999);
		assert_int_equal(run(record), 0);
	}
	assert_true(stats_now().publishes >= 3);
	assert_true(stats_now().journaled >= 30);
	crash();
	open_it();
	assert_true(has_file(main, "a"));
	close_engine();
}

static void a_cut_that_fits_nowhere_is_published(void **state)
{
	struct record record;
	uint64_t main;

	open_it();
	main = made("main");
	record = quiet(main, "a", "1");
	record.trailers = calloc(1, 1000000);
	memset(record.trailers, 't', 999999);
	assert_int_equal(run(record), 0);
	assert_int_equal(stats_now().queued, 0);
	close_engine();
}

/* A flush that the journal does by itself, for a new segment, fails. */
static void a_full_disk_under_the_journal_loses_nothing(void **state)
{
	uint64_t main, sequence = 0, first;

	open_it();
	main = made("main");
	first = queue_one(quiet(main, "0", "1"));
	for (int i = 0; i < 5; i++) {
		struct record record = quiet(main, (char[]){ 'a' + i, 0 }, "1");

		record.trailers = calloc(1, 100000);
		memset(record.trailers, 't', 99999);
		sequence = queue_one(record);
	}
	disk_fail(&disk, -ENOSPC, 0);
	set_error(&fake.table_error, -ENOSPC);
	assert_int_equal(engine_wait(engine, first), -ENOSPC);
	set_error(&fake.table_error, 0);
	assert_int_equal(engine_wait(engine, sequence), 0);
	crash();
	open_it();
	for (int i = 0; i < 5; i++)
		assert_true(has_file(main, (char[]){ 'a' + i, 0 }));
	close_engine();
}

static void the_journal_goes_on_when_git_is_full(void **state)
{
	uint64_t main, sequence;
	struct oid head;

	open_it();
	main = made("main");
	set_error(&fake.table_error, -ENOSPC);
	sequence = queue_one(quiet(main, "a", "1"));
	assert_int_equal(engine_wait(engine, sequence), 0);
	assert_int_equal(engine_publish(engine, main, sequence, &head), -ENOSPC);
	assert_int_equal(run(quiet(main, "b", "1")), 0);
	assert_int_equal(engine_state(engine, main, NULL), -ENOSPC);
	set_error(&fake.table_error, 0);
	assert_int_equal(engine_publish_all(engine), 0);
	assert_true(has_file(main, "a") && has_file(main, "b"));
	assert_int_equal(engine_state(engine, main, NULL), 0);
	close_engine();
}

/* ---- damage ---- */

static void a_failed_flush_ends_it(void **state)
{
	struct cut *cut = cut_new(1);
	struct report why = { "" };
	uint64_t main, sequence;

	open_it();
	main = made("main");
	assert_int_equal(run(quiet(main, "a", "1")), 0);
	disk_fail(&disk, 0, -EIO);
	sequence = queue_one(quiet(main, "b", "1"));
	assert_int_equal(engine_wait(engine, sequence), -EIO);
	disk_fail(&disk, 0, 0);
	assert_int_equal(engine_wait(engine, sequence), -EIO);
	assert_int_equal(engine_wait(engine, sequence - 1), 0);
	assert_int_equal(engine_state(engine, 0, &why), -EROFS);
	assert_non_null(strstr(why.text, "the journal"));
	assert_int_equal(engine_cut(engine, cut, &sequence), -EROFS);
	assert_int_equal(engine_close(engine), -EIO);
	crash();
	open_it();
	assert_true(has_file(main, "a"));
	close_engine();
}

/* ---- opening ---- */

static void an_opening_may_be_cut_off(void **state)
{
	struct report report = { "" };
	uint64_t main;

	open_it();
	main = made("main");
	assert_int_equal(run(quiet(main, "a", "1")), 0);
	crash();
	for (int i = 0; i < 3; i++) {
		set_error(i == 0 ? &fake.pin_error : &fake.table_error, -ENOSPC);
		assert_int_equal(try_open_journal(false, &report), -ENOSPC);
		set_error(&fake.pin_error, 0);
		set_error(&fake.table_error, 0);
	}
	open_it();
	assert_true(has_file(main, "a"));
	assert_int_equal(run(quiet(main, "b", "1")), 0);
	crash();
	open_it();
	assert_true(has_file(main, "a") && has_file(main, "b"));
	crash();
	open_it();
	assert_true(has_file(main, "a") && has_file(main, "b"));
	close_engine();
}

static void a_read_only_opening_leaves_it_alone(void **state)
{
	uint64_t main;

	open_it();
	main = made("main");
	assert_int_equal(run(quiet(main, "a", "1")), 0);
	crash();
	logged();
	assert_int_equal(try_open_journal(true, NULL), 0);
	assert_false(has_file(main, "a"));
	assert_int_equal(engine_close(engine), 0);
	engine_free(engine);
	assert_string_equal(logged(), "");
	open_it();
	assert_true(has_file(main, "a"));
	close_engine();
}

/* Refs were written after the table; frames rename and drop their branches. */
static void renamed_and_dropped_branches_stay_so(void **state)
{
	static const struct oid none;
	uint64_t main, work, old;
	struct record record;
	struct table *table;

	open_it();
	main = made("main");
	work = made("work");
	old = made("old");
	for (uint64_t branch = main; branch <= old; branch++) {
		record = commit_of(branch, "a", "1");
		record.direct = true;
		queue_one(record);
	}
	assert_int_equal(engine_publish_all(engine), 0);
	assert_int_equal(run(record_of(RECORD_RENAME, work, 0, "other")), 0);
	assert_int_equal(run(record_of(RECORD_DROP, old, 0, NULL)), 0);
	assert_int_equal(run(record_of(RECORD_RENAME, main, 0, "work")), 0);
	crash();
	open_it();
	assert_int_equal(engine_table(engine, &table), 0);
	assert_int_equal(table->branch_count, 3);
	assert_string_equal(table_find(table, main)->name, "work");
	assert_string_equal(table_find(table, work)->name, "other");
	assert_true(table_find(table, old)->dropped);
	table_free(table);
	assert_true(ref_is("main", &none));
	assert_true(ref_is("old", &none));
	assert_string_equal(fake.head, "work");
	close_engine();
}

/* Refs may be gone when they are replayed, and what these alone held. */
static void what_frames_build_on_is_pinned(void **state)
{
	struct oid first, second;
	uint64_t a;

	open_it();
	a = made("a");
	first = head_of(a);
	assert_true(is_pinned(&first));
	assert_int_equal(run(commit_of(a, "x", "1")), 0);
	assert_int_equal(engine_publish_all(engine), 0);
	second = head_of(a);
	assert_true(is_pinned(&second));
	assert_int_equal(run(quiet(a, NULL, NULL)), 0);
	crash();
	assert_true(is_pinned(&second));
	open_it();
	assert_true(is_pinned(&second));
	close_engine();
	/* nothing is left that could build on it */
	assert_false(is_pinned(&first));
	assert_false(is_pinned(&second));
}

static void a_lost_table_begins_anew(void **state)
{
	uint64_t main;

	open_it();
	main = made("main");
	for (int i = 0; i < 5; i++)
		assert_int_equal(run(quiet(main, (char[]){ 'a' + i, 0 }, "1")),
				 0);
	crash();
	fake.has_table = false;
	open_it();
	assert_false(has_file(main, "a"));
	assert_int_equal(run(quiet(main, "x", "1")), 0);
	assert_int_equal(run(quiet(main, "y", "1")), 0);
	crash();
	open_it();
	assert_true(has_file(main, "x") && has_file(main, "y"));
	assert_false(has_file(main, "a"));
	close_engine();
}

static void damage_is_told(void **state)
{
	struct report report = { "" };
	uint64_t main;
	struct buffer *file = NULL;

	open_it();
	main = made("main");
	assert_int_equal(run(quiet(main, "a", "1")), 0);
	crash();
	for (size_t i = 0; i < DISK_FILES && !file; i++)
		if (disk.seen[i].length)
			file = &disk.seen[i];
	put_u32_at(file->data + 8, JOURNAL_VERSION + 1);
	put_u64_at(file->data + 32, checksum64(file->data, 32, 0));
	assert_int_equal(try_open_journal(false, &report), -ENOTSUP);
	assert_non_null(strstr(report.text, "newer version"));
}

/* ---- when ---- */

static uint64_t queue_timer(struct record record)
{
	struct cut *cut = cut_new(1);
	uint64_t sequence;

	cut->records[0] = record;
	cut->timer = true;
	assert_int_equal(engine_cut(engine, cut, &sequence), 0);
	return sequence;
}

static void timers_wait_for_the_end_of_the_burst(void **state)
{
	uint64_t main, sequence;

	pause_ns = SHORT_PAUSE;
	open_it();
	main = made("main");
	sequence = queue_timer(quiet(main, "a", "1"));
	assert_int_equal(engine_wait(engine, sequence), 0);
	usleep(30000);
	assert_false(is_published(main, sequence));
	sequence = queue_timer(quiet(main, "b", "1"));
	usleep(30000);
	assert_false(is_published(main, sequence));
	/* another one ends it */
	sequence = queue_one(quiet(main, "c", "1"));
	for (int i = 0; i < 1000 && !is_published(main, sequence); i++)
		usleep(5000);
	assert_true(is_published(main, sequence));
	assert_message(main, "a, b, c");
	close_engine();
}

static void publishing_says_when_it_is_done(void **state)
{
	uint64_t main, work, first, second;
	struct engine_stats stats;
	struct oid head;

	open_it();
	main = made("main");
	work = made("work");
	first = queue_one(quiet(main, "a", "1"));
	second = queue_one(quiet(work, "a", "1"));
	assert_int_equal(engine_wait(engine, second), 0);
	assert_false(is_published(main, first));
	assert_int_equal(engine_publish(engine, main, first, &head), 0);
	assert_true(is_published(main, first));
	assert_true(ref_is("main", &head));
	assert_int_equal(engine_publish_all(engine), 0);
	assert_true(is_published(work, second));
	assert_false(is_published(99, second));
	assert_false(is_published(main, second + 1));
	engine_get_stats(engine, &stats);
	assert_int_equal(stats.cuts, 4);
	assert_int_equal(stats.queued, 0);
	assert_int_equal(stats.commits, 4);
	assert_int_equal(stats.published, 4);
	assert_true(stats.journal_bytes > JOURNAL_HEADER);
	close_engine();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JTEST(a_cut_costs_one_flush),
		JTEST(waits_share_flushes),
		JTEST(what_has_no_frame_is_published_at_once),
		JTEST(what_nobody_waits_for_is_safe_after_closing),
		JTEST(preparing_segments_keeps_nobody_waiting),
		JTEST(cuts_of_one_branch_become_one_commit),
		JTEST(keep_all_keeps_all),
		JTEST(some_cuts_stay_commits),
		JTEST(many_are_folded_two_by_two),
		JTEST(a_full_journal_publishes),
		JTEST(a_cut_that_fits_nowhere_is_published),
		JTEST(a_full_disk_under_the_journal_loses_nothing),
		JTEST(the_journal_goes_on_when_git_is_full),
		JTEST(a_failed_flush_ends_it),
		JTEST(an_opening_may_be_cut_off),
		JTEST(a_read_only_opening_leaves_it_alone),
		JTEST(renamed_and_dropped_branches_stay_so),
		JTEST(what_frames_build_on_is_pinned),
		JTEST(a_lost_table_begins_anew),
		JTEST(damage_is_told),
		JTEST(timers_wait_for_the_end_of_the_burst),
		JTEST(publishing_says_when_it_is_done),
	};

	return cmocka_run_group_tests_name("engine_journal", tests, NULL, NULL);
}
