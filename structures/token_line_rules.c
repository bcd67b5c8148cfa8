/* SPDX-License-Identifier: ISC */
#include "structures/token_hunk.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Rules that look at lines. */

/* A line without its newline, as words. */
struct line {
	struct line_span text;
	size_t count;
	const uint64_t *items;	/* sorted hashes; of lines.items */
};

struct lines {
	size_t count;
	struct line *lines;
	uint64_t *items;
};

/* ---- texts as lines ---- */

static void lines_release(struct lines *l)
{
	free(l->lines);
	free(l->items);
}

static size_t count_lines(const struct line_span *span)
{
	size_t n = span->size && span->data[span->size - 1] != '\n';

	for (size_t i = 0; i < span->size; i++)
		n += span->data[i] == '\n';
	return n;
}

static int lines_init(struct lines *l, const struct line_span *span)
{
	const char *at = span->data, *end = at + span->size;

	l->lines = calloc(count_lines(span) + 1, sizeof(*l->lines));
	if (!l->lines)
		return -ENOMEM;
	while (at < end) {
		const char *newline = memchr(at, '\n', end - at);
		const char *stop = newline ? newline : end;

		l->lines[l->count++].text =
			(struct line_span){ at, stop - at };
		at = newline ? newline + 1 : end;
	}
	return 0;
}

static int compare_items(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static uint64_t item_of(const char *text, size_t length, bool fold)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < length; i++) {
		unsigned char c = text[i];

		if (fold && c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		h = (h ^ c) * 0x100000001b3;
	}
	return h;
}

/* Splits each line into what it is compared by: words without regard to case, or
 * all tokens but blanks. */
static int split_lines(struct lines *l, bool words)
{
	size_t total = 0;
	uint64_t *to;

	for (size_t i = 0; i < l->count; i++)
		total += l->lines[i].text.size;
	to = l->items = malloc((total + 1) * sizeof(*to));
	if (!to)
		return -ENOMEM;
	for (size_t i = 0; i < l->count; i++) {
		struct line *line = &l->lines[i];
		const char *at = line->text.data, *end = at + line->text.size;
		uint64_t *first = to;

		while (at < end) {
			enum token_kind kind;
			size_t length = token_measure(at, end - at, &kind);

			if (kind == TOKEN_WORD || (!words && kind == TOKEN_OTHER))
				*to++ = item_of(at, length, words);
			at += length;
		}
		line->items = first;
		line->count = to - first;
		qsort(first, line->count, sizeof(*first), compare_items);
	}
	return 0;
}

/* How much two lines share of what they are made of, in percent. */
static unsigned int similarity(const struct line *a, const struct line *b)
{
	size_t i = 0, j = 0, shared = 0;
	size_t most = a->count > b->count ? a->count : b->count;

	while (i < a->count && j < b->count) {
		if (a->items[i] == b->items[j]) {
			i++;
			j++;
			shared++;
		} else if (a->items[i] < b->items[j]) {
			i++;
		} else {
			j++;
		}
	}
	return most ? shared * 100 / most : 100;
}

static bool is_similar(const struct line *a, const struct line *b,
		       unsigned int percent)
{
	return similarity(a, b) >= percent;
}

#define PAIRS_MOST 10000
#define STEPS_MOST ((size_t)10 << 20)

static size_t count_items(const struct lines *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		n += l->lines[i].count;
	return n;
}

/* Whether each line can be compared with each of the other text in little time. */
static bool are_few(const struct lines *a, const struct lines *b)
{
	return a->count * b->count <= PAIRS_MOST &&
	       count_items(a) * b->count + count_items(b) * a->count <=
		       STEPS_MOST;
}

struct three {
	struct lines ours, base, theirs;
};

static void three_release(struct three *t)
{
	lines_release(&t->ours);
	lines_release(&t->base);
	lines_release(&t->theirs);
}

static int three_init(struct three *t, const struct token_hunk *hunk)
{
	int r = lines_init(&t->ours, &hunk->ours.text);

	if (r == 0)
		r = lines_init(&t->base, &hunk->base);
	return r < 0 ? r : lines_init(&t->theirs, &hunk->theirs.text);
}

static int three_split(struct three *t, bool words)
{
	int r = split_lines(&t->ours, words);

	if (r == 0)
		r = split_lines(&t->base, words);
	return r < 0 ? r : split_lines(&t->theirs, words);
}

static int append_line(struct buffer *b, const struct line *line)
{
	int r = append_span(b, &line->text);

	return r < 0 ? r : buffer_append(b, "\n", 1);
}

static bool is_same(const struct line *a, const struct line *b)
{
	return spans_equal(&a->text, &b->text);
}

/* ---- lines ---- */

/* The line that one side made of another; NULL: both changed it, or it is
 * another line altogether. */
static const struct line *pick(const struct line *o, const struct line *b,
			       const struct line *t, unsigned int similar)
{
	const struct line *changed;

	if (is_same(o, t))
		return o;
	if (!is_same(o, b) && !is_same(t, b))
		return NULL;
	changed = is_same(o, b) ? t : o;
	return is_similar(b, changed, similar) ? changed : NULL;
}

