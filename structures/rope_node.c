/* SPDX-License-Identifier: ISC */
#include "structures/rope_private.h"

#include <errno.h>

/* Nodes: made, shared, copied, read. */

struct rope_node *rope_node_ref(struct rope_node *n)
{
	if (n)
		atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
	return n;
}

void rope_node_unref(struct rope_node *n)
{
	if (!n || atomic_fetch_sub_explicit(&n->refs, 1,
					    memory_order_acq_rel) > 1)
		return;
	if (n->is_piece)
		rope_source_unref(rope_piece(n)->source);
	for (unsigned int i = 0; n->level && i < n->count; i++)
		rope_node_unref(rope_inner(n)->child[i]);
	free(n);
}

static size_t size_of(const struct rope_node *n)
{
	return n->level ? sizeof(struct rope_inner) :
	       n->is_piece ? sizeof(struct rope_piece) :
	       sizeof(struct rope_leaf);
}

static size_t used_of(const struct rope_node *n)
{
	return n->level || n->is_piece ? size_of(n) :
	       offsetof(struct rope_leaf, data) + n->sum.bytes;
}

int rope_node_own(struct rope_node **slot)
{
	struct rope_node *n = *slot, *copy;
	/* others may be counting references meanwhile */
	const size_t counted = offsetof(struct rope_node, level);

	if (!rope_node_is_shared(n))
		return 0;
	copy = malloc(size_of(n));
	if (!copy)
		return -ENOMEM;
	ROPE_VISIT();
	memcpy((char *)copy + counted, (const char *)n + counted,
	       used_of(n) - counted);
	atomic_init(&copy->refs, 1);
	if (n->is_piece)
		rope_source_ref(rope_piece(n)->source);
	for (unsigned int i = 0; n->level && i < n->count; i++)
		rope_node_ref(rope_inner(n)->child[i]);
	rope_node_unref(n);
	*slot = copy;
	return 0;
}

/* ---- leaves ---- */

int rope_node_piece(struct rope_source *source, uint64_t offset, uint64_t size,
		    uint64_t newlines, struct rope_node **ret)
{
	struct rope_piece *piece = malloc(sizeof(*piece));
	bool known = newlines != ROPE_UNKNOWN;

	if (!piece)
		return -ENOMEM;
	ROPE_VISIT();
	*piece = (struct rope_piece){
		.node = {
			.refs = 1, .is_piece = true,
			.sum = {
				.bytes = size, .unknown = !known,
				.newlines = known ? newlines : 0,
				.memory = sizeof(*piece),
			},
		},
		.source = rope_source_ref(source),
		.offset = offset,
	};
	*ret = &piece->node;
	return 0;
}

static int leaf_new(const void *data, size_t size, struct rope_node **ret)
{
	struct rope_leaf *leaf = malloc(sizeof(*leaf));

	if (!leaf)
		return -ENOMEM;
	ROPE_VISIT();
	leaf->node = (struct rope_node){
		.refs = 1,
		.sum = {
			.bytes = size,
			.newlines = rope_count_newlines(data, size),
			.memory = sizeof(*leaf),
		},
	};
	memcpy(leaf->data, data, size);
	*ret = &leaf->node;
	return 0;
}

/* Eight bytes at a time: a newline leaves a zero byte, which alone gets its top
 * bit in `zero`. */
uint64_t rope_count_newlines(const void *data, size_t size)
{
	const unsigned char *p = data, *end = p + size;
	const uint64_t low = 0x7f7f7f7f7f7f7f7f;
	uint64_t count = 0;

	for (; end - p >= 8; p += 8) {
		uint64_t word, zero;

		memcpy(&word, p, 8);
		word ^= 0x0a0a0a0a0a0a0a0a;
		zero = ~(((word & low) + low) | word | low);
		count += (zero >> 7) * 0x0101010101010101 >> 56;
	}
	for (; p < end; p++)
		count += *p == '\n';
	return count;
}

/* What is known of a part of a piece's newlines without reading it. */
static uint64_t part_newlines(const struct rope_piece *piece, uint64_t size)
{
	const struct rope_sum *sum = &piece->node.sum;

	if (sum->unknown)
		return ROPE_UNKNOWN;
	return sum->newlines == 0 ? 0 :
	       sum->newlines == sum->bytes ? size : ROPE_UNKNOWN;
}

static int part(struct rope_node *leaf, uint64_t offset, uint64_t size,
		struct rope_node **ret)
{
	struct rope_piece *piece = rope_piece(leaf);

	if (leaf->is_piece)
		return rope_node_piece(piece->source, piece->offset + offset,
				       size, part_newlines(piece, size), ret);
	return leaf_new(rope_leaf(leaf)->data + offset, size, ret);
}

