/* SPDX-License-Identifier: ISC */
#include "store/contents.h"
#include "store/directory_places.h"
#include "store/directory_private.h"
#include "store/ignore.h"
#include "store/node.h"
#include "store/util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_MIN 16u
#define SLOT_FREE 0u
#define SLOT_USED 1u		/* was used: a search goes on behind it */
#define SLOT_BASE 2u

/* ---- numbers ---- */

static uint64_t spread(uint64_t x)
{
	/* The finalizer of splitmix64 (Steele, Lea, Flood 2014). */
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint64_t directory_mix(uint64_t a, uint64_t b)
{
	uint64_t mixed = spread(a + 0x9e3779b97f4a7c15u * (spread(b) | 1));

	return mixed ? mixed : 1;
}

uint64_t directory_hash(const char *name)
{
	uint64_t h = 0xcbf29ce484222325u;	/* FNV-1a */

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3u;
	return spread(h);
}

/* Salt 0 is for entries as loaded: their numbers are the same each time. */
static uint64_t number_of(const struct directory *d, const char *name,
			  uint64_t salt)
{
	return directory_mix(d->number, directory_hash(name) + spread(salt));
}

uint64_t directory_number_of(const struct directory *d, const char *text)
{
	return number_of(d, text, 0);
}

uint64_t directory_new_number(struct directory *d, const char *name)
{
	return number_of(d, name, ++*d->salts);
}

/* ---- index by name ---- */

static uint32_t *index_slot(const struct directory *d, const char *name)
{
	uint32_t mask = d->index_size - 1;

	if (!d->index_size)
		return NULL;
	for (uint32_t i = directory_hash(name) & mask;; i = (i + 1) & mask) {
		uint32_t *slot = &d->index[i];

		if (*slot == SLOT_FREE)
			return NULL;
		if (*slot != SLOT_USED &&
		    strcmp(d->entries[*slot - SLOT_BASE].name, name) == 0)
			return slot;
	}
}

static void index_add(struct directory *d, uint32_t position)
{
	uint32_t mask = d->index_size - 1;
	uint32_t i = directory_hash(d->entries[position].name) & mask;

	while (d->index[i] > SLOT_USED)
		i = (i + 1) & mask;
	d->index_used += d->index[i] == SLOT_FREE;
	d->index[i] = position + SLOT_BASE;
}

static bool is_hole(const struct entry *e)
{
	return !e->live && !e->replaced;
}

static int index_rebuild(struct directory *d, uint32_t wanted)
{
	uint64_t size = INDEX_MIN;
	uint32_t *index;

	while (size * 3 < (uint64_t)wanted * 4)
		size *= 2;
	index = calloc(size, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(d->index);
	d->index = index;
	d->index_size = size;
	d->index_used = 0;
	for (uint32_t i = 0; i < d->count; i++)
		if (!is_hole(&d->entries[i]))
			index_add(d, i);
	return 0;
}

struct entry *directory_find(const struct directory *d, const char *name)
{
	uint32_t *slot = index_slot(d, name);

	return slot ? &d->entries[*slot - SLOT_BASE] : NULL;
}

struct entry *directory_find_live(const struct directory *d, const char *name)
{
	struct entry *e = directory_find(d, name);

	return e && e->live ? e : NULL;
}

bool directory_is_empty(const struct directory *d)
{
	return d->live == 0 ||
	       (d->live == 1 && directory_find_live(d, CONTROL_NAME));
}

/* ---- loading ---- */

static int copy_entries(struct directory *d, const struct tree *tree,
			unsigned int epoch)
{
	size_t size = 1;
	char *name;

	for (size_t i = 0; i < tree->count; i++)
		size += strlen(tree->entries[i].name) + 1;
	name = d->names = malloc(size);
	d->entries = calloc(tree->count + 1, sizeof(*d->entries));
	if (!d->names || !d->entries)
		return -ENOMEM;
	for (size_t i = 0; i < tree->count; i++) {
		const struct tree_entry *from = &tree->entries[i];

		d->entries[i] = (struct entry){
			.name = name, .seq = i, .oid = from->oid,
			.number = number_of(d, from->name, 0),
			.mode = from->mode, .epoch = epoch,
			.live = 1, .stored = 1,
		};
		d->directories += node_type_of(from->mode) == S_IFDIR;
		name = stpcpy(name, from->name) + 1;
	}
	d->capacity = tree->count + 1;
	d->count = d->live = d->stored = tree->count;
	d->next_seq = tree->count;
	return d->count ? index_rebuild(d, d->count) : 0;
}

/* Files that are stored as trees. */
static int recognise(struct tree *tree, struct odb *odb)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < tree->count; i++)
		r = contents_recognise(odb, &tree->entries[i].oid,
				       &tree->entries[i].mode, NULL);
	return r;
}

