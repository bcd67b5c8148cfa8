/* SPDX-License-Identifier: ISC */
#include "store/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef int status_visit(void *context, char status, const char *path);

struct walk {
	struct odb *odb;
	struct buffer path;
	status_visit *visit;
	void *context;
};

/* Appends a name to the path, with a slash before it if need be. */
static int enter(struct walk *walk, const char *name)
{
	int r = walk->path.length ? buffer_puts(&walk->path, "/") : 0;

	return r < 0 ? r : buffer_puts(&walk->path, name);
}

static void leave(struct walk *walk, size_t length)
{
	walk->path.length = length;
	walk->path.data[length] = '\0';
}

static int tell(struct walk *walk, char status)
{
	return walk->visit(walk->context, status, walk->path.data);
}

/* ---- a stored directory in a new place: all of it is new ---- */

static int walk_tree(struct walk *walk, const struct oid *oid,
		     unsigned int depth)
{
	size_t length = walk->path.length;
	struct tree *tree;
	int r = depth > TREE_DEPTH_MAX ? -EUCLEAN :
					 tree_read(walk->odb, oid, &tree);

	if (r < 0)
		return r;
	if (tree->count == 0)
		r = tell(walk, 'A');
	for (size_t i = 0; i < tree->count && r == 0; i++) {
		const struct tree_entry *entry = &tree->entries[i];
		uint32_t mode = entry->mode;

		r = enter(walk, entry->name);
		if (r == 0)
			r = contents_recognise(walk->odb, &entry->oid, &mode,
					       NULL);
		if (r == 0)
			r = mode == MODE_TREE ?
				walk_tree(walk, &entry->oid, depth + 1) :
				tell(walk, 'A');
		if (r == 0)
			leave(walk, length);
	}
	tree_free(tree);
	return r;
}

/* ---- loaded directories ---- */

static int walk_directory(struct walk *walk, const struct node *dir,
			  bool complete);

static int walk_subdirectory(struct walk *walk, const struct entry *e,
			     bool complete)
{
	const struct node *n = e->node;

	if ((!n || !n->directory) && node_entry_has_own(e) &&
	    node_git_has_nothing(n ? &n->oid : &e->oid))
		return 0;
	if (!n || !n->directory)
		return walk_tree(walk, n ? &n->oid : &e->oid, 0);
	if (complete && n->directory->live == 0)
		return tell(walk, 'A');
	return walk_directory(walk, n, complete);
}

/* Whether nothing that Git sees has changed, but at most attributes. */
static bool is_same(const struct entry *e, bool new)
{
	return !new && e->live && e->mode != MODE_TREE && e->node &&
	       !(e->node->flags & (NODE_MODIFIED | NODE_ENTRY));
}

static int walk_entry(struct walk *walk, const struct entry *e, bool complete)
{
	size_t length = walk->path.length;
	bool new = complete || !e->stored;
	int r = enter(walk, e->name);

	if (r < 0)
		return r;
	if (is_same(e, new))
		r = 0;
	else if (!e->live)
		r = tell(walk, 'D');
	else if (e->own || mode_is_special(e->mode))
		r = e->git_had && !complete ? tell(walk, 'D') : 0;
	else if (e->mode == MODE_TREE)
		r = walk_subdirectory(walk, e, new);
	else
		r = tell(walk, new && (complete || !e->git_had) ? 'A' : 'M');
	if (r == 0)
		leave(walk, length);
	return r;
}

static int compare(const void *a, const void *b)
{
	const struct entry *const *x = a, *const *y = b;

	return tree_compare((*x)->name, (*x)->live ? (*x)->mode : MODE_FILE,
			    (*y)->name, (*y)->live ? (*y)->mode : MODE_FILE);
}

static int compare_places(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* The entries to tell of: CHANGED and removed ones, or all. */
static size_t collect(const struct node *dir, bool complete,
		      const struct entry **ret)
{
	const struct directory *d = dir->directory;
	size_t count = 0;

	for (uint32_t i = 0; complete && i < d->count; i++)
		if (d->entries[i].live)
			ret[count++] = &d->entries[i];
	for (struct node *n = dir->changed; n && !complete; n = n->next)
		ret[count++] = node_entry(n);
	for (uint32_t i = 0; i < d->replaced_count && !complete; i++) {
		const struct entry *e = &d->entries[d->replaced[i]];

		if (!e->live && e->git_had)
			ret[count++] = e;
	}
	return count;
}

/* Elements of a queue that were given up: by name, in order. */
static int walk_gone(struct walk *walk, const struct directory *d)
{
	size_t length = walk->path.length;
	int r = 0;

	if (d->places->gone_count)
		qsort(d->places->gone, d->places->gone_count,
		      sizeof(*d->places->gone), compare_places);
	for (uint32_t i = 0; i < d->places->gone_count && r == 0; i++) {
		const char *name = d->places->gone[i];
		char key[DIRECTORY_KEY_SIZE];

		/* it may be stored again by an entry that took it */
		if (places_find(d, name))
			continue;
		d->places->type->parse(name, key, &name);
		r = enter(walk, name);
		if (r == 0)
			r = tell(walk, 'D');
		if (r == 0)
			leave(walk, length);
	}
	return r;
}

static int walk_directory(struct walk *walk, const struct node *dir,
			  bool complete)
{
	scoped_free const struct entry **entries =
		calloc(dir->directory->count + 1, sizeof(*entries));
	size_t count;
	int r = 0;

	if (!entries)
		return -ENOMEM;
	count = collect(dir, complete, entries);
	qsort(entries, count, sizeof(*entries), compare);
	for (size_t i = 0; i < count && r == 0; i++)
		r = walk_entry(walk, entries[i], complete);
	if (r == 0 && dir->directory->places && !complete)
		r = walk_gone(walk, dir->directory);
	return r;
}

int worktree_each_changed(struct worktree *w, status_visit *visit,
			  void *context)
{
	struct walk walk = {
		.odb = w->options.odb, .visit = visit, .context = context,
	};
	int r = 0;

	/* Exclusively, since writers change what is linked. */
	SCOPED_WRITE(&w->lock);
	if (w->root->flags & NODE_CHANGED)
		r = walk_directory(&walk, w->root, false);
	buffer_release(&walk.path);
	return r;
}
