/* SPDX-License-Identifier: ISC */
#include "tests/worktree_test.h"

#include <errno.h>

#define OPEN(text)                                                             \
	struct fixture fixture, *f = &fixture;                                 \
	fixture_open(f, text)

static void changes_are_cut_into_the_tree(void **state)
{
	OPEN("a=1\nd/x=2\nd/y=3\ne/f/g=4\n");
	assert_false(cut(f));
	assert_int_equal(put(f, "a", "9"), 0);
	assert_int_equal(remove_at(f, "d/x", false), 0);
	assert_int_equal(make_dir(f, "n"), 0);
	assert_int_equal(put(f, "n/m", "5"), 0);
	assert_int_equal(link_at(f, "n/l", "m"), 0);
	assert_int_equal(change_mode(f, "e/f/g", 0755), 0);
	assert_true(worktree_is_changed(f->w, NULL));
	assert_cut(f, "a=9\nd/y=3\nx e/f/g=4\nl n/l=m\nn/m=5\n");
	assert_false(worktree_is_changed(f->w, NULL));
	assert_false(cut(f));
	fixture_close(f);
}

static void what_comes_and_goes_between_cuts_does_not_reach_git(void **state)
{
	OPEN("a=1\n");
	put(f, "b", "2");
	remove_at(f, "b", false);
	make_dir(f, "d");
	make_dir(f, "d/e");
	assert_cut(f, "a=1\n");
	assert_false(cut(f));
	assert_list(f, "d", "e/ ");
	put(f, "d/e/f", "3");
	assert_cut(f, "a=1\nd/e/f=3\n");
	remove_at(f, "d/e/f", false);
	assert_cut(f, "a=1\n");
	assert_list(f, "d", "e/ ");
	assert_int_equal(remove_at(f, "d/e", true), 0);
	assert_int_equal(remove_at(f, "d", true), 0);
	assert_cut(f, "a=1\n");
	assert_false(cut(f));
	fixture_close(f);
}

static void replaced_kinds_are_cut(void **state)
{
	OPEN("a=1\nd/x=2\n");
	remove_at(f, "a", false);
	make_dir(f, "a");
	remove_at(f, "d/x", false);
	remove_at(f, "d", true);
	put(f, "d", "3");
	assert_cut(f, "d=3\n");
	put(f, "a/y", "4");
	assert_cut(f, "a/y=4\nd=3\n");
	fixture_close(f);
}

static void attributes_alone_do_not_reach_git(void **state)
{
	OPEN("a=1\nx b=2\n");
	assert_int_equal(change_mode(f, "a", 0600), 0);
	assert_int_equal(change_mode(f, "b", 0700), 0);
	assert_true(worktree_is_changed(f->w, NULL));
	assert_cut(f, "a=1\nx b=2\n");
	assert_false(worktree_is_changed(f->w, NULL));
	assert_int_equal(change_mode(f, "b", 0600), 0);
	assert_cut(f, "a=1\nb=2\n");
	assert_int_equal(stat_at(f, "b").st_mode, S_IFREG | 0600);
	fixture_close(f);
}

static void moved_directories_take_all_of_themselves_along(void **state)
{
	struct delta *delta;

	OPEN("d/e/x=1\nd/e/y=2\nd/z=3\nk=4\n");
	put(f, "d/e/x", "5");
	delta = capture(f);
	/* d is pending now, e/x as well; d/z and d/e/y are as stored. */
	assert_int_equal(move(f, "d", "m", 0), 0);
	put(f, "m/new", "6");
	store_delta(f, delta);
	assert_head(f, "d/e/x=5\nd/e/y=2\nd/z=3\nk=4\n");
	assert_cut(f, "k=4\nm/e/x=5\nm/e/y=2\nm/new=6\nm/z=3\n");
	adopt(f, delta);
	assert_int_equal(move(f, "m/e", "e", 0), 0);
	assert_int_equal(move(f, "m", "e/m", 0), 0);
	assert_cut(f, "e/m/new=6\ne/m/z=3\ne/x=5\ne/y=2\nk=4\n");
	fixture_close(f);
}

