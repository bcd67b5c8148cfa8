/* SPDX-License-Identifier: ISC */
#include "store/engine_private.h"

#include <errno.h>
#include <string.h>

/* ---- cuts ---- */

struct cut *cut_new(size_t count)
{
	struct cut *cut = calloc(1, sizeof(*cut));

	if (!cut)
		return NULL;
	cut->records = calloc(count ? count : 1, sizeof(*cut->records));
	if (!cut->records) {
		free(cut);
		return NULL;
	}
	cut->count = count;
	return cut;
}

void cut_free(struct cut *cut)
{
	if (!cut)
		return;
	for (size_t i = 0; i < cut->count; i++) {
		struct record *record = &cut->records[i];

		free(record->name);
		free(record->trailers);
		delta_free(record->delta);
		commit_free(record->commit);
		conflict_report_free(record->conflicts);
	}
	free(cut->records);
	free(cut->folded);
	free(cut->needed);
	free(cut);
}

int engine_cut(struct engine *engine, struct cut *cut, uint64_t *ret_sequence)
{
	SCOPED_LOCK(&engine->lock);

	if (engine->readonly || engine->dead || !engine->running) {
		cut_free(cut);
		return -EROFS;
	}
	cut->next = cut->next_held = NULL;
	cut->held = cut->error = 0;
	cut->journaled = false;
	cut->first = cut->sequence = ++engine->last_sequence;
	if (engine->last)
		engine->last->next = cut;
	else
		engine->first = cut;
	engine->last = cut;
	if (!engine->next_frame)
		engine->next_frame = cut;
	engine->stats.cuts++;
	engine->stats.queued++;
	*ret_sequence = cut->sequence;
	engine_schedule_locked(engine, cut);
	return 0;
}

/* ---- waiting ---- */

/* A held cut of that sequence, or NULL. */
static const struct cut *find_held_locked(const struct engine *e,
					  uint64_t sequence)
{
	const struct cut *cut = e->held;

	while (cut && cut->sequence < sequence)
		cut = cut->next_held;
	return cut && cut->first <= sequence ? cut : NULL;
}

/* One that keeps the branch (0: any) from being published up to sequence, or
 * NULL. */
static const struct cut *find_held_of_locked(const struct engine *e,
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

/* Returns with the lock, or without it when another made the cut durable. */
static int wait_locked(struct engine *e, uint64_t sequence, bool *ret_locked)
{
	uint64_t begun = e->begun;	/* what mended it came before */
	int r = 0;

	if (sequence > e->last_sequence)
		return -EINVAL;
	while (r == 0 && *ret_locked) {
		const struct cut *held = NULL;

		if (is_durable_locked(e, sequence, &held) && !held)
			return 0;
		if (held && e->attempts > begun)
			return held->error;
		if (!held && engine_can_lead_locked(e))
			engine_lead_locked(e);
		else if (!held && (e->leading || e->exclusive) && !e->dead)
			*ret_locked = !engine_follow_locked(e, sequence);
		else
			r = wait_for_thread_locked(e, sequence, begun);
	}
	return r;
}

int engine_wait(struct engine *engine, uint64_t sequence)
{
	bool locked = true;
	int r;

	pthread_mutex_lock(&engine->lock);
	r = wait_locked(engine, sequence, &locked);
	if (locked)
		pthread_mutex_unlock(&engine->lock);
	return r;
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
			held = find_held_of_locked(e, branch, sequence);
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
	    find_held_of_locked(engine, branch, sequence))
		return false;
	b = table_find(engine->table, branch);
	if (!b)
		return false;
	*ret_head = b->head;
	return true;
}

/* ---- failing ---- */

/* What was flushed is unknown: the kernel reports a failed write once and may
 * drop the data, so that a second flush which succeeds proves nothing. */
void engine_die(struct engine *e, const char *what, int error)
{
	struct report why = { "" };
	SCOPED_LOCK(&e->lock);

	if (e->dead)
		return;
	report_set(&why, 0, "writing %s failed (%s), so that nobody knows what "
		   "is on the disk: the store is read-only until it is "
		   "unmounted and mounted again; what was not acknowledged is "
		   "lost", what, strerror(-error));
	log_error("%s", why.text);
	e->dead = error;
	e->why = why;
	engine_wake_locked(e);
}

/* ---- asking ---- */

int engine_table(struct engine *engine, struct table **ret_table)
{
	SCOPED_LOCK(&engine->lock);
	struct table *copy = table_copy(engine->table);

	if (!copy)
		return -ENOMEM;
	*ret_table = copy;
	return 0;
}

uint64_t engine_new_incarnation(struct engine *engine)
{
	SCOPED_LOCK(&engine->lock);

	return engine->next_incarnation++;
}

/* What concerns one branch alone. */
static int branch_state_locked(struct engine *engine, uint64_t branch,
			       struct report *report)
{
	const struct cut *held = find_held_of_locked(engine, branch, UINT64_MAX);

	if (held && held->journaled)
		return report_set(report, held->error, "its changes cannot be "
			"put into Git: %s; they are safe in the journal and it "
			"is tried again", strerror(-held->error));
	if (held)
		return report_set(report, held->error, "its changes cannot be "
			"committed: %s; they wait, and are lost if the store "
			"is closed", strerror(-held->error));
	for (size_t i = 0; i < engine->stuck_count; i++)
		if (engine->stuck[i].branch == branch)
			return report_set(report, engine->stuck[i].error, "%s",
					  engine->stuck[i].why.text);
	return 0;
}

int engine_state(struct engine *engine, uint64_t branch, struct report *report)
{
	SCOPED_LOCK(&engine->lock);

	if (engine->dead || engine->readonly)
		return report_set(report, -EROFS, "%s", engine->why.text);
	if (engine->error)
		return report_set(report, engine->error, "%s",
				  engine->why.text);
	return branch ? branch_state_locked(engine, branch, report) : 0;
}

void engine_get_stats(struct engine *engine, struct engine_stats *ret)
{
	struct journal_stats journal = { 0 };
	SCOPED_LOCK(&engine->lock);

	*ret = engine->stats;
	if (engine->journal)
		journal_get_stats(engine->journal, &journal);
	ret->journal_bytes = journal.bytes;
}
