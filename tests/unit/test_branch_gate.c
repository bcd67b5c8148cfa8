/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/stores.h"
#include "store/store_private.h"

#include <pthread.h>

#define LONG_MS 60000
#define SYNCS 10

struct gated {
	struct fixture *f;
	struct branch *b;
	_Atomic int answered, failed;
};

static void note_answer(void *context, int result)
{
	struct gated *g = context;

	g->failed += result < 0;
	g->answered++;
}

static void *sync_later(void *context)
{
	struct gated *g = context;

	branch_sync_later(g->b, &tester, note_answer, g);
	return NULL;
}

static void *sync_now(void *context)
{
	struct gated *g = context;

	note_answer(g, branch_sync(g->b, &tester));
	return NULL;
}

static unsigned int waiting(struct gated *g)
{
	SCOPED_LOCK(&g->b->gate.lock);

	return g->b->gate.waiting;
}

static void await_waiting(struct gated *g, unsigned int count)
{
	for (int i = 0; i < 1000 && waiting(g) != count; i++)
		usleep(1000);
	assert_int_equal(waiting(g), count);
}

static void begin(struct gated *g, struct fixture *f)
{
	*g = (struct gated){ .f = f, .b = branch_of(f, "main") };
	write_file(f, "main", "x", "1\n");
	sync_branch(f, "main");
}

/* One thread waits for all; the others are free at once. */
static void what_is_synced_waits_for_it_without_a_thread_each(void **state)
{
	struct gated g;
	pthread_t thread;
	uint64_t before;

	begin(&g, *state);
	before = g.b->sequence;
	write_file(g.f, "main", "x", "2\n");
	gate_close(&g.b->gate, LONG_MS);
	assert_int_equal(pthread_create(&thread, NULL, sync_later, &g), 0);
	await_waiting(&g, 1);
	write_file(g.f, "main", "y", "2\n");
	for (int i = 0; i < SYNCS; i++)
		sync_later(&g);
	assert_int_equal(g.answered, 0);
	assert_int_equal(g.b->sequence, before);
	gate_open(&g.b->gate);
	pthread_join(thread, NULL);
	assert_int_equal(g.answered, SYNCS + 1);
	assert_int_equal(g.failed, 0);
	/* one cut has it all */
	assert_int_equal(g.b->sequence, before + 1);
	assert_shell(g.f, "2 2", "git show main:x main:y | xargs");
	branch_unref(g.b);
}

static void it_opens_by_itself(void **state)
{
	struct gated g;
	pthread_t threads[2];

	begin(&g, *state);
	write_file(g.f, "main", "x", "2\n");
	gate_close(&g.b->gate, 50);
	assert_true(gate_is_closed(&g.b->gate));
	assert_int_equal(pthread_create(&threads[0], NULL, sync_later, &g), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, sync_now, &g), 0);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	assert_int_equal(g.answered, 2);
	assert_int_equal(g.failed, 0);
	assert_false(gate_is_closed(&g.b->gate));
	assert_int_equal(waiting(&g), 0);
	assert_int_equal(g.b->gate.passing, 0);
	branch_unref(g.b);
}

/* Nobody is kept waiting by one closing after the other. */
static void who_waited_passes_before_it_closes_again(void **state)
{
	struct gated g;
	pthread_t threads[SYNCS];

	begin(&g, *state);
	for (int round = 0; round < 20; round++) {
		write_file(g.f, "main", "x", round % 2 ? "1\n" : "2\n");
		gate_close(&g.b->gate, LONG_MS);
		for (int i = 0; i < SYNCS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL,
							i ? sync_now :
							    sync_later, &g), 0);
		await_waiting(&g, SYNCS);
		gate_close(&g.b->gate, LONG_MS);
		assert_int_equal(g.b->gate.passing, 0);
		assert_false(worktree_is_changed(g.b->worktree, NULL));
		for (int i = 0; i < SYNCS; i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(g.answered, (round + 1) * SYNCS);
		gate_open(&g.b->gate);
	}
	assert_int_equal(g.failed, 0);
	branch_unref(g.b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(what_is_synced_waits_for_it_without_a_thread_each),
		store_test(it_opens_by_itself),
		store_test(who_waited_passes_before_it_closes_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
