/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/stores.h"

#define REFS "echo $(git for-each-ref --format='%%(refname:lstrip=2)' refs/heads)"

static void a_fork_sees_that_state(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	fork_branch(f, "main", "b");
	write_file(f, "main", "a", "2");
	assert_string_equal(file_text(f, "b", "a"), "1");
	assert_string_equal(file_text(f, "main", "a"), "2");
	write_file(f, "b", "a", "3");
	assert_string_equal(file_text(f, "main", "a"), "2");
	assert_shell(f, "1", "git show b:a");
	reopen_store(f);
	assert_string_equal(file_text(f, "b", "a"), "3");
	assert_string_equal(file_text(f, "main", "a"), "2");
	assert_shell(f, "fork", "git log -1 main~1 --format="
		     "'%%(trailers:key=Irmin-Operation,valueonly)' | "
		     "sed 's/test/fork/' | head -1");
}

static void a_fork_of_a_clean_branch_is_its_commit(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	fork_branch(f, "main", "x/b");
	assert_shell(f, "0", "git rev-list --count main...x/b");
	assert_shell(f, "2", "git rev-list --count main");
	assert_string_equal(file_text(f, "x/b", "a"), "1");
}

static void a_commit_can_be_forked(void **state)
{
	static const struct oid none = { { 1 } };
	struct fixture *f = *state;
	struct view *v;
	bool fixed;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	write_file(f, "main", "a", "2");
	sync_branch(f, "main");
	assert_int_equal(store_view(f->store, "main@~1", &v, &fixed), 0);
	assert_int_equal(store_fork_commit(f->store, view_commit(v), "old",
					   &tester, NULL), 0);
	view_unref(v);
	assert_string_equal(file_text(f, "old", "a"), "1");
	assert_int_equal(store_fork_commit(f->store, &none, "no", &tester,
					   NULL), -EIO);
	assert_false(has_branch(f, "no"));
}

static void refused_forks_leave_nothing(void **state)
{
	struct fixture *f = *state;
	struct branch *b = branch_of(f, "main");
	struct report report = { 0 };

	write_file(f, "main", "a", "1");
	assert_int_equal(store_fork(f->store, b, "main", &tester, &report),
			 -EEXIST);
	assert_int_equal(store_fork(f->store, b, "main/x", &tester, NULL),
			 -EEXIST);
	assert_int_equal(store_fork(f->store, b, "a..b", &tester, NULL),
			 -EINVAL);
	assert_true(strlen(report.text));
	assert_shell(f, "1", "git rev-list --count main");
	branch_unref(b);
	assert_shell(f, "main", REFS);
}

static void a_renamed_branch_keeps_its_files(void **state)
{
	struct fixture *f = *state;
	struct branch *b = branch_of(f, "main");
	char *name;

	write_file(f, "main", "a", "1");
	assert_int_equal(store_rename(f->store, b, "x/y", &tester, NULL), 0);
	assert_false(has_branch(f, "main"));
	name = branch_name(b);
	assert_string_equal(name, "x/y");
	free(name);
	assert_string_equal(file_text(f, "x/y", "a"), "1");
	assert_shell(f, "x/y", REFS);
	assert_shell(f, "ref: refs/heads/x/y", "cat HEAD");
	assert_shell(f, "1", "git show x/y:a");
	/* into and out of its own folder */
	assert_int_equal(store_rename(f->store, b, "x", &tester, NULL), 0);
	assert_int_equal(store_rename(f->store, b, "x", &tester, NULL), 0);
	assert_int_equal(store_rename(f->store, b, "x/z", &tester, NULL), 0);
	write_file(f, "x/z", "a", "2");
	branch_unref(b);
	reopen_store(f);
	assert_shell(f, "x/z", REFS);
	assert_string_equal(file_text(f, "x/z", "a"), "2");
}

static void swapped_branches_swap_files(void **state)
{
	struct fixture *f = *state;
	struct branch *a, *b;

	fork_branch(f, "main", "b");
	write_file(f, "main", "f", "1");
	write_file(f, "b", "f", "2");
	a = branch_of(f, "main");
	b = branch_of(f, "b");
	assert_int_equal(store_swap(f->store, a, b, &tester, NULL), 0);
	assert_int_equal(store_swap(f->store, a, a, &tester, NULL), 0);
	assert_string_equal(file_text(f, "main", "f"), "2");
	assert_string_equal(file_text(f, "b", "f"), "1");
	branch_unref(a);
	branch_unref(b);
	assert_shell(f, "2", "git show main:f");
	assert_shell(f, "1", "git show b:f");
	write_file(f, "b", "f", "3");
	reopen_store(f);
	assert_string_equal(file_text(f, "main", "f"), "2");
	assert_string_equal(file_text(f, "b", "f"), "3");
}

static void drop(struct fixture *f, const char *name)
{
	struct branch *b = branch_of(f, name);

	assert_int_equal(store_drop(f->store, b, &tester, NULL), 0);
	branch_unref(b);
	assert_false(has_branch(f, name));
}

