/* SPDX-License-Identifier: ISC */
#include "tests/unit/engine_fake.h"

/* What an engine makes of a table and refs that differ when it opens. */

static const struct oid none;

/* A table with one branch of that name, head and outside; saved. */
static void save_table(struct table *table)
{
	fake.table.length = 0;
	assert_int_equal(table_encode(table, &fake.table), 0);
	fake.has_table = true;
	table_free(table);
}

static void save_branch(const char *name, const struct oid *head,
			const struct oid *outside)
{
	struct table *table = table_new();

	table->next_incarnation = 8;
	table_add(table, 7, name, head)->outside = *outside;
	save_table(table);
}

static struct table *opened_table(void)
{
	struct table *table;

	open_engine();
	assert_int_equal(engine_table(engine, &table), 0);
	return table;
}

/* Opening again changes nothing any more. */
static void check_stable(struct table *table)
{
	struct buffer before = { 0 }, after = { 0 };
	struct table *again;

	close_engine();
	logged();
	again = opened_table();
	/* refs as they are now are known */
	for (size_t i = 0; i < table->branch_count; i++)
		if (!table->branches[i].dropped)
			table->branches[i].outside = table->branches[i].head;
	assert_int_equal(table_encode(table, &before), 0);
	assert_int_equal(table_encode(again, &after), 0);
	assert_string_equal(before.data, after.data);
	close_engine();
	assert_null(strchr(logged(), '+'));
	buffer_release(&before);
	buffer_release(&after);
	table_free(table);
	table_free(again);
}

static void the_first_use_takes_the_refs(void **state)
{
	struct oid a = outside_commit(NULL), b = outside_commit(&a);
	struct table *table;

	set_ref("b", &b);
	set_ref("a/x", &a);
	table = opened_table();
	assert_int_equal(table->branch_count, 2);
	assert_string_equal(table->branches[0].name, "a/x");
	assert_int_equal(table->branches[1].incarnation, 2);
	assert_true(oid_equal(&table->branches[1].head, &b));
	assert_int_equal(engine_new_incarnation(engine), 3);
	assert_true(fake.has_table);
	check_stable(table);
}

static void an_empty_repository_has_no_branches(void **state)
{
	struct table *table = opened_table();

	assert_int_equal(table->branch_count, 0);
	check_stable(table);
}

static void a_ref_that_was_not_written_is(void **state)
{
	struct oid old = outside_commit(NULL), new = outside_commit(NULL);
	struct table *table;

	set_ref("a", &old);
	save_branch("a", &new, &old);
	table = opened_table();
	assert_true(ref_is("a", &new));
	assert_int_equal(table->branch_count, 1);
	check_stable(table);
}

static void a_branch_that_was_not_made_is(void **state)
{
	struct oid head = outside_commit(NULL);
	struct table *table;

	save_branch("a", &head, &none);
	table = opened_table();
	assert_true(ref_is("a", &head));
	check_stable(table);
}

static void a_ref_that_was_written_is_taken_so(void **state)
{
	struct oid old = outside_commit(NULL), new = outside_commit(&old);
	struct table *table;

	set_ref("a", &new);
	save_branch("a", &new, &old);
	table = opened_table();
	assert_true(oid_equal(&table->branches[0].outside, &new));
	check_stable(table);
}

static void a_ref_that_moved_is_adopted(void **state)
{
	struct oid old = outside_commit(NULL), new = outside_commit(NULL);
	struct table *table;

	set_ref("a", &new);
	save_branch("a", &old, &old);
	table = opened_table();
	assert_int_equal(table->branches[0].incarnation, 7);
	assert_true(oid_equal(&table->branches[0].head, &new));
	assert_true(ref_is("a", &new));
	check_stable(table);
}

static void a_ref_that_was_deleted_drops_its_branch(void **state)
{
	struct oid head = outside_commit(NULL), again;
	struct table *table;

	save_branch("a", &head, &head);
	table = opened_table();
	assert_true(table->branches[0].dropped == now);
	assert_true(is_pinned(&head));
	assert_true(ref_is("a", &none));
	check_stable(table);
	/* and comes back as the same branch with the same head */
	set_ref("a", &head);
	table = opened_table();
	assert_int_equal(table->branch_count, 1);
	assert_false(table->branches[0].dropped);
	check_stable(table);
	assert_false(is_pinned(&head));
	again = outside_commit(NULL);
	set_ref("b", &again);
	table = opened_table();
	assert_int_equal(table->branches[1].incarnation, 8);
	check_stable(table);
}

