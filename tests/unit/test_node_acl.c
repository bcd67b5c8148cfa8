/* SPDX-License-Identifier: ISC */
#include "tests/unit/node_xattr.h"
#include "store/acl.h"

/* user::rw- user:13:rwx group::r-- mask::rwx other::r-- */
static const char list[] = "\2\0\0\0"
	"\1\0\6\0\377\377\377\377" "\2\0\7\0\15\0\0\0"
	"\4\0\4\0\377\377\377\377" "\20\0\7\0\377\377\377\377"
	"\40\0\4\0\377\377\377\377";
#define LIST_SIZE (sizeof(list) - 1)

/* user::rwx group::--- other::--- */
static const char plain[] = "\2\0\0\0"
	"\1\0\7\0\377\377\377\377" "\4\0\0\0\377\377\377\377"
	"\40\0\0\0\377\377\377\377";
#define PLAIN_SIZE (sizeof(plain) - 1)

static const struct rights root = { 0 };

static int set_list(const char *path, const char *text, size_t size,
		    const struct rights *rights)
{
	struct node *n = get(&f, path);
	int r = node_set_acl(n, text, size, rights);

	node_unref(n);
	return r;
}

static ssize_t list_of(const char *path, const char *name, void *value,
		       size_t size)
{
	struct node *n = get(&f, path);
	ssize_t r = node_get_acl(n, name, value, size);

	node_unref(n);
	return r;
}

static void set_attributes(const char *path, const struct stat *values,
			   unsigned int which)
{
	struct node *n = get(&f, path);

	assert_int_equal(node_set_attributes(n, values, which), 0);
	node_unref(n);
}

static mode_t mode_of(const char *path)
{
	struct node *n = get(&f, path);
	struct stat st;

	assert_int_equal(node_stat(n, &st), 0);
	node_unref(n);
	return st.st_mode & 07777;
}

static void a_list_comes_with_its_mode(void **state)
{
	struct node *n;
	struct stat st = { .st_mode = 06600 };
	char value[LIST_SIZE];

	set_attributes("a", &st, NODE_SET_MODE);
	assert_int_equal(set_list("a", list, LIST_SIZE, &root), 0);
	assert_int_equal(mode_of("a"), 06674);
	cut_and_save();
	mount();
	assert_int_equal(mode_of("a"), 06674);
	assert_int_equal(get_at("a", ACL_ACCESS, value, LIST_SIZE), LIST_SIZE);
	assert_memory_equal(value, list, LIST_SIZE);
	n = get(&f, "a");
	assert_int_equal(node_stat(n, &st), 0);
	assert_int_equal(node_least_mode(n, &st) & 07777, 06644);
	node_unref(n);
	/* none, with and without one before */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(set_list("a", plain, PLAIN_SIZE, &root), 0);
		assert_int_equal(mode_of("a"), 06700);
		assert_int_equal(get_at("a", ACL_ACCESS, NULL, 0), -ENODATA);
		assert_int_equal(list_of("a", ACL_ACCESS, NULL, 0), -ENODATA);
	}
	cut_and_save();
	worktree_refuse(f.w, -EROFS);
	assert_int_equal(set_list("a", plain, PLAIN_SIZE, &root), -EROFS);
	assert_int_equal(set_list("a", list, LIST_SIZE, &root), -EROFS);
	assert_int_equal(mode_of("a"), 06700);
}

static void a_list_says_what_the_mode_says(void **state)
{
	const struct stat st = { .st_mode = 0512 };
	char value[LIST_SIZE + 1];

	assert_int_equal(set_list("a", list, LIST_SIZE, &root), 0);
	set_attributes("a", &st, NODE_SET_MODE);
	assert_int_equal(list_of("a", ACL_ACCESS, NULL, 0), LIST_SIZE);
	assert_int_equal(list_of("a", ACL_ACCESS, value, LIST_SIZE - 1),
			 -ERANGE);
	assert_int_equal(list_of("a", ACL_ACCESS, value, sizeof(value)),
			 LIST_SIZE);
	assert_int_equal(acl_mode(value, LIST_SIZE), 0512);
	/* a default list is not of the directory's mode */
	assert_int_equal(set_at("d", ACL_DEFAULT, list, LIST_SIZE, 0), 0);
	assert_int_equal(list_of("d", ACL_DEFAULT, value, sizeof(value)),
			 LIST_SIZE);
	assert_memory_equal(value, list, LIST_SIZE);
}

