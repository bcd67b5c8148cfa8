/* SPDX-License-Identifier: ISC */
#include "store/node.h"

/* What git has committed though rules ignore it, and what it has given up. */

static int track_tree(struct node *dir, const struct oid *oid);

static int track_file(struct node *dir, struct entry *e)
{
	struct node *n;
	int r = node_load_locked(dir, e, &n);

	if (r < 0)
		return r;
	r = node_prepare_own_locked(n, false);
	if (r == 0 && node_set_own_locked(n, false))
		node_mark(n, true);
	node_put_locked(n);
	return r;
}

/* A loaded directory of that name, with a reference, or NULL. */
static int open_below(struct node *dir, struct entry *e, struct node **ret)
{
	int r;

	*ret = NULL;
	if (e->mode != MODE_TREE || !node_entry_has_own(e))
		return 0;
	r = node_load_locked(dir, e, ret);
	if (r == 0)
		r = node_open_directory_locked(*ret);
	if (r < 0 && *ret)
		node_put_locked(STEAL(*ret));
	return r;
}

static int track_object(struct node *dir, const char *name, uint32_t mode,
			const struct oid *oid)
{
	struct entry *e = directory_find_live(dir->directory, name);
	struct node *child;
	int r;

	if (!e || node_is_typed(dir))
		return 0;
	if (mode != MODE_TREE)
		return e->own ? track_file(dir, e) : 0;
	r = open_below(dir, e, &child);
	if (r < 0 || !child)
		return r;
	r = track_tree(child, oid);
	node_put_locked(child);
	return r;
}

static int track_tree(struct node *dir, const struct oid *oid)
{
	struct tree *tree;
	int r = tree_read(dir->worktree->options.odb, oid, &tree);

	if (r < 0)
		return r;
	for (size_t i = 0; i < tree->count && r == 0; i++)
		r = track_object(dir, tree->entries[i].name,
				 tree->entries[i].mode, &tree->entries[i].oid);
	tree_free(tree);
	return r;
}

static int track_delta(struct node *dir, const struct delta *delta)
{
	int r = 0;

	for (size_t i = 0; i < delta->count && r == 0; i++) {
		const struct delta_entry *entry = &delta->entries[i];
		struct node *child = NULL;
		struct entry *e;

		if (entry->kind == DELTA_OBJECT)
			r = track_object(dir, entry->name, entry->mode,
					 &entry->oid);
		if (entry->kind != DELTA_DIRECTORY)
			continue;
		e = directory_find_live(dir->directory, entry->name);
		r = e ? open_below(dir, e, &child) : 0;
		if (r < 0 || !child)
			continue;
		r = track_delta(child, entry->directory);
		node_put_locked(child);
	}
	return r;
}

int worktree_track(struct worktree *w, const struct delta *delta)
{
	SCOPED_WRITE(&w->lock);
	int r = worktree_check_writable(w);

	if (r == 0)
		r = node_open_directory_locked(w->root);
	return r < 0 ? r : track_delta(w->root, delta);
}

/* ---- `git rm --cached` ---- */

static int untrack_entry(struct node *dir, struct entry *e);

/* Also one that has replaced what Git has. */
static bool is_git_file(const struct entry *e)
{
	return !e->own && !mode_is_special(e->mode) &&
	       e->mode != MODE_SUBMODULE &&
	       (e->stored || (e->replaced && e->git_had));
}

static int untrack_file(struct node *dir, struct entry *e)
{
	struct node *n;
	int r = is_git_file(e) ? node_is_ignored_name_locked(dir, e->name) : 0;

	if (r < 1)
		return r;
	r = node_load_locked(dir, e, &n);
	if (r < 0)
		return r;
	if (!n->linked)
		r = node_prepare_own_locked(n, true);
	if (r == 0 && !n->linked && node_set_own_locked(n, true)) {
		directory_untrack(dir->directory, e);
		node_mark(n, true);
	}
	node_put_locked(n);
	return r;
}

/* The loaded directory of an entry, with a reference and with room for that many
 * changes, or for one of each entry; otherwise NULL. */
static int open_for_untracking(struct node *dir, struct entry *e, size_t changes,
			       struct node **ret)
{
	struct node *n;
	int r = node_load_locked(dir, e, &n);

	*ret = NULL;
	if (r < 0)
		return r;
	r = node_open_directory_locked(n);
	if (r == 0 && !node_is_typed(n)) {
		r = directory_reserve(n->directory,
				      changes ? changes : n->directory->live);
		if (r == 0)
			*ret = n;
	}
	if (!*ret)
		node_put_locked(n);
	return r;
}

static int untrack_folder(struct node *dir, struct entry *e)
{
	struct directory *d;
	struct node *child;
	int r = open_for_untracking(dir, e, 0, &child);

	if (r < 0 || !child)
		return r;
	d = child->directory;
	for (uint32_t i = 0; r == 0 && i < d->count; i++)
		if (d->entries[i].live)
			r = untrack_entry(child, &d->entries[i]);
	node_put_locked(child);
	return r;
}

static int untrack_entry(struct node *dir, struct entry *e)
{
	return e->mode == MODE_TREE ? untrack_folder(dir, e) :
				      untrack_file(dir, e);
}

/* dir has room. */
static int untrack_delta(struct node *dir, const struct delta *delta)
{
	int r = 0;

	for (size_t i = 0; i < delta->count && r == 0; i++) {
		const struct delta_entry *entry = &delta->entries[i];
		struct entry *e = directory_find_live(dir->directory,
						      entry->name);
		struct node *child;

		if (!e)
			continue;
		if (entry->kind == DELTA_REMOVED)
			r = untrack_entry(dir, e);
		if (entry->kind != DELTA_DIRECTORY || e->mode != MODE_TREE)
			continue;
		r = open_for_untracking(dir, e, entry->directory->count + 1,
					&child);
		if (r == 0 && child)
			r = untrack_delta(child, entry->directory);
		if (child)
			node_put_locked(child);
	}
	return r;
}

int worktree_untrack(struct worktree *w, const struct delta *delta)
{
	SCOPED_WRITE(&w->lock);
	int r = worktree_check_writable(w);

	if (r == 0)
		r = node_open_directory_locked(w->root);
	if (r == 0)
		r = directory_reserve(w->root->directory, delta->count);
	return r < 0 ? r : untrack_delta(w->root, delta);
}

static bool is_ignored_locked(struct node *n)
{
	struct worktree *w = n->worktree;
	const char *name;

	if (!w->options.local || !n->parent || n->removed)
		return false;
	name = node_entry(n)->name;
	if (node_is_directory(n))
		return node_is_ignored_folder_locked(n->parent, name) == 1;
	return !n->linked && node_is_ignored_name_locked(n->parent, name) == 1;
}

bool worktree_is_ignored(struct worktree *w, const char *path)
{
	struct node *n;
	bool ignored;

	if (worktree_lookup(w, path, &n) < 0)
		return false;
	pthread_rwlock_wrlock(&w->lock);
	ignored = is_ignored_locked(n);
	pthread_rwlock_unlock(&w->lock);
	node_unref(n);
	return ignored;
}
