/* SPDX-License-Identifier: ISC */
#include "structures/rope_private.h"

#include <errno.h>

/* Lines: newlines are counted in every node.  Those of a piece may be unknown
 * until someone asks; then they are counted, and the answer stays. */

#define BLOCK 65536

int rope_source_count(struct rope_source *source, uint64_t offset,
		      uint64_t size, uint64_t *ret_newlines)
{
	scoped_free unsigned char *block = NULL;
	uint64_t count = 0;

	if (source->ops->count)
		return source->ops->count(source, offset, size, ret_newlines);
	block = malloc(size < BLOCK ? size : BLOCK);
	if (!block)
		return -ENOMEM;
	while (size) {
		size_t part = size < BLOCK ? size : BLOCK;
		int r = source->ops->read(source, block, part, offset);

		if (r < 0)
			return r;
		count += rope_count_newlines(block, part);
		offset += part;
		size -= part;
	}
	*ret_newlines = count;
	return 0;
}

/* Counts what is unknown below. */
static int resolve(struct rope_node **slot)
{
	struct rope_node *n;
	int r;

	if ((*slot)->sum.unknown == 0)
		return 0;
	r = rope_node_own(slot);
	if (r < 0)
		return r;
	n = *slot;
	if (n->level == 0) {
		r = rope_source_count(rope_piece(n)->source,
				      rope_piece(n)->offset, n->sum.bytes,
				      &n->sum.newlines);
		if (r == 0)
			n->sum.unknown = 0;
		return r;
	}
	for (unsigned int i = 0; r == 0 && i < n->count; i++)
		r = resolve(&rope_inner(n)->child[i]);
	rope_inner_sum(rope_inner(n));
	return r;
}

int rope_newlines(struct rope *rope, uint64_t *ret_newlines)
{
	int r;

	if (rope->root && rope->root->sum.unknown) {
		rope_lift(rope);
		r = resolve(&rope->root);
		if (r < 0)
			return r;
	}
	*ret_newlines = rope->root ? rope->root->sum.newlines +
				     rope->finger.newlines : 0;
	return 0;
}

/* ---- from lines to offsets ---- */

size_t rope_behind_newline(const unsigned char *data, size_t size,
			     uint64_t nth)
{
	const unsigned char *p = data;

	for (;;) {
		p = (const unsigned char *)memchr(p, '\n',
						  data + size - p) + 1;
		if (nth-- == 0)
			return p - data;
	}
}

/* The source knows, or is read a block at a time. */
static int find_in_source(struct rope_source *source, uint64_t offset,
			  uint64_t size, uint64_t nth, uint64_t *ret_offset)
{
	scoped_free unsigned char *block = NULL;
	uint64_t count, start = offset;
	int r;

	if (source->ops->find) {
		r = rope_source_count(source, 0, offset, &count);
		if (r == 0)
			r = source->ops->find(source, count + nth, ret_offset);
		*ret_offset -= r == 0 ? offset : 0;
		return r;
	}
	block = malloc(BLOCK);
	if (!block)
		return -ENOMEM;
	for (;; offset += BLOCK, size -= BLOCK, nth -= count) {
		size_t part = size < BLOCK ? size : BLOCK;

		r = source->ops->read(source, block, part, offset);
		if (r < 0)
			return r;
		count = rope_count_newlines(block, part);
		if (nth < count)
			break;
	}
	*ret_offset = offset - start + rope_behind_newline(block, BLOCK, nth);
	return 0;
}

/* Finds the offset behind newline *nth of the tree at slot.  1: it has fewer, by
 * which *nth is less then.  Counts no more than it must. */
static int find_line(struct rope_node **slot, uint64_t *nth,
		     uint64_t *ret_offset)
{
	struct rope_node *n;
	uint64_t within, before = 0;
	unsigned int i;
	int r = 1;

	if (!(*slot)->level || !(*slot)->sum.unknown) {
		r = resolve(slot);
		if (r < 0)
			return r;
		if (*nth >= (*slot)->sum.newlines) {
			*nth -= (*slot)->sum.newlines;
			return 1;
		}
	}
	r = (*slot)->sum.unknown ? rope_node_own(slot) : 0;
	if (r < 0)
		return r;
	n = *slot;
	if (n->is_piece)
		return find_in_source(rope_piece(n)->source,
				      rope_piece(n)->offset, n->sum.bytes, *nth,
				      ret_offset);
	if (n->level == 0) {
		*ret_offset = rope_behind_newline(rope_leaf(n)->data, n->sum.bytes,
					     *nth);
		return 0;
	}
	for (i = 0, r = 1; r == 1 && i < n->count; i++) {
		r = find_line(&rope_inner(n)->child[i], nth, &within);
		if (r == 0)
			*ret_offset = before + within;
		before += rope_inner(n)->bytes[i];
	}
	if (n->sum.unknown)
		rope_inner_sum(rope_inner(n));
	return r;
}

int rope_line_start(struct rope *rope, uint64_t line, uint64_t *ret_offset)
{
	uint64_t nth = line - 1;
	int r;

	if (line == 0) {
		*ret_offset = 0;
		return 0;
	}
	if (!rope->root)
		return -ENOENT;
	rope_lift(rope);
	r = find_line(&rope->root, &nth, ret_offset);
	return r == 1 ? -ENOENT : r;
}

/* ---- from offsets to lines ---- */

/* Newlines in the first `offset` bytes, which are not all. */
static int count_before(struct rope_node **slot, uint64_t offset,
			uint64_t *count)
{
	bool unknown = (*slot)->sum.unknown;
	struct rope_node *n;
	uint64_t part;
	unsigned int i, last;
	int r = unknown && (*slot)->level ? rope_node_own(slot) : 0;

	if (r < 0 || offset == 0)
		return r;
	n = *slot;
	if (n->is_piece) {
		r = rope_source_count(rope_piece(n)->source,
				      rope_piece(n)->offset, offset, &part);
		*count += r == 0 ? part : 0;
		return r;
	}
	if (n->level == 0) {
		*count += rope_count_newlines(rope_leaf(n)->data, offset);
		return 0;
	}
	last = rope_inner_find(rope_inner(n), &offset);
	for (i = 0; r == 0 && i < last; i++) {
		r = resolve(&rope_inner(n)->child[i]);
		*count += rope_inner(n)->child[i]->sum.newlines;
	}
	if (r == 0)
		r = count_before(&rope_inner(n)->child[last], offset, count);
	if (unknown)
		rope_inner_sum(rope_inner(n));
	return r;
}

int rope_line_of(struct rope *rope, uint64_t offset, uint64_t *ret_line)
{
	uint64_t count = 0;
	int r;

	if (offset > rope_size(rope))
		return -EINVAL;
	if (offset == rope_size(rope))
		return rope_newlines(rope, ret_line);
	rope_lift(rope);
	r = count_before(&rope->root, offset, &count);
	if (r == 0)
		*ret_line = count;
	return r;
}