static void clean_directories_move_without_being_read(void **state)
{
	struct oid missing;
	struct tree_entry entry = { .mode = MODE_TREE, .name = "d" };
	struct delta *delta;

	OPEN("");
	assert_int_equal(oid_parse("1234567890123456789012345678901234567890",
				   &missing), 0);
	worktree_unref(f->w);
	entry.oid = missing;
	assert_int_equal(tree_write(f->odb, &entry, 1, &f->head), 0);
	assert_int_equal(worktree_new(&(struct worktree_options){
				.odb = f->odb, .pool = f->pool,
				.clock = test_clock, .tree = f->head,
			}, &f->w), 0);
	assert_int_equal(move(f, "d", "e", 0), 0);
	delta = capture(f);
	store_delta(f, delta);
	adopt(f, delta);
	assert_null(get(f, "e/x"));
	fixture_close(f);
}

static void late_adoption_is_not_taken_for_later_changes(void **state)
{
	struct delta *first, *second;

	OPEN("a=1\nb=1\n");
	put(f, "a", "2");
	first = capture(f);
	put(f, "a", "3");
	second = capture(f);
	store_delta(f, first);
	store_delta(f, second);
	adopt(f, first);
	assert_file(f, "a", "3");
	assert_int_equal(move(f, "a", "c", 0), 0);
	adopt(f, second);
	assert_cut(f, "b=1\nc=3\n");
	fixture_close(f);
}

static void a_change_undone_leaves_the_pending_capture_alone(void **state)
{
	struct delta *first, *second;

	OPEN("d/a=1\n");
	put(f, "d/a", "2");
	first = capture(f);
	put(f, "d/b", "3");
	remove_at(f, "d/b", false);
	second = capture(f);
	store_delta(f, first);
	store_delta(f, second);
	adopt(f, first);
	assert_int_equal(move(f, "d", "e", 0), 0);
	adopt(f, second);
	assert_cut(f, "e/a=2\n");
	fixture_close(f);
}

static void folded_captures_are_adopted(void **state)
{
	struct delta *first, *second;
	struct node *a, *b, *d;

	OPEN("a=1\nb=1\nd/x=1\nd/y=1\ne/z=1\n");
	a = get(f, "a");
	b = get(f, "b");
	d = get(f, "d");
	put(f, "a", "2");
	put(f, "b", "2");
	put(f, "d/x", "2");
	put(f, "e/z", "2");
	first = capture(f);
	put(f, "b", "3");
	put(f, "d/y", "3");
	second = capture(f);
	assert_int_equal(delta_fold(first, second), 0);
	delta_free(first);
	store_delta(f, second);
	adopt(f, second);
	assert_head(f, "a=2\nb=3\nd/x=2\nd/y=3\ne/z=2\n");
	assert_true(node_is_clean(a) && node_is_clean(b) && node_is_clean(d));
	assert_true(node_is_clean(f->w->root));
	assert_int_equal(move(f, "d", "g", 0), 0);
	assert_int_equal(move(f, "e", "d", 0), 0);
	assert_cut(f, "a=2\nb=3\nd/z=2\ng/x=2\ng/y=3\n");
	node_unref(a);
	node_unref(b);
	node_unref(d);
	fixture_close(f);
}

static int refuse_delta(void *context, struct delta *delta)
{
	delta_free(delta);
	return -EROFS;
}

static void a_cut_that_is_not_taken_changes_nothing(void **state)
{
	OPEN("a=1\nd/x=1\n");
	put(f, "d/x", "2");
	remove_at(f, "a", false);
	make_dir(f, "e");
	put(f, "e/f", "3");
	assert_int_equal(worktree_capture(f->w, refuse_delta, NULL), -EROFS);
	assert_true(worktree_is_changed(f->w, NULL));
	assert_cut(f, "d/x=2\ne/f=3\n");
	fixture_close(f);
}

