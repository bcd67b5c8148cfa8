/* SPDX-License-Identifier: ISC */
#ifndef FS_HANDLE_H
#define FS_HANDLE_H

#include "fs/private.h"

/* What one open of a control file keeps.  Other opens keep nothing. */
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
};

struct handle *handle_new(struct fs *fs);	/* NULL: no memory */
void handle_free(struct fs *fs, struct handle *h);	/* accepts NULL */
void handles_release(struct fs *fs);		/* frees all */

static inline struct handle *handle_of(const struct fuse_file_info *info)
{
	return (struct handle *)(uintptr_t)info->fh;
}

#endif
