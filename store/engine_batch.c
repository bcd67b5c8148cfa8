/* SPDX-License-Identifier: ISC */
#include "store/engine_private.h"
#include "store/overlay.h"

#include <errno.h>
#include <string.h>

static int check(struct engine *e, const char *what, int r)
{
	if (r < 0 && !engine_is_transient(r))
		engine_die(e, what, r);
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

int engine_record_table(struct engine *e, const struct table *table)
{
	int r = check(e, "the branch table", write_table(e, table));

	if (r < 0)
		return r;
	e->unrecorded = false;
	if (!e->journal)
		return 0;
	/* frames of our epoch count from now on, and no others */
	SCOPED_LOCK(&e->lock);
	if (!e->may_journal)
		journal_settle(e->journal);
	e->may_journal = true;
	return 0;
}

int engine_store_objects(struct engine *e, const struct table *table,
			 bool unwritten)
{
	int r = e->local ? odb_flush(e->local) : 0;

	/* a pin that has to change makes them durable together with its own */
	if (r == 0)
		r = engine_pin_more(e, table, unwritten);
	if (r == 0)
		r = odb_flush(e->odb);
	return check(e, "objects", r);
}

/* Stuck branches are pinned as soon as they are known to be; if that fails it is
 * tried again with their refs. */
void engine_pin_stuck(struct engine *e, const struct table *table)
{
	int r = 0;

	if (e->stuck_count)
		r = engine_pin_more(e, table, false);
	if (r == 0)
		r = engine_pin_less(e, table, false);
	check(e, "the pin", r);
}

void engine_narrow_pin(struct engine *e)
{
	check(e, "the pin", engine_pin_less(e, e->table, true));
}

void engine_set_table_locked(struct engine *e, struct table *table)
{
	table_free(e->table);
	e->table = table;
}

/* ---- one batch ---- */

static void tell(struct cut *batch, bool published)
{
	for (struct cut *cut = batch; cut; cut = cut->next) {
		void (*function)(void *, struct cut *) =
			published ? cut->published : cut->stored;

		if (!cut->held && function)
			function(cut->context, cut);
	}
}

/* All frames that the held cut stands for. */
static int note_held(struct table *table, const struct cut *cut)
{
	int r = table_add_held(table, cut->sequence);

	for (size_t i = 0; r == 0 && i < cut->folded_count; i++)
		r = table_add_held(table, cut->folded[i]);
	return r;
}

/* What the table says of the journal when the batch is done. */
static int note_journal(struct engine *e, struct table *table,
			struct cut *batch, uint64_t through)
{
	const struct cut *queued, *last;
	int r = 0;

	table_clear_journal(table);
	table->journal.published = through;
	for (struct cut *cut = batch; cut && r == 0; cut = cut->next)
		if (cut->held && cut->journaled)
			r = note_held(table, cut);
	pthread_mutex_lock(&e->lock);
	queued = e->first;
	last = e->last;
	table->next_incarnation = e->next_incarnation;
	pthread_mutex_unlock(&e->lock);
	return r < 0 ? r : engine_note_contents(e, table, batch, queued, last);
}

/* Applies, stores and refers to what can be of the batch. */
static int do_batch(struct engine *e, struct cut *batch, uint64_t through,
		    struct table **ret_table, size_t *ret_applied,
		    uint64_t *ret_commits)
{
	struct table *table;
	int r = engine_apply(e, batch, &table, ret_applied, ret_commits);

	if (r < 0)
		return r;
	if (*ret_applied)
		r = engine_store_objects(e, table, false);
	if (r == 0 && *ret_applied)
		tell(batch, false);
	if (r == 0)
		r = note_journal(e, table, batch, through);
	if (r == 0 && (*ret_applied || e->may_journal))
		r = engine_record_table(e, table);
	if (r < 0) {
		table_free(table);
		return r;
	}
	if (*ret_applied) {
		engine_write_refs(e, table, true);
		engine_pin_stuck(e, table);
		odb_settle(e->odb);
		if (e->local)
			odb_settle(e->local);
		tell(batch, true);
	}
	*ret_table = table;
	return 0;
}

/* Says what failed, unless that is known from the attempt before. */
static void log_outcome(struct engine *e, struct cut *batch, int r)
{
	if (r < 0 && r != e->error && !e->dead)
		log_error("changes cannot be put into Git: %s; they wait, and "
			  "it is tried again", strerror(-r));
	for (struct cut *cut = batch; cut && r == 0; cut = cut->next) {
		const struct table_branch *b = cut->count
			? table_find(e->table, cut->records[0].branch) : NULL;

		if (cut->held && cut->error != cut->held)
			log_error("changes of branch %s cannot be committed: "
				  "%s; they and what builds on them wait%s",
				  b ? b->name : "(new)", strerror(-cut->held),
				  cut->journaled ? " in the journal" : ", and "
				  "are lost if the store is closed");
	}
}

/* ---- after it ---- */

static void free_cuts(struct cut *cut)
{
	while (cut) {
		struct cut *next = cut->next;

		cut_free(cut);
		cut = next;
	}
}

/* Makes e->held those that are held, or were before the batch; returns the
 * others. */
static struct cut *take_held_locked(struct engine *e, struct cut *batch)
{
	struct cut *others = NULL, **others_end = &others;
	struct cut **held_end = &e->held;

	while (batch) {
		struct cut *cut = batch;

		batch = cut->next;
		cut->next = NULL;
		if (cut->held) {
			*held_end = cut;
			held_end = &cut->next_held;
		} else {
			*others_end = cut;
			others_end = &cut->next;
		}
	}
	*held_end = NULL;
	return others;
}

/* Nothing came of it: those that were queued go back. */
static void put_back_locked(struct engine *e, struct cut *batch,
			    uint64_t held_before)
{
	struct cut *queued, *last;

	for (struct cut *cut = batch; cut; cut = cut->next)
		cut->held = cut->sequence <= held_before ? cut->error : 0;
	queued = take_held_locked(e, batch);
	if (!queued)
		return;
	for (last = queued; last->next; last = last->next)
		;
	last->next = e->first;
	e->first = queued;
	if (!e->last)
		e->last = last;
	e->next_frame = e->first;
	while (e->next_frame && e->next_frame->journaled)
		e->next_frame = e->next_frame->next;
}

static size_t count(const struct cut *cuts)
{
	size_t n = 0;

	for (; cuts; cuts = cuts->next)
		n++;
	return n;
}

static size_t count_held(const struct engine *e)
{
	size_t n = 0;

	for (const struct cut *cut = e->held; cut; cut = cut->next_held)
		n++;
	return n;
}

static void set_outcome_locked(struct engine *e, int r)
{
	e->error = r;
	if (!e->dead) {
		e->why = (struct report){ "" };
		if (r < 0)
			report_set(&e->why, 0, "changes cannot be put into Git: "
				   "%s; they wait, and it is tried again",
				   strerror(-r));
	}
	if (r < 0 || e->held)
		e->stats.failures++;
	e->attempts++;
}

/* The oldest frame of a held cut; 0: none. */
static uint64_t oldest_frame_held(const struct engine *e)
{
	uint64_t oldest = 0;

	for (const struct cut *cut = e->held; cut; cut = cut->next_held)
		if (cut->journaled && (!oldest || cut->first < oldest))
			oldest = cut->first;
	return oldest;
}

static void finish_locked(struct engine *e, struct cut **batch,
			  struct table *table, uint64_t through)
{
	for (struct cut *cut = *batch; cut; cut = cut->next)
		cut->error = cut->held;
	*batch = take_held_locked(e, *batch);
	engine_set_table_locked(e, table);
	e->published = through;
	if (e->blocked <= through)
		e->blocked = 0;
	e->stats.published += count(*batch);
	e->stats.held = count_held(e);
	e->stats.queued = e->stats.held + (e->last_sequence - through);
}

int engine_publish_batch(struct engine *e, struct cut *batch, uint64_t through)
{
	uint64_t commits = 0, held_before = e->published;
	bool all = e->error == -ENOSPC || e->error == -EDQUOT;
	struct cut *folded = NULL;
	struct table *table = NULL;
	size_t applied = 0;
	int r;

	if (!e->keep_all || all)
		folded = engine_fold(&batch, all);
	r = do_batch(e, batch, through, &table, &applied, &commits);
	log_outcome(e, batch, r);
	if (r == -ENOMEM && e->pool)
		pool_give_way(e->pool);
	pthread_mutex_lock(&e->lock);
	if (r == 0) {
		finish_locked(e, &batch, table, through);
		e->stats.commits += commits;
		e->stats.publishes += applied > 0;
	} else {
		put_back_locked(e, batch, held_before);
		batch = NULL;
	}
	set_outcome_locked(e, r);
	if (e->tried < through)
		e->tried = through;
	if (e->journal && r == 0)
		journal_release(e->journal, through, oldest_frame_held(e));
	e->exclusive = false;	/* writers need not wait for what follows */
	engine_wake_locked(e);
	pthread_mutex_unlock(&e->lock);
	free_cuts(batch);
	free_cuts(folded);
	return r;
}

/* Frames of the new epoch for what is held.  Contents that came back know all that
 * they differ in from a blob, so they need no frame of the old one. */
static int journal_held(struct engine *e)
{
	bool sick = false;
	int r = 0;

	for (struct cut *cut = e->held; cut && r == 0; cut = cut->next_held) {
		cut->first = cut->sequence = ++e->last_sequence;
		cut->folded_count = cut->needed_count = 0;
		r = table_add_held(e->table, cut->sequence);
		if (r == 0)
			r = journal_add(e->journal, cut, &sick);
	}
	return r < 0 ? r : journal_flush(e->journal, &sick);
}

int engine_begin_epoch(struct engine *e, struct cut *replayed)
{
	int r;

	log_outcome(e, replayed, 0);
	for (struct cut *cut = replayed; cut; cut = cut->next)
		cut->error = cut->held;
	free_cuts(take_held_locked(e, replayed));
	table_clear_journal(e->table);
	e->table->journal.epoch = journal_begin(e->journal,
						e->table->journal.epoch);
	r = journal_held(e);
	e->published = e->journaled = e->last_sequence;
	e->table->journal.published = e->published;
	e->stats.held = e->stats.queued = count_held(e);
	e->retry_at.tv_sec = e->held ? 1 : 0;
	return r;
}
