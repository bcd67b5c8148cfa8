/* SPDX-License-Identifier: ISC */
#ifndef STORE_MERGE_TIMES_H
#define STORE_MERGE_TIMES_H

#include "store/git_repo.h"

/* When the two sides of a merge last changed a path: the committer's time of the
 * latest commit that a side has beyond the merge bases and whose entry at that
 * path is that of none of its parents.  The histories are read at the first
 * question, and the MERGE_TIMES_MOST latest commits of each are looked at; if none
 * of them changed it, its time is that of the earliest of these.  One thread. */
#define MERGE_TIMES_MOST 10000

struct merge_times;

/* NULL: no memory.  repo outlives it. */
struct merge_times *merge_times_new(struct git_repo *repo,
				    const struct oid *ours,
				    const struct oid *theirs);
void merge_times_free(struct merge_times *times);	/* accepts NULL */

/* Seconds; 0 where a side has no commits of its own.  O(commits x depth of path).
 * -ENOTSUP: a shallow repository; errors of git_find_merge_bases, odb_read. */
int merge_times_of(struct merge_times *times, const char *path,
		   int64_t *ret_ours, int64_t *ret_theirs);

#endif
