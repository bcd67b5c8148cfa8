/* SPDX-License-Identifier: ISC */
#ifndef STORE_DIRECTORY_TYPE_H
#define STORE_DIRECTORY_TYPE_H

#include "store/odb.h"

#include <time.h>

/* Types of directories, irmin=NAME: those whose entries are stored at other
 * paths than they are shown.
 *
 * Such a directory is a flat list of files in the order of their keys.  An
 * element of it is stored at its place, a path below the directory's tree that
 * depends on its key and its name alone; the order of the keys is that of Git's
 * paths.  Files at other paths, which plain Git put there, are foreign: shown
 * last, and kept.  Folders below the tree are no entries, only what is in them.
 * Types are static, thread-safe and registered by structures/. */

#define DIRECTORY_KEY_SIZE 64		/* with the NUL */
#define DIRECTORY_PLACE_SIZE 512

struct directory_type {
	const char *name;
	size_t name_max;		/* bytes of an element's name */
	/* The key after last ("": none), at time now and with random bits. */
	void (*next_key)(const char *last, const struct timespec *now,
			 uint32_t random, char ret_key[DIRECTORY_KEY_SIZE]);
	/* -ENAMETOOLONG, errors of tree_check_name. */
	int (*make_place)(const char *key, const char *name,
			  char ret_place[DIRECTORY_PLACE_SIZE]);
	/* ret_name points into place.  -ENOENT: that of a foreign file. */
	int (*parse)(const char *place, char ret_key[DIRECTORY_KEY_SIZE],
		     const char **ret_name);
	/* Three-way merge of stored trees (zero: none) without conflicts. */
	int (*merge)(struct odb *odb, const struct oid *base,
		     const struct oid *ours, const struct oid *theirs,
		     struct oid *ret_oid);
};

/* Call before a store is opened.  -EEXIST, -ENOSPC. */
int directory_type_register(const struct directory_type *type);

/* The type of that name, or NULL. */
const struct directory_type *directory_type_find(const char *name);

/* Whether a stored path is that of an element of some directory of a type, as far
 * as the path alone can tell: then *ret_folder bytes of it, with the slash, are
 * the directory, and ret_name, inside it, is what users see. */
bool directory_type_parse(const char *path, size_t *ret_folder,
			  const char **ret_name);

#endif
