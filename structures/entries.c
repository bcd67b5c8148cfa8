/* SPDX-License-Identifier: ISC */
#include "structures/entries.h"
#include "store/util.h"

#include <errno.h>
#include <string.h>
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->unhashed = true)
#include <uthash.h>

enum { BASE, OURS, THEIRS, SIDES };

/* A line, and where it stands. */
struct entry {
	const char *text;
	size_t size;			/* without the newline */
	size_t nth;			/* of equal lines, counted from 0 */
	bool in[SIDES];
	bool done;			/* in the result */
	bool unhashed;
	struct entry *next;		/* with the same text */
	struct entry *last[SIDES];	/* of the first: the side's last of them */
	UT_hash_handle hh;		/* by text; nth 0 alone */
};

/* One side's entries, in its order. */
struct sequence {
	struct entry **entries;
	size_t count, at;
};

struct entries {
	bool repeats;
	struct entry *table;
	struct sequence sides[SIDES];
};

static void entries_release(struct entries *e)
{
	struct entry *entry, *temporary;

	HASH_ITER(hh, e->table, entry, temporary) {
		HASH_DEL(e->table, entry);
		while (entry) {
			struct entry *next = entry->next;

			free(entry);
			entry = next;
		}
	}
	for (int i = 0; i < SIDES; i++)
		free(e->sides[i].entries);
}

/* ---- reading ---- */

static struct entry *new_entry(const char *text, size_t size, size_t nth)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (entry) {
		entry->text = text;
		entry->size = size;
		entry->nth = nth;
	}
	return entry;
}

static struct entry *find_first(struct entries *e, const char *text,
				size_t size)
{
	struct entry *entry;

	HASH_FIND(hh, e->table, text, size, entry);
	if (entry)
		return entry;
	entry = new_entry(text, size, 0);
	if (!entry)
		return NULL;
	HASH_ADD_KEYPTR(hh, e->table, entry->text, size, entry);
	if (entry->unhashed) {
		free(entry);
		return NULL;
	}
	return entry;
}

/* The entry of the side's next line.  *ret NULL: the side has it already, and
 * repeats do not count. */
static int find_entry(struct entries *e, const char *text, size_t size,
		      int side, struct entry **ret)
{
	struct entry *first = find_first(e, text, size), *last;

	*ret = NULL;
	if (!first)
		return -ENOMEM;
	last = first->last[side];
	if (last && !e->repeats)
		return 0;
	if (last && !last->next)
		last->next = new_entry(text, size, last->nth + 1);
	*ret = last ? last->next : first;
	if (!*ret)
		return -ENOMEM;
	first->last[side] = *ret;
	return 0;
}

static size_t count_lines(const struct merge_side *side)
{
	const char *at = side->data, *end = at + side->size;
	size_t n = 1;

	while (at && at < end && (at = memchr(at, '\n', end - at))) {
		at++;
		n++;
	}
	return n;
}

static int read_side(struct entries *e, const struct merge_side *side,
		     int which)
{
	struct sequence *s = &e->sides[which];
	const char *at = side->data, *end = at + side->size;
	int r = 0;

	s->entries = calloc(count_lines(side), sizeof(*s->entries));
	if (!s->entries)
		return -ENOMEM;
	while (r == 0 && at && at < end) {
		const char *newline = memchr(at, '\n', end - at);
		const char *stop = newline ? newline : end;
		struct entry *entry;

		r = find_entry(e, at, stop - at, which, &entry);
		if (r == 0 && entry) {
			entry->in[which] = true;
			s->entries[s->count++] = entry;
		}
		at = newline ? newline + 1 : end;
	}
	return r;
}

static int read_all(struct entries *e, const struct merge_input *input)
{
	int r = read_side(e, &input->base, BASE);

	if (r == 0)
		r = read_side(e, &input->ours, OURS);
	return r < 0 ? r : read_side(e, &input->theirs, THEIRS);
}

/* ---- writing ---- */

/* A base entry that one side removed is gone. */
static bool is_live(const struct entry *entry)
{
	return !entry->in[BASE] || (entry->in[OURS] && entry->in[THEIRS]);
}

static struct entry *head(struct sequence *s)
{
	while (s->at < s->count &&
	       (s->entries[s->at]->done || !is_live(s->entries[s->at])))
		s->at++;
	return s->at < s->count ? s->entries[s->at] : NULL;
}

static bool is_smaller(const struct entry *a, const struct entry *b)
{
	size_t least = a->size < b->size ? a->size : b->size;
	int order = least ? memcmp(a->text, b->text, least) : 0;

	if (order)
		return order < 0;
	return a->size != b->size ? a->size < b->size : a->nth < b->nth;
}

/* An entry that the other side has further down waits for what comes before it
 * there; two that wait for each other are in different order on both sides. */
static struct entry *choose(struct entry *o, struct entry *t)
{
	if (!o || !t)
		return o ? o : t;
	if (o->in[THEIRS] != t->in[OURS])
		return o->in[THEIRS] ? t : o;
	return is_smaller(o, t) ? o : t;
}

static int write_all(struct entries *e, struct buffer *b)
{
	struct entry *entry;
	int r = 0;

	while (r == 0 && (entry = choose(head(&e->sides[OURS]),
					 head(&e->sides[THEIRS])))) {
		entry->done = true;
		r = buffer_append(b, entry->text, entry->size);
		if (r == 0)
			r = buffer_append(b, "\n", 1);
	}
	return r < 0 ? r : buffer_reserve(b, 1);
}

static bool is_same(const struct merge_side *a, const struct merge_side *b)
{
	return a->size == b->size &&
	       (!a->size || memcmp(a->data, b->data, a->size) == 0);
}

/* What one side alone changed, or both alike, byte by byte: merges of trees do not
 * even ask about that. */
static const struct merge_side *settled(const struct merge_input *input)
{
	if (is_same(&input->base, &input->ours))
		return &input->theirs;
	return is_same(&input->base, &input->theirs) ||
	       is_same(&input->ours, &input->theirs) ? &input->ours : NULL;
}

static int write_side(const struct merge_side *side, struct buffer *b)
{
	int r = buffer_reserve(b, side->size + 1);

	return r < 0 ? r : buffer_append(b, side->data, side->size);
}

int entries_merge(const struct merge_input *input, bool repeats,
		  struct merge_output *ret)
{
	scoped(entries_release) struct entries e = { .repeats = repeats };
	scoped_buffer struct buffer b = { 0 };
	const struct merge_side *side = settled(input);
	int r = side ? write_side(side, &b) : read_all(&e, input);

	if (r == 0 && !side)
		r = write_all(&e, &b);
	if (r < 0)
		return r;
	*ret = (struct merge_output){ .size = b.length };
	ret->data = STEAL(b.data);
	return 0;
}
