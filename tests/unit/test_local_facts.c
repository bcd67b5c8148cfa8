/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/local.h"
#include "store/tree.h"

#include <errno.h>
#include <string.h>

static const char xattrs[] = "\x06" "user.a" "\x01\0\0\0" "x"
			     "\x06" "user.b" "\0\0\0\0";

/* One with everything. */
static struct local *all(void)
{
	struct local *local = local_new();

	*local = (struct local){
		.bits = LOCAL_ALL & ~LOCAL_FAR, .mode = S_IFREG | 04755,
		.uid = 1, .gid = UINT32_MAX, .device = 0x0103,
		.mtime = { -1, 999999999 }, .ctime = { INT64_MAX, 0 },
		.below = { 5, 6 }, .git = { 1, 2, 3, 4, 5, 6, 7, 8 },
		.group = UINT64_MAX, .table = { { { 9 } }, true },
		.object_mode = MODE_SYMLINK, .object = { { 10 } },
		.xattrs_size = sizeof(xattrs) - 1,
		.xattrs = malloc(sizeof(xattrs)),
	};
	memcpy(local->xattrs, xattrs, sizeof(xattrs));
	return local;
}

static int decode(const char *data, size_t size, struct local **ret)
{
	const char *at = data;
	int r = local_decode(&at, data + size, ret);

	if (r == 0)
		assert_ptr_equal(at, data + size);
	return r;
}

static void all_facts_come_back(void **state)
{
	scoped_buffer struct buffer bytes = { 0 }, again = { 0 };
	struct local *local = all(), *copy = local_copy(local), *back;

	assert_int_equal(local_encode(copy, &bytes), 0);
	assert_int_equal(decode(bytes.data, bytes.length, &back), 0);
	assert_int_equal(back->mode, S_IFREG | 04755);
	assert_true(back->mtime.tv_sec == -1 &&
		    back->mtime.tv_nsec == 999999999);
	assert_true(back->group == UINT64_MAX && back->table.is_tree);
	assert_int_equal(local_encode(back, &again), 0);
	assert_int_equal(again.length, bytes.length);
	assert_memory_equal(again.data, bytes.data, bytes.length);
	local_free(local);
	local_free(copy);
	local_free(back);
}

static void nothing_takes_two_bytes(void **state)
{
	scoped_buffer struct buffer bytes = { 0 };
	struct local none = { 0 }, *back;

	assert_int_equal(local_encode(&none, &bytes), 0);
	assert_int_equal(bytes.length, 2);
	assert_int_equal(decode(bytes.data, bytes.length, &back), 0);
	assert_int_equal(back->bits, 0);
	local_free(back);
}

static void golden_bytes(void **state)
{
	static const unsigned char golden[] = {
		0x07, 0x00,
		0xa4, 0x81, 0, 0, 0xe8, 0x03, 0, 0, 0xe9, 0x03, 0, 0,
		0x01, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x03, 0, 0, 0,
		0x04, 0, 0, 0, 0, 0, 0, 0, 0x05, 0, 0, 0,
	};
	scoped_buffer struct buffer bytes = { 0 };
	struct local local = {
		.bits = LOCAL_ATTRIBUTES | LOCAL_TIMES | LOCAL_BELOW,
		.mode = S_IFREG | 0644, .uid = 1000, .gid = 1001,
		.mtime = { 1, 2 }, .ctime = { -1, 3 }, .below = { 4, 5 },
	};

	assert_int_equal(local_encode(&local, &bytes), 0);
	assert_int_equal(bytes.length, sizeof(golden));
	assert_memory_equal(bytes.data, golden, sizeof(golden));
}

static void what_is_cut_off_is_refused(void **state)
{
	scoped_buffer struct buffer bytes = { 0 };
	struct local *local = all(), *back;

	assert_int_equal(local_encode(local, &bytes), 0);
	for (size_t size = 0; size < bytes.length; size++)
		assert_int_equal(decode(bytes.data, size, &back), -EUCLEAN);
	local_free(local);
}

static void expect(int r, void (*damage)(struct local *local))
{
	scoped_buffer struct buffer bytes = { 0 };
	struct local *local = all(), *back;

	damage(local);
	assert_int_equal(local_encode(local, &bytes), 0);
	assert_int_equal(decode(bytes.data, bytes.length, &back), r);
	local_free(local);
}

static void bad_mode(struct local *local)
{
	local->mode = 0170000;
}

static void bad_time(struct local *local)
{
	local->ctime.tv_nsec = 1000000000;
}

static void bad_object(struct local *local)
{
	local->object_mode = MODE_TREE;
}

static void bad_table(struct local *local)
{
	local->table.oid = (struct oid){ { 0 } };
}

static void unsorted_xattrs(struct local *local)
{
	local->xattrs[6] = 'b';		/* twice the same name */
}

static void nameless_xattr(struct local *local)
{
	local->xattrs[0] = 0;
}

static void long_xattr(struct local *local)
{
	local->xattrs[7] = 127;
}

static void newer(struct local *local)
{
	local->bits |= 0x8000;
}

static void far_nothing(struct local *local)
{
	local->bits = LOCAL_FAR;
}

static void nonsense_is_refused(void **state)
{
	expect(-EUCLEAN, bad_mode);
	expect(-EUCLEAN, bad_time);
	expect(-EUCLEAN, bad_object);
	expect(-EUCLEAN, bad_table);
	expect(-EUCLEAN, unsorted_xattrs);
	expect(-EUCLEAN, nameless_xattr);
	expect(-EUCLEAN, long_xattr);
	expect(-EUCLEAN, far_nothing);
	expect(-ENOTSUP, newer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_facts_come_back),
		cmocka_unit_test(nothing_takes_two_bytes),
		cmocka_unit_test(golden_bytes),
		cmocka_unit_test(what_is_cut_off_is_refused),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
