/* SPDX-License-Identifier: ISC */
#include "store/merge_private.h"
#include "store/attribute_lines.h"
#include "store/directory_type.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Directories of a type merge as that says, without conflicts.
 *
 * Who removes or renames one takes the line away that made it one.  What the
 * other side added to it lives on all the same, and is of use only as what it
 * was: so the merge gets a line again. */

/* A directory that was of a type on the one side that has it. */
struct merge_revived {
	char *path;
	const struct directory_type *type;
};

void merge_revived_free(struct merge_state *state)
{
	for (size_t i = 0; i < state->revived_count; i++)
		free(state->revived[i].path);
	free(state->revived);
}

static int add_revived(struct merge_state *state, const char *path,
		       const struct directory_type *type)
{
	struct merge_revived *more = reallocarray(state->revived,
						  state->revived_count + 1,
						  sizeof(*more));
	char *copy = strdup(path);

	if (more)
		state->revived = more;
	if (!more || !copy) {
		free(copy);
		return -ENOMEM;
	}
	more[state->revived_count++] = (struct merge_revived){ copy, type };
	return 0;
}

/* What a tree's attributes say of a path; *ret NULL: nothing. */
static int type_in(struct merge_state *state, const struct oid *root,
		   const char *path, const struct directory_type **ret)
{
	char name[IRMIN_TYPE_SIZE];
	int r = tree_irmin_type(state->irmin, state->context->odb, root, path,
				name);

	if (r < 0)
		return report_set(state->report, r, "The type of \"%s\" cannot "
				  "be found: %s.", path, strerror(-r));
	*ret = *name ? directory_type_find(name) : NULL;
	return 0;
}

/* ---- merging one ---- */

/* A virtual base has no conflicts: there either side will do. */
int merge_find_type(struct merge_state *state, const struct merge_sides *sides,
		    const struct directory_type **ret)
{
	const char *path = state->path.data;
	int r = 0;

	*ret = NULL;
	if (!state->attributed || !state->level)
		return 0;
	r = type_in(state, state->types[0], path, ret);
	if (r < 0 || *ret)
		return r;
	if (sides->ours.mode == MODE_TREE && !state->context->depth)
		return 0;
	return type_in(state, state->types[1], path, ret);
}

int merge_typed(struct merge_state *state, const struct directory_type *type,
		const struct merge_sides *sides, struct merge_object *ret,
		struct delta **ret_delta)
{
	static const struct oid none;
	struct odb *odb = state->context->odb;
	const struct oid *base = sides->base.mode == MODE_TREE ?
			&sides->base.oid : &none;
	const struct oid *ours = sides->ours.mode ? &sides->ours.oid : &none;
	const struct oid *theirs = sides->theirs.mode ? &sides->theirs.oid :
							&none;
	struct oid merged;
	int r = type->merge(odb, base, ours, theirs, &merged);

	if (r < 0)
		return report_set(state->report, r, "The %s \"%s\" cannot be "
				  "merged: %s.", type->name, state->path.data,
				  strerror(-r));
	*ret = (struct merge_object){ 0 };
	if (oid_is_zero(&merged) || oid_equal(&merged, &oid_empty_tree))
		return 0;
	*ret = (struct merge_object){ .mode = MODE_TREE, .oid = merged };
	r = sides->ours.mode && sides->theirs.mode ? 0 :
	    add_revived(state, state->path.data, type);
	return r == 0 && sides->ours.mode ?
		delta_between(odb, ours, &merged, ret_delta) : r;
}

/* ---- those whose lines are gone ---- */

/* 1: there is a directory at that path. */
static int has_directory(struct merge_state *state, const struct oid *root,
			 const char *path)
{
	struct tree_entry e;
	int r = tree_resolve(state->context->odb, root, path, &e);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	return r < 0 ? r : e.mode == MODE_TREE;
}

struct looking {
	struct merge_state *state;
	const struct oid *side, *other;
};

/* One that was empty on the other side, and in the base, has no tree there: the
 * merge took this side's without a look at what it is. */
static int look_at_line(void *context, const char *path, const char *name)
{
	const struct looking *l = context;
	const struct directory_type *type;
	int r = has_directory(l->state, l->side, path);

	if (r < 1)
		return r;
	r = has_directory(l->state, l->other, path);
	if (r)
		return r < 0 ? r : 0;
	/* a later line may say otherwise */
	r = type_in(l->state, l->side, path, &type);
	return r == 0 && type ? add_revived(l->state, path, type) : r;
}

/* The file with attributes of a tree; *ret mode 0: there is none. */
static int find_lines(struct odb *odb, const struct oid *root,
		      struct tree_entry *ret)
{
	int r = tree_resolve(odb, root, ATTRIBUTES_NAME, ret);

	if (r == -ENOENT)
		ret->mode = 0;
	return r == -ENOENT ? 0 : r;
}

static int read_lines(struct odb *odb, const struct tree_entry *e,
		      struct buffer *ret)
{
	scoped_free void *data = NULL;
	size_t size;
	int r = 0;

	if (!e->mode)
		return 0;
	r = odb_read(odb, &e->oid, OBJECT_BLOB, &data, &size);
	return r < 0 ? r : buffer_append(ret, data, size);
}

/* What stands there may be a link, a directory, or of any size. */
static int are_lines(struct odb *odb, const struct tree_entry *e)
{
	enum object_type type;
	uint64_t size;
	int r;

	if (!e->mode)
		return 1;
	if (!mode_is_file(e->mode))
		return 0;
	r = odb_read_header(odb, &e->oid, &type, &size);
	return r < 0 ? r : size <= ATTRIBUTES_MAX;
}

