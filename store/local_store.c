/* SPDX-License-Identifier: ISC */
#include "store/local_bases.h"
#include "store/local_store.h"
#include "store/tree.h"

#include <errno.h>

struct storing {
	struct odb *odb;
	const struct timespec *now;
	bool foreign;
};

static const struct local_ref no_table;

/* ---- rows of entries ---- */

static mode_t type_of(const struct delta_entry *entry)
{
	if (entry->kind == DELTA_DIRECTORY || entry->mode == MODE_TREE ||
	    entry->mode == MODE_SUBMODULE)
		return S_IFDIR;
	return entry->mode == MODE_SYMLINK ? S_IFLNK : S_IFREG;
}

/* The row that the name had, if it was of the same kind; otherwise an empty
 * one. */
static int find_before(struct storing *s, const struct delta_entry *entry,
		       const struct local_ref *table, struct local **ret)
{
	scoped_local struct local *before = NULL;
	int r = local_table_find(s->odb, table, entry->name, &before);

	if (r < 0 && r != -ENOENT)
		return r;
	if (before && (before->bits & LOCAL_ATTRIBUTES) &&
	    (before->mode & S_IFMT) != type_of(entry)) {
		local_free(before);
		before = NULL;
	}
	if (before && (before->bits & LOCAL_TABLE) &&
	    type_of(entry) != S_IFDIR) {
		local_free(before);
		before = NULL;
	}
	if (!before)
		before = local_new();
	*ret = STEAL(before);
	return *ret ? 0 : -ENOMEM;
}

/* Extended attributes that are many become an object, of which the facts that are
 * given learn; what is stored names it. */
static int store_far(struct storing *s, struct local *local)
{
	if (!local || !local_wants_far(local))
		return 0;
	return odb_write(s->odb, OBJECT_BLOB, local->xattrs,
			 local->xattrs_size, &local->far);
}

/* A copy of facts that are given, as they are stored. */
static int copy_facts(struct storing *s, struct local *given,
		      struct local **ret)
{
	scoped_local struct local *copy = NULL;
	int r = store_far(s, given);

	if (r < 0)
		return r;
	copy = local_copy(given);
	if (!copy)
		return -ENOMEM;
	if (local_wants_far(copy))
		local_set_far(copy, &given->far);
	*ret = STEAL(copy);
	return 0;
}

static void set_times(struct storing *s, struct local *local)
{
	local->mtime = local->ctime = *s->now;
	local->bits |= LOCAL_TIMES;
}

/* What a merge has found out, at the moment when it takes place. */
static void set_moment(struct storing *s, unsigned int merged,
		       struct local *local)
{
	if (merged & DELTA_TOUCHED)
		set_times(s, local);
	else if (merged & DELTA_SET)
		local->ctime = *s->now;
}

/* Somebody else has replaced it: only its owner's wishes stay. */
static void replace(struct storing *s, const struct delta_entry *entry,
		    struct local *local)
{
	local->bits &= LOCAL_ATTRIBUTES | LOCAL_XATTRS | LOCAL_FAR |
		       LOCAL_TABLE | LOCAL_OWN_BELOW | LOCAL_LINKS_BELOW;
	local->mode &= S_IFMT | 0777;
	set_times(s, local);
	if (entry->mode == MODE_TREE) {
		local->below = *s->now;
		local->bits |= LOCAL_BELOW;
	}
}

static int make_object(struct storing *s, const struct delta_entry *entry,
		       const struct local_ref *table, struct local **ret)
{
	struct local *local;
	int r;

	if (entry->local) {
		r = copy_facts(s, entry->local, &local);
		if (r < 0)
			return r;
		set_moment(s, entry->merged, local);
	} else {
		r = find_before(s, entry, table, &local);
		if (r < 0)
			return r;
		replace(s, entry, local);
	}
	if (entry->mode != MODE_TREE)
		local_set_git(local, &entry->oid);
	*ret = local;
	return 0;
}

/* ---- directories ---- */

static int store_directory(struct storing *s, struct delta *delta,
			   const struct local_ref *before, unsigned int depth);