static void a_deleted_ref_with_unwritten_commits_comes_back(void **state)
{
	struct oid old = outside_commit(NULL), new = outside_commit(&old);
	struct table *table;

	save_branch("a", &new, &old);
	table = opened_table();
	assert_true(ref_is("a", &new));
	assert_false(table->branches[0].dropped);
	check_stable(table);
}

static void the_later_of_two_is_taken(void **state)
{
	struct oid a = outside_commit(NULL), b = outside_commit(&a);
	struct oid c = outside_commit(&b);
	struct table *table;

	set_ref("theirs", &c);
	save_branch("theirs", &b, &a);
	table = opened_table();
	assert_true(oid_equal(&table->branches[0].head, &c));
	check_stable(table);
	set_ref("theirs", &b);
	save_branch("theirs", &c, &a);
	table = opened_table();
	assert_true(ref_is("theirs", &c));
	check_stable(table);
}

struct told {
	unsigned int count;
	struct oid seen, before;
};

static int hear(void *context, const struct outside_change *change)
{
	struct told *told = context;

	told->count++;
	told->seen = change->seen;
	told->before = change->before;
	return 0;
}

/* Who mounts the store merges both, however often it was opened before. */
static void both_sides_wait_to_be_merged(void **state)
{
	struct oid base = outside_commit(NULL), ours = outside_commit(&base);
	struct oid theirs = outside_commit(&base);
	struct table *table;

	set_ref("x/a", &theirs);
	save_branch("x/a", &ours, &base);
	for (int i = 0; i < 3; i++) {
		struct told told = { 0 };

		table = opened_table();
		assert_int_equal(table->branch_count, 1);
		assert_true(oid_equal(&table->branches[0].head, &ours));
		assert_true(ref_is("x/a", &theirs));
		assert_true(is_pinned(&ours));
		assert_int_equal(engine_state(engine, 7, NULL), -ESTALE);
		assert_int_equal(engine_look_outside(engine, NULL, hear, &told),
				 0);
		assert_int_equal(told.count, 1);
		assert_true(oid_equal(&told.seen, &theirs));
		assert_true(oid_equal(&told.before, &base));
		table_free(table);
		close_engine();
	}
}

static unsigned int changes_seen(void)
{
	struct told told = { 0 };

	assert_int_equal(engine_look_outside(engine, NULL, hear, &told), 0);
	return told.count;
}

/* It is not taken for deleted once more, before the table has all that. */
static void deleted_outside_and_restored_at_once(void **state)
{
	struct record drop, restore;
	uint64_t branch, last;
	struct oid head;

	open_engine();
	branch = make("a");
	head = head_of(branch);
	set_ref("a", &none);
	assert_int_equal(changes_seen(), 1);
	drop = record_of(RECORD_DROP, branch, 0, NULL);
	restore = record_of(RECORD_RESTORE, branch, 0, "a");
	queue(&drop, 1);
	assert_int_equal(changes_seen(), 0);
	last = queue(&restore, 1);
	assert_int_equal(changes_seen(), 0);
	assert_int_equal(engine_wait(engine, last), 0);
	assert_true(ref_is("a", &head));
	assert_int_equal(changes_seen(), 0);
}

static void what_was_merged_is_written(void **state)
{
	struct oid base = outside_commit(NULL), ours = outside_commit(&base);
	struct oid theirs = outside_commit(&base), merged;
	struct record merge = commit_of(7, "x", "1");
	struct table *table;

	set_ref("a", &theirs);
	save_branch("a", &ours, &base);
	open_engine();
	merge.commit->parents = malloc(sizeof(theirs));
	merge.commit->parents[0] = theirs;
	merge.commit->parent_count = 1;
	assert_int_equal(run(merge), 0);
	merged = head_of(7);
	assert_true(ref_is("a", &merged));
	assert_int_equal(engine_state(engine, 7, NULL), 0);
	close_engine();
	table = opened_table();
	assert_int_equal(table->branch_count, 1);
	check_stable(table);
}

