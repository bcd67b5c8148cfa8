/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_ERROR_H
#define STORE_GIT_ERROR_H

#include <stddef.h>

/* Errors of libgit2 as negative errno.  Both look at the calling thread's last
 * error, so they must follow the failed call at once. */

/* code: what a function of libgit2 returned; 0 and more is passed through.
 * Not found -ENOENT, exists -EEXIST, locked -EBUSY, bad or ambiguous names
 * -EINVAL, damaged data -EUCLEAN, no memory -ENOMEM, failed system calls their
 * errno, everything else -EIO. */
int git_error_to_errno(int code);

/* The same for reads of objects, as store/odb.h wants it: -EIO, -EUCLEAN or
 * -ENOMEM. */
int git_error_of_read(int code);

/* 0, or -ENOMEM where there is so little memory that libgit2 is not to be asked, or
 * not to be believed: in walks of the history and configuration files a failed
 * allocation crashes it, and objects that it finds no memory to look for it takes
 * for missing. */
#define GIT_MEMORY_TO_WALK ((size_t)1 << 20)
#define GIT_MEMORY_TO_LOOK ((size_t)16 << 20)	/* its windows on packs, too */
int git_memory_check(size_t least);

/* Its sentence; valid until the thread's next call into libgit2. */
const char *git_error_text(void);

#endif
