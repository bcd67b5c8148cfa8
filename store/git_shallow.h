/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_SHALLOW_H
#define STORE_GIT_SHALLOW_H

#include "store/git_repo.h"

/* History of a shallow repository: commits that the file "shallow" lists have
 * parents that are not here (Git's Documentation/technical/shallow.txt).
 * libgit2 1.5 does not know that file. */

bool git_is_shallow(struct git_repo *repo);

/* Calls visit for each of them until it returns a negative number, which is the
 * result then.  -EUCLEAN: the file is damaged; -ENOMEM, errors of read_file. */
typedef int git_shallow_visit(void *context, const struct oid *oid);
int git_shallow_each(struct git_repo *repo, git_shallow_visit *visit,
		     void *context);

/* git_find_merge_bases and git_is_ancestor over what is here; -ENOTSUP when
 * what is not here could change the answer.  They read both histories down to
 * the boundary. */
int git_shallow_merge_bases(struct git_repo *repo, const struct oid *a,
			    const struct oid *b, struct oid **ret,
			    size_t *ret_count);
int git_shallow_is_ancestor(struct git_repo *repo, const struct oid *ancestor,
			    const struct oid *commit);

#endif
