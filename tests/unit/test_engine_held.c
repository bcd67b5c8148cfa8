/* SPDX-License-Identifier: ISC */
#include "tests/unit/engine_journal.h"

/* Cuts that cannot be applied, with frames. */

/* A branch whose commit is not there, and the text of that for mending. */
static uint64_t make_damaged(struct buffer *ret_commit)
{
	struct commit *commit = commit_wanted(777, NULL);
	struct odb *elsewhere;
	struct oid lost;
	void *data;
	size_t size;

	commit->tree = oid_empty_tree;
	assert_int_equal(memory_odb_new(&elsewhere), 0);
	assert_int_equal(commit_write(elsewhere, commit, &lost), 0);
	assert_int_equal(odb_read(elsewhere, &lost, OBJECT_COMMIT, &data,
				  &size), 0);
	assert_int_equal(buffer_append(ret_commit, data, size), 0);
	free(data);
	odb_free(elsewhere);
	commit_free(commit);
	set_ref("bad", &lost);
	open_it();
	return fake_find(&fake, "main") ? 2 : 1;
}

static void mend(const struct buffer *commit)
{
	struct oid oid;

	assert_int_equal(odb_write(odb, OBJECT_COMMIT, commit->data,
				   commit->length, &oid), 0);
}

/* main is branch 1, bad 2, with three cuts held. */
static void hold_some(struct buffer *commit)
{
	struct oid head;

	open_it();
	assert_int_equal(made("main"), 1);
	close_engine();
	assert_int_equal(make_damaged(commit), 2);
	assert_int_equal(run(quiet(1, "first", "1")), 0);
	assert_int_equal(engine_publish_all(engine), 0);
	assert_int_equal(run(quiet(2, "a", "1")), 0);
	assert_int_equal(run(quiet(1, "between", "1")), 0);
	assert_int_equal(run(quiet(2, "b", "1")), 0);
	assert_int_equal(run(quiet(2, "a", "2")), 0);
	assert_int_equal(engine_publish(engine, 2, 2, &head), -EIO);
	assert_int_equal(engine_publish_all(engine), -EIO);
}

static void check_held(void)
{
	struct oid head;

	assert_int_equal(engine_publish(engine, 1, 0, &head), 0);
	assert_true(has_file(1, "between"));
	assert_int_equal(engine_publish_all(engine), 0);
	assert_true(has_file(2, "a"));
	assert_true(has_file(2, "b"));
	assert_int_equal(stats_now().held, 0);
}

static void held_cuts_survive_closing(void **state)
{
	struct buffer commit = { 0 };

	hold_some(&commit);
	assert_false(is_published(2, 2));
	assert_true(is_published(1, 3));
	assert_int_equal(run(quiet(1, "after", "1")), 0);
	assert_int_equal(engine_close(engine), 0);
	engine_free(engine);
	open_it();
	assert_true(stats_now().held > 0);
	assert_int_equal(engine_state(engine, 2, NULL), -EIO);
	assert_int_equal(run(quiet(1, "later", "1")), 0);
	assert_int_equal(engine_publish_all(engine), -EIO);
	assert_true(has_file(1, "after") && has_file(1, "later"));
	crash();
	open_it();
	assert_true(has_file(1, "after") && has_file(1, "later"));
	mend(&commit);
	check_held();
	close_engine();
	buffer_release(&commit);
}

/* All frames that a held cut was folded of come back. */
static void held_cuts_survive_a_crash(void **state)
{
	struct buffer commit = { 0 };

	hold_some(&commit);
	crash();
	open_it();
	mend(&commit);
	check_held();
	close_engine();
	buffer_release(&commit);
}

static void held_cuts_are_mended_in_place(void **state)
{
	struct buffer commit = { 0 };

	hold_some(&commit);
	mend(&commit);
	check_held();
	close_engine();
	buffer_release(&commit);
}

static struct cut *later[2];

/* While the first is published, so that the table notes what it was. */
static void queue_later(void *context, struct cut *cut)
{
	for (int i = 0; i < 2; i++) {
		uint64_t sequence;

		assert_int_equal(engine_cut(engine, later[i], &sequence), 0);
	}
}

