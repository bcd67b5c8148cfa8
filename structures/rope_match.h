/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_ROPE_MATCH_H
#define STRUCTURES_ROPE_MATCH_H

#include "structures/rope_stored.h"

#include "store/util.h"

/* What two versions have in common. */

/* [offset, offset + size) of the newer one stands at `from` in the older one. */
struct rope_match {
	uint64_t offset, size, from;
	uint64_t best;		/* of rope_match_choose */
	size_t before, rank;
};

/* Matches are collected in a buffer.  -ENOMEM. */
int rope_match_add(struct buffer *matches, uint64_t offset, uint64_t size,
		   uint64_t from);

static inline struct rope_match *rope_matches(const struct buffer *matches)
{
	return (struct rope_match *)matches->data;
}

static inline size_t rope_match_count(const struct buffer *matches)
{
	return matches->length / sizeof(struct rope_match);
}

/* By offset. */
void rope_match_sort(struct buffer *matches);

/* Leaves of all matches those that come in the same order on both sides and have
 * the most bytes, in order, without overlaps, adjoining ones joined.
 * O(n log n).  -ENOMEM. */
int rope_match_choose(struct buffer *matches);

/* Finds what stored ropes have in common as chunks and nodes of equal ids; what
 * is equal is not opened.  Adds and chooses.  O(d log n).  Errors of rope_stored.h. */
int rope_match_stored(struct stored *older, struct stored *newer,
		      struct buffer *matches);

#endif
