/* SPDX-License-Identifier: ISC */
#include "tests/unit/engine_fake.h"

/* Order of effects on the repository, and refs that others hold or move. */

static const struct oid none;

/* Waits until the engine's own retries have brought a ref to a value. */
static bool ref_becomes(const char *name, const struct oid *oid)
{
	for (int i = 0; i < 250 && !ref_is(name, oid); i++)
		usleep(20000);
	return ref_is(name, oid);
}

static void lock_ref(const char *name, int error)
{
	SCOPED_LOCK(&fake.lock);

	snprintf(fake.update_name, sizeof(fake.update_name), "%s", name);
	fake.update_error = error;
}

/* Several records as one cut: what the storage has to do for it. */
static void check_effects(const struct record *records, size_t count,
			  const char *expected)
{
	logged();
	assert_int_equal(engine_wait(engine, queue(records, count)), 0);
	assert_true(has_logged(expected));
}

/* ---- order ---- */

static void the_table_comes_before_refs(void **state)
{
	struct record records[2];
	uint64_t a, b;

	open_engine();
	a = make("a");
	b = make("b");
	records[0] = commit_of(a, "x", "1");
	records[1] = commit_of(b, "x", "2");
	check_effects(records, 2, "table +a +b ");
	close_engine();
}

static void dropped_branches_are_pinned_first(void **state)
{
	struct record record;
	uint64_t a;

	open_engine();
	a = make("a");
	record = record_of(RECORD_DROP, a, 0, NULL);
	check_effects(&record, 1, "pin table -a ");
	close_engine();
}

static void head_follows_a_rename_before_the_old_ref_goes(void **state)
{
	struct record records[2];
	uint64_t a;

	open_engine();
	a = make("main");
	records[0] = record_of(RECORD_RENAME, a, 0, "b");
	records[1] = record_of(RECORD_RENAME, a, 0, "c");
	check_effects(records, 2, "table +c HEAD=c -main ");
	records[0] = record_of(RECORD_RENAME, a, 0, "c/d");
	check_effects(records, 1, "table -c +c/d HEAD=c/d ");
	records[0] = record_of(RECORD_RENAME, a, 0, "c");
	check_effects(records, 1, "table -c/d +c HEAD=c ");
	close_engine();
}

static void a_name_that_is_left_and_taken_is_one_update(void **state)
{
	struct record records[4];
	uint64_t a, b;

	open_engine();
	a = make("a");
	b = make("b");
	assert_int_equal(run(commit_of(b, "y", "0")), 0);
	records[0] = commit_of(a, "x", "1");
	records[1] = record_of(RECORD_RENAME, b, 0, "old");
	records[2] = record_of(RECORD_RENAME, a, 0, "b");
	records[3] = record_of(RECORD_RENAME, b, 0, "a");
	check_effects(records, 4, "table +b +a ");
	records[0] = record_of(RECORD_SWAP, a, b, NULL);
	check_effects(records, 1, "table +a +b ");
	close_engine();
}

static void a_detached_head_stays(void **state)
{
	struct record record;
	uint64_t a;

	open_engine();
	a = make("main");
	*fake.head = '\0';
	record = record_of(RECORD_RENAME, a, 0, "b");
	check_effects(&record, 1, "table +b -main ");
	close_engine();
}

static void what_refs_became_is_recorded_at_the_end(void **state)
{
	uint64_t a;
	struct table *table;
	struct oid head;

	open_engine();
	a = make("a");
	assert_int_equal(run(commit_of(a, "x", "1")), 0);
	head = head_of(a);
	close_engine();
	assert_int_equal(table_decode(fake.table.data, fake.table.length,
				      &table), 0);
	assert_true(oid_equal(&table->branches[0].outside, &head));
	table_free(table);
}

/* ---- refs that others hold ---- */

static void a_locked_ref_is_written_later(void **state)
{
	struct report why = { "" };
	uint64_t a, b;
	struct oid head;

	open_engine();
	a = make("a");
	b = make("b");
	lock_ref("a", -EBUSY);
	assert_int_equal(run(commit_of(a, "x", "1")), 0);
	head = head_of(a);
	assert_false(ref_is("a", &head));
	assert_true(is_pinned(&head));
	assert_int_equal(engine_state(engine, a, &why), -EBUSY);
	assert_non_null(strstr(why.text, "refs/heads/a"));
	assert_int_equal(engine_state(engine, b, NULL), 0);
	assert_int_equal(run(commit_of(b, "x", "2")), 0);
	lock_ref("", 0);
	assert_true(ref_becomes("a", &head));
	for (int i = 0; i < 250 && engine_state(engine, a, NULL); i++)
		usleep(20000);
	assert_int_equal(engine_state(engine, a, NULL), 0);
	close_engine();
	assert_false(is_pinned(&head));
}

static void a_locked_deletion_survives_a_restart(void **state)
{
	uint64_t a;
	struct oid head;

	open_engine();
	a = make("a");
	head = head_of(a);
	lock_ref("a", -EBUSY);
	assert_int_equal(run(record_of(RECORD_RENAME, a, 0, "b")), 0);
	close_engine();
	assert_true(ref_is("a", &head));
	assert_true(ref_is("b", &head));
	open_engine();
	assert_true(ref_is("a", &head));
	lock_ref("", 0);
	assert_true(ref_becomes("a", &none));
	close_engine();
	assert_true(ref_is("b", &head));
}

