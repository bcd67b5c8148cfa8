/* SPDX-License-Identifier: ISC */
#include "structures/tokens.h"
#include "store/util.h"

#include <errno.h>
#include <string.h>

/* The greedy algorithm in its paper's words: D is the number of edits, k = x - y
 * a diagonal, V[k] the furthest x reached on it.  The V of each D is kept to walk
 * back: of step d those of diagonals -d - 1 to d + 1. */

#define STEPS TOKENS_EDITS_MOST

void token_edits_release(struct token_edits *edits)
{
	free(edits->edits);
	*edits = (struct token_edits){ 0 };
}

struct comparison {
	const struct token *a, *b;	/* what is different in between */
	int n, m;
	int *v;				/* of 2 * STEPS + 5 diagonals */
	int *trace[STEPS + 1];
	bool *deleted, *inserted;	/* of a, of b */
};

static void comparison_release(struct comparison *c)
{
	free(c->v);
	for (int d = 0; d <= STEPS; d++)
		free(c->trace[d]);
	free(c->deleted);
	free(c->inserted);
}

static int *diagonal(struct comparison *c, int k)
{
	return &c->v[k + STEPS + 2];
}

/* Whether the furthest way to diagonal k comes from k + 1, by an insertion. */
static bool comes_from_above(int k, int d, int below, int above)
{
	return k == -d || (k != d && below < above);
}

/* The furthest x on diagonal k with d edits; true at the end. */
static bool advance(struct comparison *c, int d, int k)
{
	int below = *diagonal(c, k - 1), above = *diagonal(c, k + 1);
	int x = comes_from_above(k, d, below, above) ? above : below + 1;
	int y = x - k;

	if (x <= c->n && y <= c->m)
		while (x < c->n && y < c->m && c->a[x].id == c->b[y].id) {
			x++;
			y++;
		}
	*diagonal(c, k) = x;
	return x >= c->n && y >= c->m && x <= c->n && y <= c->m;
}

static int keep_trace(struct comparison *c, int d)
{
	size_t size = (2 * d + 3) * sizeof(int);

	c->trace[d] = malloc(size);
	if (!c->trace[d])
		return -ENOMEM;
	memcpy(c->trace[d], diagonal(c, -d - 1), size);
	return 0;
}

/* Number of edits, -E2BIG: more than STEPS. */
static int search(struct comparison *c)
{
	int most = c->n + c->m < STEPS ? c->n + c->m : STEPS;

	*diagonal(c, 1) = 0;
	for (int d = 0; d <= most; d++) {
		int r = keep_trace(c, d);

		if (r < 0)
			return r;
		for (int k = -d; k <= d; k += 2)
			if (k >= -c->m && k <= c->n && advance(c, d, k))
				return d;
	}
	return -E2BIG;
}

static void walk_back(struct comparison *c, int steps)
{
	int x = c->n, y = c->m;

	for (int d = steps; d > 0; d--) {
		const int *v = c->trace[d] + d + 1;
		int k = x - y;
		bool above = comes_from_above(k, d, v[k - 1], v[k + 1]);
		int from = above ? k + 1 : k - 1;

		x = v[from];
		y = x - from;
		if (above)
			c->inserted[y] = true;
		else
			c->deleted[x] = true;
	}
}

/* ---- as edits ---- */

static int add_edit(struct token_edits *edits, const struct token_edit *edit)
{
	struct token_edit *more = edits->edits;

	/* grows at powers of two */
	if ((edits->count & (edits->count - 1)) == 0)
		more = reallocarray(edits->edits,
				    edits->count ? edits->count * 2 : 1,
				    sizeof(*more));
	if (!more)
		return -ENOMEM;
	edits->edits = more;
	edits->edits[edits->count++] = *edit;
	return 0;
}

static int collect(const struct comparison *c, uint32_t prefix,
		   struct token_edits *edits)
{
	int i = 0, j = 0, r = 0;

	while (r == 0 && (i < c->n || j < c->m)) {
		int i0 = i, j0 = j;

		while (i < c->n && c->deleted[i])
			i++;
		while (j < c->m && c->inserted[j])
			j++;
		if (i == i0 && j == j0) {
			i++;
			j++;
			continue;
		}
		r = add_edit(edits, &(struct token_edit){
			prefix + i0, prefix + i, prefix + j0, prefix + j });
	}
	return r;
}

static int compare_middle(struct comparison *c, uint32_t prefix,
			  struct token_edits *edits)
{
	int steps, r;

	edits->known = true;
	if (c->n == 0 && c->m == 0)
		return 0;
	if (c->n == 0 || c->m == 0)
		return add_edit(edits, &(struct token_edit){
			prefix, prefix + c->n, prefix, prefix + c->m });
	c->v = malloc((2 * STEPS + 5) * sizeof(int));
	c->deleted = calloc(c->n, sizeof(bool));
	c->inserted = calloc(c->m, sizeof(bool));
	if (!c->v || !c->deleted || !c->inserted)
		return -ENOMEM;
	/* what was never reached compares below everything */
	memset(c->v, 0xff, (2 * STEPS + 5) * sizeof(int));
	steps = search(c);
	edits->known = steps >= 0;
	if (steps < 0)
		return steps == -E2BIG ? 0 : steps;
	walk_back(c, steps);
	r = collect(c, prefix, edits);
	return r;
}

int tokens_compare(const struct token_list *a, const struct token_list *b,
		   struct token_edits *ret)
{
	scoped(comparison_release) struct comparison c = { 0 };
	struct token_edits edits = { 0 };
	size_t least = a->count < b->count ? a->count : b->count;
	size_t prefix = 0, suffix = 0;
	int r;

	while (prefix < least && a->tokens[prefix].id == b->tokens[prefix].id)
		prefix++;
	while (suffix < least - prefix &&
	       a->tokens[a->count - 1 - suffix].id ==
	       b->tokens[b->count - 1 - suffix].id)
		suffix++;
	c.a = a->tokens + prefix;
	c.b = b->tokens + prefix;
	c.n = a->count - prefix - suffix;
	c.m = b->count - prefix - suffix;
	r = compare_middle(&c, prefix, &edits);
	if (r < 0) {
		token_edits_release(&edits);
		return r;
	}
	*ret = edits;
	return 0;
}
