/* SPDX-License-Identifier: ISC */
#include "structures/rope_private.h"

/* Walking over the leaves of a part of a tree, and reading it. */

int rope_node_each(struct rope_node *n, uint64_t offset, uint64_t size,
		   rope_leaf_visit *visit, void *context)
{
	unsigned int i;
	int r = 0;

	if (size == 0)
		return 0;
	if (n->level == 0)
		return visit(context, n, offset, size);
	i = rope_inner_find(rope_inner(n), &offset);
	for (; r == 0 && size; i++) {
		uint64_t most = rope_inner(n)->bytes[i] - offset,
			 part = size < most ? size : most;

		r = rope_node_each(rope_inner(n)->child[i], offset, part,
				   visit, context);
		offset = 0;
		size -= part;
	}
	return r;
}

int rope_leaf_read(struct rope_node *leaf, void *data, size_t size,
		   uint64_t offset)
{
	struct rope_piece *piece = rope_piece(leaf);

	if (leaf->is_piece)
		return piece->source->ops->read(piece->source, data, size,
						piece->offset + offset);
	memcpy(data, rope_leaf(leaf)->data + offset, size);
	return 0;
}

static int read_leaf(void *context, struct rope_node *leaf, uint64_t offset,
		     uint64_t size)
{
	unsigned char **data = context;
	int r = rope_leaf_read(leaf, *data, size, offset);

	*data += size;
	return r;
}

int rope_node_read(struct rope_node *n, void *data, size_t size,
		   uint64_t offset)
{
	return rope_node_each(n, offset, size, read_leaf, &data);
}

ssize_t rope_read(struct rope *rope, void *data, size_t size, uint64_t offset)
{
	uint64_t end = rope_size(rope);
	int r;

	if (offset >= end)
		return 0;
	if (size > end - offset)
		size = end - offset;
	rope_settle(rope);
	r = rope_node_read(rope->root, data, size, offset);
	return r < 0 ? r : (ssize_t)size;
}
