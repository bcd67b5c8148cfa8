/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_NODE_XATTR_H
#define TESTS_UNIT_NODE_XATTR_H

#include "tests/worktree_test.h"
#include "store/local_store.h"
#include "store/node_xattr.h"

#include <string.h>

/* With a local face, from which the tree can be made again. */

static struct fixture f;
static struct odb *local;
static struct oid face;

static void mount(void)
{
	struct worktree_options options = {
		.odb = f.odb, .local = local, .pool = f.pool,
		.clock = test_clock, .incarnation = 5, .time = { 1000, 5 },
		.tree = f.head, .face = face,
	};

	worktree_unref(f.w);
	assert_int_equal(worktree_new(&options, &f.w), 0);
}

static void save(struct delta *delta)
{
	static const struct timespec base = { 500, 0 };

	store_delta(&f, delta);
	assert_int_equal(local_store(delta, local, &face, false, &base, &base,
				     &face), 0);
	adopt(&f, delta);
}

static void cut_and_save(void)
{
	struct delta *delta = capture(&f);

	if (delta)
		save(delta);
}

static int set_up(void **state)
{
	fixture_open(&f, "a=1\nd/b=2\nl d/l=a\n");
	assert_int_equal(memory_odb_new(&local), 0);
	face = (struct oid){ 0 };
	mount();
	return 0;
}

static int tear_down(void **state)
{
	fixture_close(&f);
	odb_free(local);
	return 0;
}

/* ---- by path ---- */

static int set_at(const char *path, const char *name, const void *value,
		  size_t size, int flags)
{
	struct node *n = get(&f, path);
	int r = node_set_xattr(n, name, value, size, flags);

	node_unref(n);
	return r;
}

static int set_text(const char *path, const char *name, const char *value)
{
	return set_at(path, name, value, strlen(value), 0);
}

static ssize_t get_at(const char *path, const char *name, void *value,
		      size_t size)
{
	struct node *n = get(&f, path);
	ssize_t r = node_get_xattr(n, name, value, size);

	node_unref(n);
	return r;
}

static ssize_t list_at(const char *path, char *names, size_t size)
{
	struct node *n = get(&f, path);
	ssize_t r = node_list_xattr(n, names, size);

	node_unref(n);
	return r;
}

/* Names with a space behind each. */
static void assert_names(const char *path, const char *want)
{
	char names[300] = "";
	ssize_t size = list_at(path, names, sizeof(names) - 1);

	assert_int_equal(size, strlen(want));
	for (ssize_t i = 0; i < size; i++)
		if (!names[i])
			names[i] = ' ';
	assert_string_equal(names, want);
}

#endif
