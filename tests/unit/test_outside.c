/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/stores.h"
#include "store/control.h"
#include "store/store_private.h"

/* Other programs change refs while the store is open. */

/* Until the branch's file has that text (NULL: until there is none). */
static void await_file(struct fixture *f, const char *branch, const char *path,
		       const char *text)
{
	for (int i = 0; i < 500; i++) {
		if (has_branch(f, branch) &&
		    strcmp(file_text(f, branch, path), text ? text : "") == 0)
			return;
		usleep(10000);
	}
	fail_msg("%s of %s did not become %s", path, branch,
		 text ? text : "absent");
}

static void await_branch(struct fixture *f, const char *name, bool wanted)
{
	for (int i = 0; i < 500; i++) {
		if (has_branch(f, name) == wanted)
			return;
		usleep(10000);
	}
	fail_msg("branch %s is %sthere", name, wanted ? "not " : "still ");
}

/* Until the command prints that. */
static void await_shell(struct fixture *f, const char *text, const char *command)
{
	for (int i = 0; i < 500; i++) {
		scoped_free char *seen = shell(f, "%s", command);

		if (strcmp(seen, text) == 0)
			return;
		usleep(10000);
	}
	fail_msg("%s did not print %s", command, text);
}

/* Until the branch's file has that text in Git. */
static void await_in_git(struct fixture *f, const char *branch,
			 const char *path, const char *text)
{
	scoped_free char *command = NULL;

	assert_true(asprintf(&command, "git show %s:%s", branch, path) >= 0);
	await_shell(f, text, command);
}

static void a_clean_branch_moves_on(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	commit_outside(f, "main", "b", "2");
	await_file(f, "main", "b", "2");
	await_file(f, "main", "a", "1");
	/* and can be written to */
	write_file(f, "main", "b", "3");
	sync_branch(f, "main");
	assert_shell(f, "3", "git show main:b");
	assert_shell(f, "4", "git rev-list --count main");
}

static void a_branch_set_back_goes_back(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	free(shell(f, "git update-ref refs/heads/main main~1"));
	await_file(f, "main", "a", NULL);
}

static void a_changed_branch_merges(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	free(shell(f, "true"));
	write_file(f, "main", "c", "mine");
	commit_outside(f, "main", "b", "2");
	await_file(f, "main", "b", "2");
	await_file(f, "main", "c", "mine");
	assert_shell(f, "mine", "git show main:c");
	assert_shell(f, "2", "git show main:b");
	assert_shell(f, "2", "git log -1 --format=%%P main | wc -w");
}

static size_t report_count(struct fixture *f, const char *name)
{
	struct branch *b = branch_of(f, name);
	struct conflict_report **reports;
	size_t count;

	assert_int_equal(branch_conflicts(b, &reports, &count), 0);
	for (size_t i = 0; i < count; i++)
		conflict_report_free(reports[i]);
	free(reports);
	branch_unref(b);
	return count;
}

static void await_report(struct fixture *f, const char *name)
{
	for (int i = 0; i < 500; i++) {
		if (report_count(f, name) == 1)
			return;
		usleep(10000);
	}
	fail_msg("%s has no report", name);
}

static void what_conflicts_is_named(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	free(shell(f, "true"));
	write_file(f, "main", "a", "mine");
	commit_outside(f, "main", "a", "theirs");
	await_branch(f, "main.outside-1", true);
	await_file(f, "main.outside-1", "a", "theirs");
	await_file(f, "main", "a", "mine");
	await_report(f, "main.outside-1");
	/* ours has its ref again, and theirs one of its own */
	await_in_git(f, "main", "a", "mine");
	assert_shell(f, "theirs", "git show main.outside-1:a");
}

static void an_open_file_keeps_it_behind(void **state)
{
	struct fixture *f = *state;
	struct branch *b = branch_of(f, "main");
	struct worktree *w;
	struct node *n;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	assert_int_equal(branch_worktree(b, &w), 0);
	assert_int_equal(worktree_lookup(w, "a", &n), 0);
	node_writer_begin(n);
	commit_outside(f, "main", "a", "2");
	usleep(300000);
	await_file(f, "main", "a", "1");
	node_writer_end(n);
	node_unref(n);
	branch_unref(b);
	await_file(f, "main", "a", "2");
}

