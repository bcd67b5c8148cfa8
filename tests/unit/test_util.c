/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/oid.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static void buffer_grows_and_ends_with_nul(void **state)
{
	struct buffer b = { 0 };

	for (int i = 0; i < 1000; i++)
		assert_int_equal(buffer_printf(&b, "%d,", i), 0);
	assert_int_equal(b.length, 10 * 2 + 90 * 3 + 900 * 4);
	assert_int_equal(strlen(b.data), b.length);
	assert_int_equal(buffer_reserve(&b, SIZE_MAX - 10), -ENOMEM);
	buffer_release(&b);
	assert_null(b.data);
}

static void report_keeps_the_first_sentence(void **state)
{
	struct report report = { "" };

	assert_int_equal(report_set(&report, -EIO, "first %d", 1), -EIO);
	assert_int_equal(report_set(&report, -EPERM, "second"), -EPERM);
	assert_string_equal(report.text, "first 1");
	assert_int_equal(report_set(NULL, -EPERM, "nobody"), -EPERM);
}

static void replaced_file_is_whole_or_old(void **state)
{
	char path[] = "/tmp/irminfs-util-XXXXXX", file[64];
	struct buffer b = { 0 };
	int fd;

	assert_non_null(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(replace_file(fd, "f", "old", 3, 0644), 0);
	assert_int_equal(replace_file(fd, "f", "newer", 5, 0644), 0);
	assert_int_equal(read_file(fd, "f", 4, &b), -EFBIG);
	assert_int_equal(read_file(fd, "f", 5, &b), 0);
	assert_string_equal(b.data, "newer");
	assert_int_equal(read_file(fd, "absent", 5, &b), -ENOENT);
	buffer_release(&b);
	snprintf(file, sizeof(file), "%s/f.tmp", path);
	assert_int_equal(access(file, F_OK), -1);
	unlinkat(fd, "f", 0);
	close(fd);
	rmdir(path);
}

static void oid_goes_to_hex_and_back(void **state)
{
	char hex[OID_HEX_SIZE];
	struct oid oid;

	assert_int_equal(oid_parse("4b825dc642cb6eb9a060e54bf8d69288fbee4904",
				   &oid), 0);
	assert_true(oid_equal(&oid, &oid_empty_tree));
	assert_string_equal(oid_hex(&oid, hex),
			    "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
	assert_int_equal(oid_parse("4b825dc642cb6eb9a060e54bf8d69288fbee490",
				   &oid), -EINVAL);
	assert_int_equal(oid_parse("4b825dc642cb6eb9a060e54bf8d69288fbee490g",
				   &oid), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffer_grows_and_ends_with_nul),
		cmocka_unit_test(report_keeps_the_first_sentence),
		cmocka_unit_test(replaced_file_is_whole_or_old),
		cmocka_unit_test(oid_goes_to_hex_and_back),
	};

	return cmocka_run_group_tests_name("util", tests, NULL, NULL);
}
