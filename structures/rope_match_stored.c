/* SPDX-License-Identifier: ISC */
#include "structures/rope_match.h"

#include "structures/rope_private.h"

/* Level by level from the roots down: first what is equal from the front and
 * from the back, so that where much is the same over and over (constant bytes) it
 * stays where it was; then what is equal anywhere.  The rest is opened. */

struct item {
	struct rope_entry entry;
	unsigned int level;		/* 0: a chunk, n: a node of level n - 1 */
	struct stored_node *parent;	/* NULL: it is the root */
	unsigned int index;		/* in parent */
	uint64_t offset;
	bool matched;
	size_t taken;			/* at the first of an id: of it so far */
};

struct side {
	struct stored *stored;
	uint64_t size;
	struct buffer items, next;	/* what is not matched, in order */
};

#define ITEMS(b) ((struct item *)(b)->data)
#define ITEM_COUNT(b) ((b)->length / sizeof(struct item))

static int side_init(struct side *side, struct stored *s)
{
	struct stored_node *root;
	struct item item = { .parent = NULL };
	int r = stored_root(s, &root);

	*side = (struct side){ .stored = s };
	if (r < 0)
		return r;
	side->size = root->tree->size;
	item.level = root->tree->level + 1;
	item.entry.oid = s->oid;
	item.entry.size = side->size;
	return side->size ? buffer_append(&side->items, &item, sizeof(item)) :
			    0;
}

static void side_release(struct side *side)
{
	buffer_release(&side->items);
	buffer_release(&side->next);
}

static int node_of(struct side *side, const struct item *item,
		   struct stored_node **ret)
{
	return item->parent ? stored_child(side->stored, item->parent,
					   item->index, ret) :
			      stored_root(side->stored, ret);
}

static int open_item(struct side *side, const struct item *item)
{
	struct stored_node *node;
	uint64_t offset = item->offset;
	int r = node_of(side, item, &node);

	for (unsigned int i = 0; r == 0 && i < node->tree->count; i++) {
		struct item child = {
			.entry = node->tree->entries[i],
			.level = item->level - 1, .parent = node, .index = i,
			.offset = offset,
		};

		r = buffer_append(&side->next, &child, sizeof(child));
		offset += child.entry.size;
	}
	return r;
}

