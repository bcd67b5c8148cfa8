/* SPDX-License-Identifier: ISC */
#include "tests/unit/engine_fake.h"

/* What the cuts of one engine do; refs and reopening: test_engine_refs.c and
 * test_engine_reconcile.c. */

static void a_commit_takes_effect(void **state)
{
	struct oid first, second;
	struct commit *commit;
	uint64_t main;

	open_engine();
	main = make("main");
	first = head_of(main);
	assert_true(ref_is("main", &first));
	assert_int_equal(run(commit_of(main, "a", "text")), 0);
	second = head_of(main);
	assert_false(oid_equal(&first, &second));
	assert_true(ref_is("main", &second));
	assert_int_equal(commit_read(odb, &second, &commit), 0);
	assert_int_equal(commit->parent_count, 1);
	assert_true(oid_equal(&commit->parents[0], &first));
	assert_string_equal(commit->message, "message\n");
	assert_string_equal(commit->author.name, "A");
	assert_int_equal(commit->author.offset, 60);
	commit_free(commit);
	close_engine();
}

static void nothing_changed_makes_no_commit(void **state)
{
	struct oid head;
	uint64_t main;

	open_engine();
	main = make("main");
	assert_int_equal(run(commit_of(main, "a", "text")), 0);
	head = head_of(main);
	assert_int_equal(run(commit_of(main, "a", "text")), 0);
	assert_int_equal(run(commit_of(main, NULL, NULL)), 0);
	assert_true(ref_is("main", &head));
	close_engine();
}

static void a_merge_has_its_second_parent(void **state)
{
	struct record merge;
	struct commit *commit;
	struct oid other, head;
	uint64_t main;

	open_engine();
	main = make("main");
	other = outside_commit(NULL);
	merge = record_of(RECORD_COMMIT, main, 0, NULL);
	merge.commit = commit_wanted(now, &other);
	assert_int_equal(run(merge), 0);
	head = head_of(main);
	assert_int_equal(commit_read(odb, &head, &commit), 0);
	assert_int_equal(commit->parent_count, 2);
	assert_true(oid_equal(&commit->parents[1], &other));
	commit_free(commit);
	close_engine();
}

static void time_never_runs_backwards(void **state)
{
	struct commit *commit;
	struct oid head;
	uint64_t main;

	open_engine();
	main = make("main");
	now = 500;
	assert_int_equal(run(commit_of(main, "a", "1")), 0);
	now = 1000;
	head = head_of(main);
	assert_int_equal(commit_read(odb, &head, &commit), 0);
	assert_int_equal(commit->committer.time, 1000);
	assert_int_equal(commit->author.time, 1000);
	commit_free(commit);
	close_engine();
}

static void branches_come_and_go(void **state)
{
	struct oid head, none = { 0 };
	uint64_t main, fork, third;
	struct record record;

	open_engine();
	main = make("main");
	assert_int_equal(run(commit_of(main, "a", "text")), 0);
	head = head_of(main);
	fork = engine_new_incarnation(engine);
	assert_int_equal(run(record_of(RECORD_FORK, fork, main, "b")), 0);
	assert_true(ref_is("b", &head));
	assert_int_equal(run(commit_of(fork, "a", "other")), 0);
	assert_int_equal(run(record_of(RECORD_SWAP, main, fork, NULL)), 0);
	assert_true(ref_is("b", &head));
	head = head_of(fork);
	assert_true(ref_is("main", &head));
	assert_int_equal(run(record_of(RECORD_DROP, fork, 0, NULL)), 0);
	assert_true(ref_is("main", &none));
	assert_true(is_pinned(&head));
	assert_int_equal(run(record_of(RECORD_RESTORE, fork, 0, "back")), 0);
	assert_true(ref_is("back", &head));
	third = engine_new_incarnation(engine);
	record = record_of(RECORD_FORK, third, 0, "third");
	record.oid = head;
	assert_int_equal(run(record), 0);
	assert_true(ref_is("third", &head));
	record = record_of(RECORD_MOVE, third, 0, NULL);
	record.oid = outside_commit(&head);
	assert_int_equal(run(record), 0);
	assert_true(ref_is("third", &record.oid));
	assert_int_equal(run(record_of(RECORD_DROP, third, 0, NULL)), 0);
	assert_int_equal(run(record_of(RECORD_EXPIRE, third, 0, NULL)), 0);
	assert_int_equal(engine_publish(engine, third, 0, &head), -ENOENT);
	close_engine();
	assert_false(is_pinned(&record.oid));
}

