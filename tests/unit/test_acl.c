/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/acl.h"

#include <string.h>

/* user::rw- user:13:-w- group::r-x group:30:--x mask::rwx other::r-- */
static const unsigned char list[] = {
	2, 0, 0, 0,
	1, 0, 6, 0, 255, 255, 255, 255,
	2, 0, 2, 0, 13, 0, 0, 0,
	4, 0, 5, 0, 255, 255, 255, 255,
	8, 0, 1, 0, 30, 0, 0, 0,
	16, 0, 7, 0, 255, 255, 255, 255,
	32, 0, 4, 0, 255, 255, 255, 255,
};
/* user::rwx group::r-x other::--x */
static const unsigned char plain[] = {
	2, 0, 0, 0,
	1, 0, 7, 0, 255, 255, 255, 255,
	4, 0, 5, 0, 255, 255, 255, 255,
	32, 0, 1, 0, 255, 255, 255, 255,
};

static void only_whole_lists_are_valid(void **state)
{
	unsigned char bytes[sizeof(list)];

	assert_true(acl_is_valid(list, sizeof(list)));
	assert_true(acl_is_valid(plain, sizeof(plain)));
	for (size_t size = 0; size < sizeof(plain); size++)
		assert_false(acl_is_valid(plain, size));
	memcpy(bytes, list, sizeof(list));
	bytes[0] = 3;
	assert_false(acl_is_valid(bytes, sizeof(bytes)));
	/* without one of the three */
	for (size_t at = 4; at < sizeof(list); at += 16) {
		memcpy(bytes, list, sizeof(list));
		bytes[at] = bytes[at] == 16 ? 16 : 2;
		assert_int_equal(acl_is_valid(bytes, sizeof(bytes)),
				 list[at] == 16);
	}
}

static void a_mode_is_owner_mask_and_others(void **state)
{
	unsigned char bytes[sizeof(list)];

	assert_int_equal(acl_mode(list, sizeof(list)), 0674);
	assert_int_equal(acl_mode(plain, sizeof(plain)), 0751);
	assert_false(acl_is_mode(list, sizeof(list)));
	assert_true(acl_is_mode(plain, sizeof(plain)));
	memcpy(bytes, list, sizeof(list));
	acl_set_mode(bytes, sizeof(bytes), S_IFREG | 04512);
	assert_int_equal(acl_mode(bytes, sizeof(bytes)), 0512);
	acl_set_mode(bytes, sizeof(bytes), 0674);
	assert_memory_equal(bytes, list, sizeof(list));
	memcpy(bytes, plain, sizeof(plain));
	acl_set_mode(bytes, sizeof(plain), 0632);
	assert_int_equal(acl_mode(bytes, sizeof(plain)), 0632);
}

static bool allows(mode_t mode, uid_t uid, gid_t gid, gid_t other, mode_t wanted)
{
	const struct stat st = { .st_mode = mode, .st_uid = 10, .st_gid = 20 };
	const struct rights rights = {
		.uid = uid, .gid = gid, .groups = &other, .count = 1,
	};

	return acl_allows(list, sizeof(list), &st, &rights, wanted);
}

static void the_first_that_fits_decides(void **state)
{
	/* the owner, of whom the mode says all */
	assert_true(allows(0674, 10, 1, 1, 6));
	assert_false(allows(0274, 10, 20, 30, 4));
	/* who is named, also in groups that would allow more */
	assert_true(allows(0674, 13, 1, 1, 2));
	assert_false(allows(0674, 13, 20, 20, 4));
	assert_false(allows(0654, 13, 1, 1, 2));
	/* any group, but none of them a part */
	assert_true(allows(0674, 14, 20, 1, 5));
	assert_true(allows(0674, 14, 30, 1, 1));
	assert_true(allows(0674, 14, 30, 20, 4));
	assert_false(allows(0674, 14, 30, 1, 4));
	assert_false(allows(0614, 14, 20, 1, 4));
	/* others, whom the mask does not concern */
	assert_true(allows(0604, 14, 1, 1, 4));
	assert_false(allows(0670, 14, 1, 1, 4));
}

static void without_a_list_the_mode_decides(void **state)
{
	const struct stat st = { .st_mode = 0641, .st_uid = 10, .st_gid = 20 };
	struct rights rights = { .uid = 10, .gid = 20 };

	assert_true(acl_allows(NULL, 0, &st, &rights, 6));
	rights.uid = 11;
	assert_true(acl_allows(NULL, 0, &st, &rights, 4));
	assert_false(acl_allows(NULL, 0, &st, &rights, 1));
	rights.gid = 21;
	assert_true(acl_allows(NULL, 0, &st, &rights, 1));
	assert_false(acl_allows(NULL, 0, &st, &rights, 4));
}

static void unknown_groups_give_no_rights(void **state)
{
	struct stat st = { .st_mode = 0604, .st_uid = 10, .st_gid = 20 };
	const struct rights rights = { .uid = 14, .gid = 1, .partial = true };
	const struct rights named = { .uid = 13, .gid = 1, .partial = true };

	assert_false(acl_allows(NULL, 0, &st, &rights, 4));
	st.st_mode = 0644;
	assert_true(acl_allows(NULL, 0, &st, &rights, 4));
	/* user:13 and group:30 have not what others have */
	st.st_mode = 0674;
	assert_false(acl_allows(list, sizeof(list), &st, &rights, 4));
	assert_true(acl_allows(list, sizeof(list), &st, &named, 2));
}

/* For all modes and people: who may by the mode alone may by the list. */
static void the_least_mode_gives_nobody_more(void **state)
{
	static const uid_t uids[] = { 10, 13, 14 };
	static const gid_t gids[] = { 1, 20, 30 };

	for (mode_t mode = 0; mode <= 0777; mode++)
		for (size_t i = 0; i < 27 * 3; i++) {
			struct stat st = {
				.st_mode = acl_least_mode(list, sizeof(list),
							  mode),
				.st_uid = 10, .st_gid = 20,
			};
			const struct rights rights = {
				.uid = uids[i % 3], .gid = gids[i / 3 % 3],
				.groups = &gids[i / 9 % 3], .count = 1,
			};
			mode_t wanted = 1 << i / 27;

			if (!acl_allows(NULL, 0, &st, &rights, wanted))
				continue;
			st.st_mode = mode;
			assert_true(acl_allows(list, sizeof(list), &st,
					       &rights, wanted));
		}
	assert_int_equal(acl_least_mode(list, sizeof(list), 04674), 04600);
	assert_int_equal(acl_least_mode(plain, sizeof(plain), 02751), 02751);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_whole_lists_are_valid),
		cmocka_unit_test(a_mode_is_owner_mask_and_others),
		cmocka_unit_test(the_first_that_fits_decides),
		cmocka_unit_test(without_a_list_the_mode_decides),
		cmocka_unit_test(unknown_groups_give_no_rights),
		cmocka_unit_test(the_least_mode_gives_nobody_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
