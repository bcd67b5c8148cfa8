/* SPDX-License-Identifier: ISC */
#include "store/contents.h"
#include "store/directory.h"
#include "store/local_merge_private.h"
#include "store/tree.h"

#include <errno.h>
#include <string.h>

static const struct local_ref no_table;
static const struct oid no_oid;

static void rows_release(struct rows *rows)
{
	free(rows->name);
	local_free(rows->base);
	local_free(rows->ours);
	local_free(rows->theirs);
}

static void work_release(struct work *w)
{
	for (size_t i = 0; i < w->count; i++)
		rows_release(&w->rows[i]);
	free(w->rows);
	tree_free(w->ours);
	tree_free(w->theirs);
}

/* ---- names ---- */

static int enter(struct merging *m, const char *name, size_t *ret_length)
{
	size_t length = m->path.length;
	int r = length ? buffer_puts(&m->path, "/") : 0;

	*ret_length = length;
	return r < 0 ? r : buffer_puts(&m->path, name);
}

/* After an error the path is where that was. */
static int leave(struct merging *m, size_t length, int r)
{
	if (r < 0)
		return r;
	m->path.length = length;
	m->path.data[length] = '\0';
	return 0;
}

int local_look(struct work *w, const struct tree *tree, const char *name,
		struct object *ret)
{
	const struct tree_entry *e = tree_find(tree, name);

	*ret = (struct object){ 0 };
	if (!e)
		return 0;
	*ret = (struct object){ e->mode, e->oid };
	return contents_recognise(w->m->merge->odb, &ret->oid, &ret->mode,
				  NULL);
}

bool local_is_same_object(const struct object *a, const struct object *b)
{
	return mode_stored(a->mode) == mode_stored(b->mode) &&
	       oid_equal(&a->oid, &b->oid);
}

/* ---- facts ---- */

/* Its rows would join what ours has of the same groups, or what a later merge
 * brings.  They are written here, as only the store of the face names tables. */
static int part_links(const struct work *w, struct local *local)
{
	struct local_ref table = local->table;
	int r;

	if (!(local->bits & LOCAL_LINKS_BELOW) || !(local->bits & LOCAL_TABLE))
		return 0;
	r = local_table_part(w->m->merge->local, &table);
	if (r < 0)
		return r;
	local_set_table(local, &table);
	w->m->has_written = true;
	return 0;
}

/* What comes from theirs as it is, with the times that it had there. */
int local_new_facts(const struct work *w, const struct local *row,
		     bool is_directory, struct local **ret)
{
	const struct timespec *below = &w->place->theirs_below;
	scoped_local struct local *local = row ? local_copy(row) : local_new();
	int r = local ? part_links(w, local) : -ENOMEM;

	if (r < 0)
		return r;
	local->bits &= ~(LOCAL_GIT | LOCAL_EMPTY | LOCAL_GROUP |
			 LOCAL_LINKS_BELOW);
	if (!(local->bits & LOCAL_TIMES))
		local->mtime = local->ctime = *below;
	local->bits |= LOCAL_TIMES;
	if (is_directory && !(local->bits & LOCAL_BELOW)) {
		local->below = *below;
		local->bits |= LOCAL_BELOW;
	}
	*ret = STEAL(local);
	return 0;
}

/* The time of its change goes with that of its modification. */
static void fill_times(const struct work *w, struct local *local)
{
	if (local->bits & LOCAL_TIMES)
		return;
	local->mtime = local->ctime = w->place->ours_below;
	local->bits |= LOCAL_TIMES;
}

int local_both_facts(const struct work *w, const struct rows *rows,
		     bool replaced, bool is_theirs, struct local **ret,
		     bool *ret_changed)
{
	const struct local_sides sides = {
		.base = rows->base, .ours = rows->ours, .theirs = rows->theirs,
		.has_base = w->m->has_base, .replaced = replaced,
		.is_theirs = is_theirs,
	};
	int r = local_merge_facts(&sides, ret, ret_changed);

	if (r == 0 && *ret_changed && !replaced)
		fill_times(w, *ret);
	return r;
}

/* ---- directories ---- */

static int merge_directory(struct merging *m, const struct place *place,
			   struct delta *delta);

static const struct oid *tree_of(const struct object *object)
{
	return object->mode == MODE_TREE ? &object->oid : &no_oid;
}

