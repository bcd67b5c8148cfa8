/* SPDX-License-Identifier: ISC */
#ifndef STORE_NODE_NAMELESS_H
#define STORE_NODE_NAMELESS_H

#include "store/node.h"

/* Files that begin without an entry, like unlinked ones: in no capture and in no
 * listing until they get their first name.  For node_*.c. */

/* A file of no place yet.  mode: permissions.  -ENOMEM, errors of overlay_new. */
int nameless_prepare(struct worktree *w, mode_t mode, struct node **ret);
/* It is in the loaded directory dir, with a reference from outside.  last_name: what
 * messages call it; taken over. */
void nameless_begin_locked(struct node *n, struct node *dir, mode_t mode,
			   const struct caller *caller, char *last_name);
/* It takes the entry of newcomer, which dir has room for.  Where that is not the
 * directory of the beginning, node_displace_locked comes before. */
void nameless_end_locked(struct node *n, struct node *dir,
			 struct newcomer *newcomer);
/* node_link, for one of node_make_nameless. */
int nameless_link_locked(struct node *n, struct node *dir, const char *name);

#endif
