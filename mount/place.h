/* SPDX-License-Identifier: ISC */
#ifndef MOUNT_PLACE_H
#define MOUNT_PLACE_H

#include "store/util.h"

#include <jansson.h>

/* Paths inside a mount: which branch, which revision, which file. */

struct place {
	char *branch;		/* NULL: not in a branch */
	char *revision;		/* of a revision view, as Git writes it */
	char *prefix;		/* path below either: "" or "a/b/" */
};
void place_release(struct place *place);

/* Takes apart path (below the root of the mount, with or without a slash at the
 * ends).  branches: the reply to {"do": "branches"}.  Neither branch nor
 * revision is an answer too.  -ENOMEM. */
int place_find(const char *path, const json_t *branches,
	       struct place *ret_place);

/* Whether some branch of the reply has exactly that name. */
bool place_has_branch(const json_t *branches, const char *name);

/* Path of operand, named from within prefix, below the branch, without "." and
 * ".." and without slashes at the ends; NULL: it leads out of the branch, or no
 * memory.  The caller frees it. */
char *place_path(const char *prefix, const char *operand);

#endif
