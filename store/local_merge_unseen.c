/* SPDX-License-Identifier: ISC */
#include "store/local_merge_private.h"
#include "store/tree.h"

#include <errno.h>

/* What theirs changed that Git knows nothing of: facts of what both have, and what
 * Git does not have. */

static struct delta_entry *add(struct work *w, enum delta_kind kind,
			       uint32_t mode, const struct rows *rows)
{
	struct delta_entry *entry = delta_add(w->delta, kind, mode, rows->name);

	if (entry) {
		entry->same = true;
		entry->merged = DELTA_MERGED;
	}
	return entry;
}

/* Ours has it, and Git has it of ours. */
static int merge_file(struct work *w, const struct rows *rows,
		      const struct object *ours, const struct object *theirs)
{
	scoped_local struct local *local = NULL;
	struct delta_entry *entry;
	bool changed;
	int r;

	if (!theirs->mode ||
	    local_type_of(theirs->mode) != local_type_of(ours->mode))
		return 0;
	r = local_both_facts(w, rows, false,
			     local_is_same_object(ours, theirs), &local,
			     &changed);
	if (r < 0 || !changed)
		return r;
	entry = add(w, DELTA_OBJECT, ours->mode, rows);
	if (!entry)
		return -ENOMEM;
	entry->oid = ours->oid;
	entry->local = STEAL(local);
	entry->merged |= DELTA_SET;
	return 0;
}

/* Both have a directory, whatever Git has of it. */
static int merge_within(struct work *w, const struct rows *rows,
			const struct object *ours, const struct object *theirs)
{
	scoped_local struct local *local = NULL;
	struct delta *below = delta_new(false);
	struct delta_entry *entry;
	uint8_t merged = 0;
	int r = below ? 0 : -ENOMEM;

	if (r == 0)
		below->oid = ours->mode ? ours->oid : oid_empty_tree;
	if (r == 0)
		r = local_set_directory(w, rows, !ours->mode, &local, &merged);
	if (r == 0)
		r = local_descend(w, rows, ours, theirs, below);
	if (r < 0 || (!below->count && !(merged & DELTA_SET))) {
		delta_free(below);
		return r;
	}
	entry = add(w, DELTA_DIRECTORY, MODE_TREE, rows);
	if (!entry) {
		delta_free(below);
		return -ENOMEM;
	}
	entry->oid = below->oid;
	entry->directory = below;
	entry->local = STEAL(local);
	entry->merged = merged;
	return 0;
}

/* Theirs has no directory where ours has one that Git does not know of. */
static int merge_vanished(struct work *w, const struct rows *rows)
{
	int r = w->m->has_base && !local_is_own_row(rows->theirs) ?
		local_has_only_known(w->m, rows->ours, rows->base) : 0;

	if (r < 1)
		return r;
	return add(w, DELTA_REMOVED, 0, rows) ? 0 : -ENOMEM;
}

/* Ours has nothing; theirs has what Git does not know of. */
static int merge_own(struct work *w, const struct rows *rows)
{
	struct delta_entry *entry;
	int r = local_has_only_known(w->m, rows->theirs, rows->base);

	if (r)		/* ours has removed it */
		return r < 0 ? r : 0;
	entry = add(w, DELTA_OBJECT, MODE_TREE, rows);
	if (!entry)
		return -ENOMEM;
	entry->oid = oid_empty_tree;
	return local_new_facts(w, rows->theirs, true, &entry->local);
}

int local_bring_own(struct work *w, struct delta_entry *entry,
		    const struct local *row)
{
	entry->kind = DELTA_REMOVED;	/* for Git; a fifo and the like */
	if (row->bits & LOCAL_OBJECT) {
		entry->kind = DELTA_OBJECT;
		entry->mode = row->object_mode;
		entry->oid = row->object;
	}
	entry->merged = DELTA_MERGED;
	return local_new_facts(w, row, false, &entry->local);
}

/* A file that Git does not have comes where ours has nothing. */
static int merge_own_file(struct work *w, const struct rows *rows)
{
	struct delta_entry *entry = add(w, DELTA_REMOVED, 0, rows);

	return entry ? local_bring_own(w, entry, rows->theirs) : -ENOMEM;
}

int local_merge_unseen(struct work *w, struct rows *rows)
{
	struct object ours, theirs;
	int r = local_look(w, w->ours, rows->name, &ours);

	if (r == 0)
		r = local_look(w, w->theirs, rows->name, &theirs);
	if (r < 0)
		return r;
	local_check_row(&rows->ours, &ours);
	local_check_row(&rows->theirs, &theirs);
	if (ours.mode && ours.mode != MODE_TREE)
		return merge_file(w, rows, &ours, &theirs);
	if (ours.mode || local_is_own_directory(rows->ours)) {
		if (theirs.mode ? theirs.mode == MODE_TREE :
				  local_is_own_directory(rows->theirs))
			return merge_within(w, rows, &ours, &theirs);
		return ours.mode || theirs.mode ? 0 : merge_vanished(w, rows);
	}
	if (local_is_own_row(rows->ours) || !local_is_own_row(rows->theirs))
		return 0;
	return local_is_own_directory(rows->theirs) ? merge_own(w, rows) :
						      merge_own_file(w, rows);
}