static void a_stuck_branch_does_not_keep_a_restart_back(void **state)
{
	uint64_t a;
	struct oid head;

	open_engine();
	a = make("a");
	lock_ref("a", -EBUSY);
	assert_int_equal(run(commit_of(a, "x", "1")), 0);
	head = head_of(a);
	close_engine();
	assert_true(is_pinned(&head));
	open_engine();
	assert_true(is_pinned(&head));
	assert_int_equal(engine_state(engine, a, NULL), -EBUSY);
	lock_ref("", 0);
	close_engine();
	assert_true(ref_is("a", &head));
}

static void a_clash_is_told(void **state)
{
	struct report why = { "" };
	struct oid other;
	uint64_t a;

	open_engine();
	other = outside_commit(NULL);
	set_ref("a/b", &other);
	a = make("a");
	assert_int_equal(engine_state(engine, a, &why), -EEXIST);
	assert_true(ref_is("a", &none));
	close_engine();
}

static void a_damaged_ref_is_told_and_left(void **state)
{
	struct report why = { "" };
	struct oid head;
	uint64_t a;

	open_engine();
	a = make("a");
	close_engine();
	fake_find(&fake, "a")->broken = true;
	open_engine();
	assert_int_equal(run(commit_of(a, "x", "1")), 0);
	assert_int_equal(engine_state(engine, a, &why), -EUCLEAN);
	head = head_of(a);
	assert_true(is_pinned(&head));
	close_engine();
}

/* ---- refs that others move ---- */

static void a_ref_set_back_is_overwritten(void **state)
{
	struct oid first, second;
	uint64_t a;

	open_engine();
	a = make("a");
	first = head_of(a);
	assert_int_equal(run(commit_of(a, "x", "1")), 0);
	set_ref("a", &first);
	assert_int_equal(run(commit_of(a, "x", "2")), 0);
	second = head_of(a);
	assert_true(ref_is("a", &second));
	assert_int_equal(engine_state(engine, a, NULL), 0);
	close_engine();
}

static void a_deleted_ref_comes_back_with_a_new_commit(void **state)
{
	struct oid head;
	uint64_t a;

	open_engine();
	a = make("a");
	fake_find(&fake, "a")->oid = none;
	assert_int_equal(run(commit_of(a, "x", "1")), 0);
	head = head_of(a);
	assert_true(ref_is("a", &head));
	close_engine();
}

static void a_moved_ref_is_not_overwritten(void **state)
{
	struct report why = { "" };
	struct oid theirs, ours;
	struct table *table;
	uint64_t a, b;

	open_engine();
	a = make("a");
	b = make("b");
	theirs = head_of(a);
	theirs = outside_commit(&theirs);
	set_ref("a", &theirs);
	assert_int_equal(run(commit_of(a, "x", "1")), 0);
	ours = head_of(a);
	assert_true(ref_is("a", &theirs));
	assert_true(is_pinned(&ours));
	assert_int_equal(engine_state(engine, a, &why), -ESTALE);
	assert_non_null(strstr(why.text, "another program"));
	assert_int_equal(run(commit_of(b, "x", "1")), 0);
	assert_int_equal(engine_state(engine, b, NULL), 0);
	close_engine();
	assert_true(is_pinned(&ours));
	/* and waits to be merged, as promised */
	open_engine();
	assert_true(ref_is("a", &theirs));
	assert_true(is_pinned(&ours));
	assert_int_equal(engine_table(engine, &table), 0);
	assert_int_equal(table->branch_count, 2);
	assert_true(oid_equal(&table_find(table, a)->head, &ours));
	table_free(table);
	assert_int_equal(engine_state(engine, a, NULL), -ESTALE);
	close_engine();
}

static void a_ref_moved_before_its_deletion_stays(void **state)
{
	struct oid theirs, head;
	struct table *table;
	uint64_t a;

	open_engine();
	a = make("a");
	head = head_of(a);
	theirs = outside_commit(&head);
	set_ref("a", &theirs);
	assert_int_equal(run(record_of(RECORD_DROP, a, 0, NULL)), 0);
	assert_true(ref_is("a", &theirs));
	close_engine();
	open_engine();
	assert_true(ref_is("a", &theirs));
	assert_int_equal(engine_table(engine, &table), 0);
	assert_int_equal(table->branch_count, 2);
	assert_true(table_find(table, a)->dropped);
	assert_true(table_find_name(table, "a")->incarnation > a);
	table_free(table);
	close_engine();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_table_comes_before_refs),
		TEST(dropped_branches_are_pinned_first),
		TEST(head_follows_a_rename_before_the_old_ref_goes),
		TEST(a_name_that_is_left_and_taken_is_one_update),
		TEST(a_detached_head_stays),
		TEST(what_refs_became_is_recorded_at_the_end),
		TEST(a_locked_ref_is_written_later),
		TEST(a_locked_deletion_survives_a_restart),
		TEST(a_stuck_branch_does_not_keep_a_restart_back),
		TEST(a_clash_is_told),
		TEST(a_damaged_ref_is_told_and_left),
		TEST(a_ref_set_back_is_overwritten),
		TEST(a_deleted_ref_comes_back_with_a_new_commit),
		TEST(a_moved_ref_is_not_overwritten),
		TEST(a_ref_moved_before_its_deletion_stays),
	};

	return cmocka_run_group_tests_name("engine_refs", tests, NULL, NULL);
}
