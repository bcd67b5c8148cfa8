/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/stores.h"

static void make(struct fixture *f, const char *name, int expected)
{
	struct report report = { 0 };
	int r = store_make(f->store, name, &tester, &report);

	if (r != expected)
		fail_msg("%s: %d: %s", name, r, report.text);
	assert_int_equal(strlen(report.text) != 0, expected != 0);
}

static void names_are_git_s(void **state)
{
	struct fixture *f = *state;
	char longest[4096];

	make(f, "a", 0);
	make(f, "a", -EEXIST);
	make(f, "", -EINVAL);
	make(f, "a..b", -EINVAL);
	make(f, "a b", -EINVAL);
	make(f, ".a", -EINVAL);
	make(f, "a.lock", -EINVAL);
	make(f, "a\nb", -EINVAL);
	make(f, "HEAD", -EINVAL);
	make(f, "with@sign", 0);
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	make(f, longest, -ENAMETOOLONG);
	longest[256] = '\0';
	make(f, longest, -ENAMETOOLONG);
	assert_shell(f, "a main with@sign",
		     "echo $(git for-each-ref --format='%%(refname:short)')");
}

static void a_name_is_a_branch_or_a_folder(void **state)
{
	struct fixture *f = *state;
	struct branch *b;

	make(f, "x/y/z", 0);
	make(f, "x/y/w", 0);
	make(f, "x", -EEXIST);
	make(f, "x/y", -EEXIST);
	make(f, "main/sub", -EEXIST);
	make(f, "x/y/z/deep", -EEXIST);
	make(f, "x/yy", 0);
	assert_true(store_is_space(f->store, "x"));
	assert_true(store_is_space(f->store, "x/y"));
	assert_false(store_is_space(f->store, "x/y/z"));
	assert_false(store_is_space(f->store, "main"));
	assert_false(store_is_space(f->store, ""));
	b = branch_of(f, "x/yy");
	assert_int_equal(store_rename(f->store, b, "x", &tester, NULL),
			 -EEXIST);
	branch_unref(b);
}

static int print_child(void *context, const char *name, bool is_branch)
{
	struct buffer *out = context;

	assert_int_equal(buffer_printf(out, "%s%s ", name,
				       is_branch ? "" : "/"), 0);
	return 0;
}

static void check_list(struct fixture *f, const char *space,
		       const char *expected)
{
	struct buffer out = { 0 };

	assert_int_equal(buffer_puts(&out, ""), 0);
	assert_int_equal(store_list(f->store, space, print_child, &out), 0);
	assert_string_equal(out.data ? out.data : "", expected);
	buffer_release(&out);
}

static void listing_shows_children(void **state)
{
	struct fixture *f = *state;
	struct branch *b;

	make(f, "x/y/z", 0);
	make(f, "x/a", 0);
	make(f, "x-y", 0);
	check_list(f, "", "main x/ x-y ");
	check_list(f, "x", "a y/ ");
	check_list(f, "x/y", "z ");
	assert_int_equal(store_list(f->store, "none", print_child, NULL),
			 -ENOENT);
	assert_int_equal(store_list(f->store, "main", print_child, NULL),
			 -ENOENT);
	b = branch_of(f, "x/y/z");
	assert_int_equal(store_drop(f->store, b, &tester, NULL), 0);
	branch_unref(b);
	assert_false(store_is_space(f->store, "x/y"));
	check_list(f, "x", "a ");
	make(f, "x/y", 0);
	reopen_store(f);
	check_list(f, "x", "a y ");
}

static int end_early(void *context, const char *name, bool is_branch)
{
	return 7;
}

static int count_facts(void *context, const struct branch_facts *facts)
{
	assert_int_equal(facts->conflicts, 0);
	assert_null(facts->stuck);
	assert_null(facts->readonly);
	assert_int_equal(facts->changed, !strcmp(facts->name, "a"));
	assert_false(oid_is_zero(&facts->head));
	++*(int *)context;
	return 0;
}

static void facts_are_given_for_each(void **state)
{
	struct fixture *f = *state;
	int count = 0;

	make(f, "a", 0);
	make(f, "b", 0);
	write_file(f, "a", "file", "x");
	sync_branch(f, "main");
	assert_int_equal(store_each(f->store, false, count_facts, &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(store_each(f->store, true, count_facts, &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(store_list(f->store, "", end_early, NULL), 7);
}

/* A node keeps the tree, and the tree its branch, whatever becomes of it. */
static void an_open_file_outlives_its_branch(void **state)
{
	struct fixture *f = *state;
	struct branch *b;
	struct worktree *w;
	struct node *n;
	char text[8] = "";

	make(f, "a", 0);
	write_file(f, "a", "file", "x");
	b = branch_of(f, "a");
	assert_int_equal(branch_worktree(b, &w), 0);
	assert_int_equal(worktree_lookup(w, "file", &n), 0);
	assert_int_equal(store_drop(f->store, b, &tester, NULL), 0);
	assert_false(has_branch(f, "a"));
	assert_int_equal(node_read(n, text, sizeof(text), 0), 1);
	assert_string_equal(text, "x");
	assert_int_equal(node_write(n, "y", 1, 0, false), -ENOENT);
	assert_int_equal(branch_sync(b, &tester), 0);
	branch_unref(b);
	assert_int_equal(node_read(n, text, sizeof(text), 0), 1);
	node_unref(n);
}

static void messages_are_kept_and_bounded(void **state)
{
	struct fixture *f = *state;
	struct branch *b = branch_of(f, "main");
	char *longest = malloc(70000), *message;

	assert_non_null(longest);
	assert_null(branch_message(b));
	assert_int_equal(branch_set_message(b, "words"), 0);
	message = branch_message(b);
	assert_string_equal(message, "words");
	free(message);
	memset(longest, 'x', 70000);
	longest[69999] = '\0';
	assert_int_equal(branch_set_message(b, longest), -EMSGSIZE);
	free(longest);
	assert_int_equal(branch_set_message(b, ""), 0);
	assert_null(branch_message(b));
	branch_unref(b);
}

static void damage_is_an_error_of_one_branch(void **state)
{
	struct fixture *f = *state;
	struct branch *b;
	struct worktree *w;

	make(f, "bad", 0);
	write_file(f, "bad", "a", "unlike any other");
	write_file(f, "main", "b", "fine");
	close_store(f);
	unpack_store(f);
	free(shell(f, "id=$(git rev-parse bad) && "
		   "rm -f objects/$(echo $id | sed 's|^..|&/|')"));
	log_set_sink(NULL, LOG_LEVEL_ERROR);
	open_store(f);
	if (!store_branch(f->store, "bad", &b)) {
		assert_int_equal(branch_worktree(b, &w), -EIO);
		branch_unref(b);
	}
	assert_string_equal(file_text(f, "main", "b"), "fine");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(names_are_git_s),
		store_test(a_name_is_a_branch_or_a_folder),
		store_test(listing_shows_children),
		store_test(facts_are_given_for_each),
		store_test(an_open_file_outlives_its_branch),
		store_test(messages_are_kept_and_bounded),
		store_test(damage_is_an_error_of_one_branch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
