/* SPDX-License-Identifier: ISC */
#ifndef STORE_LOCAL_BASES_H
#define STORE_LOCAL_BASES_H

#include "store/local_table.h"

/* What a face remembers of faces of other branches: of the one that it was made
 * of, and of those that were merged into it, each with the commit that it went
 * with.  When that commit is the common ancestor of a merge, that face is, too.
 * They are part of the root (local_format.h). */

struct local_base {
	uint64_t number;		/* rises with time */
	uint64_t origin;		/* incarnation of the branch */
	struct oid commit;		/* that it was at */
	struct oid face;		/* a root that remembers nothing */
};

struct local_bases {
	struct local_base base[LOCAL_BASES_MOST];	/* by rising number */
	size_t count;
};

/* A zero root remembers nothing.  Errors of tree_read; -EUCLEAN. */
int local_bases_read(struct odb *odb, const struct oid *root,
		     struct local_bases *ret);

/* The root with these instead.  Errors of odb_read and odb_write, too. */
int local_bases_write(struct odb *odb, const struct oid *root,
		      const struct local_bases *bases, struct oid *ret_root);

/* The root with one more, and with what that remembers itself: of a branch at a
 * commit the newest one stays, and of too many the oldest one goes. */
int local_bases_add(struct odb *odb, const struct oid *root,
		    const struct local_base *base, struct oid *ret_root);

/* The last face that two branches have in common at a commit that is an ancestor
 * of both, or NULL: it is not known.  What a branch remembers of another one, it
 * has got up to then: so has that one, and of what both remember of a third one
 * the older one is common to both. */
const struct oid *local_bases_find(const struct local_bases *a, uint64_t a_origin,
				   const struct local_bases *b, uint64_t b_origin,
				   const struct oid *commit);

#endif
