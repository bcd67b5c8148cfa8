/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_INDEX_H
#define STORE_GIT_INDEX_H

#include "store/git_repo.h"

#include <sys/stat.h>

/* An index file (gitformat-index(5)) that lies outside of a repository's own
 * folders. */

/* What the work tree has.  Asked in the order of the entries. */
struct git_index_view {
	/* Whether the file of that path holds the object and nothing else, and
	 * its attributes as stat(2) gives them: 1 or 0. */
	bool (*look)(void *context, const char *path, const struct oid *oid,
		     struct stat *ret);
	/* Whether what is stored at that path is there, but is shown in another
	 * way than as a file of that path: 1 or 0; an error ends all. */
	int (*is_hidden)(void *context, const char *path);
	void *context;
};

/* Brings the index at path from one tree to another, both in the repository:
 * paths in which these differ become what `to` has; what else was staged stays
 * staged.  from NULL, or an index that is absent or cannot be read: it becomes
 * what `to` has.  Entries without attributes get those that look gives, and with
 * all every other one too, so that Git need not read the files.
 *
 * Those that are hidden get Git's skip-worktree bit, which has it take them for
 * present and unchanged, and no others have it.  Where these are all that may be
 * another way, from and to being the same, nothing is written unless they are.
 *
 * As in Git, what was changed within this second gets no attributes: nobody could
 * tell whether it is changed again.
 * -EBUSY: another program has it locked, or it holds conflicts of a merge; it is
 * as it was then.  -ENOENT: a tree is not there; -ENOMEM, -ENOSPC, -EIO, errors
 * of is_hidden. */
int git_index_bring(struct git_repo *repo, const char *path,
		    const struct oid *from, const struct oid *to, bool all,
		    const struct git_index_view *view, bool *ret_has_hidden);

/* An index as it was when it was read.  -ENOENT, -EUCLEAN and the like. */
struct git_index_times;
int git_index_times_read(const char *path, struct git_index_times **ret);
void git_index_times_free(struct git_index_times *times);	/* accepts NULL */
/* Whether that object is staged at that path with attributes of a file, and when
 * that file had been changed last (st_ctim). */
bool git_index_times_find(struct git_index_times *times, const char *path,
		    const struct oid *oid, struct timespec *ret);

#endif