static void setgid_stays_for_who_is_in_the_group(void **state)
{
	static const gid_t groups[] = { 21, 20 };
	const struct stat st = { .st_mode = 02640, .st_gid = 20 };
	const struct rights has = { .uid = 5, .gid = 20 };
	const struct rights also = {
		.uid = 5, .gid = 5, .groups = groups, .count = 2,
	};
	const struct rights not = {
		.uid = 5, .gid = 5, .groups = groups, .count = 1,
	};

	set_attributes("a", &st, NODE_SET_MODE | NODE_SET_GID);
	assert_int_equal(set_list("a", list, LIST_SIZE, &has), 0);
	assert_int_equal(set_list("a", list, LIST_SIZE, &also), 0);
	assert_int_equal(mode_of("a"), 02674);
	assert_int_equal(set_list("a", list, LIST_SIZE, &not), 0);
	assert_int_equal(mode_of("a"), 0674);
}

static void new_nodes_have_the_default_list(void **state)
{
	static const struct caller masked = { .umask = 0177 };
	struct node *d, *n;

	assert_int_equal(set_at("d", ACL_DEFAULT, list, LIST_SIZE, 0), 0);
	d = get(&f, "d");
	assert_int_equal(node_make(d, "x", S_IFREG | 0751, &masked, &n), 0);
	node_unref(n);
	assert_int_equal(node_make(d, "e", S_IFDIR | 02777, &masked, &n), 0);
	node_unref(n);
	assert_int_equal(node_make_special(d, "p", S_IFIFO | 0666, 0, &masked,
					   &n), 0);
	node_unref(n);
	node_unref(d);
	d = get(&f, "");
	assert_int_equal(node_make(d, "x", S_IFREG | 0777, &masked, &n), 0);
	node_unref(n);
	node_unref(d);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(mode_of("d/x"), 0650);
		assert_int_equal(mode_of("d/e"), 02674);
		assert_int_equal(mode_of("d/p"), 0664);
		assert_int_equal(mode_of("x"), 0600);
		assert_names("d/x", ACL_ACCESS " ");
		assert_names("d/e", ACL_ACCESS " " ACL_DEFAULT " ");
		assert_names("d/p", ACL_ACCESS " ");
		assert_names("x", "");
		cut_and_save();
		mount();
	}
}

static int make_in_d(const char *name)
{
	struct node *d = get(&f, "d"), *n;
	int r = node_make(d, name, S_IFREG | 0777, &caller, &n);

	if (r == 0)
		node_unref(n);
	node_unref(d);
	return r;
}

/* There may be a megabyte of them. */
static void far_attributes_are_read_once_for_new_nodes(void **state)
{
	char big[1000] = { 0 };
	struct node *d = get(&f, "d");
	struct oid far;

	assert_int_equal(set_at("d", "user.big", big, sizeof(big), 0), 0);
	cut_and_save();
	assert_int_equal(make_in_d("x"), 0);
	far = d->attributes->local->far;
	d->attributes->local->far = f.head;
	assert_int_equal(make_in_d("y"), 0);
	d->attributes->local->far = far;
	/* one that comes later is seen */
	assert_int_equal(set_at("d", ACL_DEFAULT, list, LIST_SIZE, 0), 0);
	cut_and_save();
	assert_int_equal(make_in_d("z"), 0);
	assert_int_equal(mode_of("d/z"), 0674);
	d->attributes->local->far = f.head;
	assert_int_equal(make_in_d("no"), -EIO);
	d->attributes->local->far = far;
	node_unref(d);
}

static void a_damaged_list_gives_no_rights(void **state)
{
	struct node *n, *made;
	struct stat st;

	assert_int_equal(set_text("a", ACL_ACCESS, "no list"), 0);
	assert_int_equal(set_text("d", ACL_DEFAULT, ""), 0);
	assert_int_equal(list_of("a", ACL_ACCESS, NULL, 0), -EIO);
	n = get(&f, "a");
	assert_int_equal(node_stat(n, &st), 0);
	assert_int_equal(node_least_mode(n, &st) & 0777, 0600);
	node_unref(n);
	n = get(&f, "d");
	assert_int_equal(node_make(n, "x", S_IFREG | 0777, &caller, &made),
			 -EIO);
	node_unref(n);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_list_comes_with_its_mode),
		test(a_list_says_what_the_mode_says),
		test(setgid_stays_for_who_is_in_the_group),
		test(new_nodes_have_the_default_list),
		test(far_attributes_are_read_once_for_new_nodes),
		test(a_damaged_list_gives_no_rights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
