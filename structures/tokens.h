/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_TOKENS_H
#define STRUCTURES_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text as tokens: words, blanks and single characters (FORMAT.md, "Tokens"). */

enum token_kind { TOKEN_WORD, TOKEN_BLANK, TOKEN_OTHER };

struct token {
	const char *text;	/* in the text that was split */
	uint32_t length;
	uint32_t id;		/* equal for equal texts, within one table */
	enum token_kind kind;
	bool ends_line;
};

struct token_list {
	struct token *tokens;
	size_t count;
};

/* Gives equal tokens of several texts equal ids; O(1) a token.  The texts outlive
 * it.  Ids count from 0. */
struct token_table;
struct token_table *token_table_new(void);	/* NULL: no memory */
void token_table_free(struct token_table *table);	/* accepts NULL */

/* Splits a text of at most TOKENS_TEXT_MOST bytes; every byte is in one token.
 * -ENOMEM, -E2BIG. */
#define TOKENS_TEXT_MOST ((size_t)1 << 20)
int tokens_split(struct token_table *table, const char *text, size_t size,
		 struct token_list *ret);
void token_list_release(struct token_list *list);

/* Length and kind of the first token of a text that is not empty. */
size_t token_measure(const char *text, size_t size, enum token_kind *ret_kind);

/* Words in tokens [from, to). */
size_t tokens_count_words(const struct token_list *list, size_t from,
			  size_t to);

/* A change from list a to list b: a[a0, a1) became b[b0, b1). */
struct token_edit {
	uint32_t a0, a1, b0, b1;
};

struct token_edits {
	bool known;		/* false: too different to say */
	size_t count;
	struct token_edit *edits;	/* in order, none touches the next */
};

/* Shortest edits from a to b by E. Myers, "An O(ND) Difference Algorithm and Its
 * Variations" (1986), the greedy one, which gives up (known is false) above
 * TOKENS_EDITS_MOST steps.  O((a + b) * steps).  -ENOMEM. */
#define TOKENS_EDITS_MOST 400
int tokens_compare(const struct token_list *a, const struct token_list *b,
		   struct token_edits *ret);
void token_edits_release(struct token_edits *edits);

#endif
