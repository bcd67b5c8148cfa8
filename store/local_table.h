/* SPDX-License-Identifier: ISC */
#ifndef STORE_LOCAL_TABLE_H
#define STORE_LOCAL_TABLE_H

#include "store/local.h"

/* Tables of facts by name, stored as local_format.h says.
 *
 * Errors of all: those of odb_read and tree_decode; -EUCLEAN: not a table;
 * -ENOTSUP: of a newer version; -ENOMEM; and of those that write, of
 * odb_write. */

/* Calls visit for each row, in no order.  local is visit's.  A nonzero return
 * ends the walk and is returned. */
typedef int local_visit(void *context, const char *name, struct local *local);
int local_table_each(struct odb *odb, const struct local_ref *table,
		     local_visit *visit, void *context);

/* The same, but goes on with what can be read: problem is called for each object
 * that cannot, and ends the walk by a nonzero return, which is returned. */
typedef int local_problem(void *context, const struct oid *oid, int error);
int local_table_check(struct odb *odb, const struct local_ref *table,
		      local_visit *visit, local_problem *problem,
		      void *context);

/* The row of that name, for the caller to free.  -ENOENT. */
int local_table_find(struct odb *odb, const struct local_ref *table,
		     const char *name, struct local **ret_local);

/* Calls visit for each name whose rows in two tables differ (NULL: it has none),
 * with the row of a third one, which is not looked at otherwise.  Rows are
 * visit's.  What is equal in both is not read, so that it costs
 * O(differences x log rows).  Return as of local_table_each. */
typedef int local_compare_visit(void *context, const char *name,
				struct local *from, struct local *to,
				struct local *other);
int local_table_compare(struct odb *odb, const struct local_ref *from,
			const struct local_ref *to,
			const struct local_ref *other,
			local_compare_visit *visit, void *context);

/* What a name becomes; NULL: its row goes, if there is one. */
struct local_change {
	const char *name;	/* not owned; */
	const struct local *local;
};

/* Stores the table with changes (of distinct names; they are sorted).  ret_own:
 * how many rows are own (local_is_own).
 * O(changes x log rows). */
int local_table_change(struct odb *odb, const struct local_ref *table,
		       struct local_change *changes, size_t count,
		       struct local_ref *ret_table, uint64_t *ret_own);

/* Makes the table one in which no row is a hard link, nor any below it.
 * O(rows of directories that have some). */
int local_table_part(struct odb *odb, struct local_ref *table);

/* ---- roots ---- */

/* Facts of a branch's root directory; a zero id gives none: -ENOENT. */
int local_root_read(struct odb *odb, const struct oid *root,
		    struct local **ret_local);
int local_root_write(struct odb *odb, const struct local *local,
		     struct oid *ret_root);

#endif
