/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/attribute_file.h"

#include <stdio.h>
#include <string.h>

static char answer[64];

/* The attribute as `git check-attr` prints it, by one file or two. */
static const char *ask_two(const char *near, const char *far, const char *path,
			   const char *attribute)
{
	struct attribute_file *files[2];
	struct attribute_level levels[2];
	const char *value;

	assert_int_equal(attribute_file_parse(near, strlen(near), false,
					      &files[0]), 0);
	assert_int_equal(attribute_file_parse(far, strlen(far), true,
					      &files[1]), 0);
	for (int i = 0; i < 2; i++)
		levels[i] = (struct attribute_level){ files[i], path };
	switch (attribute_find(levels, 2, attribute, &value)) {
	case ATTRIBUTE_SET:
		strcpy(answer, "set");
		break;
	case ATTRIBUTE_UNSET:
		strcpy(answer, "unset");
		break;
	case ATTRIBUTE_UNSPECIFIED:
		strcpy(answer, "unspecified");
		break;
	case ATTRIBUTE_VALUE:
		snprintf(answer, sizeof(answer), "%s", value);
	}
	attribute_file_free(files[0]);
	attribute_file_free(files[1]);
	return answer;
}

static const char *ask(const char *text, const char *attribute)
{
	return ask_two("", text, "f", attribute);
}

static void lines_are_parsed(void **state)
{
	assert_string_equal(ask("f x", "x"), "set");
	assert_string_equal(ask("f -x", "x"), "unset");
	assert_string_equal(ask("f x=1", "x"), "1");
	assert_string_equal(ask("f x=1=2\r\n", "x"), "1=2");
	assert_string_equal(ask("f x\nf !x\n", "x"), "unspecified");
	assert_string_equal(ask("  f\t y  x=v ", "x"), "v");
	assert_string_equal(ask("\xef\xbb\xbf" "f x", "x"), "set");
	assert_string_equal(ask("#f x", "x"), "unspecified");
	assert_string_equal(ask("\"f\" x", "x"), "set");
	assert_string_equal(ask("\"\\146\" x", "x"), "set");
	assert_string_equal(ask("\"f x", "x"), "unspecified");
	assert_string_equal(ask("\"\\q\" x", "x"), "unspecified");
	assert_string_equal(ask("\"\\0", "x"), "unspecified");
	assert_string_equal(ask("!f x", "x"), "unspecified");
	assert_string_equal(ask("f x\nf x/y=1 x=2\n", "x"), "set");
	assert_string_equal(ask("f", "x"), "unspecified");
	assert_string_equal(ask("", "x"), "unspecified");
	assert_string_equal(ask("f x=1 x=2", "x"), "2");
}

static void macros_expand(void **state)
{
	assert_string_equal(ask("f binary", "merge"), "unset");
	assert_string_equal(ask("f binary", "binary"), "set");
	assert_string_equal(ask("f -binary", "merge"), "unspecified");
	assert_string_equal(ask("[attr]m x=1\nf m", "x"), "1");
	assert_string_equal(ask("[attr] m x=1\nf m", "x"), "1");
	assert_string_equal(ask("[attr]m x=1\nf m\nf x=2", "x"), "2");
	assert_string_equal(ask("[attr]m x=1\nf x=2\nf m", "x"), "1");
	assert_string_equal(ask("[attr]m n\n[attr]n x\nf m", "x"), "set");
	assert_string_equal(ask("[attr]m n\n[attr]n m x\nf m", "x"), "set");
	assert_string_equal(ask("[attr]m m\nf m", "x"), "unspecified");
	assert_string_equal(ask("[attr]binary\nf binary", "merge"),
			    "unspecified");
	/* the nearer file decides about the macro */
	assert_string_equal(ask_two("f -m", "[attr]m x\nf m", "f", "x"),
			    "unspecified");
	/* and cannot make one */
	assert_string_equal(ask_two("[attr]m x\nf m", "", "f", "x"),
			    "unspecified");
}

static void overlong_lines_are_left_out(void **state)
{
	char text[4096];

	memset(text, ' ', sizeof(text));
	memcpy(text, "f x", 3);
	strcpy(text + 3000, "\nf y");
	assert_string_equal(ask(text, "x"), "unspecified");
	assert_string_equal(ask(text, "y"), "set");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_parsed),
		cmocka_unit_test(macros_expand),
		cmocka_unit_test(overlong_lines_are_left_out),
	};

	return cmocka_run_group_tests_name("attribute_file", tests, NULL, NULL);
}
