/* SPDX-License-Identifier: ISC */
#include "tests/queue_test.h"
#include "store/local_store.h"

/* Elements that are synced while they are made: with a local face. */

struct shelf {
	struct fixture fixture;
	struct odb *local;
	struct oid face;
	struct node *jobs;
};

static void shelf_mount(struct shelf *s, uint64_t incarnation)
{
	struct fixture *f = &s->fixture;
	struct worktree_options options = f->w->options;

	options.tree = f->head;
	options.local = s->local;
	options.face = s->face;
	options.incarnation = incarnation;
	node_unref(s->jobs);
	worktree_unref(f->w);
	assert_int_equal(worktree_new(&options, &f->w), 0);
	worktree_empty_shelf(f->w);
	s->jobs = get(f, "jobs");
	assert_non_null(s->jobs);
}

/* Contents come from both. */
static void use_local(struct shelf *s)
{
	struct fixture *f = &s->fixture;
	struct worktree_options options = f->w->options;
	struct pool_options pool = {
		.block_budget = 1 << 20, .blob_budget = 1 << 20,
		.odb = f->odb, .local = s->local, .dir_fd = f->dir_fd,
	};

	worktree_unref(f->w);
	pool_free(f->pool);
	assert_int_equal(pool_new(&pool, &f->pool), 0);
	options.pool = f->pool;
	assert_int_equal(worktree_new(&options, &f->w), 0);
}

static void shelf_open(struct shelf *s)
{
	*s = (struct shelf){ 0 };
	fixture_open(&s->fixture, JOBS "a=1\n");
	assert_int_equal(memory_odb_new(&s->local), 0);
	use_local(s);
	shelf_mount(s, 5);
}

static void shelf_close(struct shelf *s)
{
	node_unref(s->jobs);
	fixture_close(&s->fixture);
	odb_free(s->local);
}

/* A cut with both halves of it stored; false: nothing was changed. */
static bool cut_both(struct shelf *s)
{
	static const struct timespec base = { 1000, 5 };
	struct fixture *f = &s->fixture;
	struct delta *delta = capture(f);

	if (!delta)
		return false;
	assert_int_equal(delta_store_own(delta, s->local), 0);
	assert_int_equal(delta_store(delta, f->odb, &f->head), 0);
	assert_int_equal(local_store(delta, s->local, &s->face, false, &base,
				     &base, &s->face), 0);
	f->head = delta->oid;
	worktree_adopt(f->w, delta);
	delta_free(delta);
	return true;
}

static struct node *begin(struct shelf *s, const char *name, const char *text)
{
	struct node *n;

	assert_int_equal(node_make_pending(s->jobs, name, 0640, &caller, &n),
			 0);
	assert_int_equal(node_write(n, text, strlen(text), 0, false),
			 strlen(text));
	return n;
}

static struct node *begin_kept(struct shelf *s, const char *name,
			       const char *text)
{
	struct node *n = begin(s, name, text);

	assert_int_equal(node_keep_pending(n, s->jobs), 0);
	return n;
}

static void assert_push(struct shelf *s, struct node *n, const char *want)
{
	char *name;

	assert_int_equal(node_push_pending(n, s->jobs, &name), 0);
	if (want)
		assert_string_equal(name, want);
	else
		assert_null(name);
	free(name);
}

static void assert_no_trace(struct shelf *s)
{
	struct fixture *f = &s->fixture;
	struct node *root = worktree_root(f->w);
	struct tree_entry e;

	assert_null(directory_find_live(root->directory, CONTROL_NAME));
	assert_int_equal(tree_resolve(f->odb, &f->head, CONTROL_NAME, &e),
			 -ENOENT);
	node_unref(root);
}

static void is_durable_and_not_seen(void **state)
{
	struct shelf shelf, *s = &shelf;
	struct fixture *f = &s->fixture;
	struct stat before, after;
	struct tree_entry e;
	struct node *n, *root;
	char *path;

	shelf_open(s);
	cut_both(s);
	root = worktree_root(f->w);
	before = stat_of(root);
	n = begin_kept(s, "x", "one");
	assert_int_equal(node_keep_pending(n, s->jobs), 0);
	after = stat_of(root);
	node_unref(root);
	assert_int_equal(before.st_nlink, after.st_nlink);
	assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	assert_int_equal(before.st_ctim.tv_sec, after.st_ctim.tv_sec);
	assert_list(f, "", ".gitattributes a jobs/ ");
	assert_list(f, "jobs", "");
	assert_int_equal(stat_of(n).st_nlink, 1);
	assert_true(node_is_pending(n));
	path = node_path(n);
	assert_string_equal(path, "jobs/x");
	free(path);
	assert_int_equal(remove_at(f, "jobs", true), -ENOTEMPTY);
	assert_int_equal(node_claim(n, stat_of(s->jobs).st_ino, NULL, &root,
				    &path), -ENOENT);
	assert_true(cut_both(s));
	assert_int_equal(tree_resolve(f->odb, &f->head, CONTROL_NAME, &e),
			 -ENOENT);
	assert_stored(f, "jobs", "");
	/* more of it is in the next cut */
	assert_int_equal(node_write(n, "two", 3, 3, false), 3);
	assert_true(cut_both(s));
	assert_false(cut_both(s));
	/* rules say nothing of it */
	assert_int_equal(put(f, ".gitignore", "!*\n"), 0);
	assert_int_equal(worktree_apply_rules(f->w), 0);
	assert_true(cut_both(s));
	assert_int_equal(tree_resolve(f->odb, &f->head, CONTROL_NAME, &e),
			 -ENOENT);
	node_unref(n);
	shelf_mount(s, 5);
	assert_list(f, "jobs", "x ");
	assert_file(f, "jobs/x", "onetwo");
	assert_true(cut_both(s));
	assert_no_trace(s);
	assert_stored(f, "jobs", "x ");
	shelf_mount(s, 5);
	assert_list(f, "jobs", "x ");
	assert_false(cut_both(s));
	shelf_close(s);
}

