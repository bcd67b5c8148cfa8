/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_REFS_H
#define STORE_GIT_REFS_H

#include "store/git_repo.h"

/* Private to store/git_*.c: refs as files. */

/* What a ref's own file, or its line in packed-refs, says. */
struct ref_value {
	bool is_loose;
	char *target;		/* of a symbolic ref, or NULL; owned */
	struct oid oid;
};

/* Without following symbolic refs.  -ENOENT; -EUCLEAN: broken (logged). */
int ref_read_value(struct git_repo *repo, const char *name,
		   struct ref_value *ret);

/* Name of what a chain of symbolic refs ends in, which need not exist; a new
 * allocation.  -EUCLEAN: it does not end. */
int ref_follow(struct git_repo *repo, const char *name, char **ret_name);

/* 0, -EINVAL, -ENAMETOOLONG. */
int ref_check_name(const char *name);

#endif
