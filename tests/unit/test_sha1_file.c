/* SPDX-License-Identifier: ISC */
#include "tests/shell.h"
#include "store/sha1_file.h"

#include <fcntl.h>

static void the_sum_of_sha1sum_is_appended(void **state)
{
	struct sha1_file *f = malloc(sizeof(*f));
	char *dir = shell_begin(), path[256];
	unsigned char sum[SHA1_SIZE];
	uint32_t crc;
	int fd;

	snprintf(path, sizeof(path), "%s/f", dir);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	sha1_file_init(f, fd);
	sha1_file_add(f, "123456789", 9);
	crc = f->crc;
	for (int i = 0; i < 20000; i++)
		sha1_file_add(f, "some text\n", 10);
	assert_int_equal(f->length, 200009);
	assert_int_equal(sha1_file_end(f, sum), 0);
	assert_int_equal(crc, 0xcbf43926);
	shell_do(dir, "test $(stat -c %%s f) = 200029 && "
		 "test $(head -c 200009 f | sha1sum | cut -c1-40) = "
		 "$(tail -c 20 f | od -An -tx1 | tr -d ' \\n')");
	close(fd);
	shell_end(dir);
	free(f);
}

static void errors_come_at_the_end(void **state)
{
	struct sha1_file *f = malloc(sizeof(*f));
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	unsigned char sum[SHA1_SIZE];

	sha1_file_init(f, fd);
	sha1_file_add(f, "x", 1);
	assert_true(sha1_file_end(f, sum) < 0);
	close(fd);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sum_of_sha1sum_is_appended),
		cmocka_unit_test(errors_come_at_the_end),
	};

	return cmocka_run_group_tests_name("sha1_file", tests, NULL, NULL);
}
