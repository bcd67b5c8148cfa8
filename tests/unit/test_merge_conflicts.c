/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/merges.h"
#include "store/store_private.h"

/* Reports of conflicts over repeated merges. */

static void make_conflict(struct fixture *f)
{
	write_file(f, "main", "x", "1\n");
	write_file(f, "main", "y", "1\n");
	fork_branch(f, "main", "a");
	write_file(f, "a", "x", "theirs\n");
	write_file(f, "a", "y", "theirs\n");
	write_file(f, "main", "x", "ours\n");
	write_file(f, "main", "y", "ours\n");
}

static void conflicts_are_reported_and_disturb_nothing(void **state)
{
	struct fixture *f = *state;
	struct conflict_report **reports;
	size_t count;
	char *head;

	make_conflict(f);
	sync_branch(f, "main");
	sync_branch(f, "a");
	head = shell(f, "git rev-parse main");
	refuse(f, "a", "main", true, -ENOTEMPTY, "2 paths");
	assert_shell(f, head, "git rev-parse main");
	assert_file(f, "a", "x", "theirs\n");
	assert_file(f, "main", "x", "ours\n");
	write_file(f, "a", "z", "writable\n");
	for (int i = 0; i < 2; i++) {
		struct branch *b = branch_of(f, "main");
		char hex[OID_HEX_SIZE];

		assert_conflicts(f, "a", "1 x\n2 y\n");
		reports = conflicts_of(f, "a", &count);
		assert_int_equal(count, 1);
		assert_string_equal(reports[0]->target_name, "main");
		assert_int_equal(reports[0]->target, b->incarnation);
		assert_string_equal(oid_hex(&reports[0]->ours, hex), head);
		assert_shell(f, "<<<<<<< main\nours\n=======\ntheirs\n>>>>>>> a",
			     "git cat-file blob %s",
			     oid_hex(&reports[0]->conflicts[0].merged.oid, hex));
		free_conflicts(reports, count);
		branch_unref(b);
		reopen_store(f);
	}
	free(head);
}

static void numbers_are_unique_over_a_branch(void **state)
{
	struct fixture *f = *state;

	make_conflict(f);
	fork_branch(f, "main", "b");
	refuse(f, "a", "main", true, -ENOTEMPTY, "2 paths");
	refuse(f, "a", "b", true, -ENOTEMPTY, "2 paths");
	assert_conflicts(f, "a", "1 x\n2 y\n3 x\n4 y\n");
	refuse(f, "a", "main", true, -ENOTEMPTY, "2 paths");
	assert_conflicts(f, "a", "1 x\n2 y\n3 x\n4 y\n");
	write_file(f, "main", "x", "theirs\n");
	write_file(f, "main", "new", "ours\n");
	write_file(f, "a", "new", "theirs\n");
	refuse(f, "a", "main", true, -ENOTEMPTY, "2 paths");
	assert_conflicts(f, "a", "5 new\n2 y\n3 x\n4 y\n");
}

static void a_merge_that_succeeds_ends_its_report(void **state)
{
	struct fixture *f = *state;

	make_conflict(f);
	refuse(f, "a", "main", false, -ENOTEMPTY, "2 paths");
	write_file(f, "main", "x", "theirs\n");
	write_file(f, "main", "y", "theirs\n");
	merge(f, "a", "main", false);
	assert_conflicts(f, "a", "");
	reopen_store(f);
	assert_conflicts(f, "a", "");
}

static void what_was_resolved_stays_so(void **state)
{
	struct fixture *f = *state;

	make_conflict(f);
	refuse(f, "a", "main", true, -ENOTEMPTY, "2 paths");
	write_file(f, "a", "x", "settled\n");
	resolve(f, "a", 1, RESOLVE_EDITED);
	refuse(f, "a", "main", true, -ENOTEMPTY, "1 path is");
	assert_conflicts(f, "a", "1 x resolved\n2 y\n");
	reopen_store(f);
	refuse(f, "a", "main", true, -ENOTEMPTY, "1 path is");
	assert_conflicts(f, "a", "1 x resolved\n2 y\n");
	/* until the target's side is another one */
	write_file(f, "main", "x", "changed\n");
	refuse(f, "a", "main", true, -ENOTEMPTY, "2 paths");
	assert_conflicts(f, "a", "1 x\n2 y\n");
}

static void what_was_resolved_takes_part_when_the_rest_goes_away(void **state)
{
	struct fixture *f = *state;

	make_conflict(f);
	refuse(f, "a", "main", true, -ENOTEMPTY, "2 paths");
	/* back to what was before both: theirs is the base's now */
	write_file(f, "a", "x", "1\n");
	resolve(f, "a", 1, RESOLVE_EDITED);
	write_file(f, "main", "y", "theirs\n");
	merge(f, "a", "main", true);
	assert_file(f, "main", "x", "1\n");
	assert_file(f, "main", "y", "theirs\n");
}

static void an_edited_file_counts_as_edited_after_another_try(void **state)
{
	struct fixture *f = *state;

	make_conflict(f);
	refuse(f, "a", "main", true, -ENOTEMPTY, "2 paths");
	write_file(f, "a", "x", "settled\n");
	refuse(f, "a", "main", true, -ENOTEMPTY, "2 paths");
	resolve(f, "a", 1, RESOLVE_EDITED);
	assert_conflicts(f, "a", "1 x resolved\n2 y\n");
}

static size_t count_open(struct fixture *f, const char *branch)
{
	size_t count, open = 0;
	struct conflict_report **reports = conflicts_of(f, branch, &count);

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < reports[i]->count; j++)
			open += !reports[i]->conflicts[j].resolved;
	free_conflicts(reports, count);
	return open;
}

static void reports_are_bounded(void **state)
{
	struct fixture *f = *state;
	char path[32];

	fork_branch(f, "main", "a");
	for (int i = 0; i < 1100; i++) {
		snprintf(path, sizeof(path), "d/%d", i);
		write_file(f, "main", path, "ours\n");
		write_file(f, "a", path, "theirs\n");
	}
	refuse(f, "a", "main", true, -ENOTEMPTY, "1100 paths");
	assert_int_equal(count_open(f, "a"), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(conflicts_are_reported_and_disturb_nothing),
		store_test(numbers_are_unique_over_a_branch),
		store_test(a_merge_that_succeeds_ends_its_report),
		store_test(what_was_resolved_stays_so),
		store_test(what_was_resolved_takes_part_when_the_rest_goes_away),
		store_test(an_edited_file_counts_as_edited_after_another_try),
		store_test(reports_are_bounded),
	};

	return cmocka_run_group_tests_name("merge_conflicts", tests, NULL,
					   NULL);
}
