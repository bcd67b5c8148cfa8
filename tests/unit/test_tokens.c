/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "structures/tokens.h"
#include "store/util.h"

#include <errno.h>
#include <string.h>

/* "|" between tokens; w, b, o and $ behind each: kind, and that it ends a line. */
static void assert_split(const char *text, size_t size, const char *expected)
{
	struct token_table *table = token_table_new();
	struct token_list list;
	struct buffer b = { 0 };

	assert_int_equal(tokens_split(table, text, size, &list), 0);
	for (size_t i = 0; i < list.count; i++) {
		const struct token *t = &list.tokens[i];

		buffer_printf(&b, "%.*s%c%s|", (int)t->length, t->text,
			      "wbo"[t->kind], t->ends_line ? "$" : "");
	}
	assert_string_equal(b.data ? b.data : "", expected);
	buffer_release(&b);
	token_list_release(&list);
	token_table_free(table);
}

static void text_splits_into_words_blanks_and_characters(void **state)
{
	assert_split("", 0, "");
	assert_split("ab_1 \t c-d", 10, "ab_1w| \t b|cw|-o|dw|");
	assert_split("a\n\nb\r\n", 6, "aw|\nb$|\nb$|bw|\r\nb$|");
	assert_split("\r\f\v", 3, "\rb|\fb|\vb|");
	assert_split("na\xc3\xafve \xff", 8, "na\xc3\xafvew| b|\xffw|");
	assert_split("((", 2, "(o|(o|");
}

static void what_is_too_large_is_refused(void **state)
{
	struct token_table *table = token_table_new();
	char *text = calloc(1, TOKENS_TEXT_MOST + 1);
	struct token_list list;

	assert_int_equal(tokens_split(table, text, TOKENS_TEXT_MOST + 1, &list),
			 -E2BIG);
	token_table_free(table);
	free(text);
}

/* a with the edits done must be b. */
static void check_edits(const struct token_list *a, const struct token_list *b,
			const struct token_edits *edits)
{
	size_t i = 0, j = 0, last = 0;

	for (size_t n = 0; n <= edits->count; n++) {
		const struct token_edit *e = &edits->edits[n];
		size_t a0 = n < edits->count ? e->a0 : a->count;
		size_t b0 = n < edits->count ? e->b0 : b->count;

		assert_int_equal(a0 - i, b0 - j);
		for (; i < a0; i++, j++)
			assert_int_equal(a->tokens[i].id, b->tokens[j].id);
		if (n == edits->count)
			break;
		assert_true(n == 0 || a0 > last);
		assert_true(e->a1 > e->a0 || e->b1 > e->b0);
		i = last = e->a1;
		j = e->b1;
	}
}

static size_t compare(const char *a, const char *b, bool *ret_known)
{
	struct token_table *table = token_table_new();
	struct token_list x, y;
	struct token_edits edits;
	size_t steps = 0;

	assert_int_equal(tokens_split(table, a, strlen(a), &x), 0);
	assert_int_equal(tokens_split(table, b, strlen(b), &y), 0);
	assert_int_equal(tokens_compare(&x, &y, &edits), 0);
	*ret_known = edits.known;
	if (edits.known)
		check_edits(&x, &y, &edits);
	for (size_t i = 0; i < edits.count; i++)
		steps += edits.edits[i].a1 - edits.edits[i].a0 +
			 edits.edits[i].b1 - edits.edits[i].b0;
	token_edits_release(&edits);
	token_list_release(&x);
	token_list_release(&y);
	token_table_free(table);
	return steps;
}

static void edits_are_the_shortest(void **state)
{
	bool known;

	assert_int_equal(compare("", "", &known), 0);
	assert_int_equal(compare("a b c", "a b c", &known), 0);
	/* the paper's example, abcabba and cbabac */
	assert_int_equal(compare("()-())(", "-)()(-", &known), 5);
	assert_int_equal(compare("", "a b", &known), 3);
	assert_int_equal(compare("a b c d", "a x c d", &known), 2);
	assert_true(known);
}

static unsigned int seed = 1;

static void random_text(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		seed = seed * 1103515245 + 12345;
		text[i] = "(,;) -"[seed >> 16 & 3];
	}
	text[size] = '\0';
}

static void random_edits_lead_from_one_to_the_other(void **state)
{
	char a[600], b[600];
	bool known;

	for (int i = 0; i < 3000; i++) {
		random_text(a, i % 97);
		random_text(b, (i * 7) % 89);
		compare(a, b, &known);
		assert_true(known);
	}
}

static void above_the_most_edits_it_gives_up(void **state)
{
	char a[1201], b[1201];
	bool known;

	memset(a, '(', 600);
	memset(b, ')', 600);
	a[600] = b[600] = '\0';
	assert_int_equal(compare(a, b, &known), 0);
	assert_false(known);
	a[200] = b[200] = '\0';
	assert_int_equal(compare(a, b, &known), 400);
	assert_true(known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_splits_into_words_blanks_and_characters),
		cmocka_unit_test(what_is_too_large_is_refused),
		cmocka_unit_test(edits_are_the_shortest),
		cmocka_unit_test(random_edits_lead_from_one_to_the_other),
		cmocka_unit_test(above_the_most_edits_it_gives_up),
	};

	return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
