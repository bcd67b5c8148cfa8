/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/fuzz.h"
#include "structures/queue.h"
#include "store/util.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Trees that are no tidy queues, as pushed by others: walked, changed, merged.
 * An input is either
 *
 *	"r" DIGIT BYTES		the bytes as tree object, DIGIT directories deep
 *	lines "SIDES KIND PATH"	entries of three trees: SIDES is a digit whose
 *				bits say in which of base, ours and theirs;
 *				KIND f, x, l, s or d (an empty directory)
 *
 * Whatever is in them, the laws of merging hold, and no key is lost or comes
 * back. */

#define LINES_MOST 200
#define ELEMENTS_MOST 1000

enum { BASE, OURS, THEIRS };

struct line {
	unsigned int sides;
	uint32_t mode;
	unsigned char contents;
	char *path;
};

static struct odb *odb;
static struct line lines[LINES_MOST];
static size_t line_count;

/* ---- making trees ---- */

/* The names of a directory together, in one run. */
static int compare_lines(const void *a, const void *b)
{
	const char *x = ((const struct line *)a)->path;
	const char *y = ((const struct line *)b)->path;

	while (*x && *x == *y)
		x++, y++;
	return (*x == '/' ? 1 : (unsigned char)*x) -
	       (*y == '/' ? 1 : (unsigned char)*y);
}

static uint32_t mode_of(char kind)
{
	return kind == 'x' ? MODE_EXECUTABLE : kind == 'l' ? MODE_SYMLINK :
	       kind == 's' ? MODE_SUBMODULE : kind == 'd' ? MODE_TREE :
			     MODE_FILE;
}

static void parse(char *text)
{
	char *save = NULL;

	line_count = 0;
	for (char *at = strtok_r(text, "\n", &save);
	     at && line_count < LINES_MOST; at = strtok_r(NULL, "\n", &save)) {
		struct line *line = &lines[line_count];

		if (strlen(at) < 4)
			continue;
		line->sides = at[0];
		line->mode = mode_of(at[1]);
		line->contents = at[2];
		line->path = at + 3;
		line_count++;
	}
	qsort(lines, line_count, sizeof(*lines), compare_lines);
}

static bool is_in(const struct line *line, unsigned int side)
{
	return line->sides >> side & 1;
}

static struct oid store(size_t from, size_t to, size_t depth, unsigned int side);

/* The entry of lines that begin with one name; false: there is none. */
static bool make_entry(size_t from, size_t to, size_t depth, unsigned int side,
		       struct tree_entry *ret)
{
	size_t length = strcspn(lines[from].path + depth, "/");

	ret->oid = oid_empty_tree;
	ret->mode = 0;
	for (size_t i = from; i < to; i++)
		if (is_in(&lines[i], side) && !lines[i].path[depth + length]) {
			ret->mode = lines[i].mode;
			if (ret->mode != MODE_TREE)
				memset(&ret->oid, 1 + lines[i].contents % 3,
				       sizeof(ret->oid));
		}
	if (!ret->mode) {
		ret->mode = MODE_TREE;
		ret->oid = store(from, to, depth + length + 1, side);
	}
	ret->name = strndup(lines[from].path + depth, length);
	assert(ret->name);
	return length && length <= NAME_LENGTH_MAX &&
	       (ret->mode != MODE_TREE || !oid_is_zero(&ret->oid));
}

/* Zero: nothing. */
static struct oid store(size_t from, size_t to, size_t depth, unsigned int side)
{
	struct tree_entry *entries = calloc(to - from + 1, sizeof(*entries));
	size_t n = 0, end;
	struct oid oid = { 0 };

	assert(entries);
	for (size_t i = from; i < to; i = end) {
		const char *name = lines[i].path + depth;
		size_t length;

		end = i + 1;
		if (strlen(lines[i].path) < depth)
			continue;
		length = strcspn(name, "/");
		while (end < to && strlen(lines[end].path) > depth &&
		       strncmp(lines[end].path + depth, name, length) == 0 &&
		       strcspn(lines[end].path + depth, "/") == length)
			end++;
		if (make_entry(i, end, depth, side, &entries[n]))
			n++;
		else
			free((char *)entries[n].name);
	}
	if (n)
		assert(tree_write(odb, entries, n, &oid) == 0);
	while (n)
		free((char *)entries[--n].name);
	free(entries);
	return oid;
}

/* ---- looking at queues ---- */

struct listed {
	struct queue_key keys[ELEMENTS_MOST];
	size_t elements, foreign;
};

static int list_one(void *context, const struct queue_element *e)
{
	struct listed *l = context;

	if (e->foreign) {
		assert(!e->key.text[0] && *e->name);
		l->foreign++;
		return 0;
	}
	assert(!l->foreign);
	assert(tree_check_name(e->name) == 0);
	if (l->elements == ELEMENTS_MOST)
		return 1;
	assert(!l->elements || strcmp(l->keys[l->elements - 1].text,
				      e->key.text) <= 0);
	l->keys[l->elements++] = e->key;
	return 0;
}

static int list(const struct oid *queue, struct listed *ret)
{
	ret->elements = ret->foreign = 0;
	return queue_each(odb, queue, list_one, ret);
}

static bool has(const struct listed *l, const struct queue_key *key)
{
	for (size_t i = 0; i < l->elements; i++)
		if (strcmp(l->keys[i].text, key->text) == 0)
			return true;
	return false;
}

/* ---- changing ---- */

