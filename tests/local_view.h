/* SPDX-License-Identifier: ISC */
#ifndef TESTS_LOCAL_VIEW_H
#define TESTS_LOCAL_VIEW_H

#include "tests/test.h"
#include "store/worktree.h"

#include <stdio.h>
#include <string.h>

/* All that can be seen of a small work tree, as a sorted list of paths. */

#define SEEN_MOST 512
#define PATH_SIZE 64

struct seen {
	char path[PATH_SIZE];
	struct stat st;
};

struct view {
	struct seen seen[SEEN_MOST];
	size_t count;
};

struct names {
	char name[8][8];
	size_t count;
};

static inline int add_name(void *context, const struct listed *entry)
{
	struct names *names = context;

	assert_true(names->count < 8);
	snprintf(names->name[names->count++], 8, "%s", entry->name);
	return 0;
}

static inline void see(struct node *n, const char *path, struct view *v)
{
	struct names names = { 0 };
	struct seen *seen = &v->seen[v->count++];

	assert_true(v->count < SEEN_MOST);
	snprintf(seen->path, PATH_SIZE, "%s", path);
	assert_int_equal(node_stat(n, &seen->st), 0);
	if (!S_ISDIR(seen->st.st_mode))
		return;
	assert_int_equal(node_list(n, 0, add_name, &names), 0);
	for (size_t i = 0; i < names.count; i++) {
		char below[PATH_SIZE];
		struct node *child;

		assert_true(snprintf(below, PATH_SIZE, "%s%s%s", path,
				     *path ? "/" : "", names.name[i]) <
			    PATH_SIZE);
		assert_int_equal(node_lookup(n, names.name[i], &child), 0);
		see(child, below, v);
		node_unref(child);
	}
}

static inline int by_path(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static inline struct view *view_of(struct worktree *w)
{
	struct view *v = calloc(1, sizeof(*v));
	struct node *root = worktree_root(w);

	see(root, "", v);
	node_unref(root);
	qsort(v->seen, v->count, sizeof(*v->seen), by_path);
	return v;
}

static inline const struct stat *find(const struct view *v, const char *path)
{
	struct seen key;
	const struct seen *found;

	snprintf(key.path, PATH_SIZE, "%s", path);
	found = bsearch(&key, v->seen, v->count, sizeof(key), by_path);
	return found ? &found->st : NULL;
}

static inline void compare(const char *when, const struct view *a, const struct view *b)
{
	for (size_t i = 0; i < a->count || i < b->count; i++) {
		const struct seen *x = &a->seen[i], *y = &b->seen[i];

		if (i >= a->count || i >= b->count || strcmp(x->path, y->path))
			fail_msg("%s: '%s' or '%s' is missing", when,
				 i < a->count ? x->path : "-",
				 i < b->count ? y->path : "-");
		if (x->st.st_mode != y->st.st_mode ||
		    x->st.st_uid != y->st.st_uid ||
		    memcmp(&x->st.st_mtim, &y->st.st_mtim, 16) != 0 ||
		    memcmp(&x->st.st_ctim, &y->st.st_ctim, 16) != 0)
			fail_msg("%s: '%s' %o %u %ld.%ld/%ld.%ld is %o %u "
				 "%ld.%ld/%ld.%ld", when, x->path,
				 x->st.st_mode, x->st.st_uid,
				 x->st.st_mtim.tv_sec, x->st.st_mtim.tv_nsec,
				 x->st.st_ctim.tv_sec, x->st.st_ctim.tv_nsec,
				 y->st.st_mode, y->st.st_uid,
				 y->st.st_mtim.tv_sec, y->st.st_mtim.tv_nsec,
				 y->st.st_ctim.tv_sec, y->st.st_ctim.tv_nsec);
	}
}

/* For who looks into a failure. */
static inline void tell(const char *what, const struct view *v)
{
	if (!getenv("MODEL_TELL"))
		return;
	for (size_t i = 0; i < v->count; i++)
		fprintf(stderr, "%s\t%s\t%o %u:%u %ld.%09ld\n", what,
			v->seen[i].path, v->seen[i].st.st_mode,
			v->seen[i].st.st_uid, v->seen[i].st.st_gid,
			v->seen[i].st.st_mtim.tv_sec,
			v->seen[i].st.st_mtim.tv_nsec);
}

#endif
