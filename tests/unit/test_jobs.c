/* SPDX-License-Identifier: ISC */
#include "tests/fs_test.h"

#include <semaphore.h>

static _Atomic unsigned int done;

static void count(void *context)
{
	done += (uintptr_t)context;
}

static void the_end_waits_for_all_jobs(void **state)
{
	struct jobs *jobs;

	done = 0;
	assert_int_equal(jobs_new(&jobs), 0);
	for (unsigned int i = 1; i <= 1000; i++)
		assert_int_equal(jobs_add(jobs, count, (void *)(uintptr_t)i), 0);
	jobs_free(jobs);
	assert_int_equal(done, 500500);
	jobs_free(NULL);
}

static sem_t reached, go_on;

static void wait_for_others(void *context)
{
	sem_post(&reached);
	sem_wait(&go_on);
}

static void one_that_waits_does_not_keep_others(void **state)
{
	struct jobs *jobs;

	sem_init(&reached, 0, 0);
	sem_init(&go_on, 0, 0);
	assert_int_equal(jobs_new(&jobs), 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(jobs_add(jobs, wait_for_others, NULL), 0);
	for (int i = 0; i < 40; i++)
		sem_wait(&reached);
	for (int i = 0; i < 40; i++)
		sem_post(&go_on);
	jobs_free(jobs);
}

static void answers_know_what_began_since(void **state)
{
	struct fs fs = { 0 };
	uint64_t before, during, after;

	rwlock_init(&fs.replying);
	before = answer_begin(&fs);
	assert_true(answer_is_current(&fs, before));
	answers_suspend(&fs);
	during = answer_begin(&fs);
	assert_false(answer_is_current(&fs, before));
	assert_false(answer_is_current(&fs, during));
	answers_resume(&fs);
	assert_false(answer_is_current(&fs, before));
	assert_false(answer_is_current(&fs, during));
	after = answer_begin(&fs);
	assert_true(answer_is_current(&fs, after));
	/* of two that overlap, the end of one is not the end of both */
	answers_suspend(&fs);
	answers_suspend(&fs);
	answers_resume(&fs);
	assert_false(answer_is_current(&fs, answer_begin(&fs)));
	answers_resume(&fs);
	assert_true(answer_is_current(&fs, answer_begin(&fs)));
	pthread_rwlock_destroy(&fs.replying);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_end_waits_for_all_jobs),
		cmocka_unit_test(one_that_waits_does_not_keep_others),
		cmocka_unit_test(answers_know_what_began_since),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
