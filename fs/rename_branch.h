/* SPDX-License-Identifier: ISC */
#ifndef FS_RENAME_BRANCH_H
#define FS_RENAME_BRANCH_H

#include "fs/private.h"

/* rename(2) of a branch onto another one: a merge that harms nobody who stands
 * in the target.
 *
 * A rename that replaces a directory marks the old one dead for whoever is
 * inside.  So the first RENAME is answered with ESTALE, the one error on which
 * the kernel repeats the system call, with fresh LOOKUPs of both names by the
 * same thread.  The LOOKUP of the source merges; only the parents are locked
 * then.  From there:
 *
 *   same parent    LOOKUP(source) and LOOKUP(target) answer the target's inode:
 *                  source and target are one, so rename(2) returns 0 by itself
 *   other parent   the kernel cannot move a directory while a rename between
 *                  directories is pending: both names answer one throwaway file,
 *                  and the helper process looks at the target afterwards, which
 *                  brings it back
 *   refused        LOOKUPs answer the truth, and the RENAME that follows gets
 *                  the error
 *
 * State is kept per thread that renames, from the first RENAME to the last step,
 * and dropped at any other operation of that thread.
 */

struct rename_branch;

int rename_branch_new(struct fs *fs, struct rename_branch **ret);
void rename_branch_free(struct rename_branch *r);	/* accepts NULL */

/* RENAME without flags of the branch `from` in from_dir onto the branch `to`:
 * replies, with ESTALE or an error. */
void rename_branch_begin(struct rename_branch *r, fuse_req_t req,
			 struct inode *from_dir, const char *from,
			 struct inode *to_dir, const char *to);

/* For every RENAME, before anything else: true if it ends a rename that was
 * begun; it is replied then. */
bool rename_branch_finish(struct rename_branch *r, fuse_req_t req,
			  struct inode *from_dir, const char *from,
			  struct inode *to_dir, const char *to);

/* For every LOOKUP, before anything else: true if it belongs to a rename that
 * is being repeated; it is replied then, possibly much later. */
bool rename_branch_lookup(struct rename_branch *r, fuse_req_t req,
			  struct inode *dir, const char *name);

/* For every other operation by path: the thread is not repeating. */
void rename_branch_other(struct rename_branch *r, fuse_req_t req);

#endif
