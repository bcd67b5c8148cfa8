/* SPDX-License-Identifier: ISC */
#include "structures/rope_private.h"

#include <errno.h>

/* Bytes that are elsewhere. */

struct rope_source *rope_source_ref(struct rope_source *source)
{
	if (source)
		atomic_fetch_add_explicit(&source->refs, 1,
					  memory_order_relaxed);
	return source;
}

void rope_source_unref(struct rope_source *source)
{
	if (source && atomic_fetch_sub_explicit(&source->refs, 1,
						memory_order_acq_rel) == 1)
		source->ops->free(source);
}

/* Takes the reference to source. */
static int insert(struct rope *rope, uint64_t offset,
		  struct rope_source *source, uint64_t source_offset,
		  uint64_t size, uint64_t newlines)
{
	struct rope_node *piece;
	int r;

	if (offset > rope_size(rope))
		return -EINVAL;
	if (size > ROPE_SIZE_MAX - rope_size(rope))
		return -EFBIG;
	if (size == 0)
		return 0;
	r = rope_node_piece(source, source_offset, size, newlines, &piece);
	return r < 0 ? r : rope_replace(rope, offset, 0, piece);
}

int rope_insert_source(struct rope *rope, uint64_t offset,
		       struct rope_source *source, uint64_t source_offset,
		       uint64_t size, uint64_t newlines)
{
	return insert(rope, offset, source, source_offset, size, newlines);
}

/* ---- zeros ---- */

static int zeros_read(struct rope_source *source, void *data, size_t size,
		      uint64_t offset)
{
	memset(data, 0, size);
	return 0;
}

static void zeros_free(struct rope_source *source)
{
	free(source);
}

static const struct rope_source_ops zeros_ops = {
	.read = zeros_read,
	.free = zeros_free,
};

bool rope_source_is_zeros(const struct rope_source *source)
{
	return source->ops == &zeros_ops;
}

/* Each time a source of their own, so that rope_compare takes none for others.
 * Few are bytes like any. */
int rope_insert_zeros(struct rope *rope, uint64_t offset, uint64_t size)
{
	static const unsigned char few[ROPE_LEAF_MIN];
	struct rope_source *zeros;
	int r;

	if (size <= sizeof(few))
		return rope_insert(rope, offset, few, size);
	zeros = malloc(sizeof(*zeros));
	if (!zeros)
		return -ENOMEM;
	*zeros = (struct rope_source){ .ops = &zeros_ops, .refs = 1 };
	r = insert(rope, offset, zeros, 0, size, 0);
	rope_source_unref(zeros);
	return r;
}
