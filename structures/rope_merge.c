/* SPDX-License-Identifier: ISC */
#include "structures/rope_store.h"

#include "structures/rope_match.h"
#include "structures/rope_private.h"

#include <errno.h>

/* Merging stored ropes by lines.  Chunks that all three have are left alone but
 * for a margin; what is between them, from the begin of a line to the begin of
 * another, is a window, which the line merge gets if both sides changed it.  The
 * margin is there because a line merge looks beyond what changed: it moves
 * changes over lines that repeat, and joins conflicts that are close.
 *
 * What the line merge of the whole files merges cleanly comes out the same.  Where
 * that takes lines of a large insertion for others of the same text it finds
 * conflicts that windows may not have.  How a conflict of large changes is divided
 * depends on the size of the files: those of ordinary size are merged as a whole
 * when there is one, so that people see the markers that they know. */

#define MARGIN 4096
#define ORDINARY ((uint64_t)1 << 20)
/* Git merges no lines of more. */
#define WINDOW_MAX ((uint64_t)1023 << 20)
/* Where Git looks for a NUL. */
#define TEXT_LOOK 8000

enum { BASE, OURS, THEIRS, VERSIONS };

struct merge {
	struct odb *odb;
	struct stored *stored[VERSIONS];
	struct rope *rope[VERSIONS];
	const char *label[VERSIONS];
	int marker_size;
	struct buffer matches[VERSIONS];	/* of ours, theirs with base */
	struct buffer common;			/* struct region */
	struct rope *result;
	int outcome;				/* 1: a conflict */
};

/* Bytes that all three have, and where. */
struct region {
	uint64_t at[VERSIONS], size;
};

#define REGIONS(m) ((struct region *)(m)->common.data)
#define REGION_COUNT(m) ((m)->common.length / sizeof(struct region))

/* ---- regions ---- */

static int add_region(struct merge *m, uint64_t base, uint64_t ours,
		      uint64_t theirs, uint64_t size)
{
	struct region region = { { base, ours, theirs }, size }, *last;

	if (REGION_COUNT(m)) {
		last = &REGIONS(m)[REGION_COUNT(m) - 1];
		if (last->at[BASE] + last->size == base &&
		    last->at[OURS] + last->size == ours &&
		    last->at[THEIRS] + last->size == theirs) {
			last->size += size;
			return 0;
		}
	}
	return buffer_append(&m->common, &region, sizeof(region));
}

/* Where the matches of both sides overlap in the base. */
static int find_regions(struct merge *m)
{
	const struct rope_match *a = rope_matches(&m->matches[OURS]);
	const struct rope_match *b = rope_matches(&m->matches[THEIRS]);
	const struct rope_match *a_end = a + rope_match_count(&m->matches[OURS]);
	const struct rope_match *b_end =
		b + rope_match_count(&m->matches[THEIRS]);
	int r = 0;

	while (r == 0 && a < a_end && b < b_end) {
		uint64_t begin = a->from > b->from ? a->from : b->from;
		uint64_t end = a->from + a->size;

		if (end > b->from + b->size)
			end = b->from + b->size;
		if (begin < end)
			r = add_region(m, begin, a->offset + (begin - a->from),
				       b->offset + (begin - b->from),
				       end - begin);
		if (a->from + a->size < b->from + b->size)
			a++;
		else
			b++;
	}
	return r;
}

/* ---- windows ---- */

struct window {
	uint64_t at[VERSIONS], size[VERSIONS];
};

static int take(struct merge *m, int version, const struct window *w)
{
	return rope_insert_rope(m->result, rope_size(m->result),
				m->rope[version], w->at[version],
				w->size[version]);
}

static int conflict(struct merge *m, const struct window *w)
{
	m->outcome = 1;
	return take(m, OURS, w);
}

static int read_window(struct merge *m, int version, const struct window *w,
		       struct buffer *ret)
{
	ssize_t n;
	int r = buffer_reserve(ret, w->size[version] + 1);

