/* SPDX-License-Identifier: ISC */
#ifndef STORE_ENGINE_LOCAL_H
#define STORE_ENGINE_LOCAL_H

#include "store/engine_private.h"
#include "store/local_bases.h"

/* Local faces in a batch.  All do nothing when the engine has none.
 *
 * A face that is damaged must not keep files from being stored: it begins anew
 * then, without what it knew, and the log says so. */

/* foreign: see local_store.
 *
 * The branch goes by delta (stored, or made of stored trees) from its head, a
 * commit of that time, to a commit of time `now`.  *stage is made if need be; the
 * caller frees it.  Errors that are transient. */
int engine_local_follow(struct engine *e, struct odb **stage,
			struct table_branch *branch, struct delta *delta,
			bool foreign, int64_t head_time, const struct timespec *now);

/* The same for a head that becomes another commit.  delta: to that, or NULL: it
 * is found out.  What Git does not have stays, also if the head is lost. */
int engine_local_move(struct engine *e, struct odb **stage,
		      struct table_branch *branch, const struct oid *head,
		      struct delta *delta, const struct timespec *now);

/* What becomes of the branch when another program makes that commit its head: a
 * delta for engine_local_move, or NULL: there is no face to be looked at, or it
 * is damaged.  -EEXIST: it would put something where the branch has something else
 * that Git does not have.  Errors that are transient. */
int engine_local_meet(struct engine *e, const struct table_branch *branch,
		      const struct oid *head, struct delta **ret_delta);

/* The branch remembers the face (a root; zero: nothing) of another one, which was
 * at that commit when it was made of it or got its changes (local_bases.h).  Of
 * base all but the number is set. */
int engine_local_remember(struct engine *e, struct odb **stage,
			  struct table_branch *branch,
			  const struct local_base *base,
			  const struct timespec *now);

/* Whether the branch has what Git does not have, as far as that can be read. */
bool engine_local_has_own(const struct engine *e,
			  const struct table_branch *branch);

/* Writes what of the stage (or NULL) the table names. */
int engine_local_keep(struct engine *e, struct odb *stage,
		      const struct table *table);

#endif
