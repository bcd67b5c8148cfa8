/* SPDX-License-Identifier: ISC */
#include "store/directory_places.h"
#include "store/directory_private.h"
#include "store/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_MIN 16u
#define SLOT_FREE 0u
#define SLOT_USED 1u
#define SLOT_BASE 2u

static uint32_t position_of(const struct directory *d, const struct entry *e)
{
	return e - d->entries;
}

/* ---- life ---- */

int places_new(struct directory *d, const struct directory_type *type)
{
	struct directory_places *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->type = type;
	p->capacity = d->capacity;
	p->at = calloc(d->capacity + 1, sizeof(*p->at));
	if (!p->at) {
		free(p);
		return -ENOMEM;
	}
	d->places = p;
	return 0;
}

static void place_free(const struct directory_places *p, char *place)
{
	if (!p->text || place < p->text || place >= p->text + p->text_size)
		free(place);
}

void places_forget_gone(struct directory *d)
{
	struct directory_places *p = d->places;

	for (uint32_t i = 0; i < p->gone_count; i++)
		place_free(p, p->gone[i]);
	free(p->gone);
	p->gone = NULL;
	p->gone_count = p->gone_capacity = 0;
}

void places_free(struct directory *d)
{
	struct directory_places *p = d->places;

	if (!p)
		return;
	places_forget_gone(d);
	for (uint32_t i = 0; i < d->count; i++)
		place_free(p, p->at[i]);
	free(p->at);
	free(p->index);
	free(p->text);
	free(p);
	d->places = NULL;
}

/* ---- index by place ---- */

static uint32_t *index_slot(const struct directory_places *p, const char *place)
{
	uint32_t mask = p->index_size - 1;

	if (!p->index_size)
		return NULL;
	for (uint32_t i = directory_hash(place) & mask;; i = (i + 1) & mask) {
		uint32_t *slot = &p->index[i];

		if (*slot == SLOT_FREE)
			return NULL;
		if (*slot != SLOT_USED &&
		    strcmp(p->at[*slot - SLOT_BASE], place) == 0)
			return slot;
	}
}

void places_index_add(struct directory_places *p, uint32_t position)
{
	uint32_t mask = p->index_size - 1;
	uint32_t i = directory_hash(p->at[position]) & mask;

	while (p->index[i] > SLOT_USED)
		i = (i + 1) & mask;
	p->index_used += p->index[i] == SLOT_FREE;
	p->index[i] = position + SLOT_BASE;
}

void places_index_drop(struct directory_places *p, uint32_t position)
{
	*index_slot(p, p->at[position]) = SLOT_USED;
}

static void index_fill(struct directory *d)
{
	struct directory_places *p = d->places;

	p->index_used = 0;
	for (uint32_t i = 0; i < d->count; i++)
		if (p->at[i])
			places_index_add(p, i);
}

