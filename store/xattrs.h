/* SPDX-License-Identifier: ISC */
#ifndef STORE_XATTRS_H
#define STORE_XATTRS_H

#include "store/local.h"

/* Extended attributes of one entry as they are stored (LOCAL_XATTRS of
 * local_format.h): values without locks.  What is given is valid, as
 * local_is_xattrs says, or empty. */

/* What the kernel lets through. */
#define XATTR_NAME_MOST 255u
#define XATTR_VALUE_MOST 65536u
#define XATTR_LIST_MOST 65536u		/* bytes of all names, with their NULs */

#define XATTR_CAPABILITY "security.capability"

struct xattr {
	const char *name;		/* no NUL behind it */
	const char *value;
	size_t name_length, size;
};

/* The next one, of which *at is moved to the end; false: there is none. */
bool xattrs_next(const char **at, const char *end, struct xattr *ret);

/* false: there is none of that name. */
bool xattrs_find(const char *data, size_t size, const char *name,
		 struct xattr *ret);

/* The same with one more or another value, or, value NULL, without that name,
 * in a new allocation.  data is not NULL.  The name has at most XATTR_NAME_MOST
 * bytes.  -ENOSPC: they would be more than LOCAL_XATTRS_MOST, or more than can be
 * listed; -ENOMEM. */
int xattrs_set(const char *data, size_t size, const char *name,
	       const void *value, size_t value_size, char **ret_data,
	       size_t *ret_size);

#endif
