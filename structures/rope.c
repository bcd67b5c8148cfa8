/* SPDX-License-Identifier: ISC */
#include "structures/rope_private.h"

#include <errno.h>

/* Ropes: small changes are made in the leaf under the finger, all others by
 * splitting and joining trees beside the present one, which stays whole until
 * they have come through. */

int rope_new(struct rope **ret_rope)
{
	struct rope *rope = calloc(1, sizeof(*rope));

	if (!rope)
		return -ENOMEM;
	*ret_rope = rope;
	return 0;
}

void rope_free(struct rope *rope)
{
	if (!rope)
		return;
	rope_node_unref(rope->root);
	rope_node_unref(rope->stored);
	rope_source_unref(rope->source);
	free(rope);
}

int rope_clone(struct rope *rope, struct rope **ret_clone)
{
	struct rope *clone;
	int r = rope_new(&clone);

	if (r < 0)
		return r;
	rope_lift(rope);
	clone->root = rope_node_ref(rope->root);
	clone->stored = rope_node_ref(rope->stored);
	clone->source = rope_source_ref(rope->source);
	*ret_clone = clone;
	return 0;
}

uint64_t rope_size(const struct rope *rope)
{
	return rope->root ? rope->root->sum.bytes + rope->finger.bytes : 0;
}

uint64_t rope_memory(const struct rope *rope)
{
	return sizeof(*rope) + (rope->root ? rope->root->sum.memory : 0);
}

/* ---- finger ---- */

void rope_settle(struct rope *rope)
{
	struct rope_finger *f = &rope->finger;

	if (f->bytes == 0 && f->newlines == 0)
		return;
	for (unsigned int i = 0; i < f->depth; i++) {
		struct rope_inner *inner = f->path[i].inner;

		inner->bytes[f->path[i].index] += f->bytes;
		inner->node.sum.bytes += f->bytes;
		inner->node.sum.newlines += f->newlines;
	}
	f->bytes = 0;
	f->newlines = 0;
}

void rope_lift(struct rope *rope)
{
	rope_settle(rope);
	rope->finger.leaf = NULL;
	rope->finger.depth = 0;
}

/* What the leaf under the finger gained, modulo 2^64. */
static void finger_add(struct rope *rope, uint64_t bytes, uint64_t newlines)
{
	struct rope_finger *f = &rope->finger;

	f->leaf->node.sum.bytes += bytes;
	f->leaf->node.sum.newlines += newlines;
	/* without a node above, these are the rope's sums already */
	if (f->depth) {
		f->bytes += bytes;
		f->newlines += newlines;
	}
}

/* Puts the finger on the leaf with the byte at offset, which is in the rope or
 * its end.  1: that leaf is a piece, the finger is nowhere. */
static int finger_seek(struct rope *rope, uint64_t offset)
{
	struct rope_finger *f = &rope->finger;
	struct rope_node **slot = &rope->root;
	uint64_t within = offset;
	unsigned int depth = 0;
	int r;

	rope_lift(rope);
	for (;;) {
		r = rope_node_own(slot);
		if (r < 0)
			return r;
		if ((*slot)->level == 0)
			break;
		f->path[depth].inner = rope_inner(*slot);
		f->path[depth].index = rope_inner_find(rope_inner(*slot),
						       &within);
		slot = &rope_inner(*slot)->child[f->path[depth++].index];
	}
	if ((*slot)->is_piece)
		return 1;
	f->leaf = rope_leaf(*slot);
	f->start = offset - within;
	f->depth = depth;
	return 0;
}

/* Puts the finger where size bytes at offset can go in: at the end of a leaf
 * rather than at the begin of the next.  1: nowhere. */
static int finger_for_insert(struct rope *rope, uint64_t offset, size_t size)
{
	struct rope_finger *f = &rope->finger;
	int r;

	if (size > ROPE_LEAF || !rope->root)
		return 1;
	if (!f->leaf || offset < f->start ||
	    offset > f->start + f->leaf->node.sum.bytes) {
		r = finger_seek(rope, offset ? offset - 1 : 0);
		if (r == 1)
			r = finger_seek(rope, offset);
		if (r)
			return r;
	}
	return f->leaf->node.sum.bytes + size > ROPE_LEAF;
}

/* Whether [offset, offset + size) is in the leaf under the finger, which is put
 * there if need be.  1: it is not. */
static int finger_take(struct rope *rope, uint64_t offset, uint64_t size)
{
	struct rope_finger *f = &rope->finger;
	int r;

	if (!f->leaf || offset < f->start ||
	    offset + size > f->start + f->leaf->node.sum.bytes) {
		if (size > ROPE_LEAF || !rope->root)
			return 1;
		r = finger_seek(rope, offset);
		if (r)
			return r;
	}
	return offset + size > f->start + f->leaf->node.sum.bytes;
}

/* ---- splicing trees ---- */

int rope_replace(struct rope *rope, uint64_t offset, uint64_t size,
		 struct rope_node *tree)
{
	scoped_node struct rope_node *middle = tree, *left = NULL, *rest = NULL;
	scoped_node struct rope_node *gone = NULL, *right = NULL;
	struct rope_node *root;
	int r;

	rope_lift(rope);
	r = rope_node_split(rope->root, offset, &left, &rest);
	if (r == 0)
		r = rope_node_split(rest, size, &gone, &right);
	if (r == 0)
		r = rope_node_join(STEAL(left), STEAL(middle), &left);
	if (r == 0)
		r = rope_node_join(STEAL(left), STEAL(right), &root);
	if (r < 0)
		return r;
	rope_node_unref(rope->root);
	rope->root = root;
	return 0;
}

