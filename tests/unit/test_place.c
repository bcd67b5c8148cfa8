/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "mount/place.h"

#include <stdlib.h>

static json_t *branches(void)
{
	return json_pack("{s:[{s:s},{s:s},{s:s}]}", "branches", "name", "main",
			 "name", "feature/login", "name", "odd@name");
}

static struct place find(const char *path)
{
	struct place place = { 0 };
	json_t *list = branches();

	assert_int_equal(place_find(path, list, &place), 0);
	json_decref(list);
	return place;
}

static void a_branch_is_found_by_its_whole_name(void **state)
{
	struct place p = find("/main");

	assert_string_equal(p.branch, "main");
	assert_string_equal(p.prefix, "");
	place_release(&p);
	p = find("//feature/login/src//deep/");
	assert_string_equal(p.branch, "feature/login");
	assert_string_equal(p.prefix, "src//deep/");
	place_release(&p);
	p = find("/feature%2Flogin/src");
	assert_string_equal(p.branch, "feature/login");
	assert_string_equal(p.prefix, "src/");
	place_release(&p);
}

static void name_spaces_and_the_root_are_no_branch(void **state)
{
	static const char *const paths[] = { "", "/", "/feature", "/mai" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct place p = find(paths[i]);

		assert_null(p.branch);
		assert_null(p.revision);
		place_release(&p);
	}
}

static void revisions_are_written_as_git_does(void **state)
{
	static const char *const pairs[][2] = {
		{ "/main@~3/src", "main~3" },
		{ "/@v1.0", "v1.0" },
		{ "/@4f2a91c/a", "4f2a91c" },
		{ "/feature/login@^2", "feature/login^2" },
		{ "/main@{2026-11-01}", "main@{2026-11-01}" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		struct place p = find(pairs[i][0]);

		assert_null(p.branch);
		assert_string_equal(p.revision, pairs[i][1]);
		place_release(&p);
	}
}

static void a_branch_wins_over_a_revision(void **state)
{
	struct place p = find("/odd@name/x");

	assert_string_equal(p.branch, "odd@name");
	assert_null(p.revision);
	place_release(&p);
}

static void check_path(const char *prefix, const char *operand,
		       const char *expected)
{
	char *path = place_path(prefix, operand);

	if (expected)
		assert_string_equal(path, expected);
	else
		assert_null(path);
	free(path);
}

static void operands_are_paths_from_here(void **state)
{
	check_path("", "a.c", "a.c");
	check_path("src/", "a.c", "src/a.c");
	check_path("src/deep/", "../b//c/", "src/b/c");
	check_path("src/", "..", "");
	check_path("src/", ".", "src");
	check_path("", "./a/./b/../c", "a/c");
	check_path("src/", "../..", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_branch_is_found_by_its_whole_name),
		cmocka_unit_test(name_spaces_and_the_root_are_no_branch),
		cmocka_unit_test(revisions_are_written_as_git_does),
		cmocka_unit_test(a_branch_wins_over_a_revision),
		cmocka_unit_test(operands_are_paths_from_here),
	};

	return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
