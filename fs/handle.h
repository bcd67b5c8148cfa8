/* SPDX-License-Identifier: ISC */
#ifndef FS_HANDLE_H
#define FS_HANDLE_H

#include "fs/private.h"

/* What one open of a control file, or of a directory that is no node, keeps.
 * Opens of nodes keep nothing. */
struct handle {
	struct handle *previous, *next;		/* fs->handles_lock */
	pthread_mutex_t lock;			/* guards the rest */
	/* What reading gives: a blob, or text. */
	struct contents *contents;
	struct buffer text;
	/* Text is the reply to what was written, and is read from `start`: the
	 * offset of the first read after it. */
	bool is_reply, is_started;
	uint64_t start;
	struct buffer written;			/* "message": all of it */
	/* Entries of a directory as of its first reading. */
	struct listing_entry *entries;
	size_t count, capacity;
};

struct listing_entry {
	char *name;
	mode_t type;
};

struct handle *handle_new(struct fs *fs);	/* NULL: no memory */
void handle_free(struct fs *fs, struct handle *h);	/* accepts NULL */
void handles_release(struct fs *fs);		/* frees all */

static inline struct handle *handle_of(const struct fuse_file_info *info)
{
	return (struct handle *)(uintptr_t)info->fh;
}

/* Appends an entry of a listing.  -ENOMEM. */
int handle_list(struct handle *h, const char *name, mode_t type);
void handle_clear_list(struct handle *h);

#endif
