/* SPDX-License-Identifier: ISC */
#include "store/engine_private.h"

#include <errno.h>
#include <utlist.h>

/* A held cut of that sequence, or NULL. */
static const struct cut *find_held_locked(const struct engine *e,
					  uint64_t sequence)
{
	const struct cut *cut = e->held;

	while (cut && cut->sequence < sequence)
		cut = cut->next_held;
	return cut && cut->first <= sequence ? cut : NULL;
}

const struct cut *engine_find_held_locked(const struct engine *e,
					  uint64_t branch, uint64_t sequence)
{
	for (const struct cut *cut = e->held; cut; cut = cut->next_held)
		if (cut->first <= sequence &&
		    (!branch || engine_cut_names(cut, branch)))
			return cut;
	return NULL;
}

/* Whether there is nothing to wait for; ret_held: but the cut is held back and
 * has no frame. */
static bool is_durable_locked(const struct engine *e, uint64_t sequence,
			      const struct cut **ret_held)
{
	const struct cut *held = NULL;

	if (sequence > e->journaled && sequence > e->published)
		return false;
	if (sequence <= e->published)
		held = find_held_locked(e, sequence);
	*ret_held = held && !held->journaled ? held : NULL;
	return true;
}

/* Makes the thread publish up to sequence, without waiting for it to be time. */
static void want_locked(struct engine *e, uint64_t sequence)
{
	if (e->wanted < sequence)
		e->wanted = sequence;
	e->retry = true;
	pthread_cond_signal(&e->work);
}

/* Waits for something to happen that only the thread can do.  Returns an error
 * that it met in an attempt later than number `begun`, or 0. */
static int wait_for_thread_locked(struct engine *e, uint64_t sequence,
				  uint64_t begun)
{
	if (e->dead)
		return e->dead;
	if (e->error && e->attempts > begun && sequence <= e->tried)
		return e->error;
	if (!e->running)
		return e->error ? e->error : -EIO;
	want_locked(e, sequence);
	pthread_cond_wait(&e->done, &e->lock);
	return 0;
}

/* One step: of making the cut durable, or of waiting until somebody has news.
 * ret_over: there is nothing left to wait for.  Gives up the lock meanwhile, and
 * for good (ret_locked) when another made the cut durable. */
static int step_locked(struct engine *e, const struct engine_waiter *w,
		       bool *ret_over, bool *ret_locked)
{
	const struct cut *held = NULL;

	*ret_over = is_durable_locked(e, w->sequence, &held) && !held;
	if (*ret_over)
		return 0;
	if (held && e->attempts > w->begun)
		return held->error;
	if (!held && engine_can_lead_locked(e)) {
		engine_lead_locked(e);
	} else if (!held && (e->leading || e->exclusive) && !e->dead) {
		*ret_locked = !engine_follow_locked(e, w->sequence);
		*ret_over = !*ret_locked;
	} else {
		return wait_for_thread_locked(e, w->sequence, w->begun);
	}
	return 0;
}

int engine_wait(struct engine *engine, uint64_t sequence)
{
	struct engine_waiter w = { .sequence = sequence };
	bool over = false, locked = true;
	int r = 0;

	pthread_mutex_lock(&engine->lock);
	w.begun = engine->begun;
	if (sequence > engine->last_sequence)
		r = -EINVAL;
	while (r == 0 && !over)
		r = step_locked(engine, &w, &over, &locked);
	if (locked)
		pthread_mutex_unlock(&engine->lock);
	return r;
}

/* ---- waiting without a thread for each ---- */

/* Tells those whose wait is over, in the order in which they came.  Gives up the
 * lock meanwhile. */
static void tell_locked(struct engine *e, struct engine_waiter *over, int r)
{
	struct engine_waiter *w, *next;

	pthread_mutex_unlock(&e->lock);
	DL_FOREACH_SAFE(over, w, next)
		w->done(w, r);		/* it may be gone from here on */
	pthread_mutex_lock(&e->lock);
}

static void tell_durable_locked(struct engine *e)
{
	struct engine_waiter *over = NULL, *w, *next;

	DL_FOREACH_SAFE(e->waiters, w, next) {
		const struct cut *held = NULL;

		if (!is_durable_locked(e, w->sequence, &held) || held)
			continue;
		DL_DELETE(e->waiters, w);
		DL_APPEND(over, w);
	}
	if (over)
		tell_locked(e, over, 0);
}

/* A step of the wait of the first one, who stays the first meanwhile. */
static void serve_first_locked(struct engine *e)
{
	struct engine_waiter *first = e->waiters;
	bool over = false, locked = true;
	int r = step_locked(e, first, &over, &locked);

	if (!locked)
		pthread_mutex_lock(&e->lock);
	if (!over && r == 0)
		return;
	DL_DELETE(e->waiters, first);
	first->next = NULL;
	tell_locked(e, first, r);
}

/* What can be journaled does not wait for what only the thread can do. */
static void serve_locked(struct engine *e)
{
	e->serving = true;
	while (e->waiters) {
		if (engine_can_lead_locked(e))
			engine_lead_locked(e);
		else
			serve_first_locked(e);
		tell_durable_locked(e);
	}
	e->serving = false;
}

void engine_wait_later(struct engine *engine, struct engine_waiter *waiters,
		       uint64_t sequence)
{
	struct engine_waiter *w;
	SCOPED_LOCK(&engine->lock);

	DL_FOREACH(waiters, w) {
		w->sequence = sequence;
		w->begun = engine->begun;
	}
	DL_CONCAT(engine->waiters, waiters);
	if (engine->serving)
		pthread_cond_broadcast(&engine->done);
	else
		serve_locked(engine);
}

static int wait_published_locked(struct engine *e, uint64_t branch,
				 uint64_t sequence)
{
	uint64_t begun = e->begun;	/* what mended it came before */
	int r = 0;

	if (sequence > e->last_sequence)
		return -EINVAL;
	while (r == 0) {
		const struct cut *held = NULL;

		if (sequence <= e->published) {
			held = engine_find_held_locked(e, branch, sequence);
			if (!held)
				return 0;
			if (e->attempts > begun)
				return held->error;
		}
		r = wait_for_thread_locked(e, sequence, begun);
	}
	return r;
}

int engine_publish(struct engine *engine, uint64_t branch, uint64_t sequence,
		   struct oid *ret_oid)
{
	const struct table_branch *b;
	SCOPED_LOCK(&engine->lock);
	int r = wait_published_locked(engine, branch, sequence);

	if (r < 0)
		return r;
	b = table_find(engine->table, branch);
	if (!b)
		return -ENOENT;
	*ret_oid = b->head;
	return 0;
}

int engine_publish_all(struct engine *engine)
{
	SCOPED_LOCK(&engine->lock);

	return wait_published_locked(engine, 0, engine->last_sequence);
}

bool engine_is_published(struct engine *engine, uint64_t branch,
			 uint64_t sequence, struct oid *ret_head)
{
	const struct table_branch *b;
	SCOPED_LOCK(&engine->lock);

	if (sequence > engine->published ||
	    engine_find_held_locked(engine, branch, sequence))
		return false;
	b = table_find(engine->table, branch);
	if (!b)
		return false;
	*ret_head = b->head;
	return true;
}
