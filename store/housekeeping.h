/* SPDX-License-Identifier: ISC */
#ifndef STORE_HOUSEKEEPING_H
#define STORE_HOUSEKEEPING_H

#include "store/git_repo.h"

/* Keeps the number of packs small and the commit-graph fresh, in the background:
 * a thread that looks when some packs were made, and runs the git program at
 * most a tenth of the time, with the lowest priority unless it fell far behind.
 *
 * If it does not collect garbage, it consolidates geometrically, as git-repack(1)
 * does with --geometric: packs that are kept stay, and no object is dropped, whether
 * something refers to it or not, nor left to a larger pack that has it as well.  The
 * repository's configuration is not changed. */

struct housekeeping;

/* repo must outlive it, and is watched for new packs.  -ENOMEM, -EAGAIN. */
int housekeeping_new(struct git_repo *repo, struct housekeeping **ret);

/* The same for a repository in which objects become garbage: all packs are merged
 * into one, and what no ref needs is dropped when it is older than an hour by
 * clock.  name is called before, to set the refs; if it fails nothing is done. */
typedef int housekeeping_name(void *context);
int housekeeping_new_collecting(struct git_repo *repo, housekeeping_name *name,
				void *context, clock_function *clock,
				struct housekeeping **ret);

/* Ends what is running, within about a second, and removes its temporary files.
 * Accepts NULL. */
void housekeeping_free(struct housekeeping *h);

/* Between these nothing is started.  What runs goes on, with its low priority: a
 * program that is stopped (SIGSTOP) stays so for ever when we are killed.  May be
 * nested; NULL is accepted.  They do not block. */
void housekeeping_pause(struct housekeeping *h);
void housekeeping_resume(struct housekeeping *h);

#endif