static void a_dropped_branch_comes_back(void **state)
{
	struct fixture *f = *state;
	struct report report = { 0 };

	fork_branch(f, "main", "b");
	write_file(f, "b", "f", "unsaved");
	drop(f, "b");
	assert_shell(f, "main", REFS);
	assert_int_equal(store_restore(f->store, "none", NULL, &tester,
				       &report), -ENOENT);
	assert_true(strlen(report.text));
	assert_int_equal(store_restore(f->store, "b", NULL, &tester, NULL), 0);
	assert_string_equal(file_text(f, "b", "f"), "unsaved");
	write_file(f, "b", "f", "again");
	drop(f, "b");
	reopen_store(f);
	assert_false(has_branch(f, "b"));
	/* its objects outlive the harshest cleaning */
	free(shell(f, "git reflog expire --expire=now --all; "
		   "git gc -q --prune=now"));
	fork_branch(f, "main", "b");
	assert_int_equal(store_restore(f->store, "b", NULL, &tester, &report),
			 -EEXIST);
	assert_int_equal(store_restore(f->store, "b", "c/d", &tester, NULL), 0);
	assert_string_equal(file_text(f, "c/d", "f"), "again");
	assert_shell(f, "again", "git show c/d:f");
}

static void the_last_one_dropped_comes_back(void **state)
{
	struct fixture *f = *state;

	fork_branch(f, "main", "b");
	write_file(f, "b", "f", "first");
	drop(f, "b");
	fork_branch(f, "main", "b");
	write_file(f, "b", "f", "second");
	drop(f, "b");
	assert_int_equal(store_restore(f->store, "b", "x", &tester, NULL), 0);
	assert_int_equal(store_restore(f->store, "b", "y", &tester, NULL), 0);
	assert_string_equal(file_text(f, "x", "f"), "second");
	assert_string_equal(file_text(f, "y", "f"), "first");
}

static void dropped_branches_refuse(void **state)
{
	struct fixture *f = *state;
	struct branch *b;

	fork_branch(f, "main", "b");
	b = branch_of(f, "b");
	drop(f, "b");
	assert_int_equal(store_drop(f->store, b, &tester, NULL), -ENOENT);
	assert_int_equal(store_rename(f->store, b, "c", &tester, NULL),
			 -ENOENT);
	assert_int_equal(store_fork(f->store, b, "c", &tester, NULL), -ENOENT);
	branch_unref(b);
	fork_branch(f, "main", "b");
	fork_branch(f, "main", "c");
}

/* Hooks are called without locks, so that they may ask the store. */
struct seen {
	struct fixture *f;
	struct buffer spaces;
	int flushes;
};

static void note_space(void *context, const char *space)
{
	struct seen *seen = context;

	store_is_space(seen->f->store, space);
	assert_int_equal(buffer_printf(&seen->spaces, "[%s]", space), 0);
}

static void note_flush(void *context, struct worktree *w)
{
	struct seen *seen = context;

	seen->flushes++;
}

static void the_front_end_hears_of_names(void **state)
{
	struct seen seen = { .f = *state };
	struct store_front front = {
		.watch.context = &seen,
		.flush_mappings = note_flush,
		.branches_changed = note_space,
	};

	store_set_front(seen.f->store, &front);
	write_file(seen.f, "main", "a", "1");
	fork_branch(seen.f, "main", "x/y/z");
	assert_string_equal(seen.spaces.data, "[x/y][x][]");
	assert_int_equal(seen.flushes, 1);
	buffer_release(&seen.spaces);
	front = (struct store_front){ 0 };
	store_set_front(seen.f->store, &front);
}

struct slow {
	struct fixture *f;
	_Atomic bool begun, ended;
};

static void hear_slowly(void *context, const char *space)
{
	struct slow *slow = context;

	slow->begun = true;
	usleep(200000);
	slow->ended = true;
}

static void *make_branch(void *context)
{
	struct slow *slow = context;

	assert_int_equal(store_make(slow->f->store, "new", &tester, NULL), 0);
	return NULL;
}

static void a_front_end_goes_when_nobody_calls_it(void **state)
{
	struct slow slow = { .f = *state };
	const struct store_front none = { 0 }, front = {
		.watch.context = &slow,
		.branches_changed = hear_slowly,
	};
	pthread_t thread;

	store_set_front(slow.f->store, &front);
	assert_int_equal(pthread_create(&thread, NULL, make_branch, &slow), 0);
	while (!slow.begun)
		usleep(1000);
	store_set_front(slow.f->store, &none);
	assert_true(slow.ended);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(a_fork_sees_that_state),
		store_test(a_fork_of_a_clean_branch_is_its_commit),
		store_test(a_commit_can_be_forked),
		store_test(refused_forks_leave_nothing),
		store_test(a_renamed_branch_keeps_its_files),
		store_test(swapped_branches_swap_files),
		store_test(a_dropped_branch_comes_back),
		store_test(the_last_one_dropped_comes_back),
		store_test(dropped_branches_refuse),
		store_test(the_front_end_hears_of_names),
		store_test(a_front_end_goes_when_nobody_calls_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
