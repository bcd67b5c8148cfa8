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
		delta_free(record->delta);
		commit_free(record->commit);
		conflict_report_free(record->conflicts);
	}
	free(cut->records);
	free(cut);
}

int engine_cut(struct engine *engine, struct cut *cut, uint64_t *ret_sequence)
{
	SCOPED_LOCK(&engine->lock);

	if (engine->readonly || engine->dead || !engine->running) {
		cut_free(cut);
		return -EROFS;
	}
	cut->next = NULL;
	cut->held = cut->error = 0;
	cut->first = cut->sequence = ++engine->last_sequence;
	if (engine->last)
		engine->last->next = cut;
	else
		engine->first = cut;
	engine->last = cut;
	engine->stats.queued++;
	*ret_sequence = cut->sequence;
	pthread_cond_signal(&engine->work);
	return 0;
}

/* The cut of that sequence if it is not durable yet; otherwise NULL. */
static const struct cut *find_waiting_locked(const struct engine *engine,
					     uint64_t sequence)
{
	const struct cut *cut = engine->first;

	while (cut && cut->sequence < sequence)
		cut = cut->next;
	return cut && cut->first <= sequence ? cut : NULL;
}

static int wait_locked(struct engine *engine, uint64_t sequence)
{
	uint64_t attempts = engine->attempts;

	if (sequence > engine->last_sequence)
		return -EINVAL;
	for (;;) {
		const struct cut *cut =
			find_waiting_locked(engine, sequence);

		bool tried = cut && cut->sequence <= engine->tried;

		if (!cut)
			return 0;
		if (engine->dead)
			return engine->dead;
		if (tried && engine->attempts != attempts)
			return cut->error;
		if (!engine->running)
			return cut->error ? cut->error : -EIO;
		if (tried && !engine->retry) {
			engine->retry = true;
			pthread_cond_signal(&engine->work);
		}
		pthread_cond_wait(&engine->done, &engine->lock);
	}
}

int engine_wait(struct engine *engine, uint64_t sequence)
{
	SCOPED_LOCK(&engine->lock);

	return wait_locked(engine, sequence);
}

int engine_publish(struct engine *engine, uint64_t branch, uint64_t sequence,
		   struct oid *ret_oid)
{
	const struct table_branch *b;
	SCOPED_LOCK(&engine->lock);
	int r = wait_locked(engine, sequence);

	if (r < 0)
		return r;
	b = table_find(engine->table, branch);
	if (!b)
		return -ENOENT;
	*ret_oid = b->head;
	return 0;
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
	for (const struct cut *cut = engine->first; cut; cut = cut->next)
		if (cut->error && engine_cut_names(cut, branch))
			return report_set(report, cut->error, "its changes "
				"cannot be committed: %s; they wait, and are "
				"lost if the store is closed", strerror(-cut->error));
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
	SCOPED_LOCK(&engine->lock);

	*ret = engine->stats;
}
