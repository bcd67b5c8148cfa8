/* SPDX-License-Identifier: ISC */
#include "store/line_hunks.h"
#include "store/git_repo.h"

#include <errno.h>
#include <string.h>

/* Hunks are read from the markers of a merge whose markers are longer than
 * anything that looks like one in the three texts: so a line that begins with
 * that many characters is a marker, whatever the files hold. */

#define MARKER_LEAST 7
#define MARKER_MOST 65535	/* what libgit2 has room for */

static const char marks[] = "<|=>";

void line_hunks_release(struct line_hunks *hunks)
{
	free(hunks->texts);
	free(hunks->hunks);
	free(hunks->data);
	*hunks = (struct line_hunks){ 0 };
}

/* ---- the length of markers ---- */

static size_t run_length(const char *at, const char *end)
{
	const char *p = at;

	if (at == end || !*at || !strchr(marks, *at))
		return 0;
	while (p < end && *p == *at)
		p++;
	return p - at;
}

/* The longest run of a marker's character at the start of a line. */
static size_t longest_run(const struct merge_side *side)
{
	const char *at = side->data, *end = at + side->size;
	size_t longest = 0;

	while (at && at < end) {
		const char *newline;
		size_t length = run_length(at, end);

		if (length > longest)
			longest = length;
		newline = memchr(at, '\n', end - at);
		at = newline ? newline + 1 : NULL;
	}
	return longest;
}

static size_t marker_length(const struct merge_input *input)
{
	size_t length = MARKER_LEAST - 1, run;

	run = longest_run(&input->base);
	length = run > length ? run : length;
	run = longest_run(&input->ours);
	length = run > length ? run : length;
	run = longest_run(&input->theirs);
	length = run > length ? run : length;
	return length + 1;
}

/* ---- taking apart ---- */

struct parser {
	const char *at, *end;
	size_t marker;			/* length of markers */
	struct line_hunks *hunks;
	size_t capacity;
};

static int reserve(struct parser *p)
{
	struct line_hunks *h = p->hunks;
	size_t capacity = p->capacity ? p->capacity * 2 : 4;
	struct line_span *texts;
	struct line_hunk *hunks;

	if (h->count < p->capacity)
		return 0;
	texts = reallocarray(h->texts, capacity + 1, sizeof(*texts));
	if (!texts)
		return -ENOMEM;
	h->texts = texts;
	hunks = reallocarray(h->hunks, capacity, sizeof(*hunks));
	if (!hunks)
		return -ENOMEM;
	h->hunks = hunks;
	p->capacity = capacity;
	return 0;
}

static const char *line_end(const struct parser *p, const char *at)
{
	const char *newline = memchr(at, '\n', p->end - at);

	return newline ? newline + 1 : p->end;
}

/* Lines up to the next marker of that kind, or all that are left. */
static struct line_span take_lines(struct parser *p, char mark)
{
	const char *start = p->at;

	while (p->at < p->end &&
	       !(*p->at == mark && run_length(p->at, p->end) >= p->marker))
		p->at = line_end(p, p->at);
	return (struct line_span){ start, p->at - start };
}

/* Lines up to a marker that must be there, which is taken too. */
static int take_side(struct parser *p, char mark, struct line_span *ret)
{
	*ret = take_lines(p, mark);
	if (p->at == p->end)
		return -EUCLEAN;
	p->at = line_end(p, p->at);
	return 0;
}

static int take_hunk(struct parser *p)
{
	struct line_hunk *hunk;
	int r = reserve(p);

	if (r < 0)
		return r;
	hunk = &p->hunks->hunks[p->hunks->count];
	p->at = line_end(p, p->at);
	r = take_side(p, '|', &hunk->ours);
	if (r == 0)
		r = take_side(p, '=', &hunk->base);
	if (r == 0)
		r = take_side(p, '>', &hunk->theirs);
	if (r == 0)
		p->hunks->count++;
	return r;
}

static int take_all(struct parser *p)
{
	int r = reserve(p);

	if (r < 0)
		return r;
	p->hunks->texts[0] = take_lines(p, '<');
	while (r == 0 && p->at < p->end) {
		r = take_hunk(p);
		if (r == 0)
			p->hunks->texts[p->hunks->count] = take_lines(p, '<');
	}
	return r;
}

int line_hunks_make(const struct merge_input *input, struct line_hunks *ret)
{
	struct merge_input marked = *input;
	struct line_hunks hunks = { 0 };
	struct parser p = { .hunks = &hunks, .marker = marker_length(input) };
	size_t size = 0;
	int r, conflict;

	if (p.marker > MARKER_MOST)
		return -E2BIG;
	marked.marker_size = p.marker;
	marked.base.label = marked.ours.label = marked.theirs.label = "-";
	conflict = git_merge_lines(&marked, 'b', &hunks.data, &size);
	if (conflict < 0)
		return conflict;
	p.at = hunks.data;
	p.end = p.at + size;
	if (!conflict)		/* no line of it is a marker */
		p.marker = SIZE_MAX;
	r = take_all(&p);
	/* what libgit2 does not merge comes back as ours, without markers */
	if (r == 0 && conflict && !hunks.count)
		r = -E2BIG;
	if (r < 0) {
		line_hunks_release(&hunks);
		return r;
	}
	*ret = hunks;
	return hunks.count > 0;
}
