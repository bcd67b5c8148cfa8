/* SPDX-License-Identifier: ISC */
#ifndef STORE_RANGES_H
#define STORE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of bytes of a file: sorted ranges that neither overlap nor touch.  It
 * never says less than was added; where that would take too much memory it says
 * more.  Zero-initialise to make.  The owner locks it. */

#define RANGES_MOST 2048u

struct range {
	uint64_t offset, end;		/* offset < end */
};

struct ranges {
	struct range *at;
	size_t count, capacity;
	bool all;			/* every byte, whatever `at` says */
};

/* Adds [offset, end).  Never fails: without memory the set becomes all bytes. */
void ranges_add(struct ranges *ranges, uint64_t offset, uint64_t end);

/* Takes away everything from size on. */
void ranges_cut(struct ranges *ranges, uint64_t size);

/* -ENOMEM. */
int ranges_copy(const struct ranges *ranges, struct ranges *ret_copy);

void ranges_release(struct ranges *ranges);	/* leaves an empty set */

#endif
