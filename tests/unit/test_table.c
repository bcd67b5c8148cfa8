/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/checksum.h"
#include "store/table.h"
#include "store/table_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct oid one = { { 1 } }, two = { { 2, 0xff } };

static struct conflict_report *report_made(void)
{
	struct conflict_report *report = conflict_report_new();
	struct conflict *c = conflict_report_add(report);

	report->target_name = strdup("main");
	report->ours = one;
	report->theirs = two;
	c->number = 3;
	c->path = strdup("dir/100% \xc3\xa4.txt");
	c->reason = strdup("both sides changed it");
	c->base.mode = c->ours.mode = c->theirs.mode = 0100644;
	c->base.oid = one;
	c->ours.oid = two;
	c->merged.mode = 0100755;
	c->merged.oid = two;
	c->resolved = true;
	conflict_report_add(report)->path = strdup("b");
	return report;
}

static struct table *table_made(void)
{
	struct table *table = table_new();
	struct table_branch *branch;

	table->next_incarnation = 12;
	branch = table_add(table, 7, "latin1-\xe4-%", &two);
	branch->outside = one;
	branch->local = two;
	branch = table_add(table, 2, "main", &one);
	branch = table_add(table, 5, "main", &one);
	branch->dropped = 1234567890123;
	assert_int_equal(table_add_gone(table, "old", &two), 0);
	assert_int_equal(table_add_gone(table, "older", &(struct oid){ 0 }), 0);
	table->head_from = strdup("old");
	table->head_to = strdup("main");
	assert_int_equal(table_set_report(table, 7, 2, report_made()), 0);
	return table;
}

static char *encoded(const struct table *table)
{
	struct buffer b = { 0 };

	assert_int_equal(table_encode(table, &b), 0);
	return b.data;
}

static void branches_are_found_by_number_and_name(void **state)
{
	struct table *table = table_made();

	assert_int_equal(table->branches[0].incarnation, 2);
	assert_int_equal(table->branches[2].incarnation, 7);
	assert_string_equal(table_find(table, 5)->name, "main");
	assert_null(table_find(table, 1));
	assert_null(table_find(table, 6));
	assert_null(table_find(table, 8));
	/* dropped ones have no name */
	assert_int_equal(table_find_name(table, "main")->incarnation, 2);
	table_remove(table, 2);
	assert_null(table_find_name(table, "main"));
	assert_int_equal(table->report_count, 0);
	table_remove(table, 2);
	assert_int_equal(table->branch_count, 2);
	assert_non_null(table_find(table, 7));
	table_free(table);
	table_free(NULL);
}

static void many_branches_keep_their_order(void **state)
{
	struct table *table = table_new();

	for (unsigned int i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "b%u", i);
		assert_non_null(table_add(table, 1 + i * 7 % 1000, name, &one));
	}
	for (unsigned int i = 0; i < 1000; i += 2)
		table_remove(table, i + 1);
	assert_int_equal(table->branch_count, 500);
	for (unsigned int i = 0; i < 500; i++)
		assert_int_equal(table->branches[i].incarnation, 2 * i + 2);
	table_free(table);
}

static void reports_are_one_a_pair(void **state)
{
	struct table *table = table_made();
	struct conflict_report *other = conflict_report_new();

	other->target_name = strdup("x");
	assert_int_equal(table_set_report(table, 2, 7, other), 0);
	assert_int_equal(table->report_count, 2);
	assert_int_equal(table_set_report(table, 7, 2, conflict_report_new()), 0);
	assert_int_equal(table->report_count, 2);
	assert_int_equal(table->reports[0]->count, 0);
	assert_int_equal(table_set_report(table, 7, 2, NULL), 0);
	assert_int_equal(table_set_report(table, 7, 2, NULL), 0);
	assert_int_equal(table->report_count, 1);
	assert_string_equal(table->reports[0]->target_name, "x");
	table_free(table);
}

static void gone_refs_are_found_and_removed(void **state)
{
	struct table *table = table_made();

	table_remove_gone(table, table_find_gone(table, "old"));
	assert_null(table_find_gone(table, "old"));
	assert_true(oid_is_zero(&table_find_gone(table, "older")->outside));
	table_free(table);
}

static void names_clash_as_folders(void **state)
{
	assert_true(table_names_clash("a", "a/b"));
	assert_true(table_names_clash("a/b/c", "a/b"));
	assert_false(table_names_clash("a", "a"));
	assert_false(table_names_clash("a", "ab"));
	assert_false(table_names_clash("a/b", "a/c"));
}

static void text_and_copies_hold_everything(void **state)
{
	struct table *table = table_made(), *copy = table_copy(table), *read;
	char *text = encoded(table), *copied = encoded(copy), *again;

	assert_string_equal(text, copied);
	assert_int_equal(table_decode(text, strlen(text), &read), 0);
	again = encoded(read);
	assert_string_equal(text, again);
	assert_string_equal(read->branches[2].name, "latin1-\xe4-%");
	assert_true(oid_equal(&read->branches[2].outside, &one));
	assert_true(oid_is_zero(&read->branches[0].outside));
	assert_true(oid_equal(&read->branches[2].local, &two));
	assert_true(oid_is_zero(&read->branches[0].local));
	assert_true(read->branches[1].dropped == 1234567890123);
	assert_int_equal(read->next_incarnation, 12);
	assert_string_equal(read->head_to, "main");
	assert_string_equal(read->reports[0]->conflicts[0].path,
			    "dir/100% \xc3\xa4.txt");
	assert_true(read->reports[0]->conflicts[0].resolved);
	assert_int_equal(read->reports[0]->conflicts[0].merged.mode, 0100755);
	assert_int_equal(read->reports[0]->conflicts[0].suggested.mode, 0);
	free(text);
	free(copied);
	free(again);
	table_free(table);
	table_free(copy);
	table_free(read);
}

