/* SPDX-License-Identifier: ISC */
#include "store/engine_private.h"

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
	e->readonly = options->readonly;
	e->clock = options->clock ? options->clock : clock_real;
	e->storage = options->storage;
	e->own_storage = !options->storage;
	if (e->own_storage)
		r = engine_storage_new(options->repo, !options->readonly,
				       &e->storage);
	if (r < 0) {
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

void engine_free(struct engine *engine)
{
	struct engine *e = engine;

	if (!e)
		return;
	engine_close(e);
	while (e->first) {
		struct cut *next = e->first->next;

		cut_free(e->first);
		e->first = next;
	}
	pthread_cond_destroy(&e->work);
	pthread_cond_destroy(&e->done);
	pthread_mutex_destroy(&e->lock);
	if (e->own_storage)
		engine_storage_free(e->storage);
	pin_set_release(&e->pinned);
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
			"branches and open conflicts are forgotten then)");
	if (r == -ENOTSUP)
		return report_set(report, r, "the branch table irminfs/table "
			"was written by a newer version of irminfs: use that");
	if (r < 0)
		return report_set(report, r, "the branch table irminfs/table "
			"cannot be read: %s", strerror(-r));
	return 0;
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
	r = changed ? engine_store_table(e, table, true)
		    : engine_pin_more(e, table, true);
	if (r < 0)
		return report_set(report, r, "the store cannot be written: %s",
				  strerror(-r));
	engine_write_refs(e, table, true);
	return 0;
}

static int start(struct engine *e, struct report *report)
{
	int r;

	e->next_incarnation = e->table->next_incarnation;
	if (e->readonly)
		return 0;
	engine_tend_later(e);
	r = -pthread_create(&e->thread, NULL, engine_run, e);
	if (r < 0)
		return report_set(report, r, "no thread could be made: %s",
				  strerror(-r));
	e->running = true;
	return 0;
}

int engine_open(const struct engine_options *options,
		struct engine **ret_engine, struct report *report)
{
	struct engine *e;
	bool found = false, changed = false;
	int r = engine_new(options, &e);

	if (r < 0)
		return report_set(report, r, "the store's folder irminfs "
			"cannot be opened: %s", strerror(-r));
	r = read_table(e, &e->table, &found, report);
	if (r == 0) {
		r = engine_reconcile(e, e->table, &changed);
		if (r < 0)
			report_set(report, r, "branches cannot be read: %s",
				   strerror(-r));
	}
	if (r == 0)
		r = recover(e, e->table, changed || !found, report);
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

int engine_close(struct engine *engine)
{
	struct engine *e = engine;

	if (!e->running)
		return e->first ? e->first->error : 0;
	pthread_mutex_lock(&e->lock);
	e->stop = true;
	pthread_cond_signal(&e->work);
	pthread_mutex_unlock(&e->lock);
	pthread_join(e->thread, NULL);
	engine_tend(e);
	pthread_mutex_lock(&e->lock);
	e->running = false;
	pthread_cond_broadcast(&e->done);
	pthread_mutex_unlock(&e->lock);
	if (e->first)
		return e->dead ? e->dead : e->first->error;
	return 0;
}
