/* SPDX-License-Identifier: ISC */
#include "tests/unit/engine_journal.h"

/* Waiting without a thread for each. */

struct later {
	struct engine_waiter waiter;
	_Atomic int told;		/* how often */
	int result;
	pthread_t by;
};

static void tell(struct engine_waiter *waiter, int result)
{
	struct later *later = (struct later *)waiter;

	later->result = result;
	later->by = pthread_self();
	later->told++;
}

static void wait_later(struct later *later, uint64_t sequence)
{
	*later = (struct later){ .waiter = {
		.done = tell, .prev = &later->waiter,	/* a list of one */
	} };
	engine_wait_later(engine, &later->waiter, sequence);
}

static void who_comes_alone_is_told_at_once(void **state)
{
	struct later later;
	unsigned int flushes;
	uint64_t main;

	open_it();
	main = made("main");
	flushes = disk_flushes(&disk);
	wait_later(&later, queue_one(quiet(main, "a", "1")));
	assert_int_equal(later.told, 1);
	assert_int_equal(later.result, 0);
	assert_int_equal(disk_flushes(&disk), flushes + 1);
	/* durable already */
	wait_later(&later, later.waiter.sequence);
	assert_int_equal(later.told, 1);
	assert_int_equal(disk_flushes(&disk), flushes + 1);
	crash();
	open_it();
	assert_true(has_file(main, "a"));
	close_engine();
}

struct first {
	struct later later;
	uint64_t sequence;
};

static void *be_first(void *argument)
{
	struct first *first = argument;

	wait_later(&first->later, first->sequence);
	return NULL;
}

#define OTHERS 6

/* The first one's thread, in a flush that lasts, and OTHERS who came then. */
static void crowd(uint64_t branch, struct first *first, struct later *others,
		  pthread_t *ret_thread)
{
	disk_shut(&disk, &disk.shut, true);
	first->sequence = queue_one(quiet(branch, "a", "1"));
	assert_int_equal(pthread_create(ret_thread, NULL, be_first, first), 0);
	while (!disk_waiting(&disk))
		usleep(100);
	for (int i = 0; i < OTHERS; i++) {
		wait_later(&others[i], queue_one(quiet(branch, "a", "1")));
		assert_int_equal(others[i].told, 0);
	}
}

static void one_thread_waits_for_all(void **state)
{
	struct later others[OTHERS];
	struct first first;
	unsigned int flushes;
	pthread_t thread;
	uint64_t main;

	open_it();
	main = made("main");
	flushes = disk_flushes(&disk);
	crowd(main, &first, others, &thread);
	disk_shut(&disk, &disk.shut, false);
	pthread_join(thread, NULL);
	assert_int_equal(first.later.told, 1);
	for (int i = 0; i < OTHERS; i++) {
		assert_int_equal(others[i].told, 1);
		assert_int_equal(others[i].result, 0);
		assert_true(pthread_equal(others[i].by, thread));
	}
	assert_int_equal(disk_flushes(&disk), flushes + 2);
	close_engine();
}

static void a_failed_flush_is_told_to_all(void **state)
{
	struct later others[OTHERS];
	struct first first;
	pthread_t thread;

	open_it();
	crowd(made("main"), &first, others, &thread);
	disk_fail(&disk, 0, -EIO);
	disk_shut(&disk, &disk.shut, false);
	pthread_join(thread, NULL);
	assert_int_equal(first.later.result, -EIO);
	for (int i = 0; i < OTHERS; i++) {
		assert_int_equal(others[i].told, 1);
		assert_int_equal(others[i].result, -EIO);
	}
	crash();
}

/* Nothing can be journaled or published: each is told, and nobody waits for ever. */
static void a_full_disk_is_told_to_all(void **state)
{
	struct later others[OTHERS];
	struct first first;
	pthread_t thread;

	open_it();
	crowd(made("main"), &first, others, &thread);
	disk_fail(&disk, -ENOSPC, 0);
	set_error(&fake.table_error, -ENOSPC);
	disk_shut(&disk, &disk.shut, false);
	pthread_join(thread, NULL);
	assert_int_equal(first.later.result, 0);
	for (int i = 0; i < OTHERS; i++) {
		assert_int_equal(others[i].told, 1);
		assert_int_equal(others[i].result, -ENOSPC);
	}
	disk_fail(&disk, 0, 0);
	set_error(&fake.table_error, 0);
	wait_later(&others[0], others[OTHERS - 1].waiter.sequence);
	assert_int_equal(others[0].result, 0);
	close_engine();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JTEST(who_comes_alone_is_told_at_once),
		JTEST(one_thread_waits_for_all),
		JTEST(a_failed_flush_is_told_to_all),
		JTEST(a_full_disk_is_told_to_all),
	};

	return cmocka_run_group_tests_name("engine_wait", tests, NULL, NULL);
}
