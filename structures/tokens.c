/* SPDX-License-Identifier: ISC */
#include "structures/tokens.h"
#include "store/util.h"

#include <errno.h>
#include <string.h>

/* ---- what a token is ---- */

static bool is_word(unsigned char c)
{
	return c >= 0x80 || c == '_' || (c >= '0' && c <= '9') ||
	       (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_space(unsigned char c)
{
	return c == ' ' || c == '\t';
}

size_t token_measure(const char *text, size_t size, enum token_kind *ret_kind)
{
	size_t n = 0;

	*ret_kind = TOKEN_WORD;
	while (n < size && is_word(text[n]))
		n++;
	if (n)
		return n;
	*ret_kind = TOKEN_BLANK;
	while (n < size && is_space(text[n]))
		n++;
	if (n)
		return n;
	if (size > 1 && text[0] == '\r' && text[1] == '\n')
		return 2;
	if (text[0] < '\t' || text[0] > '\r')
		*ret_kind = TOKEN_OTHER;
	return 1;
}

size_t tokens_count_words(const struct token_list *list, size_t from, size_t to)
{
	size_t n = 0;

	for (size_t i = from; i < to; i++)
		n += list->tokens[i].kind == TOKEN_WORD;
	return n;
}

/* ---- ids ---- */

/* Open addressing; the capacity is a power of two, at most half of it used. */
struct token_table {
	struct token *slots;	/* length 0: free */
	size_t capacity, count;
};

struct token_table *token_table_new(void)
{
	return calloc(1, sizeof(struct token_table));
}

void token_table_free(struct token_table *table)
{
	if (!table)
		return;
	free(table->slots);
	free(table);
}

/* FNV-1a: tokens are short, and who makes them collide slows down a merge of his
 * own. */
static uint64_t hash(const char *text, size_t length)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < length; i++)
		h = (h ^ (unsigned char)text[i]) * 0x100000001b3;
	return h ^ h >> 32;
}

static struct token *find_slot(struct token *slots, size_t capacity,
			       const struct token *token)
{
	size_t at = hash(token->text, token->length) & (capacity - 1);

	while (slots[at].length &&
	       (slots[at].length != token->length ||
		memcmp(slots[at].text, token->text, token->length) != 0))
		at = (at + 1) & (capacity - 1);
	return &slots[at];
}

static int grow(struct token_table *table)
{
	size_t capacity = table->capacity ? table->capacity * 2 : 256;
	struct token *slots = calloc(capacity, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < table->capacity; i++)
		if (table->slots[i].length)
			*find_slot(slots, capacity, &table->slots[i]) =
				table->slots[i];
	free(table->slots);
	table->slots = slots;
	table->capacity = capacity;
	return 0;
}

static int identify(struct token_table *table, struct token *token)
{
	struct token *slot;

	if (table->count * 2 >= table->capacity) {
		int r = grow(table);

		if (r < 0)
			return r;
	}
	slot = find_slot(table->slots, table->capacity, token);
	if (!slot->length) {
		*slot = *token;
		slot->id = table->count++;
	}
	token->id = slot->id;
	return 0;
}

/* ---- splitting ---- */

static int append(struct token_list *list, size_t *capacity,
		  const struct token *token)
{
	if (list->count == *capacity) {
		size_t more = *capacity ? *capacity * 2 : 64;
		struct token *tokens = reallocarray(list->tokens, more,
						    sizeof(*tokens));

		if (!tokens)
			return -ENOMEM;
		list->tokens = tokens;
		*capacity = more;
	}
	list->tokens[list->count++] = *token;
	return 0;
}

int tokens_split(struct token_table *table, const char *text, size_t size,
		 struct token_list *ret)
{
	struct token_list list = { 0 };
	size_t capacity = 0, at = 0;
	int r = size > TOKENS_TEXT_MOST ? -E2BIG : 0;

	while (r == 0 && at < size) {
		struct token token = { .text = text + at };

		token.length = token_measure(text + at, size - at, &token.kind);
		at += token.length;
		token.ends_line = text[at - 1] == '\n';
		r = identify(table, &token);
		if (r == 0)
			r = append(&list, &capacity, &token);
	}
	if (r < 0) {
		token_list_release(&list);
		return r;
	}
	*ret = list;
	return 0;
}

void token_list_release(struct token_list *list)
{
	free(list->tokens);
	*list = (struct token_list){ 0 };
}
