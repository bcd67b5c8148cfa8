/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/trees.h"
#include "store/directory.h"

#include <errno.h>

static struct odb *odb;
static uint64_t salts;

static int set_up(void **state)
{
	return memory_odb_new(&odb);
}

static int tear_down(void **state)
{
	odb_free(odb);
	return 0;
}

static struct directory *load(const char *text)
{
	struct oid oid = text_to_tree(odb, text);
	struct directory *d = directory_new();

	d->number = 77;
	d->salts = &salts;
	assert_int_equal(directory_load(d, odb, &oid, 3), 0);
	return d;
}

static struct entry *add(struct directory *d, const char *text)
{
	char *name = strdup(text);
	struct entry *e;

	assert_int_equal(directory_reserve(d, 1), 0);
	e = directory_put(d, &name);
	free(name);
	return e;
}

static void drop(struct directory *d, const char *name, bool remember)
{
	assert_int_equal(directory_reserve(d, 1), 0);
	directory_remove(d, directory_find_live(d, name), remember);
}

static void entries_are_found_by_name(void **state)
{
	struct directory *d = load("a=1\nb/x=1\nc=1\n");
	const struct entry *e = directory_find(d, "b");

	assert_int_equal(e->mode, MODE_TREE);
	assert_int_equal(e->epoch, 3);
	assert_true(e->live && e->stored);
	assert_null(directory_find(d, "bb"));
	assert_null(directory_find(d, ""));
	assert_int_equal(d->live, 3);
	assert_int_equal(d->stored, 3);
	assert_false(directory_is_empty(d));
	directory_free(d);
}

static void hidden_entries_leave_it_empty(void **state)
{
	struct directory *d = load(".irmin=1\na=1\n");

	assert_false(directory_is_empty(d));
	drop(d, "a", true);
	assert_true(directory_is_empty(d));
	directory_free(d);
}

static void cookies_outlive_changes(void **state)
{
	struct directory *d = load("a=1\nb=1\nc=1\nd=1\n");
	uint64_t cookie = directory_find(d, "b")->seq + 1;

	drop(d, "a", false);
	drop(d, "b", false);
	assert_string_equal(d->entries[directory_after(d, cookie)].name, "c");
	for (int i = 0; i < 40; i++) {
		char name[8];

		snprintf(name, sizeof(name), "n%d", i);
		add(d, name);
		if (i % 4)
			drop(d, name, false);
	}
	/* The holes have been closed at least once. */
	assert_true(d->count < 30);
	assert_string_equal(d->entries[directory_after(d, cookie)].name, "c");
	for (int i = 0; i < 40; i++) {
		char name[8];

		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(!directory_find_live(d, name), i % 4 != 0);
	}
	assert_int_equal(directory_after(d, d->next_seq + 1), d->count);
	directory_free(d);
}

static void names_that_git_had_are_remembered_once(void **state)
{
	struct directory *d = load("a=1\nb=1\n");
	const struct entry *e;

	drop(d, "a", true);
	assert_null(directory_find_live(d, "a"));
	e = directory_find(d, "a");
	assert_true(e->replaced && !e->live);
	e = add(d, "a");
	assert_true(e->replaced && e->live && !e->stored);
	drop(d, "a", true);
	add(d, "new");
	drop(d, "new", true);
	assert_null(directory_find(d, "new"));
	assert_int_equal(d->replaced_count, 1);
	assert_int_equal(d->stored, 1);
	directory_forget_replaced(d);
	assert_null(directory_find(d, "a"));
	assert_int_equal(d->replaced_count, 0);
	drop(d, "b", false);
	assert_int_equal(d->replaced_count, 0);
	assert_int_equal(d->stored, 0);
	directory_free(d);
}

static void superseded_names_keep_their_place(void **state)
{
	struct directory *d = load("a=1\nb=1\nc=1\n");
	struct entry *e = directory_find(d, "b");
	uint64_t seq = e->seq, number = e->number;

	assert_int_equal(directory_reserve(d, 1), 0);
	e = directory_find(d, "b");
	directory_supersede(d, e, true);
	assert_true(e->live && e->replaced && !e->stored);
	assert_int_equal(e->seq, seq);
	assert_true(e->number != number);
	assert_int_equal(d->live, 3);
	directory_free(d);
}

static void numbers_come_back_but_are_not_given_twice(void **state)
{
	struct directory *d = load("a=1\n"), *again = load("0=2\na=1\n");
	uint64_t first = directory_find(d, "a")->number;

	assert_int_equal(directory_find(again, "a")->number, first);
	drop(d, "a", false);
	assert_true(add(d, "a")->number != first);
	drop(again, "a", false);
	assert_true(add(again, "a")->number != directory_find(d, "a")->number);
	directory_free(d);
	directory_free(again);
}

static void wide_directories_stay_right(void **state)
{
	struct directory *d = load("a=1\n");
	char name[16];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 5000; i++) {
			snprintf(name, sizeof(name), "f%d", i);
			add(d, name)->mode = MODE_FILE;
		}
		for (int i = 0; i < 5000; i++) {
			snprintf(name, sizeof(name), "f%d", i);
			assert_string_equal(directory_find(d, name)->name, name);
			drop(d, name, round & 1);
		}
		assert_int_equal(d->live, 1);
	}
	assert_true(d->capacity < 12000);
	directory_free(d);
}

static void damaged_trees_are_not_loaded(void **state)
{
	struct oid missing = { { 1 } };
	struct directory *d = directory_new();

	d->salts = &salts;
	assert_int_equal(directory_load(d, odb, &missing, 0), -EIO);
	directory_free(d);
	directory_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_found_by_name),
		cmocka_unit_test(hidden_entries_leave_it_empty),
		cmocka_unit_test(cookies_outlive_changes),
		cmocka_unit_test(names_that_git_had_are_remembered_once),
		cmocka_unit_test(superseded_names_keep_their_place),
		cmocka_unit_test(numbers_come_back_but_are_not_given_twice),
		cmocka_unit_test(wide_directories_stay_right),
		cmocka_unit_test(damaged_trees_are_not_loaded),
	};

	return cmocka_run_group_tests_name("directory", tests, set_up, tear_down);
}
