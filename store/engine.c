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
	const struct cut *held = engine_find_held_locked(engine, branch, UINT64_MAX);

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