static int add_status(void *context, char status, const char *path)
{
	buffer_printf(context, "%c %s,", status, path);
	return strcmp(path, "stop") == 0 ? 3 : 0;
}

static void assert_status(struct fixture *f, int result, const char *want)
{
	scoped_buffer struct buffer b = { 0 };

	assert_int_equal(worktree_each_changed(f->w, add_status, &b), result);
	assert_string_equal(b.data ? b.data : "", want);
}

static void status_names_paths_in_order(void **state)
{
	OPEN("a=1\nb=1\nd/x=1\nd/y=1\nm/n/o=1\nz=1\n");
	assert_status(f, 0, "");
	put(f, "b", "2");
	remove_at(f, "a", false);
	put(f, "d.c", "1");
	put(f, "d/w", "1");
	remove_at(f, "d/y", false);
	put(f, "d/y", "2");
	make_dir(f, "empty");
	move(f, "m", "l", 0);
	put(f, "l/p", "1");
	assert_status(f, 0, "D a,M b,A d.c,A d/w,M d/y,A empty,A l/n/o,A l/p,D m,");
	put(f, "c", "1");
	put(f, "stop", "1");
	assert_status(f, 3, "D a,M b,A c,A d.c,A d/w,M d/y,A empty,"
		      "A l/n/o,A l/p,D m,A stop,");
	fixture_close(f);
}

static void refusal_is_for_changes_alone(void **state)
{
	struct node *n;

	OPEN("a=1\nd/x=1\n");
	n = get(f, "a");
	worktree_refuse(f->w, -ENOENT);
	assert_int_equal(node_write(n, "x", 1, 0, false), -ENOENT);
	assert_int_equal(make_dir(f, "e"), -ENOENT);
	assert_int_equal(remove_at(f, "a", false), -ENOENT);
	assert_int_equal(move(f, "a", "b", 0), -ENOENT);
	assert_int_equal(change_mode(f, "a", 0700), -ENOENT);
	assert_reads(n, "1");
	worktree_refuse(f->w, 0);
	assert_int_equal(put(f, "a", "2"), 0);
	node_unref(n);
	fixture_close(f);
}

static void a_tree_lives_as_long_as_its_nodes(void **state)
{
	struct node *file, *dir;
	struct worktree *w;

	OPEN("d/x=1\nd/y=2\n");
	assert_int_equal(worktree_new(&(struct worktree_options){
				.odb = f->odb, .pool = f->pool,
				.clock = test_clock, .tree = f->head,
			}, &w), 0);
	assert_int_equal(worktree_lookup(w, "d/x", &file), 0);
	assert_int_equal(worktree_lookup(w, "d", &dir), 0);
	assert_int_equal(node_unlink(dir, "x"), 0);
	worktree_unref(w);
	node_unref(dir);
	assert_reads(file, "1");
	assert_true(node_worktree(file) == w);
	node_unref(file);
	fixture_close(f);
}

static uint32_t loaded(struct fixture *f)
{
	const struct directory *d = f->w->root->directory;
	uint32_t count = 0;

	for (uint32_t i = 0; d && i < d->count; i++)
		count += d->entries[i].node != NULL;
	return count;
}

static void clean_nodes_are_forgotten(void **state)
{
	struct node *n;

	OPEN("a=1\nb=1\nd/x=1\n");
	n = get(f, "d/x");
	assert_int_equal(loaded(f), 1);
	node_unref(n);
	assert_int_equal(loaded(f), 0);
	assert_int_equal(move(f, "d/x", "x", 0), 0);
	assert_int_equal(cut(f), true);
	/* What has times of its own stays. */
	assert_int_equal(loaded(f), 2);
	assert_file(f, "a", "1");
	assert_int_equal(loaded(f), 2);
	fixture_close(f);
}