static void reports_are_kept_and_pinned(void **state)
{
	struct conflict_report *report = conflict_report_new();
	struct conflict *conflict = conflict_report_add(report);
	struct record record;
	struct table *table;
	uint64_t main, work;
	struct oid blob;

	open_engine();
	main = make("main");
	work = make("work");
	assert_int_equal(odb_write(odb, OBJECT_BLOB, "<<<", 3, &blob), 0);
	report->target_name = strdup("main");
	report->ours = head_of(main);
	report->theirs = head_of(work);
	conflict->path = strdup("a");
	conflict->reason = strdup("both");
	conflict->merged.mode = MODE_FILE;
	conflict->merged.oid = blob;
	conflict->base.mode = MODE_TREE;
	conflict->base.oid = oid_empty_tree;
	record = record_of(RECORD_CONFLICTS, work, main, NULL);
	record.conflicts = report;
	assert_int_equal(run(record), 0);
	assert_true(is_pinned(&blob));
	assert_false(is_pinned(&oid_empty_tree));
	assert_int_equal(run(record_of(RECORD_RENAME, main, 0, "trunk")), 0);
	close_engine();
	open_engine();
	assert_int_equal(engine_table(engine, &table), 0);
	assert_int_equal(table->report_count, 1);
	assert_string_equal(table->reports[0]->target_name, "trunk");
	table_free(table);
	assert_int_equal(run(record_of(RECORD_CONFLICTS, work, main, NULL)), 0);
	close_engine();
	assert_false(is_pinned(&blob));
}

/* ---- order and atomicity ---- */

static void note(void *context, struct cut *cut)
{
	struct buffer *b = context;

	assert_false(oid_is_zero(&cut->records[0].head));
	buffer_printf(b, "%d ", (int)cut->sequence);
}

/* Five commits in each branch in turn, while the disk is full; then it is not.
 * called gets what was published. */
static void commit_on_a_full_disk(const uint64_t *branches, size_t count,
				  struct buffer *called)
{
	uint64_t sequence = 0;

	set_error(&fake.table_error, -ENOSPC);
	for (int i = 0; i < 5; i++) {
		struct cut *cut = cut_new(1);
		char text[2] = { (char)('0' + i) };

		cut->records[0] = commit_of(branches[i % count], "a", text);
		cut->published = note;
		cut->context = called;
		assert_int_equal(engine_cut(engine, cut, &sequence), 0);
	}
	assert_int_equal(engine_wait(engine, sequence), -ENOSPC);
	assert_null(called->data);
	set_error(&fake.table_error, 0);
	assert_int_equal(engine_wait(engine, sequence), 0);
}

static void published_is_called_once_and_in_order(void **state)
{
	struct buffer called = { 0 };
	uint64_t branches[2];

	open_engine();
	branches[0] = make("main");
	branches[1] = make("work");
	commit_on_a_full_disk(branches, 2, &called);
	assert_string_equal(called.data, "3 4 5 6 7 ");
	buffer_release(&called);
	close_engine();
}

static void what_a_full_disk_held_up_becomes_one(void **state)
{
	struct buffer called = { 0 };
	uint64_t main;

	open_engine();
	main = make("main");
	commit_on_a_full_disk(&main, 1, &called);
	assert_string_equal(called.data, "6 ");
	for (uint64_t sequence = 2; sequence <= 6; sequence++)
		assert_int_equal(engine_wait(engine, sequence), 0);
	buffer_release(&called);
	close_engine();
}

