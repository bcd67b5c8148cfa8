/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/merges.h"
#include "structures/structures.h"

/* Types of structures/ in merges of branches. */

static struct timespec now = { 1800000000, 0 };

static void test_clock(struct timespec *ret)
{
	*ret = now;
}

/* A commit of its own at that second. */
static void commit_at(struct fixture *f, const char *branch, time_t second)
{
	now.tv_sec = 1800000000 + second;
	sync_branch(f, branch);
	free(shell(f, "true"));
}

static struct conflict_report *report_of(struct fixture *f, const char *branch)
{
	size_t count;
	struct conflict_report **reports = conflicts_of(f, branch, &count);
	struct conflict_report *report;

	assert_int_equal(count, 1);
	report = reports[0];
	free(reports);
	return report;
}

static void assert_suggested(struct fixture *f, const char *branch,
			     const char *text)
{
	struct conflict_report *report = report_of(f, branch);
	const struct conflict *c = &report->conflicts[0];
	char hex[OID_HEX_SIZE];

	if (!text) {
		assert_int_equal(c->suggested.mode, 0);
	} else {
		assert_int_equal(c->suggested.mode, c->theirs.mode);
		assert_shell(f, text, "git cat-file blob %s",
			     oid_hex(&c->suggested.oid, hex));
	}
	conflict_report_free(report);
}

/* ---- counters ---- */

static void equal_steps_of_a_counter_add_up(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", ".gitattributes", "hits merge=counter\n");
	write_file(f, "main", "hits", "5\n");
	write_file(f, "main", "dir/hits", "1\n");
	write_file(f, "main", "dir/text", "1\n");
	fork_branch(f, "main", "a");
	for (int i = 0; i < 2; i++) {
		const char *branch = i ? "main" : "a";

		write_file(f, branch, "hits", "6\n");
		write_file(f, branch, "dir/hits", "0\n");
		write_file(f, branch, "dir/text", "2\n");
		write_file(f, branch, "dir/new", "same\n");
	}
	/* equal in all, they would be one commit */
	write_file(f, "a", "own", "1\n");
	merge(f, "a", "main", false);
	assert_file(f, "main", "hits", "7\n");
	assert_file(f, "main", "dir/hits", "-1\n");
	assert_file(f, "main", "dir/text", "2\n");
	assert_file(f, "main", "dir/new", "same\n");
	/* and once more changes nothing */
	merge(f, "a", "main", true);
	assert_file(f, "main", "hits", "7\n");
}

static void a_counter_that_is_none_is_in_conflict(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", ".gitattributes", "hits merge=counter\n");
	write_file(f, "main", "hits", "5\n");
	fork_branch(f, "main", "a");
	write_file(f, "a", "hits", "six\n");
	write_file(f, "main", "hits", "7\n");
	refuse(f, "a", "main", true, -ENOTEMPTY, "\"hits\"");
	assert_suggested(f, "a", NULL);
	assert_file(f, "main", "hits", "7\n");
}

/* ---- suggestions ---- */

#define FOX "say the quick brown fox jumps over the lazy dog now\n"
#define RED_FOX "say the quick red fox jumps over the lazy dog now\n"
#define CAT "say the quick brown fox jumps over the lazy cat now\n"
#define RED_FOX_CAT "say the quick red fox jumps over the lazy cat now"

static void disagree_by(struct fixture *f, const char *attributes)
{
	write_file(f, "main", ".gitattributes", attributes);
	disagree(f, FOX, CAT, RED_FOX);
}

static void a_text_conflict_has_a_suggestion(void **state)
{
	struct fixture *f = *state;

	disagree_by(f, "");
	assert_suggested(f, "a", RED_FOX_CAT);
	reopen_store(f);
	assert_suggested(f, "a", RED_FOX_CAT);
	/* what is only in the table survives git's own housekeeping */
	free(shell(f, "git gc -q --prune=now"));
	assert_suggested(f, "a", RED_FOX_CAT);
	resolve(f, "a", 1, RESOLVE_SUGGESTED);
	assert_file(f, "a", "x", RED_FOX_CAT "\n");
	merge(f, "a", "main", true);
	assert_file(f, "main", "x", RED_FOX_CAT "\n");
	free(shell(f, "git fsck --strict"));
}

static void what_token_leaves_may_be_suggested(void **state)
{
	struct fixture *f = *state;

	disagree_by(f, "x merge=token\n");
	assert_suggested(f, "a", RED_FOX_CAT);
}

static void binary_files_have_none(void **state)
{
	struct fixture *f = *state;

	disagree_by(f, "x -merge\n");
	assert_suggested(f, "a", NULL);
}