struct directory *directory_new(void)
{
	return calloc(1, sizeof(struct directory));
}

int directory_load(struct directory *d, struct odb *odb, const struct oid *oid,
		   unsigned int epoch)
{
	struct tree *tree;
	int r = tree_read(odb, oid, &tree);

	if (r < 0)
		return r;
	r = tree->count > DIRECTORY_ENTRIES_MAX ? -ENOSPC :
						  recognise(tree, odb);
	if (r == 0)
		r = copy_entries(d, tree, epoch);
	tree_free(tree);
	return r;
}

void directory_add_loaded(struct directory *d)
{
	d->directories += node_type_of(d->entries[d->count].mode) == S_IFDIR;
	d->count++;
	d->live++;
	d->stored++;
	index_add(d, d->count - 1);
}

void directory_free(struct directory *d)
{
	if (!d)
		return;
	places_free(d);
	for (uint32_t i = 0; i < d->count; i++) {
		if (d->entries[i].owned)
			free(d->entries[i].name);
		attributes_free(d->entries[i].attributes);
	}
	free(d->entries);
	free(d->index);
	free(d->replaced);
	free(d->names);
	ignore_file_free(d->rules);
	free(d);
}

/* ---- room ---- */

/* Closes the holes.  The index is large enough for what is left. */
static void compact(struct directory *d)
{
	uint32_t to = 0;

	d->replaced_count = 0;
	for (uint32_t i = 0; i < d->count; i++) {
		struct entry *e = &d->entries[i];

		if (is_hole(e))
			continue;
		if (e->node)
			e->node->position = to;
		if (e->replaced)
			d->replaced[d->replaced_count++] = to;
		if (d->places)
			places_move_position(d, i, to);
		d->entries[to++] = *e;
	}
	d->count = to;
	d->holes = 0;
	if (d->index_size)
		memset(d->index, 0, d->index_size * sizeof(*d->index));
	d->index_used = 0;
	for (uint32_t i = 0; i < d->count; i++)
		index_add(d, i);
	if (d->places)
		places_index_again(d);
}