static void a_cut_is_all_or_nothing(void **state)
{
	struct record records[2];
	struct oid before, none = { 0 }, found;
	uint64_t main, work;

	open_engine();
	main = make("main");
	work = make("work");
	before = head_of(main);
	records[0] = commit_of(main, "a", "1");
	records[1] = record_of(RECORD_RENAME, work, 0, "main");
	assert_int_equal(engine_wait(engine, queue(records, 2)), -EEXIST);
	found = head_of(main);
	assert_true(oid_equal(&before, &found));
	assert_true(ref_is("main", &before));
	found = file_of(main, "a");
	assert_true(oid_equal(&found, &none));
	assert_int_equal(engine_close(engine), -EEXIST);
}

static void other_branches_go_on_without_a_damaged_one(void **state)
{
	struct record records[2];
	struct oid lost = { { 7 } }, head;
	struct engine_stats stats;
	struct report why = { "" };
	uint64_t main, bad, held, fork;

	open_engine();
	main = make("main");
	close_engine();
	set_ref("bad", &lost);
	open_engine();
	bad = main + 1;
	held = queue((struct record[]){ commit_of(bad, "a", "1") }, 1);
	fork = engine_new_incarnation(engine);
	records[0] = record_of(RECORD_FORK, fork, bad, "fork");
	queue(records, 1);
	records[0] = commit_of(main, "a", "1");
	assert_int_equal(engine_wait(engine, queue(records, 1)), 0);
	assert_int_equal(engine_wait(engine, held), -EIO);
	assert_int_equal(engine_wait(engine, held + 1), -EIO);
	assert_int_equal(engine_state(engine, 0, &why), 0);
	assert_int_equal(engine_state(engine, bad, &why), -EIO);
	assert_true(strlen(why.text) > 0);
	assert_int_equal(engine_state(engine, main, NULL), 0);
	head = head_of(main);
	assert_true(ref_is("main", &head));
	engine_get_stats(engine, &stats);
	assert_int_equal(stats.queued, 2);
	assert_int_equal(engine_publish(engine, bad, held, &head), -EIO);
	assert_int_equal(engine_close(engine), -EIO);
}

/* ---- failures ---- */

static void a_full_disk_is_waited_out(void **state)
{
	struct engine_stats stats;
	struct report why = { "" };
	uint64_t main, sequence;

	open_engine();
	main = make("main");
	set_error(&fake.table_error, -ENOSPC);
	sequence = queue((struct record[]){ commit_of(main, "a", "1") }, 1);
	assert_int_equal(engine_wait(engine, sequence), -ENOSPC);
	assert_int_equal(engine_state(engine, main, &why), -ENOSPC);
	assert_non_null(strstr(why.text, "No space"));
	set_error(&fake.table_error, 0);
	/* without anybody waiting */
	for (int i = 0; i < 500; i++) {
		engine_get_stats(engine, &stats);
		if (!stats.queued)
			break;
		usleep(20000);
	}
	assert_int_equal(stats.queued, 0);
	assert_true(stats.failures >= 1);
	assert_int_equal(engine_state(engine, main, NULL), 0);
	close_engine();
}

static void a_failed_flush_ends_all_belief(void **state)
{
	struct cut *cut = cut_new(1);
	struct report why = { "" };
	struct oid before;
	uint64_t main, sequence;

	open_engine();
	main = make("main");
	before = head_of(main);
	set_error(&fake.table_error, -EIO);
	sequence = queue((struct record[]){ commit_of(main, "a", "1") }, 1);
	assert_int_equal(engine_wait(engine, sequence), -EIO);
	set_error(&fake.table_error, 0);
	assert_int_equal(engine_wait(engine, sequence), -EIO);
	assert_int_equal(engine_wait(engine, 1), 0);
	cut->records[0] = commit_of(main, "a", "2");
	assert_int_equal(engine_cut(engine, cut, &sequence), -EROFS);
	assert_int_equal(engine_state(engine, 0, &why), -EROFS);
	assert_non_null(strstr(why.text, "mounted again"));
	assert_int_equal(engine_close(engine), -EIO);
	assert_true(ref_is("main", &before));
}

