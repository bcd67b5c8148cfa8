/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_FLUSH_H
#define STORE_GIT_FLUSH_H

#include "store/oid.h"
#include "store/util.h"

/* Which loose objects (blobs too large for packs in memory) are new since the last
 * flush, and the flush itself: a few are flushed one by one, with their folders,
 * more by syncfs of the file system that holds them. */

#define FLUSH_SINGLY 16

struct git_flush {
	pthread_mutex_t lock;		/* guards what follows; not held in flushes */
	pthread_cond_t ended;
	bool running;			/* some thread flushes what it took */
	int broken;			/* error of a failed flush; never mended */
	bool many;			/* more than fit in objects */
	size_t count;
	struct oid objects[FLUSH_SINGLY];
	const char *objects_dir;
	int dir_fd;			/* folder "objects", open since the begin:
					 * syncfs reports errors since then */
};

/* objects_dir: borrowed.  Errors of open(2). */
int git_flush_init(struct git_flush *f, const char *objects_dir);
void git_flush_release(struct git_flush *f);

/* The object has been written, or was found, and must be flushed. */
void git_flush_note(struct git_flush *f, const struct oid *oid);

/* What was noted before the call is durable when it returns; -EIO if not.  After a
 * flush that the disk refused, all fail: the kernel has forgotten the data, so that
 * trying again would only seem to help. */
int git_flush_run(struct git_flush *f);

#endif
