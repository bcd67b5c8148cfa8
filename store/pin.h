/* SPDX-License-Identifier: ISC */
#ifndef STORE_PIN_H
#define STORE_PIN_H

#include "store/git_repo.h"

/* Keeps objects safe from `git gc --prune=now` without a ref that a clone or a
 * mirror push would carry: a commit whose parents are `commits` and whose tree
 * holds `blobs`, as detached HEAD of a private, locked pseudo work tree
 * (worktrees/irminfs: HEAD, commondir, gitdir, locked). */

/* Replaces the pin, durably; nothing to pin removes it.  Duplicates and zero ids
 * are ignored; an object that is missing is logged and left out, since a pin of
 * it would break `git gc`.  One call at a time.  Errors of odb_write. */
int pin_update(struct git_repo *repo, const struct oid *commits,
	       size_t commit_count, const struct oid *blobs, size_t blob_count);

/* Keeps these too, at a cost that does not depend on what is pinned: by a commit on
 * top of the last, which stays reachable until pin_update.  -ENOENT: there is no pin
 * that can be read; errors of pin_update. */
int pin_extend(struct git_repo *repo, const struct oid *commits,
	       size_t commit_count, const struct oid *blobs, size_t blob_count);

#endif