/* Whether something in the directory came or went by somebody else. */
static bool is_foreign(const struct delta *delta)
{
	for (size_t i = 0; i < delta->count; i++) {
		const struct delta_entry *entry = &delta->entries[i];

		if (entry->kind != DELTA_DIRECTORY &&
		    (!entry->local || entry->merged) &&
		    !(entry->merged & DELTA_SET))
			return true;
	}
	return false;
}

static int make_directory(struct storing *s, struct delta_entry *entry,
			  const struct local_ref *table, unsigned int depth,
			  struct local **ret)
{
	scoped_local struct local *local = NULL, *own_facts = NULL;
	bool inherits = !entry->directory->complete, links;
	struct local_ref before = no_table;
	int r = find_before(s, entry, table, &local);

	if (r < 0)
		return r;
	if (inherits && (local->bits & LOCAL_TABLE))
		before = local->table;
	links = inherits && (local->bits & LOCAL_LINKS_BELOW);
	if (entry->local) {
		own_facts = STEAL(local);
		r = copy_facts(s, entry->local, &local);
		if (r < 0)
			return r;
		set_moment(s, entry->merged, local);
		if (entry->merged && is_foreign(entry->directory))
			set_times(s, local);
	} else if (!inherits) {
		replace(s, entry, local);
	} else if (is_foreign(entry->directory)) {
		set_times(s, local);
	}
	r = store_directory(s, entry->directory, &before, depth + 1);
	if (r < 0)
		return r;
	entry->table = entry->directory->table;
	local_set_table(local, &entry->table);
	entry->directory->links |= links;
	local->bits &= ~(LOCAL_EMPTY | LOCAL_OWN_BELOW | LOCAL_LINKS_BELOW);
	if (entry->directory->own)
		local->bits |= LOCAL_OWN_BELOW;
	if (entry->directory->links)
		local->bits |= LOCAL_LINKS_BELOW;
	*ret = STEAL(local);
	return 0;
}

/* ---- what Git does not have, when all else goes ---- */

static int prune(struct storing *s, const struct local_ref *table,
		 unsigned int depth, struct local_ref *ret);

struct pruning {
	struct storing *s;
	unsigned int depth;
	struct local_ref table;
};

static int prune_row(void *context, const char *name, struct local *row)
{
	struct pruning *p = context;
	scoped_local struct local *local = row;
	struct local_change change = { .name = name };
	uint64_t own;
	int r = 0;

	if (!local_is_own(local))
		return 0;
	if (local->bits & LOCAL_TABLE) {
		struct local_ref below;

		r = prune(p->s, &local->table, p->depth + 1, &below);
		if (r == 0)
			local_set_table(local, &below);
	}
	change.local = local;
	return r < 0 ? r : local_table_change(p->s->odb, &p->table, &change, 1,
					      &p->table, &own);
}

static int prune(struct storing *s, const struct local_ref *table,
		 unsigned int depth, struct local_ref *ret)
{
	struct pruning p = { .s = s, .depth = depth };
	int r = depth > TREE_DEPTH_MAX ? -EUCLEAN :
		local_table_each(s->odb, table, prune_row, &p);

	if (r == 0)
		*ret = p.table;
	return r;
}

static int keep_own(struct storing *s, const char *name,
		    const struct local_ref *table, unsigned int depth,
		    struct local **ret)
{
	scoped_local struct local *local = NULL;
	struct local_ref below;
	int r = local_table_find(s->odb, table, name, &local);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (!(local->bits & LOCAL_OWN_BELOW))
		return 0;
	r = prune(s, &local->table, depth + 1, &below);
	if (r < 0)
		return r;
	local_set_table(local, &below);
	set_times(s, local);
	*ret = STEAL(local);
	return 0;
}

/* ---- rows ---- */

/* NULL: it has none. */
static int make_row(struct storing *s, struct delta_entry *entry,
		    const struct local_ref *table, unsigned int depth,
		    struct local **ret)
{
	scoped_local struct local *local = NULL;
	bool is_tree = entry->kind == DELTA_DIRECTORY ||
		       entry->mode == MODE_TREE;
	int r;

