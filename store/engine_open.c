/* SPDX-License-Identifier: ISC */
#include "store/engine_private.h"
#include "store/overlay.h"

#include <errno.h>
#include <string.h>

/* ---- making ---- */

static int engine_new(const struct engine_options *options,
		      struct engine **ret_engine)
{
	struct engine *e = calloc(1, sizeof(*e));
	pthread_condattr_t attributes;
	int r = 0;

	if (!e)
		return -ENOMEM;
	e->odb = options->odb;
	e->local = options->local;
	e->readonly = options->readonly;
	e->keep_all = options->keep_all;
	e->pause_ns = options->pause_ns ? options->pause_ns : ENGINE_PAUSE_NS;
	e->pool = options->pool;
	e->clock = options->clock ? options->clock : clock_real;
	e->storage = options->storage;
	if (options->insider)
		e->insider = *options->insider;
	e->followers_end = &e->followers;
	e->own_storage = !options->storage;
	if (options->journal)
		r = journal_new(options->journal, options->journal_size,
				&e->journal);
	if (r == 0 && e->own_storage)
		r = engine_storage_new(options->repo, !options->readonly,
				       &e->storage);
	if (r < 0) {
		journal_free(e->journal);
		free(e);
		return r;
	}
	pthread_mutex_init(&e->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&e->work, &attributes);
	pthread_cond_init(&e->done, &attributes);
	pthread_condattr_destroy(&attributes);
	*ret_engine = e;
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

void engine_free(struct engine *engine)
{
	struct engine *e = engine;

	if (!e)
		return;
	engine_close(e);
	free_cuts(e->first);
	while (e->held) {
		struct cut *cut = e->held;

		e->held = cut->next_held;
		cut_free(cut);
	}
	pthread_cond_destroy(&e->work);
	pthread_cond_destroy(&e->done);
	pthread_mutex_destroy(&e->lock);
	if (e->own_storage)
		engine_storage_free(e->storage);
	pin_set_release(&e->pinned);
	journal_free(e->journal);
	table_free(e->table);
	free(e->stuck);
	free(e);
}

/* ---- opening ---- */

/* ret_found: there was one. */
static int read_table(struct engine *e, struct table **ret_table,
		      bool *ret_found, struct report *report)
{
	scoped_buffer struct buffer text = { 0 };
	int r = e->storage->ops->table_read(e->storage, &text);

	*ret_found = r == 0;
	if (r == -ENOENT) {
		*ret_table = table_new();
		return *ret_table ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = table_decode(text.data, text.length, ret_table);
	else if (r == -EFBIG)
		r = -EUCLEAN;
	if (r == -EUCLEAN)
		return report_set(report, r, "the branch table irminfs/table "
			"is damaged; all branches are refs in the repository "
			"too: to go on with those, move the file away (dropped "
			"branches, open conflicts and what the journal has not "
			"yet put into Git are forgotten then)");
	if (r == -ENOTSUP)
		return report_set(report, r, "the branch table irminfs/table "
			"was written by a newer version of irminfs: use that");
	if (r < 0)
		return report_set(report, r, "the branch table irminfs/table "
			"cannot be read: %s", strerror(-r));
	return 0;
}

/* Applies what the journal brought back to e->table, in memory and in objects. */
static int apply_replayed(struct engine *e, struct cut *cuts)
{
	struct cut *folded = e->keep_all ? NULL : engine_fold(&cuts, false);
	struct table *table;
	uint64_t commits;
	size_t applied;
	int r = engine_note_refs(e, e->table);

	/* the frames build on these until the new table is there */
	if (r == 0)
		r = engine_pin_more(e, e->table, true);
	if (r == 0)
		r = engine_apply(e, cuts, &table, &applied, &commits);
	free_cuts(folded);
	if (r < 0) {
		free_cuts(cuts);
		return r;
	}
	table_free(e->table);
	e->table = table;
	return engine_begin_epoch(e, cuts);
}

/* room: that it takes, in bytes. */
static int cannot_write(const char *what, int r, uint64_t room,
			struct report *report)
{
	if (r != -ENOSPC && r != -EDQUOT)
		return report_set(report, r, "%s: %s", what, strerror(-r));
	return report_set(report, r, "%s: %s.  Nothing is lost that was saved. "
		"Give the disk of the store %llu MiB of room and mount again; "
		"-o ro shows what is in the repository so far", what,
		strerror(-r), (unsigned long long)(room >> 20) + 1);
}

static int replay(struct engine *e, bool *ret_any, struct report *report)
{
	struct cut *cuts;
	int r = engine_replay(e, &cuts, report);
	uint64_t room;

	*ret_any = cuts != NULL;
	if (r < 0)
		free_cuts(cuts);
	if (r < 0 || !e->journal || e->readonly)
		return r;
	room = e->pool ? pool_room_needed(e->pool) : 0;
	r = cuts ? apply_replayed(e, cuts) : engine_begin_epoch(e, NULL);
	return r == 0 ? 0 : cannot_write("what the journal holds cannot be put "
					 "into the repository", r, room, report);
}

/* Brings table, pin and refs to where the last mount should have left them. */
static int recover(struct engine *e, struct table *table, bool changed,
		   struct report *report)
{
	int r;

	if (e->readonly) {
		report_set(&e->why, 0, "the store is open read-only");
		return 0;
	}
	/* what the pin has from before is not known; heads that are no refs yet
	 * must not fall out of it */
	e->pins_loose = true;
	r = changed ? engine_store_objects(e, table, true)
		    : engine_pin_more(e, table, true);
	if (r == 0 && changed)
		r = engine_record_table(e, table);
	if (r < 0)
		return cannot_write("the store cannot be written", r, 0, report);
	engine_write_refs(e, table, true);
	odb_settle(e->odb);
	if (e->local)
		odb_settle(e->local);
	if (e->storage->ops->recovered)
		e->storage->ops->recovered(e->storage);
	return 0;
}

static int start(struct engine *e, struct report *report)
{
	int r;

	e->next_incarnation = e->table->next_incarnation;
	if (e->readonly)
		return 0;
	engine_tend_later(e);
	r = thread_start(&e->thread, engine_run, e);
	if (r < 0)
		return report_set(report, r, "no thread could be made: %s",
				  strerror(-r));
	e->running = true;
	return 0;
}

/* Table, journal and refs make the table that is true now. */
static int load(struct engine *e, struct report *report)
{
	bool found = false, replayed = false, changed = false;
	int r = read_table(e, &e->table, &found, report);

	if (r == 0)
		r = replay(e, &replayed, report);
	if (r < 0)
		return r;
	r = engine_reconcile(e, e->table, &changed);
	if (r < 0)
		return report_set(report, r, "branches cannot be read: %s",
				  strerror(-r));
	return recover(e, e->table, changed || replayed || !found, report);
}

int engine_open(const struct engine_options *options,
		struct engine **ret_engine, struct report *report)
{
	struct engine *e;
	int r = engine_new(options, &e);

	if (r < 0)
		return report_set(report, r, "the store's folder irminfs "
			"cannot be opened: %s", strerror(-r));
	r = load(e, report);
	if (r == 0)
		r = start(e, report);
	if (r < 0) {
		engine_free(e);
		return r;
	}
	*ret_engine = e;
	return 0;
}

/* ---- closing ---- */

/* What would be lost now: cuts that have no frame. */
static int outcome(const struct engine *e)
{
	for (const struct cut *cut = e->first; cut; cut = cut->next)
		if (!cut->journaled)
			return e->dead ? e->dead : e->error ? e->error : -EIO;
	for (const struct cut *cut = e->held; cut; cut = cut->next_held)
		if (!cut->journaled)
			return cut->error;
	return 0;
}

int engine_close(struct engine *engine)
{
	struct engine *e = engine;

	if (!e->running)
		return outcome(e);
	pthread_mutex_lock(&e->lock);
	e->stop = true;
	pthread_cond_signal(&e->work);
	pthread_mutex_unlock(&e->lock);
	pthread_join(e->thread, NULL);
	e->resting = !e->first && !e->held;
	e->pins_loose |= e->resting;
	engine_tend(e);
	pthread_mutex_lock(&e->lock);
	/* what could not be published is safe in the journal at least */
	if (engine_can_lead_locked(e))
		engine_lead_locked(e);
	e->running = false;
	engine_wake_locked(e);
	pthread_mutex_unlock(&e->lock);
	if (e->first || e->held)
		log_warning("changes that could not be put into Git stay in "
			    "the journal where they have got there; mount the "
			    "store again when the cause is gone");
	return outcome(e);
}