static int split_leaf(struct rope_node *n, uint64_t offset,
		      struct rope_node **ret_left, struct rope_node **ret_right)
{
	scoped_node struct rope_node *left = NULL;
	int r = part(n, 0, offset, &left);

	if (r == 0)
		r = part(n, offset, n->sum.bytes - offset, ret_right);
	if (r == 0)
		*ret_left = STEAL(left);
	return r;
}

/* ---- inner nodes ---- */

static void sum_add(struct rope_sum *sum, const struct rope_sum *more)
{
	sum->bytes += more->bytes;
	sum->newlines += more->newlines;
	sum->unknown += more->unknown;
	sum->memory += more->memory;
}

void rope_inner_sum(struct rope_inner *inner)
{
	struct rope_sum sum = { .memory = sizeof(*inner) };

	for (unsigned int i = 0; i < inner->node.count; i++) {
		inner->bytes[i] = inner->child[i]->sum.bytes;
		sum_add(&sum, &inner->child[i]->sum);
	}
	inner->node.sum = sum;
}

static struct rope_inner *inner_new(unsigned int level)
{
	struct rope_inner *inner = malloc(sizeof(*inner));

	ROPE_VISIT();
	if (inner)
		inner->node = (struct rope_node){
			.refs = 1, .level = level,
			.sum.memory = sizeof(*inner),
		};
	return inner;
}

/* Takes the child; there is room. */
static void push(struct rope_inner *inner, struct rope_node *child)
{
	inner->bytes[inner->node.count] = child->sum.bytes;
	inner->child[inner->node.count++] = child;
	sum_add(&inner->node.sum, &child->sum);
}

/* A node of the first `count` of these children, or of the rest; it takes
 * none. */
static int inner_of(struct rope_node **children, unsigned int count,
		    struct rope_node **ret)
{
	struct rope_inner *inner;

	*ret = NULL;
	if (count <= 1) {
		if (count)
			*ret = rope_node_ref(children[0]);
		return 0;
	}
	inner = inner_new(children[0]->level + 1);
	if (!inner)
		return -ENOMEM;
	for (unsigned int i = 0; i < count; i++)
		push(inner, rope_node_ref(children[i]));
	*ret = &inner->node;
	return 0;
}

/* Spreads the children of two nodes of one level, which it takes, over as few as
 * hold them, evenly. */
static int pour(struct rope_node *left, struct rope_node *right,
		struct rope_node *out[2])
{
	struct rope_node *all[2 * ROPE_FANOUT];
	unsigned int a = left->count, count = a + right->count, half;
	int r;

	if (count > ROPE_FANOUT && a >= ROPE_FANOUT_MIN &&
	    right->count >= ROPE_FANOUT_MIN) {
		out[0] = left;
		out[1] = right;
		return 0;
	}
	memcpy(all, rope_inner(left)->child, a * sizeof(*all));
	memcpy(all + a, rope_inner(right)->child, right->count * sizeof(*all));
	half = count > ROPE_FANOUT ? count / 2 : count;
	out[1] = NULL;
	r = inner_of(all, half, &out[0]);
	if (r == 0 && half < count) {
		r = inner_of(all + half, count - half, &out[1]);
		if (r < 0)
			rope_node_unref(out[0]);
	}
	rope_node_unref(left);
	rope_node_unref(right);
	return r;
}

/* Puts one or two nodes, which it takes, where child i of inner was.  Where they
 * have no room, there are two nodes in out. */
static int put_back(struct rope_inner *inner, unsigned int i,
		    struct rope_node *const in[2], struct rope_node *out[2])
{
	struct rope_node *all[ROPE_FANOUT + 1];
	unsigned int count = inner->node.count, more = in[1] ? 2 : 1, half;
	struct rope_inner *second = NULL;

	memcpy(all, inner->child, i * sizeof(*all));
	memcpy(all + i, in, more * sizeof(*all));
	memcpy(all + i + more, inner->child + i + 1,
	       (count - i - 1) * sizeof(*all));
	count += more - 1;
	half = count;
	if (count > ROPE_FANOUT) {
		half = count / 2;
		second = inner_new(inner->node.level);
	}
	inner->node.count = half;
	memcpy(inner->child, all, half * sizeof(*all));
	rope_inner_sum(inner);
	for (unsigned int k = half; k < count; k++) {
		if (second)
			push(second, all[k]);
		else
			rope_node_unref(all[k]);
	}
	out[0] = &inner->node;
	out[1] = second ? &second->node : NULL;
	if (half < count && !second) {
		rope_node_unref(out[0]);
		return -ENOMEM;
	}
	return 0;
}

/* Takes both; one or two nodes of the higher level of the two.  Goes down the
 * higher one's edge to where the other's level is. */
static int attach(struct rope_node *left, struct rope_node *right,
		  struct rope_node *out[2])
{
	bool into_left = left->level > right->level;
	struct rope_node *high = into_left ? left : right, *in[2];
	unsigned int i;
	int r;

