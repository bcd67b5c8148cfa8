/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_INDEX_H
#define STORE_GIT_INDEX_H

#include "store/git_repo.h"

#include <sys/stat.h>

/* An index file (gitformat-index(5)) that lies outside of a repository's own
 * folders. */

/* Whether the file of that path holds the object and nothing else, and its
 * attributes as stat(2) gives them: 1 or 0. */
typedef bool git_index_look(void *context, const char *path,
			    const struct oid *oid, struct stat *ret);

/* Brings the index at path from one tree to another, both in the repository:
 * paths in which these differ become what `to` has; what else was staged stays
 * staged.  from NULL, or an index that is absent or cannot be read: it becomes
 * what `to` has.  Entries without attributes get those that look gives, and with
 * all every other one too, so that Git need not read the files.
 *
 * As in Git, what was changed within this second gets none: nobody could tell
 * whether it is changed again.
 * -EBUSY: another program has it locked, or it holds conflicts of a merge; it is
 * as it was then.  -ENOENT: a tree is not there; -ENOMEM, -ENOSPC, -EIO. */
int git_index_bring(struct git_repo *repo, const char *path,
		    const struct oid *from, const struct oid *to, bool all,
		    git_index_look *look, void *context);

#endif
