/* SPDX-License-Identifier: ISC */
#include "structures/queue_private.h"

#include <errno.h>
#include <string.h>

/* Merging reads what differs.  The three trees of a directory are walked side by
 * side in Git's order, in which a file and a directory of one name are apart:
 * each is merged for itself.  Where elements are, they come first, so that what
 * plain Git put between them does not part those of one key. */

enum { BASE, OURS, THEIRS, SIDES };

struct span {
	const struct tree_entry *entries;
	size_t count;
};

struct merge {
	struct odb *odb;
	const struct queue_place *place;
	struct tree *trees[SIDES];
	struct span spans[SIDES];	/* what is walked now */
	size_t next[SIDES];
	struct queue_node *merged;
};

static void merge_release(struct merge *m)
{
	queue_node_free(m->merged);	/* its names are the trees' */
	for (int i = 0; i < SIDES; i++)
		tree_free(m->trees[i]);
}

static bool is_same(const struct tree_entry *a, const struct tree_entry *b)
{
	if (!a || !b)
		return a == b;
	return a->mode == b->mode && oid_equal(&a->oid, &b->oid);
}

/* By name, then id, then mode: any order will do that does not know sides. */
static const struct tree_entry *smaller(const struct tree_entry *a,
					const struct tree_entry *b)
{
	int order = strcmp(a->name, b->name);

	if (!order)
		order = memcmp(a->oid.id, b->oid.id, OID_SIZE);
	if (!order)
		order = a->mode < b->mode ? -1 : 1;
	return order < 0 ? a : b;
}

static int keep(struct merge *m, const struct tree_entry *entry)
{
	struct queue_slot *slot;

	return entry ? queue_node_insert(m->merged, m->merged->count, entry,
					 false, &slot) : 0;
}

/* ---- the next entries ---- */

static const struct tree_entry *peek(const struct merge *m, int side)
{
	const struct span *span = &m->spans[side];

	return m->next[side] < span->count ? &span->entries[m->next[side]] : NULL;
}

static int compare(const struct tree_entry *a, const struct tree_entry *b)
{
	return tree_compare(a->name, a->mode, b->name, b->mode);
}

static const struct tree_entry *find_next(const struct merge *m)
{
	const struct tree_entry *at = NULL;

	for (int i = 0; i < SIDES; i++) {
		const struct tree_entry *entry = peek(m, i);

		if (entry && (!at || compare(entry, at) < 0))
			at = entry;
	}
	return at;
}

/* Each side's entry of that name and kind, or NULL. */
static void take(struct merge *m, const struct tree_entry *at,
		 const struct tree_entry *ret[SIDES])
{
	for (int i = 0; i < SIDES; i++) {
		ret[i] = peek(m, i);
		if (ret[i] && compare(ret[i], at) != 0)
			ret[i] = NULL;
		if (ret[i])
			m->next[i]++;
	}
}

/* ---- files: presence by path ---- */

static const struct tree_entry *
merge_path(const struct tree_entry *const sides[SIDES])
{
	const struct tree_entry *base = sides[BASE], *ours = sides[OURS],
				*theirs = sides[THEIRS];

	if (is_same(ours, theirs) || is_same(base, theirs))
		return ours;
	if (is_same(base, ours))
		return theirs;
	if (ours && theirs)
		return smaller(ours, theirs);
	return base ? NULL : ours ? ours : theirs;
}

/* Nobody claims foreign files: what one side changed stays though the other took
 * the file away, as making a queue of a directory does. */
static const struct tree_entry *
merge_foreign(const struct tree_entry *const sides[SIDES])
{
	const struct tree_entry *ours = sides[OURS], *theirs = sides[THEIRS];
	const struct tree_entry *left = ours ? ours : theirs;

	if (ours && theirs)
		return merge_path(sides);
	return is_same(sides[BASE], left) ? NULL : left;
}

/* ---- elements: presence by key ---- */

/* All entries of one key.  More than one on a side is what plain Git makes of
 * two renames. */
