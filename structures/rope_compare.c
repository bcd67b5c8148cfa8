/* SPDX-License-Identifier: ISC */
#include "structures/rope_match.h"
#include "structures/rope_private.h"

/* Comparing versions: level by level from the roots down, what both trees have
 * at a level is matched by address and left alone; the rest is opened.  Pieces
 * that are left at the end are matched by what they have in common of a source.
 * Of all matches, those that come in the same order on both sides and have the
 * most bytes count. */

struct place {
	struct rope_node *node;
	uint64_t offset;	/* ROPE_UNKNOWN: matched */
	size_t taken;		/* at the first of a node: of it so far */
};

/* Arrays, their elements being counted by length / size. */
struct comparison {
	struct buffer older, newer;		/* places, in order */
	struct buffer next_older, next_newer;
	struct buffer matches;
};

#define PLACES(b) ((struct place *)(b)->data)
#define PLACE_COUNT(b) ((b)->length / sizeof(struct place))

static int add_place(struct buffer *b, struct rope_node *node, uint64_t offset)
{
	struct place place = { .node = node, .offset = offset };

	return buffer_append(b, &place, sizeof(place));
}

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_node(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int r = order((uintptr_t)x->node, (uintptr_t)y->node);

	return r ? r : order(x->offset, y->offset);
}

static int by_source(const void *a, const void *b)
{
	const struct rope_piece *x = rope_piece(((struct place *)a)->node);
	const struct rope_piece *y = rope_piece(((struct place *)b)->node);
	int r = order((uintptr_t)x->source, (uintptr_t)y->source);

	return r ? r : order(x->offset, y->offset);
}

static void sort(struct buffer *b, int (*compare)(const void *, const void *))
{
	if (b->length)
		qsort(b->data, PLACE_COUNT(b), sizeof(struct place), compare);
}

/* ---- matching nodes ---- */

/* The first place of the same node that was not taken yet; b is sorted by
 * node. */
static struct place *find(struct buffer *b, const struct rope_node *node)
{
	size_t low = 0, high = PLACE_COUNT(b);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if ((uintptr_t)PLACES(b)[middle].node < (uintptr_t)node)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == PLACE_COUNT(b) || PLACES(b)[low].node != node)
		return NULL;
	high = low + PLACES(b)[low].taken;
	if (high == PLACE_COUNT(b) || PLACES(b)[high].node != node)
		return NULL;
	PLACES(b)[low].taken++;
	return &PLACES(b)[high];
}

/* The children of what is at this level; what is below it and leaves as they
 * are. */
static int open_places(struct buffer *from, unsigned int level,
		       struct buffer *to)
{
	int r = 0;

	to->length = 0;
	for (size_t i = 0; r == 0 && i < PLACE_COUNT(from); i++) {
		struct place *p = &PLACES(from)[i];
		struct rope_inner *inner = rope_inner(p->node);
		uint64_t offset = p->offset;

		if (offset == ROPE_UNKNOWN)
			continue;
		if (level == 0 || p->node->level < level) {
			r = add_place(to, p->node, offset);
			continue;
		}
		for (unsigned int k = 0; r == 0 && k < p->node->count; k++) {
			r = add_place(to, inner->child[k], offset);
			offset += inner->bytes[k];
		}
	}
	return r;
}

static void swap(struct buffer *a, struct buffer *b)
{
	struct buffer c = *a;

	*a = *b;
	*b = c;
}

static int match_level(struct comparison *c, unsigned int level)
{
	int r = 0;

	sort(&c->older, by_node);
	for (size_t i = 0; r == 0 && i < PLACE_COUNT(&c->newer); i++) {
		struct place *p = &PLACES(&c->newer)[i], *same;

		if (p->node->level != level)
			continue;
		same = find(&c->older, p->node);
		if (!same)
			continue;
		r = rope_match_add(&c->matches, p->offset, p->node->sum.bytes,
				   same->offset);
		same->offset = p->offset = ROPE_UNKNOWN;
	}
	if (r == 0)
		r = open_places(&c->older, level, &c->next_older);
	if (r == 0)
		r = open_places(&c->newer, level, &c->next_newer);
	swap(&c->older, &c->next_older);
	swap(&c->newer, &c->next_newer);
	return r;
}

/* ---- matching pieces ---- */

