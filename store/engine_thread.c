/* SPDX-License-Identifier: ISC */
#include "store/engine_private.h"

#include <errno.h>
#include <string.h>

#define DELAY_MOST 16		/* seconds between own retries */
#define TEND_SECONDS 1

/* ---- failing ---- */

/* What was flushed is unknown: the kernel reports a failed write once and may
 * drop the data, so that a second flush which succeeds proves nothing. */
static void die(struct engine *e, const char *what, int error)
{
	struct report why = { "" };

	if (e->dead)
		return;
	report_set(&why, 0, "writing %s failed (%s), so that nobody knows what "
		   "is on the disk: the store is read-only until it is "
		   "unmounted and mounted again; what was not acknowledged is "
		   "lost", what, strerror(-error));
	log_error("%s", why.text);
	pthread_mutex_lock(&e->lock);
	e->dead = error;
	e->why = why;
	pthread_mutex_unlock(&e->lock);
}

static int check(struct engine *e, const char *what, int r)
{
	if (r < 0 && !engine_is_transient(r))
		die(e, what, r);
	return r;
}

static int write_table(struct engine *e, const struct table *table)
{
	scoped_buffer struct buffer text = { 0 };
	int r = table_encode(table, &text);

	if (r < 0)
		return r;
	return e->storage->ops->table_write(e->storage, text.data, text.length);
}

int engine_store_table(struct engine *e, const struct table *table,
		       bool unwritten)
{
	int r = odb_flush(e->odb);

	r = check(e, "objects", r);
	if (r == 0)
		r = check(e, "the pin", engine_pin_more(e, table, unwritten));
	if (r == 0)
		r = check(e, "the branch table", write_table(e, table));
	if (r == 0)
		e->unrecorded = false;
	return r;
}

/* ---- a batch ---- */

static void tell_published(struct cut *first, uint64_t through)
{
	for (struct cut *cut = first;; cut = cut->next) {
		if (!cut->held && cut->published)
			cut->published(cut->context, cut);
		if (cut->sequence == through)
			return;
	}
}

/* Takes the cuts up to through that are not held out of the queue; they stay
 * linked by next.  Returns the first of them. */
static struct cut *take_out_locked(struct engine *e, uint64_t through)
{
	struct cut *taken = NULL, **taken_end = &taken;
	struct cut *last = NULL, **link = &e->first;

	while (*link && (*link)->sequence <= through) {
		struct cut *cut = *link;

		if (cut->held) {
			last = cut;
			link = &cut->next;
			continue;
		}
		*link = cut->next;
		cut->next = NULL;
		*taken_end = cut;
		taken_end = &cut->next;
	}
	if (!*link)
		e->last = last;
	return taken;
}

static void set_table_locked(struct engine *e, struct table *table)
{
	table_free(e->table);
	e->table = table;
}

/* Says what failed, unless that is known from the attempt before. */
static void log_outcome(struct engine *e, struct cut *first, uint64_t through,
			int r)
{
	if (r < 0) {
		if (r != e->error && !e->dead)
			log_error("changes cannot be committed: %s; they wait, "
				  "and it is tried again", strerror(-r));
		return;
	}
	for (struct cut *cut = first;; cut = cut->next) {
		const struct table_branch *b = cut->count
			? table_find(e->table, cut->records[0].branch) : NULL;

		if (cut->held && cut->error != cut->held)
			log_error("changes of branch %s cannot be committed: "
				  "%s; they and what builds on them wait, and "
				  "are lost if the store is closed",
				  b ? b->name : "(new)", strerror(-cut->held));
		if (cut->sequence == through)
			return;
	}
}

/* What stays in the queue has failed. */
static void set_outcome_locked(struct engine *e, uint64_t through, int r)
{
	bool failed = r < 0;

	for (struct cut *cut = e->first; cut && cut->sequence <= through;
	     cut = cut->next) {
		cut->error = r < 0 ? r : cut->held;
		failed = true;
	}
	e->error = r;
	if (!e->dead) {
		e->why = (struct report){ "" };
		if (r < 0)
			report_set(&e->why, 0, "changes cannot be committed: "
				   "%s; they wait, and it is tried again",
				   strerror(-r));
	}
	if (failed)
		e->stats.failures++;
	e->delay = !failed ? 0 : e->delay < DELAY_MOST / 2 ?
			   2 * e->delay + 1 : DELAY_MOST;
	if (through > e->tried)
		e->tried = through;
	e->attempts++;
}

/* Stuck branches are pinned as soon as they are known to be; if that fails it is
 * tried again with their refs. */
static void pin_stuck(struct engine *e, const struct table *table)
{
	int r = 0;

	if (e->stuck_count)
		r = engine_pin_more(e, table, false);
	if (r == 0)
		r = engine_pin_less(e, table, false);
	check(e, "the pin", r);
}