static void where_history_is_damaged_both_sides_are_kept(void **state)
{
	struct oid lost = { { 3 } }, ours = outside_commit(&lost);
	struct oid base = outside_commit(NULL), theirs = outside_commit(&base);
	struct table *table;

	set_ref("x/a", &theirs);
	set_ref("x/a.mine-1", &base);
	save_branch("x/a", &ours, &base);
	logged();
	table = opened_table();
	/* pinned before anything may need it */
	assert_true(has_logged("pin table +x/a.mine-2 "));
	assert_true(ref_is("x/a", &theirs));
	assert_true(ref_is("x/a.mine-1", &base));
	assert_true(ref_is("x/a.mine-2", &ours));
	assert_int_equal(table->branch_count, 3);
	check_stable(table);
}

static void who_only_reads_sees_both_sides(void **state)
{
	struct oid base = outside_commit(NULL), ours = outside_commit(&base);
	struct oid theirs = outside_commit(&base);
	struct table *table;

	set_ref("a", &theirs);
	save_branch("a", &ours, &base);
	assert_int_equal(try_open(odb, true, NULL), 0);
	assert_int_equal(engine_table(engine, &table), 0);
	assert_int_equal(table->branch_count, 2);
	assert_true(oid_equal(&table_find_name(table, "a")->head, &theirs));
	assert_true(oid_equal(&table_find_name(table, "a.mine-1")->head, &ours));
	assert_true(ref_is("a.mine-1", &none));
	table_free(table);
	close_engine();
}

static void a_rename_is_finished(void **state)
{
	struct oid head = outside_commit(NULL);
	struct table *table = table_new();

	table->next_incarnation = 8;
	table_add(table, 7, "new", &head);
	assert_int_equal(table_add_gone(table, "main", &head), 0);
	assert_int_equal(table_add_gone(table, "other", &head), 0);
	table->head_from = strdup("main");
	table->head_to = strdup("new");
	save_table(table);
	set_ref("main", &head);
	logged();
	table = opened_table();
	assert_true(has_logged("pin table +new HEAD=new -main "));
	assert_int_equal(table->gone_count, 0);
	assert_int_equal(table->branch_count, 1);
	check_stable(table);
}

static void a_ref_to_be_deleted_that_moved_is_a_branch(void **state)
{
	struct oid head = outside_commit(NULL), theirs = outside_commit(NULL);
	struct table *table = table_new();

	table->next_incarnation = 8;
	table_add(table, 7, "new", &head);
	assert_int_equal(table_add_gone(table, "a", &head), 0);
	save_table(table);
	set_ref("a", &theirs);
	table = opened_table();
	assert_int_equal(table->branch_count, 2);
	assert_true(ref_is("a", &theirs));
	assert_true(ref_is("new", &head));
	check_stable(table);
}

static void names_that_clash_are_moved_aside(void **state)
{
	struct oid head = outside_commit(NULL), theirs = outside_commit(NULL);
	struct table *table = table_new();

	table->next_incarnation = 9;
	table_add(table, 7, "a", &head);
	table_add(table, 8, "b/c", &head);
	save_table(table);
	set_ref("a/x", &theirs);
	set_ref("b", &theirs);
	table = opened_table();
	assert_true(ref_is("a.mine-1", &head));
	assert_true(ref_is("b-c.mine-1", &head));
	assert_true(ref_is("a/x", &theirs));
	assert_true(ref_is("b", &theirs));
	check_stable(table);
}

static void damaged_branches_are_kept(void **state)
{
	struct oid lost = { { 3 } }, head = outside_commit(NULL);
	struct table *table;

	save_branch("a", &lost, &lost);
	set_ref("a", &lost);
	set_ref("b", &head);
	table = opened_table();
	assert_int_equal(table->branch_count, 2);
	assert_int_equal(run(commit_of(8, "x", "1")), 0);
	table_free(table);
	close_engine();
}

