/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/contents.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct merge_side side(const char *text, const char *label)
{
	return (struct merge_side){
		.data = text, .size = text ? strlen(text) : 0, .label = label,
	};
}

/* NULL: absent. */
static void assert_merge(const char *type, const char *base, const char *ours,
			 const char *theirs, int outcome, const char *expected)
{
	struct merge_input input = {
		.base = side(base, "base"), .ours = side(ours, "ours"),
		.theirs = side(theirs, "theirs"), .path = "f",
	};
	struct merge_output output = { 0 };
	const struct merge_type *t = merge_type_find(type);

	assert_non_null(t);
	assert_int_equal(t->merge(&input, &output), outcome);
	assert_int_equal(output.size, strlen(expected));
	assert_memory_equal(output.data, expected, output.size);
	merge_output_release(&output);
	assert_null(output.data);
}

static void text_merges_lines(void **state)
{
	assert_merge("text", "1\n2\n3\n4\n", "0\n1\n2\n3\n4\n",
		     "1\n2\n3\n4\n5\n", 0, "0\n1\n2\n3\n4\n5\n");
	assert_merge("text", "1\n", "2\n", "3\n", 1,
		     "<<<<<<< ours\n2\n=======\n3\n>>>>>>> theirs\n");
	assert_merge("text", "1\n", "1\n", "3\n", 0, "3\n");
	assert_merge("text", "1\n", "2\n", "2\n", 0, "2\n");
	assert_merge("text", "1\n", "", "1\n", 0, "");
}

static void text_without_a_base_has_an_empty_one(void **state)
{
	assert_merge("text", NULL, "a\n", "a\n", 0, "a\n");
	assert_merge("text", NULL, "a\n", "b\n", 1,
		     "<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n");
	assert_merge("text", NULL, "", "b\n", 0, "b\n");
}

static void changed_against_deleted_is_a_conflict(void **state)
{
	static const char *const types[] = {
		"text", "union", "binary", "ours", "theirs"
	};

	for (int i = 0; i < 5; i++) {
		assert_merge(types[i], "1\n", NULL, "2\n", 1, "2\n");
		assert_merge(types[i], "1\n", "2\n", NULL, 1, "2\n");
	}
}

static void union_keeps_lines_of_both(void **state)
{
	assert_merge("union", "1\n", "2\n", "3\n", 0, "2\n3\n");
	assert_merge("union", NULL, "a\n", "b\n", 0, "a\nb\n");
}

static void binary_takes_what_one_side_changed(void **state)
{
	assert_merge("binary", "1\n2\n3\n", "0\n2\n3\n", "1\n2\n4\n", 1,
		     "0\n2\n3\n");
	assert_merge("binary", "1", "2", "1", 0, "2");
	assert_merge("binary", "1", "1", "3", 0, "3");
	assert_merge("binary", NULL, "2", "2", 0, "2");
	assert_merge("binary", NULL, "2", "3", 1, "2");
}

static void ours_and_theirs_take_their_side(void **state)
{
	assert_merge("ours", "1\n", "2\n", "3\n", 0, "2\n");
	assert_merge("theirs", "1\n", "2\n", "3\n", 0, "3\n");
	assert_merge("theirs", NULL, "2\n", "3\n", 0, "3\n");
}

static void what_has_a_nul_is_not_merged_by_lines(void **state)
{
	struct merge_input input = {
		.base = { "1\n2\n3\n", 6, "base" },
		.ours = { "1\n2\n\0\n", 6, "ours" },
		.theirs = { "0\n2\n3\n", 6, "theirs" },
	};
	struct merge_output output = { 0 };

	assert_int_equal(merge_type_find("text")->merge(&input, &output), 1);
	assert_int_equal(output.size, 6);
	assert_memory_equal(output.data, input.ours.data, 6);
	merge_output_release(&output);
	assert_int_equal(merge_type_find("union")->merge(&input, &output), 1);
	merge_output_release(&output);
}

static void types_are_registered_once(void **state)
{
	static struct merge_type types[65];
	static char names[65][8];
	int r = 0, i;

	assert_null(merge_type_find("counter"));
	assert_int_equal(merge_type_register(merge_type_find("text")), -EEXIST);
	for (i = 0; i < 65 && r == 0; i++) {
		snprintf(names[i], sizeof(names[i]), "t%d", i);
		types[i].name = names[i];
		r = merge_type_register(&types[i]);
	}
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(i, 60);
	assert_ptr_equal(merge_type_find("t7"), &types[7]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_merges_lines),
		cmocka_unit_test(text_without_a_base_has_an_empty_one),
		cmocka_unit_test(changed_against_deleted_is_a_conflict),
		cmocka_unit_test(union_keeps_lines_of_both),
		cmocka_unit_test(binary_takes_what_one_side_changed),
		cmocka_unit_test(ours_and_theirs_take_their_side),
		cmocka_unit_test(what_has_a_nul_is_not_merged_by_lines),
		cmocka_unit_test(types_are_registered_once),
	};

	return cmocka_run_group_tests_name("merge_types", tests, NULL, NULL);
}
