/* SPDX-License-Identifier: ISC */
#ifndef TESTS_LOCAL_TEXT_H
#define TESTS_LOCAL_TEXT_H

#include "tests/test.h"
#include "store/checksum.h"
#include "store/node_xattr.h"
#include "store/worktree.h"

#include <stdio.h>
#include <string.h>

/* All that can be seen of a work tree but times and numbers, as text: a line for
 * each path, in the order of listings. */

struct text_names {
	char name[64][16];
	size_t count;
};

static inline int text_add_name(void *context, const struct listed *entry)
{
	struct text_names *names = context;

	assert_true(names->count < 64);
	snprintf(names->name[names->count++], 16, "%s", entry->name);
	return 0;
}

static inline int text_by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static inline void text_contents(struct node *n, const struct stat *st,
				 struct buffer *ret)
{
	scoped_free char *data = calloc(1, st->st_size + 1), *target = NULL;

	if (S_ISLNK(st->st_mode)) {
		assert_int_equal(node_readlink(n, &target), 0);
		buffer_printf(ret, " %s", target);
	} else if (S_ISREG(st->st_mode)) {
		assert_int_equal(node_read(n, data, st->st_size, 0),
				 st->st_size);
		buffer_printf(ret, " %llx", (unsigned long long)
			      checksum64(data, st->st_size, 0));
	}
}

static inline void text_xattrs(struct node *n, struct buffer *ret)
{
	char names[256], value[8192];
	ssize_t size = node_list_xattr(n, names, sizeof(names)), length;

	assert_true(size >= 0);
	for (ssize_t i = 0; i < size; i += strlen(names + i) + 1) {
		length = node_get_xattr(n, names + i, value, sizeof(value));
		assert_true(length >= 0);
		buffer_printf(ret, " %s=%zd:%llx", names + i, length,
			      (unsigned long long)checksum64(value, length, 0));
	}
}

static inline void text_of_node(struct node *n, const char *path,
				struct buffer *ret)
{
	struct text_names names = { 0 };
	struct stat st;

	assert_int_equal(node_stat(n, &st), 0);
	buffer_printf(ret, "%s %o %u %u:%u", path, st.st_mode,
		      S_ISDIR(st.st_mode) ? 0 : (unsigned int)st.st_nlink,
		      st.st_uid, st.st_gid);
	text_contents(n, &st, ret);
	text_xattrs(n, ret);
	buffer_puts(ret, "\n");
	if (!S_ISDIR(st.st_mode))
		return;
	assert_int_equal(node_list(n, 0, text_add_name, &names), 0);
	/* the order of others is of no meaning */
	if (!node_is_queue(n))
		qsort(names.name, names.count, sizeof(*names.name),
		      text_by_name);
	for (size_t i = 0; i < names.count; i++) {
		char below[512];
		struct node *child;

		snprintf(below, sizeof(below), "%s/%s", path, names.name[i]);
		assert_int_equal(node_lookup(n, names.name[i], &child), 0);
		text_of_node(child, below, ret);
		node_unref(child);
	}
}

/* The caller frees it. */
static inline char *local_text(struct worktree *w)
{
	struct buffer b = { 0 };
	struct node *root = worktree_root(w);

	text_of_node(root, "", &b);
	node_unref(root);
	return b.data;
}

#endif
