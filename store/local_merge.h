/* SPDX-License-Identifier: ISC */
#ifndef STORE_LOCAL_MERGE_H
#define STORE_LOCAL_MERGE_H

#include "store/delta.h"
#include "store/local_table.h"

/* Three-way merge of local faces; ours is the target.
 *
 *   What theirs brings comes with all that is known of it there, but hard links:
 *   their other names may be in parts of theirs that do not come.
 *   What both have gets the mode and owner, the extended attributes and, if its
 *   contents are the same, the time of modification that theirs alone has
 *   changed, each as a whole; ours stays where both did.  What Git sees changed
 *   has the time of the merge.
 *   Empty directories come and go as theirs made and removed them, unless ours
 *   did.  What else Git does not have comes where ours has nothing, and
 *   never goes.
 * Where the common ancestor's face is not known, ours stays, and nothing that Git
 * does not have goes.
 *
 * Costs O(differences of base and theirs x log rows), and what delta has; of
 * directories with hard links that come, O(rows). */

struct local_merge {
	struct odb *odb, *local;
	/* Roots.  base zero: it is not known; theirs zero: there is none, as of
	 * what comes from outside, and only what is in the way is found out. */
	struct oid base, ours, theirs;
	struct oid ours_tree, theirs_tree;
};

/* Adds to delta, which leads from ours_tree to the merge of both, what becomes of
 * the local face of ours: facts of entries, and entries for what Git does not see
 * changed (struct delta_entry: local, same, merged).
 * -EEXIST: delta would put something where ours has something else that Git does
 * not have, at *ret_path (the caller frees it).  delta is of no use then, nor
 * after errors, which are those of local_table_change, odb_flush and
 * delta_between. */
int local_merge(const struct local_merge *merge, struct delta *delta,
		char **ret_path);

/* ---- facts of one entry (local_merge_facts.c) ---- */

struct local_sides {
	const struct local *base, *ours, *theirs;	/* NULL: no row */
	bool has_base;			/* the ancestor's face is known */
	bool replaced;			/* what Git has of ours becomes another */
	bool is_theirs;			/* Git has of it what theirs has */
};

/* Facts of what both sides have, of one kind, but for those about what is below
 * it, which are ours'.  *ret_changed: other than those of ours.  -ENOMEM. */
int local_merge_facts(const struct local_sides *sides, struct local **ret,
		      bool *ret_changed);

#endif
