/* SPDX-License-Identifier: ISC */
#include "store/node.h"

/* What was captured is stored. */

/* below: of a directory. */
static bool adopt_node(struct node *n, uint32_t number, const struct oid *oid,
		       const struct delta *below)
{
	if (!(n->flags & NODE_PENDING) || n->stamp != number)
		return false;
	n->flags &= ~NODE_PENDING;
	n->oid = *oid;
	if (below)
		node_set_table(n, below);
	return true;
}

/* Its extended attributes are stored, if they are still those that were captured
 * and no later capture had them again: what is stored in between may not keep
 * them. */
static void adopt_far(struct node *n, const struct local *stored)
{
	struct local *local = n->attributes ? n->attributes->local : NULL;

	if (local && stored && !n->removed && local_wants_far(local) &&
	    local->stamp && local->stamp == stored->stamp &&
	    !oid_is_zero(&stored->far))
		local_set_far(local, &stored->far);
}

static void adopt_file(struct node *n, const struct delta_entry *entry)
{
	contents_stored_as(n->contents, entry->contents, entry->mode,
			   &entry->oid);
	if (!adopt_node(n, entry->number, &entry->oid, NULL))
		return;
	n->structured = mode_is_rope(entry->mode);
	/* It was given or lost the x bit since, which is CHANGED already. */
	if (n->structured && n->executable != mode_is_executable(entry->mode))
		n->flags |= NODE_MODIFIED;
}

static void adopt_entries(const struct delta *delta)
{
	for (size_t i = 0; i < delta->count; i++) {
		const struct delta_entry *entry = &delta->entries[i];
		struct node *n = entry->node;

		if (entry->kind == DELTA_DIRECTORY)
			adopt_entries(entry->directory);
		if (!n)
			continue;
		adopt_far(n, entry->local);
		if (entry->kind == DELTA_CONTENTS)
			adopt_file(n, entry);
		else if (entry->kind == DELTA_DIRECTORY)
			adopt_node(n, entry->number, &entry->oid,
				   entry->directory);
		node_settle_locked(n);
	}
}

void worktree_adopt(struct worktree *w, const struct delta *delta)
{
	SCOPED_WRITE(&w->lock);

	adopt_entries(delta);
	adopt_far(w->root, delta->local);
	adopt_node(w->root, delta->number, &delta->oid, delta);
}
