/* SPDX-License-Identifier: ISC */
#include "store/branch_gate.h"

#include "store/util.h"

#include <errno.h>
#include <utlist.h>

void gate_init(struct branch_gate *g)
{
	pthread_condattr_t monotonic;

	pthread_mutex_init(&g->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&g->moved, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

void gate_release(struct branch_gate *g)
{
	pthread_cond_destroy(&g->moved);
	pthread_mutex_destroy(&g->lock);
}

/* ---- who closes it ---- */

static bool is_closed_locked(const struct branch_gate *g)
{
	struct timespec now;

	if (!g->closed)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec != g->until.tv_sec ? now.tv_sec < g->until.tv_sec :
					       now.tv_nsec < g->until.tv_nsec;
}

/* Who waited counts as passing from here on, though the thread sleeps yet. */
static void open_locked(struct branch_gate *g)
{
	if (!g->closed)
		return;
	g->closed = false;
	g->openings++;
	g->passing += g->waiting;
	g->waiting = 0;
	pthread_cond_broadcast(&g->moved);
}

void gate_open(struct branch_gate *g)
{
	SCOPED_LOCK(&g->lock);

	open_locked(g);
}

bool gate_is_closed(struct branch_gate *g)
{
	SCOPED_LOCK(&g->lock);

	return is_closed_locked(g);
}

void gate_close(struct branch_gate *g, int milliseconds)
{
	int r = 0;
	SCOPED_LOCK(&g->lock);

	open_locked(g);
	clock_gettime(CLOCK_MONOTONIC, &g->until);
	g->until.tv_sec += milliseconds / 1000;
	g->until.tv_nsec += milliseconds % 1000 * 1000000L;
	if (g->until.tv_nsec >= 1000000000L) {
		g->until.tv_nsec -= 1000000000L;
		g->until.tv_sec++;
	}
	g->closed = true;
	while (g->passing && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&g->moved, &g->lock, &g->until);
}

/* ---- who passes it ---- */

static void enter_locked(struct branch_gate *g)
{
	uint64_t openings = g->openings;
	int r = 0;

	if (!is_closed_locked(g)) {
		g->passing++;
		return;
	}
	g->waiting++;
	while (g->openings == openings && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&g->moved, &g->lock, &g->until);
	if (g->openings == openings) {
		g->waiting--;
		g->passing++;
	}
}

void gate_enter(struct branch_gate *g)
{
	SCOPED_LOCK(&g->lock);

	enter_locked(g);
}

void gate_leave(struct branch_gate *g)
{
	SCOPED_LOCK(&g->lock);

	if (--g->passing == 0)
		pthread_cond_broadcast(&g->moved);
}

bool gate_enter_all(struct branch_gate *g, struct engine_waiter *w,
		    struct engine_waiter **ret_all)
{
	SCOPED_LOCK(&g->lock);
	bool closed = is_closed_locked(g);

	if (closed && g->led) {
		DL_APPEND(g->followers, w);
		return false;
	}
	*ret_all = NULL;
	DL_APPEND(*ret_all, w);
	g->led |= closed;
	enter_locked(g);
	if (!closed)
		return true;
	g->led = false;
	DL_CONCAT(*ret_all, g->followers);
	g->followers = NULL;
	return true;
}
