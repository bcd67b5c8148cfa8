/* SPDX-License-Identifier: ISC */
#ifndef STORE_WORKTREE_CAPTURE_H
#define STORE_WORKTREE_CAPTURE_H

#include "store/node.h"

/* How worktree_capture builds its delta; nothing but it uses this.  The lock is held
 * exclusively, and no state changes.  Errors: -ENOMEM, and those of reading what is
 * stored. */

/* Adds an entry of dir, and what is below it, as what is stored under a name: that
 * of the entry, or the last part of its place. */
int capture_emit(struct delta *delta, const char *name, const struct node *dir,
		 struct entry *e);

/* Adds what changed in a loaded directory of a type, or, if the delta is complete,
 * all of it. */
int capture_places(struct node *dir, struct delta *delta);

#endif
