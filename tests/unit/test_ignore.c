/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/ignore.h"

#include <string.h>

static struct ignore_file *parse(const char *text)
{
	struct ignore_file *file;

	assert_int_equal(ignore_file_parse(text, strlen(text), &file), 0);
	return file;
}

/* A path that ends in a slash is a directory. */
static bool is_ignored(const char *text, const char *path)
{
	struct ignore_file *file = parse(text);
	size_t length = strlen(path);
	bool is_directory = path[length - 1] == '/';
	char name[256];
	struct ignore_level level = { file, name };
	bool ignored;

	memcpy(name, path, length);
	name[length - is_directory] = '\0';
	ignored = ignore_find(&level, 1, is_directory);
	ignore_file_free(file);
	return ignored;
}

static void rules_match(void **state)
{
	static const struct {
		const char *text, *path;
		bool ignored;
	} cases[] = {
		{ "a", "a", true }, { "a", "b/a", true }, { "/a", "b/a", false },
		{ "a/b", "a/b", true }, { "a/b", "x/a/b", false },
		{ "a/", "a/", true }, { "a/", "a", false },
		{ "b/a/", "b/a/", true }, { "*.o", "x/y.o", true },
		{ "*.o\n!y.o", "x/y.o", false }, { "!y.o\n*.o", "y.o", true },
		{ "x/*", "x/y", true }, { "x/*", "x/y/z", false },
		{ "x/**", "x/y/z", true }, { "**/z", "x/y/z", true },
		{ "x**/z", "xy/q/z", true }, { "x/y**", "x/yq/z", true },
		{ "#a", "#a", false }, { "\\#a", "#a", true },
		{ "\\!a", "!a", true }, { "a  ", "a", true },
		{ "a\\ ", "a ", true }, { "a\\ ", "a", false },
		{ "a\\  ", "a ", true }, { "a\\", "a\\", false },
		{ "a\\", "a", false }, { "a\\/b", "a/b", true },
		{ "a\r\nb", "a", true }, { "a\r", "a", true },
		{ "\xef\xbb\xbf" "a", "a", true }, { "", "a", false },
		{ "/", "a/", false }, { "!", "a", false }, { "//", "a", false },
		{ "\n\n \na", "a", true }, { "\ta", "a", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (is_ignored(cases[i].text, cases[i].path) !=
		    cases[i].ignored)
			fail_msg("'%s' on '%s'", cases[i].text, cases[i].path);
}

static void the_lowest_file_has_the_first_word(void **state)
{
	struct ignore_file *above = parse("*.o"), *below = parse("!keep.o");
	struct ignore_level levels[] = {
		{ below, "keep.o" }, { above, "a/keep.o" },
	};

	assert_false(ignore_find(levels, 2, false));
	levels[0].path = "other.o";
	levels[1].path = "a/other.o";
	assert_true(ignore_find(levels, 2, false));
	assert_false(ignore_find(levels, 0, false));
	ignore_file_free(above);
	ignore_file_free(below);
}

static void a_nul_ends_a_line(void **state)
{
	static const char text[] = "a\0b\nc";
	struct ignore_file *file;
	struct ignore_level level;

	assert_int_equal(ignore_file_parse(text, sizeof(text) - 1, &file), 0);
	level = (struct ignore_level){ file, "a" };
	assert_true(ignore_find(&level, 1, false));
	level.path = "c";
	assert_true(ignore_find(&level, 1, false));
	level.path = "b";
	assert_false(ignore_find(&level, 1, false));
	ignore_file_free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_match),
		cmocka_unit_test(the_lowest_file_has_the_first_word),
		cmocka_unit_test(a_nul_ends_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
