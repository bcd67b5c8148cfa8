/* SPDX-License-Identifier: ISC */
#include "store/merge_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A name at which the three trees are not all the same. */
struct difference {
	const char *name;
	struct merge_sides sides;
	struct merge_object merged;
};

struct directory {
	struct tree *base, *ours, *theirs;
	struct difference *differences;		/* by strcmp of names */
	size_t count, capacity;
};

static void directory_release(struct directory *d)
{
	tree_free(d->base);
	tree_free(d->ours);
	tree_free(d->theirs);
	free(d->differences);
}

/* Tells files that are stored as trees from folders.  Errors in state->report. */
static int recognise(struct merge_state *state, struct merge_sides *sides)
{
	struct merge_object *const objects[] = {
		&sides->base, &sides->ours, &sides->theirs,
	};
	int r = 0;

	for (int i = 0; r == 0 && i < 3; i++)
		r = contents_recognise(state->context->odb, &objects[i]->oid,
				       &objects[i]->mode, NULL);
	return r;
}

bool merge_is_alike(const struct merge_sides *sides)
{
	uint32_t mode = sides->ours.mode;

	return (mode == MODE_TREE || mode_is_file(mode)) &&
	       merge_same(&sides->ours, &sides->theirs) &&
	       !merge_same(&sides->ours, &sides->base);
}

bool merge_is_settled(const struct merge_sides *sides,
		      struct merge_object *ret)
{
	if (merge_same(&sides->ours, &sides->theirs) ||
	    merge_same(&sides->base, &sides->theirs))
		*ret = sides->ours;
	else if (merge_same(&sides->base, &sides->ours))
		*ret = sides->theirs;
	else
		return false;
	return true;
}

/* ---- where we are ---- */

static int enter(struct merge_state *state, const char *name,
		 size_t *ret_length)
{
	size_t length = state->path.length;
	int r = length ? buffer_puts(&state->path, "/") : 0;

	if (r == 0)
		r = buffer_puts(&state->path, name);
	if (r == 0)
		*ret_length = length;
	return r;
}

static void leave(struct merge_state *state, size_t length)
{
	state->path.length = length;
	state->path.data[length] = '\0';
}

enum resolved { RESOLVED_NOTHING, RESOLVED_BELOW, RESOLVED_HERE };

/* Whether the path, or one below it, is among those already resolved. */
static enum resolved find_resolved(const struct merge_context *context,
				   const struct buffer *path)
{
	size_t low = 0, high = context->resolved_count;
	const char *at;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(context->resolved[middle], path->data) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	/* Names such as "d.c" sort between "d" and "d/f". */
	for (; low < context->resolved_count; low++) {
		at = context->resolved[low];
		if (strncmp(at, path->data, path->length) != 0)
			break;
		if (at[path->length] == '\0')
			return RESOLVED_HERE;
		if (at[path->length] == '/')
			return RESOLVED_BELOW;
		if (at[path->length] > '/')
			break;
	}
	return RESOLVED_NOTHING;
}

/* ---- finding the differences of three directories ---- */

/* A file and a directory of one name are apart in Git's order: each is a
 * difference of its own at first, which join() puts together. */
static int add_difference(struct directory *d, const char *name,
			  const struct merge_sides *sides)
{
	if (d->count == d->capacity) {
		size_t capacity = d->capacity ? d->capacity * 2 : 16;
		struct difference *more = reallocarray(d->differences, capacity,
						       sizeof(*more));

		if (!more)
			return -ENOMEM;
		d->differences = more;
		d->capacity = capacity;
	}
	d->differences[d->count++] = (struct difference){
		.name = name, .sides = *sides,
	};
	return 0;
}

/* Takes the entry at *next if it stands at (name, mode). */
static struct merge_object take(const struct tree *tree, size_t *next,
				const struct tree_entry *at)
{
	const struct tree_entry *entry = &tree->entries[*next];

	if (*next == tree->count ||
	    tree_compare(entry->name, entry->mode, at->name, at->mode) != 0)
		return (struct merge_object){ 0 };
	++*next;
	return (struct merge_object){ .mode = entry->mode, .oid = entry->oid };
}