static void keep_pieces(struct buffer *b)
{
	size_t kept = 0;

	for (size_t i = 0; i < PLACE_COUNT(b); i++)
		if (PLACES(b)[i].node->is_piece)
			PLACES(b)[kept++] = PLACES(b)[i];
	b->length = kept * sizeof(struct place);
}

static int match_overlap(struct comparison *c, const struct place *newer,
			 const struct place *older)
{
	struct rope_piece *x = rope_piece(newer->node);
	struct rope_piece *y = rope_piece(older->node);
	uint64_t x_end = x->offset + x->node.sum.bytes,
		 y_end = y->offset + y->node.sum.bytes;
	uint64_t begin = x->offset > y->offset ? x->offset : y->offset,
		 end = x_end < y_end ? x_end : y_end;

	if (begin >= end || x->source != y->source)
		return 0;
	return rope_match_add(&c->matches, newer->offset + (begin - x->offset),
			      end - begin, older->offset + (begin - y->offset));
}

/* Both sides in the order of sources: the pieces of the older side that begin
 * behind the newer one's begin, and the one before them, can overlap it. */
static int match_pieces(struct comparison *c)
{
	size_t k = 0;
	int r = 0;

	keep_pieces(&c->older);
	keep_pieces(&c->newer);
	sort(&c->older, by_source);
	sort(&c->newer, by_source);
	for (size_t i = 0; r == 0 && i < PLACE_COUNT(&c->newer); i++) {
		struct place *p = &PLACES(&c->newer)[i];
		struct rope_piece *piece = rope_piece(p->node);

		while (k < PLACE_COUNT(&c->older) &&
		       by_source(&PLACES(&c->older)[k], p) < 0)
			k++;
		for (size_t m = k ? k - 1 : 0;
		     r == 0 && m < PLACE_COUNT(&c->older); m++) {
			struct place *q = &PLACES(&c->older)[m];

			if (m >= k && (rope_piece(q->node)->source !=
					       piece->source ||
				       rope_piece(q->node)->offset >=
					       piece->offset +
						       p->node->sum.bytes))
				break;
			r = match_overlap(c, p, q);
		}
	}
	return r;
}

/* ---- telling ---- */

struct telling {
	rope_piece_visit *visit;
	void *context;
};

static int tell(struct telling *t, uint64_t offset, uint64_t size,
		uint64_t from)
{
	return size ? t->visit(t->context, offset, size, from) : 0;
}

static int tell_all(struct comparison *c, struct telling *t, uint64_t size)
{
	uint64_t at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < rope_match_count(&c->matches); i++) {
		const struct rope_match *m = &rope_matches(&c->matches)[i];

		r = tell(t, at, m->offset - at, ROPE_UNKNOWN);
		if (r == 0)
			r = tell(t, m->offset, m->size, m->from);
		at = m->offset + m->size;
	}
	return r ? r : tell(t, at, size - at, ROPE_UNKNOWN);
}

static int compare(struct comparison *c, struct rope_node *older,
		   struct rope_node *newer)
{
	unsigned int level;
	int r;

	if (!older || !newer)
		return 0;
	level = older->level > newer->level ? older->level : newer->level;
	r = add_place(&c->older, older, 0);
	if (r == 0)
		r = add_place(&c->newer, newer, 0);
	if (r == 0)
		r = match_level(c, level);
	while (r == 0 && level--)
		r = match_level(c, level);
	if (r == 0)
		r = match_pieces(c);
	return r < 0 ? r : rope_match_choose(&c->matches);
}

int rope_node_compare(struct rope_node *older, struct rope_node *newer,
		      rope_piece_visit *visit, void *context)
{
	struct telling t = { .visit = visit, .context = context };
	struct comparison c = { 0 };
	int r = compare(&c, older, newer);

	if (r == 0)
		r = tell_all(&c, &t, newer ? newer->sum.bytes : 0);
	buffer_release(&c.older);
	buffer_release(&c.newer);
	buffer_release(&c.next_older);
	buffer_release(&c.next_newer);
	buffer_release(&c.matches);
	return r;
}

int rope_compare(const struct rope *older, const struct rope *newer,
		 rope_piece_visit *visit, void *context)
{
	/* what a rope has is the same before and after */
	rope_settle((struct rope *)older);
	rope_settle((struct rope *)newer);
	return rope_node_compare(older->root, newer->root, visit, context);
}
