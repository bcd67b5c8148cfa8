/* SPDX-License-Identifier: ISC */
#include "store/node.h"

#include <stdlib.h>

static void link_changed(struct node *n)
{
	struct node *first = n->parent->changed;

	n->previous = NULL;
	n->next = first;
	if (first)
		first->previous = n;
	n->parent->changed = n;
}

void node_unmark(struct node *n)
{
	if (!(n->flags & NODE_CHANGED))
		return;
	n->flags &= ~NODE_CHANGED;
	if (!n->parent)
		return;
	if (n->previous)
		n->previous->next = n->next;
	else
		n->parent->changed = n->next;
	if (n->next)
		n->next->previous = n->previous;
	n->next = n->previous = NULL;
}

void node_keep(struct node *n)
{
	if (!(n->flags & NODE_KEPT)) {
		n->flags |= NODE_KEPT;
		n->refs++;
	}
}

static void mark(struct node *n, unsigned int how)
{
	n->worktree->changes++;
	/* a file whose last names go one after the other may be in what is gone */
	for (; n && !n->removed; n = n->parent, how = NODE_MODIFIED) {
		n->flags |= how;
		/* Above a CHANGED one all is marked. */
		if (n->flags & NODE_CHANGED)
			return;
		n->flags |= NODE_CHANGED;
		node_keep(n);
		if (n->parent)
			link_changed(n);
		else
			n->worktree->options.clock(&n->worktree->changed_since);
	}
}

static void mark_names(struct node *n, unsigned int how)
{
	if (n->linked && links_are_marked(n, how)) {
		n->worktree->changes++;
		return;
	}
	for (struct node *m = links_others(n); m; m = m->next_name)
		mark(m, how);
	mark(n, how);
	if (n->linked)
		links_set_marked(n, how);
}

static unsigned int flags_of(bool modified)
{
	return NODE_ATTRIBUTES | (modified ? NODE_MODIFIED : NODE_ENTRY);
}

void node_mark(struct node *n, bool modified)
{
	mark_names(n, flags_of(modified));
}

void node_mark_name(struct node *n, bool modified)
{
	/* of one that is MODIFIED or not, the place differs, too */
	mark(n, flags_of(modified) | NODE_ENTRY);
}

void node_mark_attributes(struct node *n)
{
	mark_names(n, NODE_ATTRIBUTES);
}

/* Whether what is in memory cannot be had from what is stored: changes, and
 * without a local face attributes, or a directory that Git does not have because
 * it is empty. */
static bool must_keep(const struct node *n)
{
	if (n->removed)
		return false;
	if (n->flags & (NODE_CHANGED | NODE_MODIFIED | NODE_PENDING |
			NODE_ATTRIBUTES))
		return true;
	return !n->worktree->options.local &&
	       (n->attributes || (n->parent && !node_entry(n)->stored));
}

void node_settle_locked(struct node *n)
{
	if (must_keep(n)) {
		node_keep(n);
	} else if (n->flags & NODE_KEPT) {
		n->flags &= ~NODE_KEPT;
		node_put_locked(n);
	}
}

/* Everything loaded below goes with its directory. */
static void detach_children(struct node *dir)
{
	struct directory *d = dir->directory;

	for (uint32_t i = 0; d && i < d->count; i++)
		if (d->entries[i].node)
			node_detach_locked(d->entries[i].node, NULL);
}

void node_detach_locked(struct node *n, char *last_name)
{
	n->refs++;
	if ((n->linked || n->kind == KIND_LINK) && links_leave_locked(n)) {
		free(last_name);
		node_put_locked(n);
		return;
	}
	node_unmark(n);
	n->removed = 1;
	n->flags &= ~(NODE_MODIFIED | NODE_PENDING | NODE_ENTRY |
		      NODE_ATTRIBUTES);
	if (last_name) {
		n->unlinked = 1;
		n->last_name = last_name;
	}
	if (node_is_directory(n))
		detach_children(n);
	node_settle_locked(n);
	node_put_locked(n);
}
