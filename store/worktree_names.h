/* SPDX-License-Identifier: ISC */
#ifndef STORE_WORKTREE_NAMES_H
#define STORE_WORKTREE_NAMES_H

#include "store/worktree.h"

/* Names that were announced as about to change (struct worktree_watch), over
 * several attempts at applying deltas: all between one .begin and its .end, so
 * that none of them is cached again.  No locks; node references are held, so
 * release and announce without a lock of the tree. */

struct announced_name;
struct plan;

struct worktree_names {
	struct announced_name *names;
	bool silent;		/* for now nothing may be announced */
};

void worktree_names_release(struct worktree_names *names);

/* Adds those of a plan.  1: some are not announced yet; -ENOMEM. */
int names_add_plan(struct worktree_names *names, const struct plan *plan);

/* Whether all names of a plan are announced. */
bool names_have_plan(const struct worktree_names *names,
		     const struct plan *plan);

/* Announces what is not yet.  No lock may be held. */
void worktree_names_announce(struct worktree_names *names,
			     const struct worktree_watch *watch);

#endif
