/* SPDX-License-Identifier: ISC */
#ifndef STORE_ENGINE_REF_LIST_H
#define STORE_ENGINE_REF_LIST_H

#include "store/engine_storage.h"

/* All refs below refs/heads/, as they were at one moment. */

struct listed_ref {
	char *name;		/* without refs/heads/ */
	struct oid oid;		/* commit; zero: the ref is broken */
};

struct ref_list {
	struct listed_ref *refs;	/* by name */
	size_t count;
};

/* -ENOMEM, errors of git_refs_each. */
int ref_list_read(struct engine_storage *storage, struct ref_list *ret);
void ref_list_release(struct ref_list *list);

/* NULL: there is none of that name. */
const struct listed_ref *ref_list_find(const struct ref_list *list,
				       const char *name);

#endif
