/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_UNPACK_H
#define STORE_GIT_UNPACK_H

#include "store/oid.h"

/* Writes a blob to fd at its current position with `git cat-file`, which does
 * not hold it whole, as libgit2 would.  The hash is checked when fd is a
 * regular file that was empty.  -EIO, -EUCLEAN, -ENOSPC; blocks. */
int git_unpack(const char *git_dir, const struct oid *oid, int fd);

#endif
