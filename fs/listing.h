/* SPDX-License-Identifier: ISC */
#ifndef FS_LISTING_H
#define FS_LISTING_H

#include "fs/private.h"

/* The entries of a space or a control directory at one moment.
 *
 * The kernel does not tell when a directory is opened, so that a listing that
 * takes several READDIRs has nothing to keep a snapshot in.  Entries stand in the
 * order of a cookie made of their names instead: what comes and goes meanwhile
 * leaves the places of the others as they are.
 */

struct listing_entry {
	char *name;
	mode_t type;
	uint64_t cookie;		/* below 2^62 */
};

struct listing {
	struct listing_entry *entries;
	size_t count, capacity;
};

/* Errors of store_list and irmin_list. */
int listing_read(struct fs *fs, struct inode *inode, struct listing *ret);
void listing_release(struct listing *listing);

#endif
