/* SPDX-License-Identifier: ISC */
#include "structures/rope_match.h"

#include "structures/rope_private.h"

#include <errno.h>

#define NONE SIZE_MAX

int rope_match_add(struct buffer *matches, uint64_t offset, uint64_t size,
		   uint64_t from)
{
	struct rope_match match = {
		.offset = offset, .size = size, .from = from,
	};

	return buffer_append(matches, &match, sizeof(match));
}

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_from(const void *a, const void *b)
{
	const struct rope_match *x = a, *y = b;
	int r = order(x->from, y->from);

	return r ? r : order(x->offset, y->offset);
}

static int by_place(const void *a, const void *b)
{
	const struct rope_match *x = a, *y = b;

	return order(x->offset, y->offset);
}

void rope_match_sort(struct buffer *matches)
{
	if (matches->length)
		qsort(matches->data, rope_match_count(matches),
		      sizeof(struct rope_match), by_place);
}

/* The best chain among those of lower rank: a tree of prefixes (Fenwick). */
static size_t best_below(const size_t *tree, const struct rope_match *matches,
			 size_t rank)
{
	size_t best = NONE;

	for (; rank; rank -= rank & -rank)
		if (tree[rank] != NONE &&
		    (best == NONE ||
		     matches[tree[rank]].best > matches[best].best))
			best = tree[rank];
	return best;
}

static void note_best(size_t *tree, const struct rope_match *matches, size_t count,
		      size_t i)
{
	for (size_t k = matches[i].rank + 1; k <= count; k += k & -k)
		if (tree[k] == NONE ||
		    matches[tree[k]].best < matches[i].best)
			tree[k] = i;
}

/* In the order of both sides; best and before of all are set. */
static int find_chains(struct rope_match *m, size_t count, size_t *ret_best)
{
	scoped_free size_t *tree = malloc((count + 1) * sizeof(*tree));
	size_t best = NONE, rank = 0;

	if (!tree)
		return -ENOMEM;
	qsort(m, count, sizeof(*m), by_from);
	for (size_t i = 0; i < count; i++) {
		/* equal ones share a rank, so that none follows another */
		if (i && m[i].from != m[i - 1].from)
			rank = i;
		m[i].rank = rank;
		tree[i] = NONE;
	}
	tree[count] = NONE;
	qsort(m, count, sizeof(*m), by_place);
	for (size_t i = 0; i < count; i++) {
		m[i].before = best_below(tree, m, m[i].rank);
		m[i].best = m[i].size;
		if (m[i].before != NONE)
			m[i].best += m[m[i].before].best;
		note_best(tree, m, count, i);
		if (best == NONE || m[i].best > m[best].best)
			best = i;
	}
	*ret_best = best;
	return 0;
}

static uint64_t beyond(uint64_t end, uint64_t begin)
{
	return end > begin ? end - begin : 0;
}

/* Matches may overlap where one version has something once that the other has
 * twice. */
static size_t join(struct rope_match *m, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		struct rope_match *last = kept ? &m[kept - 1] : NULL;
		uint64_t old = last ? last->from + last->size : 0;
		uint64_t new = last ? last->offset + last->size : 0;
		uint64_t over = beyond(old, m[i].from);

		if (over < beyond(new, m[i].offset))
			over = beyond(new, m[i].offset);
		if (over >= m[i].size)
			continue;
		if (last && old == m[i].from && new == m[i].offset) {
			last->size += m[i].size;
			continue;
		}
		m[kept] = m[i];
		m[kept].offset += over;
		m[kept].from += over;
		m[kept++].size -= over;
	}
	return kept;
}

int rope_match_choose(struct buffer *matches)
{
	struct rope_match *m = rope_matches(matches);
	size_t count = rope_match_count(matches), best, kept = count;
	int r = count ? find_chains(m, count, &best) : 0;

	if (r < 0 || count == 0)
		return r;
	/* the chain goes to the end of the array, in order */
	for (size_t next; best != NONE; best = next) {
		next = m[best].before;
		m[--kept] = m[best];
	}
	memmove(m, m + kept, (count - kept) * sizeof(*m));
	matches->length = join(m, count - kept) * sizeof(*m);
	return 0;
}
