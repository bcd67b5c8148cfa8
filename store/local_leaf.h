/* SPDX-License-Identifier: ISC */
#ifndef STORE_LOCAL_LEAF_H
#define STORE_LOCAL_LEAF_H

#include "store/local.h"

/* Leaves of tables, for local_table.c; errors as there. */

struct local_row {
	char *name;
	struct local *local;
};

struct local_rows {
	struct local_row *row;	/* by rising name */
	size_t count, capacity;
};

void local_rows_release(struct local_rows *rows);

#define scoped_rows scoped(local_rows_release)

/* Takes over name and local (from malloc; NULL: no memory), on failure too.
 * -ENOMEM. */
int local_rows_add(struct local_rows *rows, char *name, struct local *local);

/* Appends the rows of a leaf's blob. */
int local_leaf_read(struct odb *odb, const struct oid *oid,
		    struct local_rows *rows);
/* As a tree, even if it names no objects, with as_tree. */
int local_leaf_write(struct odb *odb, const struct local_row *row, size_t count,
		     bool as_tree, struct local_ref *ret);

#endif