static int look_at_side(struct merge_state *state, const struct oid *side,
			const struct oid *other, const struct oid *merged)
{
	struct looking looking = { state, side, other };
	struct odb *odb = state->context->odb;
	scoped_buffer struct buffer text = { 0 };
	struct tree_entry e, now;
	int r = find_lines(odb, side, &e);

	if (r == 0)
		r = find_lines(odb, merged, &now);
	/* mostly all lines are still there */
	if (r < 0 || !e.mode ||
	    (e.mode == now.mode && oid_equal(&e.oid, &now.oid)))
		return r;
	r = are_lines(odb, &e);
	if (r < 1)
		return r;
	r = read_lines(odb, &e, &text);
	return r < 0 ? r : attribute_lines_each(text.data, text.length,
						look_at_line, &looking);
}

/* ---- lines for them ---- */

static int compare_paths(const void *a, const void *b)
{
	const struct merge_revived *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* Git would not read a line that is too long. */
static int add_line(struct buffer *text, const struct merge_revived *revived)
{
	size_t length = text->length;
	int r = attribute_lines_add(text, revived->path, revived->type->name);

	if (r == -ENAMETOOLONG) {
		text->length = length;
		log_warning("the %s \"%.200s...\" stays a folder: its path is "
			    "too long for a line of " ATTRIBUTES_NAME,
			    revived->type->name, revived->path);
		r = 0;
	}
	return r;
}

/* 1: the merge has the directory, and does not say what it is. */
static int needs_line(struct merge_state *state, const struct oid *merged,
		      const char *path)
{
	const struct directory_type *type;
	int r = has_directory(state, merged, path);

	if (r == 1)
		r = type_in(state, merged, path, &type) ?: type ? 0 : 1;
	return r;
}

/* In the order of paths, which does not tell who is ours. */
static int add_lines(struct merge_state *state, const struct oid *merged,
		     struct buffer *text)
{
	const char *last = "";
	int r = 0;

	qsort(state->revived, state->revived_count, sizeof(*state->revived),
	      compare_paths);
	for (size_t i = 0; r >= 0 && i < state->revived_count; i++) {
		const struct merge_revived *at = &state->revived[i];

		if (strcmp(at->path, last) == 0)
			continue;
		last = at->path;
		r = needs_line(state, merged, at->path);
		if (r == 1)
			r = add_line(text, at);
	}
	return r < 0 ? r : 0;
}

static int replace_entry(struct odb *odb, const struct oid *root,
			 const struct tree_entry *entry, struct oid *ret)
{
	scoped_free struct tree_entry *entries = NULL;
	struct tree *tree;
	size_t n = 0;
	int r = tree_read(odb, root, &tree);

	if (r < 0)
		return r;
	entries = reallocarray(NULL, tree->count + 1, sizeof(*entries));
	r = entries ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < tree->count; i++)
		if (strcmp(tree->entries[i].name, entry->name) != 0)
			entries[n++] = tree->entries[i];
	if (r == 0) {
		entries[n++] = *entry;
		r = tree_write(odb, entries, n, ret);
	}
	tree_free(tree);
	return r;
}

/* Puts the file into the merged tree and what led to it from ours. */
static int put_lines(struct merge_state *state, const struct oid *ours,
		     struct tree_entry *lines, struct oid *merged)
{
	struct odb *odb = state->context->odb;
	struct delta *changes = state->result.changes;
	struct delta_entry *changed;
	struct tree_entry before;
	int r = find_lines(odb, ours, &before);

	if (r == 0)
		r = replace_entry(odb, merged, lines, merged);
	if (r < 0)
		return r;
	changes->oid = *merged;
	delta_remove(changes, lines->name);
	if (lines->mode == before.mode && oid_equal(&lines->oid, &before.oid))
		return 0;
	changed = delta_add(changes, DELTA_OBJECT, lines->mode, lines->name);
	if (!changed)
		return -ENOMEM;
	changed->oid = lines->oid;
	return 0;
}

static int revive(struct merge_state *state, const struct oid *ours,
		  struct oid *merged)
{
	struct odb *odb = state->context->odb;
	scoped_buffer struct buffer text = { 0 };
	struct tree_entry lines;
	size_t before;
	int r = find_lines(odb, merged, &lines);

	if (r == 0)
		r = are_lines(odb, &lines);
	if (r == 0)
		log_warning("queues that a merge brought back stay folders: the "
			    "branch's " ATTRIBUTES_NAME " is no file");
	if (r < 1)
		return r;
	r = read_lines(odb, &lines, &text);
	before = text.length;
	if (r == 0)
		r = add_lines(state, merged, &text);
	if (r < 0 || text.length == before)
		return r;
	lines.name = ATTRIBUTES_NAME;
	lines.mode = lines.mode ? lines.mode : MODE_FILE;
	r = odb_write(odb, OBJECT_BLOB, text.data, text.length, &lines.oid);
	return r < 0 ? r : put_lines(state, ours, &lines, merged);
}

int merge_keep_types(struct merge_state *state, const struct oid *ours,
		     const struct oid *theirs, struct oid *merged)
{
	int r = look_at_side(state, ours, theirs, merged);

	if (r == 0)
		r = look_at_side(state, theirs, ours, merged);
	if (r == 0 && state->revived_count)
		r = revive(state, ours, merged);
	return r < 0 ? report_set(state->report, r, "Queues that one side "
				  "removed cannot be kept: %s.",
				  strerror(-r)) : 0;
}
