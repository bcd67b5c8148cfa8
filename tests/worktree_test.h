/* SPDX-License-Identifier: ISC */
#ifndef TESTS_WORKTREE_TEST_H
#define TESTS_WORKTREE_TEST_H

#include "tests/test.h"
#include "tests/trees.h"
#include "store/node.h"

#include <errno.h>
#include <fcntl.h>

/* A work tree over objects in memory, used by paths. */

struct fixture {
	struct odb *odb;
	struct pool *pool;
	struct worktree *w;
	struct oid head;		/* what is stored */
	int dir_fd;
};

static const struct caller caller = { .uid = 7, .gid = 8 };
static _Atomic int64_t test_time;

static inline void test_clock(struct timespec *ret)
{
	*ret = (struct timespec){ .tv_sec = ++test_time };
}

static inline void fixture_open(struct fixture *f, const char *text)
{
	struct pool_options pool = { .block_budget = 1 << 20,
				     .blob_budget = 1 << 20 };
	struct worktree_options options = {
		.clock = test_clock, .incarnation = 5, .time = { 1000, 5 },
		.uid = 1, .gid = 2,
	};

	test_time = 2000;
	assert_int_equal(memory_odb_new(&f->odb), 0);
	f->dir_fd = open("/tmp", O_DIRECTORY | O_CLOEXEC);
	pool.odb = f->odb;
	pool.dir_fd = f->dir_fd;
	assert_int_equal(pool_new(&pool, &f->pool), 0);
	f->head = text_to_tree(f->odb, text);
	options.odb = f->odb;
	options.pool = f->pool;
	options.tree = f->head;
	assert_int_equal(worktree_new(&options, &f->w), 0);
}

static inline void fixture_close(struct fixture *f)
{
	worktree_unref(f->w);
	pool_free(f->pool);
	close(f->dir_fd);
	odb_free(f->odb);
}

/* ---- by path ---- */

static inline struct node *get(struct fixture *f, const char *path)
{
	struct node *n;

	return worktree_lookup(f->w, path, &n) == 0 ? n : NULL;
}

/* The directory of a path; *name: its last part. */
static inline struct node *above(struct fixture *f, const char *path,
				 const char **name)
{
	const char *slash = strrchr(path, '/');
	char *copy = strndup(path, slash ? slash - path : 0);
	struct node *dir = get(f, copy);

	*name = slash ? slash + 1 : path;
	free(copy);
	return dir;
}

static inline int make_at(struct fixture *f, const char *path, mode_t mode)
{
	const char *name;
	struct node *dir = above(f, path, &name), *n;
	int r = dir ? node_make(dir, name, mode, &caller, &n) : -ENOENT;

	if (r == 0)
		node_unref(n);
	node_unref(dir);
	return r;
}

static inline int make_dir(struct fixture *f, const char *path)
{
	return make_at(f, path, S_IFDIR | 0755);
}

static inline int link_at(struct fixture *f, const char *path,
			  const char *target)
{
	const char *name;
	struct node *dir = above(f, path, &name), *n;
	int r = dir ? node_symlink(dir, name, target, &caller, &n) : -ENOENT;

	if (r == 0)
		node_unref(n);
	node_unref(dir);
	return r;
}

/* link(2). */
static inline int name_again(struct fixture *f, const char *path,
			     const char *other)
{
	const char *name;
	struct node *n = get(f, path), *dir = above(f, other, &name);
	int r = n && dir ? node_link(n, dir, name) : -ENOENT;

	node_unref(n);
	node_unref(dir);
	return r;
}

/* Replaces the contents, making the file if need be. */
static inline int put(struct fixture *f, const char *path, const char *text)
{
	struct node *n = get(f, path);
	int r = n ? 0 : make_at(f, path, S_IFREG | 0644);

	if (!n && r == 0)
		n = get(f, path);
	if (!n && r == 0)
		r = -ENOENT;		/* another thread took it away */
	if (r == 0)
		r = node_truncate(n, 0);
	if (r == 0 && *text)
		r = node_write(n, text, strlen(text), 0, false);
	node_unref(n);
	return r < 0 ? r : 0;
}

