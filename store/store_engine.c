/* SPDX-License-Identifier: ISC */
#include "store/journal_files.h"
#include "store/journal_format.h"
#include "store/store_private.h"
#include "store/inside_private.h"

#include <errno.h>

/* The engine of a store, and the branches that its table has. */

/* One that cannot be written, or that was never there, has none. */
static int open_journal(struct store *store, struct journal_files **ret)
{
	int r = store->private_fd < 0 ? -ENOENT :
		journal_files_new(store->private_fd, !store->readonly,
				  JOURNAL_SEGMENTS, ret);

	if (store->readonly && r < 0)
		r = 0;
	return r;
}

static int open_engine(struct store *store, struct report *report)
{
	const struct engine_insider insider = {
		.is_held = inside_is_held,
		.moved = inside_moved,
		.context = store,
	};
	struct engine_options options = {
		.repo = store->repo,
		.odb = store->odb,
		.local = store->local_odb,
		.readonly = store->readonly != NULL,
		.clock = store->options.clock,
		.keep_all = store->options.keep_all,
		.journal_size = store->options.journal,
		.pool = store->pool,
		.insider = &insider,
	};
	struct report said = { 0 };
	int r = open_journal(store, &options.journal);

	if (r)
		return report_set(report, r, "The journal of the store cannot "
				  "be opened: %s.", strerror(-r));
	r = engine_open(&options, &store->engine, &said);

	if (r)
		return report_set(report, r, "%s", *said.text ? said.text :
				  strerror(-r));
	if (*said.text)
		log_warning("%s", said.text);
	return 0;
}

static int load_branch(struct store *store, const struct table_branch *row)
{
	struct branch *b = branch_new(store, row->incarnation, row->name);
	int r;

	if (!b)
		return -ENOMEM;
	b->head = row->head;
	b->local = row->local;
	b->dropped = row->dropped;
	b->loaded = true;
	r = store_insert_locked(store, b);
	if (r)
		branch_unref(b);
	return r;
}

static int load_report(struct store *store,
		       const struct conflict_report *report)
{
	struct branch *b = store_find_incarnation_locked(store, report->source);
	struct conflict_report *copy;
	int r;

	if (!b)
		return 0;
	copy = conflict_report_copy(report);
	if (!copy)
		return -ENOMEM;
	r = branch_set_report_locked(b, report->target, copy);
	if (r)
		conflict_report_free(copy);
	return r;
}

static int load_table(struct store *store)
{
	struct table *table;
	int r = engine_table(store->engine, &table);

	if (r)
		return r;
	pthread_mutex_lock(&store->lock);
	for (size_t i = 0; !r && i < table->branch_count; i++)
		r = load_branch(store, &table->branches[i]);
	for (size_t i = 0; !r && i < table->report_count; i++)
		r = load_report(store, table->reports[i]);
	pthread_mutex_unlock(&store->lock);
	table_free(table);
	return r;
}

int store_open_engine(struct store *store, struct report *report)
{
	int r = open_engine(store, report);

	return r ? r : load_table(store);
}
