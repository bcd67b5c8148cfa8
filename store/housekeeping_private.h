/* SPDX-License-Identifier: ISC */
#ifndef STORE_HOUSEKEEPING_PRIVATE_H
#define STORE_HOUSEKEEPING_PRIVATE_H

#include "store/housekeeping.h"

/* Inside of housekeeping.h. */

struct housekeeping {
	struct git_repo *repo;
	housekeeping_name *name;	/* NULL: nothing is dropped */
	void *context;
	clock_function *clock;
	pthread_t thread;
	struct timespec spares;		/* the thread's: not tended before that */
	struct timespec rest;		/* the thread's: nothing before that */
	unsigned int failures;		/* the thread's; in a row */
	char said[160];			/* the thread's: what git said last of
					 * a failure */
	bool urgent;			/* the thread's: no low priority */

	pthread_mutex_t lock;		/* leaf; guards what follows */
	pthread_cond_t wake;
	bool stop;
	unsigned int made;		/* packs since the last look */
	unsigned int pauses;
	pid_t child;			/* leads its process group; 0: none.  Is
					 * waited for under the lock */
};

/* git-config(1): one thread, bounded memory, nothing that serves others. */
#define HOUSEKEEPING_MODEST						       \
	"-c", "pack.threads=1", "-c", "pack.windowMemory=32m",		       \
	"-c", "pack.deltaCacheSize=32m", "-c", "core.bigFileThreshold=16m",    \
	"-c", "repack.writeBitmaps=false", "-c", "pack.writeBitmaps=false",    \
	"-c", "repack.updateServerInfo=false", "-c", "gc.auto=0"

/* Runs git with arguments (ending with NULL) to its end or until h->stop; in (-1:
 * nothing) is what it reads, out (-1: nowhere) where it writes.  1: it was stopped;
 * -EAGAIN: one that another daemon has started is at work, or what
 * that has started; -EIO: it failed and h->said says why; errors of
 * posix_spawn(3). */
int housekeeping_run(struct housekeeping *h, const char *const *arguments,
		     int in, int out);

/* Merges small packs and loose objects; errors as housekeeping_run, -ENOMEM. */
int housekeeping_merge(struct housekeeping *h);

#endif
