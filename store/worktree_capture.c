/* SPDX-License-Identifier: ISC */
#include "store/node.h"

#include <errno.h>

/* A capture is made in two steps under one exclusive lock: the delta is built,
 * which changes no state; when it is taken, the states follow it.  Both descend
 * alike: into CHANGED children, or, where a directory is new in its place, into
 * all that is not as stored.
 */

/* ---- building ---- */

static int build(struct node *dir, struct delta *delta);

/* For its adoption, even when entries of two captures were folded into one
 * delta: each is known by the number of its own. */
static void note_node(struct delta_entry *entry, struct node *n)
{
	entry->node = node_ref(n);
	entry->number = n->worktree->number + 1;
}

/* An entry with all facts. */
static int add(struct delta *delta, enum delta_kind kind,
	       const struct node *dir, const struct entry *e,
	       struct delta_entry **ret)
{
	uint32_t mode = e->node ? node_git_mode(e->node) : e->mode;
	struct delta_entry *entry = delta_add(delta, kind, mode, e->name);

	if (!entry)
		return -ENOMEM;
	*ret = entry;
	entry->local = node_facts(dir, e);
	return entry->local ? 0 : -ENOMEM;
}

/* Of what is not a directory, and of one in which nothing changed. */
static bool is_same(const struct delta *delta, const struct entry *e)
{
	const struct node *n = e->node;
	const struct oid *oid = n ? &n->oid : &e->oid;

	if (e->mode == MODE_TREE && node_git_has_nothing(oid))
		return delta->complete || (!e->stored && !e->git_had);
	return n && !delta->complete &&
	       !(n->flags & (NODE_MODIFIED | NODE_ENTRY));
}

static int emit_object(struct delta *delta, const struct node *dir,
		       const struct entry *e)
{
	struct delta_entry *entry;
	int r = add(delta, DELTA_OBJECT, dir, e, &entry);

	if (r < 0)
		return r;
	entry->oid = e->node ? e->node->oid : e->oid;
	entry->same = is_same(delta, e);
	return 0;
}

static int emit_contents(struct delta *delta, const struct node *dir,
			 const struct entry *e)
{
	struct delta_entry *entry;
	struct contents *snapshot;
	int r = contents_snapshot(e->node->contents, &snapshot);

	if (r < 0)
		return r;
	r = add(delta, DELTA_CONTENTS, dir, e, &entry);
	if (r < 0) {
		contents_unref(snapshot);
		return r;
	}
	entry->contents = snapshot;
	entry->same = is_same(delta, e);
	note_node(entry, e->node);
	return 0;
}

/* Whether Git has nothing of a directory that is described as a whole. */
static bool is_empty(const struct delta *delta)
{
	for (size_t i = 0; i < delta->count; i++)
		if (!delta->entries[i].same)
			return false;
	return delta->complete;
}

/* What changed in a directory that stays, and its own facts only if those did,
 * or all of it. */
static int put_directory(struct delta *delta, const struct node *dir,
			 const struct entry *e, struct delta *below)
{
	struct node *n = e->node;
	struct delta_entry *entry;
	int r = add(delta, DELTA_DIRECTORY, dir, e, &entry);

	if (r < 0)
		return r;
	if (!below->complete &&
	    !(n->flags & (NODE_ATTRIBUTES | NODE_ENTRY)))
		local_free(STEAL(entry->local));
	entry->directory = below;
	entry->same = is_empty(below) && !e->git_had &&
		      (delta->complete || !e->stored);
	note_node(entry, n);
	n->flags |= NODE_EMITTED;
	return 0;
}

static int emit_directory(struct delta *delta, const struct node *dir,
			  const struct entry *e)
{
	struct node *n = e->node;
	struct delta *below = delta_new(delta->complete || !e->stored);
	int r = below ? build(n, below) : -ENOMEM;

	if (r == 0 && n->worktree->options.local)
		r = node_reserve_table(n);
	if (r == 0 && (below->count || below->complete ||
		       (n->flags & (NODE_ATTRIBUTES | NODE_ENTRY))))
		r = put_directory(delta, dir, e, STEAL(below));
	delta_free(below);
	return r;
}

static int emit(struct delta *delta, const struct node *dir, struct entry *e)
{
	struct node *n = e->node;

	if (!n)
		return emit_object(delta, dir, e);
	n->flags &= ~NODE_EMITTED;
	if (node_is_clean(n))
		return emit_object(delta, dir, e);
	return node_is_directory(n) ? emit_directory(delta, dir, e) :
				      emit_contents(delta, dir, e);
}

/* Names that were there and that nothing has taken. */
static int emit_removed(struct node *dir, struct delta *delta)
{
	const struct directory *d = dir->directory;

	for (uint32_t i = 0; i < d->replaced_count; i++) {
		const struct entry *e = &d->entries[d->replaced[i]];
		struct delta_entry *entry;

		if (e->live)
			continue;
		entry = delta_add(delta, DELTA_REMOVED, 0, e->name);
		if (!entry)
			return -ENOMEM;
		entry->same = !e->git_had;
	}
	return 0;
}