static const struct tree_entry *first(const struct tree_entry *a,
				      const struct tree *tree, size_t next)
{
	const struct tree_entry *b;

	if (next == tree->count)
		return a;
	b = &tree->entries[next];
	return !a || tree_compare(b->name, b->mode, a->name, a->mode) < 0 ? b : a;
}

static int compare_names(const void *a, const void *b)
{
	const struct difference *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void put_together(struct merge_object *a, const struct merge_object *b)
{
	if (b->mode)
		*a = *b;
}

static void join(struct directory *d)
{
	size_t n = 0;

	if (d->count)
		qsort(d->differences, d->count, sizeof(*d->differences),
		      compare_names);
	for (size_t i = 0; i < d->count; i++) {
		struct difference *from = &d->differences[i], *to;

		if (n == 0 ||
		    strcmp(d->differences[n - 1].name, from->name) != 0) {
			d->differences[n++] = *from;
			continue;
		}
		to = &d->differences[n - 1];
		put_together(&to->sides.base, &from->sides.base);
		put_together(&to->sides.ours, &from->sides.ours);
		put_together(&to->sides.theirs, &from->sides.theirs);
	}
	d->count = n;
}

static int find_differences(struct directory *d)
{
	size_t base = 0, ours = 0, theirs = 0;
	const struct tree_entry *at;

	for (;;) {
		struct merge_sides sides;
		int r;

		at = first(NULL, d->base, base);
		at = first(at, d->ours, ours);
		at = first(at, d->theirs, theirs);
		if (!at)
			break;
		sides.base = take(d->base, &base, at);
		sides.ours = take(d->ours, &ours, at);
		sides.theirs = take(d->theirs, &theirs, at);
		if (merge_same(&sides.ours, &sides.theirs) &&
		    merge_same(&sides.ours, &sides.base))
			continue;
		r = add_difference(d, at->name, &sides);
		if (r < 0)
			return r;
	}
	join(d);
	return 0;
}

static int read_side(struct merge_state *state, const char *which,
		     const struct merge_object *object, struct tree **ret)
{
	static const struct oid none;
	int r = tree_read(state->context->odb,
			  object->mode == MODE_TREE ? &object->oid : &none, ret);

	if (r < 0)
		report_set(state->report, r,
			   "The folder \"%s\" of %s cannot be read: %s.",
			   state->path.data ? state->path.data : "", which,
			   strerror(-r));
	return r;
}

static int read_directory(struct merge_state *state,
			  const struct merge_sides *sides, struct directory *d)
{
	int r = read_side(state, "the common ancestor", &sides->base, &d->base);

	if (r == 0)
		r = read_side(state, "the target", &sides->ours, &d->ours);
	if (r == 0)
		r = read_side(state, "the source", &sides->theirs, &d->theirs);
	return r < 0 ? r : find_differences(d);
}

/* ---- a file on one side, a directory on the other ---- */

/* Whether a tree holds nothing but what base holds. */
static int only_removed(struct odb *odb, const struct oid *base,
			const struct oid *side, size_t level)
{
	struct tree *a = NULL, *b = NULL;
	int r = level > TREE_DEPTH_MAX ? -EUCLEAN : tree_read(odb, base, &a);

	if (r == 0)
		r = tree_read(odb, side, &b);
	if (r == 0)
		r = 1;
	for (size_t i = 0; r == 1 && i < b->count; i++) {
		const struct tree_entry *y = &b->entries[i];
		const struct tree_entry *x = tree_find(a, y->name);

		if (!x || x->mode != y->mode)
			r = 0;
		else if (oid_equal(&x->oid, &y->oid))
			continue;
		else if (x->mode != MODE_TREE)
			r = 0;
		else
			r = only_removed(odb, &x->oid, &y->oid, level + 1);
	}
	tree_free(a);
	tree_free(b);
	return r;
}

/* A directory that only lost files gives way to the file that the other side
 * put in its place; everything else is a conflict. */
static int merge_clash(struct merge_state *state,
		       const struct merge_sides *sides, struct merge_object *ret)
{
	bool is_ours = sides->ours.mode == MODE_TREE;
	const struct merge_object *directory =
		is_ours ? &sides->ours : &sides->theirs;
	int r;

	if (sides->base.mode == MODE_TREE) {
		r = only_removed(state->context->odb, &sides->base.oid,
				 &directory->oid, state->level);
		if (r < 0)
			return r;
		if (r == 1) {
			*ret = is_ours ? sides->theirs : sides->ours;
			return 0;
		}
	}
	return merge_conflict(state, sides, NULL, is_ours ?
			      "a directory here, a file there" :
			      "a file here, a directory there", ret);
}

/* ---- merging ---- */

static int merge_directory(struct merge_state *state,
			   const struct merge_sides *sides,
			   struct merge_object *ret, struct delta **ret_delta);

/* Merges what stands at state->path.  ret_below: changes in a directory that
 * ours has too, otherwise NULL. */
static int merge_name(struct merge_state *state,
		      const struct merge_sides *sides, struct merge_object *ret,
		      struct delta **ret_below)
{
	enum resolved resolved = find_resolved(state->context, &state->path);
	struct merge_sides leaves = *sides;
	const struct directory_type *type = NULL;
	bool ours, theirs, can_descend;
	int r;

	if (resolved == RESOLVED_HERE) {
		*ret = sides->theirs;
		return 0;
	}
	if (resolved == RESOLVED_NOTHING && !merge_is_alike(sides) &&
	    merge_is_settled(sides, ret))
		return 0;
	r = recognise(state, &leaves);
	if (r < 0)
		return r;
	ours = leaves.ours.mode == MODE_TREE;
	theirs = leaves.theirs.mode == MODE_TREE;
	can_descend = (ours || theirs) && (ours || !leaves.ours.mode) &&
		      (theirs || !leaves.theirs.mode);
	if (!(resolved == RESOLVED_BELOW && can_descend) &&
	    !merge_is_alike(&leaves) && merge_is_settled(&leaves, ret))
		return 0;
	r = can_descend ? merge_find_type(state, &leaves, &type) : 0;
	if (r < 0)
		return r;
	if (type)
		return merge_typed(state, type, &leaves, ret, ret_below);
	if (can_descend)
		return merge_directory(state, &leaves, ret, ret_below);
	if (ours || theirs)
		return merge_clash(state, &leaves, ret);
	/* A directory that both sides took away is no base for a file. */
	if (leaves.base.mode == MODE_TREE)
		leaves.base.mode = 0;
	return merge_leaf(state, &leaves, ret);
}

static int add_change(struct delta *delta, const char *name,
		      const struct merge_object *merged, struct delta *below)
{
	enum delta_kind kind = below ? DELTA_DIRECTORY :
			       merged->mode ? DELTA_OBJECT : DELTA_REMOVED;
	struct delta_entry *entry = delta_add(delta, kind, merged->mode, name);

	if (!entry)
		return -ENOMEM;
	entry->oid = merged->oid;
	entry->directory = below;
	return 0;
}

/* Sides are as trees have them; what was merged may be known for a rope. */
static bool is_as_stored(const struct merge_object *merged,
			 const struct merge_object *side)
{
	struct merge_object stored = {
		.mode = mode_stored(merged->mode), .oid = merged->oid,
	};

	return merge_same(&stored, side);
}

static int merge_difference(struct merge_state *state, struct difference *d,
			    struct delta *delta)
{
	scoped(delta_freep) struct delta *below = NULL;
	size_t length = 0;
	int r = enter(state, d->name, &length);

	if (r < 0)
		return r;
	r = merge_name(state, &d->sides, &d->merged, &below);
	leave(state, length);
	if (r < 0 || is_as_stored(&d->merged, &d->sides.ours))
		return r;
	/* Only a directory that stays one is changed in place. */
	if (below && (d->sides.ours.mode != MODE_TREE || !d->merged.mode)) {
		delta_free(below);
		below = NULL;
	}
	r = add_change(delta, d->name, &d->merged, below);
	if (r == 0)
		below = NULL;
	return r;
}

/* Stores ours with the differences as merged; mode 0 when nothing is left. */
static int write_directory(struct merge_state *state, const struct directory *d,
			   struct merge_object *ret)
{
	scoped_free struct tree_entry *entries = reallocarray(NULL,
			d->ours->count + d->count + 1, sizeof(*entries));
	size_t n = 0;
	int r = 0;

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < d->ours->count; i++) {
		struct difference key = { .name = d->ours->entries[i].name };

		if (!bsearch(&key, d->differences, d->count, sizeof(key),
			     compare_names))
			entries[n++] = d->ours->entries[i];
	}
	for (size_t i = 0; i < d->count; i++) {
		const struct difference *at = &d->differences[i];

		if (at->merged.mode)
			entries[n++] = (struct tree_entry){
				.mode = at->merged.mode, .oid = at->merged.oid,
				.name = at->name,
			};
	}
	ret->mode = n ? MODE_TREE : 0;
	if (n || state->level == 0)
		r = tree_write(state->context->odb, entries, n, &ret->oid);
	return r;
}

