/* SPDX-License-Identifier: ISC */
#include "tests/unit/contents_pool.h"
#include "store/overlay_map.h"

static void set(struct fixture *f, struct map *map, uint64_t index)
{
	assert_int_equal(map_reserve(map, index, index), 0);
	map_set(map, index, block_ref(f->pool->zero));
}

static unsigned int references(struct fixture *f)
{
	return f->pool->zero->refs - 1;
}

static void map_finds_what_was_set(void **state)
{
	struct fixture f;
	struct map map = { 0 };

	fixture_open(&f, 0, 0);
	assert_int_equal(map_next(&map, 0), MAP_END);
	assert_null(map_get(&map, 100000));
	set(&f, &map, 3);
	set(&f, &map, 512);
	set(&f, &map, 262143);
	assert_non_null(map_get(&map, 512));
	assert_null(map_get(&map, 511));
	assert_int_equal(map_next(&map, 0), 3);
	assert_int_equal(map_next(&map, 4), 512);
	assert_int_equal(map_next(&map, 513), 262143);
	assert_int_equal(map_next(&map, 262144), MAP_END);
	map_set(&map, 3, NULL);
	assert_int_equal(map_next(&map, 0), 512);
	map_release(&map);
	assert_int_equal(references(&f), 0);
	fixture_close(&f);
}

static void copies_share_groups_until_one_changes(void **state)
{
	struct fixture f;
	struct map map = { 0 }, copy;

	fixture_open(&f, 0, 0);
	for (uint64_t i = 0; i < 1024; i++)
		set(&f, &map, i);
	assert_int_equal(references(&f), 1024);
	assert_int_equal(map_copy(&map, &copy), 0);
	assert_int_equal(references(&f), 1024);
	assert_int_equal(map_reserve(&copy, 600, 700), 0);
	assert_int_equal(references(&f), 1024 + 512);
	map_set(&copy, 600, NULL);
	assert_non_null(map_get(&map, 600));
	assert_ptr_equal(map_group(&map, 0), map_group(&copy, 0));
	assert_int_equal(map_set_group(&copy, 1, map_group(&map, 1)), 0);
	assert_int_equal(references(&f), 1024);
	assert_int_equal(map_set_group(&copy, 7, NULL), 0);
	map_release(&map);
	assert_int_equal(references(&f), 1024);
	map_release(&copy);
	assert_int_equal(references(&f), 0);
	fixture_close(&f);
}

static void cut_drops_what_is_behind(void **state)
{
	struct fixture f;
	struct map map = { 0 }, copy;

	fixture_open(&f, 0, 0);
	for (uint64_t i = 0; i < 1100; i++)
		set(&f, &map, i);
	assert_int_equal(map_copy(&map, &copy), 0);
	assert_int_equal(map_reserve(&map, 599, 599), 0);
	map_cut(&map, 600);
	assert_int_equal(map_next(&map, 599), 599);
	assert_int_equal(map_next(&map, 600), MAP_END);
	assert_int_equal(map_next(&copy, 1099), 1099);
	map_cut(&map, 512);
	assert_int_equal(map_next(&map, 512), MAP_END);
	map_cut(&map, 0);
	assert_int_equal(map_next(&map, 0), MAP_END);
	map_release(&copy);
	map_release(&map);
	assert_int_equal(references(&f), 0);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_finds_what_was_set),
		cmocka_unit_test(copies_share_groups_until_one_changes),
		cmocka_unit_test(cut_drops_what_is_behind),
	};

	return cmocka_run_group_tests_name("overlay_map", tests, NULL, NULL);
}
