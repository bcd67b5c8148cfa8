/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_TOKEN_HUNK_H
#define STRUCTURES_TOKEN_HUNK_H

#include "store/line_hunks.h"
#include "store/util.h"
#include "structures/tokens.h"

/* One place in conflict, and the rules that may settle it (FORMAT.md, "Tokens").
 * Private to structures/token_*.c. */

/* What decides when a rule answers; one set for merging, a laxer one for
 * suggesting.  Shares are percent, 0 in `sorted_context`, `replaced_words`,
 * `rewrite_changed`, `delete_changed`: the rule is off. */
struct token_policy {
	const char *name;
	unsigned int contained_words;
	unsigned int line_similar;
	/* tokens, on different lines; and on the same line (words 0: never) */
	unsigned int apart_gap, apart_kept, apart_words;
	unsigned int near_gap, near_kept, near_words;
	unsigned int sorted_context, sorted_similar;
	unsigned int replaced_others, replaced_similar, replaced_words;
	unsigned int rewrite_others, rewrite_kept, rewrite_changed;
	unsigned int delete_changed;
};

struct token_side {
	struct line_span text;
	struct token_list tokens;
	struct token_edits edits;	/* from the base */
	size_t kept;			/* words of the base that are still there */
	/* words taken out and put in, and those put in; when edits are known */
	size_t changed, put;
};

struct token_hunk {
	struct line_span before, after;	/* what is around it */
	struct line_span base;
	struct token_list base_tokens;
	size_t base_words;
	struct token_side ours, theirs;
};

/* The spans must outlive the hunk.  -E2BIG: too large to look at; -ENOMEM. */
int token_hunk_init(struct token_hunk *hunk, const struct line_hunk *lines,
		    const struct line_span *before,
		    const struct line_span *after);
void token_hunk_release(struct token_hunk *hunk);

/* Whether one side changed blanks alone. */
bool token_hunk_is_new_layout(const struct token_hunk *hunk);

/* Whether both sides put in the same words, with different blanks: people choose
 * either. */
bool token_hunk_is_same_text(const struct token_hunk *hunk);

/* Appends its answer to ret: 1; has none: 0; -ENOMEM.  All rules are symmetric:
 * exchanging ours and theirs changes nothing. */
struct token_rule {
	const char *name;
	int (*apply)(const struct token_hunk *hunk,
		     const struct token_policy *policy, struct buffer *ret);
};

/* token_rules.c: by words. */
extern const struct token_rule token_rule_contained, token_rule_words,
	token_rule_replaced, token_rule_rewrite, token_rule_delete;
/* token_line_rules.c, token_sorted_rule.c: by lines. */
extern const struct token_rule token_rule_lines, token_rule_removed,
	token_rule_sorted;

/* Whether the texts differ in blanks alone. */
bool spans_equal_but_blanks(const struct line_span *a,
			    const struct line_span *b);
bool span_is_blank(const struct line_span *span);

static inline bool spans_equal(const struct line_span *a,
			       const struct line_span *b)
{
	return a->size == b->size &&
	       (a->size == 0 || __builtin_memcmp(a->data, b->data, a->size) == 0);
}

static inline int append_span(struct buffer *b, const struct line_span *span)
{
	return span->size ? buffer_append(b, span->data, span->size) : 0;
}

/* ---- the changes of both sides, put beside each other (token_chunks.c) ---- */

enum chunk_kind { CHUNK_OURS, CHUNK_THEIRS, CHUNK_BOTH, CHUNK_CONFLICT };

/* Tokens [b0, b1) of the base, and what they are on each side.  CHUNK_OURS: only
 * ours changed them, CHUNK_BOTH: both did, alike. */
struct token_chunk {
	enum chunk_kind kind;
	size_t b0, b1, o0, o1, t0, t1;
};

struct token_chunks {
	size_t count;
	struct token_chunk *chunks;	/* in order */
};

/* Edits of both sides that overlap, or that have too little between them for
 * is_close, share a chunk.  is_close is told the base's tokens in between. */
typedef bool token_is_close(const struct token_hunk *hunk, const void *context,
			    const struct token_edit *first,
			    const struct token_edit *second);
int token_chunks_make(const struct token_hunk *hunk, token_is_close *is_close,
		      const void *context, struct token_chunks *ret);
void token_chunks_release(struct token_chunks *chunks);

#endif
