/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct tree_entry entry(uint32_t mode, const char *name)
{
	return (struct tree_entry){ .mode = mode, .name = name,
				    .oid = oid_empty_tree };
}

static void trees_survive_a_round_trip(void **state)
{
	/* Git's order puts the folder "a" behind "a.c", before "a0" */
	struct tree_entry entries[] = {
		entry(MODE_EXECUTABLE, "a0"), entry(MODE_TREE, "a"),
		entry(MODE_FILE, "a.c"), entry(MODE_SYMLINK, "b"),
		entry(MODE_SUBMODULE, "sub"),
	};
	struct odb *odb;
	struct oid oid;
	struct tree *tree;

	assert_int_equal(memory_odb_new(&odb), 0);
	assert_int_equal(tree_write(odb, entries, 5, &oid), 0);
	assert_int_equal(tree_read(odb, &oid, &tree), 0);
	assert_int_equal(tree->count, 5);
	assert_string_equal(tree->entries[0].name, "a.c");
	assert_string_equal(tree->entries[1].name, "a");
	assert_string_equal(tree->entries[2].name, "a0");
	assert_int_equal(tree_find(tree, "a")->mode, MODE_TREE);
	assert_int_equal(tree_find(tree, "a0")->mode, MODE_EXECUTABLE);
	assert_int_equal(tree_find(tree, "sub")->mode, MODE_SUBMODULE);
	assert_null(tree_find(tree, "a.d"));
	assert_null(tree_find(tree, ""));
	tree_free(tree);
	odb_free(odb);
}

static void the_empty_tree_is_known(void **state)
{
	struct odb *odb;
	struct oid oid, zero = { { 0 } };
	struct tree *tree;

	assert_int_equal(memory_odb_new(&odb), 0);
	assert_int_equal(tree_write(odb, NULL, 0, &oid), 0);
	assert_true(oid_equal(&oid, &oid_empty_tree));
	assert_int_equal(tree_read(odb, &zero, &tree), 0);
	assert_int_equal(tree->count, 0);
	tree_free(tree);
	odb_free(odb);
}

#define ID "12345678901234567890"

static int decode(const char *data, size_t size)
{
	char *copy = calloc(1, size + 1);
	struct tree *tree = NULL;
	int r;

	memcpy(copy, data, size);
	r = tree_decode(copy, size, &tree);
	tree_free(tree);
	return r;
}

static void damaged_trees_are_refused(void **state)
{
#define DECODE(bytes) decode(bytes, sizeof(bytes) - 1)
	assert_int_equal(DECODE("100644 a\0" ID "40000 b\0" ID), 0);
	assert_int_equal(DECODE("100644 b\0" ID "40000 a\0" ID), -EUCLEAN);
	assert_int_equal(DECODE("100644 a\0" ID "100644 a\0" ID), -EUCLEAN);
	assert_int_equal(DECODE("100644 a\0" ID "40000 a\0" ID), -EUCLEAN);
	assert_int_equal(DECODE("100644 a\0" "123"), -EUCLEAN);
	/* behind as many entries as there can be in so many bytes */
	assert_int_equal(DECODE("40000 a\0" ID "40000 b\0" ID "100644 c"),
			 -EUCLEAN);
	assert_int_equal(DECODE("100644 a.\0" ID "40000 a\0" ID), 0);
	assert_int_equal(DECODE("40000 a\0" ID "100644 a.\0" ID), -EUCLEAN);
	assert_int_equal(DECODE("100644 \0" ID), -EUCLEAN);
	assert_int_equal(DECODE("100644 a/b\0" ID), -EUCLEAN);
	assert_int_equal(DECODE("100844 a\0" ID), -EUCLEAN);
	assert_int_equal(DECODE("060000 a\0" ID), -EUCLEAN);
	assert_int_equal(DECODE("100644"), -EUCLEAN);
	assert_int_equal(DECODE("100644 abc"), -EUCLEAN);
}

static void paths_are_resolved(void **state)
{
	struct tree_entry inner[] = { entry(MODE_FILE, "f") };
	struct tree_entry outer[] = { entry(MODE_TREE, "d") }, found;
	struct odb *odb;
	struct oid root;

	assert_int_equal(memory_odb_new(&odb), 0);
	assert_int_equal(tree_write(odb, inner, 1, &outer[0].oid), 0);
	assert_int_equal(tree_write(odb, outer, 1, &root), 0);
	assert_int_equal(tree_resolve(odb, &root, "d/f", &found), 0);
	assert_int_equal(found.mode, MODE_FILE);
	assert_int_equal(tree_resolve(odb, &root, "", &found), 0);
	assert_true(oid_equal(&found.oid, &root));
	assert_int_equal(tree_resolve(odb, &root, "d/g", &found), -ENOENT);
	assert_int_equal(tree_resolve(odb, &root, "d/f/x", &found), -ENOTDIR);
	odb_free(odb);
}

static void names_that_git_cannot_store(void **state)
{
	char name[258];

	static const char *const bad[] = {
		".git", ".GIT", ".Git.", ".git ", ".git. .", "git~1", "GIT~1",
		"GIT~1 ", ".git::$INDEX_ALLOCATION", ".g\xe2\x80\x8cit",
		"\xef\xbb\xbf.git", ".git\\x", "a\\.git", "a\\b\\GIT~1\\c",
	};
	static const char *const good[] = {
		".gitignore", ".gitmodules", "git", "git~2", "git~10", ".gitx",
		"a.git", "\xff\xfe", " ", "-rf", "a\nb", ".irmin", "a\\b",
		"a\\", "\\",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(tree_check_name(bad[i]), -EPERM);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_int_equal(tree_check_name(good[i]), 0);
	assert_int_equal(tree_check_name(""), -EINVAL);
	assert_int_equal(tree_check_name(".."), -EINVAL);
	assert_int_equal(tree_check_name("a/b"), -EINVAL);
	memset(name, 'x', 257);
	name[255] = '\0';
	assert_int_equal(tree_check_name(name), 0);
	name[255] = 'x';
	name[256] = '\0';
	assert_int_equal(tree_check_name(name), -ENAMETOOLONG);
}

static void symlinks_that_git_cannot_store(void **state)
{
	static const char *const bad[] = {
		".gitmodules", ".GitModules", ".gitmodules .", "GITMOD~4",
		"gi7eba~1", "GI7EB~10", ".gitmodules:x", ".gitmod\xe2\x80\x8cules",
	};
	static const char *const good[] = {
		".gitattributes", "gitmodules", ".gitmodules2", "gitmod~5",
		"gi7eba~", "gi7eba~0", "gi7e~1", "gi7eba~12", "", "x",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(tree_check_symlink(bad[i]), -EPERM);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_int_equal(tree_check_symlink(good[i]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trees_survive_a_round_trip),
		cmocka_unit_test(the_empty_tree_is_known),
		cmocka_unit_test(damaged_trees_are_refused),
		cmocka_unit_test(paths_are_resolved),
		cmocka_unit_test(names_that_git_cannot_store),
		cmocka_unit_test(symlinks_that_git_cannot_store),
	};

	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