static void a_suggestion_is_of_its_own_file(void **state)
{
	struct fixture *f = *state;
	struct conflict_report *report;

	write_file(f, "main", "y", "one\n");
	write_file(f, "main", "z", "one\n");
	write_file(f, "main", "x", FOX);
	fork_branch(f, "main", "a");
	write_file(f, "a", "x", CAT);
	write_file(f, "a", "y", "two\n");
	write_file(f, "a", "z", "two\n");
	write_file(f, "main", "x", RED_FOX);
	write_file(f, "main", "y", "three\n");
	remove_file(f, "main", "z");
	refuse(f, "a", "main", true, -ENOTEMPTY, "\"x\"");
	report = report_of(f, "a");
	assert_int_equal(report->count, 3);
	assert_int_not_equal(report->conflicts[0].suggested.mode, 0);
	assert_int_equal(report->conflicts[1].suggested.mode, 0);
	assert_int_equal(report->conflicts[2].suggested.mode, 0);
	conflict_report_free(report);
}

static void settled_conflicts_are_in_the_message(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", ".gitattributes", "x merge=token\n");
	write_file(f, "main", "x", "int a;\nint b;\n");
	fork_branch(f, "main", "a");
	write_file(f, "a", "x", "long a;\nint b;\n");
	write_file(f, "main", "x", "int a;\nlong b;\n");
	merge(f, "a", "main", true);
	assert_file(f, "main", "x", "long a;\nlong b;\n");
	assert_shell(f, "x: 1 conflict settled by words: line 1 (lines)",
		     "git log -1 --format=%%B main | grep settled");
}

/* ---- last writer wins ---- */

static void start_lww(struct fixture *f)
{
	close_store(f);
	f->options.clock = test_clock;
	open_store(f);
	write_file(f, "main", ".gitattributes", "x merge=lww\n");
	write_file(f, "main", "x", "0\n");
	commit_at(f, "main", 0);
	fork_branch(f, "main", "a");
}

static void the_later_change_wins_not_the_later_commit(void **state)
{
	struct fixture *f = *state;

	start_lww(f);
	write_file(f, "main", "x", "ours\n");
	commit_at(f, "main", 10);
	write_file(f, "a", "x", "theirs\n");
	commit_at(f, "a", 20);
	write_file(f, "main", "other", "1\n");
	commit_at(f, "main", 30);
	merge(f, "a", "main", true);
	assert_file(f, "main", "x", "theirs\n");
}

static void a_change_that_came_by_a_merge_keeps_its_time(void **state)
{
	struct fixture *f = *state;

	start_lww(f);
	fork_branch(f, "main", "b");
	write_file(f, "b", "x", "old\n");
	commit_at(f, "b", 10);
	write_file(f, "main", "x", "newer\n");
	commit_at(f, "main", 20);
	write_file(f, "a", "y", "1\n");
	commit_at(f, "a", 30);
	merge(f, "b", "a", false);
	assert_file(f, "a", "x", "old\n");
	merge(f, "a", "main", false);
	assert_file(f, "main", "x", "newer\n");
	merge(f, "main", "a", false);
	assert_file(f, "a", "x", "newer\n");
}

static void at_one_time_the_larger_id_wins_in_either_direction(void **state)
{
	struct fixture *f = *state;
	char *larger;

	start_lww(f);
	write_file(f, "main", "x", "1\n");
	commit_at(f, "main", 10);
	write_file(f, "a", "x", "2\n");
	commit_at(f, "a", 10);
	larger = shell(f, "for n in 1 2; do echo $(echo $n | "
		       "git hash-object --stdin) $n; done | sort | tail -1 | "
		       "cut -d' ' -f2");
	fork_branch(f, "main", "c");
	merge(f, "a", "main", false);
	assert_int_equal(file_text(f, "main", "x")[0], *larger);
	merge(f, "c", "a", false);
	assert_int_equal(file_text(f, "a", "x")[0], *larger);
	free(larger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(equal_steps_of_a_counter_add_up),
		store_test(a_counter_that_is_none_is_in_conflict),
		store_test(a_text_conflict_has_a_suggestion),
		store_test(what_token_leaves_may_be_suggested),
		store_test(binary_files_have_none),
		store_test(a_suggestion_is_of_its_own_file),
		store_test(settled_conflicts_are_in_the_message),
		store_test(the_later_change_wins_not_the_later_commit),
		store_test(a_change_that_came_by_a_merge_keeps_its_time),
		store_test(at_one_time_the_larger_id_wins_in_either_direction),
	};

	if (structures_register() < 0)
		return 1;
	return cmocka_run_group_tests_name("typed_merges", tests, NULL, NULL);
}
