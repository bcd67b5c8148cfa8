/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/stores.h"
#include "store/inside_private.h"

/* `git` in the folder of a branch, without the folder: its git directory. */

/* ---- command lines ---- */

static bool is_branch(void *context, const char *text)
{
	return strcmp(text, "b") == 0;
}

/* Words are separated by spaces. */
static bool switches(const char *words)
{
	char line[128];
	size_t size = strlen(words) + 1;

	assert_true(size <= sizeof(line));
	memcpy(line, words, size);
	for (size_t i = 0; i < size; i++)
		if (line[i] == ' ')
			line[i] = '\0';
	return inside_line_switches(line, size, is_branch, NULL);
}

static void lines_that_switch(void **state)
{
	static const char *const lines[] = {
		"git switch b", "git checkout b", "/usr/bin/git checkout b",
		"git -C dir -c a.b=c checkout -q b", "git checkout b --",
		"git checkout -b new", "git checkout --detach",
		"git checkout --orphan new", "git switch -c new",
		"git bisect start", "git bisect--helper --bisect-start",
		"git --no-pager checkout -f b",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		if (!switches(lines[i]))
			fail_msg("%s", lines[i]);
}

static void lines_that_do_not(void **state)
{
	static const char *const lines[] = {
		"", "git", "git -C", "git status", "git checkout",
		"git checkout -- b", "git checkout b -- f", "git checkout b f",
		"git checkout f", "git checkout .", "git checkout -p b",
		"git commit -m switch", "sh -c checkout b", "git checkout -f",
		"git log b", "git stash",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		if (switches(lines[i]))
			fail_msg("%s", lines[i]);
}

/* ---- the git directory ---- */

static void open_git(struct fixture *f, const char *branch)
{
	struct branch *b = branch_of(f, branch);
	struct buffer text = { 0 };

	assert_int_equal(inside_open(b, &tester, &text), 0);
	assert_int_equal(text.length, inside_text_size(f->store));
	assert_memory_equal(text.data, "gitdir: /", 9);
	buffer_release(&text);
	branch_unref(b);
}

/* As the first one made (incarnation 1). */
#define GIT "git --git-dir=irminfs/git/1 --work-tree=. "

static void it_names_the_branch(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	open_git(f, "main");
	assert_shell(f, "refs/heads/main", GIT "symbolic-ref HEAD");
	assert_shell(f, "ref: refs/heads/main", "cat irminfs/git/1/HEAD");
	assert_shell(f, "", GIT "diff-index --cached HEAD --");
	/* whoever wrote to it, and whatever is left of it */
	free(shell(f, "echo ref: refs/heads/x >irminfs/git/1/HEAD2 && "
		   "mv -f irminfs/git/1/HEAD2 irminfs/git/1/HEAD && "
		   "echo rubbish >irminfs/git/1/index"));
	write_file(f, "main", "a", "2");
	sync_branch(f, "main");
	open_git(f, "main");
	assert_shell(f, "ref: refs/heads/main", "cat irminfs/git/1/HEAD");
	assert_shell(f, "", GIT "diff-index --cached HEAD --");
}

static void entries_have_the_times_that_we_serve(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	struct node *n;
	struct branch *b = branch_of(f, "main");
	struct worktree *w;
	char expected[64];

	write_file(f, "main", "d/a", "123");
	assert_int_equal(branch_worktree(b, &w), 0);
	assert_int_equal(worktree_lookup(w, "d/a", &n), 0);
	st.st_mtim = (struct timespec){ .tv_sec = 1000000000 };
	assert_int_equal(node_set_attributes(n, &st, NODE_SET_MTIME), 0);
	sync_branch(f, "main");
	open_git(f, "main");
	assert_int_equal(node_stat(n, &st), 0);
	snprintf(expected, sizeof(expected), "1000000000:0 %u 3",
		 (unsigned int)st.st_ino);
	assert_shell(f, expected, GIT "ls-files --debug | awk '/mtime/ { m = $2 }"
		     " /ino/ { i = $4 } /size/ { print m, i, $2 }'");
	node_unref(n);
	branch_unref(b);
}

static void staged_paths_stay(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	write_file(f, "main", "b", "1");
	sync_branch(f, "main");
	open_git(f, "main");
	free(shell(f, GIT "update-index --add --cacheinfo 100644,$(echo x | "
		   "git hash-object -w --stdin),new && "
		   GIT "update-index --force-remove b"));
	write_file(f, "main", "a", "2");
	sync_branch(f, "main");
	open_git(f, "main");
	assert_shell(f, "b new", GIT "diff-index --cached --name-only HEAD -- | xargs");
}

static void await_shell(struct fixture *f, const char *expected,
			const char *command)
{
	for (int i = 0; i < 500; i++) {
		char *printed = shell(f, "%s", command);
		bool same = strcmp(printed, expected) == 0;

		free(printed);
		if (same)
			return;
		usleep(10000);
	}
	fail_msg("%s did not print %s", command, expected);
}

static void a_commit_of_all_is_taken_over(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	open_git(f, "main");
	write_file(f, "main", "a", "2");
	free(shell(f, GIT "update-index --cacheinfo 100644,$(printf 2 | "
		   "git hash-object -w --stdin),a && " GIT "commit -qm mine"));
	sync_branch(f, "main");
	await_shell(f, "mine 0", "git log -1 --format=%s\\ $(" GIT
		    "diff-index --cached HEAD -- | wc -l) main");
	assert_shell(f, "3", "git rev-list --count main");
	assert_string_equal(file_text(f, "main", "a"), "2");
}

static void files_stay_when_the_branch_is_set_back(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	write_file(f, "main", "a", "2");
	sync_branch(f, "main");
	open_git(f, "main");
	free(shell(f, GIT "update-ref HEAD HEAD~1"));
	/* closing does not wait for a commit that may follow */
	reopen_store(f);
	assert_string_equal(file_text(f, "main", "a"), "2");
	assert_shell(f, "2", "git show main:a");
	assert_shell(f, "1", "git show main~1:a");
}

/* The merge in between is no commit that may give way. */
static void merges_do_not_give_way(void **state)
{
	struct fixture *f = *state;
	struct branch *b, *main_branch;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	fork_branch(f, "main", "b");
	write_file(f, "b", "b", "1");
	sync_branch(f, "b");
	write_file(f, "main", "c", "1");
	sync_branch(f, "main");
	open_git(f, "main");
	/* held: the merge does not reach the ref */
	free(shell(f, "touch irminfs/git/1/MERGE_HEAD"));
	b = branch_of(f, "b");
	main_branch = branch_of(f, "main");
	assert_int_equal(store_merge(f->store, b, main_branch, false, &tester,
				     NULL), 0);
	branch_unref(b);
	branch_unref(main_branch);
	free(shell(f, "rm irminfs/git/1/MERGE_HEAD; " GIT
		   "update-ref -m x HEAD $(git commit-tree -p main -m mine "
		   "main^{tree})"));
	await_shell(f, "yes", "git merge-base --is-ancestor b main && git log "
		    "--format=%s main | grep -q mine && echo yes || :");
	assert_shell(f, "1", "git show main:b");
}

/* The branch has captured it by itself, so that git's commit takes nothing away. */
static void untracked_files_stay_beside_git(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", ".gitignore", "");
	write_file(f, "main", "keep", "1");
	sync_branch(f, "main");
	open_git(f, "main");
	/* held: what is captured does not reach the ref */
	free(shell(f, "touch irminfs/git/1/MERGE_HEAD"));
	write_file(f, "main", "d/a.o", "1");
	sync_branch(f, "main");
	write_file(f, "main", ".gitignore", "*.o\n");
	free(shell(f, "rm irminfs/git/1/MERGE_HEAD; " GIT
		   "update-index --cacheinfo 100644,$(printf '*.o\\n' | "
		   "git hash-object -w --stdin),.gitignore && "
		   GIT "commit -qm mine"));
	await_shell(f, "mine", "git log -1 --format=%s main");
	reopen_store(f);
	assert_shell(f, ".gitignore keep",
		     "git ls-tree -r --name-only main | xargs");
	assert_string_equal(file_text(f, "main", "d/a.o"), "1");
}

/* The last that it did before the store was closed; the file was written to since
 * git took it. */
static void what_git_added_by_force_stays_as_it_was_written(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", ".gitignore", "*.o\n");
	write_file(f, "main", "a.o", "new");
	sync_branch(f, "main");
	f->options.follow = false;
	reopen_store(f);
	open_git(f, "main");
	free(shell(f, GIT "update-index --add --cacheinfo 100644,$(printf old | "
		   "git hash-object -w --stdin),a.o && " GIT "commit -qm mine"));
	f->options.follow = true;
	reopen_store(f);
	assert_string_equal(file_text(f, "main", "a.o"), "new");
	/* closing does not wait for a commit that may follow */
	reopen_store(f);
	assert_shell(f, "new", "git show main:a.o");
	assert_shell(f, "old", "git show main~1:a.o");
	assert_shell(f, "mine", "git log -1 --format=%%s main~1");
	assert_string_equal(file_text(f, "main", "a.o"), "new");
	assert_shell(f, "1", "git for-each-ref | wc -l");
}

static void folders_of_dropped_branches_go(void **state)
{
	struct fixture *f = *state;
	struct branch *b;

	open_git(f, "main");
	fork_branch(f, "main", "b");
	open_git(f, "b");
	assert_shell(f, "1 2", "ls irminfs/git | xargs");
	b = branch_of(f, "b");
	assert_int_equal(store_drop(f->store, b, &tester, NULL), 0);
	branch_unref(b);
	free(shell(f, "mkdir -p irminfs/git/99/logs irminfs/git/x"));
	inside_clean(f->store);
	assert_shell(f, "1", "ls irminfs/git | xargs");
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, fixture_set_up_following,    \
					fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_that_switch),
		cmocka_unit_test(lines_that_do_not),
		TEST(it_names_the_branch),
		TEST(entries_have_the_times_that_we_serve),
		TEST(staged_paths_stay),
		TEST(a_commit_of_all_is_taken_over),
		TEST(files_stay_when_the_branch_is_set_back),
		TEST(merges_do_not_give_way),
		TEST(untracked_files_stay_beside_git),
		TEST(what_git_added_by_force_stays_as_it_was_written),
		TEST(folders_of_dropped_branches_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
