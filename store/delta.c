/* SPDX-License-Identifier: ISC */
#include "store/delta.h"
#include "store/tree.h"
#include "store/util.h"
#include "store/worktree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct delta *delta_new(bool complete)
{
	struct delta *delta = calloc(1, sizeof(*delta));

	if (delta)
		delta->complete = complete;
	return delta;
}

static void entry_release(struct delta_entry *entry)
{
	free(entry->name);
	contents_unref(entry->contents);
	delta_free(entry->directory);
	node_unref(entry->node);
	local_free(entry->local);
}

void delta_free(struct delta *delta)
{
	if (!delta)
		return;
	for (size_t i = 0; i < delta->count; i++)
		entry_release(&delta->entries[i]);
	free(delta->entries);
	local_free(delta->local);
	free(delta);
}

int delta_reserve(struct delta *delta, size_t more)
{
	size_t capacity = delta->count + more;
	struct delta_entry *entries;

	if (capacity <= delta->capacity)
		return 0;
	entries = reallocarray(delta->entries, capacity, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	delta->entries = entries;
	delta->capacity = capacity;
	return 0;
}

struct delta_entry *delta_add(struct delta *delta, enum delta_kind kind,
			      uint32_t mode, const char *name)
{
	struct delta_entry *entry;
	char *copy;

	if (delta->count == delta->capacity &&
	    delta_reserve(delta, delta->count ?: 2) < 0)
		return NULL;
	copy = strdup(name);
	if (!copy)
		return NULL;
	entry = &delta->entries[delta->count++];
	*entry = (struct delta_entry){
		.kind = kind, .mode = mode, .name = copy,
	};
	return entry;
}

void delta_remove(struct delta *delta, const char *name)
{
	size_t at = 0;

	while (at < delta->count && strcmp(delta->entries[at].name, name) != 0)
		at++;
	if (at == delta->count)
		return;
	entry_release(&delta->entries[at]);
	delta->count--;
	memmove(&delta->entries[at], &delta->entries[at + 1],
		(delta->count - at) * sizeof(*delta->entries));
}

static int copy_local(const struct local *local, struct local **ret)
{
	*ret = local ? local_copy(local) : NULL;
	return local && !*ret ? -ENOMEM : 0;
}

static int copy_entry(const struct delta_entry *entry, struct delta *to)
{
	struct delta_entry *added =
		delta_add(to, entry->kind, entry->mode, entry->name);

	if (!added || copy_local(entry->local, &added->local) < 0)
		return -ENOMEM;
	added->oid = entry->oid;
	added->same = entry->same;
	added->merged = entry->merged;
	if (entry->contents)
		added->contents = contents_ref(entry->contents);
	return entry->directory ?
		delta_copy(entry->directory, &added->directory) : 0;
}

int delta_copy(const struct delta *delta, struct delta **ret_copy)
{
	struct delta *copy = delta_new(delta->complete);
	int r = copy ? 0 : -ENOMEM;

	if (r == 0)
		r = copy_local(delta->local, &copy->local);
	for (size_t i = 0; r == 0 && i < delta->count; i++)
		r = copy_entry(&delta->entries[i], copy);
	if (r < 0) {
		delta_free(copy);
		return r;
	}
	copy->oid = delta->oid;
	copy->merged = delta->merged;
	*ret_copy = copy;
	return 0;
}

/* ---- order ---- */

static int compare_names(const void *a, const void *b)
{
	const struct delta_entry *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* What is below a directory sorts behind "name/", as in Git; a path that is
 * removed or replaced whole is visited as "name". */
static int compare_paths(const void *a, const void *b)
{
	const struct delta_entry *const *x = a, *const *y = b;

	return tree_compare(
		(*x)->name, (*x)->kind == DELTA_DIRECTORY ? MODE_TREE : MODE_FILE,
		(*y)->name, (*y)->kind == DELTA_DIRECTORY ? MODE_TREE : MODE_FILE);
}

/* Pointers to the entries in an order; NULL: no memory. */
static struct delta_entry **sort(const struct delta *delta,
				 int (*compare)(const void *, const void *))
{
	struct delta_entry **sorted = calloc(delta->count + 1, sizeof(*sorted));

	if (!sorted)
		return NULL;
	for (size_t i = 0; i < delta->count; i++)
		sorted[i] = &delta->entries[i];
	qsort(sorted, delta->count, sizeof(*sorted), compare);
	return sorted;
}

/* ---- storing ---- */

static int store_directory(struct delta *delta, struct odb *odb,
			   const struct oid *base, unsigned int depth);

/* A rope that is to become a blob is read whole.  One that is damaged stays a rope,
 * of which the bad part is taken over as it is. */
static int store_contents(struct delta_entry *entry, struct odb *odb)
{
	uint32_t mode = mode_is_executable(entry->mode) ? MODE_ROPE_EXECUTABLE :
							  MODE_ROPE;
	int r = contents_store_as(entry->contents, odb, entry->mode,
				  &entry->oid), again;

	if ((r != -EUCLEAN && r != -EIO) || !mode_is_file(entry->mode) ||
	    mode_is_rope(entry->mode) || !contents_can_splice(entry->contents))
		return r;
	again = contents_store_as(entry->contents, odb, mode, &entry->oid);
	if (again == 0)
		entry->mode = mode;
	return again == 0 ? 0 : r;
}

static int store_entry(struct delta_entry *entry, struct odb *odb,
		       const struct tree_entry *base, unsigned int depth)
{
	static const struct oid none;
	int r;

	if (delta_entry_is_own(entry))
		return 0;
	if (entry->kind == DELTA_CONTENTS)
		return store_contents(entry, odb);
	if (entry->kind != DELTA_DIRECTORY)
		return 0;
	r = store_directory(entry->directory, odb,
			    base && base->mode == MODE_TREE ? &base->oid : &none,
			    depth + 1);
	if (r == 0)
		entry->oid = entry->directory->oid;
	return r;
}

/* Whether the entry shows in its parent's tree: Git has no empty folders. */
static bool is_stored(const struct delta_entry *entry)
{
	if (entry->kind == DELTA_REMOVED || delta_entry_is_own(entry) ||
	    strcmp(entry->name, GIT_NAME) == 0)
		return false;
	return (entry->kind != DELTA_DIRECTORY && entry->mode != MODE_TREE) ||
	       !oid_equal(&entry->oid, &oid_empty_tree);
}

/* What the base has under other names, then the delta's entries. */
static int write_merged(struct delta *delta, struct odb *odb,
			const struct tree *base)
{
	scoped_free struct delta_entry **sorted = sort(delta, compare_names);
	scoped_free struct tree_entry *entries =
		calloc(base->count + delta->count + 1, sizeof(*entries));
	size_t count = 0;

	if (!sorted || !entries)
		return -ENOMEM;
	for (size_t i = 0; i < base->count; i++) {
		struct delta_entry wanted = { .name = (char *)base->entries[i].name };
		struct delta_entry *key = &wanted;

		if (!bsearch(&key, sorted, delta->count, sizeof(*sorted),
			     compare_names))
			entries[count++] = base->entries[i];
	}
	for (size_t i = 0; i < delta->count; i++) {
		const struct delta_entry *entry = &delta->entries[i];

		if (is_stored(entry))
			entries[count++] = (struct tree_entry){
				.oid = entry->oid, .name = entry->name,
				.mode = entry->kind == DELTA_DIRECTORY ?
						MODE_TREE : entry->mode,
			};
	}
	return tree_write(odb, entries, count, &delta->oid);
}

int delta_check_name(const char *name)
{
	return strcmp(name, GIT_NAME) == 0 ? 0 : tree_check_name(name);
}

static int store_directory(struct delta *delta, struct odb *odb,
			   const struct oid *base, unsigned int depth)
{
	static const struct oid none;
	scoped_tree struct tree *tree = NULL;
	int r;

	if (depth > TREE_DEPTH_MAX)
		return -EUCLEAN;
	r = tree_read(odb, delta->complete ? &none : base, &tree);
	if (r < 0)
		return r;
	for (size_t i = 0; i < delta->count; i++) {
		struct delta_entry *entry = &delta->entries[i];

		r = store_entry(entry, odb, tree_find(tree, entry->name), depth);
		if (r < 0)
			return r;
	}
	return write_merged(delta, odb, tree);
}

int delta_store(struct delta *delta, struct odb *odb, const struct oid *base)
{
	return store_directory(delta, odb, base, 0);
}

/* ---- what Git is not to have ---- */

int delta_store_own(struct delta *delta, struct odb *local)
{
	int r = 0;

	for (size_t i = 0; i < delta->count && r == 0; i++) {
		struct delta_entry *entry = &delta->entries[i];

		if (entry->kind == DELTA_DIRECTORY)
			r = delta_store_own(entry->directory, local);
		if (entry->kind != DELTA_CONTENTS || !delta_entry_is_own(entry))
			continue;
		r = contents_store(entry->contents, local, &entry->oid);
		entry->local->object = entry->oid;
	}
	return r;
}

/* ---- comparing ---- */

/* 1: one of these, which are not roots, is a file that is stored as a tree. */
static int compare_trees(struct odb *odb, const struct oid *from,
			 const struct oid *to, unsigned int depth,
			 struct delta **ret_delta);

static int add_object(struct odb *odb, struct delta *delta,
		      const struct tree_entry *entry)
{
	struct delta_entry *added;
	uint32_t mode = entry->mode;
	int r = contents_recognise(odb, &entry->oid, &mode, NULL);

	if (r < 0)
		return r;
	added = delta_add(delta, DELTA_OBJECT, mode, entry->name);
	if (!added)
		return -ENOMEM;
	added->oid = entry->oid;
	return 0;
}

/* A name that stands at the same place in both trees. */
static int compare_entry(struct odb *odb, const struct tree_entry *from,
			 const struct tree_entry *to, unsigned int depth,
			 struct delta *delta)
{
	struct delta_entry *added;
	struct delta *below;
	int r = 1;

	if (from->mode == to->mode && oid_equal(&from->oid, &to->oid))
		return 0;
	if (from->mode == MODE_TREE && to->mode == MODE_TREE)
		r = compare_trees(odb, &from->oid, &to->oid, depth + 1, &below);
	if (r == 1)
		return add_object(odb, delta, to);
	if (r < 0)
		return r;
	added = delta_add(delta, DELTA_DIRECTORY, MODE_TREE, to->name);
	if (!added) {
		delta_free(below);
		return -ENOMEM;
	}
	added->directory = below;
	added->oid = to->oid;
	return 0;
}

static bool is_same_entry(const struct tree_entry *a, const struct tree_entry *b)
{
	return a->mode == b->mode && oid_equal(&a->oid, &b->oid) &&
	       strcmp(a->name, b->name) == 0;
}

/* Both trees are in Git's order, in which a file and a folder of one name stand
 * at different places: the new one alone makes the entry then. */
static int compare_entries(struct odb *odb, const struct tree *from,
			   const struct tree *to, unsigned int depth,
			   struct delta *delta)
{
	size_t i = 0, j = 0;
	int r = 0;

	while (r == 0 && (i < from->count || j < to->count)) {
		const struct tree_entry *a = &from->entries[i];
		const struct tree_entry *b = &to->entries[j];
		int order = i == from->count	  ? 1 :
			    j == to->count	  ? -1 :
			    is_same_entry(a, b) ? 0 :
			    tree_compare(a->name, a->mode, b->name, b->mode);

		if (order == 0)
			r = compare_entry(odb, a, b, depth, delta);
		else if (order > 0)
			r = add_object(odb, delta, b);
		else if (!tree_find(to, a->name) &&
			 !delta_add(delta, DELTA_REMOVED, a->mode, a->name))
			r = -ENOMEM;
		i += order <= 0;
		j += order >= 0;
	}
	return r;
}

/* 1: the tree is a file that is stored as one. */
static int is_rope(struct odb *odb, const struct oid *oid,
		   const struct tree *tree)
{
	uint32_t mode = MODE_TREE;
	int r = contents_may_be_rope(tree) ?
		contents_recognise(odb, oid, &mode, NULL) : 0;

	return r < 0 ? r : mode != MODE_TREE;
}

static int compare_trees(struct odb *odb, const struct oid *from,
			 const struct oid *to, unsigned int depth,
			 struct delta **ret_delta)
{
	scoped_tree struct tree *a = NULL, *b = NULL;
	struct delta *delta;
	int r = tree_read(odb, from, &a);

	if (r == 0)
		r = tree_read(odb, to, &b);
	if (r == 0 && depth)
		r = is_rope(odb, from, a);
	if (r == 0 && depth)
		r = is_rope(odb, to, b);
	if (r == 0 && depth > TREE_DEPTH_MAX)
		r = -EUCLEAN;
	if (r)
		return r;
	delta = delta_new(false);
	if (!delta)
		return -ENOMEM;
	delta->oid = oid_is_zero(to) ? oid_empty_tree : *to;
	r = compare_entries(odb, a, b, depth, delta);
	if (r < 0) {
		delta_free(delta);
		return r;
	}
	*ret_delta = delta;
	return 0;
}

int delta_between(struct odb *odb, const struct oid *from, const struct oid *to,
		  struct delta **ret_delta)
{
	if (oid_equal(from, to)) {
		struct delta *delta = delta_new(false);

		if (!delta)
			return -ENOMEM;
		delta->oid = oid_is_zero(to) ? oid_empty_tree : *to;
		*ret_delta = delta;
		return 0;
	}
	return compare_trees(odb, from, to, 0, ret_delta);
}

/* ---- walking ---- */

/* What is below a directory that is not complete has its own say. */
static bool is_same(const struct delta_entry *entry)
{
	return entry->same && (entry->kind != DELTA_DIRECTORY ||
			       entry->directory->complete);
}

/* As Git sees it. */
static int visit_entry(const struct delta_entry *entry, const char *path,
		       delta_visit *visit, void *context)
{
	struct delta_entry gone = *entry;

	if (!delta_entry_is_own(entry))
		return visit(context, path, entry);
	gone.kind = DELTA_REMOVED;
	return visit(context, path, &gone);
}

static int walk(const struct delta *delta, struct buffer *path,
		delta_visit *visit, void *context)
{
	scoped_free struct delta_entry **sorted = sort(delta, compare_paths);
	size_t length = path->length;
	int r = sorted ? 0 : -ENOMEM;

	for (size_t i = 0; i < delta->count && r == 0; i++) {
		const struct delta_entry *entry = sorted[i];

		if (is_same(entry))
			continue;
		r = buffer_puts(path, entry->name);
		if (r < 0)
			return r;
		if (entry->kind != DELTA_DIRECTORY ||
		    (entry->directory->complete && !entry->directory->count)) {
			r = visit_entry(entry, path->data, visit, context);
		} else {
			r = buffer_puts(path, "/");
			if (r == 0)
				r = walk(entry->directory, path, visit, context);
		}
		path->length = length;
	}
	return r;
}

int delta_walk(const struct delta *delta, delta_visit *visit, void *context)
{
	scoped_buffer struct buffer path = { 0 };

	return walk(delta, &path, visit, context);
}