int local_descend(struct work *w, const struct rows *rows,
		  const struct object *ours, const struct object *theirs,
		  struct delta *delta)
{
	const struct place *place = w->place;
	struct place below = {
		.base = *local_table_of(rows->base),
		.ours = *local_table_of(rows->ours),
		.theirs = *local_table_of(rows->theirs),
		.ours_tree = *tree_of(ours), .theirs_tree = *tree_of(theirs),
		.ours_below = place->ours_below,
		.theirs_below = place->theirs_below,
		.depth = place->depth + 1,
	};
	size_t length;
	int r;

	if (rows->ours && (rows->ours->bits & LOCAL_BELOW))
		below.ours_below = rows->ours->below;
	if (rows->theirs && (rows->theirs->bits & LOCAL_BELOW))
		below.theirs_below = rows->theirs->below;
	r = enter(w->m, rows->name, &length);
	if (r == 0)
		r = merge_directory(w->m, &below, delta);
	return leave(w->m, length, r);
}

int local_set_directory(struct work *w, const struct rows *rows, bool needed,
			struct local **to, uint8_t *merged)
{
	scoped_local struct local *local = NULL;
	bool changed;
	int r = local_both_facts(w, rows, false, true, &local, &changed);

	if (r < 0 || (!changed && !needed))
		return r;
	*to = STEAL(local);
	*merged = DELTA_MERGED | (changed ? DELTA_SET : 0);
	return 0;
}

/* An entry becomes one of changes in a directory that ours has, whether Git knows
 * of that or not. */
static int open_entry(struct work *w, struct delta_entry *entry,
		      const struct rows *rows, const struct object *ours,
		      const struct object *theirs, const struct oid *to)
{
	bool needed = !ours->mode || oid_equal(to, &oid_empty_tree);
	int r = delta_between(w->m->merge->odb, tree_of(ours), to,
			      &entry->directory);

	if (r < 0)
		return r;
	entry->kind = DELTA_DIRECTORY;
	entry->mode = MODE_TREE;
	entry->oid = *to;
	r = local_set_directory(w, rows, needed, &entry->local,
				&entry->merged);
	return r < 0 ? r :
	       local_descend(w, rows, ours, theirs, entry->directory);
}

/* ---- what Git sees changed ---- */

static int in_the_way(struct work *w, const struct rows *rows)
{
	size_t length;
	int r = enter(w->m, rows->name, &length);

	return r < 0 ? r : -EEXIST;
}

static int bring(struct work *w, struct delta_entry *entry,
		 const struct rows *rows, const struct object *theirs)
{
	const struct object merged = { entry->mode, entry->oid };
	bool is_theirs = local_is_same_object(&merged, theirs);

	if (!w->m->has_theirs || (!rows->theirs && !is_theirs))
		return 0;
	entry->merged = DELTA_MERGED | (is_theirs ? 0 : DELTA_TOUCHED);
	return local_new_facts(w, rows->theirs, entry->mode == MODE_TREE,
			       &entry->local);
}

/* Ours has nothing of the kind. */
static int merge_new(struct work *w, struct delta_entry *entry,
		     struct rows *rows, const struct object *ours,
		     const struct object *theirs)
{
	const struct object merged = { entry->mode, entry->oid };
	struct oid to = entry->oid;
	bool own_directory = local_is_own_directory(rows->ours);
	int r;

	if (own_directory && !ours->mode && entry->mode == MODE_TREE)
		return open_entry(w, entry, rows, ours, theirs, &to);
	r = own_directory ? local_has_only_empty(w->m, rows->ours) :
			    !local_is_own_row(rows->ours);
	if (r < 1)
		return r < 0 ? r : in_the_way(w, rows);
	if (!theirs->mode)
		local_free(STEAL(rows->theirs));
	local_check_row(&rows->theirs, &merged);
	return bring(w, entry, rows, theirs);
}

static int merge_object(struct work *w, struct delta_entry *entry,
			struct rows *rows, const struct object *ours,
			const struct object *theirs)
{
	const struct object merged = { entry->mode, entry->oid };
	struct oid to = entry->oid;
	bool changed;

	if (!ours->mode ||
	    local_type_of(ours->mode) != local_type_of(entry->mode) ||
	    (entry->mode == MODE_SUBMODULE) != (ours->mode == MODE_SUBMODULE))
		return merge_new(w, entry, rows, ours, theirs);
	if (entry->mode == MODE_TREE)
		return open_entry(w, entry, rows, ours, theirs, &to);
	if (!w->m->has_theirs)
		return 0;
	local_check_row(&rows->theirs, &merged);
	entry->merged = DELTA_MERGED | DELTA_TOUCHED;
	return local_both_facts(w, rows, true,
				local_is_same_object(&merged, theirs),
				&entry->local, &changed);
}

