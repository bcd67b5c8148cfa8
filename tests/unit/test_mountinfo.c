/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "mount/mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void every_path_lies_in_some_mount(void **state)
{
	struct mount_entry e = { 0 }, root = { 0 };

	assert_int_equal(mountinfo_find("/proc/self/status", &e), 0);
	assert_string_equal(e.point, "/proc");
	assert_string_equal(e.type, "proc");
	assert_int_equal(mountinfo_find_root(e.device, &root), 0);
	assert_string_equal(root.root, "/");
	mount_entry_release(&root);
	mount_entry_release(&e);
	assert_int_equal(mountinfo_find_root("999:999", &e), -ENOENT);
}

static void inside_means_at_a_slash(void **state)
{
	assert_true(path_is_inside("/a/b", "/a"));
	assert_true(path_is_inside("/a", "/a"));
	assert_true(path_is_inside("/a", "/a/"));
	assert_true(path_is_inside("/a", "/"));
	assert_false(path_is_inside("/ab", "/a"));
	assert_false(path_is_inside("/", "/a"));
}

static void paths_are_resolved_up_to_an_absent_end(void **state)
{
	char folder[] = "/tmp/irminfs-mountinfo-XXXXXX", link[64], expected[64];
	char given[64], *path;

	assert_non_null(mkdtemp(folder));
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(symlink(".", link), 0);
	snprintf(given, sizeof(given), "%s/link/absent", folder);
	snprintf(expected, sizeof(expected), "%s/absent", folder);
	assert_int_equal(path_resolve(given, &path), 0);
	assert_string_equal(path, expected);
	free(path);
	snprintf(given, sizeof(given), "%s/no/absent", folder);
	assert_int_equal(path_resolve(given, &path), -ENOENT);
	assert_int_equal(path_resolve("", &path), -ENOENT);
	unlink(link);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_path_lies_in_some_mount),
		cmocka_unit_test(inside_means_at_a_slash),
		cmocka_unit_test(paths_are_resolved_up_to_an_absent_end),
	};

	return cmocka_run_group_tests_name("mountinfo", tests, NULL, NULL);
}
