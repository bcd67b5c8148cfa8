/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/checksum.h"

#include <string.h>

/* Formats on disk depend on the value: it is XXH3 and stays so. */
static void values_are_those_of_xxh3(void **state)
{
	assert_true(checksum64("", 0, 0) == 0x2d06800538d394c2u);
	assert_true(checksum64("irminfs", 7, 0) ==
		    checksum64("irminfs", 7, 0));
}

static void every_bit_and_the_seed_count(void **state)
{
	unsigned char data[100];
	uint64_t sum;

	memset(data, 7, sizeof(data));
	sum = checksum64(data, sizeof(data), 0);
	assert_true(checksum64(data, sizeof(data), 1) != sum);
	assert_true(checksum64(data, sizeof(data) - 1, 0) != sum);
	for (size_t bit = 0; bit < 8 * sizeof(data); bit++) {
		data[bit / 8] ^= 1u << bit % 8;
		assert_true(checksum64(data, sizeof(data), 0) != sum);
		data[bit / 8] ^= 1u << bit % 8;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_those_of_xxh3),
		cmocka_unit_test(every_bit_and_the_seed_count),
	};

	return cmocka_run_group_tests_name("checksum", tests, NULL, NULL);
}
