/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_DELTA_H
#define STORE_GIT_DELTA_H

#include "store/util.h"

/* Deltas as in packs (gitformat-pack(5), "Deltified representation"): an object
 * as copies of pieces of another and new bytes. */

/* About how many bytes target has in common with base, at its ends or at the same
 * places: a cheap guess of what a delta would save. */
size_t git_delta_likeness(const void *base, size_t base_size,
			  const void *target, size_t size);

/* Appends the delta that makes target of base to ret, which is empty.  Finds
 * several edits, but no moves past what both have in common at their ends.
 * 1: it would be longer than most bytes; 0; -ENOMEM.  Sizes are below 4 GiB. */
int git_delta_make(const void *base, size_t base_size, const void *target,
		   size_t size, size_t most, struct buffer *ret);

#endif
