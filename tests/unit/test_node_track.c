/* SPDX-License-Identifier: ISC */
#include "tests/worktree_test.h"
#include "store/local_store.h"

/* What git takes out of Git, or brings to it, against what rules say. */

struct face {
	struct fixture fixture;
	struct odb *local;
	struct oid oid;
};

static void mount(struct face *s, struct pool *pool)
{
	struct fixture *f = &s->fixture;
	struct worktree_options options = f->w->options;

	options.tree = f->head;
	options.local = s->local;
	options.face = s->oid;
	options.pool = pool;
	worktree_unref(f->w);
	if (pool != f->pool)
		pool_free(f->pool);
	f->pool = pool;
	assert_int_equal(worktree_new(&options, &f->w), 0);
}

static void face_open(struct face *s, const char *text)
{
	struct fixture *f = &s->fixture;
	struct pool_options options = {
		.block_budget = 1 << 20, .blob_budget = 1 << 20,
	};
	struct pool *pool;

	*s = (struct face){ 0 };
	fixture_open(f, text);
	assert_int_equal(memory_odb_new(&s->local), 0);
	options.odb = f->odb;
	options.local = s->local;
	options.dir_fd = f->dir_fd;
	assert_int_equal(pool_new(&options, &pool), 0);
	mount(s, pool);
}

static void face_close(struct face *s)
{
	fixture_close(&s->fixture);
	odb_free(s->local);
}

static void keep(struct face *s, struct delta *delta)
{
	static const struct timespec base = { 1000, 5 };
	struct fixture *f = &s->fixture;

	assert_int_equal(delta_store_own(delta, s->local), 0);
	assert_int_equal(delta_store(delta, f->odb, &f->head), 0);
	assert_int_equal(local_store(delta, s->local, &s->oid, false, &base,
				     &base, &s->oid), 0);
	f->head = delta->oid;
	worktree_adopt(f->w, delta);
	delta_free(delta);
}

static bool cut_both(struct face *s)
{
	struct delta *delta = capture(&s->fixture);

	if (delta)
		keep(s, delta);
	return delta;
}

/* Git has a commit of that tree. */
static void untrack(struct face *s, const char *tree)
{
	struct fixture *f = &s->fixture;
	struct oid to = text_to_tree(f->odb, tree);
	struct delta *delta;

	assert_int_equal(delta_between(f->odb, &f->head, &to, &delta), 0);
	assert_int_equal(worktree_untrack(f->w, delta), 0);
	delta_free(delta);
}

/* Another file of rules comes and goes. */
static void look_again(struct fixture *f)
{
	assert_int_equal(put(f, "d/.gitignore", "#\n"), 0);
	assert_int_equal(worktree_apply_rules(f->w), 0);
	assert_int_equal(remove_at(f, "d/.gitignore", false), 0);
	assert_int_equal(worktree_apply_rules(f->w), 0);
}

#define RULES ".gitignore=*.o\\n/build\\n\n"
#define ALL RULES "a.o=1\nbuild/e/f=5\nd/b.o=2\nd/c=3\nkeep=4\n"
#define REST RULES "d/c=3\nkeep=4\n"

static void assert_all(struct fixture *f)
{
	assert_file(f, "a.o", "1");
	assert_file(f, "d/b.o", "2");
	assert_file(f, "build/e/f", "5");
	assert_file(f, "keep", "4");
}

static void ignored_files_leave_git(void **state)
{
	struct face face, *s = &face;
	struct fixture *f = &s->fixture;

	face_open(s, ALL);
	untrack(s, RULES "d/c=3\n");
	look_again(f);
	assert_true(cut_both(s));
	/* what is not ignored stays */
	assert_head(f, REST);
	assert_all(f);
	look_again(f);
	cut_both(s);
	assert_head(f, REST);
	mount(s, f->pool);
	assert_all(f);
	look_again(f);
	cut_both(s);
	assert_head(f, REST);
	assert_int_equal(put(f, "a.o", "6"), 0);
	assert_int_equal(put(f, "build/e/f", "7"), 0);
	assert_true(cut_both(s));
	assert_head(f, REST);
	mount(s, f->pool);
	assert_file(f, "a.o", "6");
	assert_file(f, "build/e/f", "7");
	face_close(s);
}