/* A frame that was folded into a held cut builds on what is published. */
static void the_table_remembers_what_held_frames_need(void **state)
{
	struct contents *c;
	struct oid oid, wanted;
	struct cut *first;
	uint64_t sequence;

	open_it();
	made("main");
	made("taken");
	assert_int_equal(overlay_new(pool, &c), 0);
	first = contents_cut(c, "aaaaaa");
	first->stored = queue_later;
	later[0] = cut_new(1);		/* fails, and holds the others */
	later[0]->records[0] = record_of(RECORD_RENAME, 1, 0, "taken");
	later[1] = contents_cut(c, "bbbb");
	assert_int_equal(engine_cut(engine, first, &sequence), 0);
	assert_int_equal(engine_wait(engine, sequence), 0);
	engine_publish_all(engine);
	assert_int_equal(engine_cut(engine, contents_cut(c, "cc"), &sequence),
			 0);
	assert_int_equal(engine_wait(engine, sequence), 0);
	assert_int_equal(engine_publish_all(engine), -EEXIST);
	contents_unref(c);
	crash();
	open_it();
	assert_int_equal(run(record_of(RECORD_DROP, 2, 0, NULL)), 0);
	crash();
	open_it();
	assert_int_equal(engine_publish_all(engine), 0);
	oid = file_of(1, "c");
	assert_int_equal(odb_write(odb, OBJECT_BLOB, "ccbbaa", 6, &wanted), 0);
	assert_true(oid_equal(&oid, &wanted));
	close_engine();
}

/* All segments are needed then; the next opening has room all the same. */
static void a_full_journal_can_be_opened(void **state)
{
	struct buffer commit = { 0 };
	uint64_t journaled = 0;

	hold_some(&commit);
	while (stats_now().journaled != journaled) {
		struct record record = quiet(1, "filling", "1");

		journaled = stats_now().journaled;
		record.trailers = calloc(1, 100000);
		memset(record.trailers, 't', 99999);
		assert_int_equal(run(record), 0);
	}
	for (int i = 0; i < 3; i++) {
		crash();
		open_it();
		assert_int_equal(run(quiet(1, "more", "1")), 0);
	}
	mend(&commit);
	check_held();
	assert_true(has_file(1, "filling") && has_file(1, "more"));
	close_engine();
	buffer_release(&commit);
}

static void *ask_often(void *argument)
{
	for (int i = 0; i < 300; i++) {
		struct oid head;

		if (engine_wait(engine, 1) < 0)
			return NULL;
		if (i % 10 == 0 && engine_publish(engine, 2, 2, &head) != -EIO)
			return NULL;
	}
	return argument;
}

/* Each attempt begins as the one before ends. */
static void nobody_hangs_while_held_cuts_are_tried(void **state)
{
	struct buffer commit = { 0 };
	pthread_t threads[4];

	hold_some(&commit);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_often,
						&disk), 0);
	for (int i = 0; i < 4; i++) {
		void *result;

		pthread_join(threads[i], &result);
		assert_ptr_equal(result, &disk);
	}
	assert_int_equal(engine_close(engine), 0);
	buffer_release(&commit);
}

static uint64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

static void waiting_costs_nothing(void **state)
{
	struct buffer commit = { 0 };
	uint64_t before;

	pause_ns = SHORT_PAUSE;
	hold_some(&commit);
	set_error(&fake.update_error, -EBUSY);	/* stuck as well */
	assert_int_equal(run(quiet(1, "stuck", "1")), 0);
	before = cpu_us();
	usleep(300000);
	assert_in_range(cpu_us() - before, 0, 100000);
	set_error(&fake.update_error, 0);
	assert_int_equal(engine_close(engine), 0);
	buffer_release(&commit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JTEST(held_cuts_survive_closing),
		JTEST(held_cuts_survive_a_crash),
		JTEST(held_cuts_are_mended_in_place),
		JTEST(a_full_journal_can_be_opened),
		JTEST(the_table_remembers_what_held_frames_need),
		JTEST(nobody_hangs_while_held_cuts_are_tried),
		JTEST(waiting_costs_nothing),
	};

	return cmocka_run_group_tests_name("engine_held", tests, NULL, NULL);
}
