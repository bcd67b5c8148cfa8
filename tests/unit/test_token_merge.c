/* SPDX-License-Identifier: ISC */
#include "tests/types.h"
#include "structures/token_merge.h"

#include <stdio.h>
#include <stdlib.h>

static const struct merge_type *const token = &token_merge_type;
static const struct merge_type *const suggestion = &token_suggest_type;

/* Golden examples, as in structures/FORMAT.md. */
static const struct golden {
	const char *rule, *base, *ours, *theirs, *merged;
} merged[] = {
	{ "contained", "f(a)\n", "f(a, long b)\n", "f(a, long b, int c)\n",
	  "f(a, long b, int c)\n" },
	{ "lines", "int a = 1;\nint b = 2;\n", "long a = 1;\nint b = 2;\n",
	  "int a = 1;\nlong b = 2;\n", "long a = 1;\nlong b = 2;\n" },
	{ "lines", "a: 1\nb: 2\n", "a: 5\nb: 2\n", "a: 1\nb: 6\nc: 3\n",
	  "a: 5\nb: 6\nc: 3\n" },
	{ "tokens", "the quick brown fox\njumps over\nthe dog\n",
	  "the quick red fox\njumps over\nthe dog\n",
	  "the quick brown fox\njumps over a dog\n",
	  "the quick red fox\njumps over a dog\n" },
	{ "removed", "a: 1\nb: 2\nc: 3\nd: 4\n", "a: 1\nc: 3\nd: 4\n",
	  "a: 1\nb: 2\nd: 5\n", "a: 1\nd: 5\n" },
};

static const struct golden suggested[] = {
	{ "sorted", "aa\nbb\ncc\nxx\nyy\nzz\n", "aa\nbb\ncc\nkk\nxx\nyy\nzz\n",
	  "aa\nbb\ncc\ngg\nxx\nyy\nzz\n", "aa\nbb\ncc\ngg\nkk\nxx\nyy\nzz\n" },
	{ "lines", "a b c d e\nf g\n", "a b x y z\nf g\n",
	  "a b c d e\nf h\n", "a b x y z\nf h\n" },
	{ "tokens", "say the quick brown fox jumps over the lazy dog now\n",
	  "say the quick red fox jumps over the lazy dog now\n",
	  "say the quick brown fox jumps over the lazy cat now\n",
	  "say the quick red fox jumps over the lazy cat now\n" },
	{ "replaced", "return foo(b, c, 0);\n", "done = find(list);\n",
	  "return foo(b, d, 0);\n", "done = find(list);\n" },
	{ "replaced", "return foo(b, c, 0);\n", "done = find(list);\n",
	  "return foo(b, d, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, "
	  "15, 16, 17, 18);\n", "done = find(list);\n" },
	{ "rewrite", "f(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s);\n",
	  "done = find(list);\n",
	  "f(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t);\n",
	  "done = find(list);\n" },
	{ "delete", "one two three\nfour five six\nseven eight nine\nten\n", "",
	  "one two three\nfour five six\nseven eight nine\n10\n", "" },
};

static void assert_golden(const struct merge_type *type,
			  const struct golden *g)
{
	struct merge_output output;
	char name[32];

	assert_clean(type, g->base, g->ours, g->theirs, g->merged);
	assert_int_equal(merge_texts(type, g->base, g->ours, g->theirs,
				     &output), 0);
	snprintf(name, sizeof(name), "(%s)", g->rule);
	if (!output.note || !strstr(output.note, name) ||
	    strchr(output.note, '\n'))
		fail_msg("%s is noted as: %s", g->rule, output.note);
	merge_output_release(&output);
}

static void each_rule_settles_its_example(void **state)
{
	for (size_t i = 0; i < sizeof(merged) / sizeof(*merged); i++)
		assert_golden(token, &merged[i]);
	for (size_t i = 0; i < sizeof(suggested) / sizeof(*suggested); i++) {
		assert_golden(suggestion, &suggested[i]);
		assert_conflict(token, suggested[i].base, suggested[i].ours,
				suggested[i].theirs);
	}
}

