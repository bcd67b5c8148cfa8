/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/merges.h"

#define TEN "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"

/* ---- what comes out ---- */

static void both_sides_are_merged_in_one_commit(void **state)
{
	struct fixture *f = *state;
	char *before;

	write_file(f, "main", "numbers", TEN);
	fork_branch(f, "main", "a");
	write_file(f, "a", "numbers", "zero\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
	write_file(f, "a", "d/new", "new\n");
	write_file(f, "main", "numbers", "0\n1\n2\n3\n4\n5\n6\n7\n8\nnine\n");
	sync_branch(f, "main");
	sync_branch(f, "a");
	before = shell(f, "git rev-parse main a");
	merge(f, "a", "main", true);
	assert_file(f, "main", "numbers",
		    "zero\n1\n2\n3\n4\n5\n6\n7\n8\nnine\n");
	assert_file(f, "main", "d/new", "new\n");
	assert_false(has_branch(f, "a"));
	assert_shell(f, before, "git rev-parse main^1 main^2");
	assert_shell(f, "Merge branch 'a' into main",
		     "git log -1 --format=%%s main");
	assert_shell(f, "main", "git for-each-ref --format='%%(refname:short)'");
	assert_shell(f, "zero nine",
		     "git show main:numbers | grep '[a-z]' | xargs");
	assert_shell(f, "", "git fsck --strict 2>&1");
	free(before);
	reopen_store(f);
	assert_file(f, "main", "d/new", "new\n");
	assert_false(has_branch(f, "a"));
}

static void the_source_can_be_kept(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "base", "1\n");
	fork_branch(f, "main", "a");
	write_file(f, "a", "x", "1\n");
	write_file(f, "main", "y", "1\n");
	merge(f, "a", "main", false);
	assert_file(f, "main", "x", "1\n");
	assert_file(f, "main", "y", "1\n");
	assert_file(f, "a", "y", "");
	write_file(f, "a", "x", "2\n");
	merge(f, "a", "main", false);
	assert_file(f, "main", "x", "2\n");
	assert_shell(f, "2", "git rev-list --merges --count main");
}

static void a_fast_forward_makes_no_commit(void **state)
{
	struct fixture *f = *state;
	char *head;

	write_file(f, "main", "base", "1\n");
	fork_branch(f, "main", "a");
	write_file(f, "a", "x", "1\n");
	sync_branch(f, "a");
	head = shell(f, "git rev-parse a");
	merge(f, "a", "main", true);
	assert_shell(f, head, "git rev-parse main");
	assert_file(f, "main", "x", "1\n");
	free(head);
	/* and the branch goes on from there */
	write_file(f, "main", "y", "1\n");
	sync_branch(f, "main");
	assert_shell(f, "base x y", "git ls-tree --name-only main | xargs");
}

static void nothing_to_merge_only_takes_the_source_away(void **state)
{
	struct fixture *f = *state;
	struct report report;
	char *head;

	write_file(f, "main", "base", "1\n");
	fork_branch(f, "main", "a");
	write_file(f, "main", "base", "2\n");
	sync_branch(f, "main");
	head = shell(f, "git rev-parse main");
	merge(f, "a", "main", false);
	assert_true(has_branch(f, "a"));
	merge(f, "a", "main", true);
	assert_false(has_branch(f, "a"));
	assert_shell(f, head, "git rev-parse main");
	free(head);
	/* for good: what it was is in main's history */
	report = (struct report){ "" };
	assert_int_equal(store_restore(f->store, "a", NULL, &tester, &report),
			 -ENOENT);
	/* its name is free */
	fork_branch(f, "main", "a");
	assert_file(f, "a", "base", "2\n");
}

static void uncommitted_changes_take_part(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "base", "1\n");
	fork_branch(f, "main", "a");
	write_file(f, "main", "dirty", "1\n");
	write_file(f, "a", "new", "1\n");
	merge(f, "a", "main", true);
	write_file(f, "main", "later", "1\n");
	assert_file(f, "main", "dirty", "1\n");
	sync_branch(f, "main");
	assert_shell(f, "base dirty later new",
		     "git ls-tree --name-only main | xargs");
}

