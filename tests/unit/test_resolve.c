/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/merges.h"

static void refuse_to_resolve(struct fixture *f, const char *branch,
			      uint32_t number, enum resolve_choice choice,
			      int error, const char *says)
{
	struct report report;
	int r = try_resolve(f, branch, number, choice, &report);

	if (r != error || !strstr(report.text, says))
		fail_msg("branch_resolve: %d: %s", r, report.text);
}

/* Branch a, forked from main, and main disagree about x; number 1. */
static void conflict(struct fixture *f)
{
	write_file(f, "main", "other", "1\n");
	disagree(f, "base\n", "theirs\n", "ours\n");
}

/* ---- one conflict ---- */

static void an_untouched_file_is_no_resolution(void **state)
{
	struct fixture *f = *state;

	conflict(f);
	refuse_to_resolve(f, "a", 1, RESOLVE_EDITED, -EPERM, "--as-is");
	/* as it was, although written */
	write_file(f, "a", "x", "theirs\n");
	refuse_to_resolve(f, "a", 1, RESOLVE_EDITED, -EPERM, "\"x\"");
	assert_conflicts(f, "a", "1 x\n");
	refuse_to_resolve(f, "a", 2, RESOLVE_AS_IS, -ENOENT, "number 2");
	refuse_to_resolve(f, "main", 1, RESOLVE_AS_IS, -ENOENT, "number 1");
	refuse_to_resolve(f, "a", 1, RESOLVE_SUGGESTED, -ENODATA, "suggested");
}

static void an_edited_file_is_one(void **state)
{
	struct fixture *f = *state;
	char *heads;

	conflict(f);
	write_file(f, "a", "x", "both\n");
	sync_branch(f, "a");
	heads = shell(f, "git rev-parse a main");
	resolve(f, "a", 1, RESOLVE_EDITED);
	assert_conflicts(f, "a", "");
	assert_file(f, "a", "x", "both\n");
	assert_file(f, "main", "x", "ours\n");
	assert_shell(f, heads, "git rev-parse a^1 a^2");
	assert_shell(f, "Merge branch 'main' into a",
		     "git log -1 --format=%%s a");
	free(heads);
	merge(f, "a", "main", true);
	assert_file(f, "main", "x", "both\n");
	/* it went forward */
	assert_shell(f, "1", "git rev-list --merges --count main");
}

static void edits_of_the_same_length_and_of_the_mode_count(void **state)
{
	struct stat executable = { .st_mode = 0755 };
	struct fixture *f = *state;
	struct branch *b;
	struct worktree *w;
	struct node *n;

	conflict(f);
	write_file(f, "a", "x", "THEIRS\n");
	resolve(f, "a", 1, RESOLVE_EDITED);
	merge(f, "a", "main", true);
	conflict(f);
	b = branch_of(f, "a");
	assert_int_equal(branch_worktree(b, &w), 0);
	assert_int_equal(worktree_lookup(w, "x", &n), 0);
	assert_int_equal(node_set_attributes(n, &executable, NODE_SET_MODE), 0);
	node_unref(n);
	branch_unref(b);
	resolve(f, "a", 1, RESOLVE_EDITED);
	merge(f, "a", "main", true);
	assert_file(f, "main", "x", "theirs\n");
	assert_shell(f, "100755", "git ls-tree main x | cut -c1-6");
}

static void a_removed_file_counts_as_edited(void **state)
{
	struct fixture *f = *state;

	conflict(f);
	remove_file(f, "a", "x");
	resolve(f, "a", 1, RESOLVE_EDITED);
	merge(f, "a", "main", true);
	assert_shell(f, "other", "git ls-tree --name-only main | xargs");
}

static void a_side_can_be_taken(void **state)
{
	static const struct {
		enum resolve_choice choice;
		const char *text;
	} choices[] = {
		{ RESOLVE_OURS, "ours\n" },
		{ RESOLVE_THEIRS, "theirs\n" },
		{ RESOLVE_AS_IS, "edited\n" },
	};
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++) {
		conflict(f);
		write_file(f, "a", "x", "edited\n");
		resolve(f, "a", 1, choices[i].choice);
		assert_file(f, "a", "x", choices[i].text);
		merge(f, "a", "main", true);
		assert_file(f, "main", "x", choices[i].text);
	}
}

