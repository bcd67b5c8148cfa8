/* SPDX-License-Identifier: ISC */
#include "tests/types.h"
#include "structures/counter.h"

static const struct merge_type *const type = &counter_merge_type;

static void both_sides_changes_add_up(void **state)
{
	assert_clean(type, "5\n", "7\n", "6\n", "8\n");
	assert_clean(type, "5\n", "6\n", "6\n", "7\n");
	assert_clean(type, "5\n", "3\n", "6\n", "4\n");
	assert_clean(type, "0", "-1", "-2", "-3");
	assert_clean(type, "5\n", "5\n", "6\n", "6\n");
}

static void without_a_base_it_was_zero(void **state)
{
	assert_clean(type, NULL, "2\n", "3\n", "5\n");
	assert_clean(type, NULL, "2", "3", "5");
}

static void a_newline_that_one_side_changed_is_changed(void **state)
{
	assert_clean(type, "1\n", "2", "2\n", "3");
	assert_clean(type, "1", "2", "2\n", "3\n");
}

static void what_is_no_number_is_in_conflict(void **state)
{
	static const char *const wrong[] = {
		"", "\n", "x", "1x\n", " 1\n", "1 \n", "1\n\n", "1\r\n", "+1\n",
		"01\n", "-0\n", "-\n", "--1\n", "1.5\n", "0x1\n",
		"9223372036854775808\n", "-9223372036854775809\n",
		"100000000000000000000000000000000000000000\n",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_conflict(type, "1\n", wrong[i], "2\n");
		if (*wrong[i])
			assert_conflict(type, wrong[i], "1\n", "2\n");
	}
	/* no base, as plain Git says it */
	assert_clean(type, "", "2\n", "3\n", "5\n");
	assert_one_way(type, "1\n", "x\n", "2\n", 1, "x\n");
	assert_conflict(type, "1\n", NULL, "2\n");
}

static void a_sum_outside_of_the_range_is_in_conflict(void **state)
{
	assert_conflict(type, "0\n", "9223372036854775807\n", "1\n");
	assert_conflict(type, "0\n", "-9223372036854775808\n", "-1\n");
	assert_clean(type, "9223372036854775806\n", "9223372036854775807\n",
		     "0\n", "1\n");
	assert_clean(type, "1\n", "9223372036854775807\n", "1\n",
		     "9223372036854775807\n");
	assert_clean(type, "-1\n", "-9223372036854775808\n", "0\n",
		     "-9223372036854775807\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_changes_add_up),
		cmocka_unit_test(without_a_base_it_was_zero),
		cmocka_unit_test(a_newline_that_one_side_changed_is_changed),
		cmocka_unit_test(what_is_no_number_is_in_conflict),
		cmocka_unit_test(a_sum_outside_of_the_range_is_in_conflict),
	};

	return cmocka_run_group_tests_name("counter", tests, NULL, NULL);
}