static int line_by_line(const struct three *t, unsigned int similar,
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

/* Where the lines of a base are in a side that has `room` lines more.  `best` has,
 * for each line of the base and each number of lines inserted before it, what the
 * rest of the base is worth there; -1: some line has no like. */
struct placing {
	const struct lines *base, *side;
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
	const struct line *b = &p->base->lines[line];
	const struct line *s = &p->side->lines[line + inserted];
	int rest = *best_of(p, line + 1, inserted);
	/* an equal line is worth more than any two that are similar */
	unsigned int worth = is_same(b, s) ? 201 : similarity(b, s);

	return rest < 0 || worth < p->similar ? -1 : rest + (int)worth;
}

static int placing_init(struct placing *p)
{
	size_t i = p->base->count;

	p->best = calloc((i + 1) * (p->room + 1), sizeof(*p->best));
	if (!p->best)
		return -ENOMEM;
	while (i-- > 0)
		for (size_t k = p->room + 1; k-- > 0; ) {
			int here = best_here(p, i, k);
			int later = k < p->room ? *best_of(p, i, k + 1) : -1;

			*best_of(p, i, k) = here > later ? here : later;
		}
	return 0;
}

/* How many lines are inserted before a line of the base, when there are that many
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
	const struct lines *base = p->base, *side = p->side;
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
		if (!line || (!is_same(line, b) &&
			      spans_equal_but_blanks(&line->text, &b->text)))
			return 0;
		changed |= !is_same(o, b);
		changed_here |= !is_same(s, b);
		if (r == 0)
			r = append_line(ret, line);
	}
	while (r == 0 && at < side->count)
		r = append_line(ret, &side->lines[at++]);
	return r < 0 ? r : changed && changed_here;
}

/* One side inserted lines, and both changed some: answers if it does not matter
 * which of equally good places the lines of the base have. */
static int with_insertions(const struct lines *base, const struct lines *other,
			   const struct lines *side, unsigned int similar,
			   struct buffer *ret)
{
	scoped(placing_release) struct placing p = {
		.base = base, .side = side, .similar = similar,
		.room = side->count - base->count,
	};
	scoped_buffer struct buffer late = { 0 };
	size_t before = ret->length;
	int r = are_few(base, side) ? placing_init(&p) : -E2BIG;

	if (r < 0)
		return r == -E2BIG ? 0 : r;
	if (*best_of(&p, 0, 0) < 0)
		return 0;
	r = insert_around(&p, other, false, ret);
	if (r == 1)
		r = insert_around(&p, other, true, &late);
	if (r != 1)
		return r;
	return late.length == ret->length - before &&
	       memcmp(late.data, ret->data + before, late.length) == 0;
}

static int lines(const struct token_hunk *hunk,
		 const struct token_policy *policy, struct buffer *ret)
{
	scoped(three_release) struct three t = { 0 };
	unsigned int similar = policy->line_similar;
	int r = three_init(&t, hunk);
	size_t count = t.base.count;

	if (r == 0 && count)
		r = three_split(&t, false);
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

/* ---- sorted ---- */

#define CONTEXT_LINES 6

static bool is_blank_line(const struct line *line)
{
	return span_is_blank(&line->text);
}

static struct line_span trimmed(const struct line *line)
{
	struct line_span s = line->text;

	while (s.size && isspace((unsigned char)s.data[0])) {
		s.data++;
		s.size--;
	}
	while (s.size && isspace((unsigned char)s.data[s.size - 1]))
		s.size--;
	return s;
}

static unsigned char folded(char c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* By what the list is sorted: without blanks at the ends and ASCII case. */
static int compare_keys(const struct line *a, const struct line *b)
{
	struct line_span x = trimmed(a), y = trimmed(b);
	size_t least = x.size < y.size ? x.size : y.size;

	for (size_t i = 0; i < least; i++) {
		unsigned char c = folded(x.data[i]), d = folded(y.data[i]);

		if (c != d)
			return c < d ? -1 : 1;
	}
	return x.size < y.size ? -1 : x.size > y.size;
}

static int compare_lines(const void *a, const void *b)
{
	return compare_keys(a, b);
}

/* Without two lines of one key, either. */
static bool is_sorted(const struct lines *l)
{
	for (size_t i = 1; i < l->count; i++)
		if (compare_keys(&l->lines[i - 1], &l->lines[i]) >= 0)
			return false;
	return true;
}

static bool has_blank_line(const struct lines *l)
{
	for (size_t i = 0; i < l->count; i++)
		if (is_blank_line(&l->lines[i]))
			return true;
	return false;
}

/* The lines of side that base has not, which must be there in order; -ENOENT:
 * something of base is gone. */
static int find_new(const struct lines *side, const struct lines *base,
		    struct lines *ret)
{
	size_t at = 0;

	ret->lines = calloc(side->count + 1, sizeof(*ret->lines));
	if (!ret->lines)
		return -ENOMEM;
	for (size_t i = 0; i < side->count; i++) {
		if (at < base->count &&
		    is_same(&side->lines[i], &base->lines[at]))
			at++;
		else
			ret->lines[ret->count++] = side->lines[i];
	}
	return at == base->count ? 0 : -ENOENT;
}

/* Whether both added lines, few enough to compare, and none of them are two
 * wordings of one. */
static bool are_distinct(const struct lines *ours, const struct lines *theirs,
			 unsigned int percent)
{
	if (!ours->count || !theirs->count || !are_few(ours, theirs))
		return false;
	for (size_t i = 0; i < ours->count; i++)
		for (size_t j = 0; j < theirs->count; j++)
			if (!is_same(&ours->lines[i], &theirs->lines[j]) &&
			    is_similar(&ours->lines[i], &theirs->lines[j],
				       percent))
				return false;
	return true;
}

/* Lines before the hunk, from the nearest on, that go on with the list; at most
 * CONTEXT_LINES, and not past an empty one. */
static size_t count_before(const struct token_hunk *hunk,
			   const struct line *ours, const struct line *theirs)
{
	struct line_span rest = hunk->before;
	struct line next = { 0 }, line = { 0 };
	size_t n = 0;

	while (n < CONTEXT_LINES && rest.size) {
		size_t end = rest.size - (rest.data[rest.size - 1] == '\n');
		const char *newline = memrchr(rest.data, '\n', end);
		size_t start = newline ? newline + 1 - rest.data : 0;

		line.text = (struct line_span){ rest.data + start, end - start };
		if (is_blank_line(&line) ||
		    (n == 0 && (compare_keys(&line, ours) > 0 ||
				compare_keys(&line, theirs) > 0)) ||
		    (n && compare_keys(&line, &next) > 0))
			break;
		next = line;
		rest.size = start;
		n++;
	}
	return n;
}

static size_t count_after(const struct token_hunk *hunk,
			  const struct line *ours, const struct line *theirs)
{
	struct line_span rest = hunk->after;
	struct line before = { 0 }, line = { 0 };
	size_t n = 0;

	while (n < CONTEXT_LINES && rest.size) {
		const char *newline = memchr(rest.data, '\n', rest.size);
		size_t size = newline ? (size_t)(newline - rest.data) :
					rest.size;

		line.text = (struct line_span){ rest.data, size };
		if (is_blank_line(&line) ||
		    (n == 0 && (compare_keys(ours, &line) > 0 ||
				compare_keys(theirs, &line) > 0)) ||
		    (n && compare_keys(&before, &line) > 0))
			break;
		before = line;
		size += newline != NULL;
		rest.data += size;
		rest.size -= size;
		n++;
	}
	return n;
}

/* All of ours and what theirs has besides, sorted; 0 when two have one key. */
static int unite(const struct lines *ours, const struct lines *theirs,
		 struct buffer *ret)
{
	size_t n = ours->count;
	scoped_free struct line *all =
		calloc(n + theirs->count, sizeof(*all));
	int r = 0;

	if (!all)
		return -ENOMEM;
	memcpy(all, ours->lines, n * sizeof(*all));
	for (size_t i = 0; i < theirs->count; i++) {
		const struct line *line = &theirs->lines[i];
		const struct line *same = bsearch(line, all, ours->count,
						  sizeof(*all), compare_lines);

		if (!same || !is_same(same, line))
			all[n++] = *line;
	}
	qsort(all, n, sizeof(*all), compare_lines);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (i && compare_keys(&all[i - 1], &all[i]) == 0)
			return 0;
		r = append_line(ret, &all[i]);
	}
	return r < 0 ? r : 1;
}

static bool is_list(const struct token_hunk *hunk, const struct three *t,
		    const struct token_policy *policy)
{
	const struct lines *o = &t->ours, *n = &t->theirs;

	return is_sorted(o) && is_sorted(n) &&
	       count_before(hunk, &o->lines[0], &n->lines[0]) +
	       count_after(hunk, &o->lines[o->count - 1],
			   &n->lines[n->count - 1]) >= policy->sorted_context;
}

static int sorted(const struct token_hunk *hunk,
		  const struct token_policy *policy, struct buffer *ret)
{
	scoped(three_release) struct three t = { 0 };
	scoped(lines_release) struct lines ours = { 0 }, theirs = { 0 };
	int r = three_init(&t, hunk);

	if (r == 0)
		r = three_split(&t, true);
	if (r < 0)
		return r;
	if (has_blank_line(&t.ours) || has_blank_line(&t.theirs))
		return 0;
	r = find_new(&t.ours, &t.base, &ours);
	if (r == 0)
		r = find_new(&t.theirs, &t.base, &theirs);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (!are_distinct(&ours, &theirs, policy->sorted_similar) ||
	    !is_list(hunk, &t, policy))
		return 0;
	return unite(&t.ours, &t.theirs, ret);
}

const struct token_rule token_rule_sorted = { "sorted", sorted };