static void unrelated_histories_merge(void **state)
{
	struct fixture *f = *state;
	struct report report = { "" };

	write_file(f, "main", "base", "1\n");
	assert_int_equal(store_make(f->store, "b", &tester, &report), 0);
	write_file(f, "b", "other", "1\n");
	merge(f, "b", "main", true);
	assert_file(f, "main", "base", "1\n");
	assert_file(f, "main", "other", "1\n");
}

static void the_message_is_the_users_if_there_is_one(void **state)
{
	struct fixture *f = *state;
	struct branch *main_branch;

	write_file(f, "main", "base", "1\n");
	fork_branch(f, "main", "a");
	write_file(f, "a", "x", "1\n");
	write_file(f, "main", "y", "1\n");
	sync_branch(f, "main");
	main_branch = branch_of(f, "main");
	assert_int_equal(branch_set_message(main_branch, "Take a\n"), 0);
	merge(f, "a", "main", true);
	assert_shell(f, "Take a", "git log -1 --format=%%s main");
	assert_null(branch_message(main_branch));
	branch_unref(main_branch);
}

static void criss_cross_merges_have_virtual_bases(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "numbers", TEN);
	fork_branch(f, "main", "a");
	write_file(f, "main", "numbers", "zero\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
	write_file(f, "a", "numbers", "0\n1\n2\n3\n4\n5\n6\n7\n8\nnine\n");
	fork_branch(f, "main", "m");
	fork_branch(f, "a", "n");
	merge(f, "n", "main", true);
	merge(f, "m", "a", true);
	write_file(f, "main", "numbers",
		   "zero\n1\n2\nthree\n4\n5\n6\n7\n8\nnine\n");
	write_file(f, "a", "numbers", "zero\n1\n2\n3\n4\n5\nsix\n7\n8\nnine\n");
	merge(f, "a", "main", true);
	assert_file(f, "main", "numbers",
		    "zero\n1\n2\nthree\n4\n5\nsix\n7\n8\nnine\n");
}

static void attributes_are_those_of_the_target(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "list", "1\n");
	fork_branch(f, "main", "a");
	write_file(f, "main", ".gitattributes", "list merge=union\n");
	write_file(f, "main", "list", "1\n2\n");
	write_file(f, "a", "list", "1\n3\n");
	refuse(f, "main", "a", false, -ENOTEMPTY, "\"list\"");
	merge(f, "a", "main", true);
	assert_file(f, "main", "list", "1\n2\n3\n");
}

/* ---- refusals ---- */

static void what_cannot_be_merged_is_refused(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "base", "1\n");
	refuse(f, "main", "main", true, -EINVAL, "itself");
	fork_branch(f, "main", "a");
	free(shell(f, "git worktree add -q ../work a"));
	reopen_store(f);
	write_file(f, "main", "base", "2\n");
	refuse(f, "main", "a", false, -EROFS, "work");
	refuse(f, "a", "main", true, -EROFS, "work");
	merge(f, "a", "main", false);
	f->options.force = true;
	reopen_store(f);
	refuse(f, "a", "main", true, -EBUSY, ".irmin/merge");
}

static struct node *open_file(struct fixture *f, const char *branch,
			      const char *path)
{
	struct branch *b = branch_of(f, branch);
	struct worktree *w;
	struct node *n;

	assert_int_equal(branch_worktree(b, &w), 0);
	assert_int_equal(worktree_lookup(w, path, &n), 0);
	node_writer_begin(n);
	branch_unref(b);
	return n;
}

static void close_file(struct node *n)
{
	node_writer_end(n);
	node_unref(n);
}

