/* SPDX-License-Identifier: ISC */
#ifndef STORE_OUTSIDE_FOLLOW_H
#define STORE_OUTSIDE_FOLLOW_H

#include "store/store_private.h"

/* Lets b follow its ref, which another program has moved: outside.c.  Takes
 * store->merging and store->lock, and waits until it is durable.  1: git in the
 * folder of b may go on at once, so not yet; -EAGAIN: b has another name now;
 * -EBUSY: a file that would change is open, or b is being changed all the time;
 * -EIO, -EUCLEAN: what is needed cannot be read; errors of store_merge. */
int outside_follow(struct branch *b, const struct outside_change *change,
		   const struct caller *caller, struct report *report);

#endif