static void lines_are_inserted_among_lines_that_the_other_side_changed(
		void **state)
{
	assert_clean(token, "a: 1\nb: 2\nc: 3\n", "a: 5\nb: 2\nc: 7\n",
		     "w\na: 1\nx\ny\nb: 6\nc: 3\nz\n",
		     "w\na: 5\nx\ny\nb: 6\nc: 7\nz\n");
	/* which of two equal lines is the base's does not matter here */
	assert_clean(token, "\na: 1\nb: 2\n", "\na: 5\nb: 2\n",
		     "\n\na: 1\nb: 6\n", "\n\na: 5\nb: 6\n");
}

static void inserted_lines_conflict_where_they_may_not_fit(void **state)
{
	/* nothing but inserted: people choose a side as often */
	assert_conflict(token, "a: 1\n", "a: 5\n", "a: 1\nc: 3\n");
	/* a new layout, which the inserted lines do not have */
	assert_conflict(token, "a: 1\nb: 2\nc: 3\n", "a:  1\nb: 5\nc: 3\n",
			"a: 1\nb: 2\nc: 6\nd: 4\n");
	/* the first or the second line of theirs may be the one ours changed */
	assert_conflict(token, "a: 1\nb: 2\n", "a: 5\nb: 2\n",
			"a: 1\na: 1\nb: 6\n");
	assert_conflict(token, "a: 1\nb: 2\n", "a: 5\nb: 7\n",
			"a: 1\nb: 6\nc: 3\n");
	/* another line altogether */
	assert_conflict(token, "a: 1\nb: 2\n", "a: 5\nb: 2\n",
			"a: 1\nx y z\nc: 3\n");
}

static void what_is_written_anew_conflicts_if_it_may_lack_a_change(void **state)
{
	const char *base = "return foo(b, c, 0);\n";
	const char *anew = "done = find(list);\n";
	const char *changed = "return foo(b, d, 0);\n";

	/* prose */
	assert_conflict(suggestion, "the cat sat on the mat\n",
			"nobody was there\n", "the cat sat on the rug\n");
	/* c, that theirs took out, is still there */
	assert_conflict(suggestion, base, "done = find(c);\n", changed);
	/* theirs wrote half of it anew, too */
	assert_conflict(suggestion, base, anew, "return foo(x, y, z);\n");
	/* theirs put in too much */
	assert_conflict(suggestion, base, anew,
			"return foo(b, d, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, "
			"11, 12, 13, 14, 15, 16, 17, 18, 19);\n");
	/* theirs only put in */
	assert_conflict(suggestion, base, anew, "return foo(b, c, 0, d);\n");
	/* a variant of it, rather than something new */
	assert_conflict(suggestion, base, "exit(bar(a, x, 1));\n", changed);
	/* taken away, not written anew */
	assert_conflict(suggestion, base, "", "return foo(b, d, 1);\n");
}

static void a_large_change_is_not_discarded(void **state)
{
	/* theirs changed three words of ten */
	assert_conflict(suggestion, "one two three\nfour five six seven\n"
			"eight nine ten\n", "", "one two 3\n"
			"four five six 7\neight nine 10\n");
	/* three more than 19 */
	assert_conflict(suggestion,
			"f(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r);\n",
			"done = find(list);\n",
			"f(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, "
			"s, t, u);\n");
	/* prose */
	assert_conflict(suggestion, "a b c d e f g h i j k l m n o p q r s t\n",
			"all of it is new\n",
			"a b c d e f g h i j k l m n o p q r s t u\n");
}

