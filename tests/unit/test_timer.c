/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/stores.h"
#include "store/store_private.h"

static _Atomic int64_t ahead;	/* seconds */

static void fake_clock(struct timespec *ret)
{
	clock_real(ret);
	ret->tv_sec += ahead;
}

static int set_up(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	if (!f)
		return -1;
	make_fixture(f);
	f->options.commit_seconds = 1;
	f->options.clock = fake_clock;
	ahead = 0;
	open_store(f);
	*state = f;
	return 0;
}

static void it_commits_when_due(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	assert_shell(f, "1", "git rev-list --count main");
	for (int i = 0; i < 30; i++) {
		char *count = shell(f, "git rev-list --count main");
		bool is_there = strcmp(count, "2") == 0;

		free(count);
		if (is_there)
			break;
		usleep(100000);
	}
	assert_shell(f, "timer", "git log -1 main --format="
		     "'%%(trailers:key=Irmin-Operation,valueonly)' | head -1");
	/* and not again */
	usleep(1200000);
	assert_shell(f, "2", "git rev-list --count main");
}

static void it_ends_promptly(void **state)
{
	struct fixture *f = *state;
	struct timespec before, after;

	close_store(f);
	f->options.commit_seconds = 1000;
	open_store(f);
	clock_gettime(CLOCK_MONOTONIC, &before);
	close_store(f);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec < 5);
}

static void sync_saves_every_branch(void **state)
{
	struct fixture *f = *state;

	fork_branch(f, "main", "b");
	write_file(f, "main", "a", "1");
	write_file(f, "b", "a", "2");
	assert_int_equal(store_sync(f->store, &tester), 0);
	assert_shell(f, "1", "git show main:a");
	assert_shell(f, "2", "git show b:a");
}

static void dropped_branches_expire(void **state)
{
	struct fixture *f = *state;
	struct branch *b;

	fork_branch(f, "main", "b");
	b = branch_of(f, "b");
	assert_int_equal(store_drop(f->store, b, &tester, NULL), 0);
	branch_unref(b);
	ahead = DROPPED_KEPT_SECONDS - 60;
	store_expire(f->store);
	assert_int_equal(store_restore(f->store, "b", NULL, &tester, NULL), 0);
	b = branch_of(f, "b");
	assert_int_equal(store_drop(f->store, b, &tester, NULL), 0);
	branch_unref(b);
	ahead += DROPPED_KEPT_SECONDS + 60;
	store_expire(f->store);
	assert_int_equal(store_restore(f->store, "b", NULL, &tester, NULL),
			 -ENOENT);
	reopen_store(f);
	assert_int_equal(store_restore(f->store, "b", NULL, &tester, NULL),
			 -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_commits_when_due, set_up,
						fixture_tear_down),
		cmocka_unit_test_setup_teardown(it_ends_promptly, set_up,
						fixture_tear_down),
		cmocka_unit_test_setup_teardown(sync_saves_every_branch,
						set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(dropped_branches_expire,
						set_up, fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