	if (r < 0)
		return r;
	n = rope_read(m->rope[version], ret->data, w->size[version],
		      w->at[version]);
	if (n >= 0)
		ret->length = n;
	return n < 0 ? n : 0;
}

/* 1: equal.  Compares pieces, not to hold what is large. */
static int is_equal(struct merge *m, int a, int b, const struct window *w)
{
	unsigned char x[4096], y[4096];
	uint64_t done = 0;

	if (w->size[a] != w->size[b])
		return 0;
	while (done < w->size[a]) {
		size_t left = w->size[a] - done,
		       part = left < sizeof(x) ? left : sizeof(x);
		ssize_t n = rope_read(m->rope[a], x, part, w->at[a] + done);

		if (n >= 0)
			n = rope_read(m->rope[b], y, part, w->at[b] + done);
		if (n < 0)
			return n;
		if (memcmp(x, y, part) != 0)
			return 0;
		done += part;
	}
	return 1;
}

static int merge_lines(struct merge *m, const struct window *w)
{
	scoped(merge_output_release) struct merge_output output = { 0 };
	struct buffer b[VERSIONS] = { 0 };
	struct merge_side side[VERSIONS];
	int r = 0;

	for (int i = 0; r == 0 && i < VERSIONS; i++) {
		r = read_window(m, i, w, &b[i]);
		side[i] = (struct merge_side){ b[i].data, b[i].length,
					       m->label[i] };
	}
	if (r == 0) {
		struct merge_input input = {
			.base = side[BASE], .ours = side[OURS],
			.theirs = side[THEIRS], .path = "",
			.marker_size = m->marker_size,
		};

		r = merge_type_find("text")->merge(&input, &output);
	}
	for (int i = 0; i < VERSIONS; i++)
		buffer_release(&b[i]);
	if (r < 0)
		return r;
	m->outcome |= r;
	return rope_append(m->result, output.data, output.size);
}

/* Whether a side has the window as the base has it; matches tell most. */
static int is_unchanged(struct merge *m, int side, const struct window *w)
{
	const struct rope_match *match = rope_matches(&m->matches[side]);
	size_t low = 0, high = rope_match_count(&m->matches[side]);
	uint64_t within;

	if (w->size[BASE] != w->size[side])
		return 0;
	/* the last one that begins at or before the window */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (match[middle].from <= w->at[BASE])
			low = middle + 1;
		else
			high = middle;
	}
	if (low) {
		match += low - 1;
		within = w->at[BASE] - match->from;
		if (within <= match->size &&
		    w->size[BASE] <= match->size - within &&
		    match->offset + within == w->at[side])
			return 1;
	}
	return is_equal(m, BASE, side, w);
}

static int merge_window(struct merge *m, const struct window *w)
{
	int r = is_unchanged(m, OURS, w);

	if (r)
		return r < 0 ? r : take(m, THEIRS, w);
	r = is_unchanged(m, THEIRS, w);
	if (r == 0)
		r = is_equal(m, OURS, THEIRS, w);
	if (r)
		return r < 0 ? r : take(m, OURS, w);
	for (int i = 0; i < VERSIONS; i++)
		if (w->size[i] > WINDOW_MAX)
			return conflict(m, w);
	return merge_lines(m, w);
}

/* ---- cutting ---- */

/* The begin of the first line that begins at offset or behind it; the size if
 * there is none. */
static int next_line(struct rope *rope, uint64_t offset, uint64_t *ret)
{
	uint64_t line, start;
	int r = rope_line_of(rope, offset, &line);

	if (r == 0)
		r = rope_line_start(rope, line, &start);
	if (r < 0 || start == offset) {
		*ret = offset;
		return r;
	}
	r = rope_line_start(rope, line + 1, ret);
	if (r == -ENOENT) {
		*ret = rope_size(rope);
		r = 0;
	}
	return r;
}