struct group {
	struct span sides[SIDES];
};

static bool is_same_span(const struct span *a, const struct span *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->entries[i].name, b->entries[i].name) != 0 ||
		    !is_same(&a->entries[i], &b->entries[i]))
			return false;
	return true;
}

static int keep_span(struct merge *m, const struct span *span)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < span->count; i++)
		r = keep(m, &span->entries[i]);
	return r;
}

static const struct tree_entry *smallest(const struct group *g)
{
	const struct tree_entry *at = NULL;

	for (int i = OURS; i <= THEIRS; i++)
		for (size_t j = 0; j < g->sides[i].count; j++) {
			const struct tree_entry *entry =
				&g->sides[i].entries[j];

			at = at ? smaller(at, entry) : entry;
		}
	return at;
}

static int merge_several(struct merge *m, const struct group *g)
{
	struct merge inner = { .merged = m->merged };
	size_t before = m->merged->count;
	const struct tree_entry *at, *sides[SIDES];
	int r = 0;

	memcpy(inner.spans, g->sides, sizeof(inner.spans));
	while (r == 0 && (at = find_next(&inner))) {
		take(&inner, at, sides);
		r = keep(m, merge_path(sides));
	}
	/* each side removed what the other kept: the element lives */
	if (r == 0 && m->merged->count == before)
		r = keep(m, smallest(g));
	return r;
}

static int merge_group(struct merge *m, const struct group *g)
{
	const struct span *base = &g->sides[BASE], *ours = &g->sides[OURS],
			  *theirs = &g->sides[THEIRS];

	if (base->count && (!ours->count || !theirs->count))
		return 0;
	if (is_same_span(ours, theirs) || is_same_span(base, theirs))
		return keep_span(m, ours);
	if (is_same_span(base, ours))
		return keep_span(m, theirs);
	if (ours->count <= 1 && theirs->count <= 1)
		return keep(m, smallest(g));
	return merge_several(m, g);
}

static bool has_key(const struct tree_entry *entry, const char *key)
{
	return strncmp(entry->name, key, QUEUE_KEY_LENGTH) == 0;
}

static int merge_key(struct merge *m, const char *key)
{
	struct group g;

	for (int i = 0; i < SIDES; i++) {
		struct span *span = &g.sides[i];

		*span = (struct span){ .entries = peek(m, i) };
		while (peek(m, i) && has_key(peek(m, i), key)) {
			m->next[i]++;
			span->count++;
		}
	}
	return merge_group(m, &g);
}

/* Elements before the rest, each in order. */
static int part(const struct merge *m, struct tree *tree, size_t *ret_elements)
{
	struct tree_entry *parted = reallocarray(NULL, tree->count + 1,
						 sizeof(*parted));
	size_t elements = 0, rest = 0;
	struct queue_key key;
	const char *name;

	if (!parted)
		return -ENOMEM;
	for (size_t i = 0; i < tree->count; i++) {
		const struct tree_entry *entry = &tree->entries[i];

		if (queue_place_has(m->place, entry->name, entry->mode, &key,
				    &name))
			parted[elements++] = *entry;
		else
			tree->entries[rest++] = *entry;
	}
	memcpy(parted + elements, tree->entries, rest * sizeof(*parted));
	free(tree->entries);
	tree->entries = parted;
	*ret_elements = elements;
	return 0;
}

/* Leaves the rest to be walked. */
static int merge_elements(struct merge *m)
{
	const struct tree_entry *at;
	int r = 0;

	for (int i = 0; r == 0 && i < SIDES; i++) {
		r = part(m, m->trees[i], &m->spans[i].count);
		m->spans[i].entries = m->trees[i]->entries;
	}
	while (r == 0 && (at = find_next(m)))
		r = merge_key(m, at->name);
	for (int i = 0; r == 0 && i < SIDES; i++)
		m->spans[i].count = m->trees[i]->count;
	return r;
}

/* ---- directories ---- */

static int merge_directory(struct odb *odb, const struct queue_place *place,
			   const struct oid sides[SIDES], struct oid *ret);