static int merge_differences(struct merge_state *state, struct directory *d,
			     struct delta *delta)
{
	int r = 0;

	state->level++;
	for (size_t i = 0; r == 0 && i < d->count; i++)
		r = merge_difference(state, &d->differences[i], delta);
	state->level--;
	return r;
}

static int merge_directory(struct merge_state *state,
			   const struct merge_sides *sides,
			   struct merge_object *ret, struct delta **ret_delta)
{
	scoped(directory_release) struct directory d = { 0 };
	scoped(delta_freep) struct delta *delta = NULL;
	int r;

	if (state->level > TREE_DEPTH_MAX)
		return report_set(state->report, -EUCLEAN,
				  "Folders are nested more than %d deep.",
				  TREE_DEPTH_MAX);
	r = read_directory(state, sides, &d);
	if (r < 0)
		return r;
	if (tree_find(d.ours, ATTRIBUTES_NAME) ||
	    tree_find(d.theirs, ATTRIBUTES_NAME))
		state->attributed = true;
	delta = delta_new(false);
	r = delta ? merge_differences(state, &d, delta) : -ENOMEM;
	if (r < 0)
		return r;
	*ret = sides->ours;
	if (delta->count)
		r = write_directory(state, &d, ret);
	if (r < 0)
		return r;
	delta->oid = ret->oid;
	*ret_delta = STEAL(delta);
	return 0;
}

