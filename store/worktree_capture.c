/* SPDX-License-Identifier: ISC */
#include "store/worktree_capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A capture is made in two steps under one exclusive lock: the delta is built,
 * which changes no state; when it is taken, the states follow it.  Both descend
 * alike: into CHANGED children, or, where a directory is new in its place, into
 * all that is not as stored.
 */

/* ---- building ---- */

static int build(struct node *dir, struct delta *delta);

/* Whether neither Git nor the local face has the directory in this place. */
static bool is_new(const struct entry *e)
{
	return !e->stored && !e->captured;
}

/* For its adoption, even when entries of two captures were folded into one
 * delta: each is known by the number of its own. */
static void note_node(struct delta_entry *entry, struct node *n)
{
	entry->node = node_ref(n);
	entry->number = n->worktree->number + 1;
}

/* Extended attributes that will be an object once they are stored. */
static void note_far(struct delta_entry *entry, struct node *n)
{
	if (!n || !entry->local || !local_wants_far(entry->local))
		return;
	n->attributes->local->stamp = n->worktree->number + 1;
	entry->local->stamp = n->attributes->local->stamp;
	if (!entry->node)
		note_node(entry, n);
}

/* An entry with all facts. */
static int add(struct delta *delta, enum delta_kind kind, uint32_t mode,
	       const char *name, const struct node *dir, const struct entry *e,
	       struct delta_entry **ret)
{
	struct delta_entry *entry = delta_add(delta, kind, mode, name);

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

	if (e->own || mode_is_special(e->mode) ||
	    (e->mode == MODE_TREE && node_git_has_nothing(oid)))
		return delta->complete || (!e->stored && !e->git_had);
	return n && !delta->complete &&
	       !(n->flags & (NODE_MODIFIED | NODE_ENTRY));
}

static int emit_object(struct delta *delta, const char *name,
		       const struct node *dir, const struct entry *e)
{
	uint32_t mode = e->node ? node_git_mode(e->node) : e->mode;
	struct delta_entry *entry;
	int r = add(delta, DELTA_OBJECT, mode, name, dir, e, &entry);

	if (r < 0)
		return r;
	entry->oid = e->node ? node_target(e->node)->oid : e->oid;
	entry->same = is_same(delta, e);
	note_far(entry, node_target(e->node));
	return 0;
}

/* What Git cannot have: for it the name is gone. */
static int emit_special(struct delta *delta, const char *name,
			const struct node *dir, const struct entry *e)
{
	struct delta_entry *entry;
	int r = add(delta, DELTA_REMOVED, 0, name, dir, e, &entry);

	if (r < 0)
		return r;
	entry->same = is_same(delta, e);
	note_far(entry, node_target(e->node));
	return 0;
}

/* Files that plain Git itself reads stay blobs, and so do those in directories of
 * a type, in which trees are the type's own. */
static int wants_rope(struct node *n, bool *ret)
{
	const char *name = node_entry(n)->name;
	char type[IRMIN_TYPE_SIZE] = "";
	int r = 0;

	if (!contents_kind() || n->own || n->parent->directory->places)
		return 0;
	if (!node_has_git_name(n))
		r = node_irmin_type(n->parent, name, type);
	/* What cannot be found out changes nothing. */
	*ret = r < 0 ? n->structured : strcmp(type, "rope") == 0;
	return r == -ENOMEM ? r : 0;
}

/* How a changed file is to be stored.  What may be a rope becomes one now, since
 * who journals and publishes it must know it as such. */
static int choose_mode(struct node *n, uint32_t *ret_mode)
{
	bool is_rope = false;
	int r = n->kind == KIND_FILE ? wants_rope(n, &is_rope) : 0;

	if (r == 0 && is_rope)
		r = node_convert_locked(n);
	if (r < 0)
		return r;
	if (n->kind == KIND_SYMLINK)
		*ret_mode = MODE_SYMLINK;
	else if (is_rope)
		*ret_mode = n->executable ? MODE_ROPE_EXECUTABLE : MODE_ROPE;
	else
		*ret_mode = n->executable ? MODE_EXECUTABLE : MODE_FILE;
	return 0;
}

/* All names of a file have the same. */
static int snapshot(struct node *n, uint32_t *ret_mode, struct contents **ret)
{
	int r;

	if (n->linked) {
		*ret = links_shared_locked(n, ret_mode);
		if (*ret)
			return 0;
	}
	r = choose_mode(n, ret_mode);
	if (r == 0)
		r = contents_snapshot(n->contents, ret);
	if (r == 0 && n->linked)
		links_share_locked(n, *ret_mode, *ret);
	return r;
}