	if (left->level == right->level) {
		if (left->level)
			return pour(left, right, out);
		out[0] = left;
		out[1] = right;
		return 0;
	}
	r = rope_node_own(&high);
	if (r < 0) {
		rope_node_unref(left);
		rope_node_unref(right);
		return r;
	}
	i = into_left ? high->count - 1 : 0;
	if (into_left)
		r = attach(rope_inner(high)->child[i], right, in);
	else
		r = attach(left, rope_inner(high)->child[i], in);
	if (r == 0)
		return put_back(rope_inner(high), i, in, out);
	/* the child went with the failure */
	high->count--;
	memmove(rope_inner(high)->child + i, rope_inner(high)->child + i + 1,
		(high->count - i) * sizeof(*in));
	rope_node_unref(high);
	return r;
}

/* Takes both, and leaves leaves as they are. */
static int concat(struct rope_node *left, struct rope_node *right,
		  struct rope_node **ret)
{
	struct rope_node *out[2];
	struct rope_inner *root;
	int r;

	if (!left || !right) {
		*ret = left ? left : right;
		return 0;
	}
	r = attach(left, right, out);
	if (r < 0)
		return r;
	if (!out[1]) {
		*ret = out[0];
		return 0;
	}
	root = inner_new(out[0]->level + 1);
	if (!root) {
		rope_node_unref(out[0]);
		rope_node_unref(out[1]);
		return -ENOMEM;
	}
	push(root, out[0]);
	push(root, out[1]);
	*ret = &root->node;
	return 0;
}

/* ---- splitting ---- */

static int split(struct rope_node *n, uint64_t offset,
		 struct rope_node **ret_left, struct rope_node **ret_right);

static int split_inner(struct rope_inner *inner, uint64_t offset,
		       struct rope_node **ret_left,
		       struct rope_node **ret_right)
{
	scoped_node struct rope_node *left = NULL, *before = NULL;
	scoped_node struct rope_node *right = NULL, *behind = NULL;
	unsigned int i = rope_inner_find(inner, &offset);
	int r = split(inner->child[i], offset, &left, &right);

	if (r == 0)
		r = inner_of(inner->child, i, &before);
	if (r == 0)
		r = inner_of(inner->child + i + 1, inner->node.count - i - 1,
			     &behind);
	if (r == 0)
		r = concat(STEAL(before), STEAL(left), &left);
	if (r == 0)
		r = concat(STEAL(right), STEAL(behind), &right);
	if (r < 0)
		return r;
	*ret_left = STEAL(left);
	*ret_right = STEAL(right);
	return 0;
}

/* Leaves what is left of the leaf at offset as it is. */
static int split(struct rope_node *n, uint64_t offset,
		 struct rope_node **ret_left, struct rope_node **ret_right)
{
	if (offset > 0 && offset < n->sum.bytes)
		return n->level ? split_inner(rope_inner(n), offset, ret_left,
					      ret_right) :
				  split_leaf(n, offset, ret_left, ret_right);
	*ret_left = offset ? rope_node_ref(n) : NULL;
	*ret_right = offset ? NULL : rope_node_ref(n);
	return 0;
}

static struct rope_node *edge(struct rope_node *n, bool last)
{
	while (n->level)
		n = rope_inner(n)->child[last ? n->count - 1 : 0];
	return n;
}

/* Takes the last or first leaf off the tree at slot. */
static int pop(struct rope_node **slot, bool last, struct rope_node **ret_leaf)
{
	struct rope_node *n = *slot, *left, *right;
	uint64_t size = edge(n, last)->sum.bytes;
	int r = split(n, last ? n->sum.bytes - size : size, &left, &right);

	if (r < 0)
		return r;
	rope_node_unref(n);
	*ret_leaf = last ? right : left;
	*slot = last ? left : right;
	return 0;
}

/* A small leaf at the edge merges with its neighbour. */
static int mend(struct rope_node **slot, bool last)
{
	scoped_node struct rope_node *leaf = NULL;
	struct rope_node *small = *slot;
	int r;

	if (!small || !small->level)
		return 0;
	small = edge(small, last);
	if (small->is_piece || small->sum.bytes >= ROPE_LEAF_MIN)
		return 0;
	r = pop(slot, last, &leaf);
	if (r < 0)
		return r;
	return last ? rope_node_join(STEAL(*slot), STEAL(leaf), slot) :
		      rope_node_join(STEAL(leaf), STEAL(*slot), slot);
}

int rope_node_split(struct rope_node *n, uint64_t offset,
		    struct rope_node **ret_left, struct rope_node **ret_right)
{
	scoped_node struct rope_node *left = NULL, *right = NULL;
	int r = n ? split(n, offset, &left, &right) : 0;

