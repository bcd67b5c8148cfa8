/* SPDX-License-Identifier: ISC */
#ifndef TESTS_LINKS_TEST_H
#define TESTS_LINKS_TEST_H

#include "tests/test.h"
#include "store/local_store.h"
#include "store/pool.h"
#include "store/worktree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
/* after the others: its names are short */
#include "tests/faces.h"
#include "tests/random.h"

/* A work tree of files with several names, and the plain map that it must follow:
 * for model_links.c. */

#define DIRS 4
#define NAMES 4
#define PLACES (DIRS * NAMES)
#define TEXT 24
#define PENDING 4
#define HELD 3

/* A file; `number` tells which, as long as a name or a reference is there. */
struct file {
	unsigned int number;
	mode_t mode;
	size_t size;
	char text[TEXT];
};

/* number 0: there is nothing. */
struct world {
	struct file place[PLACES];
};

static int64_t seconds;
static unsigned int last_number;
static struct worktree *tree;
static struct world now, then;		/* then: as stored */
static struct oid stored, face;
static struct {
	struct delta *delta;
	struct world world;
} pending[PENDING];
static size_t pending_count;
static struct {
	struct node *node;
	unsigned int number;
} held[HELD];

static uint32_t some_bits(void)
{
	return roll(UINT32_MAX);
}

static void tick(struct timespec *ret)
{
	*ret = (struct timespec){ ++seconds, 0 };
}

/* ---- places ---- */

static const char *const dirs[DIRS] = { "", "a", "a/b", "c" };

static const char *name_of(int place)
{
	static const char *const names[NAMES] = { "0", "1", "2", "3" };

	return names[place % NAMES];
}

static struct node *dir_of(int place)
{
	struct node *n;

	assert_int_equal(worktree_lookup(tree, dirs[place / NAMES], &n), 0);
	return n;
}

static void path_of(int place, char ret[16])
{
	const char *dir = dirs[place / NAMES];

	snprintf(ret, 16, "%s%s%s", dir, *dir ? "/" : "", name_of(place));
}

static struct node *node_of(int place)
{
	struct node *dir = dir_of(place), *n = NULL;
	int r = node_lookup(dir, name_of(place), &n);

	node_unref(dir);
	assert_int_equal(r, now.place[place].number ? 0 : -ENOENT);
	return n;
}

static int taken(void)
{
	int place = roll(PLACES);

	for (int i = 0; i < PLACES; i++, place = (place + 1) % PLACES)
		if (now.place[place].number)
			return place;
	return -1;
}

static unsigned int count_names(unsigned int number)
{
	unsigned int count = 0;

	for (int i = 0; i < PLACES; i++)
		count += now.place[i].number == number;
	return count;
}

/* All names of the file become that. */
static void change_file(const struct file *to)
{
	for (int i = 0; i < PLACES; i++)
		if (now.place[i].number == to->number)
			now.place[i] = *to;
}

/* ---- comparing ---- */

static void check_text(struct node *n, const struct file *file)
{
	char text[TEXT + 1];

	assert_int_equal(node_read(n, text, sizeof(text), 0), file->size);
	assert_memory_equal(text, file->text, file->size);
}

static void check(void)
{
	uint64_t numbers[PLACES] = { 0 };

	for (int i = 0; i < PLACES; i++) {
		const struct file *file = &now.place[i];
		struct node *n = node_of(i);
		struct stat st;

		if (!n)
			continue;
		assert_int_equal(node_stat(n, &st), 0);
		assert_int_equal(st.st_nlink, count_names(file->number));
		assert_int_equal(st.st_mode, S_IFREG | file->mode);
		check_text(n, file);
		numbers[i] = st.st_ino;
		for (int j = 0; j < i; j++)
			assert_int_equal(numbers[i] == numbers[j],
					 file->number == now.place[j].number);
		node_unref(n);
	}
	for (int i = 0; i < HELD; i++)
		if (held[i].node && !count_names(held[i].number)) {
			struct stat st;

			assert_int_equal(node_stat(held[i].node, &st), 0);
			assert_int_equal(st.st_nlink, 0);
		}
}

static void check_git(void)
{
	for (int i = 0; i < PLACES; i++) {
		struct tree_entry e;
		char path[16];
		void *data;
		size_t size;
		int r;

		path_of(i, path);
		r = tree_resolve(odb, &stored, path, &e);
		assert_int_equal(r, then.place[i].number ? 0 : -ENOENT);
		if (r < 0)
			continue;
		assert_int_equal(odb_read(odb, &e.oid, OBJECT_BLOB, &data,
					  &size), 0);
		assert_int_equal(size, then.place[i].size);
		assert_memory_equal(data, then.place[i].text, size);
		free(data);
	}
}

/* ---- mounting ---- */

static void mount(void)
{
	struct worktree_options options = {
		.odb = odb, .local = local, .pool = pool, .clock = tick,
		.incarnation = 1, .tree = stored, .face = face,
		.time = { 500, 0 }, .random = some_bits,
	};

	assert_int_equal(worktree_new(&options, &tree), 0);
}

static void let_go(void)
{
	for (int i = 0; i < HELD; i++) {
		node_unref(held[i].node);
		held[i].node = NULL;
	}
}

static void make_dirs(void)
{
	static const struct caller caller = { .uid = 1, .gid = 2 };

	for (int i = 1; i < DIRS; i++) {
		const char *slash = strrchr(dirs[i], '/');
		struct node *dir, *n = NULL;

		assert_int_equal(worktree_lookup(tree, slash ? "a" : "", &dir),
				 0);
		node_make(dir, slash ? slash + 1 : dirs[i], S_IFDIR | 0755,
			  &caller, &n);
		node_unref(n);
		node_unref(dir);
	}
}

static int keep(void *context, struct delta *delta)
{
	*(struct delta **)context = delta;
	return 0;
}

static void publish_one(void)
{
	static const struct timespec base = { 500, 0 };
	struct delta *delta = pending[0].delta;
	struct world world = pending[0].world;

	if (!pending_count)
		return;
	memmove(pending, pending + 1, --pending_count * sizeof(*pending));
	if (pending_count && roll(2) &&
	    delta_fold(delta, pending[0].delta) == 0) {
		delta_free(delta);
		return;
	}
	assert_int_equal(delta_store(delta, odb, &stored), 0);
	assert_int_equal(local_store(delta, local, &face, false, &base, &base,
				     &face), 0);
	stored = delta->oid;
	then = world;
	worktree_adopt(tree, delta);
	delta_free(delta);
	check_git();
}

static void capture(void)
{
	struct delta *delta = NULL;

	if (pending_count == PENDING)
		publish_one();
	assert_int_equal(worktree_capture(tree, keep, &delta), 0);
	if (!delta)
		return;
	pending[pending_count].delta = delta;
	pending[pending_count++].world = now;
}

static void publish_all(void)
{
	capture();
	while (pending_count)
		publish_one();
}

static void remount(void)
{
	publish_all();
	let_go();
	worktree_unref(tree);
	mount();
}

static void crash(void)
{
	let_go();
	while (pending_count)
		delta_free(pending[--pending_count].delta);
	worktree_unref(tree);
	mount();
	make_dirs();
	now = then;
}

#endif