static void names_that_were_given_up_do_not_come_back(void **state)
{
	struct face face, *s = &face;
	struct fixture *f = &s->fixture;

	face_open(s, ALL);
	untrack(s, REST);
	assert_int_equal(remove_at(f, "a.o", false), 0);
	assert_int_equal(put(f, "a.o", "6"), 0);
	assert_int_equal(put(f, "new", "7"), 0);
	assert_int_equal(move(f, "new", "d/b.o", 0), 0);
	look_again(f);
	assert_true(cut_both(s));
	assert_head(f, REST);
	assert_file(f, "a.o", "6");
	assert_file(f, "d/b.o", "7");
	face_close(s);
}

static void what_replaced_them_leaves_too(void **state)
{
	struct face face, *s = &face;
	struct fixture *f = &s->fixture;

	face_open(s, ALL);
	assert_int_equal(remove_at(f, "a.o", false), 0);
	assert_int_equal(put(f, "a.o", "6"), 0);
	assert_int_equal(put(f, "d/b.o", "7"), 0);
	untrack(s, REST);
	look_again(f);
	assert_true(cut_both(s));
	assert_head(f, REST);
	assert_file(f, "a.o", "6");
	assert_file(f, "d/b.o", "7");
	face_close(s);
}

static void what_is_being_stored_leaves_too(void **state)
{
	struct face face, *s = &face;
	struct fixture *f = &s->fixture;
	struct delta *first, *second;

	face_open(s, ALL);
	assert_int_equal(put(f, "a.o", "6"), 0);
	assert_int_equal(put(f, "build/e/f", "7"), 0);
	first = capture(f);
	untrack(s, REST);
	second = capture(f);
	assert_non_null(second);
	keep(s, first);
	keep(s, second);
	assert_head(f, REST);
	mount(s, f->pool);
	assert_file(f, "a.o", "6");
	assert_file(f, "d/b.o", "2");
	assert_file(f, "build/e/f", "7");
	face_close(s);
}

static void files_of_several_names_stay(void **state)
{
	struct face face, *s = &face;
	struct fixture *f = &s->fixture;

	face_open(s, ALL);
	assert_int_equal(name_again(f, "a.o", "other"), 0);
	cut_both(s);
	untrack(s, REST "other=1\n");
	cut_both(s);
	assert_head(f, RULES "a.o=1\nd/c=3\nkeep=4\nother=1\n");
	face_close(s);
}

static void they_can_be_tracked_again(void **state)
{
	struct face face, *s = &face;
	struct fixture *f = &s->fixture;
	struct oid to;
	struct delta *delta;

	face_open(s, ALL);
	untrack(s, REST);
	assert_true(cut_both(s));
	to = text_to_tree(f->odb, ALL);
	assert_int_equal(delta_between(f->odb, &f->head, &to, &delta), 0);
	assert_int_equal(worktree_track(f->w, delta), 0);
	delta_free(delta);
	look_again(f);
	assert_true(cut_both(s));
	assert_head(f, ALL);
	face_close(s);
}

static void paths_are_ignored_also_where_git_has_them(void **state)
{
	struct face face, *s = &face;
	struct worktree *w;

	face_open(s, ALL);
	w = s->fixture.w;
	assert_true(worktree_is_ignored(w, "a.o"));
	assert_true(worktree_is_ignored(w, "build"));
	assert_true(worktree_is_ignored(w, "build/e/f"));
	assert_false(worktree_is_ignored(w, "d"));
	assert_false(worktree_is_ignored(w, "d/c"));
	assert_false(worktree_is_ignored(w, "none.o"));
	assert_false(worktree_is_ignored(w, ""));
	face_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ignored_files_leave_git),
		cmocka_unit_test(names_that_were_given_up_do_not_come_back),
		cmocka_unit_test(what_replaced_them_leaves_too),
		cmocka_unit_test(what_is_being_stored_leaves_too),
		cmocka_unit_test(files_of_several_names_stay),
		cmocka_unit_test(they_can_be_tracked_again),
		cmocka_unit_test(paths_are_ignored_also_where_git_has_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
