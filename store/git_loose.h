/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_LOOSE_H
#define STORE_GIT_LOOSE_H

#include <git2.h>

/* libgit2's backend for loose objects, with reading and writing of our own.
 * libgit2 1.5 loops for ever on a file that is cut off, as a power failure
 * leaves it, writes beyond its buffer when the file states too small a size, and
 * forgets why a write failed.
 *
 * Functions return codes of libgit2. */

/* A whole object database of the folder "objects": packs, loose objects,
 * alternates, commit-graph.  compression: zlib's level. */
int git_loose_database(const char *objects_dir, int compression,
		       git_odb **ret_odb);

/* The loose objects alone, or the packs alone, of one folder. */
int git_loose_only(const char *objects_dir, int compression, git_odb **ret_odb,
		   git_odb_backend **ret_backend);
int git_packs_only(const char *objects_dir, git_odb **ret_odb);

#endif