/* Applies, stores and refers to what can be of the cuts up to through. */
static int do_batch(struct engine *e, struct cut *first, uint64_t through,
		    struct table **ret_table, size_t *ret_applied,
		    uint64_t *ret_commits)
{
	struct table *table;
	int r = engine_apply(e, first, through, &table, ret_applied,
			     ret_commits);

	if (r < 0)
		return r;
	pthread_mutex_lock(&e->lock);
	table->next_incarnation = e->next_incarnation;
	pthread_mutex_unlock(&e->lock);
	if (*ret_applied) {
		r = engine_store_table(e, table, false);
		if (r < 0) {
			table_free(table);
			return r;
		}
		engine_write_refs(e, table, true);
		pin_stuck(e, table);
		odb_settle(e->odb);
		tell_published(first, through);
	}
	*ret_table = table;
	return 0;
}

static void free_cuts(struct cut *cut)
{
	while (cut) {
		struct cut *next = cut->next;

		cut_free(cut);
		cut = next;
	}
}

static void attempt(struct engine *e, struct cut *first, uint64_t through)
{
	struct table *table = NULL;
	struct cut *taken = NULL;
	uint64_t commits = 0;
	size_t applied = 0;
	int r = do_batch(e, first, through, &table, &applied, &commits);

	log_outcome(e, first, through, r);
	pthread_mutex_lock(&e->lock);
	if (r == 0 && applied) {
		taken = take_out_locked(e, through);
		set_table_locked(e, STEAL(table));
		e->stats.cuts += applied;
		e->stats.queued -= applied;
		e->stats.commits += commits;
		e->stats.flushes++;
	}
	set_outcome_locked(e, through, r);
	pthread_cond_broadcast(&e->done);
	pthread_mutex_unlock(&e->lock);
	table_free(table);
	free_cuts(taken);
}

/* ---- besides cuts ---- */

static void retry_refs(struct engine *e)
{
	struct table *table = table_copy(e->table);

	if (!table)
		return;
	engine_write_refs(e, table, false);
	pin_stuck(e, table);
	pthread_mutex_lock(&e->lock);
	set_table_locked(e, table);
	pthread_mutex_unlock(&e->lock);
}

void engine_tend(struct engine *e)
{
	if (e->dead || e->readonly)
		return;
	if (e->refs_wait)
		retry_refs(e);
	if (e->unrecorded &&
	    check(e, "the branch table", write_table(e, e->table)) == 0)
		e->unrecorded = false;
	if (!e->unrecorded && !e->dead)
		check(e, "the pin", engine_pin_less(e, e->table, true));
}

/* ---- the thread ---- */

enum task { TASK_CUTS, TASK_TEND, TASK_END };

static bool is_past(const struct timespec *time)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > time->tv_sec || (now.tv_sec == time->tv_sec &&
					     now.tv_nsec >= time->tv_nsec);
}

static void set_after(struct timespec *time, unsigned int seconds)
{
	clock_gettime(CLOCK_MONOTONIC, time);
	time->tv_sec += seconds;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec
				      : a->tv_nsec < b->tv_nsec;
}

void engine_tend_later(struct engine *e)
{
	e->tend_at = (struct timespec){ 0 };
	if (e->refs_wait || e->unrecorded || e->pins_loose)
		set_after(&e->tend_at, TEND_SECONDS);
}

/* Until work comes or the next thing is due. */
static void sleep_locked(struct engine *e)
{
	const struct timespec *until = NULL;

	if (e->first && !e->dead)
		until = &e->retry_at;
	if (e->tend_at.tv_sec && !e->dead &&
	    (!until || is_before(&e->tend_at, until)))
		until = &e->tend_at;
	if (until)
		pthread_cond_timedwait(&e->work, &e->lock, until);
	else
		pthread_cond_wait(&e->work, &e->lock);
}

static enum task next_task_locked(struct engine *e, bool *tried_at_stop)
{
	for (;;) {
		bool waiting = e->first && !e->dead;

		if (waiting && (e->last_sequence > e->tried || e->retry ||
				(e->stop ? !*tried_at_stop
					 : is_past(&e->retry_at)))) {
			*tried_at_stop = e->stop;
			e->retry = false;
			return TASK_CUTS;
		}
		if (e->stop)
			return TASK_END;
		if (e->tend_at.tv_sec && !e->dead && is_past(&e->tend_at))
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
		struct cut *first, *folded = NULL;
		uint64_t through = e->last ? e->last->sequence : 0;

		if (e->error == -ENOSPC || e->error == -EDQUOT)
			folded = engine_fold_locked(e);
		first = e->first;
		pthread_mutex_unlock(&e->lock);
		free_cuts(folded);
		if (task == TASK_CUTS)
			attempt(e, first, through);
		else
			engine_tend(e);
		pthread_mutex_lock(&e->lock);
		set_after(&e->retry_at, e->delay);
		engine_tend_later(e);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}