static int merge_below(struct merge *m, const struct tree_entry *at,
		       const struct tree_entry *const sides[SIDES])
{
	struct tree_entry entry = *at;
	struct oid oids[SIDES] = { 0 };
	struct queue_place inner;
	int r;

	if (!queue_place_enter(m->place, at->name, &inner))
		return -EUCLEAN;
	for (int i = 0; i < SIDES; i++)
		if (sides[i])
			oids[i] = sides[i]->oid;
	r = merge_directory(m->odb, &inner, oids, &entry.oid);
	if (r < 0)
		return r;
	return oid_is_zero(&entry.oid) ? 0 : keep(m, &entry);
}

static int merge_next(struct merge *m, const struct tree_entry *at)
{
	const struct tree_entry *sides[SIDES];

	take(m, at, sides);
	if (at->mode == MODE_TREE)
		return merge_below(m, at, sides);
	return keep(m, merge_foreign(sides));
}

/* Most entries are the same in all three: keeps those that come next. */
static int keep_common(struct merge *m)
{
	const struct tree_entry *base, *ours, *theirs;
	int r = 0;

	while (r == 0 && (base = peek(m, BASE)) && (ours = peek(m, OURS)) &&
	       (theirs = peek(m, THEIRS)) && is_same(base, ours) &&
	       is_same(base, theirs) && strcmp(base->name, ours->name) == 0 &&
	       strcmp(base->name, theirs->name) == 0) {
		for (int i = 0; i < SIDES; i++)
			m->next[i]++;
		r = keep(m, base);
	}
	return r;
}

static int read_trees(struct merge *m, const struct oid sides[SIDES])
{
	int r;

	m->merged = queue_node_new();
	r = m->merged ? tree_read(m->odb, &sides[BASE], &m->trees[BASE]) :
			-ENOMEM;
	if (r == 0)
		r = queue_node_reserve(m->merged, m->trees[BASE]->count + 1);
	for (int i = 0; r == 0 && i < SIDES; i++) {
		if (i != BASE)
			r = tree_read(m->odb, &sides[i], &m->trees[i]);
		if (r == 0)
			m->spans[i] = (struct span){ m->trees[i]->entries,
						     m->trees[i]->count };
	}
	return r;
}

static int merge_trees(struct merge *m)
{
	const struct tree_entry *at;
	int r = 0;

	if (queue_place_is_leaf(m->place))
		r = merge_elements(m);
	if (r == 0)
		r = keep_common(m);
	while (r == 0 && (at = find_next(m))) {
		r = merge_next(m, at);
		if (r == 0)
			r = keep_common(m);
	}
	if (r == 0)
		r = queue_node_settle(m->merged);
	return r;
}

static int merge_directory(struct odb *odb, const struct queue_place *place,
			   const struct oid sides[SIDES], struct oid *ret)
{
	scoped(merge_release) struct merge m = { .odb = odb, .place = place };
	int r;

	if (oid_equal(&sides[OURS], &sides[THEIRS]) ||
	    oid_equal(&sides[BASE], &sides[THEIRS])) {
		*ret = sides[OURS];
		return 0;
	}
	if (oid_equal(&sides[BASE], &sides[OURS])) {
		*ret = sides[THEIRS];
		return 0;
	}
	r = read_trees(&m, sides);
	if (r == 0)
		r = merge_trees(&m);
	return r < 0 ? r : queue_node_write(odb, m.merged, QUEUE_KEEP_NONE, ret);
}

/* Both ways to say that there is nothing are one. */
static struct oid normal(const struct oid *oid)
{
	return oid_equal(oid, &oid_empty_tree) ? (struct oid){ 0 } : *oid;
}

int queue_merge(struct odb *odb, const struct oid *base, const struct oid *ours,
		const struct oid *theirs, struct oid *ret_queue)
{
	const struct oid sides[SIDES] = { normal(base), normal(ours),
					  normal(theirs) };

	return merge_directory(odb, &queue_root_place, sides, ret_queue);
}
