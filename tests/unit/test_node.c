/* SPDX-License-Identifier: ISC */
#include "tests/worktree_test.h"

#include <linux/falloc.h>

#define OPEN(text)                                                             \
	struct fixture fixture, *f = &fixture;                                 \
	fixture_open(f, text)

#define SUBMODULE "s sub=1234567890123456789012345678901234567890\n"

static void names_are_looked_up(void **state)
{
	struct node *n, *dir;

	OPEN("a=1\nd/x=1\nl l=a\n" SUBMODULE);
	assert_null(get(f, "b"));
	assert_null(get(f, "a/b"));
	assert_null(get(f, "sub/b"));
	n = get(f, "a");
	assert_int_equal(node_type(n), S_IFREG);
	assert_int_equal(node_lookup(n, "x", &dir), -ENOTDIR);
	node_unref(n);
	n = get(f, "sub");
	assert_int_equal(node_type(n), S_IFDIR);
	node_unref(n);
	n = get(f, "l");
	assert_int_equal(node_type(n), S_IFLNK);
	node_unref(n);
	fixture_close(f);
}

static void made_names_are_checked(void **state)
{
	OPEN("a=1\nd/x=1\n" SUBMODULE);
	assert_int_equal(make_dir(f, "a"), -EEXIST);
	assert_int_equal(make_at(f, "d", S_IFREG), -EEXIST);
	assert_int_equal(make_dir(f, "a/b"), -ENOTDIR);
	assert_int_equal(make_dir(f, "sub/b"), -EROFS);
	assert_int_equal(make_dir(f, ".git"), -EPERM);
	assert_int_equal(make_dir(f, ".irmin"), -EPERM);
	assert_int_equal(make_at(f, "p", S_IFIFO), -EPERM);
	assert_int_equal(link_at(f, "l", ""), -ENOENT);
	assert_int_equal(link_at(f, "l", "x"), 0);
	assert_int_equal(link_at(f, "l", "x"), -EEXIST);
	assert_int_equal(move(f, "a", ".git", 0), -EPERM);
	assert_int_equal(move(f, "a", ".irmin", 0), -EPERM);
	fixture_close(f);
}

static void removing_minds_kinds(void **state)
{
	OPEN("a=1\nd/x=1\n" SUBMODULE);
	assert_int_equal(remove_at(f, "d", false), -EISDIR);
	assert_int_equal(remove_at(f, "a", true), -ENOTDIR);
	assert_int_equal(remove_at(f, "d", true), -ENOTEMPTY);
	assert_int_equal(remove_at(f, "b", true), -ENOENT);
	assert_int_equal(remove_at(f, "b", false), -ENOENT);
	assert_int_equal(remove_at(f, "sub", true), 0);
	assert_cut(f, "a=1\nd/x=1\n");
	fixture_close(f);
}

static void hidden_entries_do_not_show_and_are_kept(void **state)
{
	OPEN(".irmin=1\na=1\nd/.irmin/x=1\nd/y=1\n");
	assert_list(f, "", "a d/ ");
	assert_null(get(f, ".irmin"));
	assert_int_equal(remove_at(f, ".irmin", false), -ENOENT);
	assert_int_equal(move(f, ".irmin", "b", 0), -ENOENT);
	put(f, "a", "2");
	move(f, "d", "e", 0);
	put(f, "e/z", "3");
	assert_cut(f, ".irmin=1\na=2\ne/.irmin/x=1\ne/y=1\ne/z=3\n");
	remove_at(f, "e/y", false);
	remove_at(f, "e/z", false);
	assert_int_equal(remove_at(f, "e", true), 0);
	assert_cut(f, ".irmin=1\na=2\n");
	fixture_close(f);
}