static void an_untouched_file_may_be_taken_as_it_is(void **state)
{
	struct fixture *f = *state;

	conflict(f);
	resolve(f, "a", 1, RESOLVE_AS_IS);
	merge(f, "a", "main", true);
	assert_file(f, "main", "x", "theirs\n");
}

static void sides_that_are_absent_are_taken_too(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "d/x", "base\n");
	write_file(f, "main", "y", "base\n");
	fork_branch(f, "main", "a");
	write_file(f, "a", "d/x", "theirs\n");
	remove_file(f, "a", "y");
	remove_file(f, "main", "d/x");
	write_file(f, "main", "y", "ours\n");
	refuse(f, "a", "main", true, -ENOTEMPTY, "2 paths");
	assert_conflicts(f, "a", "1 d/x\n2 y\n");
	refuse_to_resolve(f, "a", 2, RESOLVE_EDITED, -EPERM, "\"y\"");
	resolve(f, "a", 1, RESOLVE_OURS);
	resolve(f, "a", 2, RESOLVE_OURS);
	merge(f, "a", "main", true);
	assert_shell(f, "y", "git ls-tree -r --name-only main");
	assert_file(f, "main", "y", "ours\n");
}

static void a_file_against_a_directory_is_resolved(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "d", "base\n");
	fork_branch(f, "main", "a");
	fork_branch(f, "main", "b");
	write_file(f, "a", "d", "theirs\n");
	write_file(f, "b", "d", "changed\n");
	remove_file(f, "main", "d");
	write_file(f, "main", "d/x", "ours\n");
	refuse(f, "a", "main", true, -ENOTEMPTY, "\"d\"");
	resolve(f, "a", 1, RESOLVE_OURS);
	assert_file(f, "a", "d/x", "ours\n");
	merge(f, "a", "main", true);
	/* and the other way round */
	refuse(f, "main", "b", false, -ENOTEMPTY, "\"d\"");
	refuse_to_resolve(f, "main", 1, RESOLVE_EDITED, -EPERM, "\"d\"");
	write_file(f, "main", "d/y", "more\n");
	resolve(f, "main", 1, RESOLVE_EDITED);
	merge(f, "main", "b", false);
	assert_file(f, "b", "d/y", "more\n");
}

/* ---- the merge afterwards ---- */

static void the_last_one_finishes_the_merge(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "x", "base\n");
	write_file(f, "main", "y", "base\n");
	fork_branch(f, "main", "a");
	write_file(f, "a", "x", "theirs\n");
	write_file(f, "a", "y", "theirs\n");
	write_file(f, "main", "x", "ours\n");
	write_file(f, "main", "y", "ours\n");
	write_file(f, "main", "z", "ours\n");
	refuse(f, "a", "main", true, -ENOTEMPTY, "2 paths");
	resolve(f, "a", 2, RESOLVE_THEIRS);
	assert_conflicts(f, "a", "1 x\n2 y resolved\n");
	refuse_to_resolve(f, "a", 2, RESOLVE_THEIRS, -ENOENT, "number 2");
	assert_file(f, "a", "z", "");
	reopen_store(f);
	resolve(f, "a", 1, RESOLVE_OURS);
	assert_conflicts(f, "a", "");
	assert_file(f, "a", "x", "ours\n");
	assert_file(f, "a", "y", "theirs\n");
	assert_file(f, "a", "z", "ours\n");
	reopen_store(f);
	assert_conflicts(f, "a", "");
}

static void what_the_target_gained_since_is_merged_after(void **state)
{
	struct fixture *f = *state;

	conflict(f);
	write_file(f, "main", "gained", "1\n");
	write_file(f, "a", "x", "both\n");
	resolve(f, "a", 1, RESOLVE_EDITED);
	assert_file(f, "a", "gained", "");
	merge(f, "a", "main", true);
	assert_file(f, "main", "gained", "1\n");
	assert_file(f, "main", "x", "both\n");
}