static void removed_lines_conflict_where_one_may_have_changed(void **state)
{
	assert_clean(token, "a: 1\nb: 2\nc: 3\nd: 4\n", "a: 1\nc: 3\nd: 4\n",
		     "a: 1\nd: 4\n", "a: 1\nd: 4\n");
	/* theirs changed what ours took out */
	assert_conflict(token, "a: 1\nb: 2\nc: 3\n", "a: 1\nc: 3\n",
			"a: 1\nb: 5\n");
	/* it depends on which of two equal lines ours took out */
	assert_conflict(token, "a: 1\na: 1\nb: 2\nc: 3\n", "a: 1\nb: 5\nc: 3\n",
			"a: 4\na: 1\nb: 2\n");
	/* a new layout of what is left */
	assert_conflict(token, "a: 1\nb: 2\nc: 3\nd: 4\n",
			"a: 1\nc: 3\nd: 4\n", "a: 1\nb: 2\nd:  4\n");
	/* all of it */
	assert_clean(token, "a: 1\nb: 2\n", "", "b: 2\n", "");
}

static void sides_that_differ_in_blanks_alone_conflict(void **state)
{
	assert_conflict(suggestion, "f(a);\n", "f(a, long b);\n",
			"\nf(a, long b);\n");
	assert_conflict(suggestion, "int a = 1;\nint b = 2;\n",
			"int a =  1;\nint b = 2;\n",
			"int a = 1;\nlong b = 2;\n");
}

static void a_list_with_a_line_twice_conflicts(void **state)
{
	assert_conflict(suggestion, "aa\nbb\ncc\nxx\nyy\nzz\n",
			"aa\nbb\ncc\ngg\nkk\nxx\nyy\nzz\n",
			"aa\nbb\ncc\ngg\ngg\nll\nxx\nyy\nzz\n");
}

static void what_lines_settle_is_left_as_it_is(void **state)
{
	struct merge_output output;

	assert_int_equal(merge_texts(token, "1\n2\n3\n4\n", "0\n2\n3\n4\n",
				     "1\n2\n3\n5\n", &output), 0);
	assert_output(&output, "0\n2\n3\n5\n");
	assert_null(output.note);
	merge_output_release(&output);
	assert_clean(token, "1", "1", "2", "2");
	assert_clean(token, NULL, "a\n", "a\n", "a\n");
}

static void what_rules_cannot_settle_is_the_text_types_conflict(void **state)
{
	assert_one_way(token, "1\n", "2\n", "3\n", 1,
		       "<<<<<<< ours\n2\n=======\n3\n>>>>>>> theirs\n");
	assert_one_way(token, NULL, "2\n", "3\n", 1,
		       "<<<<<<< ours\n2\n=======\n3\n>>>>>>> theirs\n");
	assert_conflict(token, "1\n", NULL, "3\n");
}

static void each_conflict_is_settled_or_left_whole(void **state)
{
	struct merge_output output;

	assert_int_equal(merge_texts(token,
			"f(a)\n-\n-\n-\nred\n", "f(a, long b)\n-\n-\n-\nblue\n",
			"f(a, long b, int c)\n-\n-\n-\ngreen\n", &output), 1);
	assert_output(&output, "f(a, long b, int c)\n-\n-\n-\n<<<<<<< ours\n"
		      "blue\n=======\ngreen\n>>>>>>> theirs\n");
	assert_null(output.note);
	merge_output_release(&output);
}

static void lines_that_look_like_markers_are_text(void **state)
{
	static const char marks[] = "<|=>";
	char base[600], ours[600], theirs[600], expected[600], line[200];

	for (int i = 0; i < 4; i++) {
		int length = 7 + 40 * i;

		memset(line, marks[i], length);
		snprintf(line + length, sizeof(line) - length, " x");
		snprintf(base, sizeof(base), "%s\nint a;\nint b;\n%s\n", line,
			 line);
		snprintf(ours, sizeof(ours), "%s\nlong a;\nint b;\n%s\n", line,
			 line);
		snprintf(theirs, sizeof(theirs), "%s\nint a;\nlong b;\n%s\n",
			 line, line);
		snprintf(expected, sizeof(expected),
			 "%s\nlong a;\nlong b;\n%s\n", line, line);
		assert_clean(token, base, ours, theirs, expected);
		/* and inside of the conflict */
		snprintf(ours, sizeof(ours), "%s y\nint a;\nint b;\n%s\n", line,
			 line);
		snprintf(theirs, sizeof(theirs), "%s\nlong a;\nint b;\n%s\n",
			 line, line);
		snprintf(expected, sizeof(expected),
			 "%s y\nlong a;\nint b;\n%s\n", line, line);
		assert_clean(token, base, ours, theirs, expected);
	}
}

