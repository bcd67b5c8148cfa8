/* SPDX-License-Identifier: ISC */
#include "store/directory_private.h"
#include "store/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Groups of links as they are stored: rows of one LOCAL_GROUP.  When the first of
 * a tree's is looked up, all directories that have some are loaded, and all
 * groups made, once.  So what is stored has no counts and no lists that could be
 * wrong: a name counts if its row is there and Git has what it had. */

struct found {
	uint64_t id;
	struct node *dir;		/* an inner reference */
	struct entry *entry;		/* do not move meanwhile */
	size_t order;
};

struct walk {
	struct found *found;
	size_t count, capacity;
};

static void walk_release_locked(struct walk *walk)
{
	for (size_t i = 0; i < walk->count; i++)
		node_put_locked(walk->found[i].dir);
	free(walk->found);
}

/* ---- what is known of an entry without a node ---- */

static struct local *local_of(const struct entry *e)
{
	const struct attributes *a = e->node ? node_target(e->node)->attributes :
					       e->attributes;

	return a ? a->local : NULL;
}

bool node_entry_has_group(const struct entry *e)
{
	const struct local *local = e->node ? NULL : local_of(e);

	return local && (local->bits & LOCAL_GROUP);
}

static void strip(struct node *dir, struct entry *e)
{
	local_of(e)->bits &= ~LOCAL_GROUP;
	e->number = directory_new_number(dir->directory, e->name);
}

/* ---- finding ---- */

static int add(struct walk *walk, struct node *dir, struct entry *e)
{
	size_t capacity = walk->capacity ? 2 * walk->capacity : 16;
	struct found *found;

	if (walk->count == walk->capacity) {
		found = reallocarray(walk->found, capacity, sizeof(*found));
		if (!found)
			return -ENOMEM;
		walk->found = found;
		walk->capacity = capacity;
	}
	dir->refs++;
	walk->found[walk->count] = (struct found){
		.id = local_of(e)->group, .dir = dir, .entry = e,
		.order = walk->count,
	};
	walk->count++;
	return 0;
}

static int collect(struct walk *walk, struct node *dir);

static bool is_loaded(const struct node *n)
{
	return n && node_is_directory(n) && n->directory;
}

static int collect_below(struct walk *walk, struct node *dir, struct entry *e)
{
	const struct local *local = local_of(e);
	struct node *n;
	int r;

	/* what is loaded may have got some from elsewhere, which is not stored */
	if (!is_loaded(e->node) &&
	    !(local && (local->bits & LOCAL_LINKS_BELOW)))
		return 0;
	r = node_load_locked(dir, e, &n);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = collect(walk, n);
	node_put_locked(n);
	return r;
}

/* What cannot be read has no names now, and is no reason that others cannot be
 * used. */
static int collect(struct walk *walk, struct node *dir)
{
	int r = node_open_directory_locked(dir);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (uint32_t i = 0; r == 0 && i < dir->directory->count; i++) {
		struct entry *e = &dir->directory->entries[i];

		if (!e->live)
			continue;
		if (e->mode == MODE_TREE)
			r = collect_below(walk, dir, e);
		else if (node_entry_has_group(e))
			r = add(walk, dir, e);
	}
	return r;
}

/* ---- joining ---- */

static int compare_objects(const struct found *x, const struct found *y)
{
	if (x->entry->mode != y->entry->mode)
		return x->entry->mode < y->entry->mode ? -1 : 1;
	return memcmp(&x->entry->oid, &y->entry->oid, sizeof(x->entry->oid));
}

static int compare(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int order;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	order = compare_objects(x, y);
	return order ? order : x->order < y->order ? -1 : x->order > y->order;
}

/* Nodes for all names but the first, as a list; NULL: no memory, or none. */
static struct node *new_names(struct node *first, size_t count)
{
	struct node *names = NULL;

	while (--count) {
		struct node *name = links_new_name(first);

		if (!name) {
			while ((name = names)) {
				names = name->next_name;
				node_discard(name);
			}
			return NULL;
		}
		name->next_name = names;
		names = name;
	}
	return names;
}

/* Two and more names of the same object. */
static int join(struct found *found, size_t count)
{
	struct worktree *w = found->dir->worktree;
	struct node *n, *names, *name;
	int r;

	local_of(found->entry)->bits &= ~LOCAL_GROUP;
	r = node_load_locked(found->dir, found->entry, &n);
	if (r < 0)
		return r;
	names = new_names(n, count);
	r = names ? links_make_locked(n, directory_mix(w->root->number,
						       found->id), found->id) :
		    -ENOMEM;
	for (size_t i = 1; (name = names); i++) {
		names = STEAL(name->next_name);
		if (r < 0) {
			node_discard(name);
			continue;
		}
		attributes_free(STEAL(found[i].entry->attributes));
		links_join_locked(name, found[i].dir, found[i].entry);
	}
	if (r < 0)
		n->attributes->local->bits |= LOCAL_GROUP;
	node_put_locked(n);
	return r;
}

/* Names that do not belong to their group any more say so, if one day they might
 * be taken for it again. */
static int part(struct found *found, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct node *n;
		int r;

		strip(found[i].dir, found[i].entry);
		if (worktree_check_writable(found->dir->worktree) < 0)
			continue;
		r = node_load_locked(found[i].dir, found[i].entry, &n);
		if (r < 0)
			return r;
		node_mark_attributes(n);
		node_put_locked(n);
	}
	return 0;
}

/* All of one id.  Those that are the same are one file; were they made different
 * by others, the first of several are. */
static int join_all(struct found *found, size_t count)
{
	bool joined = false;
	int r = 0;

	for (size_t i = 0, end; r == 0 && i < count; i = end) {
		for (end = i + 1; end < count; end++)
			if (compare_objects(&found[i], &found[end]) != 0)
				break;
		if (end - i > 1 && !joined) {
			r = join(&found[i], end - i);
			joined = r == 0;
		} else if (count > 1) {
			r = part(&found[i], end - i);
		} else {
			strip(found->dir, found->entry);
		}
	}
	return r;
}

int links_load_locked(struct node *dir, struct entry *e)
{
	struct worktree *w = dir->worktree;
	scoped(walk_release_locked) struct walk walk = { 0 };
	int r = w->links_loaded ? 0 : collect(&walk, w->root);

	if (r == 0 && walk.count)
		qsort(walk.found, walk.count, sizeof(*walk.found), compare);
	for (size_t i = 0, end; r == 0 && i < walk.count; i = end) {
		for (end = i + 1; end < walk.count; end++)
			if (walk.found[end].id != walk.found[i].id)
				break;
		r = join_all(&walk.found[i], end - i);
	}
	if (r < 0)
		return r;
	w->links_loaded = true;
	/* it came later, or is of a directory that cannot be found */
	if (node_entry_has_group(e))
		strip(dir, e);
	return 0;
}