	if (r == 0)
		r = mend(&left, true);
	if (r == 0)
		r = mend(&right, false);
	if (r < 0)
		return r;
	*ret_left = STEAL(left);
	*ret_right = STEAL(right);
	return 0;
}

/* ---- joining ---- */

/* Whether two leaves may not stand side by side. */
static bool must_merge(struct rope_node *a, struct rope_node *b)
{
	if (a->is_piece && b->is_piece)
		return rope_piece(a)->source == rope_piece(b)->source &&
		       rope_piece(a)->offset + a->sum.bytes ==
		       rope_piece(b)->offset;
	return !a->is_piece && !b->is_piece &&
	       (a->sum.bytes < ROPE_LEAF_MIN || b->sum.bytes < ROPE_LEAF_MIN);
}

static int merge_pieces(struct rope_node *a, struct rope_node *b,
			struct rope_node *out[2])
{
	bool known = !a->sum.unknown && !b->sum.unknown;

	out[1] = NULL;
	return rope_node_piece(rope_piece(a)->source, rope_piece(a)->offset,
			       a->sum.bytes + b->sum.bytes,
			       known ? a->sum.newlines + b->sum.newlines :
				       ROPE_UNKNOWN, &out[0]);
}

/* One leaf, or two of which the smaller one got as much as keeps it from coming
 * back soon, so that appending leaves leaves behind that are well filled. */
static int merge_leaves(struct rope_node *a, struct rope_node *b,
			struct rope_node *out[2])
{
	unsigned char both[2 * ROPE_LEAF];
	size_t size = a->sum.bytes + b->sum.bytes, cut = size;
	int r;

	if (a->is_piece)
		return merge_pieces(a, b, out);
	memcpy(both, rope_leaf(a)->data, a->sum.bytes);
	memcpy(both + a->sum.bytes, rope_leaf(b)->data, b->sum.bytes);
	if (size > ROPE_LEAF)
		cut = a->sum.bytes < b->sum.bytes ? ROPE_LEAF * 3 / 8 :
						    size - ROPE_LEAF * 3 / 8;
	r = leaf_new(both, cut, &out[0]);
	out[1] = NULL;
	if (r < 0 || cut == size)
		return r;
	r = leaf_new(both + cut, size - cut, &out[1]);
	if (r < 0)
		rope_node_unref(out[0]);
	return r;
}

static int join_edges(struct rope_node **left, struct rope_node **right,
		      struct rope_node *out[2])
{
	scoped_node struct rope_node *a = NULL, *b = NULL;
	int r = pop(left, true, &a);

	if (r == 0)
		r = pop(right, false, &b);
	return r < 0 ? r : merge_leaves(a, b, out);
}

int rope_node_join(struct rope_node *left, struct rope_node *right,
		   struct rope_node **ret)
{
	scoped_node struct rope_node *l = left, *r = right;
	struct rope_node *out[2] = { NULL, NULL };
	int code;

	if (!l || !r || !must_merge(edge(l, true), edge(r, false)))
		return concat(STEAL(l), STEAL(r), ret);
	code = join_edges(&l, &r, out);
	if (code < 0)
		return code;
	/* of two leaves both are large; one may have to merge once more */
	if (out[1])
		code = concat(out[1], STEAL(r), &r);
	if (code < 0) {
		rope_node_unref(out[0]);
		return code;
	}
	code = rope_node_join(STEAL(l), out[0], &l);
	return code < 0 ? code : rope_node_join(STEAL(l), STEAL(r), ret);
}

/* ---- building ---- */

/* Bytes in a tree of that level, so that there is room for changes. */
static uint64_t room(unsigned int level)
{
	uint64_t size = ROPE_LEAF * 7 / 8;

	while (level--)
		size *= ROPE_FANOUT * 3 / 4;
	return size;
}

static int build(const unsigned char *data, uint64_t size, unsigned int level,
		 struct rope_node **ret)
{
	struct rope_inner *inner;
	unsigned int parts;
	int r = 0;

	if (level == 0)
		return leaf_new(data, size, ret);
	inner = inner_new(level);
	if (!inner)
		return -ENOMEM;
	parts = (size + room(level - 1) - 1) / room(level - 1);
	for (unsigned int i = 0; r == 0 && i < parts; i++) {
		uint64_t at = size * i / parts, end = size * (i + 1) / parts;
		struct rope_node *child;

		r = build(data + at, end - at, level - 1, &child);
		if (r == 0)
			push(inner, child);
	}
	if (r == 0)
		*ret = &inner->node;
	else
		rope_node_unref(&inner->node);
	return r;
}

int rope_node_build(const void *data, size_t size, struct rope_node **ret)
{
	unsigned int level = 0;

	while (room(level) < size && (level || size > ROPE_LEAF))
		level++;
	return build(data, size, level, ret);
}
