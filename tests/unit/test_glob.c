/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/glob.h"

#include <string.h>

static const struct {
	const char *pattern, *text;
	bool matches;
} names[] = {
	{ "", "", true }, { "a", "a", true }, { "a", "b", false },
	{ "a", "ab", false }, { "ab", "a", false }, { "*", "", true },
	{ "*", "abc", true }, { "*.c", "x.c", true }, { "*.c", ".c", true },
	{ "*.c", "x.h", false }, { "a*b*c", "a1b2b3c", true },
	{ "a*b*c", "a1c2b", false }, { "?", "a", true }, { "?", "", false },
	{ "a?c", "abc", true }, { "\\*", "*", true }, { "\\*", "a", false },
	{ "\\", "\\", true }, { "[abc]", "b", true }, { "[abc]", "d", false },
	{ "[a-c]x", "bx", true }, { "[!a-c]", "d", true },
	{ "[^a-c]", "a", false }, { "[]]", "]", true }, { "[]-]", "-", true },
	{ "[!]]", "x", true }, { "[a-]", "-", true }, { "[\\]]", "]", true },
	{ "[[:digit:]]", "7", true }, { "[[:digit:]]", "x", false },
	{ "[[:digit:]a]", "a", true }, { "[[:nonsense:]]", "n", false },
	{ "[a", "a", false }, { "[", "[", false }, { "[a-", "a", false },
	{ "*[0-9]", "ab1", true }, { "**", "a", true },
	{ "[c-a]", "c", true }, { "[c-a]", "b", false },
	{ "[![:nonsense:]]", "n", false }, { "[[:a:b:]]", "a", false },
	{ "[[:a]", ":", true }, { "\xff?", "\xff\xfe", true }, { ".*", ".x", true }, { "*", ".x", true },
};

static const struct {
	const char *pattern, *text;
	bool matches;
} paths[] = {
	{ "a/b", "a/b", true }, { "a/*", "a/b", true }, { "a/*", "a/b/c", false },
	{ "*/c", "a/b/c", false }, { "**/c", "c", true }, { "**/c", "a/b/c", true },
	{ "**/c", "a/b/cc", false }, { "a/**", "a/b/c", true },
	{ "a/**", "a", false }, { "a/**", "ab/c", false },
	{ "a/**/d", "a/d", true }, { "a/**/d", "a/b/c/d", true },
	{ "a/**/d", "a/d/e", false }, { "**/a/**/b", "x/a/b", true },
	{ "**/a/**/b", "x/a/y/a/z/b", true }, { "**/a/**/b", "b/a", false },
	{ "a**b/c", "axxb/c", true }, { "a**b/c", "ax/xb/c", false },
	{ "**", "a/b", true }, { "a/b", "a/b/c", false }, { "a/b/c", "a/b", false },
	{ "**/x/*/y", "x/x/z/y", true }, { "a?b/c", "a/b/c", false },
	{ "a[x/]/c", "ax/c", true }, { "a[/]b", "a/b", false },
	{ "a[b/c", "a[b/c", false }, { "**/**/a", "a", true },
	{ "***/a", "x/y/a", true }, { "***a", "x/a", false }, { "**/**", "a", true },
};

static void names_match(void **state)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (glob_match_name(names[i].pattern, names[i].text) !=
		    names[i].matches)
			fail_msg("'%s' on '%s'", names[i].pattern,
				 names[i].text);
}

static void paths_match(void **state)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (glob_match_path(paths[i].pattern, paths[i].text) !=
		    paths[i].matches)
			fail_msg("'%s' on '%s'", paths[i].pattern,
				 paths[i].text);
}

/* What takes time exponential in the stars takes for ever here. */
static void hostile_patterns_end(void **state)
{
	char pattern[1024] = "", text[2048] = "";

	for (int i = 0; i < 200; i++)
		strcat(pattern, "*a");
	strcat(pattern, "b");
	memset(text, 'a', 1000);
	assert_false(glob_match_name(pattern, text));
	pattern[0] = text[0] = '\0';
	for (int i = 0; i < 100; i++)
		strcat(pattern, "**/a/");
	strcat(pattern, "b");
	for (int i = 0; i < 500; i++)
		strcat(text, "a/");
	strcat(text, "a");
	assert_false(glob_match_path(pattern, text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_match),
		cmocka_unit_test(paths_match),
		cmocka_unit_test(hostile_patterns_end),
	};

	return cmocka_run_group_tests_name("glob", tests, NULL, NULL);
}