static int this_line(struct rope *rope, uint64_t offset, uint64_t *ret)
{
	uint64_t line;
	int r = rope_line_of(rope, offset, &line);

	return r < 0 ? r : rope_line_start(rope, line, ret);
}

/* The part [*ret_begin, *ret_end) of a region that no window gets, relative to
 * it; 0: there is none. */
static int kept(struct merge *m, const struct region *region, bool is_first,
		bool is_last, uint64_t *ret_begin, uint64_t *ret_end)
{
	uint64_t at = region->at[OURS], begin = 0, end = region->size;
	int r = 0;

	if (!is_first) {
		if (end <= MARGIN)
			return 0;
		r = next_line(m->rope[OURS], at + MARGIN, &begin);
		begin -= at;
	}
	if (r == 0 && !is_last) {
		if (end <= MARGIN)
			return 0;
		r = this_line(m->rope[OURS], at + end - MARGIN, &end);
		/* the newline before it must be in the region too */
		if (r == 0 && end <= at)
			return 0;
		end -= at;
	}
	if (r < 0 || begin > end)
		return r;
	*ret_begin = begin;
	*ret_end = end;
	return 1;
}

static void window_to(struct window *w, const struct region *region,
		      uint64_t within)
{
	for (int i = 0; i < VERSIONS; i++)
		w->size[i] = region->at[i] + within - w->at[i];
}

static bool stands_at(const struct merge *m, const struct region *region,
		      bool end)
{
	for (int i = 0; i < VERSIONS; i++)
		if (end ? region->at[i] + region->size != rope_size(m->rope[i]) :
			  region->at[i] != 0)
			return false;
	return true;
}

static int merge_windows(struct merge *m)
{
	struct window w = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < REGION_COUNT(m); i++) {
		const struct region *region = &REGIONS(m)[i];
		bool is_first = stands_at(m, region, false);
		uint64_t begin = 0, end = 0;

		r = kept(m, region, is_first, stands_at(m, region, true),
			 &begin, &end);
		if (r <= 0)
			continue;
		window_to(&w, region, begin);
		r = is_first ? 0 : merge_window(m, &w);
		for (int k = 0; k < VERSIONS; k++)
			w.at[k] = region->at[k] + end;
		if (r == 0)
			r = rope_insert_rope(m->result, rope_size(m->result),
					     m->rope[OURS],
					     region->at[OURS] + begin,
					     end - begin);
	}
	for (int k = 0; k < VERSIONS; k++)
		w.size[k] = rope_size(m->rope[k]) - w.at[k];
	return r < 0 ? r : merge_window(m, &w);
}

/* ---- the whole ---- */

static int is_text(struct rope *rope)
{
	unsigned char bytes[TEXT_LOOK];
	ssize_t n = rope_read(rope, bytes, sizeof(bytes), 0);

	return n < 0 ? n : contents_is_text(bytes, n);
}

/* 1: all are. */
static int are_text(struct merge *m)
{
	int r = 1;

	for (int i = 0; r == 1 && i < VERSIONS; i++)
		r = is_text(m->rope[i]);
	return r;
}

static int open_version(struct merge *m, int version, const struct oid *oid)
{
	int r;

	if (oid_is_zero(oid))
		return rope_new(&m->rope[version]);
	r = stored_new(m->odb, oid, &m->stored[version]);
	return r < 0 ? r : rope_open(m->stored[version], &m->rope[version]);
}

static int match(struct merge *m, int version)
{
	return m->stored[BASE] && m->stored[version] ?
		rope_match_stored(m->stored[BASE], m->stored[version],
				  &m->matches[version]) : 0;
}

/* 1: equal; of canonical trees this is told by the roots, but for their modes. */
static int has_same_bytes(struct merge *m, int a, int b)
{
	struct stored_node *x, *y;
	int r;

	if (!m->stored[a] || !m->stored[b])
		return rope_size(m->rope[a]) == 0 && rope_size(m->rope[b]) == 0;
	r = stored_root(m->stored[a], &x);
	if (r == 0)
		r = stored_root(m->stored[b], &y);
	if (r < 0)
		return r;
	return x->tree->level == y->tree->level &&
	       x->tree->count == y->tree->count &&
	       memcmp(x->tree->entries, y->tree->entries,
		      x->tree->count * sizeof(*x->tree->entries)) == 0;
}