/* ---- the whole ---- */

static int compare_conflicts(const void *a, const void *b)
{
	const struct conflict *x = a, *y = b;

	return strcmp(x->path, y->path);
}

int merge_trees(const struct merge_context *context, const struct oid *base,
		const struct oid *ours, const struct oid *theirs,
		struct merge_result *ret, struct report *report)
{
	struct merge_state state = {
		.context = context, .report = report,
		.types = {
			context->types[0] ? context->types[0] : ours,
			context->types[1] ? context->types[1] : theirs,
		},
		.irmin = irmin_cache_new(),
		.attributed = context->types[0],
	};
	struct merge_sides sides = {
		.base = { .mode = MODE_TREE, .oid = *base },
		.ours = { .mode = MODE_TREE, .oid = *ours },
		.theirs = { .mode = MODE_TREE, .oid = *theirs },
	};
	struct merge_object merged;
	int r = !state.irmin ? -ENOMEM :
		merge_directory(&state, &sides, &merged, &state.result.changes);

	if (r == 0 && state.attributed)
		r = merge_keep_types(&state, ours, theirs, &merged.oid);
	merge_revived_free(&state);
	irmin_cache_free(state.irmin);
	buffer_release(&state.path);
	if (r < 0) {
		merge_result_release(&state.result);
		return r;
	}
	if (state.result.conflict_count)
		qsort(state.result.conflicts, state.result.conflict_count,
		      sizeof(*state.result.conflicts), compare_conflicts);
	state.result.tree = merged.oid;
	*ret = state.result;
	return 0;
}