/* Replaces by bytes that are given. */
static int splice(struct rope *rope, uint64_t offset, uint64_t removed,
		  const void *data, size_t size)
{
	struct rope_node *tree = NULL;
	int r = size ? rope_node_build(data, size, &tree) : 0;

	return r < 0 ? r : rope_replace(rope, offset, removed, tree);
}

static int check_growth(struct rope *rope, uint64_t offset, uint64_t more)
{
	uint64_t size = rope_size(rope);

	if (offset > size)
		return -EINVAL;
	return more > ROPE_SIZE_MAX - size ? -EFBIG : 0;
}

/* ---- changes ---- */

int rope_insert(struct rope *rope, uint64_t offset, const void *data,
		size_t size)
{
	struct rope_finger *f = &rope->finger;
	int r = check_growth(rope, offset, size);

	if (r < 0 || size == 0)
		return r;
	r = finger_for_insert(rope, offset, size);
	if (r < 0)
		return r;
	if (r == 0) {
		unsigned char *at = f->leaf->data + (offset - f->start);

		memmove(at + size, at, f->start + f->leaf->node.sum.bytes -
				       offset);
		memcpy(at, data, size);
		finger_add(rope, size, rope_count_newlines(data, size));
		return 0;
	}
	return splice(rope, offset, 0, data, size);
}

int rope_append(struct rope *rope, const void *data, size_t size)
{
	return rope_insert(rope, rope_size(rope), data, size);
}

int rope_delete(struct rope *rope, uint64_t offset, uint64_t size)
{
	struct rope_finger *f = &rope->finger;
	uint64_t end = rope_size(rope);
	int r;

	if (offset > end)
		return -EINVAL;
	if (size > end - offset)
		size = end - offset;
	if (size == 0)
		return 0;
	r = finger_take(rope, offset, size);
	if (r < 0)
		return r;
	/* a leaf that becomes small may have to merge */
	if (r == 0 && f->leaf->node.sum.bytes >=
	    size + (f->depth ? ROPE_LEAF_MIN : 1)) {
		unsigned char *at = f->leaf->data + (offset - f->start);
		uint64_t newlines = rope_count_newlines(at, size);

		memmove(at, at + size, f->start + f->leaf->node.sum.bytes -
				       offset - size);
		finger_add(rope, -size, -newlines);
		return 0;
	}
	return splice(rope, offset, size, NULL, 0);
}

int rope_write(struct rope *rope, uint64_t offset, const void *data,
	       size_t size)
{
	struct rope_finger *f = &rope->finger;
	uint64_t end = rope_size(rope), over;
	int r;

	if (offset > end)
		return -EINVAL;
	over = size < end - offset ? size : end - offset;
	if (over == 0)
		return rope_insert(rope, offset, data, size);
	r = check_growth(rope, offset, size - over);
	if (r == 0)
		r = finger_take(rope, offset, size);
	if (r < 0)
		return r;
	if (r == 0) {
		unsigned char *at = f->leaf->data + (offset - f->start);
		uint64_t newlines = rope_count_newlines(at, size);

		memcpy(at, data, size);
		finger_add(rope, 0, rope_count_newlines(data, size) - newlines);
		return 0;
	}
	return splice(rope, offset, over, data, size);
}

int rope_set(struct rope *rope, uint64_t offset, unsigned char byte)
{
	if (offset >= rope_size(rope))
		return -EINVAL;
	return rope_write(rope, offset, &byte, 1);
}

int rope_get(struct rope *rope, uint64_t offset, unsigned char *ret_byte)
{
	struct rope_finger *f = &rope->finger;
	struct rope_node *n = rope->root;

	if (offset >= rope_size(rope))
		return -EINVAL;
	if (f->leaf && offset >= f->start &&
	    offset - f->start < f->leaf->node.sum.bytes) {
		*ret_byte = f->leaf->data[offset - f->start];
		return 0;
	}
	rope_settle(rope);
	return rope_node_read(n, ret_byte, 1, offset);
}

/* ---- whole ropes ---- */

int rope_split(struct rope *rope, uint64_t offset, struct rope **ret_tail)
{
	struct rope_node *left, *right;
	struct rope *tail;
	int r;

	if (offset > rope_size(rope))
		return -EINVAL;
	r = rope_clone(rope, &tail);
	if (r < 0)
		return r;
	r = rope_node_split(rope->root, offset, &left, &right);
	if (r < 0) {
		rope_free(tail);
		return r;
	}
	rope_node_unref(rope->root);
	rope_node_unref(tail->root);
	rope->root = left;
	tail->root = right;
	*ret_tail = tail;
	return 0;
}

int rope_concat(struct rope *rope, struct rope *tail)
{
	struct rope_node *root;
	int r = check_growth(rope, 0, rope_size(tail));

	if (r < 0)
		return r;
	rope_lift(rope);
	rope_lift(tail);
	r = rope_node_join(rope_node_ref(rope->root),
			   rope_node_ref(tail->root), &root);
	if (r < 0)
		return r;
	rope_node_unref(rope->root);
	rope_node_unref(STEAL(tail->root));
	rope->root = root;
	return 0;
}

int rope_insert_rope(struct rope *rope, uint64_t offset, struct rope *from,
		     uint64_t from_offset, uint64_t size)
{
	scoped_node struct rope_node *before = NULL, *rest = NULL;
	scoped_node struct rope_node *middle = NULL, *behind = NULL;
	uint64_t end = rope_size(from);
	int r = check_growth(rope, offset, size);

	if (r < 0)
		return r;
	if (from_offset > end || size > end - from_offset)
		return -EINVAL;
	rope_lift(from);
	r = rope_node_split(from->root, from_offset, &before, &rest);
	if (r == 0)
		r = rope_node_split(rest, size, &middle, &behind);
	return r < 0 ? r : rope_replace(rope, offset, 0, STEAL(middle));
}
