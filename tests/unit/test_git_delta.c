/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/git_delta.h"

#include <stdlib.h>
#include <string.h>

/* ---- a decoder, from gitformat-pack(5) ---- */

static size_t take_size(const unsigned char **p)
{
	size_t size = 0;
	int shift = 0;

	do {
		size |= (size_t)(**p & 0x7f) << shift;
		shift += 7;
	} while (*(*p)++ & 0x80);
	return size;
}

static uint32_t take_bytes(const unsigned char **p, unsigned int which, int most)
{
	uint32_t value = 0;

	for (int i = 0; i < most; i++)
		if (which >> i & 1)
			value |= (uint32_t)*(*p)++ << (8 * i);
	return value;
}

static void assert_makes(const struct buffer *delta, const char *base,
			 size_t base_size, const char *target, size_t size)
{
	const unsigned char *p = (const unsigned char *)delta->data,
			    *end = p + delta->length;
	size_t done = 0;

	assert_int_equal(take_size(&p), base_size);
	assert_int_equal(take_size(&p), size);
	while (p < end) {
		unsigned char code = *p++;
		size_t offset, n = code;

		assert_int_not_equal(code, 0);
		if (code & 0x80) {
			offset = take_bytes(&p, code, 4);
			n = take_bytes(&p, code >> 4, 3);
			n = n ? n : 65536;
			assert_true(offset + n <= base_size);
			assert_true(done + n <= size);
			assert_memory_equal(base + offset, target + done, n);
		} else {
			assert_true(done + n <= size);
			assert_memory_equal(p, target + done, n);
			p += n;
		}
		done += n;
	}
	assert_ptr_equal(p, end);
	assert_int_equal(done, size);
}

/* Length of the delta. */
static size_t check(const char *base, size_t base_size, const char *target,
		    size_t size)
{
	struct buffer delta = { 0 };
	size_t length;

	assert_int_equal(git_delta_make(base, base_size, target, size,
					2 * size + 100, &delta), 0);
	assert_makes(&delta, base, base_size, target, size);
	length = delta.length;
	buffer_release(&delta);
	return length;
}

static void fill(char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] = random();
}

/* ---- tests ---- */

static void one_edit_costs_its_size(void **state)
{
	size_t size = 300000;
	char *base = malloc(size), *target = malloc(size + 10);

	fill(base, size);
	memcpy(target, base, 150000);
	memcpy(target + 150000, "0123456789", 10);
	memcpy(target + 150010, base + 150000, size - 150000);
	assert_true(check(base, size, target, size + 10) < 64);
	assert_true(check(target, size + 10, base, size) < 64);
	assert_true(check(base, size, base, size) < 64);
	free(base);
	free(target);
}

static void several_edits_are_found(void **state)
{
	size_t size = 20000;
	char *base = malloc(size), *target = malloc(size);

	fill(base, size);
	memcpy(target, base, size);
	for (size_t at = 500; at < size; at += 1000)
		target[at]++;
	assert_true(check(base, size, target, size) < 300);
	free(base);
	free(target);
}

static void small_and_empty_ones_work(void **state)
{
	static const char *const texts[] = { "", "a", "aa", "abcdefgh",
					     "abcdefghi", "aaaaaaaaaaaaaaaaaaaa",
					     "abcdefghabcdefgh" };
	size_t count = sizeof(texts) / sizeof(*texts);

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < count; k++)
			check(texts[i], strlen(texts[i]), texts[k],
			      strlen(texts[k]));
}

static void long_ones_are_refused(void **state)
{
	struct buffer delta = { 0 };
	char base[1000], target[1000];

	fill(base, sizeof(base));
	fill(target, sizeof(target));
	assert_int_equal(git_delta_make(base, sizeof(base), target,
					sizeof(target), 500, &delta), 1);
	assert_true(delta.length <= 500);
	buffer_release(&delta);
}

/* Random edits of texts with few different letters, so that pieces repeat. */
static size_t edit(const char *from, size_t size, char *to)
{
	size_t done = 0, n = 0;

	while (n < size) {
		size_t piece = random() % 200;

		if (piece > size - n)
			piece = size - n;
		if (random() % 4) {
			memcpy(to + done, from + n, piece);
			done += piece;
		}
		for (long i = random() % 20; i > 0; i--)
			to[done++] = 'a' + random() % 3;
		n += piece;
	}
	return done;
}

static void random_edits_are_encoded(void **state)
{
	char *base = malloc(4000), *target = malloc(400000);

	srandom(1);
	for (int i = 0; i < 2000; i++) {
		size_t size = random() % 4000, edited;

		for (size_t k = 0; k < size; k++)
			base[k] = 'a' + random() % (1 + i % 26);
		edited = edit(base, size, target);
		check(base, size, target, edited);
	}
	free(base);
	free(target);
}

static void likeness_is_what_ends_share(void **state)
{
	assert_int_equal(git_delta_likeness("abcdef", 6, "abxef", 5), 4);
	assert_int_equal(git_delta_likeness("aaa", 3, "aaaa", 4), 3);
	assert_int_equal(git_delta_likeness("", 0, "x", 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_edit_costs_its_size),
		cmocka_unit_test(several_edits_are_found),
		cmocka_unit_test(small_and_empty_ones_work),
		cmocka_unit_test(long_ones_are_refused),
		cmocka_unit_test(random_edits_are_encoded),
		cmocka_unit_test(likeness_is_what_ends_share),
	};

	return cmocka_run_group_tests_name("git_delta", tests, NULL, NULL);
}