static void check_ends(const struct oid *queue, const struct listed *l)
{
	struct queue_element e;
	char *name = NULL;
	int r = queue_first(odb, queue, &e, &name);

	assert(r == (l->elements ? 0 : -ENOENT));
	if (r == 0)
		assert(strcmp(e.key.text, l->keys[0].text) == 0);
	free(name);
	name = NULL;
	r = queue_last(odb, queue, &e, &name);
	assert(r == (l->elements ? 0 : -ENOENT));
	if (r == 0)
		assert(strcmp(e.key.text, l->keys[l->elements - 1].text) == 0);
	free(name);
}

static void take_all(struct queue *q, size_t elements)
{
	struct queue_element e;

	for (size_t i = 0; i < elements; i++) {
		char name[NAME_LENGTH_MAX + 1];

		assert(queue_peek(q, &e) == 0);
		memcpy(name, e.name, strlen(e.name) + 1);
		assert(queue_take(q, &e.key, name) == 0);
	}
	assert(queue_peek(q, &e) == -ENOENT);
}

/* A push, then taking everything: what is foreign stays. */
static void change(const struct oid *queue, const struct listed *l)
{
	struct queue_element e = { .name = "new", .mode = MODE_FILE };
	static struct listed after;
	struct oid oid;
	struct queue *q;

	memset(&e.oid, 9, sizeof(e.oid));
	queue_key_next(l->elements ? &l->keys[l->elements - 1] : NULL,
		       &(struct timespec){ 0 }, 77, &e.key);
	assert(queue_open(odb, queue, &q) == 0);
	if (queue_put(q, &e) == 0)
		take_all(q, l->elements + 1);
	assert(queue_write(q, &oid) == 0);
	queue_close(q);
	assert(list(&oid, &after) == 0);
	assert(after.foreign >= l->foreign || after.elements);
}

static int look(const struct oid *queue, struct listed *ret)
{
	int r = list(queue, ret);

	if (r == 0) {
		check_ends(queue, ret);
		change(queue, ret);
	}
	return r;
}

/* ---- merging ---- */

static void expect(const struct oid *base, const struct oid *ours,
		   const struct oid *theirs, const struct oid *expected)
{
	struct oid merged;

	assert(queue_merge(odb, base, ours, theirs, &merged) == 0);
	assert(oid_equal(&merged, expected) ||
	       (oid_is_zero(&merged) && oid_equal(expected, &oid_empty_tree)));
}

static void check_keys(const struct listed sides[3],
		       const struct listed *merged)
{
	const struct listed *base = &sides[BASE], *ours = &sides[OURS],
			    *theirs = &sides[THEIRS];

	for (size_t i = 0; i < merged->elements; i++) {
		const struct queue_key *key = &merged->keys[i];

		assert(has(ours, key) || has(theirs, key));
		assert(!has(base, key) || (has(ours, key) && has(theirs, key)));
	}
	for (int side = OURS; side <= THEIRS; side++)
		for (size_t i = 0; i < sides[side].elements; i++) {
			const struct queue_key *key = &sides[side].keys[i];

			if (!has(base, key) || (has(ours, key) &&
						has(theirs, key)))
				assert(has(merged, key));
		}
}

static void merge(const struct oid oids[3], const struct listed sides[3])
{
	static struct listed merged;
	struct oid oid;
	int r = queue_merge(odb, &oids[BASE], &oids[OURS], &oids[THEIRS], &oid);

	if (r == -EUCLEAN)	/* too deep */
		return;
	assert(r == 0);
	expect(&oids[BASE], &oids[THEIRS], &oids[OURS], &oid);
	expect(&oids[BASE], &oid, &oid, &oid);
	expect(&oids[BASE], &oid, &oids[BASE], &oid);
	expect(&oids[BASE], &oids[BASE], &oid, &oid);
	if (list(&oid, &merged) == 0)
		check_keys(sides, &merged);
}

static void run_lines(char *text)
{
	static struct listed sides[3];
	struct oid oids[3];
	int r = 0;

	parse(text);
	for (int side = BASE; side <= THEIRS; side++) {
		oids[side] = store(0, line_count, 0, side);
		r |= look(&oids[side], &sides[side]);
	}
	if (r == 0)
		merge(oids, sides);
}

/* ---- a tree of any bytes ---- */

static void run_raw(const char *data, size_t size)
{
	static const char *const names[] = { "0", "0", "0", "0", "0", "0", "0",
					     "0", "000" };
	unsigned int depth = (unsigned char)data[0] % 10;
	static struct listed l;
	struct oid oid, merged;

	assert(odb_write(odb, OBJECT_TREE, data + 1, size - 1, &oid) == 0);
	for (unsigned int i = 0; i < depth; i++) {
		struct tree_entry entry = {
			.mode = MODE_TREE, .oid = oid,
			.name = names[9 - depth + i],
		};

		assert(tree_write(odb, &entry, 1, &oid) == 0);
	}
	/* it may name trees that are not there */
	if (list(&oid, &l) == 0)
		queue_merge(odb, &oid, &oid_empty_tree, &oid, &merged);
	queue_merge(odb, &oid_empty_tree, &oid, &(struct oid){ { 1 } }, &merged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* starting libgit2 anew for each input would take most of the time */
	static struct odb *first;
	char *copy = malloc(size + 1);

	if (!copy || (!first && memory_odb_new(&first) < 0) ||
	    memory_odb_new(&odb) < 0)
		abort();
	memcpy(copy, data, size);
	copy[size] = '\0';
	if (size > 2 && copy[0] == 'r')
		run_raw(copy + 1, size - 1);
	else
		run_lines(copy);
	odb_free(odb);
	free(copy);
	return 0;
}