/* It goes with the empty directories in it that the ancestor had. */
static int can_go(const struct work *w, const struct rows *rows)
{
	if (!local_is_own_directory(rows->ours))
		return 1;
	return w->m->has_base ?
		local_has_only_known(w->m, rows->ours, rows->base) : 0;
}

/* A directory that theirs keeps, though it is empty, stays, and so does one with
 * what Git does not have. */
static int merge_removed(struct work *w, struct delta_entry *entry,
			 const struct rows *rows, const struct object *ours,
			 const struct object *theirs)
{
	bool stays = theirs->mode ? theirs->mode == MODE_TREE :
				    local_is_own_directory(rows->theirs);
	int r = stays ? 0 : can_go(w, rows);

	if (r < 0)
		return r;
	if (r == 1 && !theirs->mode && local_is_own_row(rows->theirs))
		return local_bring_own(w, entry, rows->theirs);
	if (ours->mode == MODE_TREE && r == 0)
		return open_entry(w, entry, rows, ours, theirs,
				  &oid_empty_tree);
	entry->merged = DELTA_MERGED;
	if (!stays)
		return 0;
	entry->kind = DELTA_OBJECT;
	entry->mode = MODE_TREE;
	entry->oid = oid_empty_tree;
	return local_new_facts(w, rows->theirs, true, &entry->local);
}

static int merge_changes(struct work *w, struct delta_entry *entry,
			 const struct rows *rows, const struct object *ours,
			 const struct object *theirs)
{
	int r;

	if (entry->directory->complete)
		return 0;
	r = local_set_directory(w, rows, false, &entry->local, &entry->merged);
	return r < 0 ? r :
	       local_descend(w, rows, ours, theirs, entry->directory);
}

/* ---- rows of entries ---- */