static void a_pin_that_fails_keeps_the_table_back(void **state)
{
	uint64_t main, sequence;
	struct oid head;

	open_engine();
	main = make("main");
	head = head_of(main);
	set_error(&fake.pin_error, -ENOSPC);
	logged();
	sequence = queue((struct record[]){
		record_of(RECORD_DROP, main, 0, NULL) }, 1);
	assert_int_equal(engine_wait(engine, sequence), -ENOSPC);
	assert_false(has_logged("-main"));
	assert_true(ref_is("main", &head));
	set_error(&fake.pin_error, 0);
	assert_int_equal(engine_wait(engine, sequence), 0);
	assert_true(has_logged("pin table -main "));
	close_engine();
}

static void read_only_engines_show_and_refuse(void **state)
{
	struct cut *cut = cut_new(1);
	struct report why = { "" };
	uint64_t main, sequence;
	struct oid head;

	open_engine();
	main = make("main");
	head = head_of(main);
	close_engine();
	logged();
	set_ref("new", &head);
	assert_int_equal(try_open(odb, true, NULL), 0);
	assert_int_equal(engine_cut(engine, cut, &sequence), -EROFS);
	assert_int_equal(engine_wait(engine, 0), 0);
	assert_int_equal(engine_state(engine, 0, &why), -EROFS);
	assert_int_equal(engine_publish(engine, main + 1, 0, &head), 0);
	assert_int_equal(engine_close(engine), 0);
	assert_string_equal(logged(), "");
}

static void cuts_without_a_close_are_processed(void **state)
{
	uint64_t main;

	open_engine();
	main = make("main");
	queue((struct record[]){ commit_of(main, "a", "1") }, 1);
	close_engine();
	open_engine();
	assert_false(oid_is_zero(&(struct oid[]){ file_of(main, "a") }[0]));
	close_engine();
}

/* ---- threads ---- */

#define THREADS 6
#define ROUNDS 40

static void *write_many(void *argument)
{
	uint64_t branch = *(uint64_t *)argument;

	for (int i = 0; i < ROUNDS; i++) {
		char text[16];
		struct oid head;
		uint64_t sequence;

		snprintf(text, sizeof(text), "%d", i);
		sequence = queue((struct record[]){
			commit_of(branch, "a", text) }, 1);
		if (i % 3 == 0)
			assert_int_equal(engine_publish(engine, branch,
							sequence, &head), 0);
		else
			assert_int_equal(engine_wait(engine, sequence), 0);
		engine_state(engine, branch, NULL);
	}
	return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
	pthread_t threads[THREADS];
	uint64_t branches[THREADS];
	struct engine_stats stats;

	open_engine();
	for (int i = 0; i < THREADS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "b%d", i % (THREADS - 1));
		branches[i] = i < THREADS - 1 ? make(name) : branches[0];
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_many,
						&branches[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	engine_get_stats(engine, &stats);
	assert_int_equal(stats.cuts, THREADS * ROUNDS + THREADS - 1);
	assert_int_equal(stats.queued, 0);
	assert_true(stats.flushes <= stats.cuts);
	for (int i = 0; i < THREADS; i++) {
		struct oid head = head_of(branches[i]);
		char name[16];

		snprintf(name, sizeof(name), "b%d", i % (THREADS - 1));
		assert_true(ref_is(name, &head));
	}
	close_engine();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_commit_takes_effect),
		TEST(nothing_changed_makes_no_commit),
		TEST(a_merge_has_its_second_parent),
		TEST(time_never_runs_backwards),
		TEST(branches_come_and_go),
		TEST(reports_are_kept_and_pinned),
		TEST(published_is_called_once_and_in_order),
		TEST(what_a_full_disk_held_up_becomes_one),
		TEST(a_cut_is_all_or_nothing),
		TEST(other_branches_go_on_without_a_damaged_one),
		TEST(a_full_disk_is_waited_out),
		TEST(a_failed_flush_ends_all_belief),
		TEST(a_pin_that_fails_keeps_the_table_back),
		TEST(read_only_engines_show_and_refuse),
		TEST(cuts_without_a_close_are_processed),
		TEST(threads_do_not_disturb_each_other),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