static void damage_is_reported_where_it_is(void **state)
{
	struct tree_entry entries[] = {
		{ .mode = MODE_TREE, .name = "gone", .oid = { { 1 } } },
		{ .mode = MODE_TREE, .name = "wrong" },
		{ .mode = MODE_FILE, .name = "lost", .oid = { { 2 } } },
		{ .mode = MODE_FILE, .name = "tree", .oid = oid_empty_tree },
	};
	struct node *n, *child;
	struct stat st;
	char c;

	OPEN("");
	worktree_unref(f->w);
	odb_write(f->odb, OBJECT_TREE, "100644 x", 8, &entries[1].oid);
	tree_write(f->odb, entries, 4, &f->head);
	assert_int_equal(worktree_new(&(struct worktree_options){
				.odb = f->odb, .pool = f->pool,
				.clock = test_clock, .tree = f->head,
			}, &f->w), 0);
	n = get(f, "gone");
	assert_int_equal(node_lookup(n, "x", &child), -EIO);
	assert_int_equal(node_list(n, 0, add_name, NULL), -EIO);
	assert_int_equal(make_at(f, "gone/x", S_IFREG), -EIO);
	node_unref(n);
	n = get(f, "wrong");
	assert_int_equal(node_lookup(n, "x", &child), -EUCLEAN);
	node_unref(n);
	n = get(f, "lost");
	assert_int_equal(node_stat(n, &st), -EIO);
	assert_int_equal(node_read(n, &c, 1, 0), -EIO);
	node_unref(n);
	n = get(f, "tree");
	assert_int_equal(node_stat(n, &st), -EUCLEAN);
	node_unref(n);
	assert_list(f, "", "gone/ lost tree wrong/ ");
	assert_int_equal(remove_at(f, "lost", false), 0);
	assert_true(cut(f));
	fixture_close(f);
}

static void drop(struct node *n, unsigned int which)
{
	const struct stat unused = { 0 };

	assert_int_equal(node_set_attributes(n, &unused, which), 0);
}

static void setuid_and_setgid_are_dropped(void **state)
{
	struct node *n;

	OPEN("a=1\n");
	n = get(f, "a");
	change_mode(f, "a", 06755);
	assert_int_equal(node_write(n, "x", 1, 0, false), 1);
	assert_int_equal(node_privileges(n), 06000);
	drop(n, NODE_DROP_PRIVILEGES);
	assert_int_equal(stat_of(n).st_mode & 07777, 0755);
	change_mode(f, "a", 06644);	/* mandatory locking, not setgid */
	drop(n, NODE_DROP_PRIVILEGES);
	assert_int_equal(stat_of(n).st_mode & 07777, 02644);
	drop(n, NODE_DROP_PRIVILEGES | NODE_DROP_SETGID);
	assert_int_equal(stat_of(n).st_mode & 07777, 0644);
	assert_int_equal(node_privileges(n), 0);
	node_unref(n);
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_are_cut_into_the_tree),
		cmocka_unit_test(what_comes_and_goes_between_cuts_does_not_reach_git),
		cmocka_unit_test(replaced_kinds_are_cut),
		cmocka_unit_test(attributes_alone_do_not_reach_git),
		cmocka_unit_test(moved_directories_take_all_of_themselves_along),
		cmocka_unit_test(clean_directories_move_without_being_read),
		cmocka_unit_test(late_adoption_is_not_taken_for_later_changes),
		cmocka_unit_test(a_change_undone_leaves_the_pending_capture_alone),
		cmocka_unit_test(folded_captures_are_adopted),
		cmocka_unit_test(a_cut_that_is_not_taken_changes_nothing),
		cmocka_unit_test(status_names_paths_in_order),
		cmocka_unit_test(refusal_is_for_changes_alone),
		cmocka_unit_test(a_tree_lives_as_long_as_its_nodes),
		cmocka_unit_test(clean_nodes_are_forgotten),
		cmocka_unit_test(damage_is_reported_where_it_is),
		cmocka_unit_test(setuid_and_setgid_are_dropped),
	};

	return cmocka_run_group_tests_name("worktree", tests, NULL, NULL);
}