static void branches_come_and_go(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	free(shell(f, "git branch deep/new main"));
	await_branch(f, "deep/new", true);
	await_file(f, "deep/new", "a", "1");
	free(shell(f, "git branch -q -D deep/new"));
	await_branch(f, "deep/new", false);
	assert_shell(f, "", "git for-each-ref refs/heads/deep");
	free(shell(f, "git branch deep/new main && git pack-refs --all"));
	await_branch(f, "deep/new", true);
	usleep(100000);
	await_branch(f, "main", true);
	/* changes that Git has not seen yet are kept with the dropped one */
	write_file(f, "deep/new", "b", "2");
	free(shell(f, "git update-ref -d refs/heads/deep/new"));
	await_branch(f, "deep/new", false);
	assert_int_equal(store_restore(f->store, "deep/new", NULL, &tester,
				       NULL), 0);
	await_file(f, "deep/new", "b", "2");
	assert_shell(f, "2", "git show deep/new:b");
}

/* Dropping and restoring come to Git at once, which finds no ref. */
static void restored_at_once_gets_its_ref(void **state)
{
	struct fixture *f = *state;
	struct branch *b;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	for (int i = 0; i < 5; i++) {
		fork_branch(f, "main", "x");
		assert_int_equal(store_publish(f->store), 0);
		free(shell(f, "git update-ref -d refs/heads/x"));
		await_branch(f, "x", false);
		assert_int_equal(store_restore(f->store, "x", NULL, &tester,
					       NULL), 0);
		assert_int_equal(store_publish(f->store), 0);
		assert_shell(f, "1", "git show x:a");
		close_store(f);
		open_store(f);
		assert_true(has_branch(f, "x"));
		b = branch_of(f, "x");
		assert_int_equal(store_drop(f->store, b, &tester, NULL), 0);
		branch_unref(b);
	}
}

static void packing_and_collecting_change_nothing(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	free(shell(f, "git pack-refs --all && git gc -q --prune=now"));
	write_file(f, "main", "a", "2");
	sync_branch(f, "main");
	assert_shell(f, "2", "git show main:a");
	usleep(100000);
	await_file(f, "main", "a", "2");
	assert_shell(f, "main", "git for-each-ref --format='%%(refname:short)'");
	assert_shell(f, "", "git fsck --strict --no-dangling 2>&1");
}

static void a_push_arrives(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	free(shell(f, "git clone -q . ../clone && cd ../clone && echo -n 2 >b && "
		   "git add b && git commit -q -m x && git push -q origin "
		   "main main:refs/heads/second"));
	await_file(f, "main", "b", "2");
	await_file(f, "second", "b", "2");
	/* a mirror has no second branch, so it takes that away */
	free(shell(f, "cd ../clone && git push -q --mirror origin"));
	await_branch(f, "second", false);
	await_file(f, "main", "b", "2");
	/* nothing of ours is cloned */
	assert_shell(f, "refs/heads/main", "git ls-remote ../store.git "
		     "'refs/heads/*' | cut -f2");
}

/* Closes the store with main as a killed mount leaves it that was pushed to: of
 * f our commit has "mine", and the ref, beside it, has theirs. */
static void part(struct fixture *f, const char *path, const char *theirs)
{
	close_store(f);
	f->options.follow = false;
	open_store(f);
	write_file(f, "main", "f", "base");
	sync_branch(f, "main");
	commit_outside(f, "main", path, theirs);
	write_file(f, "main", "f", "mine");
	sync_branch(f, "main");
	assert_shell(f, theirs, "git show main:%s", path);
	close_store(f);
	f->options.follow = true;
}

static void what_was_pushed_while_it_was_closed_is_merged(void **state)
{
	struct fixture *f = *state;

	part(f, "g", "theirs");
	open_store(f);
	await_file(f, "main", "g", "theirs");
	await_file(f, "main", "f", "mine");
	assert_shell(f, "mine", "git show main:f");
	assert_shell(f, "theirs", "git show main:g");
	assert_shell(f, "main", "git for-each-ref --format='%%(refname:short)'");
}

static void what_conflicts_then_is_named(void **state)
{
	struct fixture *f = *state;

	part(f, "f", "theirs");
	open_store(f);
	await_branch(f, "main.outside-1", true);
	await_report(f, "main.outside-1");
	await_file(f, "main.outside-1", "f", "theirs");
	await_file(f, "main", "f", "mine");
	reopen_store(f);
	assert_int_equal(report_count(f, "main.outside-1"), 1);
	assert_shell(f, "mine", "git show main:f");
	assert_shell(f, "theirs", "git show main.outside-1:f");
	assert_shell(f, "2", "git for-each-ref | wc -l");
}

