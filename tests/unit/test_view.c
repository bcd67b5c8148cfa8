/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/stores.h"

/* A branch main whose file f holds 3, before that 2 and 1. */
static void write_history(struct fixture *f)
{
	for (int i = 1; i <= 3; i++) {
		char text[2] = { '0' + i, '\0' };

		write_file(f, "main", "f", text);
		sync_branch(f, "main");
	}
}

static void check_view(struct fixture *f, const char *name, const char *text,
		       bool expect_fixed)
{
	struct view *v;
	bool fixed;
	int r = store_view(f->store, name, &v, &fixed);

	if (r)
		fail_msg("%s: %d", name, r);
	assert_string_equal(text_in(view_worktree(v), "f"), text);
	assert_int_equal(fixed, expect_fixed);
	view_unref(v);
}

static void check_none(struct fixture *f, const char *name)
{
	struct view *v;
	bool fixed;
	int r = store_view(f->store, name, &v, &fixed);

	if (r != -ENOENT)
		fail_msg("%s: %d", name, r);
}

static void suffixes_are_git_s(void **state)
{
	struct fixture *f = *state;

	write_history(f);
	check_view(f, "main@~1", "2", false);
	check_view(f, "main@~", "2", false);
	check_view(f, "main@^", "2", false);
	check_view(f, "main@~1^", "1", false);
	check_view(f, "main@{2199-01-01}", "3", false);
	check_view(f, "main@{2199-01-01}~1", "2", false);
	check_none(f, "main@{1999-01-01}");
	check_none(f, "main@{yesteryear}");
	check_none(f, "main@~99");
	check_none(f, "main@^2");
	check_none(f, "main@");
	check_none(f, "main@x");
	check_none(f, "main~1");
	check_none(f, "other@~1");
	check_none(f, "none");
	check_none(f, "@");
	check_none(f, "@~1");
	check_none(f, "@{-1}");
	check_none(f, "@main");
	check_none(f, "@../heads/main");
}

static void names_with_signs(void **state)
{
	struct fixture *f = *state;

	write_history(f);
	fork_branch(f, "main", "a@b");
	fork_branch(f, "main", "x/y");
	check_view(f, "a@b@~1", "2", false);
	check_view(f, "x/y@~2", "1", false);
}

static void tags_and_commits(void **state)
{
	struct fixture *f = *state;
	char *id, name[64];

	write_history(f);
	id = shell(f, "git tag v1 main~1 && git tag -a -m x deep/v2 main~2 && "
		   "git tag cafe main && git rev-parse main~1");
	check_view(f, "@v1", "2", false);
	check_view(f, "@v1~1", "1", false);
	check_view(f, "@deep/v2", "1", false);
	check_view(f, "@cafe", "3", false);
	snprintf(name, sizeof(name), "@%s", id);
	check_view(f, name, "2", true);
	snprintf(name, sizeof(name), "@%s~1", id);
	check_view(f, name, "1", false);
	snprintf(name, sizeof(name), "@%.8s", id);
	check_view(f, name, "2", false);
	snprintf(name, sizeof(name), "@%.3s", id);
	check_none(f, name);
	check_none(f, "@0123456789012345678901234567890123456789");
	free(id);
	/* a branch that looks like an id is none */
	fork_branch(f, "main", "beef");
	check_none(f, "@beef");
}

static void one_view_a_commit(void **state)
{
	struct fixture *f = *state;
	struct view *first, *second;
	struct node *n;
	struct stat stat;
	bool fixed;
	char text[8] = "";

	write_history(f);
	assert_int_equal(store_view(f->store, "main@~1", &first, &fixed), 0);
	assert_int_equal(store_view(f->store, "main@^", &second, &fixed), 0);
	assert_ptr_equal(first, second);
	view_unref(first);
	assert_int_equal(worktree_lookup(view_worktree(second), "f", &n), 0);
	view_unref(second);
	/* the node keeps the tree */
	assert_int_equal(node_read(n, text, sizeof(text), 0), 1);
	assert_string_equal(text, "2");
	assert_int_equal(node_write(n, "x", 1, 0, false), -EROFS);
	assert_int_equal(node_stat(n, &stat), 0);
	assert_int_equal(stat.st_mode & 077, 0);
	node_unref(n);
}

static void the_published_head_counts(void **state)
{
	struct fixture *f = *state;

	write_history(f);
	write_file(f, "main", "f", "unsaved");
	check_view(f, "main@~1", "2", false);
	sync_branch(f, "main");
	check_view(f, "main@~1", "3", false);
}

static void tags_are_made_once(void **state)
{
	struct fixture *f = *state;
	struct report report = { 0 };
	struct view *v;
	bool fixed;

	write_history(f);
	assert_int_equal(store_view(f->store, "main@~1", &v, &fixed), 0);
	assert_int_equal(store_tag(f->store, view_commit(v), "v1", NULL), 0);
	assert_int_equal(store_tag(f->store, view_commit(v), "v1", &report),
			 -EEXIST);
	assert_true(strlen(report.text));
	assert_int_equal(store_tag(f->store, view_commit(v), "a..b", NULL),
			 -EINVAL);
	view_unref(v);
	check_view(f, "@v1", "2", false);
	assert_shell(f, "v1", "git tag");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(suffixes_are_git_s),
		store_test(names_with_signs),
		store_test(tags_and_commits),
		store_test(one_view_a_commit),
		store_test(the_published_head_counts),
		store_test(tags_are_made_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
