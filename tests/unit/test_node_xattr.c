/* SPDX-License-Identifier: ISC */
#include "tests/random.h"
#include "tests/unit/node_xattr.h"
#include "store/xattrs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

static int unset(const char *path, const char *name)
{
	struct node *n = get(&f, path);
	int r = node_remove_xattr(n, name);

	node_unref(n);
	return r;
}

static void assert_value(const char *path, const char *name, const char *want)
{
	char value[300] = "";

	assert_int_equal(get_at(path, name, value, sizeof(value) - 1),
			 strlen(want));
	assert_string_equal(value, want);
}

/* ---- as in xattr(7) ---- */

static void values_are_set_and_removed(void **state)
{
	char value[4] = "";

	assert_int_equal(get_at("a", "user.x", NULL, 0), -ENODATA);
	assert_int_equal(list_at("a", NULL, 0), 0);
	assert_int_equal(set_text("a", "user.x", "123"), 0);
	assert_int_equal(set_text("a", "user.b", ""), 0);
	assert_int_equal(set_text("a", "security.z", "zz"), 0);
	assert_value("a", "user.x", "123");
	assert_value("a", "user.b", "");
	assert_names("a", "security.z user.b user.x ");
	assert_int_equal(get_at("a", "user.x", NULL, 0), 3);
	assert_int_equal(get_at("a", "user.x", value, 2), -ERANGE);
	assert_int_equal(list_at("a", value, sizeof(value)), -ERANGE);
	assert_int_equal(list_at("a", NULL, 0), 11 + 7 + 7);
	assert_int_equal(set_text("a", "user.x", "4"), 0);
	assert_value("a", "user.x", "4");
	assert_int_equal(unset("a", "user.b"), 0);
	assert_int_equal(unset("a", "user.b"), -ENODATA);
	assert_names("a", "security.z user.x ");
	assert_int_equal(set_text("d/l", "trusted.l", "1"), 0);
	assert_int_equal(set_text("d", "user.d", "2"), 0);
	assert_int_equal(set_text("", "user.root", "3"), 0);
	assert_value("d/l", "trusted.l", "1");
	assert_value("d", "user.d", "2");
	assert_value("", "user.root", "3");
}

static void flags_say_what_must_be_there(void **state)
{
	assert_int_equal(set_at("a", "user.x", "1", 1, XATTR_REPLACE),
			 -ENODATA);
	assert_int_equal(set_at("a", "user.x", "1", 1, XATTR_CREATE), 0);
	assert_int_equal(set_at("a", "user.x", "2", 1, XATTR_CREATE), -EEXIST);
	assert_value("a", "user.x", "1");
	assert_int_equal(set_at("a", "user.x", "2", 1, XATTR_REPLACE), 0);
	assert_value("a", "user.x", "2");
}

static void too_much_is_refused(void **state)
{
	char *big = calloc(1, XATTR_VALUE_MOST + 1);
	char name[XATTR_NAME_MOST + 2];
	int count = 0, r;

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(set_text("a", name, "1"), -ERANGE);
	assert_int_equal(get_at("a", name, NULL, 0), -ERANGE);
	assert_int_equal(set_text("a", "", "1"), -ERANGE);
	name[XATTR_NAME_MOST] = '\0';
	assert_int_equal(set_text("a", name, "1"), 0);
	assert_value("a", name, "1");
	assert_int_equal(set_at("a", "user.big", big, XATTR_VALUE_MOST + 1, 0),
			 -E2BIG);
	assert_int_equal(set_at("a", "user.big", big, XATTR_VALUE_MOST, 0), 0);
	for (r = 0; r == 0; count += r == 0) {
		snprintf(name, sizeof(name), "user.%d", count);
		r = set_at("a", name, big, XATTR_VALUE_MOST, 0);
	}
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(count, 14);
	/* what cannot be listed */
	for (r = count = 0; r == 0; count += r == 0) {
		snprintf(name, sizeof(name), "user.%0250d", count);
		r = set_text("d/b", name, "");
	}
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(count, 256);
	assert_int_equal(list_at("d/b", NULL, 0), XATTR_LIST_MOST);
	free(big);
}

static void read_only_trees_keep_theirs(void **state)
{
	assert_int_equal(set_text("a", "user.x", "1"), 0);
	worktree_refuse(f.w, -EROFS);
	assert_int_equal(set_text("a", "user.x", "2"), -EROFS);
	assert_int_equal(unset("a", "user.x"), -EROFS);
	assert_value("a", "user.x", "1");
}

