/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/merges.h"
#include "store/branch_switch.h"

#include <pthread.h>

/* Merges into a branch that others cut all the time. */

#define WRITERS 6
#define MERGES 10
#define SECONDS_MOST 20		/* for a merge, on a machine that is busy too */

struct busy {
	struct fixture *f;
	struct branch *b;
	pthread_t threads[WRITERS];
	_Atomic bool end;
	_Atomic int next, cuts, failed;
	/* of the front end: */
	_Atomic int begun, ended, told;
	_Atomic int early, held;	/* told outside of it; while cuts were held */
};

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

/* ---- who cuts all the time ---- */

struct answer {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int result;		/* 1: none yet */
};

static void note_answer(void *context, int result)
{
	struct answer *a = context;
	SCOPED_LOCK(&a->lock);

	a->result = result;
	pthread_cond_signal(&a->changed);
}

static int sync_by_answer(struct branch *b)
{
	struct answer a = {
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1,
	};
	int r;

	branch_sync_later(b, &tester, note_answer, &a);
	pthread_mutex_lock(&a.lock);
	while (a.result > 0)
		pthread_cond_wait(&a.changed, &a.lock);
	r = a.result;
	pthread_mutex_unlock(&a.lock);
	return r;
}

/* Files of its own, one after the other. */
static void *run_writer(void *context)
{
	struct busy *s = context;
	int number = s->next++;

	for (int i = 0; !s->end; i++) {
		char path[32], text[32];
		int r;

		snprintf(path, sizeof(path), "w%d/%d", number, i % 20);
		snprintf(text, sizeof(text), "%d\n", i);
		r = try_write(s->f, "main", path, text);
		if (r == 0)
			r = number % 2 ? branch_sync(s->b, &tester) :
					 sync_by_answer(s->b);
		if (r < 0)
			s->failed++;
		s->cuts++;
	}
	return NULL;
}

static void start_writers(struct busy *s)
{
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&s->threads[i], NULL,
						run_writer, s), 0);
	while (s->cuts < 20 * WRITERS)
		usleep(1000);
}

static void end_writers(struct busy *s)
{
	s->end = true;
	for (int i = 0; i < WRITERS; i++)
		pthread_join(s->threads[i], NULL);
	assert_int_equal(s->failed, 0);
}

/* ---- the front end ---- */

static void note_begin(void *context)
{
	((struct busy *)context)->begun++;
}

static void note_end(void *context)
{
	((struct busy *)context)->ended++;
}

/* The kernel would wait here for fsyncs that are held back. */
static void note_changing(void *context, struct node *dir, const char *name)
{
	struct busy *s = context;

	s->told++;
	s->early += s->begun != s->ended + 1;
	s->held += gate_is_closed(&s->b->gate);
}

static void note_changed(void *context, struct node *n)
{
	struct busy *s = context;

	s->early += s->begun != s->ended + 1;
	s->held += gate_is_closed(&s->b->gate);
}

static void set_front(struct busy *s)
{
	const struct store_front front = {
		.watch = {
			.changing = note_changing, .changed = note_changed,
			.begin = note_begin, .end = note_end, .context = s,
		},
	};

	store_set_front(s->f->store, &front);
}

/* ---- tests ---- */

/* As usual: cuts of an interval are one commit. */
static int set_up(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	if (!f)
		return -1;
	make_fixture(f);
	f->options.keep_all = false;
	open_store(f);
	*state = f;
	return 0;
}

#define busy_test(function)                                                    \
	cmocka_unit_test_setup_teardown(function, set_up, fixture_tear_down)

/* The source gets files, so that names come that were not announced before. */
static void merge_often(struct busy *s, bool consume)
{
	struct fixture *f = s->f;

	for (int i = 0; i < MERGES; i++) {
		char path[32], text[32];
		double begin;

		snprintf(path, sizeof(path), "a%d/x", i % 3);
		snprintf(text, sizeof(text), "%d\n", i);
		if (consume)
			fork_branch(f, "main", "a");
		write_file(f, "a", path, text);
		begin = seconds();
		merge(f, "a", "main", consume);
		if (seconds() - begin > SECONDS_MOST)
			fail_msg("a merge took %f s", seconds() - begin);
		assert_file(f, "main", path, text);
	}
}

/* What was cut between looking and switching is in Git. */
static void assert_nothing_lost(struct fixture *f)
{
	char *before = shell(f, "git ls-tree -r main | wc -l");

	for (int i = 0; i < WRITERS; i++)
		for (int j = 0; j < 20; j++) {
			char path[32];
			scoped_free char *text = NULL;

			snprintf(path, sizeof(path), "w%d/%d", i, j);
			text = strdup(file_text(f, "main", path));
			assert_true(text && *text);
			text[strlen(text) - 1] = '\0';
			assert_shell(f, text, "git show main:%s", path);
		}
	assert_shell(f, "", "git fsck --strict --no-dangling 2>&1");
	reopen_store(f);
	assert_shell(f, before, "git ls-tree -r main | wc -l");
	free(before);
}

static void run_busy(struct fixture *f, bool consume)
{
	struct busy s = { .f = f, .b = branch_of(f, "main") };
	const struct store_front none = { 0 };

	write_file(f, "main", "base", "1\n");
	if (!consume)
		fork_branch(f, "main", "a");
	set_front(&s);
	start_writers(&s);
	merge_often(&s, consume);
	end_writers(&s);
	store_set_front(f->store, &none);
	assert_true(s.told > 0);
	assert_int_equal(s.begun, s.ended);
	assert_int_equal(s.early, 0);
	assert_int_equal(s.held, 0);
	assert_false(gate_is_closed(&s.b->gate));
	branch_unref(s.b);
	assert_nothing_lost(f);
}

static void a_branch_that_is_cut_all_the_time_is_merged_into(void **state)
{
	run_busy(*state, false);
}

static void a_branch_that_is_cut_all_the_time_takes_another_in(void **state)
{
	run_busy(*state, true);
}

/* Both sides go on. */
static void a_branch_that_is_cut_all_the_time_is_merged(void **state)
{
	struct fixture *f = *state;
	struct busy s = { .f = f, .b = branch_of(f, "main") };

	write_file(f, "main", "base", "1\n");
	fork_branch(f, "main", "a");
	start_writers(&s);
	for (int i = 0; i < MERGES; i++) {
		merge(f, "main", "a", false);
		merge(f, "a", "main", false);
	}
	end_writers(&s);
	branch_unref(s.b);
	assert_nothing_lost(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		busy_test(a_branch_that_is_cut_all_the_time_is_merged_into),
		busy_test(a_branch_that_is_cut_all_the_time_takes_another_in),
		busy_test(a_branch_that_is_cut_all_the_time_is_merged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
