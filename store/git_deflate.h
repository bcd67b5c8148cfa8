/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_DEFLATE_H
#define STORE_GIT_DEFLATE_H

#include "store/odb.h"

/* Writing loose objects, in pieces: a temporary file ".irminfs-*" in the folder
 * of objects, renamed when it is whole, and with a second name (git_spare.h).
 * libgit2's writer forgets why a write failed. */

struct git_deflate;

/* Begins an object of size bytes; level: zlib's.  Errors of open(2), -ENOMEM. */
int git_deflate_new(const char *objects_dir, enum object_type type,
		    uint64_t size, int level, struct git_deflate **ret);

/* The next bytes.  Errors of write(2). */
int git_deflate_add(struct git_deflate *d, const void *data, size_t size);

/* Gives the file the object's name, replacing another of that name; nothing is
 * flushed.  Errors of write(2) and rename(2); -EIO: not size bytes were added. */
int git_deflate_end(struct git_deflate *d, const struct oid *oid);

/* Removes the files that a killed process of ours left.  The store's lock must be
 * held, and nothing be written yet. */
void git_deflate_recover(const char *objects_dir);

/* Removes the file unless it has been given its name; NULL is accepted. */
void git_deflate_free(struct git_deflate *d);

#endif
