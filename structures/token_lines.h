/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_TOKEN_LINES_H
#define STRUCTURES_TOKEN_LINES_H

#include "structures/token_hunk.h"

/* Texts as lines, for the rules that look at lines.  Private to
 * structures/token_*.c. */

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

void lines_release(struct lines *lines);

/* The three texts of a hunk, which it must outlive. */
struct three_lines {
	struct lines ours, base, theirs;
};

/* -ENOMEM */
int three_lines_init(struct three_lines *three, const struct token_hunk *hunk);
void three_lines_release(struct three_lines *three);

/* Splits each line into what it is compared by: words without regard to case, or
 * all tokens but blanks.  -ENOMEM */
int three_lines_split(struct three_lines *three, bool words);

/* How much two lines share of what they are made of, in percent. */
unsigned int line_similarity(const struct line *a, const struct line *b);

/* Whether each line can be compared with each of the other text in little time. */
bool lines_are_few(const struct lines *a, const struct lines *b);

/* With a newline.  -ENOMEM */
int append_line(struct buffer *b, const struct line *line);

static inline bool line_equals(const struct line *a, const struct line *b)
{
	return spans_equal(&a->text, &b->text);
}

#endif
