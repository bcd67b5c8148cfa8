/* SPDX-License-Identifier: ISC */
#include "tests/random.h"
#include "tests/test.h"
#include "store/ranges.h"

#include <stdlib.h>
#include <string.h>

/* Sets of ranges against a map with one flag a byte. */

#define BYTES 3000u

void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);

static bool no_memory;

/* The linker puts it in the place of realloc. */
void *__wrap_realloc(void *p, size_t size)
{
	return no_memory ? NULL : __real_realloc(p, size);
}

static void check_order(const struct ranges *ranges)
{
	assert_in_range(ranges->count, 0, ranges->capacity);
	assert_in_range(ranges->capacity, 0, RANGES_MOST);
	for (size_t i = 0; i < ranges->count; i++) {
		const struct range *range = &ranges->at[i];

		assert_true(range->offset < range->end);
		if (i)
			assert_true(range[-1].end < range->offset);
	}
}

static void check_equal(const struct ranges *ranges, const bool *map)
{
	bool have[BYTES] = { false };

	check_order(ranges);
	assert_false(ranges->all);
	for (size_t i = 0; i < ranges->count; i++) {
		const struct range *range = &ranges->at[i];

		assert_in_range(range->end, 0, BYTES);
		memset(have + range->offset, true, range->end - range->offset);
	}
	assert_memory_equal(have, map, BYTES);
}

static void add(struct ranges *ranges, bool *map, uint64_t *random)
{
	uint64_t offset = draw(random, BYTES);
	uint64_t most = draw(random, 5) ? 6 : BYTES / 4;
	uint64_t length = draw(random, most);

	if (length > BYTES - offset)
		length = BYTES - offset;
	ranges_add(ranges, offset, offset + length);
	memset(map + offset, true, length);
}

static void cut(struct ranges *ranges, bool *map, uint64_t *random)
{
	uint64_t size = BYTES - draw(random, draw(random, 4) ? 100 : BYTES);

	ranges_cut(ranges, size);
	memset(map + size, false, BYTES - size);
}

static void sets_equal_maps(void **state)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		uint64_t random = seed * 0x9e3779b97f4a7c15u;
		struct ranges ranges = { 0 };
		bool map[BYTES] = { false };

		for (int i = 0; i < 300; i++) {
			if (draw(&random, 12))
				add(&ranges, map, &random);
			else
				cut(&ranges, map, &random);
			check_equal(&ranges, map);
		}
		ranges_release(&ranges);
		assert_int_equal(ranges.count, 0);
	}
}

static void neighbours_become_one(void **state)
{
	struct ranges ranges = { 0 };

	ranges_add(&ranges, 10, 20);
	ranges_add(&ranges, 30, 40);
	ranges_add(&ranges, 5, 5);
	assert_int_equal(ranges.count, 2);
	ranges_add(&ranges, 20, 30);
	assert_int_equal(ranges.count, 1);
	assert_int_equal(ranges.at[0].offset, 10);
	assert_int_equal(ranges.at[0].end, 40);
	ranges_release(&ranges);
}

static void copies_are_apart(void **state)
{
	struct ranges ranges = { 0 }, copy;

	assert_int_equal(ranges_copy(&ranges, &copy), 0);
	assert_int_equal(copy.count, 0);
	ranges_add(&ranges, 10, 20);
	ranges_add(&ranges, 30, 40);
	assert_int_equal(ranges_copy(&ranges, &copy), 0);
	ranges_add(&ranges, 0, 100);
	ranges_add(&copy, 50, 60);
	assert_int_equal(ranges.count, 1);
	assert_int_equal(copy.count, 3);
	check_order(&copy);
	ranges_release(&ranges);
	ranges_release(&copy);
}

static bool has(const struct ranges *ranges, uint64_t offset)
{
	for (size_t i = 0; i < ranges->count; i++)
		if (ranges->at[i].offset <= offset &&
		    offset < ranges->at[i].end)
			return true;
	return ranges->all;
}

static uint64_t bytes_in(const struct ranges *ranges)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < ranges->count; i++)
		sum += ranges->at[i].end - ranges->at[i].offset;
	return sum;
}

/* Far more places than a set holds: it says more, but only between them, and
 * joins near ones first. */
static void too_many_become_coarse(void **state)
{
	const uint64_t near = 10000, far = (uint64_t)1 << 30;
	struct ranges ranges = { 0 };

	for (uint64_t i = 0; i < 3 * RANGES_MOST; i++)
		ranges_add(&ranges, i * near, i * near + 1);
	ranges_add(&ranges, far, far + 1);
	check_order(&ranges);
	assert_false(ranges.all);
	for (uint64_t i = 0; i < 3 * RANGES_MOST; i++)
		assert_true(has(&ranges, i * near));
	assert_true(has(&ranges, far));
	assert_false(has(&ranges, far - 1));
	assert_false(has(&ranges, far + 1));
	assert_true(bytes_in(&ranges) <= 3 * RANGES_MOST * near);
	ranges_release(&ranges);
}

/* Only joining across a large part of the file makes room here. */
static void many_far_apart_stay_bounded(void **state)
{
	const uint64_t far = (uint64_t)2 << 20;
	struct ranges ranges = { 0 };
	uint64_t random = 12345;

	for (int i = 0; i < 20000; i++) {
		uint64_t offset = draw(&random, 8192) * far;

		ranges_add(&ranges, offset, offset + 4096);
		assert_true(has(&ranges, offset));
	}
	check_order(&ranges);
	assert_false(ranges.all);
	ranges_release(&ranges);
}

static void without_memory_it_says_more(void **state)
{
	struct ranges ranges = { 0 };

	no_memory = true;
	ranges_add(&ranges, 10, 20);
	no_memory = false;
	assert_true(ranges.all);
	ranges_add(&ranges, 30, 40);
	ranges_cut(&ranges, 5);
	assert_true(ranges.all);
	ranges_release(&ranges);
	assert_false(ranges.all);
	for (uint64_t i = 0; i < 4; i++)
		ranges_add(&ranges, i * 100, i * 100 + 1);
	no_memory = true;
	for (uint64_t i = 4; i < 100; i++)
		ranges_add(&ranges, i * 100, i * 100 + 1);
	no_memory = false;
	check_order(&ranges);
	for (uint64_t i = 0; i < 100; i++)
		assert_true(has(&ranges, i * 100));
	ranges_release(&ranges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_equal_maps),
		cmocka_unit_test(neighbours_become_one),
		cmocka_unit_test(copies_are_apart),
		cmocka_unit_test(too_many_become_coarse),
		cmocka_unit_test(many_far_apart_stay_bounded),
		cmocka_unit_test(without_memory_it_says_more),
	};

	return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
