/* SPDX-License-Identifier: ISC */
#include "store/engine_private.h"

#define DELAY_MOST 16		/* seconds between own retries */
#define TEND_SECONDS 1
#define SECOND_NS ((uint64_t)1000000000)
#define REST_MOST_NS (2 * SECOND_NS)
#define REST_FACTOR 9		/* a tenth of the time is for publishing */
#define BURST_PAUSE_NS (11 * SECOND_NS / 2)	/* without a cut by timer */
#define BURST_MOST_NS (60 * SECOND_NS)

/* ---- time ---- */

static struct timespec now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time;
}

static struct timespec after(struct timespec time, uint64_t ns)
{
	ns += time.tv_nsec;
	time.tv_sec += ns / SECOND_NS;
	time.tv_nsec = ns % SECOND_NS;
	return time;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec
				      : a->tv_nsec < b->tv_nsec;
}

static bool is_set(const struct timespec *time)
{
	return time->tv_sec || time->tv_nsec;
}

static bool is_past(const struct timespec *time)
{
	struct timespec t = now();

	return !is_before(&t, time);
}

static uint64_t ns_between(const struct timespec *a, const struct timespec *b)
{
	return (b->tv_sec - a->tv_sec) * SECOND_NS + b->tv_nsec - a->tv_nsec;
}

/* ---- when ---- */

static void set_due_locked(struct engine *e, struct timespec at)
{
	if (is_set(&e->due_at) && !is_before(&at, &e->due_at))
		return;
	e->due_at = at;
	pthread_cond_signal(&e->work);
}

/* When a cut of that time is to be published. */
static struct timespec due_after(const struct engine *e, struct timespec time)
{
	struct timespec due = after(time, e->pause_ns);

	return is_before(&due, &e->rest_until) ? e->rest_until : due;
}

/* Cuts by timer wait for the end of their burst, unless others come. */
void engine_schedule_locked(struct engine *e, const struct cut *cut)
{
	struct timespec t = now(), end;

	if (!is_set(&e->oldest_at))
		e->oldest_at = t;
	if (!cut->timer) {
		e->burst_at = (struct timespec){ 0 };
		set_due_locked(e, due_after(e, t));
		return;
	}
	if (is_set(&e->due_at) && !is_set(&e->burst_at))
		return;
	if (!is_set(&e->burst_at))
		e->burst_at = t;
	end = after(e->burst_at, BURST_MOST_NS);
	e->due_at = after(t, BURST_PAUSE_NS);
	if (is_before(&end, &e->due_at))
		e->due_at = end;
	pthread_cond_signal(&e->work);
}

static bool has_cuts(const struct engine *e)
{
	return e->first || e->held;
}

/* What has failed is tried again by itself, and when somebody waits. */
static bool is_retry_due(struct engine *e)
{
	return (e->error || e->held) && (e->retry || is_past(&e->retry_at));
}

static bool is_due_locked(struct engine *e)
{
	if (!has_cuts(e) || e->dead)
		return false;
	if (e->error)
		return is_retry_due(e);
	if (e->held && is_retry_due(e))
		return true;
	return e->first && (e->wanted > e->published || e->blocked ||
			    is_past(&e->due_at));
}

/* ---- publishing ---- */

/* Whether all that is queued must be published, with or without a frame. */
static bool needs_all_locked(const struct engine *e)
{
	return !e->may_journal || e->blocked || e->stop ||
	       e->wanted > e->journaled;
}

/* Takes what is to be published out of the queue, behind what is held. */
static struct cut *take_batch_locked(struct engine *e, uint64_t *ret_through)
{
	struct cut *batch = NULL, **end = &batch, *last = NULL;

	for (struct cut *cut = e->held; cut; cut = cut->next_held) {
		*end = cut;
		end = &cut->next;
	}
	*end = e->first;
	if (needs_all_locked(e))
		e->next_frame = NULL;
	for (; e->first && e->first != e->next_frame; e->first = e->first->next)
		last = e->first;
	if (last)
		last->next = NULL;
	else
		*end = NULL;
	if (!e->first)
		e->last = NULL;
	*ret_through = last ? last->sequence : e->published;
	return batch;
}

static void note_time_locked(struct engine *e, const struct timespec *begin,
			     const struct timespec *oldest)
{
	struct timespec end = now();
	uint64_t took = ns_between(begin, &end), most, lag;

	/* what takes longer than the usual most is a file of gigabytes */
	most = took > REST_MOST_NS / 2 ? 2 * took : REST_MOST_NS;
	e->rest_until = after(end, took * REST_FACTOR < most ?
				   took * REST_FACTOR : most);
	e->stats.publish_us += took / 1000;
	if (!is_set(oldest))
		return;
	lag = ns_between(oldest, &end) / 1000;
	e->stats.lag_us = lag;
	if (lag > e->stats.lag_most_us)
		e->stats.lag_most_us = lag;
}

/* Frames for what nobody waits for, so that writers need not be stopped while it
 * is published. */
