/* SPDX-License-Identifier: ISC */
#ifndef STORE_OUTSIDE_WAIT_H
#define STORE_OUTSIDE_WAIT_H

#include "store/oid.h"

#include <stdbool.h>
#include <stdint.h>

/* Refs that were moved to what a branch could not follow, and when each is tried
 * again: when it moves on, otherwise after a second, and after twice as long each
 * time up to a minute; while a file is open (-EBUSY), every second.  now:
 * milliseconds of a clock that is never set.  The caller locks. */

struct outside_wait;

/* Zero-initialise to make. */
struct outside_waits {
	struct outside_wait *first;
};

void outside_waits_release(struct outside_waits *waits);

/* It could not be followed.  1: and that is new; -ENOMEM. */
int outside_waits_add(struct outside_waits *waits, const char *name,
		      const struct oid *seen, int error, uint64_t now);
void outside_waits_remove(struct outside_waits *waits, const char *name);

/* Whether it is not yet to be tried again. */
bool outside_waits_has(struct outside_waits *waits, const char *name,
		       const struct oid *seen, uint64_t now);

/* Forgets those that nobody has added or asked about between these. */
void outside_waits_begin(struct outside_waits *waits);
void outside_waits_end(struct outside_waits *waits);

/* Milliseconds until one is to be tried; -1: none ever. */
int outside_waits_timeout(const struct outside_waits *waits, uint64_t now);

#endif
