/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_HASH_H
#define STORE_GIT_HASH_H

#include "store/odb.h"

/* The id that Git gives to an object (collision-detecting SHA-1).  -ENOMEM;
 * -EUCLEAN: the data is an attempted collision. */
int git_hash(enum object_type type, const void *data, size_t size,
	     struct oid *ret_oid);

/* libgit2 is counted in and out; every module that uses it does so. */
void git_library_begin(void);
void git_library_end(void);

/* Enough of it to merge texts, for ever: memory.  The whole reads all certificates
 * of the system, which takes longer than merging a file. */
void git_library_begin_small(void);

#endif