static void renames_refuse_what_rename_refuses(void **state)
{
	struct fixture g;

	OPEN("a=1\nd/e/x=1\nf=1\nk/y=1\n");
	fixture_open(&g, "");
	assert_int_equal(move(f, "b", "c", 0), -ENOENT);
	assert_int_equal(move(f, "a", "f", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(move(f, "a", "b", RENAME_EXCHANGE), -ENOENT);
	assert_int_equal(move(f, "a", "d", 0), -EISDIR);
	assert_int_equal(move(f, "d", "a", 0), -ENOTDIR);
	assert_int_equal(move(f, "k", "d", 0), -ENOTEMPTY);
	assert_int_equal(move(f, "d/e", "d", 0), -ENOTEMPTY);
	assert_int_equal(move(f, "d", "d/e/d", 0), -EINVAL);
	assert_int_equal(move(f, "d", "d/d", 0), -EINVAL);
	assert_int_equal(move(f, "d/e", "d", RENAME_EXCHANGE), -EINVAL);
	assert_int_equal(move(f, "a", "b", RENAME_WHITEOUT), -EINVAL);
	assert_int_equal(move(f, "a", "a", 0), 0);
	assert_int_equal(node_rename(f->w->root, "a", g.w->root, "a", 0),
			 -EXDEV);
	assert_false(worktree_is_changed(f->w, NULL));
	fixture_close(&g);
	fixture_close(f);
}

static void renamed_nodes_stay_themselves(void **state)
{
	struct node *a, *x, *d, *same;
	struct stat before, after;
	char *path;

	OPEN("a=1\nb=2\nd/x=3\n");
	a = get(f, "a");
	x = get(f, "d/x");
	d = get(f, "d");
	assert_int_equal(node_stat(a, &before), 0);
	assert_int_equal(move(f, "a", "d/x", RENAME_EXCHANGE), 0);
	assert_int_equal(move(f, "a", "b", 0), 0);
	same = get(f, "d/x");
	assert_true(same == a);
	assert_int_equal(node_stat(a, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_reads(a, "1");
	path = node_path(a);
	assert_string_equal(path, "d/x");
	free(path);
	assert_int_equal(move(f, "d", "e", 0), 0);
	path = node_path(a);
	assert_string_equal(path, "e/x");
	free(path);
	path = node_path(x);
	assert_string_equal(path, "b");
	free(path);
	assert_file(f, "b", "3");
	node_unref(same);
	node_unref(a);
	node_unref(x);
	node_unref(d);
	assert_cut(f, "b=3\ne/x=1\n");
	fixture_close(f);
}

static void unlinked_nodes_stay_usable(void **state)
{
	struct node *n, *dir, *made;
	char *path;

	OPEN("a=1\nd/x=1\n");
	n = get(f, "a");
	dir = get(f, "d");
	remove_at(f, "a", false);
	put(f, "a", "new");
	assert_int_equal(node_write(n, "zz", 2, 1, false), 2);
	assert_reads(n, "1zz");
	assert_int_equal(stat_of(n).st_nlink, 0);
	path = node_path(n);
	assert_string_equal(path, "a");
	free(path);
	remove_at(f, "d/x", false);
	remove_at(f, "d", true);
	assert_int_equal(node_make(dir, "y", S_IFREG, &caller, &made), -ENOENT);
	assert_int_equal(node_lookup(dir, "y", &made), -ENOENT);
	assert_int_equal(node_list(dir, 0, add_name, NULL), 0);
	assert_cut(f, "a=new\n");
	node_unref(dir);
	node_unref(n);
	fixture_close(f);
}

struct pages {
	struct fixture *f;
	struct buffer names;
	uint64_t cookie;
	int left;
};

static int see_some(void *context, const struct listed *e)
{
	struct pages *pages = context;

	if (pages->left-- == 0)
		return 1;
	pages->cookie = e->cookie;
	return add_name(&pages->names, e);
}

static void list_some(struct pages *pages, struct node *dir)
{
	pages->left = 2;
	assert_int_equal(node_list(dir, pages->cookie, see_some, pages), 0);
}

static void listings_show_once_what_stays(void **state)
{
	struct pages pages = { 0 };
	struct node *dir;

	OPEN("a=1\nb=1\nc=1\nd=1\ne=1\n");
	dir = worktree_root(f->w);
	list_some(&pages, dir);
	remove_at(f, "a", false);
	remove_at(f, "b", false);
	put(f, "tmp", "2");
	move(f, "tmp", "d", 0);		/* as editors do */
	assert_true(cut(f));
	list_some(&pages, dir);
	put(f, "a", "3");
	list_some(&pages, dir);
	list_some(&pages, dir);
	assert_string_equal(pages.names.data, "a b c d e a ");
	buffer_release(&pages.names);
	node_unref(dir);
	fixture_close(f);
}

static void links_of_a_directory_count_those_in_it(void **state)
{
	OPEN("a/x=1\na/b/y=1\nc/z=1\nf=1\n");
	assert_int_equal(stat_at(f, "c").st_nlink, 1);
	assert_int_equal(stat_at(f, "").st_nlink, 4);
	put(f, "a/n", "1");
	assert_int_equal(stat_at(f, "a/n").st_nlink, 1);
	assert_int_equal(stat_at(f, "a").st_nlink, 3);
	assert_int_equal(move(f, "a/b", "c/b", 0), 0);
	assert_int_equal(stat_at(f, "a").st_nlink, 2);
	assert_int_equal(stat_at(f, "c").st_nlink, 3);
	assert_int_equal(move(f, "c/b", "f", RENAME_EXCHANGE), 0);
	assert_int_equal(stat_at(f, "c").st_nlink, 2);
	assert_int_equal(stat_at(f, "").st_nlink, 5);
	assert_int_equal(remove_at(f, "f/y", false), 0);
	assert_int_equal(remove_at(f, "f", true), 0);
	assert_int_equal(stat_at(f, "").st_nlink, 4);
	fixture_close(f);
}

static void attributes_have_defaults(void **state)
{
	struct stat st;

	OPEN("a=123\nx b=1\nd/x=1\nl l=abcd\n" SUBMODULE);
	st = stat_at(f, "a");
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(st.st_uid, 1);
	assert_int_equal(st.st_gid, 2);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(st.st_mtim.tv_sec, 1000);
	assert_int_equal(st.st_ctim.tv_nsec, 5);
	assert_int_equal(stat_at(f, "b").st_mode, S_IFREG | 0755);
	assert_int_equal(stat_at(f, "d").st_mode, S_IFDIR | 0755);
	assert_int_equal(stat_at(f, "l").st_mode, S_IFLNK | 0777);
	assert_int_equal(stat_at(f, "l").st_size, 4);
	assert_int_equal(stat_at(f, "sub").st_mode, S_IFDIR | 0555);
	fixture_close(f);
}

static void views_are_for_their_owner(void **state)
{
	struct worktree *w;
	struct node *n, *made;
	struct stat st;

	OPEN("x a=1\nd/x=1\n");
	assert_int_equal(worktree_new(&(struct worktree_options){
				.odb = f->odb, .pool = f->pool,
				.clock = test_clock, .tree = f->head,
				.owner_only = true, .readonly = true,
			}, &w), 0);
	assert_int_equal(worktree_lookup(w, "a", &n), 0);
	st = stat_of(n);
	assert_int_equal(st.st_mode, S_IFREG | 0700);
	assert_int_equal(node_write(n, "x", 1, 0, false), -EROFS);
	assert_int_equal(node_truncate(n, 0), -EROFS);
	assert_int_equal(node_allocate(n, 0, 0, 9), -EROFS);
	assert_int_equal(node_copy_range(n, 0, n, 10, 1), -EROFS);
	assert_int_equal(node_set_attributes(n, &st, NODE_SET_UID), -EROFS);
	node_unref(n);
	n = worktree_root(w);
	assert_int_equal(node_make(n, "b", S_IFREG, &caller, &made), -EROFS);
	assert_int_equal(node_unlink(n, "a"), -EROFS);
	assert_int_equal(node_rename(n, "a", n, "b", 0), -EROFS);
	worktree_refuse(w, 0);
	assert_int_equal(node_unlink(n, "a"), -EROFS);
	node_unref(n);
	worktree_unref(w);
	fixture_close(f);
}

static void attributes_are_set(void **state)
{
	struct stat values = {
		.st_mode = 0751, .st_uid = 11, .st_gid = 12,
		.st_atim = { 1, 2 }, .st_mtim = { 3, 4 }, .st_ctim = { 5, 6 },
	}, st;
	struct node *n;

	OPEN("a=1\n");
	n = get(f, "a");
	assert_int_equal(node_set_attributes(n, &values, 63), 0);
	st = stat_of(n);
	assert_int_equal(st.st_mode, S_IFREG | 0751);
	assert_int_equal(st.st_uid, 11);
	assert_int_equal(st.st_gid, 12);
	assert_int_equal(st.st_atim.tv_nsec, 2);
	assert_int_equal(st.st_mtim.tv_sec, 3);
	assert_int_equal(st.st_ctim.tv_sec, 5);
	assert_int_equal(node_set_attributes(n, &values, NODE_SET_UID), 0);
	assert_true(stat_of(n).st_ctim.tv_sec > 2000);
	node_unref(n);
	assert_cut(f, "x a=1\n");
	/* They stay when nobody refers to the node. */
	assert_int_equal(stat_at(f, "a").st_uid, 11);
	fixture_close(f);
}

static void owners_follow_the_caller_and_setgid(void **state)
{
	struct stat values = { .st_mode = 02775, .st_gid = 99 };
	struct node *n;

	OPEN("d/x=1\n");
	n = get(f, "d");
	assert_int_equal(node_set_attributes(n, &values,
					     NODE_SET_MODE | NODE_SET_GID), 0);
	node_unref(n);
	put(f, "d/a", "1");
	make_dir(f, "d/b");
	put(f, "c", "1");
	assert_int_equal(stat_at(f, "d/a").st_uid, 7);
	assert_int_equal(stat_at(f, "d/a").st_gid, 99);
	assert_int_equal(stat_at(f, "d/b").st_mode, S_IFDIR | 02755);
	assert_int_equal(stat_at(f, "c").st_gid, 8);
	fixture_close(f);
}

static void times_move(void **state)
{
	struct stat before, after;

	OPEN("a=1\nd/x=1\n");
	before = stat_at(f, "d");
	put(f, "a", "2");
	assert_true(stat_at(f, "a").st_mtim.tv_sec > 2000);
	assert_int_equal(stat_at(f, "a").st_atim.tv_sec, 1000);
	remove_at(f, "d/x", false);
	after = stat_at(f, "d");
	assert_true(after.st_mtim.tv_sec > before.st_mtim.tv_sec);
	move(f, "a", "d/a", 0);
	assert_true(stat_at(f, "d").st_mtim.tv_sec > after.st_mtim.tv_sec);
	assert_true(stat_at(f, "d/a").st_ctim.tv_sec >
		    stat_at(f, "d/a").st_mtim.tv_sec);
	fixture_close(f);
}

static void contents_are_changed(void **state)
{
	struct node *n, *d;

	OPEN("a=123456\nd/x=1\n");
	n = get(f, "a");
	d = get(f, "d");
	assert_int_equal(node_write(n, "AB", 2, 0, true), 2);
	assert_int_equal(node_write(n, "x", 1, 1, false), 1);
	assert_reads(n, "1x3456AB");
	assert_int_equal(node_allocate(n, FALLOC_FL_PUNCH_HOLE |
				       FALLOC_FL_KEEP_SIZE, 2, 100), 0);
	assert_reads(n, "1x");
	assert_int_equal(stat_of(n).st_size, 8);
	assert_int_equal(node_allocate(n, FALLOC_FL_KEEP_SIZE, 0, 99), 0);
	assert_int_equal(stat_of(n).st_size, 8);
	assert_int_equal(node_allocate(n, 0, 0, 99), 0);
	assert_int_equal(stat_of(n).st_size, 99);
	assert_int_equal(node_allocate(n, FALLOC_FL_ZERO_RANGE, 1, 199), 0);
	assert_int_equal(stat_of(n).st_size, 200);
	assert_reads(n, "1");
	assert_int_equal(node_allocate(n, FALLOC_FL_COLLAPSE_RANGE, 0, 1),
			 -EOPNOTSUPP);
	assert_int_equal(node_allocate(n, 0, 0, 0), -EINVAL);
	assert_int_equal(node_allocate(n, 0, UINT64_MAX, 2), -EFBIG);
	assert_int_equal(node_write(n, "x", 1, CONTENTS_SIZE_MAX, false),
			 -EFBIG);
	assert_int_equal(node_seek(n, 200, SEEK_DATA), -ENXIO);
	assert_int_equal(node_write(d, "x", 1, 0, false), -EISDIR);
	assert_int_equal(node_truncate(d, 0), -EISDIR);
	node_unref(d);
	node_unref(n);
	fixture_close(f);
}

static void ranges_are_copied_between_trees(void **state)
{
	struct worktree *w;
	struct node *from, *to;

	OPEN("a=123456\nb=abcdef\n");
	assert_int_equal(worktree_new(&(struct worktree_options){
				.odb = f->odb, .pool = f->pool,
				.clock = test_clock, .tree = f->head,
			}, &w), 0);
	from = get(f, "a");
	assert_int_equal(worktree_lookup(w, "b", &to), 0);
	assert_int_equal(node_copy_range(from, 1, to, 2, 3), 3);
	assert_reads(to, "ab234f");
	assert_int_equal(node_copy_range(from, 4, to, 0, 100), 2);
	assert_reads(to, "56234f");
	assert_true(worktree_is_changed(w, NULL));
	assert_false(worktree_is_changed(f->w, NULL));
	assert_int_equal(node_copy_range(from, 0, from, 2, 3), -EINVAL);
	assert_int_equal(node_copy_range(from, 0, from, 6, 6), 6);
	assert_reads(from, "123456123456");
	node_unref(to);
	node_unref(from);
	worktree_unref(w);
	assert_cut(f, "a=123456123456\nb=abcdef\n");
	fixture_close(f);
}

static void symlinks_are_read(void **state)
{
	struct node *n;
	char *target, c;

	OPEN("l l=to/there\na=1\n");
	n = get(f, "l");
	assert_int_equal(node_readlink(n, &target), 0);
	assert_string_equal(target, "to/there");
	free(target);
	assert_int_equal(node_read(n, &c, 1, 0), -EINVAL);
	node_unref(n);
	n = get(f, "a");
	assert_int_equal(node_readlink(n, &target), -EINVAL);
	node_unref(n);
	fixture_close(f);
}

static void collect(void *context, struct node *n)
{
	char *path = node_path(n);

	buffer_printf(context, "%s ", path);
	free(path);
}

static void writers_are_counted(void **state)
{
	scoped_buffer struct buffer b = { 0 };
	struct node *a, *c;

	OPEN("a=1\nb=1\nc=1\n");
	a = get(f, "a");
	c = get(f, "c");
	node_writer_begin(a);
	node_writer_begin(c);
	node_writer_begin(a);
	node_writer_end(a);
	assert_int_equal(worktree_each_writer(f->w, collect, &b), 0);
	assert_string_equal(b.data, "a c ");
	node_writer_end(c);
	node_writer_end(a);
	b.length = 0;
	assert_int_equal(worktree_each_writer(f->w, collect, &b), 0);
	assert_int_equal(b.length, 0);
	node_unref(a);
	node_unref(c);
	fixture_close(f);
}

static void numbers_are_those_of_the_listing(void **state)
{
	uint64_t first, second;

	OPEN("d/x=1\nd/y=1\n");
	first = stat_at(f, "d/x").st_ino;
	assert_int_equal(stat_at(f, "d/x").st_ino, first);
	/* A backup by renaming, then a new file, as editors do. */
	move(f, "d/x", "b", 0);
	put(f, "d/x", "2");
	second = stat_at(f, "d/x").st_ino;
	assert_int_equal(stat_at(f, "b").st_ino, first);
	assert_true(second != first);
	assert_true(cut(f));
	assert_int_equal(stat_at(f, "d/x").st_ino, second);
	fixture_close(f);
}

static void numbers_of_what_moved_away_are_not_given_again(void **state)
{
	struct node *moved;

	OPEN("d/x=1\nd/y=1\n");
	moved = get(f, "d/x");
	assert_int_equal(node_displace_locked(moved), 0);
	node_unref(moved);
	/* d was forgotten, and with it that x was displaced. */
	moved = get(f, "d/x");
	assert_int_equal(node_displace_locked(moved), 0);
	{
		struct directory *other = moved->parent->directory;

		moved->parent->directory = NULL;
		assert_int_equal(node_open_directory_locked(moved->parent), 0);
		assert_true(directory_find(moved->parent->directory, "x")
				    ->number != moved->number);
		assert_int_equal(directory_find(moved->parent->directory, "y")
					 ->number,
				 directory_find(other, "y")->number);
		directory_free(moved->parent->directory);
		moved->parent->directory = other;
	}
	node_unref(moved);
	fixture_close(f);
}

static void directories_are_not_too_deep(void **state)
{
	struct node *dir, *n;
	int depth = 0, r = 0;

	OPEN("");
	dir = worktree_root(f->w);
	for (;; depth++) {
		r = node_make(dir, "d", S_IFDIR | 0755, &caller, &n);
		if (r < 0)
			break;
		node_unref(dir);
		dir = n;
	}
	assert_int_equal(r, -ENAMETOOLONG);
	assert_int_equal(depth, TREE_DEPTH_MAX);
	assert_int_equal(node_make(dir, "f", S_IFREG, &caller, &n), 0);
	node_unref(n);
	node_unref(dir);
	assert_true(cut(f));
	assert_int_equal(make_dir(f, "e"), 0);
	assert_int_equal(move(f, "d", "e/d", 0), -ENAMETOOLONG);
	assert_int_equal(move(f, "d", "g", 0), 0);
	assert_true(cut(f));
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_looked_up),
		cmocka_unit_test(made_names_are_checked),
		cmocka_unit_test(removing_minds_kinds),
		cmocka_unit_test(hidden_entries_do_not_show_and_are_kept),
		cmocka_unit_test(renames_refuse_what_rename_refuses),
		cmocka_unit_test(renamed_nodes_stay_themselves),
		cmocka_unit_test(unlinked_nodes_stay_usable),
		cmocka_unit_test(listings_show_once_what_stays),
		cmocka_unit_test(links_of_a_directory_count_those_in_it),
		cmocka_unit_test(attributes_have_defaults),
		cmocka_unit_test(views_are_for_their_owner),
		cmocka_unit_test(attributes_are_set),
		cmocka_unit_test(owners_follow_the_caller_and_setgid),
		cmocka_unit_test(times_move),
		cmocka_unit_test(contents_are_changed),
		cmocka_unit_test(ranges_are_copied_between_trees),
		cmocka_unit_test(symlinks_are_read),
		cmocka_unit_test(writers_are_counted),
		cmocka_unit_test(numbers_are_those_of_the_listing),
		cmocka_unit_test(numbers_of_what_moved_away_are_not_given_again),
		cmocka_unit_test(directories_are_not_too_deep),
	};

	return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
