/* SPDX-License-Identifier: ISC */
#include "tests/shell.h"
#include "mount/memory.h"

#define MIB ((uint64_t)1 << 20)

/* ---- a folder that looks like a system ---- */

static char *root;

static int set_up(void **state)
{
	root = shell_begin();
	shell_do(root, "mkdir -p proc/self sys/fs/cgroup/memory");
	return 0;
}

static int tear_down(void **state)
{
	shell_end(root);
	return 0;
}

static void no_groups_are_no_limit(void **state)
{
	assert_true(memory_allowed(root) == UINT64_MAX);
	shell_do(root, "printf '0::/a\\n' >proc/self/cgroup");
	assert_true(memory_allowed(root) == UINT64_MAX);
	shell_do(root, "mkdir sys/fs/cgroup/a; echo max >sys/fs/cgroup/a/memory.max");
	assert_true(memory_allowed(root) == UINT64_MAX);
}

static void limits_of_groups_above_count(void **state)
{
	shell_do(root, "printf '0::/a/b\\n' >proc/self/cgroup;"
		 "mkdir -p sys/fs/cgroup/a/b;"
		 "echo 300000000 >sys/fs/cgroup/a/b/memory.max;"
		 "echo 100000000 >sys/fs/cgroup/a/memory.max");
	assert_int_equal(memory_allowed(root), 100000000);
	shell_do(root, "echo 50000000 >sys/fs/cgroup/a/b/memory.max");
	assert_int_equal(memory_allowed(root), 50000000);
}

static void the_first_version_has_a_folder_of_its_own(void **state)
{
	shell_do(root, "printf '9:cpu:/x\\n4:hugetlb,memory:/a\\n0::/\\n' "
		 ">proc/self/cgroup; mkdir sys/fs/cgroup/memory/a;"
		 "echo 1000 >sys/fs/cgroup/memory/a/memory.limit_in_bytes;"
		 "echo 9223372036854771712 "
		 ">sys/fs/cgroup/memory/memory.limit_in_bytes");
	assert_int_equal(memory_allowed(root), 1000);
}

/* As in a container that sees its own group at the top. */
static void a_path_from_outside_is_no_hindrance(void **state)
{
	shell_do(root, "printf '0::/docker/0123\\n' >proc/self/cgroup;"
		 "echo 2000 >sys/fs/cgroup/memory.max");
	assert_int_equal(memory_allowed(root), 2000);
}

static void what_is_no_such_list_is_none(void **state)
{
	shell_do(root, "printf 'a\\n:\\n0:\\n::\\n\\n' >proc/self/cgroup;"
		 "echo 1 >sys/fs/cgroup/memory.max");
	assert_true(memory_allowed(root) == UINT64_MAX);
	shell_do(root, ": >proc/self/cgroup");
	assert_true(memory_allowed(root) == UINT64_MAX);
}

static void a_quarter_of_little_is_taken(void **state)
{
	assert_int_equal(memory_budget(UINT64_MAX), 0);
	assert_int_equal(memory_budget(512 * MIB), 0);
	assert_int_equal(memory_budget(96 * MIB), 24 * MIB);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(no_groups_are_no_limit),
		TEST(limits_of_groups_above_count),
		TEST(the_first_version_has_a_folder_of_its_own),
		TEST(a_path_from_outside_is_no_hindrance),
		TEST(what_is_no_such_list_is_none),
		TEST(a_quarter_of_little_is_taken),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
