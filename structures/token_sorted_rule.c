/* SPDX-License-Identifier: ISC */
#include "structures/token_lines.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* The rule for lists that both sides add lines to. */

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
		    line_equals(&side->lines[i], &base->lines[at]))
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
	if (!ours->count || !theirs->count || !lines_are_few(ours, theirs))
		return false;
	for (size_t i = 0; i < ours->count; i++)
		for (size_t j = 0; j < theirs->count; j++)
			if (!line_equals(&ours->lines[i], &theirs->lines[j]) &&
			    line_similarity(&ours->lines[i],
					    &theirs->lines[j]) >= percent)
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

		if (!same || !line_equals(same, line))
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

static bool is_list(const struct token_hunk *hunk, const struct three_lines *t,
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
	scoped(three_lines_release) struct three_lines t = { 0 };
	scoped(lines_release) struct lines ours = { 0 }, theirs = { 0 };
	int r;

	if (!policy->sorted_context)
		return 0;
	r = three_lines_init(&t, hunk);
	if (r == 0)
		r = three_lines_split(&t, true);
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