static inline int remove_at(struct fixture *f, const char *path, bool directory)
{
	const char *name;
	struct node *dir = above(f, path, &name);
	int r = !dir ? -ENOENT : directory ? node_rmdir(dir, name) :
					     node_unlink(dir, name);

	node_unref(dir);
	return r;
}

static inline int move(struct fixture *f, const char *from, const char *to,
		       unsigned int flags)
{
	const char *from_name, *to_name;
	struct node *a = above(f, from, &from_name);
	struct node *b = above(f, to, &to_name);
	int r = a && b ? node_rename(a, from_name, b, to_name, flags) : -ENOENT;

	node_unref(a);
	node_unref(b);
	return r;
}

static inline int change_mode(struct fixture *f, const char *path, mode_t mode)
{
	struct stat values = { .st_mode = mode };
	struct node *n = get(f, path);
	int r = n ? node_set_attributes(n, &values, NODE_SET_MODE) : -ENOENT;

	node_unref(n);
	return r;
}

static inline struct stat stat_of(struct node *n)
{
	struct stat st;

	assert_int_equal(node_stat(n, &st), 0);
	return st;
}

static inline struct stat stat_at(struct fixture *f, const char *path)
{
	struct node *n = get(f, path);
	struct stat st;

	assert_non_null(n);
	st = stat_of(n);
	node_unref(n);
	return st;
}

static inline void assert_reads(struct node *n, const char *text)
{
	char data[256];
	ssize_t size = node_read(n, data, sizeof(data) - 1, 0);

	assert_true(size >= 0);
	data[size] = '\0';
	assert_string_equal(data, text);
}

static inline void assert_file(struct fixture *f, const char *path,
			       const char *text)
{
	struct node *n = get(f, path);

	assert_non_null(n);
	assert_reads(n, text);
	node_unref(n);
}

/* ---- listing ---- */

static inline int add_name(void *context, const struct listed *e)
{
	buffer_printf(context, "%s%s ", e->name,
		      S_ISDIR(e->type) ? "/" : S_ISLNK(e->type) ? "@" : "");
	return 0;
}

static inline void assert_list(struct fixture *f, const char *path,
			       const char *want)
{
	scoped_buffer struct buffer b = { 0 };
	struct node *dir = get(f, path);

	assert_non_null(dir);
	assert_int_equal(node_list(dir, 0, add_name, &b), 0);
	assert_string_equal(b.data ? b.data : "", want);
	node_unref(dir);
}

/* ---- cuts ---- */

static inline int keep_delta(void *context, struct delta *delta)
{
	*(struct delta **)context = delta;
	return 0;
}

/* The delta, or NULL if nothing changed; not stored yet. */
static inline struct delta *capture(struct fixture *f)
{
	struct delta *delta = NULL;

	assert_int_equal(worktree_capture(f->w, keep_delta, &delta), 0);
	return delta;
}

static inline void store_delta(struct fixture *f, struct delta *delta)
{
	assert_int_equal(delta_store(delta, f->odb, &f->head), 0);
	f->head = delta->oid;
}

static inline void adopt(struct fixture *f, struct delta *delta)
{
	worktree_adopt(f->w, delta);
	delta_free(delta);
}

/* Whether there was anything. */
static inline bool cut(struct fixture *f)
{
	struct delta *delta = capture(f);

	if (!delta)
		return false;
	store_delta(f, delta);
	adopt(f, delta);
	return true;
}

static inline void assert_head(struct fixture *f, const char *text)
{
	char *got = tree_to_text(f->odb, &f->head);

	assert_string_equal(got, text);
	free(got);
}

static inline void assert_cut(struct fixture *f, const char *text)
{
	assert_true(cut(f));
	assert_head(f, text);
}

#endif