static void a_target_that_is_gone_does_not_matter(void **state)
{
	struct fixture *f = *state;
	struct branch *b;
	struct report report = { "" };

	conflict(f);
	b = branch_of(f, "main");
	assert_int_equal(store_drop(f->store, b, &tester, &report), 0);
	branch_unref(b);
	reopen_store(f);
	write_file(f, "a", "x", "both\n");
	resolve(f, "a", 1, RESOLVE_EDITED);
	assert_file(f, "a", "x", "both\n");
	assert_shell(f, "1", "git rev-list --merges --count a");
}

static void a_renamed_target_shows_its_name(void **state)
{
	struct fixture *f = *state;
	struct conflict_report **reports;
	struct branch *b;
	struct report report = { "" };
	size_t count;

	conflict(f);
	b = branch_of(f, "main");
	assert_int_equal(store_rename(f->store, b, "trunk", &tester, &report),
			 0);
	branch_unref(b);
	reports = conflicts_of(f, "a", &count);
	assert_int_equal(count, 1);
	assert_string_equal(reports[0]->target_name, "trunk");
	free_conflicts(reports, count);
}

static void new_conflicts_come_up(void **state)
{
	struct fixture *f = *state;
	struct report report;

	conflict(f);
	/* main has added it too when the conflict came up */
	write_file(f, "main", "new", "ours\n");
	refuse(f, "a", "main", true, -ENOTEMPTY, "\"x\"");
	write_file(f, "a", "new", "theirs\n");
	write_file(f, "a", "x", "both\n");
	assert_int_equal(try_resolve(f, "a", 1, RESOLVE_EDITED, &report), 0);
	assert_non_null(strstr(report.text, "1 new conflict"));
	assert_conflicts(f, "a", "2 new\n1 x resolved\n");
	write_file(f, "a", "new", "both\n");
	resolve(f, "a", 2, RESOLVE_EDITED);
	assert_conflicts(f, "a", "");
	merge(f, "a", "main", true);
	assert_file(f, "main", "new", "both\n");
	assert_file(f, "main", "x", "both\n");
}

static void a_resolution_back_to_the_base_holds(void **state)
{
	struct fixture *f = *state;

	conflict(f);
	write_file(f, "a", "x", "base\n");
	resolve(f, "a", 1, RESOLVE_EDITED);
	assert_file(f, "a", "x", "base\n");
	merge(f, "a", "main", true);
	assert_file(f, "main", "x", "base\n");
}

static void files_open_for_writing_are_not_replaced(void **state)
{
	struct fixture *f = *state;
	struct branch *b;
	struct worktree *w;
	struct node *n;

	conflict(f);
	write_file(f, "main", "other", "2\n");
	refuse(f, "a", "main", true, -ENOTEMPTY, "\"x\"");
	b = branch_of(f, "a");
	assert_int_equal(branch_worktree(b, &w), 0);
	assert_int_equal(worktree_lookup(w, "other", &n), 0);
	node_writer_begin(n);
	write_file(f, "a", "x", "both\n");
	refuse_to_resolve(f, "a", 1, RESOLVE_EDITED, -EBUSY, "\"other\"");
	/* nothing is lost, it can be tried again */
	assert_conflicts(f, "a", "1 x\n");
	assert_file(f, "a", "x", "both\n");
	node_writer_end(n);
	node_unref(n);
	branch_unref(b);
	resolve(f, "a", 1, RESOLVE_EDITED);
	assert_file(f, "a", "other", "2\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(an_untouched_file_is_no_resolution),
		store_test(an_edited_file_is_one),
		store_test(edits_of_the_same_length_and_of_the_mode_count),
		store_test(a_removed_file_counts_as_edited),
		store_test(a_side_can_be_taken),
		store_test(an_untouched_file_may_be_taken_as_it_is),
		store_test(sides_that_are_absent_are_taken_too),
		store_test(a_file_against_a_directory_is_resolved),
		store_test(the_last_one_finishes_the_merge),
		store_test(what_the_target_gained_since_is_merged_after),
		store_test(a_target_that_is_gone_does_not_matter),
		store_test(a_renamed_target_shows_its_name),
		store_test(new_conflicts_come_up),
		store_test(a_resolution_back_to_the_base_holds),
		store_test(files_open_for_writing_are_not_replaced),
	};

	return cmocka_run_group_tests_name("resolve", tests, NULL, NULL);
}