static int index_rebuild(struct directory *d, uint64_t wanted)
{
	struct directory_places *p = d->places;
	uint64_t size = INDEX_MIN;
	uint32_t *index;

	while (size * 3 < wanted * 4)
		size *= 2;
	index = calloc(size, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(p->index);
	p->index = index;
	p->index_size = size;
	index_fill(d);
	return 0;
}

void places_index_again(struct directory *d)
{
	struct directory_places *p = d->places;

	p->first = 0;
	p->ordered = p->ordered_left;
	p->ordered_left = 0;
	if (!p->index_size)
		return;
	memset(p->index, 0, p->index_size * sizeof(*p->index));
	index_fill(d);
}

struct entry *places_find(const struct directory *d, const char *place)
{
	uint32_t *slot = index_slot(d->places, place);

	return slot ? &d->entries[*slot - SLOT_BASE] : NULL;
}

const char *places_of(const struct directory *d, const struct entry *e)
{
	return d->places->at[position_of(d, e)];
}

/* Few are gone between two captures, or somebody empties the queue, and merges
 * into it meanwhile are rare. */
bool places_is_gone(const struct directory *d, const char *place)
{
	const struct directory_places *p = d->places;

	for (uint32_t i = 0; i < p->gone_count; i++)
		if (strcmp(p->gone[i], place) == 0)
			return true;
	return false;
}

/* ---- names ---- */

bool places_is_free(const struct directory *d, const char *name)
{
	return strcmp(name, CONTROL_NAME) != 0 && !directory_find(d, name);
}

/* Foreign files may be in folders. */
static void flatten(const char *name, char *ret)
{
	size_t length = strlen(name), n = 0;

	/* the end tells more of a path that is too long */
	if (length > NAME_LENGTH_MAX / 3 && strchr(name, '/'))
		name += length - NAME_LENGTH_MAX / 3;
	for (; *name && n + 3 <= NAME_LENGTH_MAX; name++) {
		if (*name == '/') {
			memcpy(ret + n, "%2F", 3);
			n += 3;
		} else {
			ret[n++] = *name;
		}
	}
	ret[n] = '\0';
}

/* Cuts the name where the number would not fit. */
static void add_number(const char *name, size_t max, uint32_t number, char *ret)
{
	char suffix[16];
	size_t length = strlen(name);
	int size = snprintf(suffix, sizeof(suffix), "~%u", number);

	if (length + size > max)
		length = max - size;
	memcpy(ret, name, length);
	memcpy(ret + length, suffix, size + 1);
}

/* A number that is free while the one before it is not: the smallest, unless
 * some in between were given up.  Thousands of equal names must not be tried one
 * by one. */
static void number_name(places_name_free *is_free, const void *context,
			const char *name, size_t max, char *ret)
{
	uint32_t taken = 1, free_one = 2;

	for (;; taken = free_one, free_one *= 2) {
		add_number(name, max, free_one, ret);
		if (is_free(context, ret))
			break;
	}
	while (free_one - taken > 1) {
		uint32_t middle = taken + (free_one - taken) / 2;

		add_number(name, max, middle, ret);
		if (is_free(context, ret))
			free_one = middle;
		else
			taken = middle;
	}
	add_number(name, max, free_one, ret);
}

void places_free_name_by(places_name_free *is_free, const void *context,
			 const char *name, size_t max, char *ret)
{
	char flat[NAME_LENGTH_MAX + 1];

	flatten(name, flat);
	if (is_free(context, flat))
		memcpy(ret, flat, strlen(flat) + 1);
	else
		number_name(is_free, context, flat, max, ret);
}

static bool is_free_in(const void *context, const char *name)
{
	return places_is_free(context, name);
}

void places_free_name(const struct directory *d, const char *name, size_t max,
		      char *ret)
{
	places_free_name_by(is_free_in, d, name, max, ret);
}

/* ---- keys ---- */

int places_next(const struct directory *d, const char *name,
		const struct timespec *now, uint32_t random,
		char ret_place[DIRECTORY_PLACE_SIZE])
{
	const struct directory_places *p = d->places;
	char key[DIRECTORY_KEY_SIZE];

	p->type->next_key(p->last, now, random, key);
	return p->type->make_place(key, name, ret_place);
}

int places_rename(const struct directory *d, const struct entry *e,
		  const char *name, const struct timespec *now, uint32_t random,
		  char ret_place[DIRECTORY_PLACE_SIZE])
{
	const struct directory_type *type = d->places->type;
	char key[DIRECTORY_KEY_SIZE];
	const char *old;

	if (type->parse(places_of(d, e), key, &old) < 0)
		return places_next(d, name, now, random, ret_place);
	return type->make_place(key, name, ret_place);
}

void places_note_key(struct directory_places *p, const char *place)
{
	char key[DIRECTORY_KEY_SIZE];
	const char *name;

	if (p->type->parse(place, key, &name) < 0)
		p->foreign++;
	else if (strcmp(key, p->last) > 0)
		memcpy(p->last, key, sizeof(key));
}

bool places_is_foreign(const struct directory_places *p, const char *place)
{
	char key[DIRECTORY_KEY_SIZE];
	const char *name;

	return p->type->parse(place, key, &name) < 0;
}

/* ---- changes ---- */

int places_reserve(struct directory *d, size_t more)
{
	struct directory_places *p = d->places;
	uint64_t gone = p->gone_count + (uint64_t)more;
	char **grown;

	if (p->capacity < d->capacity) {
		grown = reallocarray(p->at, d->capacity, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		p->at = grown;
		p->capacity = d->capacity;
	}
	if (p->gone_capacity < gone) {
		gone += gone / 2;
		grown = reallocarray(p->gone, gone, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		p->gone = grown;
		p->gone_capacity = gone;
	}
	if ((p->index_used + (uint64_t)more) * 4 <= (uint64_t)p->index_size * 3)
		return 0;
	return index_rebuild(d, (d->count - d->holes + (uint64_t)more) * 2);
}

void places_skip_holes(const struct directory *d)
{
	struct directory_places *p = d->places;

	while (p->first < d->count && !d->entries[p->first].live)
		p->first++;
}

void places_put(struct directory *d, struct entry *e)
{
	d->places->at[position_of(d, e)] = NULL;
}

/* Takes the entry's place out of the index; what is stored there is gone. */
static void give_up(struct directory *d, struct entry *e, bool remember)
{
	struct directory_places *p = d->places;
	char **at = &p->at[position_of(d, e)];

	if (!*at)
		return;
	if (p->foreign && places_is_foreign(p, *at))
		p->foreign--;
	places_index_drop(p, position_of(d, e));
	if (remember && e->stored)
		p->gone[p->gone_count++] = *at;
	else
		place_free(p, *at);
	*at = NULL;
}

void places_remove(struct directory *d, struct entry *e, bool remember)
{
	give_up(d, e, remember);
}

void places_set(struct directory *d, struct entry *e, char *place)
{
	struct directory_places *p = d->places;
	uint32_t position = position_of(d, e);

	places_note_order(d, position, place);
	give_up(d, e, true);
	p->at[position] = place;
	places_index_add(p, position);
	places_note_key(p, place);
}

void places_move(struct directory *d, struct entry *e, char *name, char *place)
{
	places_set(d, e, place);
	directory_set_stored(d, e, false);
	directory_set_name(d, e, name);
}

void places_move_position(struct directory *d, uint32_t from, uint32_t to)
{
	struct directory_places *p = d->places;

	p->at[to] = p->at[from];
	if (from < p->ordered)
		p->ordered_left = to + 1;
}