static int emit_contents(struct delta *delta, const char *name,
			 const struct node *dir, const struct entry *e)
{
	struct node *n = node_target(e->node);
	struct delta_entry *entry;
	struct contents *contents;
	uint32_t mode;
	int r = snapshot(n, &mode, &contents);

	if (r < 0)
		return r;
	r = add(delta, DELTA_CONTENTS, mode, name, dir, e, &entry);
	if (r < 0) {
		contents_unref(contents);
		return r;
	}
	entry->contents = contents;
	entry->same = is_same(delta, e);
	note_node(entry, n);
	note_far(entry, n);
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
 * or all of it.  Takes below. */
static int put_directory(struct delta *delta, const char *name,
			 const struct node *dir, const struct entry *e,
			 struct delta *below)
{
	struct node *n = e->node;
	struct delta_entry *entry;
	int r = add(delta, DELTA_DIRECTORY, MODE_TREE, name, dir, e, &entry);

	if (r < 0) {
		delta_free(below);
		return r;
	}
	if (!below->complete &&
	    !(n->flags & (NODE_ATTRIBUTES | NODE_ENTRY)))
		local_free(STEAL(entry->local));
	entry->directory = below;
	entry->same = is_empty(below) && !e->git_had &&
		      (delta->complete || !e->stored);
	note_node(entry, n);
	note_far(entry, n);
	n->flags |= NODE_EMITTED;
	return 0;
}

static int emit_directory(struct delta *delta, const char *name,
			  const struct node *dir, const struct entry *e)
{
	struct node *n = e->node;
	struct delta *below = delta_new(delta->complete || is_new(e));
	int r = below ? 0 : -ENOMEM;

	if (r == 0 && below->complete)
		r = node_open_directory_locked(n);
	if (r == 0)
		r = build(n, below);
	if (r == 0 && n->worktree->options.local)
		r = node_reserve_table(n);
	if (r == 0 && (below->count || below->complete ||
		       (n->flags & (NODE_ATTRIBUTES | NODE_ENTRY))))
		r = put_directory(delta, name, dir, e, STEAL(below));
	delta_free(below);
	return r;
}

int capture_emit(struct delta *delta, const char *name, const struct node *dir,
		 struct entry *e)
{
	struct node *n = e->node;

	if (mode_is_special(e->mode))
		return emit_special(delta, name, dir, e);
	if (!n)
		return emit_object(delta, name, dir, e);
	n->flags &= ~NODE_EMITTED;
	if (node_is_clean(node_target(n)))
		return emit_object(delta, name, dir, e);
	return node_is_directory(n) ? emit_directory(delta, name, dir, e) :
				      emit_contents(delta, name, dir, e);
}

static int emit(struct delta *delta, const struct node *dir, struct entry *e)
{
	return capture_emit(delta, e->name, dir, e);
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

/* ---- building of all ---- */

static int build(struct node *dir, struct delta *delta)
{
	struct directory *d = dir->directory;
	int r = 0;

	/* a queue that a merge changed before anybody looked into it: its table
	 * alone is to be found out */
	if (!d)
		return 0;
	if (d->places)
		return capture_places(dir, delta);
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
	struct node *target = node_target(n);
	struct entry *e = node_entry(n);
	bool stored = true;

	n->refs++;
	if (node_is_directory(n)) {
		bool clean = node_is_clean(n);

		if (!clean)
			settle(n, complete || is_new(e));
		stored = clean || !n->directory ?
			!node_git_has_nothing(&n->oid) :
			n->directory->stored > 0;
	} else {
		stored = !target->own;
		if (!node_is_clean(target)) {
			contents_captured(target->contents);
			target->flags |= NODE_PENDING;
			target->stamp = w->number;
		}
	}
	if (node_is_special(target))
		stored = false;
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
	for (uint32_t i = 0; complete && d && i < d->count; i++) {
		struct node *n = d->entries[i].node;

		if (n && ((n->flags & NODE_CHANGED) ||
			  !node_is_clean(node_target(n))))
			settle_child(n, true);
	}
	if (d)
		directory_forget_replaced(d);
	settle_self(dir, complete);
}

/* ---- capture ---- */

static int build_root(struct worktree *w, struct delta **ret)
{
	struct delta *delta = delta_new(false);
	int r = delta ? 0 : -ENOMEM;

	if (r == 0 && !node_is_clean(w->root))
		r = build(w->root, delta);
	links_forget_snapshots_locked(w);
	if (r == 0 && w->options.local)
		r = node_reserve_table(w->root);
	if (r == 0 && (w->root->flags & NODE_ATTRIBUTES)) {
		delta->local = node_root_facts(w->root);
		r = delta->local ? 0 : -ENOMEM;
		if (r == 0 && local_wants_far(delta->local))
			delta->local->stamp =
				w->root->attributes->local->stamp = w->number + 1;
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
