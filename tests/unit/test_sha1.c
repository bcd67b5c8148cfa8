/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/sha1.h"

#include <stdio.h>
#include <string.h>

static void assert_sum(struct sha1 *s, const char *expected)
{
	unsigned char sum[SHA1_SIZE];
	char hex[2 * SHA1_SIZE + 1];

	sha1_end(s, sum);
	for (size_t i = 0; i < SHA1_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	assert_string_equal(hex, expected);
}

/* The examples that NIST publishes for FIPS 180. */
static void the_standards_examples_hold(void **state)
{
	static const char *const examples[][2] = {
		{ "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
		{ "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
	};
	struct sha1 s;

	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		sha1_init(&s);
		sha1_add(&s, examples[i][0], strlen(examples[i][0]));
		assert_sum(&s, examples[i][1]);
	}
	sha1_init(&s);
	for (int i = 0; i < 1000000; i++)
		sha1_add(&s, "a", 1);
	assert_sum(&s, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

static void pieces_do_not_matter(void **state)
{
	unsigned char data[300], whole[SHA1_SIZE], sum[SHA1_SIZE];
	struct sha1 s;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7;
	for (size_t size = 0; size < sizeof(data); size++) {
		sha1_init(&s);
		sha1_add(&s, data, size);
		sha1_end(&s, whole);
		for (size_t piece = 1; piece < 150; piece += 13) {
			sha1_init(&s);
			for (size_t i = 0; i < size; i += piece)
				sha1_add(&s, data + i, size - i < piece ?
						       size - i : piece);
			sha1_end(&s, sum);
			assert_memory_equal(sum, whole, SHA1_SIZE);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_standards_examples_hold),
		cmocka_unit_test(pieces_do_not_matter),
	};

	return cmocka_run_group_tests_name("sha1", tests, NULL, NULL);
}