static int by_offset(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int by_id(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int r = memcmp(x->entry.oid.id, y->entry.oid.id, OID_SIZE);

	return r ? r : by_offset(a, b);
}

static void sort(struct buffer *b, int (*compare)(const void *, const void *))
{
	if (b->length)
		qsort(b->data, ITEM_COUNT(b), sizeof(struct item), compare);
}

/* The children of what is not matched at this level. */
static int open_items(struct side *side, unsigned int level)
{
	struct buffer opened;
	int r = 0;

	sort(&side->items, by_offset);
	side->next.length = 0;
	for (size_t i = 0; r == 0 && i < ITEM_COUNT(&side->items); i++) {
		const struct item *item = &ITEMS(&side->items)[i];

		if (item->level < level)
			r = buffer_append(&side->next, item, sizeof(*item));
		else if (!item->matched)
			r = open_item(side, item);
	}
	opened = side->next;
	side->next = side->items;
	side->items = opened;
	return r;
}

/* ---- matching ---- */

static bool is_equal(const struct item *a, const struct item *b)
{
	return a->level == b->level && !a->matched && !b->matched &&
	       oid_equal(&a->entry.oid, &b->entry.oid);
}

static int match(struct item *older, struct item *newer,
		 struct buffer *matches)
{
	older->matched = newer->matched = true;
	return rope_match_add(matches, newer->offset, newer->entry.size,
			      older->offset);
}

static int match_front(struct side *older, struct side *newer, uint64_t *front,
		       struct buffer *matches)
{
	struct item *a = ITEMS(&older->items), *b = ITEMS(&newer->items);
	size_t most = ITEM_COUNT(&older->items);
	int r = 0;

	if (most > ITEM_COUNT(&newer->items))
		most = ITEM_COUNT(&newer->items);
	for (; r == 0 && most-- && a->offset == *front && b->offset == *front &&
	       is_equal(a, b); a++, b++) {
		*front += a->entry.size;
		r = match(a, b, matches);
	}
	return r;
}

/* back: bytes at the end that are matched. */
static int match_back(struct side *older, struct side *newer, uint64_t *back,
		      struct buffer *matches)
{
	size_t i = ITEM_COUNT(&older->items), k = ITEM_COUNT(&newer->items);
	int r = 0;

	while (r == 0 && i && k) {
		struct item *a = &ITEMS(&older->items)[--i];
		struct item *b = &ITEMS(&newer->items)[--k];

		if (older->size - a->offset - a->entry.size != *back ||
		    newer->size - b->offset - b->entry.size != *back ||
		    !is_equal(a, b))
			break;
		*back += a->entry.size;
		r = match(a, b, matches);
	}
	return r;
}

/* The first place at or behind offset of this id, or what is behind it; b is
 * sorted by id. */
static size_t lower_bound(struct buffer *b, const struct oid *oid,
			  uint64_t offset)
{
	struct item wanted = { .entry.oid = *oid, .offset = offset };
	size_t low = 0, high = ITEM_COUNT(b);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (by_id(&ITEMS(b)[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first of the same id that is not matched. */
static struct item *find_first(struct buffer *b, const struct item *item)
{
	size_t first = lower_bound(b, &item->entry.oid, 0), i = first;

	if (first == ITEM_COUNT(b))
		return NULL;
	for (i += ITEMS(b)[first].taken; i < ITEM_COUNT(b); i++) {
		if (!oid_equal(&ITEMS(b)[i].entry.oid, &item->entry.oid))
			break;
		ITEMS(b)[first].taken++;
		if (is_equal(&ITEMS(b)[i], item))
			return &ITEMS(b)[i];
	}
	return NULL;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* One of the same id that is not matched: the nearest to where it should be, for
 * what is there several times. */
static struct item *find(struct buffer *b, const struct item *item,
			 uint64_t expected)
{
	size_t at = lower_bound(b, &item->entry.oid, expected);
	struct item *behind = at < ITEM_COUNT(b) ? &ITEMS(b)[at] : NULL;
	struct item *before = at ? &ITEMS(b)[at - 1] : NULL;

	if (behind && !is_equal(behind, item))
		behind = NULL;
	if (before && !is_equal(before, item))
		before = NULL;
	if (before && behind)
		return distance(before->offset, expected) <
			distance(behind->offset, expected) ? before : behind;
	return before ? before : behind ? behind : find_first(b, item);
}

/* It should be as far from where it is as the match before it. */
static int match_anywhere(struct side *older, struct side *newer,
			  unsigned int level, struct buffer *matches)
{
	size_t known = rope_match_count(matches), next = 0;
	uint64_t shift = 0;		/* modulo 2^64 */
	int r = 0;

	sort(&older->items, by_id);
	rope_match_sort(matches);
	for (size_t i = 0; r == 0 && i < ITEM_COUNT(&newer->items); i++) {
		struct item *item = &ITEMS(&newer->items)[i], *same;
		const struct rope_match *m = rope_matches(matches);

		if (item->level != level || item->matched)
			continue;
		for (; next < known && m[next].offset < item->offset; next++)
			shift = m[next].from - m[next].offset;
		same = find(&older->items, item, item->offset + shift);
		if (!same)
			continue;
		shift = same->offset - item->offset;
		r = match(same, item, matches);
	}
	return r;
}

static int match_levels(struct side *older, struct side *newer,
			unsigned int level, struct buffer *matches)
{
	uint64_t front = 0, back = 0;
	int r;

	for (;; level--) {
		r = match_front(older, newer, &front, matches);
		if (r == 0)
			r = match_back(older, newer, &back, matches);
		if (r == 0)
			r = match_anywhere(older, newer, level, matches);
		if (r < 0 || level == 0)
			return r;
		r = open_items(older, level);
		if (r == 0)
			r = open_items(newer, level);
		if (r < 0)
			return r;
	}
}

static unsigned int level_of(const struct side *side)
{
	return side->items.length ? ITEMS(&side->items)->level : 0;
}

int rope_match_stored(struct stored *older, struct stored *newer,
		      struct buffer *matches)
{
	struct side a = { 0 }, b = { 0 };
	int r = side_init(&a, older);

	if (r == 0)
		r = side_init(&b, newer);
	if (r == 0)
		r = match_levels(&a, &b, level_of(&a) > level_of(&b) ?
				 level_of(&a) : level_of(&b), matches);
	if (r == 0)
		r = rope_match_choose(matches);
	side_release(&a);
	side_release(&b);
	return r;
}
