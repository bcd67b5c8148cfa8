/* SPDX-License-Identifier: ISC */
#include "store/directory_places.h"
#include "store/directory_private.h"
#include "store/node.h"
#include "store/util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The order of a directory of a type: that of the places, foreign ones last.
 * Holes stand anywhere.  What was loaded or sorted is in order, and so is what is
 * pushed behind that as long as nothing foreign is before it. */

struct sorted {
	struct entry entry;
	char *place;
	bool foreign;
};

static int compare(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->foreign != y->foreign)
		return x->foreign - y->foreign;
	return strcmp(x->place, y->place);
}

/* Of the place of an entry. */
static bool is_foreign(const struct directory_places *p, const char *place)
{
	return p->foreign && places_is_foreign(p, place);
}

static bool is_before(const struct directory_places *p, uint32_t position,
		      const struct sorted *than)
{
	const struct sorted at = {
		.place = p->at[position],
		.foreign = is_foreign(p, p->at[position]),
	};

	return compare(&at, than) < 0;
}

/* How many positions of the ordered ones have only what is before `than`.  That
 * is mostly near the end: a search in steps that double from there does not touch
 * what is far from it. */
static uint32_t count_before(const struct directory_places *p,
			     const struct sorted *than)
{
	uint32_t low = 0, high = p->ordered, step = 1;

	while (low < high) {
		uint32_t back = (high - low + 1) / 2, middle, i;

		if (low == 0 && step < back) {
			back = step;
			step *= 2;
		}
		i = middle = high - back;
		while (i < high && !p->at[i])
			i++;
		if (i < high && is_before(p, i, than))
			low = i + 1;
		else
			high = middle;
	}
	return low;
}

void places_note_order(struct directory *d, uint32_t position,
		       const char *place)
{
	struct directory_places *p = d->places;
	const char *old = p->at[position], *name;
	char key[DIRECTORY_KEY_SIZE];
	bool has_key = p->type->parse(place, key, &name) == 0;

	if (position < p->ordered) {
		/* a new name leaves the key as it is */
		if (!has_key || !old || is_foreign(p, old))
			p->ordered = position;
		return;
	}
	if (!has_key || p->foreign || strcmp(key, p->last) <= 0)
		return;
	while (p->ordered < position && !p->at[p->ordered])
		p->ordered++;
	if (p->ordered == position)
		p->ordered++;
}

/* ---- sorting ---- */

/* Entries from first on, without holes, in order. */
static int collect(const struct directory *d, uint32_t first,
		   struct sorted **ret, uint32_t *ret_count)
{
	const struct directory_places *p = d->places;
	struct sorted *sorted = calloc(d->count - first + 1, sizeof(*sorted));
	uint32_t n = 0;

	if (!sorted)
		return -ENOMEM;
	for (uint32_t i = first; i < d->count; i++) {
		if (!p->at[i])
			continue;
		sorted[n++] = (struct sorted){
			.entry = d->entries[i], .place = p->at[i],
			.foreign = is_foreign(p, p->at[i]),
		};
	}
	qsort(sorted, n, sizeof(*sorted), compare);
	*ret = sorted;
	*ret_count = n;
	return 0;
}

/* Where what is not in order yet begins to belong; the count: all is in order. */
static uint32_t first_to_move(const struct directory *d)
{
	const struct directory_places *p = d->places;
	struct sorted least = { 0 };

	for (uint32_t i = p->ordered; i < d->count; i++)
		if (p->at[i] && (!least.place || is_before(p, i, &least)))
			least = (struct sorted){
				.place = p->at[i],
				.foreign = is_foreign(p, p->at[i]),
			};
	return least.place ? count_before(p, &least) : d->count;
}

static void drop_from(struct directory *d, uint32_t first)
{
	for (uint32_t i = first; i < d->count; i++) {
		if (!d->places->at[i])
			continue;
		directory_index_drop(d, &d->entries[i]);
		places_index_drop(d->places, i);
	}
}

/* Sequence numbers stay, in order, at the positions: a listing that is under way
 * may see an entry twice, and misses none. */
static void put_from(struct directory *d, uint32_t first,
		     const struct sorted *sorted)
{
	for (uint32_t i = first; i < d->count; i++) {
		struct entry *e = &d->entries[i];
		uint64_t seq = e->seq;

		if (!d->places->at[i])
			continue;
		*e = sorted->entry;
		e->seq = seq;
		d->places->at[i] = sorted->place;
		if (e->node)
			e->node->position = i;
		sorted++;
		directory_index_add(d, e);
		places_index_add(d->places, i);
	}
}

int places_sort(struct directory *d)
{
	scoped_free struct sorted *sorted = NULL;
	uint32_t first = first_to_move(d), count = 0;
	int r = first < d->count ? collect(d, first, &sorted, &count) : 0;

	if (r < 0)
		return r;
	if (count) {
		drop_from(d, first);
		put_from(d, first, sorted);
	}
	d->places->ordered = d->count;
	return 0;
}

bool places_wait_for_sort(const struct directory *d)
{
	return d->places->foreign && d->places->ordered < d->count;
}

/* Without memory for it they stay behind. */
void places_sort_foreign(struct directory *d)
{
	if (places_wait_for_sort(d))
		places_sort(d);
}

/* ---- folders ---- */

static bool is_in(const char *place, const char *folder, size_t length)
{
	return strncmp(place, folder, length) == 0 && place[length] == '/';
}

/* Of those in order they stand together. */
static int each_ordered(struct directory *d, char *prefix, bool foreign,
			entry_visit *visit, void *context)
{
	const struct directory_places *p = d->places;
	const struct sorted begin = { .place = prefix, .foreign = foreign };
	size_t length = strlen(prefix) - 1;
	int r = 0;

	for (uint32_t i = count_before(p, &begin); i < p->ordered && r == 0;
	     i++) {
		if (!p->at[i])
			continue;
		if (!is_in(p->at[i], prefix, length) ||
		    is_foreign(p, p->at[i]) != foreign)
			break;
		r = visit(context, &d->entries[i]);
	}
	return r;
}

int places_each_in(struct directory *d, const char *folder, entry_visit *visit,
		   void *context)
{
	const struct directory_places *p = d->places;
	scoped_free char *prefix = NULL;
	size_t length = strlen(folder);
	int r;

	if (asprintf(&prefix, "%s/", folder) < 0)
		return -ENOMEM;
	r = each_ordered(d, prefix, false, visit, context);
	if (r == 0 && p->foreign)
		r = each_ordered(d, prefix, true, visit, context);
	for (uint32_t i = p->ordered; i < d->count && r == 0; i++)
		if (p->at[i] && is_in(p->at[i], folder, length))
			r = visit(context, &d->entries[i]);
	return r;
}
