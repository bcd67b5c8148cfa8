/* SPDX-License-Identifier: ISC */
#include "tests/types.h"
#include "structures/entries.h"

static const struct merge_type *const set = &set_merge_type;
static const struct merge_type *const log_type = &log_merge_type;

static void a_set_holds_what_both_have_and_one_added(void **state)
{
	assert_clean(set, "a\nb\n", "a\nb\nc\n", "a\nb\nd\n", "a\nb\nc\nd\n");
	assert_clean(set, "a\nb\n", "b\nc\n", "a\nb\n", "b\nc\n");
	assert_clean(set, "a\nb\n", "b\n", "a\n", "");
	assert_clean(set, NULL, "a\n", "a\nb\n", "a\nb\n");
	assert_clean(set, "", "x\n", "y\n", "x\ny\n");
}

static void a_set_holds_each_line_once(void **state)
{
	assert_clean(set, "a\n", "a\na\nb\n", "a\nb\nb\nc\n", "a\nb\nc\n");
}

static void order_of_both_sides_stays(void **state)
{
	assert_clean(set, "z\nm\n", "z\nm\nb\n", "c\nz\nm\n", "c\nz\nm\nb\n");
	assert_clean(log_type, "9\n", "9\n7\n8\n", "9\n5\n6\n",
		     "9\n5\n6\n7\n8\n");
	assert_clean(log_type, "9\n", "9\n8\n1\n", "9\n5\n", "9\n5\n8\n1\n");
}

static void where_both_sides_order_differs_nothing_is_lost(void **state)
{
	assert_clean(set, "a\nb\n", "b\na\nx\n", "a\nb\ny\n", "a\nb\nx\ny\n");
}

static void a_log_repeats_lines(void **state)
{
	assert_clean(log_type, "tick\n", "tick\ntick\n", "tick\ntock\n",
		     "tick\ntick\ntock\n");
	/* the same line added by both is the same event */
	assert_clean(log_type, "a\n", "a\nx\n", "a\nx\ny\n", "a\nx\ny\n");
	assert_clean(log_type, "t\n", "t\nt\nt\n", "t\nt\n", "t\nt\nt\n");
}

static void removed_entries_of_a_log_are_gone(void **state)
{
	assert_clean(log_type, "a\nb\n", "b\nc\n", "a\nb\nd\n", "b\nc\nd\n");
}

static void a_last_line_without_newline_is_a_line(void **state)
{
	assert_clean(set, "a", "a\nb", "a\nc", "a\nb\nc\n");
	assert_clean(set, "a\n", "a\n\nb\n", "a\nc\n", "a\n\nb\nc\n");
}

/* As in merges of trees and in plain Git, which ask nobody about that. */
static void what_one_side_changed_is_taken_as_it_is(void **state)
{
	assert_clean(set, "a\na\n", "a\na\n", "a\na\nb", "a\na\nb");
	assert_clean(set, "a\na\n", "b\n\n\n", "a\na\n", "b\n\n\n");
	assert_clean(set, "a\n", "b\nb", "b\nb", "b\nb");
	assert_clean(set, NULL, "", "b\nb", "b\nb");
	assert_clean(set, "a\na", "a\na", "a\na", "a\na");
	assert_clean(log_type, "a\nb\n", "a\nb\n", "b\na", "b\na");
	assert_clean(log_type, "", "b", "b", "b");
}

static void a_missing_side_is_a_conflict(void **state)
{
	assert_conflict(set, "a\n", NULL, "b\n");
	assert_conflict(log_type, "a\n", NULL, "b\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_holds_what_both_have_and_one_added),
		cmocka_unit_test(a_set_holds_each_line_once),
		cmocka_unit_test(order_of_both_sides_stays),
		cmocka_unit_test(where_both_sides_order_differs_nothing_is_lost),
		cmocka_unit_test(a_log_repeats_lines),
		cmocka_unit_test(removed_entries_of_a_log_are_gone),
		cmocka_unit_test(a_last_line_without_newline_is_a_line),
		cmocka_unit_test(what_one_side_changed_is_taken_as_it_is),
		cmocka_unit_test(a_missing_side_is_a_conflict),
	};

	return cmocka_run_group_tests_name("entries", tests, NULL, NULL);
}
