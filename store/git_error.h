/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_ERROR_H
#define STORE_GIT_ERROR_H

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

/* 0, or -ENOMEM where there is so little memory that libgit2 is not to be asked: in
 * walks of the history and configuration files a failed allocation crashes it, and
 * objects that it finds no memory to look for it takes for missing. */
int git_memory_check(void);

/* Its sentence; valid until the thread's next call into libgit2. */
const char *git_error_text(void);

#endif
