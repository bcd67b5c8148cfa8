/* SPDX-License-Identifier: ISC */
#include "store/node.h"

/* What another program has committed though rules ignore it. */

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