static int build(struct node *dir, struct delta *delta)
{
	struct directory *d = dir->directory;
	int r = 0;

	if (!delta->complete) {
		for (struct node *n = dir->changed; n && r == 0; n = n->next)
			r = emit(delta, dir, node_entry(n));
		return r < 0 ? r : emit_removed(dir, delta);
	}
	for (uint32_t i = 0; i < d->count && r == 0; i++)
		if (d->entries[i].live)
			r = emit(delta, dir, &d->entries[i]);
	return r;
}

/* ---- states after it ---- */

static void settle(struct node *dir, bool complete);

static void settle_child(struct node *n, bool complete)
{
	struct worktree *w = n->worktree;
	struct entry *e = node_entry(n);
	bool stored = true;

	n->refs++;
	if (node_is_directory(n)) {
		bool clean = node_is_clean(n);

		if (!clean)
			settle(n, complete || !e->stored);
		stored = clean ? !node_git_has_nothing(&n->oid) :
				 n->directory->stored > 0;
	} else if (!node_is_clean(n)) {
		contents_captured(n->contents);
		n->flags |= NODE_PENDING;
		n->stamp = w->number;
	}
	n->flags &= ~(NODE_MODIFIED | NODE_ENTRY | NODE_ATTRIBUTES);
	node_unmark(n);
	directory_set_stored(n->parent->directory, e, stored);
	e->captured = 1;
	node_settle_locked(n);
	node_put_locked(n);
}

/* Its own new state: PENDING if there was something to capture.  Otherwise it
 * is as the capture before found it. */
static void settle_self(struct node *dir, bool complete)
{
	if (dir->flags & NODE_EMITTED) {
		dir->flags |= NODE_PENDING;
		dir->stamp = dir->worktree->number;
	} else if (complete) {
		dir->flags &= ~NODE_PENDING;
		dir->oid = oid_empty_tree;
	}
	dir->flags &= ~(NODE_EMITTED | NODE_MODIFIED | NODE_ENTRY |
			NODE_ATTRIBUTES);
}

static void settle(struct node *dir, bool complete)
{
	struct directory *d = dir->directory;

	while (!complete && dir->changed)
		settle_child(dir->changed, false);
	for (uint32_t i = 0; complete && i < d->count; i++) {
		struct node *n = d->entries[i].node;

		if (n && ((n->flags & NODE_CHANGED) || !node_is_clean(n)))
			settle_child(n, true);
	}
	directory_forget_replaced(d);
	settle_self(dir, complete);
}

/* ---- capture and adopt ---- */

static int build_root(struct worktree *w, struct delta **ret)
{
	struct delta *delta = delta_new(false);
	int r = delta ? 0 : -ENOMEM;

	if (r == 0 && !node_is_clean(w->root))
		r = build(w->root, delta);
	if (r == 0 && w->options.local)
		r = node_reserve_table(w->root);
	if (r == 0 && (w->root->flags & NODE_ATTRIBUTES)) {
		delta->local = node_root_facts(w->root);
		r = delta->local ? 0 : -ENOMEM;
	}
	if (r < 0 || (delta->count == 0 && !delta->local)) {
		delta_free(delta);
		delta = NULL;
	}
	if (r < 0)
		return r;
	if (delta)
		delta->number = w->number + 1;
	*ret = delta;
	return 0;
}

int worktree_capture(struct worktree *w, worktree_take *take, void *context)
{
	SCOPED_WRITE(&w->lock);
	struct delta *delta = NULL;
	bool emitted;
	int r;

	if (!(w->root->flags & NODE_CHANGED))
		return take(context, NULL);
	r = build_root(w, &delta);
	if (r < 0)
		return r;
	emitted = delta;
	/* From here on the delta is not ours. */
	r = take(context, delta);
	if (r < 0)
		return r;
	w->number++;
	w->root->flags &= ~NODE_EMITTED;
	if (emitted)
		w->root->flags |= NODE_EMITTED;
	if (!node_is_clean(w->root))
		settle(w->root, false);
	else
		settle_self(w->root, false);
	node_unmark(w->root);
	return r;
}

/* below: of a directory. */
static void adopt_node(struct node *n, uint32_t number, const struct oid *oid,
		       const struct delta *below)
{
	if (!(n->flags & NODE_PENDING) || n->stamp != number)
		return;
	n->flags &= ~NODE_PENDING;
	n->oid = *oid;
	if (below)
		node_set_table(n, below);
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
		if (entry->kind == DELTA_CONTENTS)
			contents_stored(n->contents, entry->contents,
					&entry->oid);
		adopt_node(n, entry->number, &entry->oid, entry->directory);
		node_settle_locked(n);
	}
}

void worktree_adopt(struct worktree *w, const struct delta *delta)
{
	SCOPED_WRITE(&w->lock);

	adopt_entries(delta);
	adopt_node(w->root, delta->number, &delta->oid, delta);
}