static void is_pushed_once(void **state)
{
	struct shelf shelf, *s = &shelf;
	struct fixture *f = &s->fixture;
	struct node *a, *b, *c;

	shelf_open(s);
	a = begin_kept(s, "x", "1");
	b = begin_kept(s, "x", "2");
	c = begin_kept(s, "y", "3");
	assert_true(cut_both(s));
	assert_int_equal(node_rename_pending(c, s->jobs, "z"), 0);
	assert_push(s, b, "x~2");
	assert_push(s, b, NULL);
	assert_push(s, a, "x");
	assert_push(s, c, "z");
	assert_no_trace(s);
	assert_list(f, "jobs", "x~2 x z ");
	assert_true(cut_both(s));
	assert_stored(f, "jobs", "x~2 x z ");
	node_unref(a);
	node_unref(b);
	node_unref(c);
	shelf_mount(s, 5);
	assert_list(f, "jobs", "x~2 x z ");
	assert_file(f, "jobs/x~2", "2");
	assert_file(f, "jobs/z", "3");
	assert_false(cut_both(s));
	assert_int_equal(remove_at(f, "jobs/x", false), 0);
	shelf_close(s);
}

static void is_cancelled(void **state)
{
	struct shelf shelf, *s = &shelf;
	struct fixture *f = &s->fixture;
	struct node *a, *b;

	shelf_open(s);
	cut_both(s);
	a = begin_kept(s, "x", "1");
	b = begin_kept(s, "y", "2");
	assert_int_equal(node_cancel_pending(a, s->jobs), 0);
	assert_true(cut_both(s));
	assert_int_equal(node_cancel_pending(b, s->jobs), 0);
	assert_no_trace(s);
	assert_true(cut_both(s));
	assert_push(s, b, NULL);
	assert_int_equal(node_write(b, "3", 1, 0, false), 1);
	node_unref(a);
	node_unref(b);
	shelf_mount(s, 5);
	assert_list(f, "jobs", "");
	assert_int_equal(remove_at(f, "jobs", true), 0);
	shelf_close(s);
}

/* What could not be pushed is there after the next mount. */
static void is_kept_when_it_ends(void **state)
{
	struct shelf shelf, *s = &shelf;
	struct fixture *f = &s->fixture;
	struct node *a, *b;
	char *name;

	shelf_open(s);
	a = begin_kept(s, "later", "1");
	b = begin_kept(s, "first", "2");
	assert_int_equal(node_write(a, "3", 1, 1, false), 1);
	assert_true(cut_both(s));
	worktree_refuse(f->w, -EROFS);
	assert_int_equal(node_push_pending(a, s->jobs, &name), -EROFS);
	assert_true(node_is_pending(a));
	node_end_pending(a, s->jobs);
	node_end_pending(b, s->jobs);
	worktree_refuse(f->w, 0);
	assert_int_equal(s->jobs->directory->places->pending, 0);
	node_unref(a);
	node_unref(b);
	shelf_mount(s, 5);
	/* in the order of the last writes */
	assert_list(f, "jobs", "first later ");
	assert_file(f, "jobs/later", "13");
	shelf_close(s);
}

static void forks_drop_it(void **state)
{
	struct shelf shelf, *s = &shelf;
	struct fixture *f = &s->fixture;

	shelf_open(s);
	node_unref(begin_kept(s, "x", "1"));
	assert_true(cut_both(s));
	shelf_mount(s, 6);
	assert_list(f, "jobs", "");
	assert_no_trace(s);
	assert_true(cut_both(s));
	shelf_mount(s, 5);
	assert_list(f, "jobs", "");
	assert_false(cut_both(s));
	shelf_close(s);
}

static void a_queue_that_is_gone_leaves_a_file(void **state)
{
	struct shelf shelf, *s = &shelf;
	struct fixture *f = &s->fixture;
	struct node *n;

	shelf_open(s);
	n = begin_kept(s, "a", "element");
	free(rename_to(f, "jobs", "moved", 0, 0));
	assert_true(cut_both(s));
	node_unref(n);
	node_unref(s->jobs);
	s->jobs = NULL;
	assert_int_equal(make_dir(f, "jobs"), 0);
	assert_true(cut_both(s));
	shelf_mount(s, 5);
	assert_list(f, "", ".gitattributes a jobs/ moved/ a~2 ");
	assert_list(f, "moved", "");
	assert_file(f, "a", "1");
	assert_file(f, "a~2", "element");
	assert_true(cut_both(s));
	assert_no_trace(s);
	shelf_close(s);
}

static void without_a_face_nothing_is_kept(void **state)
{
	struct node *dir, *n;

	OPEN(JOBS);
	dir = get(f, "jobs");
	assert_list(f, "jobs", "");
	assert_int_equal(node_make_pending(dir, "a", 0640, &caller, &n), 0);
	assert_int_equal(node_keep_pending(n, dir), -ENOTSUP);
	assert_true(node_is_pending(n));
	node_unref(n);
	node_unref(dir);
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_durable_and_not_seen),
		cmocka_unit_test(is_pushed_once),
		cmocka_unit_test(is_cancelled),
		cmocka_unit_test(is_kept_when_it_ends),
		cmocka_unit_test(forks_drop_it),
		cmocka_unit_test(a_queue_that_is_gone_leaves_a_file),
		cmocka_unit_test(without_a_face_nothing_is_kept),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
