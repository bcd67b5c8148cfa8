/* SPDX-License-Identifier: ISC */
#include "tests/lines.h"
#include "structures/chunk.h"

/* The examples of FORMAT.md. */

static void chunks_end_where_the_format_says(void **state)
{
	static const size_t lengths[] = {
		2421, 4757, 1390, 4578, 4089, 3351, 4294, 3650,
	};
	char *text;
	size_t size = make_lines(&text), at = 0, count = 0;

	while (at < size) {
		size_t length = chunk_cut(text + at, size - at, 0);

		if (count < 8)
			assert_int_equal(length, lengths[count]);
		if (length == 0)
			length = size - at;
		assert_true(length >= CHUNK_MIN && length <= CHUNK_MAX);
		at += length;
		count++;
	}
	assert_int_equal(count, 272);
	free(text);
}

static void constant_bytes_end_at_the_maximum(void **state)
{
	static const char zeros[20000];

	assert_int_equal(chunk_cut(zeros, sizeof(zeros), 0), CHUNK_MAX);
	assert_int_equal(chunk_cut(zeros, CHUNK_MAX, 0), CHUNK_MAX);
	assert_int_equal(chunk_cut(zeros, CHUNK_MAX - 1, 0), 0);
	assert_int_equal(chunk_cut(zeros, 0, 0), 0);
}

/* Where a chunk ends does not depend on how its bytes came. */
static void bytes_may_come_in_pieces(void **state)
{
	char *text;
	size_t size = make_lines(&text), at = 0;

	while (size - at > CHUNK_MAX) {
		size_t whole = chunk_cut(text + at, size - at, 0), known = 0;
		size_t length = 0, step = 1 + at % 700;

		for (size_t n = step; !length; n += step) {
			length = chunk_cut(text + at, n, known);
			known = n;
		}
		assert_int_equal(length, whole);
		at += whole;
	}
	free(text);
}

/* A change moves no cuts but those next to it. */
static void cuts_come_together_behind_a_change(void **state)
{
	char *text;
	size_t size = make_lines(&text), a = 0, b = 100;

	/* the chunks from two different places on */
	for (int i = 0; i < 40 && a != b; i++) {
		size_t *behind = a < b ? &a : &b;

		*behind += chunk_cut(text + *behind, size - *behind, 0);
	}
	assert_int_equal(a, b);
	free(text);
}

static void groups_end_by_their_last_child(void **state)
{
	struct oid low = { { 0 } }, high, middle = { { 0x0a } };

	memset(&high, 0xff, sizeof(high));
	assert_false(chunk_group_ends(7, &low));
	assert_true(chunk_group_ends(8, &low));
	assert_false(chunk_group_ends(255, &high));
	assert_true(chunk_group_ends(256, &high));
	/* 0x0a000000 = 80 * 2^21 */
	assert_false(chunk_group_ends(87, &middle));
	assert_true(chunk_group_ends(88, &middle));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_end_where_the_format_says),
		cmocka_unit_test(constant_bytes_end_at_the_maximum),
		cmocka_unit_test(bytes_may_come_in_pieces),
		cmocka_unit_test(cuts_come_together_behind_a_change),
		cmocka_unit_test(groups_end_by_their_last_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