static int compare_rows(const void *a, const void *b)
{
	const struct rows *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int find_row(struct work *w, const struct local_ref *table,
		    const char *name, struct local **ret)
{
	int r = local_table_find(w->m->merge->local, table, name, ret);

	return r == -ENOENT ? 0 : r;
}

/* Those that differ are known; of the others the ancestor's is theirs. */
static int find_rows(struct work *w, const char *name, struct rows *spare,
		     struct rows **ret)
{
	struct rows key = { .name = (char *)name };
	int r;

	*ret = w->count ? bsearch(&key, w->rows, w->count, sizeof(key),
				  compare_rows) : NULL;
	if (*ret)
		return 0;
	*ret = spare;
	spare->name = strdup(name);
	if (!spare->name)
		return -ENOMEM;
	r = find_row(w, &w->place->ours, name, &spare->ours);
	if (r == 0)
		r = find_row(w, &w->place->theirs, name, &spare->theirs);
	if (r < 0 || !w->m->has_base || !spare->theirs)
		return r;
	spare->base = local_copy(spare->theirs);
	return spare->base ? 0 : -ENOMEM;
}

static int merge_entry(struct work *w, struct delta_entry *entry)
{
	scoped(rows_release) struct rows spare = { 0 };
	struct object ours, theirs;
	struct rows *rows;
	int r = find_rows(w, entry->name, &spare, &rows);

	if (r == 0)
		r = local_look(w, w->ours, entry->name, &ours);
	if (r == 0)
		r = local_look(w, w->theirs, entry->name, &theirs);
	if (r < 0)
		return r;
	rows->done = true;
	local_check_row(&rows->ours, &ours);
	switch (entry->kind) {
	case DELTA_REMOVED:
		return w->m->has_theirs ?
			merge_removed(w, entry, rows, &ours, &theirs) : 0;
	case DELTA_DIRECTORY:
		local_check_row(&rows->theirs, &theirs);
		return merge_changes(w, entry, rows, &ours, &theirs);
	default:
		return merge_object(w, entry, rows, &ours, &theirs);
	}
}

/* ---- one directory ---- */

/* Elements of queues that are being made (node_shelf.c): those of theirs are not
 * ours, and ours stay. */
static bool is_shelf(const struct work *w, const char *name)
{
	return w->place->depth == 0 && strcmp(name, CONTROL_NAME) == 0;
}

static int note_difference(void *context, const char *name,
			   struct local *from, struct local *to,
			   struct local *other)
{
	struct work *w = context;
	struct rows rows = {
		.name = strdup(name), .theirs = to,
		.base = w->m->has_base ? from : NULL,
		.ours = w->m->has_base ? other : from,
	};
	size_t more = w->capacity ? 2 * w->capacity : 16;
	struct rows *grown = w->rows;

	if (is_shelf(w, name)) {
		local_free(from);
		local_free(to);
		local_free(other);
		free(rows.name);
		return 0;
	}
	if (!w->m->has_base)
		local_free(other);
	if (w->count == w->capacity) {
		grown = reallocarray(w->rows, more, sizeof(*grown));
		if (grown) {
			w->rows = grown;
			w->capacity = more;
		}
	}
	if (!grown || !rows.name) {
		rows_release(&rows);
		return -ENOMEM;
	}
	w->rows[w->count++] = rows;
	return 0;
}

static int find_differences(struct work *w)
{
	const struct place *p = w->place;
	bool has_base = w->m->has_base;
	int r = !w->m->has_theirs ? 0 :
		local_table_compare(w->m->merge->local,
				    has_base ? &p->base : &p->ours, &p->theirs,
				    has_base ? &p->ours : &no_table,
				    note_difference, w);

	if (r == 0 && w->count)
		qsort(w->rows, w->count, sizeof(*w->rows), compare_rows);
	return r;
}

static int merge_all(struct work *w)
{
	struct odb *odb = w->m->merge->odb;
	size_t count = w->delta->count;
	int r = tree_read(odb, &w->place->ours_tree, &w->ours);

	if (r == 0)
		r = tree_read(odb, &w->place->theirs_tree, &w->theirs);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = merge_entry(w, &w->delta->entries[i]);
	for (size_t i = 0; r == 0 && i < w->count; i++)
		if (!w->rows[i].done)
			r = local_merge_unseen(w, &w->rows[i]);
	return r;
}

/* 1: ours has nothing that could be in the way of what has no face. */
static int is_free(const struct merging *m, const struct place *place)
{
	struct local_ref same;
	uint64_t own;
	int r;

	if (m->has_theirs)
		return 0;
	r = local_table_change(m->merge->local, &place->ours, NULL, 0, &same,
			       &own);
	return r < 0 ? r : own == 0;
}

static int merge_directory(struct merging *m, const struct place *place,
			   struct delta *delta)
{
	scoped(work_release) struct work w = {
		.m = m, .place = place, .delta = delta,
	};
	int r = place->depth > TREE_DEPTH_MAX ? -EUCLEAN : is_free(m, place);

	if (r == 0)
		r = find_differences(&w);
	else if (r == 1)
		return 0;
	if (r < 0 || (!w.count && !delta->count))
		return r;
	return merge_all(&w);
}

/* ---- the root ---- */

static int read_root(struct odb *odb, const struct oid *root,
		     struct local **ret)
{
	int r = local_root_read(odb, root, ret);

	return r == -ENOENT ? 0 : r;
}

static int merge_root(struct merging *m, const struct rows *rows,
		      struct delta *delta)
{
	const struct local_merge *merge = m->merge;
	struct place place = {
		.base = *local_table_of(rows->base),
		.ours = *local_table_of(rows->ours),
		.theirs = *local_table_of(rows->theirs),
		.ours_tree = merge->ours_tree,
		.theirs_tree = merge->theirs_tree,
	};
	struct work w = { .m = m, .place = &place };
	int r;

	if (rows->ours)
		place.ours_below = rows->ours->below;
	if (rows->theirs)
		place.theirs_below = rows->theirs->below;
	r = local_set_directory(&w, rows, false, &delta->local, &delta->merged);
	return r < 0 ? r : merge_directory(m, &place, delta);
}

int local_merge(const struct local_merge *merge, struct delta *delta,
		char **ret_path)
{
	struct merging m = {
		.merge = merge,
		.has_theirs = !oid_is_zero(&merge->theirs),
		.has_base = !oid_is_zero(&merge->base) &&
			    !oid_is_zero(&merge->theirs),
	};
	scoped(rows_release) struct rows rows = { 0 };
	int r = read_root(merge->local, &merge->ours, &rows.ours);

	if (r == 0 && m.has_theirs)
		r = read_root(merge->local, &merge->theirs, &rows.theirs);
	if (r == 0 && m.has_base)
		r = read_root(merge->local, &merge->base, &rows.base);
	if (r == 0)
		r = merge_root(&m, &rows, delta);
	/* before a journal names it */
	if (r == 0 && m.has_written)
		r = odb_flush(merge->local);
	if (r == -EEXIST) {
		*ret_path = strdup(m.path.data);
		if (!*ret_path)
			r = -ENOMEM;
	}
	buffer_release(&m.path);
	return r;
}