static void journal_rest_locked(struct engine *e)
{
	bool again = !e->stop;

	while (again) {
		if (engine_can_lead_locked(e))
			engine_lead_locked(e);
		else if (e->leading && e->wanted > e->journaled)
			pthread_cond_wait(&e->done, &e->lock);
		else
			break;
		again = e->wanted > e->journaled;
	}
}

/* False: there is nothing to publish. */
static bool begin_batch_locked(struct engine *e, struct cut **ret_batch,
			       uint64_t *ret_through)
{
	journal_rest_locked(e);
	e->exclusive = needs_all_locked(e);
	while (e->exclusive && e->leading)
		pthread_cond_wait(&e->done, &e->lock);
	*ret_batch = e->dead ? NULL : take_batch_locked(e, ret_through);
	if (*ret_batch)
		return true;
	e->exclusive = false;
	engine_wake_locked(e);
	return false;
}

static void begin_turn_locked(struct engine *e)
{
	e->busy = true;
	e->turns++;
}

/* While the batch has cuts without frames nobody may write any. */
static void publish_locked(struct engine *e)
{
	struct timespec begin = now(), oldest;
	struct cut *batch;
	uint64_t through;
	bool failed, any = begin_batch_locked(e, &batch, &through);

	oldest = e->oldest_at;
	e->due_at = e->burst_at = e->oldest_at = (struct timespec){ 0 };
	if (e->first) {
		e->oldest_at = begin;
		e->due_at = due_after(e, begin);
	}
	e->retry = false;
	if (!any)
		return;
	e->begun++;
	begin_turn_locked(e);
	pthread_mutex_unlock(&e->lock);
	failed = engine_publish_batch(e, batch, through) < 0;
	if (!failed && e->journal && e->may_journal)
		journal_prepare(e->journal);
	pthread_mutex_lock(&e->lock);
	e->busy = false;
	failed |= e->held != NULL;
	e->delay = !failed ? 0 : e->delay < DELAY_MOST / 2 ?
			   2 * e->delay + 1 : DELAY_MOST;
	e->retry_at = after(now(), e->delay * SECOND_NS);
	note_time_locked(e, &begin, &oldest);
	engine_wake_locked(e);
}

/* ---- besides cuts ---- */

static void retry_refs(struct engine *e)
{
	struct table *table = table_copy(e->table);

	if (!table)
		return;
	engine_write_refs(e, table, false);
	engine_pin_stuck(e, table);
	pthread_mutex_lock(&e->lock);
	engine_set_table_locked(e, table);
	pthread_mutex_unlock(&e->lock);
}

void engine_tend(struct engine *e)
{
	if (e->dead || e->readonly)
		return;
	if (e->refs_wait)
		retry_refs(e);
	if (e->unrecorded)
		engine_record_table(e, e->table);
	if (!e->unrecorded && !e->dead)
		engine_narrow_pin(e);
}

void engine_tend_later(struct engine *e)
{
	e->tend_at = (struct timespec){ 0 };
	if (e->refs_wait || e->unrecorded || e->pins_loose)
		e->tend_at = after(now(), TEND_SECONDS * SECOND_NS);
}

/* ---- the thread ---- */

enum task { TASK_CUTS, TASK_TEND, TASK_END };

static void sooner(const struct timespec **until, const struct timespec *at)
{
	if (is_set(at) && (!*until || is_before(at, *until)))
		*until = at;
}

/* Until work comes or the next thing is due. */
static void sleep_locked(struct engine *e)
{
	const struct timespec *until = NULL;

	if (!e->dead && (e->error || e->held))
		sooner(&until, &e->retry_at);
	if (!e->dead && !e->error && e->first)
		sooner(&until, &e->due_at);
	if (!e->dead)
		sooner(&until, &e->tend_at);
	if (until)
		pthread_cond_timedwait(&e->work, &e->lock, until);
	else
		pthread_cond_wait(&e->work, &e->lock);
}

static enum task next_task_locked(struct engine *e, bool *tried_at_stop)
{
	for (;;) {
		if (is_due_locked(e))
			return TASK_CUTS;
		if (e->stop) {
			bool last = *tried_at_stop || !has_cuts(e) || e->dead;

			*tried_at_stop = true;
			return last ? TASK_END : TASK_CUTS;
		}
		if (is_set(&e->tend_at) && !e->dead && is_past(&e->tend_at))
			return TASK_TEND;
		sleep_locked(e);
	}
}

void *engine_run(void *engine)
{
	struct engine *e = engine;
	bool tried_at_stop = false;
	enum task task;

	pthread_mutex_lock(&e->lock);
	while ((task = next_task_locked(e, &tried_at_stop)) != TASK_END) {
		if (task == TASK_CUTS) {
			publish_locked(e);
		} else {
			begin_turn_locked(e);
			pthread_mutex_unlock(&e->lock);
			engine_tend(e);
			pthread_mutex_lock(&e->lock);
			e->busy = false;
			engine_wake_locked(e);
		}
		engine_tend_later(e);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}