static void writers_are_not_disturbed(void **state)
{
	struct fixture *f = *state;
	struct node *n;

	write_file(f, "main", "d/x", "1\n");
	write_file(f, "main", "y", "1\n");
	fork_branch(f, "main", "a");
	write_file(f, "a", "d/x", "2\n");
	n = open_file(f, "main", "d/x");
	refuse(f, "a", "main", true, -EBUSY, "\"d/x\" of branch main");
	assert_file(f, "main", "d/x", "1\n");
	write_file(f, "a", "still", "writable\n");
	close_file(n);
	/* the source goes, and all that is open in it */
	n = open_file(f, "a", "y");
	refuse(f, "a", "main", true, -EBUSY, "\"y\" of branch a");
	/* unless it is kept */
	merge(f, "a", "main", false);
	/* or the file is no part of it any more */
	remove_file(f, "a", "y");
	merge(f, "a", "main", true);
	close_file(n);
	assert_file(f, "main", "y", "");
	assert_file(f, "main", "d/x", "2\n");
}

static void other_files_may_be_written(void **state)
{
	struct fixture *f = *state;
	struct node *n;

	write_file(f, "main", "x", "1\n");
	write_file(f, "main", "y", "1\n");
	fork_branch(f, "main", "a");
	write_file(f, "a", "x", "2\n");
	n = open_file(f, "main", "y");
	merge(f, "a", "main", true);
	assert_int_equal(node_write(n, "3\n", 2, 0, false), 2);
	close_file(n);
	assert_file(f, "main", "y", "3\n");
}

static void a_consumed_branch_takes_no_more_changes(void **state)
{
	struct fixture *f = *state;
	struct node *n;

	write_file(f, "main", "x", "1\n");
	fork_branch(f, "main", "a");
	write_file(f, "a", "x", "2\n");
	n = open_file(f, "a", "x");
	node_writer_end(n);
	merge(f, "a", "main", true);
	assert_int_equal(node_write(n, "3\n", 2, 0, false), -ENOENT);
	node_unref(n);
}

static void drivers_that_fail_change_nothing(void **state)
{
	static const struct {
		const char *command;
		int error;
	} drivers[] = {
		{ "exit 200", -ECHILD },
		{ "kill -9 $$", -ECHILD },
		{ "rm %A", -ECHILD },
		{ "sleep 100", -ETIMEDOUT },
	};
	struct fixture *f = *state;

	f->options.driver_seconds = 1;
	reopen_store(f);
	write_file(f, "main", ".gitattributes", "count merge=mine\n");
	write_file(f, "main", "count", "1\n");
	fork_branch(f, "main", "a");
	write_file(f, "a", "count", "2\n");
	write_file(f, "main", "count", "3\n");
	for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++) {
		free(shell(f, "git config merge.mine.driver '%s'",
			   drivers[i].command));
		refuse(f, "a", "main", true, drivers[i].error, "\"mine\"");
		assert_file(f, "a", "count", "2\n");
		assert_file(f, "main", "count", "3\n");
	}
	free(shell(f, "git config merge.mine.driver "
		   "'echo $(($(cat %%A) + $(cat %%B) - $(cat %%O))) >x; "
		   "mv x %%A'"));
	merge(f, "a", "main", true);
	assert_file(f, "main", "count", "4\n");
	assert_shell(f, "", "ls irminfs/drivers");
}

/* ---- changes while a merge is computed ---- */

struct disturbance {
	struct fixture *f;
	int times, begun, ended;
	const char *branch, *path;
	bool commit;
	int outcome;
};

static void disturb(void *context)
{
	struct disturbance *d = context;
	char text[32];

	d->begun++;
	if (d->times <= 0)
		return;
	snprintf(text, sizeof(text), "disturbed %d\n", d->times--);
	d->outcome = try_write(d->f, d->branch, d->path, text);
	if (d->commit)
		sync_branch(d->f, d->branch);
}

static void note_end(void *context)
{
	((struct disturbance *)context)->ended++;
}

static void note_name(void *context, struct node *dir, const char *name)
{
}

static void note_dir(void *context, struct node *dir)
{
}

static void note_branch(void *context, struct branch *b)
{
}

static void note_tree(void *context, struct worktree *w)
{
}

static void note_space(void *context, const char *space)
{
}

static void disturb_merges(struct fixture *f, struct disturbance *d)
{
	struct store_front front = {
		.watch = {
			.begin = disturb, .end = note_end,
			.changing = note_name, .changed = note_dir,
			.context = d,
		},
		.flush_mappings = note_tree,
		.branches_changed = note_space,
		.conflicts_changed = note_branch,
	};

	d->f = f;
	write_file(f, "main", "x", "1\n");
	fork_branch(f, "main", "a");
	write_file(f, "a", "x", "2\n");
	write_file(f, "main", "y", "1\n");
	store_set_front(f->store, &front);
}

