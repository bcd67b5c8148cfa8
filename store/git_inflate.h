/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_INFLATE_H
#define STORE_GIT_INFLATE_H

#include "store/odb.h"

/* Reading loose objects: zlib over "TYPE SP SIZE NUL" and the data.  The file need
 * not be trusted: whatever is in it, these return, and stay inside their memory. */

/* Reads the object in fd whole; alloc gives size bytes and one more for a NUL,
 * and what it gave is ret_data's, on failure too.  -EUCLEAN: damaged, -EIO,
 * -ENOMEM. */
typedef void *inflate_alloc(void *context, size_t size);
int git_inflate(int fd, inflate_alloc *alloc, void *context,
		enum object_type *ret_type, void **ret_data, size_t *ret_size);

/* Whether it is whole, by its size and zlib's sum; needs little memory, however large
 * it is.  0; -EUCLEAN: damaged; -EIO, -ENOMEM. */
int git_inflate_check(int fd);

/* Its header alone. */
int git_inflate_header(int fd, enum object_type *ret_type, size_t *ret_size);

#endif
