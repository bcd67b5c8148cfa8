/* SPDX-License-Identifier: ISC */
#include "store/local_merge_private.h"
#include "store/tree.h"

#include <errno.h>

static const struct local_ref no_table;

bool local_is_own_directory(const struct local *row)
{
	return local_is_own_row(row) &&
	       (row->bits & (LOCAL_EMPTY | LOCAL_OWN_BELOW));
}

/* Whether Git has something in it or not. */
static bool is_directory(const struct local *row)
{
	return row && ((row->bits & (LOCAL_EMPTY | LOCAL_OWN_BELOW |
				     LOCAL_TABLE | LOCAL_BELOW)) ||
		       ((row->bits & LOCAL_ATTRIBUTES) && S_ISDIR(row->mode)));
}

const struct local_ref *local_table_of(const struct local *row)
{
	return row && (row->bits & LOCAL_TABLE) ? &row->table : &no_table;
}

mode_t local_type_of(uint32_t mode)
{
	return mode == MODE_SYMLINK ? S_IFLNK : mode_is_file(mode) ? S_IFREG :
								     S_IFDIR;
}

/* Forgets what a row says of another object than the one that Git has. */
void local_check_row(struct local **row, const struct object *object)
{
	struct local *local = *row;

	if (!local || !object->mode)
		return;
	if (((local->bits & LOCAL_ATTRIBUTES) &&
	     (local->mode & S_IFMT) != local_type_of(object->mode)) ||
	    ((local->bits & (LOCAL_TABLE | LOCAL_BELOW)) &&
	     local_type_of(object->mode) != S_IFDIR)) {
		local_free(STEAL(*row));
		return;
	}
	if ((local->bits & LOCAL_GIT) && !local_is_of(local, &object->oid))
		local->bits &= ~(LOCAL_TIMES | LOCAL_GROUP);
}

/* Whether all that a table has and Git has not are directories, and empty but
 * for each other; known: and rows of that table as well (else NULL).  1 or 0. */
struct emptiness {
	struct odb *odb;
	const struct local_ref *known;
	unsigned int depth;
};

static int is_empty(const struct emptiness *e, const struct local_ref *table);

static int check_empty(void *context, const char *name, struct local *row)
{
	const struct emptiness *e = context;
	scoped_local struct local *local = row, *known = NULL;
	struct emptiness below = { .odb = e->odb, .depth = e->depth + 1 };
	int r;

	if (!local_is_own_row(local))
		return 0;
	if (!local_is_own_directory(local))
		return 1;
	r = e->known ? local_table_find(e->odb, e->known, name, &known) : 0;
	if (r == -ENOENT || (r == 0 && e->known && !is_directory(known)))
		return 1;
	if (e->known)
		below.known = local_table_of(known);
	if (r == 0)
		r = is_empty(&below, local_table_of(local));
	return r < 0 ? r : !r;
}

static int is_empty(const struct emptiness *e, const struct local_ref *table)
{
	int r = e->depth > TREE_DEPTH_MAX ? -EUCLEAN :
		local_table_each(e->odb, table, check_empty, (void *)e);

	return r < 0 ? r : !r;
}

int local_has_only_empty(const struct merging *m, const struct local *row)
{
	const struct emptiness e = { .odb = m->merge->local };

	return is_empty(&e, local_table_of(row));
}

/* The same, and the ancestor had them. */
int local_has_only_known(const struct merging *m, const struct local *row,
			 const struct local *base)
{
	const struct emptiness e = {
		.odb = m->merge->local, .known = local_table_of(base),
	};

	return is_directory(base) ? is_empty(&e, local_table_of(row)) : 0;
}
