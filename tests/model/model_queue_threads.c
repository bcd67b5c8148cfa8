/* SPDX-License-Identifier: ISC */
#include "tests/queue_test.h"

#include <pthread.h>

/* Threads push to one queue and claim from it in every way, while cuts are taken:
 * each element is claimed exactly once. */

#define PUSHERS 3
#define CLAIMERS 3
#define EACH 300

struct shared {
	struct fixture *f;
	_Atomic int claimed[PUSHERS * EACH];
	_Atomic int left;
	_Atomic int pushers, claimers;
};

static void push_one(struct node *jobs, int number)
{
	char text[32], *name = NULL;
	struct node *n;

	snprintf(text, sizeof(text), "%d", number);
	assert_int_equal(node_make_pending(jobs, text,
					   0644, &caller, &n), 0);
	assert_true(node_write(n, text, strlen(text), 0, false) > 0);
	assert_int_equal(node_push_pending(n, jobs, &name), 0);
	assert_non_null(name);
	free(name);
	node_unref(n);
}

/* All by one name. */
static void push_numbered(struct shared *s, struct node *jobs,
			  struct node *root, int number)
{
	char path[32], text[32], *name;

	snprintf(path, sizeof(path), "t%d", number);
	snprintf(text, sizeof(text), "%d", number);
	assert_int_equal(put(s->f, path, text), 0);
	assert_int_equal(node_rename_named(root, path, jobs, "same", 0, &name),
			 0);
	free(name);
}

static void *run_pusher(void *context)
{
	struct shared *s = context;
	int base = s->pushers++ * EACH;
	struct node *jobs = get(s->f, "jobs"), *root = get(s->f, "");

	for (int i = 0; i < EACH; i++) {
		if ((base + i) % 3)
			push_one(jobs, base + i);
		else
			push_numbered(s, jobs, root, base + i);
	}
	node_unref(jobs);
	node_unref(root);
	return NULL;
}

static void count(struct shared *s, struct node *n)
{
	char text[32] = "";

	assert_true(node_read(n, text, sizeof(text) - 1, 0) > 0);
	s->claimed[atoi(text)]++;
	s->left--;
}

static void claim_first(struct shared *s, struct node *jobs)
{
	struct node *n, *in;
	char *name = NULL;

	if (node_first(jobs, &n, &name) < 0)
		return;
	free(name);
	if (node_claim(n, stat_of(jobs).st_ino, NULL, &in, &name) == 0) {
		free(name);
		node_unref(in);
		count(s, n);
	}
	node_unref(n);
}

static void rename_first(struct shared *s, struct node *jobs, struct node *root,
			 const char *mine)
{
	struct node *n;
	char *name;

	if (node_rename_first(jobs, root, mine, 0, &name) < 0)
		return;
	assert_int_equal(node_lookup(root, mine, &n), 0);
	count(s, n);
	node_unref(n);
	assert_int_equal(node_unlink(root, mine), 0);
}

static void *run_claimer(void *context)
{
	struct shared *s = context;
	struct node *jobs = get(s->f, "jobs"), *root = get(s->f, "");
	char mine[32];

	snprintf(mine, sizeof(mine), "mine-%d", s->claimers++);
	for (int i = 0; s->left > 0; i++) {
		if (i % 2)
			claim_first(s, jobs);
		else
			rename_first(s, jobs, root, mine);
	}
	node_unref(jobs);
	node_unref(root);
	return NULL;
}

static void each_is_claimed_once(void **state)
{
	struct shared *s = calloc(1, sizeof(*s));
	pthread_t threads[PUSHERS + CLAIMERS];

	OPEN(JOBS);
	s->f = f;
	s->left = PUSHERS * EACH;
	for (int i = 0; i < PUSHERS + CLAIMERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, i < PUSHERS ?
						run_pusher : run_claimer, s), 0);
	while (s->left > 0)
		cut(f);
	for (int i = 0; i < PUSHERS + CLAIMERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < PUSHERS * EACH; i++)
		assert_int_equal(s->claimed[i], 1);
	assert_list(f, "jobs", "");
	cut(f);
	assert_head(f, JOBS);
	fixture_close(f);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_claimed_once),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