	*ret = NULL;
	if (entry->kind == DELTA_REMOVED && entry->local &&
	    local_is_own(entry->local)) {
		*ret = local_copy(entry->local);
		return *ret ? 0 : -ENOMEM;
	}
	if (entry->kind == DELTA_REMOVED)
		return s->foreign && !entry->merged ?
			keep_own(s, entry->name, table, depth, ret) : 0;
	r = entry->kind == DELTA_DIRECTORY ?
		make_directory(s, entry, table, depth, &local) :
		make_object(s, entry, table, &local);
	if (r < 0)
		return r;
	local->bits &= ~LOCAL_EMPTY;
	if (is_tree && oid_equal(&entry->oid, &oid_empty_tree)) {
		if (entry->local)
			local->bits |= LOCAL_EMPTY;
		/* one that outsiders emptied is gone, as in Git */
		else if (!(local->bits & LOCAL_OWN_BELOW))
			return 0;
	}
	if (local->bits)
		*ret = STEAL(local);
	return 0;
}

static void free_rows(struct local_change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		local_free((struct local *)changes[i].local);
	free(changes);
}

static int store_directory(struct storing *s, struct delta *delta,
			   const struct local_ref *before, unsigned int depth)
{
	struct local_change *changes;
	uint64_t own = 0;
	size_t count = 0;
	int r = 0;

	if (depth > TREE_DEPTH_MAX)
		return -EUCLEAN;
	changes = calloc(delta->count + 1, sizeof(*changes));
	if (!changes)
		return -ENOMEM;
	for (; r == 0 && count < delta->count; count += r == 0) {
		struct local *local;

		changes[count].name = delta->entries[count].name;
		r = make_row(s, &delta->entries[count], before, depth, &local);
		if (r == 0)
			changes[count].local = local;
		if (r == 0 && local)
			delta->links |= (local->bits & (LOCAL_GROUP |
							LOCAL_LINKS_BELOW)) != 0;
	}
	if (r == 0)
		r = local_table_change(s->odb, before, changes, count,
				       &delta->table, &own);
	delta->own = own;
	free_rows(changes, count);
	return r;
}

/* ---- the root ---- */

/* Facts that the root directory has now, but for its table and the base. */
static int make_root(struct storing *s, struct delta *delta,
		     const struct oid *root, const struct timespec *base,
		     struct local **ret, struct local_ref *ret_table)
{
	scoped_local struct local *before = NULL, *local = NULL;
	int r = local_root_read(s->odb, root, &before);

	if (r < 0 && r != -ENOENT)
		return r;
	if (!before)
		before = local_new();
	if (!before)
		return -ENOMEM;
	if (!(before->bits & LOCAL_BELOW)) {
		before->below = *base;
		before->bits |= LOCAL_BELOW;
	}
	*ret_table = before->bits & LOCAL_TABLE && !delta->complete ?
		     before->table : no_table;
	if (delta->local) {
		r = copy_facts(s, delta->local, &local);
		if (r < 0)
			return r;
		local->below = before->below;
		local->bits |= LOCAL_BELOW;
		set_moment(s, delta->merged, local);
		if (delta->merged && is_foreign(delta))
			set_times(s, local);
	} else {
		local = STEAL(before);
		if (is_foreign(delta))
			set_times(s, local);
	}
	*ret = STEAL(local);
	return 0;
}

/* It remembers what the root before did. */
static int write_root(struct odb *odb, const struct local *local,
		      const struct oid *before, struct oid *ret_root)
{
	struct local_bases bases;
	struct oid root;
	int r = local_bases_read(odb, before, &bases);

	if (r == 0)
		r = local_root_write(odb, local, &root);
	if (r == 0 && bases.count)
		r = local_bases_write(odb, &root, &bases, &root);
	if (r == 0)
		*ret_root = root;
	return r;
}

int local_store(struct delta *delta, struct odb *odb, const struct oid *root,
		bool foreign, const struct timespec *base,
		const struct timespec *now, struct oid *ret_root)
{
	struct storing s = { .odb = odb, .now = now, .foreign = foreign };
	scoped_local struct local *local = NULL;
	struct local_ref before;
	int r = make_root(&s, delta, root, base, &local, &before);

	if (r == 0)
		r = store_directory(&s, delta, &before, 0);
	if (r < 0)
		return r;
	local_set_table(local, &delta->table);
	return write_root(odb, local, root, ret_root);
}
