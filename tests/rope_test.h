/* SPDX-License-Identifier: ISC */
#ifndef TESTS_ROPE_TEST_H
#define TESTS_ROPE_TEST_H

#include "tests/random.h"
#include "structures/rope_private.h"

#include <errno.h>

/* What must hold of a rope whatever was done with it.  Everything is asserted. */

static inline void check_leaf(struct rope_node *n)
{
	assert_true(n->sum.bytes > 0);
	if (n->is_piece)
		return;
	assert_true(n->sum.bytes <= ROPE_LEAF);
	assert_int_equal(n->sum.unknown, 0);
	assert_int_equal(n->sum.newlines,
			 rope_count_newlines(rope_leaf(n)->data, n->sum.bytes));
	assert_int_equal(n->sum.memory, sizeof(struct rope_leaf));
}

static inline void check_node(struct rope_node *n, bool is_root)
{
	struct rope_sum sum = { .memory = sizeof(struct rope_inner) };

	if (n->level == 0) {
		check_leaf(n);
		return;
	}
	assert_true(n->count >= (is_root ? 2 : ROPE_FANOUT_MIN));
	assert_true(n->count <= ROPE_FANOUT);
	for (unsigned int i = 0; i < n->count; i++) {
		struct rope_node *child = rope_inner(n)->child[i];

		assert_int_equal(child->level, n->level - 1);
		check_node(child, false);
		assert_int_equal(rope_inner(n)->bytes[i], child->sum.bytes);
		sum.bytes += child->sum.bytes;
		sum.newlines += child->sum.newlines;
		sum.unknown += child->sum.unknown;
		sum.memory += child->sum.memory;
	}
	assert_memory_equal(&n->sum, &sum, sizeof(sum));
}

/* Leaves that adjoin; context is the one before. */
static inline int check_neighbours(void *context, struct rope_node *leaf,
				   uint64_t offset, uint64_t size)
{
	struct rope_node **before = context, *a = *before;

	*before = leaf;
	if (!a)
		return 0;
	if (!a->is_piece && !leaf->is_piece) {
		assert_true(a->sum.bytes >= ROPE_LEAF_MIN);
		assert_true(leaf->sum.bytes >= ROPE_LEAF_MIN);
	}
	return 0;
}

static inline void check_rope(struct rope *rope)
{
	struct rope_node *before = NULL;

	rope_settle(rope);
	if (!rope->root)
		return;
	check_node(rope->root, true);
	rope_node_each(rope->root, 0, rope->root->sum.bytes, check_neighbours,
		       &before);
}

/* ---- sources ---- */

struct test_source {
	struct rope_source source;
	unsigned char *data;
	size_t size;
	bool fails;
	uint64_t *alive, *reads;	/* counters; may be NULL */
};

static inline int test_source_read(struct rope_source *source, void *data,
				   size_t size, uint64_t offset)
{
	struct test_source *s = (struct test_source *)source;

	assert_true(offset <= s->size && size <= s->size - offset);
	if (s->fails)
		return -EIO;
	if (s->reads)
		++*s->reads;
	memcpy(data, s->data + offset, size);
	return 0;
}

static inline void test_source_free(struct rope_source *source)
{
	struct test_source *s = (struct test_source *)source;

	if (s->alive)
		--*s->alive;
	free(s->data);
	free(s);
}

static inline struct test_source *test_source_new(const void *data, size_t size)
{
	static const struct rope_source_ops ops = {
		.read = test_source_read, .free = test_source_free,
	};
	struct test_source *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->source.ops = &ops;
	s->source.refs = 1;
	s->data = malloc(size + 1);
	assert_non_null(s->data);
	memcpy(s->data, data, size);
	s->size = size;
	return s;
}

#endif