static void markers_too_long_to_exceed_leave_the_conflict(void **state)
{
	char *ours = malloc(70020);

	memset(ours, '<', 70000);
	strcpy(ours + 70000, "\nint b;\n");
	assert_one_way(token, "int a;\nint b;\n", ours, "int a;\nlong b;\n", 1,
		       NULL);
	free(ours);
}

static void the_last_newline_is_kept_if_a_side_has_it(void **state)
{
	assert_clean(token, "int a;\nint b;", "long a;\nint b;",
		     "int a;\nlong b;", "long a;\nlong b;");
	assert_clean(token, "int a;\nint b;\n", "long a;\nint b;\n",
		     "int a;\nlong b;", "long a;\nlong b;\n");
	assert_clean(token, "f(a)\r\n", "f(a, long b)\r\n",
		     "f(a, long b, int c)", "f(a, long b, int c)");
	/* one that a side added stays, too */
	assert_clean(token, "a: 1", "a: 1\n", "a: 1\nb: 2", "a: 1\nb: 2\n");
}

static void line_ends_of_any_kind_stay(void **state)
{
	assert_clean(token, "int a;\r\nint b;\r\n", "long a;\r\nint b;\r\n",
		     "int a;\r\nlong b;\r\n", "long a;\r\nlong b;\r\n");
}

static void what_is_no_text_is_merged_as_the_text_type_does(void **state)
{
	struct merge_input input = {
		.base = { "1\n2\n3\n", 6, "base" },
		.ours = { "1\n2\n\0\n", 6, "ours" },
		.theirs = { "0\n2\n3\n", 6, "theirs" },
	};
	struct merge_output output = { 0 };

	assert_int_equal(token->merge(&input, &output), 1);
	assert_memory_equal(output.data, input.ours.data, 6);
	merge_output_release(&output);
}

static void large_conflicts_are_left(void **state)
{
	size_t size = 3 << 20;
	char *ours = malloc(size + 1), *theirs = malloc(size + 1);

	for (size_t i = 0; i < size; i++) {
		ours[i] = i % 50 ? 'a' + i % 7 : '\n';
		theirs[i] = i % 50 ? 'k' + i % 7 : '\n';
	}
	ours[size] = theirs[size] = '\0';
	assert_conflict(suggestion, "", ours, theirs);
	free(ours);
	free(theirs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_settles_its_example),
		cmocka_unit_test(
			lines_are_inserted_among_lines_that_the_other_side_changed),
		cmocka_unit_test(inserted_lines_conflict_where_they_may_not_fit),
		cmocka_unit_test(
			what_is_written_anew_conflicts_if_it_may_lack_a_change),
		cmocka_unit_test(a_large_change_is_not_discarded),
		cmocka_unit_test(removed_lines_conflict_where_one_may_have_changed),
		cmocka_unit_test(sides_that_differ_in_blanks_alone_conflict),
		cmocka_unit_test(a_list_with_a_line_twice_conflicts),
		cmocka_unit_test(what_lines_settle_is_left_as_it_is),
		cmocka_unit_test(
			what_rules_cannot_settle_is_the_text_types_conflict),
		cmocka_unit_test(each_conflict_is_settled_or_left_whole),
		cmocka_unit_test(lines_that_look_like_markers_are_text),
		cmocka_unit_test(markers_too_long_to_exceed_leave_the_conflict),
		cmocka_unit_test(the_last_newline_is_kept_if_a_side_has_it),
		cmocka_unit_test(line_ends_of_any_kind_stay),
		cmocka_unit_test(what_is_no_text_is_merged_as_the_text_type_does),
		cmocka_unit_test(large_conflicts_are_left),
	};

	return cmocka_run_group_tests_name("token_merge", tests, NULL, NULL);
}