/* The bytes are a format on disk: they change with TABLE_VERSION alone. */
static void the_golden_text_stays(void **state)
{
	struct table *table = table_new();
	char *text;

	table->next_incarnation = 2;
	table_add(table, 1, "50%", &oid_empty_tree);
	text = encoded(table);
	assert_string_equal(text,
		"{\n"
		" \"version\": 3,\n"
		" \"next_incarnation\": 2,\n"
		" \"branches\": [\n"
		"  {\n"
		"   \"incarnation\": 1,\n"
		"   \"name\": \"50%25\",\n"
		"   \"head\": \"4b825dc642cb6eb9a060e54bf8d69288fbee4904\"\n"
		"  }\n"
		" ],\n"
		" \"gone\": [],\n"
		" \"reports\": []\n"
		"}\n"
		"xxh3 5a802327fad6327b\n");
	free(text);
	table_free(table);
}

static void damage_is_noticed(void **state)
{
	struct table *table = table_made(), *read;
	char *text = encoded(table);
	size_t size = strlen(text);

	for (size_t i = 0; i < size; i++) {
		assert_int_equal(table_decode(text, i, &read), -EUCLEAN);
		for (unsigned int bit = 0; bit < 8; bit++) {
			text[i] ^= 1u << bit;
			assert_int_equal(table_decode(text, size, &read),
					 -EUCLEAN);
			text[i] ^= 1u << bit;
		}
	}
	free(text);
	table_free(table);
}

/* What table_decode says of an object whose checksum is right. */
static int decode(const char *json, size_t size)
{
	struct buffer b = { 0 };
	struct table *read = NULL;
	int r;

	assert_int_equal(buffer_append(&b, json, size), 0);
	assert_int_equal(buffer_printf(&b, TABLE_TRAILER "%016" PRIx64 "\n",
				       checksum64(json, size, 0)), 0);
	r = table_decode(b.data, b.length, &read);
	buffer_release(&b);
	table_free(read);
	return r;
}

#define BRANCH(n, name) "{\"incarnation\":" #n ",\"name\":\"" name "\"," \
	"\"head\":\"4b825dc642cb6eb9a060e54bf8d69288fbee4904\"}"
#define TABLE(version, next, branches, more) "{\"version\":" #version "," \
	"\"next_incarnation\":" #next ",\"branches\":[" branches "]," \
	"\"gone\":[],\"reports\":[]" more "}"

static void only_what_the_format_says_is_taken(void **state)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{ TABLE(1, 1, "", ""), 0 },
		{ TABLE(1, 3, BRANCH(1, "a") "," BRANCH(2, "b"), ""), 0 },
		{ TABLE(2, 1, "", ""), 0 },
		{ TABLE(3, 1, "", ""), 0 },
		{ TABLE(2, 1, "", ",\"new\":1"), -EUCLEAN },
		{ TABLE(3, 1, "", ",\"new\":1"), -EUCLEAN },
		{ TABLE(4, 1, "", ",\"new\":1"), -ENOTSUP },
		{ TABLE(0, 1, "", ""), -EUCLEAN },
		{ TABLE(1, 0, "", ""), -EUCLEAN },
		{ TABLE(1, 1, "", ",\"new\":1"), -EUCLEAN },
		{ TABLE(1, 1, "", ",\"head\":{\"from\":\"a\"}"), -EUCLEAN },
		{ TABLE(1, 1, BRANCH(1, "a"), ""), -EUCLEAN },
		{ TABLE(1, 2, BRANCH(0, "a"), ""), -EUCLEAN },
		{ TABLE(1, 2, BRANCH(1, ""), ""), -EUCLEAN },
		{ TABLE(1, 2, BRANCH(1, "%0"), ""), -EUCLEAN },
		{ TABLE(1, 2, BRANCH(1, "%00"), ""), -EUCLEAN },
		{ TABLE(1, 2, BRANCH(1, "%"), ""), -EUCLEAN },
		{ TABLE(1, 3, BRANCH(1, "a") "," BRANCH(2, "a"), ""), -EUCLEAN },
		{ TABLE(1, 3, BRANCH(2, "a") "," BRANCH(1, "b"), ""), -EUCLEAN },
		{ TABLE(1, 3, BRANCH(1, "a") "," BRANCH(1, "b"), ""), -EUCLEAN },
		{ "[]", -EUCLEAN },
		{ "", -EUCLEAN },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(decode(cases[i].text, strlen(cases[i].text)),
				 cases[i].r);
}

static void nonsense_with_a_right_checksum_does_no_harm(void **state)
{
	struct table *table = table_made();
	char *text = encoded(table);
	size_t size = strlen(text) - TABLE_TRAILER_LENGTH;

	srandom(1);
	for (int i = 0; i < 20000; i++) {
		size_t at = random() % size, length = random() % 8;
		scoped_free char *other = malloc(size);

		memcpy(other, text, size);
		for (size_t j = at; j < at + length && j < size; j++)
			other[j] = random() % 3 ? text[random() % size]
						: (char)random();
		decode(other, size);
	}
	free(text);
	table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(branches_are_found_by_number_and_name),
		cmocka_unit_test(many_branches_keep_their_order),
		cmocka_unit_test(reports_are_one_a_pair),
		cmocka_unit_test(gone_refs_are_found_and_removed),
		cmocka_unit_test(names_clash_as_folders),
		cmocka_unit_test(text_and_copies_hold_everything),
		cmocka_unit_test(the_golden_text_stays),
		cmocka_unit_test(damage_is_noticed),
		cmocka_unit_test(only_what_the_format_says_is_taken),
		cmocka_unit_test(nonsense_with_a_right_checksum_does_no_harm),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