/* The side to take as it is: the one that changed, or whose change the other
 * made too.  -ENOENT: both changed. */
static int settled(struct merge *m)
{
	int r = has_same_bytes(m, BASE, OURS);

	if (r)
		return r < 0 ? r : THEIRS;
	r = has_same_bytes(m, BASE, THEIRS);
	if (r == 0)
		r = has_same_bytes(m, OURS, THEIRS);
	return r < 0 ? r : r ? OURS : -ENOENT;
}

static int merge_whole(struct merge *m, const struct window *all)
{
	int r = rope_delete(m->result, 0, rope_size(m->result));

	m->outcome = 0;
	return r < 0 ? r : merge_lines(m, all);
}

static bool is_ordinary(const struct window *w)
{
	return w->size[BASE] <= ORDINARY && w->size[OURS] <= ORDINARY &&
	       w->size[THEIRS] <= ORDINARY;
}

static int merge_bytes(struct merge *m)
{
	struct window all = { 0 };
	int r = settled(m);

	for (int i = 0; i < VERSIONS; i++)
		all.size[i] = rope_size(m->rope[i]);
	if (r != -ENOENT)
		return r < 0 ? r : take(m, r, &all);
	r = are_text(m);
	if (r <= 0)
		return r < 0 ? r : conflict(m, &all);
	r = match(m, OURS);
	if (r == 0)
		r = match(m, THEIRS);
	if (r == 0)
		r = find_regions(m);
	if (r == 0)
		r = merge_windows(m);
	if (r == 0 && m->outcome && is_ordinary(&all))
		r = merge_whole(m, &all);
	return r;
}

static void merge_release(struct merge *m)
{
	for (int i = 0; i < VERSIONS; i++) {
		rope_free(m->rope[i]);
		if (m->stored[i])
			rope_source_unref(&m->stored[i]->source);
		buffer_release(&m->matches[i]);
	}
	buffer_release(&m->common);
	rope_free(m->result);
}

/* The bit of the side that changed it. */
static int merge_mode(struct merge *m, bool *ret_executable)
{
	bool bit[VERSIONS] = { false };

	for (int i = 0; i < VERSIONS; i++) {
		struct stored_node *root;
		int r = m->stored[i] ? stored_root(m->stored[i], &root) : 1;

		if (r < 0)
			return r;
		if (r == 0)
			bit[i] = root->tree->executable;
	}
	*ret_executable = bit[OURS] == bit[BASE] ? bit[THEIRS] : bit[OURS];
	return 0;
}

int rope_store_merge(struct odb *odb, const struct oid *base,
		     const struct oid *ours, const struct oid *theirs,
		     const struct merge_marks *marks, struct oid *ret_oid)
{
	const struct oid *oids[VERSIONS] = { base, ours, theirs };
	scoped(merge_release) struct merge m = {
		.odb = odb, .label = { "base", marks->ours, marks->theirs },
		.marker_size = marks->size,
	};
	bool executable = false;
	int r = rope_new(&m.result);

	if (oid_equal(ours, theirs) || oid_equal(base, theirs) ||
	    oid_equal(base, ours)) {
		*ret_oid = oid_equal(base, ours) ? *theirs : *ours;
		return r;
	}
	for (int i = 0; r == 0 && i < VERSIONS; i++)
		r = open_version(&m, i, oids[i]);
	if (r == 0)
		r = merge_mode(&m, &executable);
	if (r == 0)
		r = merge_bytes(&m);
	if (r == 0)
		r = rope_store(m.result, odb, executable, ret_oid);
	return r < 0 ? r : m.outcome;
}
