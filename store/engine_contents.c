/* SPDX-License-Identifier: ISC */
#include "store/engine_private.h"

#include <errno.h>

/* A frame may say no more than how a file's contents differ from an earlier cut's.
 * When that cut is published and its frame gone, the table must say which blob it
 * was.  Who captures after stored() was called builds on the blob by itself; so
 * only those cuts matter that were queued before, and these are all there by
 * then, since both happen under the work tree's lock. */

struct list {
	struct table_contents *at;
	size_t count, capacity;
};

static int add(struct list *list, const struct table_contents *contents)
{
	size_t capacity = list->capacity ? 2 * list->capacity : 16;
	struct table_contents *at;

	if (list->count == list->capacity) {
		at = reallocarray(list->at, capacity, sizeof(*at));
		if (!at)
			return -ENOMEM;
		list->at = at;
		list->capacity = capacity;
	}
	list->at[list->count++] = *contents;
	return 0;
}

static void list_release(struct list *list)
{
	free(list->at);
}

static int compare(const void *a, const void *b)
{
	const struct table_contents *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->version < y->version ? -1 : x->version > y->version;
}

static void sort(struct list *list)
{
	if (list->count)
		qsort(list->at, list->count, sizeof(*list->at), compare);
}

/* ---- collecting ---- */

/* Calls take for all contents of a delta; it returns -ENOMEM or 0. */
typedef int take_contents(struct list *list, const struct delta_entry *entry,
			  const struct contents_changes *changes);

static int walk_delta(const struct delta *delta, take_contents *take,
		      struct list *list)
{
	int r = 0;

	for (size_t i = 0; r == 0 && delta && i < delta->count; i++) {
		const struct delta_entry *entry = &delta->entries[i];
		struct contents_changes changes;

		if (entry->kind == DELTA_DIRECTORY)
			r = walk_delta(entry->directory, take, list);
		if (entry->kind != DELTA_CONTENTS)
			continue;
		contents_changes(entry->contents, &changes);
		r = take(list, entry, &changes);
	}
	return r;
}

static int walk_cuts(const struct cut *cut, const struct cut *last,
		     take_contents *take, struct list *list)
{
	int r = 0;

	for (; r == 0 && cut; cut = cut == last ? NULL : cut->next)
		for (size_t i = 0; r == 0 && i < cut->count; i++)
			r = walk_delta(cut->records[i].delta, take, list);
	return r;
}

/* What a cut builds on. */
static int take_needed(struct list *list, const struct delta_entry *entry,
		       const struct contents_changes *changes)
{
	struct table_contents needed = {
		.id = changes->id, .version = changes->since,
	};

	return changes->base == CONTENTS_CAPTURED ? add(list, &needed) : 0;
}

/* What a cut that is published now made. */
static int take_made(struct list *list, const struct delta_entry *entry,
		     const struct contents_changes *changes)
{
	struct table_contents made = {
		.id = changes->id, .version = changes->version,
		.oid = entry->oid, .size = changes->size,
		.is_local = delta_entry_is_own(entry),
	};

	return add(list, &made);
}

/* ---- noting ---- */

static const struct table_contents *find(const struct list *list,
					 const struct table_contents *like)
{
	return list->count ? bsearch(like, list->at, list->count,
				     sizeof(*like), compare) : NULL;
}

static const struct table_contents *find_known(const struct table *table,
					       const struct table_contents *like)
{
	for (size_t i = 0; i < table->journal.contents_count; i++)
		if (compare(&table->journal.contents[i], like) == 0)
			return &table->journal.contents[i];
	return NULL;
}

static int note(struct engine *e, struct table *table, struct list *needed,
		struct list *made)
{
	int r = 0;

	sort(needed);
	sort(made);
	for (size_t i = 0; r == 0 && i < needed->count; i++) {
		const struct table_contents *wanted = &needed->at[i], *found;

		if (i && compare(wanted, wanted - 1) == 0)
			continue;
		found = find(made, wanted);
		if (!found)
			found = find_known(e->table, wanted);
		if (found)	/* otherwise in a frame that is still needed */
			r = table_add_contents(table, found);
	}
	return r;
}

int engine_note_needed(const struct cut *older, struct cut *newer)
{
	struct list needed = {
		.at = newer->needed, .count = newer->needed_count,
		.capacity = newer->needed_count,
	};
	int r = walk_cuts(older, older, take_needed, &needed);

	for (size_t i = 0; r == 0 && i < older->needed_count; i++)
		r = add(&needed, &older->needed[i]);
	newer->needed = needed.at;
	if (r == 0)
		newer->needed_count = needed.count;
	return r;
}

/* What the frames of a held cut build on. */
static int add_held(const struct cut *cut, struct list *needed)
{
	int r = walk_cuts(cut, cut, take_needed, needed);

	for (size_t i = 0; r == 0 && i < cut->needed_count; i++)
		r = add(needed, &cut->needed[i]);
	return r;
}

int engine_note_contents(struct engine *e, struct table *table,
			 const struct cut *batch, const struct cut *queued,
			 const struct cut *last)
{
	scoped(list_release) struct list needed = { 0 };
	scoped(list_release) struct list made = { 0 };
	int r = 0;

	if (!e->journal)
		return 0;
	if (queued)
		r = walk_cuts(queued, last, take_needed, &needed);
	for (const struct cut *cut = batch; r == 0 && cut; cut = cut->next) {
		if (cut->held)
			r = add_held(cut, &needed);
		else if (needed.count)
			r = walk_cuts(cut, cut, take_made, &made);
	}
	return r < 0 ? r : note(e, table, &needed, &made);
}
