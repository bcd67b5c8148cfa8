/* SPDX-License-Identifier: ISC */
#include "store/engine_private.h"

#include <errno.h>
#include <semaphore.h>

/* Group commit: who waits for a cut and finds nobody at it writes the frames of
 * all that are queued and flushes them at once; those who come meanwhile follow:
 * each waits by itself, so that the end of a flush wakes those whose cuts it made
 * durable, who go without taking the lock, and the one who leads next.  No other
 * thread has to run for a cut to be durable.  Those who leave an engine_waiter
 * instead have one thread among them that leads or follows for all. */

struct follower {
	sem_t woken;
	uint64_t sequence;
	bool durable;			/* set before it is woken */
	struct follower *next;
};

static void wake(struct engine *e, struct follower *f)
{
	f->durable = f->sequence <= e->journaled;
	sem_post(&f->woken);	/* it may be gone from here on */
}

/* Wakes those whose cuts are durable, and others, at most so many. */
static void wake_followers_locked(struct engine *e, size_t others)
{
	struct follower **at = &e->followers;

	while (*at) {
		struct follower *f = *at;

		if (f->sequence > e->journaled && others == 0) {
			at = &f->next;
			continue;
		}
		others -= f->sequence > e->journaled;
		*at = f->next;
		wake(e, f);
	}
	e->followers_end = at;
}

void engine_wake_locked(struct engine *e)
{
	wake_followers_locked(e, SIZE_MAX);
	pthread_cond_broadcast(&e->done);
}

bool engine_follow_locked(struct engine *e, uint64_t sequence)
{
	struct follower f = { .sequence = sequence };

	sem_init(&f.woken, 0, 0);
	*e->followers_end = &f;
	e->followers_end = &f.next;
	pthread_mutex_unlock(&e->lock);
	while (sem_wait(&f.woken) < 0)
		;
	sem_destroy(&f.woken);
	if (!f.durable)
		pthread_mutex_lock(&e->lock);
	return f.durable;
}

bool engine_can_lead_locked(const struct engine *e)
{
	return e->may_journal && !e->leading && !e->exclusive && !e->blocked &&
	       !e->dead && e->next_frame;
}

/* Frames for the cuts from first to last.  Returns the last one that has one, or
 * NULL; ret_blocked is the one that cannot. */
static struct cut *add_frames(struct engine *e, struct cut *first,
			      struct cut *last, struct cut **ret_blocked,
			      bool *ret_sick)
{
	struct cut *added = NULL;

	for (struct cut *cut = first;; cut = cut->next) {
		if (journal_add(e->journal, cut, ret_sick) < 0) {
			*ret_blocked = cut;
			return added;
		}
		added = cut;
		if (cut == last)
			return added;
	}
}

/* Cuts from first to through have durable frames now. */
static void note_journaled_locked(struct engine *e, struct cut *first,
				  struct cut *through)
{
	for (struct cut *cut = first;; cut = cut->next) {
		cut->journaled = true;
		e->stats.journaled++;
		if (cut == through)
			break;
	}
	e->journaled = through->sequence;
	e->next_frame = through->next;
	e->stats.flushes++;
}

static void block_locked(struct engine *e, const struct cut *cut)
{
	e->blocked = cut->sequence;
	pthread_cond_signal(&e->work);
}

void engine_lead_locked(struct engine *e)
{
	struct cut *first = e->next_frame, *last = e->last;
	struct cut *added, *blocked = NULL;
	bool sick = false;
	int r;

	e->leading = true;
	pthread_mutex_unlock(&e->lock);
	added = add_frames(e, first, last, &blocked, &sick);
	/* what was added before is dropped if a flush failed half way */
	r = sick ? -EIO : journal_flush(e->journal, &sick);
	if (sick)
		engine_die(e, "the journal", r);
	pthread_mutex_lock(&e->lock);
	e->leading = false;
	if (r == 0 && added)
		note_journaled_locked(e, first, added);
	if (r < 0)
		block_locked(e, first);
	else if (blocked)
		block_locked(e, blocked);
	wake_followers_locked(e, engine_can_lead_locked(e) ? 1 : SIZE_MAX);
	pthread_cond_broadcast(&e->done);
}
