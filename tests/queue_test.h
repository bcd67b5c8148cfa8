/* SPDX-License-Identifier: ISC */
#ifndef TESTS_QUEUE_TEST_H
#define TESTS_QUEUE_TEST_H

#include "tests/worktree_test.h"
#include "structures/queue.h"
#include "structures/structures.h"

#define OPEN(text)                                                             \
	struct fixture fixture, *f = &fixture;                                 \
	fixture_open(f, text)

#define JOBS ".gitattributes=/jobs irmin=queue\\n\n"

/* Work trees with queues. */

/* ---- what is stored ---- */

static inline int add_element(void *context, const struct queue_element *e)
{
	return buffer_printf(context, "%s%s ", e->foreign ? "?" : "", e->name);
}

/* Names in the order of the stored queue, foreign ones with "?". */
static inline void assert_stored(struct fixture *f, const char *path, const char *want)
{
	scoped_buffer struct buffer b = { 0 };
	struct tree_entry e = { 0 };
	int r = tree_resolve(f->odb, &f->head, path, &e);

	assert_true(r == 0 || r == -ENOENT);
	assert_int_equal(buffer_puts(&b, ""), 0);
	assert_int_equal(queue_each(f->odb, &e.oid, add_element, &b), 0);
	assert_string_equal(b.data ? b.data : "", want);
}

/* Another work tree of what is stored, as after a remount. */
static inline void remount(struct fixture *f)
{
	struct worktree_options options = f->w->options;

	options.tree = f->head;
	worktree_unref(f->w);
	assert_int_equal(worktree_new(&options, &f->w), 0);
}

static inline char *rename_to(struct fixture *f, const char *from, const char *to,
		       unsigned int flags, int want)
{
	const char *from_name, *to_name;
	struct node *a = above(f, from, &from_name);
	struct node *b = above(f, to, &to_name);
	char *name = NULL;

	assert_int_equal(node_rename_named(a, from_name, b, to_name, flags,
					   &name), want);
	node_unref(a);
	node_unref(b);
	return name;
}

static inline void assert_renamed(struct fixture *f, const char *from, const char *to,
			   const char *want)
{
	char *name = rename_to(f, from, to, 0, 0);

	if (want)
		assert_string_equal(name, want);
	else
		assert_null(name);
	free(name);
}

static inline int set_type(struct fixture *f, const char *path)
{
	struct node *n = get(f, path);
	int r = n ? node_set_type(n, "queue") : -ENOENT;

	node_unref(n);
	return r;
}

static inline int setup(void **state)
{
	(void)state;
	return structures_register();
}

#endif
