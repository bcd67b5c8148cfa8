/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/rope_test.h"
#include "tests/sanitized.h"

/* Ropes against plain arrays: random operations on a few ropes that share nodes
 * with each other; each must have what its array has, and the shape that
 * rope_private.h promises. */

#define OPERATIONS 1000000
#define ROPES 4
#define SIZE_MOST (192 << 10)

struct model {
	unsigned char *data;		/* SIZE_MOST bytes */
	size_t size;
	struct rope *rope;
};

struct world {
	struct model ropes[ROPES];
	uint64_t random;
	unsigned char bytes[SIZE_MOST];	/* to draw from */
	struct test_source *source;	/* of these bytes */
};

/* ---- the model's side ---- */

static void model_replace(struct model *m, size_t at, size_t removed,
			  const void *data, size_t size)
{
	memmove(m->data + at + size, m->data + at + removed,
		m->size - at - removed);
	memmove(m->data + at, data, size);
	m->size += size - removed;
}

static void check_bytes(struct model *m, uint64_t at, size_t size)
{
	static unsigned char read[SIZE_MOST + 1];

	assert_int_equal(rope_read(m->rope, read, size, at),
			 at >= m->size ? 0 : size < m->size - at ? size :
			 m->size - at);
	if (at < m->size)
		assert_memory_equal(read, m->data + at, size < m->size - at ?
							size : m->size - at);
}

static void check_lines(struct world *w, struct model *m)
{
	uint64_t newlines, at = draw(&w->random, m->size + 1), line, start;
	uint64_t wanted = rope_count_newlines(m->data, at);

	assert_int_equal(rope_line_of(m->rope, at, &line), 0);
	assert_int_equal(line, wanted);
	assert_int_equal(rope_line_start(m->rope, line, &start), 0);
	while (at && m->data[at - 1] != '\n')
		at--;
	assert_int_equal(start, at);
	assert_int_equal(rope_newlines(m->rope, &newlines), 0);
	assert_int_equal(newlines, rope_count_newlines(m->data, m->size));
	assert_int_equal(rope_line_start(m->rope, newlines + 1, &start),
			 -ENOENT);
}

static void check_all(struct model *m)
{
	assert_int_equal(rope_size(m->rope), m->size);
	check_bytes(m, 0, SIZE_MOST);
	check_rope(m->rope);
}

/* ---- operations ---- */

/* Mostly small, sometimes a few leaves, seldom many. */
static size_t draw_size(struct world *w)
{
	switch (draw(&w->random, 40)) {
	case 0:
		return draw(&w->random, 20000);
	case 1: case 2: case 3:
		return draw(&w->random, 3000);
	}
	return 1 + draw(&w->random, 30);
}

/* Near the last place, as those who type are, or anywhere. */
static size_t draw_place(struct world *w, size_t size)
{
	static size_t last;

	if (last > size || draw(&w->random, 8) == 0)
		last = draw(&w->random, size + 1);
	else if (draw(&w->random, 2))
		last += draw(&w->random, size - last + 1 < 9 ?
					 size - last + 1 : 9);
	return last;
}

static void do_insert(struct world *w, struct model *m)
{
	size_t at = draw_place(w, m->size), size = draw_size(w), from;

	if (m->size + size > SIZE_MOST)
		return;
	from = draw(&w->random, SIZE_MOST - size);
	assert_int_equal(rope_insert(m->rope, at, w->bytes + from, size), 0);
	model_replace(m, at, 0, w->bytes + from, size);
}

static void do_append(struct world *w, struct model *m)
{
	size_t size = 1 + draw(&w->random, 50);

	if (m->size + size > SIZE_MOST)
		return;
	assert_int_equal(rope_append(m->rope, w->bytes, size), 0);
	model_replace(m, m->size, 0, w->bytes, size);
}

static void do_delete(struct world *w, struct model *m)
{
	size_t at = draw_place(w, m->size), size = draw_size(w);

	assert_int_equal(rope_delete(m->rope, at, size), 0);
	model_replace(m, at, size < m->size - at ? size : m->size - at, "", 0);
}

static void do_write(struct world *w, struct model *m)
{
	size_t at = draw_place(w, m->size), size = draw_size(w);

	if (at + size > SIZE_MOST)
		return;
	assert_int_equal(rope_write(m->rope, at, w->bytes, size), 0);
	model_replace(m, at, size < m->size - at ? size : m->size - at,
		      w->bytes, size);
}

static void do_set_and_get(struct world *w, struct model *m)
{
	unsigned char byte = draw(&w->random, 8) ? 'x' : '\n';
	size_t at = draw_place(w, m->size);

	if (at == m->size) {
		assert_int_equal(rope_set(m->rope, at, byte), -EINVAL);
		assert_int_equal(rope_get(m->rope, at, &byte), -EINVAL);
		return;
	}
	assert_int_equal(rope_get(m->rope, at, &byte), 0);
	assert_int_equal(byte, m->data[at]);
	byte = draw(&w->random, 8) ? 'x' : '\n';
	assert_int_equal(rope_set(m->rope, at, byte), 0);
	m->data[at] = byte;
}

static void do_zeros(struct world *w, struct model *m)
{
	static const unsigned char zeros[20000];
	size_t at = draw_place(w, m->size), size = draw_size(w);

	if (m->size + size > SIZE_MOST)
		return;
	assert_int_equal(rope_insert_zeros(m->rope, at, size), 0);
	model_replace(m, at, 0, zeros, size);
}

