/* SPDX-License-Identifier: ISC */
#include "tests/fs_test.h"

/* So many writes and a sync; whether the last write said that it is expected, and
 * none of the others. */
static bool expected(struct inode *inode, unsigned int writes)
{
	bool said = false;

	for (unsigned int i = 0; i < writes; i++) {
		assert_false(said);
		said = habit_written(inode);
	}
	habit_synced(inode);
	return said;
}

static void what_came_three_times_is_expected(void **state)
{
	for (unsigned int writes = 1; writes < 15; writes++) {
		struct inode inode = { 0 };

		for (int i = 0; i < 3; i++)
			assert_false(expected(&inode, writes));
		for (int i = 0; i < 100; i++)
			assert_true(expected(&inode, writes));
	}
}

static void another_number_ends_it(void **state)
{
	struct inode inode = { 0 };

	for (int i = 0; i < 5; i++)
		expected(&inode, 2);
	assert_false(expected(&inode, 1));
	for (int i = 0; i < 3; i++)
		assert_false(expected(&inode, 2));
	assert_true(expected(&inode, 2));
	/* more than usual: it was expected one time too early */
	assert_false(habit_written(&inode));
	assert_true(habit_written(&inode));
	assert_false(habit_written(&inode));
	habit_synced(&inode);
	assert_false(expected(&inode, 2));
}

static void many_writes_are_no_habit(void **state)
{
	struct inode inode = { 0 };

	for (int i = 0; i < 20; i++)
		assert_false(expected(&inode, 15 + i % 2));
}

static void syncs_alone_are_no_habit(void **state)
{
	struct inode inode = { 0 };

	for (int i = 0; i < 20; i++)
		habit_synced(&inode);
	assert_false(habit_written(&inode));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_came_three_times_is_expected),
		cmocka_unit_test(another_number_ends_it),
		cmocka_unit_test(many_writes_are_no_habit),
		cmocka_unit_test(syncs_alone_are_no_habit),
	};

	return cmocka_run_group_tests_name("habit", tests, NULL, NULL);
}