static void a_cut_in_between_begins_the_merge_anew(void **state)
{
	struct disturbance d = {
		.times = 2, .branch = "main", .path = "z", .commit = true,
	};
	struct fixture *f = *state;

	disturb_merges(f, &d);
	merge(f, "a", "main", true);
	assert_int_equal(d.begun, 3);
	assert_int_equal(d.ended, 3);
	assert_file(f, "main", "x", "2\n");
	assert_file(f, "main", "z", "disturbed 1\n");
	assert_shell(f, "1", "git rev-list --merges --count main");
	assert_shell(f, "disturbed 1", "git show main:z");
}

/* At last names are announced between attempts alone, and not again. */
static void a_branch_that_never_rests_is_merged_into(void **state)
{
	struct disturbance d = {
		.times = 100, .branch = "main", .path = "z", .commit = true,
	};
	struct fixture *f = *state;

	disturb_merges(f, &d);
	merge(f, "a", "main", true);
	assert_true(d.begun > 1 && d.begun == d.ended);
	assert_false(has_branch(f, "a"));
	assert_file(f, "main", "x", "2\n");
	assert_shell(f, file_text(f, "main", "z"),
		     "git show main:z; echo");
}

static void a_change_of_the_same_path_is_a_conflict(void **state)
{
	struct disturbance d = { .times = 1, .branch = "main", .path = "x" };
	struct fixture *f = *state;

	disturb_merges(f, &d);
	write_file(f, "a", "x", "3\n");
	refuse(f, "a", "main", true, -ENOTEMPTY, "\"x\"");
	assert_file(f, "main", "x", "disturbed 1\n");
	assert_file(f, "a", "x", "3\n");
}

static void changes_elsewhere_wait_for_their_own_commit(void **state)
{
	struct disturbance d = { .times = 1, .branch = "main", .path = "z" };
	struct fixture *f = *state;

	disturb_merges(f, &d);
	merge(f, "a", "main", true);
	assert_int_equal(d.begun, 1);
	assert_file(f, "main", "z", "disturbed 1\n");
	assert_shell(f, "x y", "git ls-tree --name-only main | xargs");
	sync_branch(f, "main");
	assert_shell(f, "x y z", "git ls-tree --name-only main | xargs");
	assert_shell(f, "2", "git show main:x");
}

static void nothing_is_lost_of_a_source_that_goes(void **state)
{
	struct disturbance d = { .times = 1, .branch = "a", .path = "z" };
	struct fixture *f = *state;

	disturb_merges(f, &d);
	merge(f, "a", "main", true);
	/* refused, instead of taken and dropped with the branch */
	assert_int_equal(d.outcome, -ENOENT);
	assert_file(f, "main", "z", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(both_sides_are_merged_in_one_commit),
		store_test(the_source_can_be_kept),
		store_test(a_fast_forward_makes_no_commit),
		store_test(nothing_to_merge_only_takes_the_source_away),
		store_test(uncommitted_changes_take_part),
		store_test(unrelated_histories_merge),
		store_test(the_message_is_the_users_if_there_is_one),
		store_test(criss_cross_merges_have_virtual_bases),
		store_test(attributes_are_those_of_the_target),
		store_test(what_cannot_be_merged_is_refused),
		store_test(writers_are_not_disturbed),
		store_test(other_files_may_be_written),
		store_test(a_consumed_branch_takes_no_more_changes),
		store_test(drivers_that_fail_change_nothing),
		store_test(a_cut_in_between_begins_the_merge_anew),
		store_test(a_branch_that_never_rests_is_merged_into),
		store_test(a_change_of_the_same_path_is_a_conflict),
		store_test(changes_elsewhere_wait_for_their_own_commit),
		store_test(nothing_is_lost_of_a_source_that_goes),
	};

	return cmocka_run_group_tests_name("merge_branches", tests, NULL, NULL);
}
