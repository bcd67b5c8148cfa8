/* SPDX-License-Identifier: ISC */
#include "structures/token_lines.h"

#include <errno.h>
#include <string.h>

void lines_release(struct lines *l)
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

unsigned int line_similarity(const struct line *a, const struct line *b)
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

#define PAIRS_MOST 10000
#define STEPS_MOST ((size_t)10 << 20)

static size_t count_items(const struct lines *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		n += l->lines[i].count;
	return n;
}

bool lines_are_few(const struct lines *a, const struct lines *b)
{
	return a->count * b->count <= PAIRS_MOST &&
	       count_items(a) * b->count + count_items(b) * a->count <=
		       STEPS_MOST;
}

void three_lines_release(struct three_lines *t)
{
	lines_release(&t->ours);
	lines_release(&t->base);
	lines_release(&t->theirs);
}

int three_lines_init(struct three_lines *t, const struct token_hunk *hunk)
{
	int r = lines_init(&t->ours, &hunk->ours.text);

	if (r == 0)
		r = lines_init(&t->base, &hunk->base);
	return r < 0 ? r : lines_init(&t->theirs, &hunk->theirs.text);
}

int three_lines_split(struct three_lines *t, bool words)
{
	int r = split_lines(&t->ours, words);

	if (r == 0)
		r = split_lines(&t->base, words);
	return r < 0 ? r : split_lines(&t->theirs, words);
}

int append_line(struct buffer *b, const struct line *line)
{
	int r = append_span(b, &line->text);

	return r < 0 ? r : buffer_append(b, "\n", 1);
}