/* Killed between the name and the report. */
static void what_has_its_name_gets_no_other(void **state)
{
	struct fixture *f = *state;

	part(f, "f", "theirs");
	free(shell(f, "git branch main.outside-1 main"));
	open_store(f);
	await_report(f, "main.outside-1");
	await_in_git(f, "main", "f", "mine");
	assert_shell(f, "theirs", "git show main.outside-1:f");
	assert_shell(f, "2", "git for-each-ref | wc -l");
}

/* Opens the store, which follows others or not, closed meanwhile. */
static void open_again(struct fixture *f, bool follow)
{
	if (f->store)
		close_store(f);
	f->options.follow = follow;
	open_store(f);
}

/* Closes the store, with files in main that Git does not have. */
static void close_with_ignored(struct fixture *f)
{
	write_file(f, "main", ".gitignore", "*.o\n");
	write_file(f, "main", "x.o", "mine");
	write_file(f, "main", "d.o/x", "mine");
	sync_branch(f, "main");
	assert_shell(f, "", "git ls-tree -r --name-only main | grep o$ || :");
	close_store(f);
}

static void what_was_pushed_over_an_ignored_file_is_named(void **state)
{
	struct fixture *f = *state;

	close_with_ignored(f);
	commit_outside(f, "main", "x.o", "theirs");
	/* who does not follow leaves both */
	open_again(f, false);
	assert_string_equal(file_text(f, "main", "x.o"), "mine");
	open_again(f, true);
	await_branch(f, "main.outside-1", true);
	await_file(f, "main.outside-1", "x.o", "theirs");
	assert_string_equal(file_text(f, "main", "x.o"), "mine");
	await_in_git(f, "main.outside-1", "x.o", "theirs");
	await_shell(f, ".gitignore", "git ls-tree -r --name-only main");
	open_again(f, true);
	assert_string_equal(file_text(f, "main", "x.o"), "mine");
	assert_shell(f, "2", "git for-each-ref | wc -l");
}

static void what_was_pushed_beside_ignored_files_is_there_at_once(void **state)
{
	struct fixture *f = *state;

	close_with_ignored(f);
	commit_outside(f, "main", "d.o/y", "theirs");
	commit_outside(f, "main", "f", "theirs");
	open_again(f, false);
	assert_string_equal(file_text(f, "main", "d.o/y"), "theirs");
	assert_string_equal(file_text(f, "main", "f"), "theirs");
	assert_string_equal(file_text(f, "main", "d.o/x"), "mine");
	assert_string_equal(file_text(f, "main", "x.o"), "mine");
	assert_shell(f, "1", "git for-each-ref | wc -l");
}

/* The ref is set to that tree, and what it was before is collected, unless it is
 * pinned. */
static void force(struct fixture *f, const char *tree)
{
	free(shell(f, "git update-ref refs/heads/main $(git commit-tree -m "
		   "forced %s) && git gc -q --prune=now", tree));
}

static void lose_head(struct fixture *f, const char *tree)
{
	free(shell(f, "rm -r worktrees"));
	force(f, tree);
}

static void what_is_forced_over_ignored_files_is_named(void **state)
{
	struct fixture *f = *state;

	close_with_ignored(f);
	commit_outside(f, "main", "d.o/x", "theirs");
	force(f, "main^{tree}");
	open_again(f, true);
	await_branch(f, "main.outside-1", true);
	await_file(f, "main.outside-1", "d.o/x", "theirs");
	assert_string_equal(file_text(f, "main", "d.o/x"), "mine");
	assert_string_equal(file_text(f, "main", "x.o"), "mine");
}

static void what_git_does_not_have_outlives_a_lost_head(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", ".gitignore", "*.o\n");
	write_file(f, "main", "t/f", "1");
	write_file(f, "main", "t/x.o", "mine");
	close_with_ignored(f);
	lose_head(f, "main^{tree}");
	open_again(f, false);
	assert_string_equal(file_text(f, "main", "t/f"), "1");
	assert_string_equal(file_text(f, "main", "t/x.o"), "mine");
	assert_string_equal(file_text(f, "main", "d.o/x"), "mine");
	assert_string_equal(file_text(f, "main", "x.o"), "mine");
	close_store(f);
	lose_head(f, "$(git mktree </dev/null)");
	open_again(f, false);
	assert_string_equal(file_text(f, "main", "t/f"), "");
	assert_string_equal(file_text(f, "main", "t/x.o"), "mine");
	write_file(f, "main", "t/f", "2");
	sync_branch(f, "main");
	assert_shell(f, "2", "git show main:t/f");
	reopen_store(f);
	assert_string_equal(file_text(f, "main", "t/x.o"), "mine");
}