static int reserve_entries(struct directory *d, size_t more)
{
	uint64_t need = d->count + more, capacity = d->capacity;
	struct entry *entries;

	if (need <= capacity)
		return 0;
	if (need > DIRECTORY_ENTRIES_MAX)
		return -ENOSPC;
	capacity += capacity / 2 + 8;
	if (capacity < need)
		capacity = need;
	entries = reallocarray(d->entries, capacity, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	d->entries = entries;
	d->capacity = capacity;
	return 0;
}

static int reserve_replaced(struct directory *d, size_t more)
{
	uint64_t need = d->replaced_count + more;
	uint32_t *replaced;

	if (need <= d->replaced_capacity)
		return 0;
	if (need < 2 * (uint64_t)d->replaced_capacity)
		need = 2 * (uint64_t)d->replaced_capacity;
	replaced = reallocarray(d->replaced, need, sizeof(*replaced));
	if (!replaced)
		return -ENOMEM;
	d->replaced = replaced;
	d->replaced_capacity = need;
	return 0;
}

int directory_reserve(struct directory *d, size_t more)
{
	int r;

	if (more > DIRECTORY_ENTRIES_MAX)
		return -ENOSPC;
	if (d->holes > INDEX_MIN && d->holes > d->count / 2)
		compact(d);
	r = reserve_entries(d, more);
	if (r == 0)
		r = reserve_replaced(d, more);
	if (r == 0 && (d->index_used + (uint64_t)more) * 4 >
			      (uint64_t)d->index_size * 3)
		r = index_rebuild(d, (d->count - d->holes + more) * 2);
	if (r == 0 && d->places)
		r = places_reserve(d, more);
	return r;
}

/* ---- changes ---- */

static uint32_t position_of(const struct directory *d, const struct entry *e)
{
	return e - d->entries;
}

struct entry *directory_put(struct directory *d, char **name)
{
	struct entry *e = directory_find(d, *name);

	if (!e) {
		e = &d->entries[d->count++];
		*e = (struct entry){
			.name = *name, .owned = 1, .seq = d->next_seq++,
		};
		*name = NULL;
		index_add(d, position_of(d, e));
		if (d->places)
			places_put(d, e);
	}
	e->live = 1;
	e->mode = 0;
	e->oid = (struct oid){ { 0 } };
	e->number = directory_new_number(d, e->name);
	d->live++;
	return e;
}

/* What was the entry is gone; Git or the local face may have had it. */
static void leave(struct directory *d, struct entry *e, bool remember)
{
	if (remember && (e->stored || e->captured) && !e->replaced &&
	    !d->places) {
		e->replaced = 1;
		e->git_had = e->stored;
		e->git_file = e->mode != MODE_TREE;
		d->replaced[d->replaced_count++] = position_of(d, e);
	}
	directory_set_stored(d, e, false);
	e->captured = 0;
	attributes_free(STEAL(e->attributes));
	directory_set_mode(d, e, 0);
	e->node = NULL;
	e->epoch = 0;
	directory_set_own(d, e, false);
}

void directory_supersede(struct directory *d, struct entry *e, bool remember)
{
	leave(d, e, remember);
	e->number = directory_new_number(d, e->name);
}

void directory_renew(struct directory *d, struct entry *e)
{
	if (e->stored && !e->replaced) {
		e->replaced = e->git_had = 1;
		e->git_file = e->mode != MODE_TREE;
		d->replaced[d->replaced_count++] = position_of(d, e);
	}
	directory_set_stored(d, e, false);
	e->captured = 0;
}

void directory_untrack(struct directory *d, struct entry *e)
{
	directory_renew(d, e);
	e->git_file = 0;
}

void directory_index_drop(struct directory *d, const struct entry *e)
{
	*index_slot(d, e->name) = SLOT_USED;
}

void directory_index_add(struct directory *d, const struct entry *e)
{
	index_add(d, position_of(d, e));
}

static void make_hole(struct directory *d, struct entry *e)
{
	directory_index_drop(d, e);
	if (e->owned)
		free(e->name);
	e->name = NULL;
	e->owned = 0;
	d->holes++;
}

void directory_remove(struct directory *d, struct entry *e, bool remember)
{
	if (d->places)
		places_remove(d, e, remember);
	leave(d, e, remember);
	e->live = 0;
	d->live--;
	if (!e->replaced)
		make_hole(d, e);
}

void directory_set_mode(struct directory *d, struct entry *e, uint32_t mode)
{
	d->directories -= node_type_of(e->mode) == S_IFDIR;
	d->directories += node_type_of(mode) == S_IFDIR;
	e->mode = mode;
}

void directory_set_stored(struct directory *d, struct entry *e, bool stored)
{
	d->stored += (uint32_t)stored - e->stored;
	e->stored = stored;
}

void directory_set_own(struct directory *d, struct entry *e, bool own)
{
	d->own += (uint32_t)own - e->own;
	e->own = own;
}

void directory_forget_replaced(struct directory *d)
{
	for (uint32_t i = 0; i < d->replaced_count; i++) {
		struct entry *e = &d->entries[d->replaced[i]];

		e->replaced = e->git_had = 0;
		if (!e->live)
			make_hole(d, e);
	}
	free(d->replaced);
	d->replaced = NULL;
	d->replaced_count = d->replaced_capacity = 0;
	if (d->places)
		places_forget_gone(d);
}

void directory_set_name(struct directory *d, struct entry *e, char *name)
{
	directory_index_drop(d, e);
	if (e->owned)
		free(e->name);
	e->name = name;
	e->owned = 1;
	directory_index_add(d, e);
}

uint32_t directory_after(const struct directory *d, uint64_t cookie)
{
	uint32_t low = 0, high = d->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (d->entries[middle].seq + 1 > cookie)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}
