/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_ENTRIES_H
#define STRUCTURES_ENTRIES_H

#include "store/contents.h"

/* Texts as entries, a line each: what sets and logs have in common (FORMAT.md,
 * "Sets and logs").
 *
 * The merge holds what both sides have, and what one of them added; what either
 * removed is gone.  It keeps the order of each side, as far as they agree; where
 * they leave it open, the smaller line comes first.  What one side alone changed, or
 * both alike, is taken as it is.  Symmetric, never in conflict.
 */

/* repeats: an equal line further down is another entry; otherwise it is the same,
 * and left out.  All three sides are there.  O(n), with hashing.  -ENOMEM. */
int entries_merge(const struct merge_input *input, bool repeats,
		  struct merge_output *ret);

extern const struct merge_type set_merge_type, log_merge_type;

#endif
