/* SPDX-License-Identifier: ISC */
#include "structures/token_hunk.h"

#include <errno.h>

/* ---- texts without their blanks ---- */

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_blanks(const struct line_span *span, size_t *at)
{
	while (*at < span->size && is_blank(span->data[*at]))
		++*at;
}

bool spans_equal_but_blanks(const struct line_span *a,
			    const struct line_span *b)
{
	size_t i = 0, j = 0;

	for (;; i++, j++) {
		skip_blanks(a, &i);
		skip_blanks(b, &j);
		if (i == a->size || j == b->size)
			return i == a->size && j == b->size;
		if (a->data[i] != b->data[j])
			return false;
	}
}

bool span_is_blank(const struct line_span *span)
{
	size_t at = 0;

	skip_blanks(span, &at);
	return at == span->size;
}

/* ---- hunks ---- */

bool token_hunk_is_new_layout(const struct token_hunk *hunk)
{
	return spans_equal_but_blanks(&hunk->base, &hunk->ours.text) ||
	       spans_equal_but_blanks(&hunk->base, &hunk->theirs.text);
}

bool token_hunk_is_same_text(const struct token_hunk *hunk)
{
	return (hunk->ours.put || hunk->theirs.put) &&
	       spans_equal_but_blanks(&hunk->ours.text, &hunk->theirs.text);
}

static void side_release(struct token_side *side)
{
	token_list_release(&side->tokens);
	token_edits_release(&side->edits);
}

void token_hunk_release(struct token_hunk *hunk)
{
	token_list_release(&hunk->base_tokens);
	side_release(&hunk->ours);
	side_release(&hunk->theirs);
	*hunk = (struct token_hunk){ 0 };
}

/* Words that two texts share, whatever their order. */
static int count_shared(const struct token_list *a, const struct token_list *b,
			size_t *ret)
{
	uint32_t most = 0;
	scoped_free uint32_t *seen = NULL;
	size_t n = 0;

	for (size_t i = 0; i < a->count; i++)
		most = a->tokens[i].id > most ? a->tokens[i].id : most;
	seen = calloc((size_t)most + 1, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	for (size_t i = 0; i < a->count; i++)
		seen[a->tokens[i].id] += a->tokens[i].kind == TOKEN_WORD;
	for (size_t i = 0; i < b->count; i++) {
		uint32_t id = b->tokens[i].id;

		if (id <= most && seen[id]) {
			seen[id]--;
			n++;
		}
	}
	*ret = n;
	return 0;
}

static int count_words(const struct token_hunk *hunk, struct token_side *side)
{
	const struct token_list *base = &hunk->base_tokens;
	size_t out = 0, in = 0;

	if (!side->edits.known)
		return count_shared(base, &side->tokens, &side->kept);
	for (size_t i = 0; i < side->edits.count; i++) {
		const struct token_edit *e = &side->edits.edits[i];

		out += tokens_count_words(base, e->a0, e->a1);
		in += tokens_count_words(&side->tokens, e->b0, e->b1);
	}
	side->kept = hunk->base_words - out;
	side->changed = out + in;
	side->put = in;
	return 0;
}

static int read_side(struct token_hunk *hunk, struct token_table *table,
		     const struct line_span *text, struct token_side *side)
{
	int r = tokens_split(table, text->data, text->size, &side->tokens);

	side->text = *text;
	if (r == 0)
		r = tokens_compare(&hunk->base_tokens, &side->tokens,
				   &side->edits);
	return r < 0 ? r : count_words(hunk, side);
}

static void cleanup_tablep(struct token_table **table)
{
	token_table_free(*table);
}

int token_hunk_init(struct token_hunk *hunk, const struct line_hunk *lines,
		    const struct line_span *before,
		    const struct line_span *after)
{
	scoped(cleanup_tablep) struct token_table *table = token_table_new();
	struct token_hunk h = {
		.before = *before, .after = *after, .base = lines->base,
	};
	int r = table ? tokens_split(table, h.base.data, h.base.size,
				     &h.base_tokens) : -ENOMEM;

	h.base_words = tokens_count_words(&h.base_tokens, 0,
					  h.base_tokens.count);
	if (r == 0)
		r = read_side(&h, table, &lines->ours, &h.ours);
	if (r == 0)
		r = read_side(&h, table, &lines->theirs, &h.theirs);
	if (r < 0) {
		token_hunk_release(&h);
		return r;
	}
	*hunk = h;
	return 0;
}
