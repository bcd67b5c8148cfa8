/* SPDX-License-Identifier: ISC */
#include "tests/queue_test.h"

static struct node *make_nameless(struct fixture *f, const char *path)
{
	struct node *dir = get(f, path), *n;

	assert_int_equal(node_make_nameless(dir, 0640, &caller, &n), 0);
	node_unref(dir);
	return n;
}

static int link_node(struct fixture *f, struct node *n, const char *path)
{
	const char *name;
	struct node *dir = above(f, path, &name);
	int r = dir ? node_link(n, dir, name) : -ENOENT;

	node_unref(dir);
	return r;
}

static void write_all(struct node *n, const char *text)
{
	assert_int_equal(node_truncate(n, 0), 0);
	assert_int_equal(node_write(n, text, strlen(text), 0, false),
			 strlen(text));
}

static void nobody_sees_one_until_it_has_a_name(void **state)
{
	struct fixture fixture, *f = &fixture;
	struct node *n;

	fixture_open(f, "d/f=1\ne/f=2\n");
	n = make_nameless(f, "d");
	write_all(n, "secret");
	assert_int_equal(stat_of(n).st_nlink, 0);
	assert_list(f, "d", "f ");
	assert_false(cut(f));
	assert_int_equal(link_node(f, n, "d/f"), -EEXIST);
	assert_int_equal(link_node(f, n, "x/y"), -ENOENT);
	assert_int_equal(link_node(f, n, "d/.irmin"), -EPERM);
	assert_int_equal(link_node(f, n, "d/new"), 0);
	assert_int_equal(stat_of(n).st_nlink, 1);
	assert_int_equal(stat_of(n).st_uid, caller.uid);
	assert_int_equal(stat_of(n).st_mode, S_IFREG | 0640);
	assert_int_equal(stat_at(f, "d/new").st_ino, stat_of(n).st_ino);
	assert_cut(f, "d/f=1\nd/new=secret\ne/f=2\n");
	write_all(n, "more");
	node_unref(n);
	assert_file(f, "d/new", "more");
	assert_cut(f, "d/f=1\nd/new=more\ne/f=2\n");
	fixture_close(f);
}

/* Its number is of the directory where it began. */
static void it_may_get_its_name_elsewhere(void **state)
{
	struct fixture fixture, *f = &fixture;
	struct node *n;

	fixture_open(f, "d/f=1\ne/f=2\n");
	n = make_nameless(f, "d");
	write_all(n, "3");
	assert_int_equal(remove_at(f, "d/f", false), 0);
	assert_int_equal(remove_at(f, "d", true), 0);
	assert_int_equal(link_node(f, n, "e/g"), 0);
	assert_int_equal(link_node(f, n, "e/h"), 0);
	assert_int_equal(stat_of(n).st_nlink, 2);
	assert_cut(f, "e/f=2\ne/g=3\ne/h=3\n");
	assert_int_equal(remove_at(f, "e/g", false), 0);
	assert_int_equal(move(f, "e/h", "i", 0), 0);
	assert_int_equal(stat_at(f, "i").st_ino, stat_of(n).st_ino);
	node_unref(n);
	assert_cut(f, "e/f=2\ni=3\n");
	fixture_close(f);
}

static void one_that_lost_its_name_gets_no_other(void **state)
{
	struct fixture fixture, *f = &fixture;
	struct node *n;

	fixture_open(f, "");
	n = make_nameless(f, "");
	assert_int_equal(link_node(f, n, "a"), 0);
	assert_int_equal(remove_at(f, "a", false), 0);
	assert_int_equal(link_node(f, n, "b"), -ENOENT);
	node_unref(n);
	assert_cut(f, "");
	n = make_nameless(f, "");
	node_unref(n);
	assert_false(cut(f));
	fixture_close(f);
}

static void in_a_queue_it_is_pushed_under_just_that_name(void **state)
{
	struct node *n, *dir, *first;
	char *name;
	OPEN(JOBS);

	assert_int_equal(put(f, "jobs/one", "1"), 0);
	n = make_nameless(f, "jobs");
	write_all(n, "2");
	assert_list(f, "jobs", "one ");
	assert_int_equal(link_node(f, n, "jobs/one"), -EEXIST);
	assert_int_equal(link_node(f, n, "jobs/two"), 0);
	assert_int_equal(link_node(f, n, "jobs/three"), -EPERM);
	assert_list(f, "jobs", "one two ");
	assert_int_equal(remove_at(f, "jobs/one", false), 0);
	dir = get(f, "jobs");
	assert_int_equal(node_first(dir, &first, &name), 0);
	assert_ptr_equal(first, n);
	assert_string_equal(name, "two");
	free(name);
	node_unref(first);
	node_unref(dir);
	node_unref(n);
	assert_true(cut(f));
	assert_stored(f, "jobs", "two ");
	remount(f);
	assert_file(f, "jobs/two", "2");
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_sees_one_until_it_has_a_name),
		cmocka_unit_test(it_may_get_its_name_elsewhere),
		cmocka_unit_test(one_that_lost_its_name_gets_no_other),
		cmocka_unit_test(in_a_queue_it_is_pushed_under_just_that_name),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