static void what_was_pushed_over_it_then_replaces_it(void **state)
{
	struct fixture *f = *state;

	close_with_ignored(f);
	commit_outside(f, "main", "d.o/x", "theirs");
	lose_head(f, "main^{tree}");
	open_again(f, false);
	assert_string_equal(file_text(f, "main", "d.o/x"), "theirs");
	assert_string_equal(file_text(f, "main", "x.o"), "mine");
	write_file(f, "main", "d.o/x", "2");
	sync_branch(f, "main");
	assert_shell(f, "2", "git show main:d.o/x");
}

static void an_older_dropped_branch_comes_back_as_it_was(void **state)
{
	struct fixture *f = *state;
	scoped_free char *first = NULL;
	struct branch *b;

	for (int i = 1; i <= 2; i++) {
		const char text[] = { '0' + i, '\0' };

		fork_branch(f, "main", "b");
		write_file(f, "b", "f", text);
		sync_branch(f, "b");
		if (i == 1)
			first = shell(f, "git rev-parse b");
		b = branch_of(f, "b");
		assert_int_equal(store_drop(f->store, b, &tester, NULL), 0);
		branch_unref(b);
	}
	free(shell(f, "git update-ref refs/heads/b %s", first));
	await_file(f, "b", "f", "1");
	assert_shell(f, first, "git rev-parse b");
}

#define LOST "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f"	/* "abc" */

static struct {
	_Atomic int tries, told;
} lost;

static void count_lost(enum log_level level, const char *text)
{
	if (strstr(text, "cannot follow refs/heads/main"))
		lost.told++;
	else if (level == LOG_LEVEL_ERROR && strstr(text, LOST))
		lost.tries++;
}

static int set_up_counting(void **state)
{
	log_set_sink(count_lost, LOG_LEVEL_WARNING);
	return fixture_set_up_following(state);
}

static int tear_down_counting(void **state)
{
	int r = fixture_tear_down(state);

	log_set_sink(NULL, LOG_LEVEL_WARNING);
	return r;
}

static void what_cannot_be_read_is_tried_again_ever_more_rarely(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	free(shell(f, "true"));
	write_file(f, "main", "a", "2");
	free(shell(f, "git update-ref refs/heads/main $(printf "
		   "'100644 blob " LOST "\\ta\\n' | git mktree --missing | "
		   "xargs git commit-tree -m x -p main)"));
	usleep(4500000);
	/* at once, after one second and after two more */
	assert_in_range(lost.tries, 2, 3);
	assert_int_equal(lost.told, 1);
	await_file(f, "main", "a", "2");
	free(shell(f, "printf abc | git hash-object -w --stdin"));
	await_branch(f, "main.outside-1", true);
	await_file(f, "main.outside-1", "a", "abc");
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, fixture_set_up_following,    \
					fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_clean_branch_moves_on),
		TEST(a_branch_set_back_goes_back),
		TEST(a_changed_branch_merges),
		TEST(what_conflicts_is_named),
		TEST(an_open_file_keeps_it_behind),
		TEST(branches_come_and_go),
		TEST(restored_at_once_gets_its_ref),
		TEST(an_older_dropped_branch_comes_back_as_it_was),
		TEST(what_was_pushed_while_it_was_closed_is_merged),
		TEST(what_conflicts_then_is_named),
		TEST(what_has_its_name_gets_no_other),
		TEST(what_was_pushed_over_an_ignored_file_is_named),
		TEST(what_git_does_not_have_outlives_a_lost_head),
		TEST(what_is_forced_over_ignored_files_is_named),
		TEST(what_was_pushed_over_it_then_replaces_it),
		TEST(what_was_pushed_beside_ignored_files_is_there_at_once),
		TEST(packing_and_collecting_change_nothing),
		TEST(a_push_arrives),
		cmocka_unit_test_setup_teardown(
			what_cannot_be_read_is_tried_again_ever_more_rarely,
			set_up_counting, tear_down_counting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
