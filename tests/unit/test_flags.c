/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "mount/flags.h"

#include <errno.h>

static int run(const struct command *self, int argc, char **argv)
{
	return 0;
}

static const struct command command = { "test", "A [B]", "For tests.", run };

struct values {
	bool all;
	const char *text, *side;
	struct flag_list labels;
	struct operands operands;
};

static int parse(struct values *v, const char *const *arguments)
{
	const struct flag own[] = {
		{ 'a', "all", NULL, "all", .set = &v->all },
		{ 0, "ours", NULL, "ours", .text = &v->side, .value = "ours" },
		{ 'L', "label", "TEXT", "labels", .list = &v->labels },
		{ 0 },
	};
	const struct flag common[] = {
		{ 'C', "directory", "DIR", "where", .text = &v->text },
		{ 0 },
	};
	static char *argv[16];
	int argc = 0;

	*v = (struct values){ 0 };
	argv[argc++] = (char *)"test";
	for (; arguments[argc - 1]; argc++)
		argv[argc] = (char *)arguments[argc - 1];
	argv[argc] = NULL;
	return flags_parse(&command, own, common, argc, argv, 1, 2,
			   &v->operands);
}

#define PARSE(v, ...) parse(v, (const char *const[]){ __VA_ARGS__, NULL })

static void flags_stand_anywhere(void **state)
{
	struct values v;

	assert_int_equal(PARSE(&v, "x", "-C", "dir", "--ours", "y", "-a",
			       "-Lone", "--label=two"), -1);
	assert_true(v.all);
	assert_string_equal(v.text, "dir");
	assert_string_equal(v.side, "ours");
	assert_int_equal(v.labels.count, 2);
	assert_string_equal(v.labels.values[1], "two");
	assert_int_equal(v.operands.count, 2);
	assert_string_equal(v.operands.values[1], "y");
}

static void two_dashes_end_flags(void **state)
{
	struct values v;

	assert_int_equal(PARSE(&v, "--", "-a"), -1);
	assert_false(v.all);
	assert_string_equal(v.operands.values[0], "-a");
}

static void wrong_usage_is_129(void **state)
{
	struct values v;

	assert_int_equal(PARSE(&v, "--nonsense", "x"), STATUS_USAGE);
	assert_int_equal(PARSE(&v, "x", "-C"), STATUS_USAGE);
	assert_int_equal(PARSE(&v, "-a"), STATUS_USAGE);
	assert_int_equal(PARSE(&v, "x", "y", "z"), STATUS_USAGE);
	assert_int_equal(PARSE(&v, "x", "-L1", "-L2", "-L3", "-L4", "-L5"),
			 STATUS_USAGE);
}

static void numbers_are_checked(void **state)
{
	unsigned long n;

	assert_int_equal(parse_number("42", 1, 100, &n), 0);
	assert_int_equal(n, 42);
	assert_int_equal(parse_number("", 0, 100, &n), -EINVAL);
	assert_int_equal(parse_number("-1", 0, 100, &n), -EINVAL);
	assert_int_equal(parse_number(" 1", 0, 100, &n), -EINVAL);
	assert_int_equal(parse_number("1x", 0, 100, &n), -EINVAL);
	assert_int_equal(parse_number("101", 0, 100, &n), -EINVAL);
	assert_int_equal(parse_number("99999999999999999999", 0, -1UL, &n),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_stand_anywhere),
		cmocka_unit_test(two_dashes_end_flags),
		cmocka_unit_test(wrong_usage_is_129),
		cmocka_unit_test(numbers_are_checked),
	};

	return cmocka_run_group_tests_name("flags", tests, NULL, NULL);
}
