/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_ROPE_PRIVATE_H
#define STRUCTURES_ROPE_PRIVATE_H

#include "structures/rope.h"

#include "store/util.h"

#include <stdatomic.h>

/* Nodes of a rope's tree.
 *
 * A B+ tree whose leaves hold bytes or name a range of a source.  All leaves are
 * at level 0.  Of nodes that are neither root nor leaf each has ROPE_FANOUT_MIN
 * to ROPE_FANOUT children.  Of two adjoining leaves with bytes of their own none
 * is below ROPE_LEAF_MIN, and two adjoining ranges of a source do not follow each
 * other in it.
 *
 * A node with one reference may be changed by who has it; one with more is
 * constant.  References are counted atomically, so that ropes of different
 * threads may share nodes.  A tree without bytes is NULL.
 *
 * Functions that "take" a node own its reference from then on, on failure too.
 */

/* Measured with tests/bench/bench_ropes: leaves of 512 and of 2,048 bytes replay
 * traces up to a tenth slower; fan-outs of 8 and 32 make no difference. */
#define ROPE_LEAF 1024
#define ROPE_LEAF_MIN (ROPE_LEAF / 4)
#define ROPE_FANOUT 16
#define ROPE_FANOUT_MIN (ROPE_FANOUT / 4)
/* 4^24 leaves are more than a rope has bytes. */
#define ROPE_LEVELS 24

struct rope_sum {
	uint64_t bytes;
	uint64_t newlines;	/* but for those of unknown leaves */
	uint64_t unknown;	/* leaves whose newlines were not counted */
	uint64_t memory;	/* bytes */
};

struct rope_node {
	_Atomic unsigned int refs;
	unsigned char level;
	bool is_piece;		/* level 0: a range of a source */
	unsigned short count;	/* children */
	struct rope_sum sum;	/* of the node and all below */
};

struct rope_leaf {
	struct rope_node node;	/* sum.bytes of data are used */
	unsigned char data[ROPE_LEAF];
};

struct rope_piece {
	struct rope_node node;
	struct rope_source *source;
	uint64_t offset;	/* in the source */
};

struct rope_inner {
	struct rope_node node;
	uint64_t bytes[ROPE_FANOUT];	/* sum.bytes of each child, to search */
	struct rope_node *child[ROPE_FANOUT];
};

static inline struct rope_leaf *rope_leaf(struct rope_node *n)
{
	return (struct rope_leaf *)n;
}

static inline struct rope_piece *rope_piece(struct rope_node *n)
{
	return (struct rope_piece *)n;
}

static inline struct rope_inner *rope_inner(struct rope_node *n)
{
	return (struct rope_inner *)n;
}

static inline bool rope_node_is_shared(struct rope_node *n)
{
	return atomic_load_explicit(&n->refs, memory_order_acquire) > 1;
}

struct rope_node *rope_node_ref(struct rope_node *n);	/* accepts NULL */
void rope_node_unref(struct rope_node *n);		/* accepts NULL */

static inline void rope_node_unrefp(struct rope_node **n)
{
	rope_node_unref(*n);
}

#define scoped_node scoped(rope_node_unrefp)

/* Copies the node at slot if it is shared.  -ENOMEM. */
int rope_node_own(struct rope_node **slot);

/* A tree of size bytes, size > 0.  -ENOMEM. */
int rope_node_build(const void *data, size_t size, struct rope_node **ret);
/* A leaf that names a range of source (which it refers to), size > 0. */
int rope_node_piece(struct rope_source *source, uint64_t offset, uint64_t size,
		    uint64_t newlines, struct rope_node **ret);

/* Trees of what is before offset and behind it; n stays as it is and is shared.
 * O(log n).  -ENOMEM. */
int rope_node_split(struct rope_node *n, uint64_t offset,
		    struct rope_node **ret_left, struct rope_node **ret_right);

/* One tree of both, which it takes.  O(log n).  -ENOMEM. */
int rope_node_join(struct rope_node *left, struct rope_node *right,
		   struct rope_node **ret);

/* A node is searched or made: bench_rope counts them where it is built so. */
#ifdef ROPE_COUNT_VISITS
extern uint64_t rope_visits;
#define ROPE_VISIT() rope_visits++
#else
#define ROPE_VISIT() ((void)0)
#endif

/* The child of an inner node that has the byte at *offset, which becomes the
 * offset in that child. */
static inline unsigned int rope_inner_find(const struct rope_inner *inner,
					   uint64_t *offset)
{
	unsigned int i = 0;

	ROPE_VISIT();
	/* while sizes are added up, pointers come from memory */
	__builtin_prefetch(&inner->child[0]);
	__builtin_prefetch(&inner->child[ROPE_FANOUT / 2]);
	__builtin_prefetch(&inner->bytes[ROPE_FANOUT / 2]);

	while (*offset >= inner->bytes[i] && i + 1 < inner->node.count)
		*offset -= inner->bytes[i++];
	return i;
}

/* Computes an inner node's sums from its children. */
void rope_inner_sum(struct rope_inner *inner);

/* Exactly size bytes at offset, which the tree has.  Errors of sources. */
int rope_node_read(struct rope_node *n, void *data, size_t size,
		   uint64_t offset);

/* Calls visit for the leaves that have bytes of [offset, offset + size), with the
 * part that is within; a nonzero return ends that and is returned. */
typedef int rope_leaf_visit(void *context, struct rope_node *leaf,
			    uint64_t offset, uint64_t size);
int rope_node_each(struct rope_node *n, uint64_t offset, uint64_t size,
		   rope_leaf_visit *visit, void *context);

/* Exactly size bytes at offset of a leaf. */
int rope_leaf_read(struct rope_node *leaf, void *data, size_t size,
		   uint64_t offset);

/* rope_compare of trees. */
int rope_node_compare(struct rope_node *older, struct rope_node *newer,
		      rope_piece_visit *visit, void *context);

/* Newlines in size bytes at offset of a source. */
int rope_source_count(struct rope_source *source, uint64_t offset,
		      uint64_t size, uint64_t *ret_newlines);

/* Whether it is one of rope_insert_zeros. */
bool rope_source_is_zeros(const struct rope_source *source);

/* The offset in data behind its newline number `nth`, which it has. */
size_t rope_behind_newline(const unsigned char *data, size_t size,
			   uint64_t nth);

uint64_t rope_count_newlines(const void *data, size_t size);

/* ---- ropes ---- */

/* Where the last change was: a leaf that is the rope's alone, as are the nodes
 * above it.  What changes in its sums is given to them when the finger leaves. */
struct rope_finger {
	struct rope_leaf *leaf;		/* NULL: nowhere */
	uint64_t start;			/* offset of its first byte */
	uint64_t bytes, newlines;	/* not yet added above, modulo 2^64 */
	struct {
		struct rope_inner *inner;
		unsigned int index;
	} path[ROPE_LEVELS];		/* from the root down */
	unsigned int depth;
};

struct rope {
	struct rope_node *root;
	struct rope_finger finger;
	/* What was stored last: `source` is a stored rope of what the tree
	 * `stored` has.  NULL: nothing. */
	struct rope_node *stored;
	struct rope_source *source;
};

/* The sums above are right afterwards. */
void rope_settle(struct rope *rope);
/* And the finger is nowhere: before nodes are shared or moved. */
void rope_lift(struct rope *rope);

/* Replaces [offset, offset + size) by the tree, which it takes. */
int rope_replace(struct rope *rope, uint64_t offset, uint64_t size,
		 struct rope_node *tree);

#endif