static void do_source(struct world *w, struct model *m)
{
	size_t at = draw_place(w, m->size), size = draw_size(w), from;
	uint64_t newlines = ROPE_UNKNOWN;

	if (m->size + size > SIZE_MOST)
		return;
	from = draw(&w->random, SIZE_MOST - size);
	if (draw(&w->random, 2))
		newlines = rope_count_newlines(w->bytes + from, size);
	assert_int_equal(rope_insert_source(m->rope, at, &w->source->source,
					    from, size, newlines), 0);
	model_replace(m, at, 0, w->bytes + from, size);
}

static void do_clone(struct world *w, struct model *m)
{
	struct model *to = &w->ropes[draw(&w->random, ROPES)];
	struct rope *clone;

	assert_int_equal(rope_clone(m->rope, &clone), 0);
	rope_free(to->rope);
	to->rope = clone;
	memmove(to->data, m->data, m->size);
	to->size = m->size;
	check_all(to);
}

static void do_insert_rope(struct world *w, struct model *m)
{
	static unsigned char copy[SIZE_MOST];
	struct model *from = &w->ropes[draw(&w->random, ROPES)];
	size_t at = draw_place(w, m->size), size = draw_size(w), begin;

	if (size > from->size)
		size = from->size;
	if (m->size + size > SIZE_MOST)
		return;
	begin = draw(&w->random, from->size - size + 1);
	assert_int_equal(rope_insert_rope(m->rope, at, from->rope, begin,
					  size), 0);
	memcpy(copy, from->data + begin, size);
	model_replace(m, at, 0, copy, size);
}

/* Cuts a rope in two and puts it together the other way round. */
static void do_split_and_concat(struct world *w, struct model *m)
{
	static unsigned char copy[SIZE_MOST];
	size_t at = draw(&w->random, m->size + 1);
	struct rope *tail;

	assert_int_equal(rope_split(m->rope, at, &tail), 0);
	assert_int_equal(rope_size(tail), m->size - at);
	assert_int_equal(rope_size(m->rope), at);
	check_rope(tail);
	check_rope(m->rope);
	assert_int_equal(rope_concat(tail, m->rope), 0);
	assert_int_equal(rope_size(m->rope), 0);
	rope_free(m->rope);
	m->rope = tail;
	memcpy(copy, m->data, at);
	memmove(m->data, m->data + at, m->size - at);
	memcpy(m->data + m->size - at, copy, at);
}

/* ---- comparing ---- */

struct comparing {
	struct model *older, *newer;
	uint64_t at, old;
};

static int check_piece(void *context, uint64_t offset, uint64_t size,
		       uint64_t from)
{
	struct comparing *c = context;

	assert_true(size > 0);
	assert_int_equal(offset, c->at);
	c->at += size;
	assert_true(c->at <= c->newer->size);
	if (from == ROPE_UNKNOWN)
		return 0;
	assert_true(from >= c->old);
	c->old = from + size;
	assert_true(c->old <= c->older->size);
	assert_memory_equal(c->newer->data + offset, c->older->data + from,
			    size);
	return 0;
}

static void do_compare(struct world *w, struct model *m)
{
	struct comparing c = {
		.older = &w->ropes[draw(&w->random, ROPES)], .newer = m,
	};

	assert_int_equal(rope_compare(c.older->rope, m->rope, check_piece, &c),
			 0);
	assert_int_equal(c.at, m->size);
}

static void step(struct world *w)
{
	struct model *m = &w->ropes[draw(&w->random, ROPES)];
	unsigned int what = draw(&w->random, 1000);

	if (what < 400)
		do_insert(w, m);
	else if (what < 450)
		do_append(w, m);
	else if (what < 750)
		do_delete(w, m);
	else if (what < 850)
		do_write(w, m);
	else if (what < 920)
		do_set_and_get(w, m);
	else if (what < 925)
		do_zeros(w, m);
	else if (what < 940)
		do_source(w, m);
	else if (what < 950)
		do_insert_rope(w, m);
	else if (what < 952)
		do_split_and_concat(w, m);
	else if (what < 954)
		do_clone(w, m);
	else if (what < 958)
		do_compare(w, m);
	else if (what < 968)
		check_lines(w, m);
	else
		check_bytes(m, draw(&w->random, m->size + 1), draw_size(w));
	assert_int_equal(rope_size(m->rope), m->size);
}

static void ropes_behave_like_arrays(void **state)
{
	unsigned int count = operations(OPERATIONS);
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->random = 88172645463325252;
	for (size_t i = 0; i < SIZE_MOST; i++)
		w->bytes[i] = draw(&w->random, 20) ? 'a' + i % 23 : '\n';
	w->source = test_source_new(w->bytes, SIZE_MOST);
	for (int i = 0; i < ROPES; i++) {
		w->ropes[i].data = malloc(SIZE_MOST);
		assert_non_null(w->ropes[i].data);
		assert_int_equal(rope_new(&w->ropes[i].rope), 0);
	}
	for (unsigned int i = 0; i < count; i++) {
		step(w);
		if (i % 997 == 0)
			check_all(&w->ropes[draw(&w->random, ROPES)]);
	}
	for (int i = 0; i < ROPES; i++) {
		check_all(&w->ropes[i]);
		rope_free(w->ropes[i].rope);
		free(w->ropes[i].data);
	}
	rope_source_unref(&w->source->source);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ropes_behave_like_arrays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
