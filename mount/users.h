/* SPDX-License-Identifier: ISC */
#ifndef MOUNT_USERS_H
#define MOUNT_USERS_H

#include <stddef.h>

/* How many processes (of those that the caller may look into) have a working
 * directory, root, executable, open file or mapping below folder.  The first
 * few go to text, as "vim (4711), bash (4712)"; text may be NULL.  Reads links
 * in /proc only, so that it does not touch the mount. */
int users_of(const char *folder, char *text, size_t size);

#endif