static void a_lost_head_goes_back_to_the_ref(void **state)
{
	struct oid lost = { { 3 } }, old = outside_commit(NULL);
	struct table *table;

	save_branch("a", &lost, &old);
	set_ref("a", &old);
	table = opened_table();
	assert_int_equal(table->branch_count, 1);
	assert_true(oid_equal(&table->branches[0].head, &old));
	check_stable(table);
}

static const struct odb_ops *whole;
static struct oid unread;

static int read_other_header(struct odb *db, const struct oid *oid,
			     enum object_type *ret_type, uint64_t *ret_size)
{
	return oid_equal(oid, &unread) ? -ENOMEM :
		whole->read_header(db, oid, ret_type, ret_size);
}

static void without_memory_no_head_is_lost(void **state)
{
	struct oid old = outside_commit(NULL), head = outside_commit(&old);
	struct odb_ops ops = *odb->ops;
	struct table *table;

	whole = odb->ops;
	unread = head;
	ops.read_header = read_other_header;
	odb->ops = &ops;
	save_branch("a", &head, &old);
	set_ref("a", &old);
	assert_int_equal(try_open(odb, false, NULL), -ENOMEM);
	odb->ops = whole;
	table = opened_table();
	assert_true(oid_equal(&table->branches[0].head, &head));
	check_stable(table);
}

static void a_broken_ref_loses_nothing(void **state)
{
	struct oid head = outside_commit(NULL);
	struct table *table;

	save_branch("a", &head, &head);
	set_ref("a", &head);
	set_ref("new", &head);
	fake_find(&fake, "a")->broken = true;
	fake_find(&fake, "new")->broken = true;
	table = opened_table();
	assert_int_equal(table->branch_count, 1);
	assert_false(table->branches[0].dropped);
	assert_true(oid_equal(&table->branches[0].head, &head));
	check_stable(table);
}

/* ---- tables that cannot be read ---- */

static void a_damaged_table_is_never_thrown_away(void **state)
{
	struct oid head = outside_commit(NULL);
	struct report report = { "" };

	save_branch("a", &head, &head);
	fake.table.data[10] ^= 1;
	assert_int_equal(try_open(odb, false, &report), -EUCLEAN);
	assert_non_null(strstr(report.text, "irminfs/table"));
	fake.table.length = 0;
	assert_int_equal(try_open(odb, false, NULL), -EUCLEAN);
	assert_int_equal(try_open(odb, true, NULL), -EUCLEAN);
	assert_string_equal(logged(), "");
}

static void a_store_that_cannot_be_written_does_not_open(void **state)
{
	struct report report = { "" };

	fake.table_error = -ENOSPC;
	assert_int_equal(try_open(odb, false, &report), -ENOSPC);
	assert_true(strlen(report.text) > 0);
	fake.table_error = 0;
	open_engine();
	close_engine();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_first_use_takes_the_refs),
		TEST(an_empty_repository_has_no_branches),
		TEST(a_ref_that_was_not_written_is),
		TEST(a_branch_that_was_not_made_is),
		TEST(a_ref_that_was_written_is_taken_so),
		TEST(a_ref_that_moved_is_adopted),
		TEST(a_ref_that_was_deleted_drops_its_branch),
		TEST(a_deleted_ref_with_unwritten_commits_comes_back),
		TEST(the_later_of_two_is_taken),
		TEST(both_sides_wait_to_be_merged),
		TEST(deleted_outside_and_restored_at_once),
		TEST(what_was_merged_is_written),
		TEST(where_history_is_damaged_both_sides_are_kept),
		TEST(who_only_reads_sees_both_sides),
		TEST(a_rename_is_finished),
		TEST(a_ref_to_be_deleted_that_moved_is_a_branch),
		TEST(names_that_clash_are_moved_aside),
		TEST(damaged_branches_are_kept),
		TEST(a_lost_head_goes_back_to_the_ref),
		TEST(without_memory_no_head_is_lost),
		TEST(a_broken_ref_loses_nothing),
		TEST(a_damaged_table_is_never_thrown_away),
		TEST(a_store_that_cannot_be_written_does_not_open),
	};

	return cmocka_run_group_tests_name("engine_reconcile", tests, NULL,
					   NULL);
}
