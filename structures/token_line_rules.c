/* SPDX-License-Identifier: ISC */
#include "structures/token_lines.h"

#include <errno.h>
#include <string.h>

/* Rules that put the changes of lines together. */

/* ---- lines ---- */

/* The line that one side made of another; NULL: both changed it, or it is
 * another line altogether. */
static const struct line *pick(const struct line *o, const struct line *b,
			       const struct line *t, unsigned int similar)
{
	const struct line *changed;

	if (line_equals(o, t))
		return o;
	if (!line_equals(o, b) && !line_equals(t, b))
		return NULL;
	changed = line_equals(o, b) ? t : o;
	return line_similarity(b, changed) >= similar ? changed : NULL;
}

static int line_by_line(const struct three_lines *t, unsigned int similar,
			struct buffer *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < t->base.count; i++) {
		const struct line *line =
			pick(&t->ours.lines[i], &t->base.lines[i],
			     &t->theirs.lines[i], similar);

		if (!line)
			return 0;
		r = append_line(ret, line);
	}
	return r < 0 ? r : 1;
}

/* Where few lines are among many, `room` lines more, in order: those of the base
 * in a side that inserted some, or of a side in the base.  `best` has, for each of
 * the few and each number of lines skipped before it, what the rest of the few is
 * worth there; -1: some line has no like. */
struct placing {
	const struct lines *few, *many;
	size_t room;
	unsigned int similar;
	int *best;
};

static void placing_release(struct placing *p)
{
	free(p->best);
}

static int *best_of(const struct placing *p, size_t line, size_t inserted)
{
	return &p->best[line * (p->room + 1) + inserted];
}

static int best_here(const struct placing *p, size_t line, size_t inserted)
{
	const struct line *b = &p->few->lines[line];
	const struct line *s = &p->many->lines[line + inserted];
	int rest = *best_of(p, line + 1, inserted);
	/* an equal line is worth more than any two that are similar */
	unsigned int worth = line_equals(b, s) ? 201 : line_similarity(b, s);

	return rest < 0 || worth < p->similar ? -1 : rest + (int)worth;
}

/* 1: there is a place for each line; 0: there is none, or too much to look at. */
static int placing_init(struct placing *p)
{
	size_t i = p->few->count;

	if (!lines_are_few(p->few, p->many))
		return 0;
	p->best = calloc((i + 1) * (p->room + 1), sizeof(*p->best));
	if (!p->best)
		return -ENOMEM;
	while (i-- > 0)
		for (size_t k = p->room + 1; k-- > 0; ) {
			int here = best_here(p, i, k);
			int later = k < p->room ? *best_of(p, i, k + 1) : -1;

			*best_of(p, i, k) = here > later ? here : later;
		}
	return *best_of(p, 0, 0) >= 0;
}

/* How many lines are skipped before one of the few, when there are that many
 * before the one before.  Of the best places the first or the last. */
static size_t find_place(const struct placing *p, size_t line, size_t inserted,
			 bool last)
{
	int best = *best_of(p, line, inserted);

	while (inserted < p->room && *best_of(p, line, inserted + 1) == best &&
	       (last || best_here(p, line, inserted) != best))
		inserted++;
	return inserted;
}

/* The side with its own changes and those of the other, whose lines are those of
 * the base; 0: a line is changed by both, or in nothing but blanks, which is a new
 * layout that the inserted lines do not have; or one side changed none. */
static int insert_around(const struct placing *p, const struct lines *other,
			 bool last, struct buffer *ret)
{
	const struct lines *base = p->few, *side = p->many;
	bool changed = false, changed_here = false;
	size_t inserted = 0, at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < base->count; i++) {
		const struct line *b = &base->lines[i], *o = &other->lines[i];
		const struct line *line, *s;

		inserted = find_place(p, i, inserted, last);
		while (r == 0 && at < i + inserted)
			r = append_line(ret, &side->lines[at++]);
		s = &side->lines[at++];
		line = pick(o, b, s, p->similar);
		if (!line || (!line_equals(line, b) &&
			      spans_equal_but_blanks(&line->text, &b->text)))
			return 0;
		changed |= !line_equals(o, b);
		changed_here |= !line_equals(s, b);
		if (r == 0)
			r = append_line(ret, line);
	}
	while (r == 0 && at < side->count)
		r = append_line(ret, &side->lines[at++]);
	return r < 0 ? r : changed && changed_here;
}

/* Whether what `ret` has from `before` on is all that `other` has. */
static bool ends_alike(const struct buffer *ret, size_t before,
		       const struct buffer *other)
{
	return other->length == ret->length - before &&
	       (other->length == 0 ||
		memcmp(other->data, ret->data + before, other->length) == 0);
}

/* One side inserted lines, and both changed some: answers if it does not matter
 * which of equally good places the lines of the base have. */
