/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_PENDING_H
#define STORE_GIT_PENDING_H

#include "store/odb.h"
#include "store/util.h"

/* Objects that were written and not yet flushed: in memory, for all threads to
 * read, until a flush makes one pack of them.  Of packs that are still kept from
 * git gc the ids are known here, so that those objects are not written again.
 *
 * One inner lock, a leaf: no other is taken under it. */

#define PENDING_MOST ((size_t)16 << 20)	/* bytes of objects; then flush */

struct git_pending;

/* git_dir_fd: of the repository, borrowed.  Errors of open(2), -ENOMEM. */
int git_pending_new(int git_dir_fd, struct git_pending **ret);
/* Forgets what was not flushed, and lets go of kept packs.  Accepts NULL. */
void git_pending_free(struct git_pending *p);

/* zlib's level for packs; before the first flush. */
void git_pending_set_level(struct git_pending *p, int level);

/* Whether the object is pending, or in a pack that is kept and flushed. */
bool git_pending_has(struct git_pending *p, const struct oid *oid);
/* Whether flush should come before more is added. */
bool git_pending_is_full(struct git_pending *p);

/* Takes data (from malloc) in any case.  -ENOMEM. */
int git_pending_add(struct git_pending *p, const struct oid *oid,
		    enum object_type type, void *data, size_t size);

/* -ENOENT: not in memory; it may be on the disk.  data in a new allocation that
 * ends with a NUL byte, or NULL as ret_data: only type and size.  -ENOMEM. */
int git_pending_read(struct git_pending *p, const struct oid *oid,
		     enum object_type *ret_type, void **ret_data,
		     size_t *ret_size);

/* What was added before the call is durable when it returns.  On failure it is
 * pending as before, except that after -EIO of the disk all flushes fail.
 * ret_packs (may be NULL): how many packs this object has made so far. */
int git_pending_flush(struct git_pending *p, uint64_t *ret_packs);

/* odb_settle, odb_hold and odb_release. */
void git_pending_settle(struct git_pending *p);
void git_pending_hold(struct git_pending *p);
void git_pending_release(struct git_pending *p);

/* git_packs_recover; before the first flush. */
int git_pending_recover(struct git_pending *p);

#endif
