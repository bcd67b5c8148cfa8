/* SPDX-License-Identifier: ISC */
#ifndef STORE_BRANCH_GATE_H
#define STORE_BRANCH_GATE_H

#include "store/engine.h"

#include <pthread.h>
#include <time.h>

/* Holds back who would cut a branch, for a short time in which somebody computes
 * from its last cut.  It opens by itself when that time is over, so nobody waits
 * for ever, whatever becomes of who closed it.
 *
 * The kernel has files and directories locked while their fsync waits here:
 * meanwhile nothing may be announced to it that needs these locks. */

struct branch_gate {
	pthread_mutex_t lock;		/* leaf; guards the rest */
	pthread_cond_t moved;
	bool closed;
	struct timespec until;		/* then it is open again */
	uint64_t openings;
	unsigned int waiting;		/* threads, for it to open */
	unsigned int passing;		/* threads that are let through */
	bool led;			/* one of the waiting ones has followers */
	struct engine_waiter *followers;
};

void gate_init(struct branch_gate *g);
void gate_release(struct branch_gate *g);

/* One thread at a time may close it.  When this returns, nobody is being let
 * through any more, unless that takes as long as it is to be closed. */
void gate_close(struct branch_gate *g, int milliseconds);
/* Does not block; nothing to do if it is open. */
void gate_open(struct branch_gate *g);
bool gate_is_closed(struct branch_gate *g);

/* Waits until it is open; who waited is let through before it closes again.
 * gate_leave follows, as soon as the cut is queued. */
void gate_enter(struct branch_gate *g);
void gate_leave(struct branch_gate *g);

/* As gate_enter, but of those who come while it is closed one waits for all.
 * False: another takes w along.  True: *ret_all is the list of w and those that
 * are taken along; what they wait for was done before. */
bool gate_enter_all(struct branch_gate *g, struct engine_waiter *w,
		    struct engine_waiter **ret_all);

#endif