static int with_insertions(const struct lines *base, const struct lines *other,
			   const struct lines *side, unsigned int similar,
			   struct buffer *ret)
{
	scoped(placing_release) struct placing p = {
		.few = base, .many = side, .similar = similar,
		.room = side->count - base->count,
	};
	scoped_buffer struct buffer late = { 0 };
	size_t before = ret->length;
	int r = placing_init(&p);

	if (r <= 0)
		return r;
	r = insert_around(&p, other, false, ret);
	if (r == 1)
		r = insert_around(&p, other, true, &late);
	if (r != 1)
		return r;
	return ends_alike(ret, before, &late);
}

static int lines(const struct token_hunk *hunk,
		 const struct token_policy *policy, struct buffer *ret)
{
	scoped(three_lines_release) struct three_lines t = { 0 };
	unsigned int similar = policy->line_similar;
	size_t count;
	int r;

	if (token_hunk_is_new_layout(hunk))
		return 0;
	r = three_lines_init(&t, hunk);
	count = t.base.count;
	if (r == 0 && count)
		r = three_lines_split(&t, false);
	if (r < 0 || !count)
		return r;
	if (t.ours.count == count && t.theirs.count == count)
		return line_by_line(&t, similar, ret);
	if (t.ours.count == count && t.theirs.count > count)
		return with_insertions(&t.base, &t.ours, &t.theirs, similar,
				       ret);
	if (t.theirs.count == count && t.ours.count > count)
		return with_insertions(&t.base, &t.theirs, &t.ours, similar,
				       ret);
	return 0;
}

const struct token_rule token_rule_lines = { "lines", lines };

/* ---- removed ---- */

/* For each line of the base, what a side has made of it; NULL: taken out. */
static void place_lines(const struct placing *p, bool last,
			const struct line **ret)
{
	size_t skipped = 0;

	for (size_t i = 0; i < p->few->count; i++) {
		skipped = find_place(p, i, skipped, last);
		ret[i + skipped] = &p->few->lines[i];
	}
}

/* What neither side took out; 0: one changed what the other took out or changed,
 * or changed nothing but blanks. */
static int keep_lines(const struct lines *base, const struct line *const *ours,
		      const struct line *const *theirs, unsigned int similar,
		      struct buffer *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < base->count; i++) {
		const struct line *b = &base->lines[i], *line = b;

		if (ours[i] && theirs[i])
			line = pick(ours[i], b, theirs[i], similar);
		else if (ours[i] || theirs[i])
			line = ours[i] ? ours[i] : theirs[i];
		if (!line || (!line_equals(line, b) &&
			      (!ours[i] || !theirs[i] ||
			       spans_equal_but_blanks(&line->text, &b->text))))
			return 0;
		if (ours[i] && theirs[i])
			r = append_line(ret, line);
	}
	return r < 0 ? r : 1;
}

static int remove_lines(const struct placing *ours, const struct placing *theirs,
			bool last, struct buffer *ret)
{
	const struct lines *base = ours->many;
	scoped_free const struct line **places =
		calloc(base->count * 2, sizeof(*places));

	if (!places)
		return -ENOMEM;
	place_lines(ours, last, places);
	place_lines(theirs, last, places + base->count);
	return keep_lines(base, places, places + base->count, ours->similar, ret);
}

/* Both sides took lines out: answers if it does not matter which of equally good
 * places the lines that are left have. */
static int with_removals(const struct three_lines *t, unsigned int similar,
			 struct buffer *ret)
{
	scoped(placing_release) struct placing ours = {
		.few = &t->ours, .many = &t->base, .similar = similar,
		.room = t->base.count - t->ours.count,
	};
	scoped(placing_release) struct placing theirs = {
		.few = &t->theirs, .many = &t->base, .similar = similar,
		.room = t->base.count - t->theirs.count,
	};
	scoped_buffer struct buffer late = { 0 };
	size_t before = ret->length;
	int r = placing_init(&ours);

	if (r == 1)
		r = placing_init(&theirs);
	if (r == 1)
		r = remove_lines(&ours, &theirs, false, ret);
	if (r == 1)
		r = remove_lines(&ours, &theirs, true, &late);
	return r == 1 ? ends_alike(ret, before, &late) : r;
}

static int removed(const struct token_hunk *hunk,
		   const struct token_policy *policy, struct buffer *ret)
{
	scoped(three_lines_release) struct three_lines t = { 0 };
	int r = three_lines_init(&t, hunk);

	if (r < 0 || t.ours.count >= t.base.count ||
	    t.theirs.count >= t.base.count)
		return r;
	r = three_lines_split(&t, false);
	return r < 0 ? r : with_removals(&t, policy->line_similar, ret);
}

const struct token_rule token_rule_removed = { "removed", removed };
