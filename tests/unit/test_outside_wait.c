/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/outside_wait.h"

#include <errno.h>

static const struct oid one = { { 1 } }, two = { { 2 } };

static void it_waits_twice_as_long_each_time(void **state)
{
	struct outside_waits w = { 0 };
	uint64_t now = 5000;
	(void)state;

	assert_int_equal(outside_waits_timeout(&w, now), -1);
	assert_false(outside_waits_has(&w, "a", &one, now));
	assert_int_equal(outside_waits_add(&w, "a", &one, -EIO, now), 1);
	assert_int_equal(outside_waits_timeout(&w, now), 1000);
	assert_true(outside_waits_has(&w, "a", &one, now + 999));
	assert_false(outside_waits_has(&w, "a", &one, now + 1000));
	assert_int_equal(outside_waits_timeout(&w, now + 1001), 0);
	for (int wanted = 2000; wanted < 200000; wanted *= 2) {
		assert_int_equal(outside_waits_add(&w, "a", &one, -EIO, now), 0);
		assert_int_equal(outside_waits_timeout(&w, now),
				 wanted < 60000 ? wanted : 60000);
	}
	outside_waits_release(&w);
}

static void a_ref_that_moves_on_is_new(void **state)
{
	struct outside_waits w = { 0 };
	(void)state;

	assert_int_equal(outside_waits_add(&w, "a", &one, -EIO, 0), 1);
	assert_int_equal(outside_waits_add(&w, "a", &one, -EIO, 1000), 0);
	assert_int_equal(outside_waits_add(&w, "b", &one, -EIO, 1000), 1);
	assert_false(outside_waits_has(&w, "a", &two, 1000));
	assert_int_equal(outside_waits_add(&w, "a", &two, -EIO, 2000), 1);
	assert_false(outside_waits_has(&w, "a", &two, 3000));
	/* they do not disturb each other */
	assert_int_equal(outside_waits_add(&w, "b", &one, -EIO, 3000), 0);
	outside_waits_remove(&w, "b");
	outside_waits_remove(&w, "b");
	assert_int_equal(outside_waits_timeout(&w, 2900), 100);
	outside_waits_remove(&w, "a");
	assert_int_equal(outside_waits_timeout(&w, 2900), -1);
}

static void an_open_file_is_looked_at_every_second(void **state)
{
	struct outside_waits w = { 0 };
	(void)state;

	assert_int_equal(outside_waits_add(&w, "a", &one, -EIO, 0), 1);
	assert_int_equal(outside_waits_add(&w, "a", &one, -EIO, 0), 0);
	assert_int_equal(outside_waits_add(&w, "a", &one, -EBUSY, 0), 0);
	assert_int_equal(outside_waits_add(&w, "a", &one, -EBUSY, 0), 0);
	assert_int_equal(outside_waits_timeout(&w, 0), 1000);
	outside_waits_release(&w);
}

static void what_is_settled_otherwise_is_forgotten(void **state)
{
	struct outside_waits w = { 0 };
	(void)state;

	assert_int_equal(outside_waits_add(&w, "a", &one, -EIO, 0), 1);
	assert_int_equal(outside_waits_add(&w, "b", &one, -EIO, 500), 1);
	assert_int_equal(outside_waits_add(&w, "c", &one, -EIO, 0), 1);
	outside_waits_begin(&w);
	assert_true(outside_waits_has(&w, "b", &one, 600));
	outside_waits_end(&w);
	assert_int_equal(outside_waits_timeout(&w, 600), 900);
	assert_false(outside_waits_has(&w, "a", &one, 600));
	outside_waits_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_waits_twice_as_long_each_time),
		cmocka_unit_test(a_ref_that_moves_on_is_new),
		cmocka_unit_test(an_open_file_is_looked_at_every_second),
		cmocka_unit_test(what_is_settled_otherwise_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