static void ctime_alone_changes(void **state)
{
	struct stat before, after;

	assert_int_equal(set_text("a", "user.x", "1"), 0);
	before = stat_at(&f, "a");
	assert_int_equal(set_text("a", "user.x", "1"), 0);
	after = stat_at(&f, "a");
	assert_true(after.st_ctim.tv_sec > before.st_ctim.tv_sec);
	assert_int_equal(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
	assert_int_equal(after.st_mode, before.st_mode);
	before = after;
	assert_int_equal(unset("a", "user.x"), 0);
	after = stat_at(&f, "a");
	assert_true(after.st_ctim.tv_sec > before.st_ctim.tv_sec);
	before = after;
	assert_int_equal(unset("a", "user.x"), -ENODATA);
	after = stat_at(&f, "a");
	assert_int_equal(after.st_ctim.tv_sec, before.st_ctim.tv_sec);
}

static void git_sees_nothing_of_them(void **state)
{
	struct oid head = f.head;

	assert_int_equal(set_text("a", "user.x", "1"), 0);
	assert_true(worktree_is_changed(f.w, NULL));
	cut_and_save();
	assert_false(worktree_is_changed(f.w, NULL));
	assert_memory_equal(&head, &f.head, sizeof(head));
	assert_false(oid_is_zero(&face));
	mount();
	assert_value("a", "user.x", "1");
}

static void unlinked_files_have_them(void **state)
{
	struct node *n = get(&f, "a");
	char c;

	assert_int_equal(set_text("a", "user.x", "1"), 0);
	assert_int_equal(remove_at(&f, "a", false), 0);
	assert_int_equal(node_get_xattr(n, "user.x", &c, 1), 1);
	assert_int_equal(node_set_xattr(n, "user.y", "2", 1, 0), 0);
	assert_int_equal(node_get_xattr(n, "user.y", &c, 1), 1);
	cut_and_save();
	node_unref(n);
	mount();
	assert_null(get(&f, "a"));
}

/* ---- many bytes ---- */

static char *big(char c)
{
	static char text[XATTR_VALUE_MOST + 1];

	memset(text, c, XATTR_VALUE_MOST);
	return text;
}

static void assert_big(const char *path, char c)
{
	static char value[XATTR_VALUE_MOST];

	assert_int_equal(get_at(path, "user.big", value, sizeof(value)),
			 sizeof(value));
	assert_memory_equal(value, big(c), sizeof(value));
}

static const struct local *facts_at(const char *path)
{
	struct node *n = get(&f, path);
	const struct local *facts = n->attributes->local;

	node_unref(n);
	return facts;
}

static void many_bytes_leave_memory_when_they_are_stored(void **state)
{
	static const char *const paths[] = { "a", "d", "d/b", "" };
	struct node *held[4];

	for (size_t i = 0; i < 4; i++) {
		held[i] = get(&f, paths[i]);
		assert_int_equal(set_text(paths[i], "user.big", big('a' + i)),
				 0);
	}
	/* one is captured with its contents, the others without */
	assert_int_equal(put(&f, "d/b", "new"), 0);
	cut_and_save();
	for (size_t i = 0; i < 4; i++) {
		assert_null(facts_at(paths[i])->xattrs);
		assert_big(paths[i], 'a' + i);
		node_unref(held[i]);
	}
	mount();
	for (size_t i = 0; i < 4; i++)
		assert_big(paths[i], 'a' + i);
	assert_int_equal(set_text("a", "user.x", "1"), 0);
	assert_names("a", "user.big user.x ");
	assert_int_equal(unset("a", "user.big"), 0);
	cut_and_save();
	mount();
	assert_names("a", "user.x ");
	assert_true(!(facts_at("a")->bits & LOCAL_FAR));
	assert_big("d", 'b');
}

/* A cut that nobody stored by itself does not say where they are. */
static void many_bytes_stay_until_the_last_capture_is_stored(void **state)
{
	struct node *n = get(&f, "a");
	struct delta *first, *second;

	assert_int_equal(set_text("a", "user.big", big('1')), 0);
	first = capture(&f);
	assert_int_equal(set_text("a", "user.big", big('2')), 0);
	second = capture(&f);
	assert_int_equal(set_text("a", "user.big", big('1')), 0);
	save(first);
	assert_non_null(n->attributes->local->xattrs);
	save(second);
	assert_non_null(n->attributes->local->xattrs);
	assert_big("a", '1');
	cut_and_save();
	assert_null(n->attributes->local->xattrs);
	node_unref(n);
	mount();
	assert_big("a", '1');
}

static void damaged_ones_are_an_error(void **state)
{
	struct node *n = get(&f, "a");

	assert_int_equal(set_text("a", "user.big", big('1')), 0);
	cut_and_save();
	n->attributes->local->far = f.head;
	assert_int_equal(get_at("a", "user.big", NULL, 0), -EIO);
	assert_int_equal(list_at("a", NULL, 0), -EIO);
	assert_int_equal(set_text("a", "user.x", "1"), -EIO);
	assert_int_equal(unset("a", "user.big"), -EIO);
	assert_reads(n, "1");
	/* what nobody can read gives nobody rights, and keeps none from writing */
	assert_true(node_may_have_capability(n));
	assert_int_equal(node_drop_capability(n), 0);
	assert_false(node_may_have_capability(n));
	node_unref(n);
}

/* ---- capabilities ---- */

static void a_capability_is_dropped_alone(void **state)
{
	struct node *n = get(&f, "a");

	assert_false(node_may_have_capability(n));
	assert_int_equal(set_text("a", "user.x", "1"), 0);
	assert_false(node_may_have_capability(n));
	assert_int_equal(set_text("a", XATTR_CAPABILITY, "cap"), 0);
	assert_true(node_may_have_capability(n));
	assert_int_equal(node_drop_capability(n), 0);
	assert_false(node_may_have_capability(n));
	assert_names("a", "user.x ");
	assert_int_equal(set_text("a", "user.big", big('1')), 0);
	cut_and_save();
	/* what is far is looked at once */
	assert_true(node_may_have_capability(n));
	assert_int_equal(node_drop_capability(n), 0);
	assert_false(node_may_have_capability(n));
	assert_false(worktree_is_changed(f.w, NULL));
	assert_int_equal(set_text("a", XATTR_CAPABILITY, "cap"), 0);
	cut_and_save();
	assert_true(node_may_have_capability(n));
	assert_int_equal(node_drop_capability(n), 0);
	assert_names("a", "user.big user.x ");
	node_unref(n);
}

/* ---- against a plain array ---- */

#define NAMES 12
#define STEPS 4000

static void check(char (*values)[400], const ssize_t *sizes)
{
	size_t names = 0;

	for (int i = 0; i < NAMES; i++) {
		char name[32], value[400];

		snprintf(name, sizeof(name), "user.%.*s%d", i, "aaaaaaaaaaaa", i);
		assert_int_equal(get_at("d/b", name, value, sizeof(value)),
				 sizes[i] < 0 ? -ENODATA : sizes[i]);
		if (sizes[i] >= 0)
			names += strlen(name) + 1;
		if (sizes[i] > 0)
			assert_memory_equal(value, values[i], sizes[i]);
	}
	assert_int_equal(list_at("d/b", NULL, 0), names);
}

static void random_changes_match_an_array(void **state)
{
	static char values[NAMES][400];
	ssize_t sizes[NAMES];
	struct node *held = NULL;

	for (int i = 0; i < NAMES; i++)
		sizes[i] = -1;
	for (int step = 0; step < STEPS; step++) {
		int i = roll(NAMES), size = roll(roll(3) ? 20 : 400);
		char name[32];

		snprintf(name, sizeof(name), "user.%.*s%d", i, "aaaaaaaaaaaa", i);
		if (roll(5) == 0) {
			assert_int_equal(unset("d/b", name),
					 sizes[i] < 0 ? -ENODATA : 0);
			sizes[i] = -1;
		} else {
			memset(values[i], roll(256), size);
			sizes[i] = size;
			assert_int_equal(set_at("d/b", name, values[i], size,
						0), 0);
		}
		if (roll(10) == 0) {
			node_unref(held);
			held = roll(2) ? get(&f, "d/b") : NULL;
		}
		if (roll(10) == 0)
			cut_and_save();
		if (roll(40) == 0) {
			cut_and_save();
			node_unref(held);
			held = NULL;
			mount();
		}
		check(values, sizes);
	}
	node_unref(held);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(values_are_set_and_removed),
		test(flags_say_what_must_be_there),
		test(too_much_is_refused),
		test(read_only_trees_keep_theirs),
		test(ctime_alone_changes),
		test(git_sees_nothing_of_them),
		test(unlinked_files_have_them),
		test(many_bytes_leave_memory_when_they_are_stored),
		test(many_bytes_stay_until_the_last_capture_is_stored),
		test(damaged_ones_are_an_error),
		test(a_capability_is_dropped_alone),
		test(random_changes_match_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
