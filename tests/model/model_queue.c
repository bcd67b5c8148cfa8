/* SPDX-License-Identifier: ISC */
#include "tests/random.h"
#include "tests/test.h"
#include "structures/queue.h"
#include "store/util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Random operations on a queue in memory, on stored queues, and on a plain
 * array; contents, order and ids are compared. */

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||           \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OPERATIONS 100000
#else
#define OPERATIONS 1000000
#endif
#define EPOCH 20000		/* operations in one object database */
#define MOST 5000		/* elements */

struct model_element {
	struct queue_key key;
	char name[24];
	struct oid oid;
	uint32_t mode;
};

static struct model_element model[MOST];
static size_t count;
static struct odb *odb;
static struct queue *queue;
static struct timespec now;

/* Bursts, pauses, and a clock that is set back. */
static void tick(void)
{
	static const long steps[] = { 0, 0, 1, 1, 1, 30, 100, 40000, 3000000 };
	int64_t all = now.tv_sec * 1000000 + now.tv_nsec / 1000 +
		      steps[roll(sizeof(steps) / sizeof(*steps))] -
		      (roll(1000) == 0 ? 50000 : 0);

	if (roll(20000) == 0)
		all += INT64_C(70) * 86400 * 1000000;
	now.tv_sec = all / 1000000;
	now.tv_nsec = all % 1000000 * 1000;
}

static struct queue_element as_element(const struct model_element *m)
{
	return (struct queue_element){ .key = m->key, .name = m->name,
				       .mode = m->mode, .oid = m->oid };
}

static void assert_is(const struct queue_element *e,
		      const struct model_element *m)
{
	assert_string_equal(e->key.text, m->key.text);
	assert_string_equal(e->name, m->name);
	assert_int_equal(e->mode, m->mode);
	assert_true(oid_equal(&e->oid, &m->oid));
	assert_false(e->foreign);
}

/* ---- operations: on the queue in memory and on the array ---- */

static void make_element(struct model_element *m)
{
	static const uint32_t modes[] = { MODE_FILE, MODE_EXECUTABLE,
					  MODE_SYMLINK };

	tick();
	queue_key_next(count ? &model[count - 1].key : NULL, &now,
		       roll(1u << 31), &m->key);
	snprintf(m->name, sizeof(m->name), "job-%0*u", 1 + (int)roll(12),
		 roll(1000));
	m->mode = modes[roll(3)];
	for (int i = 0; i < OID_SIZE; i++)
		m->oid.id[i] = 1 + roll(255);
}

static void push(void)
{
	struct queue_element e;

	if (count == MOST)
		return;
	make_element(&model[count]);
	e = as_element(&model[count++]);
	assert_int_equal(queue_put(queue, &e), 0);
}

static void take(size_t at)
{
	struct model_element m = model[at];

	assert_int_equal(queue_take(queue, &m.key, m.name), 0);
	memmove(&model[at], &model[at + 1],
		(--count - at) * sizeof(model[0]));
}

static void pop(void)
{
	struct queue_element e;

	if (!count) {
		assert_int_equal(queue_peek(queue, &e), -ENOENT);
		return;
	}
	assert_int_equal(queue_peek(queue, &e), 0);
	assert_is(&e, &model[0]);
	take(0);
}

static void look_last(void)
{
	struct queue_element e;
	int r = queue_peek_last(queue, &e);

	assert_int_equal(r, count ? 0 : -ENOENT);
	if (count)
		assert_is(&e, &model[count - 1]);
}

static void push_again(void)
{
	struct queue_element e;

	if (!count)
		return;
	e = as_element(&model[roll(count)]);
	assert_int_equal(queue_put(queue, &e), -EEXIST);
}

static void take_none(void)
{
	struct model_element m;

	make_element(&m);
	assert_int_equal(queue_take(queue, &m.key, m.name), -ENOENT);
}

/* ---- comparing ---- */

static int compare_next(void *context, const struct queue_element *e)
{
	size_t *at = context;

	assert_true(*at < count);
	assert_is(e, &model[(*at)++]);
	return 0;
}

/* The same elements pushed one after the other into another database. */
static struct oid push_all(struct odb *to)
{
	struct oid oid = { 0 };

	for (size_t i = 0; i < count; i++) {
		struct queue_element e = as_element(&model[i]);

		assert_int_equal(queue_push(to, &oid, &e, &oid), 0);
	}
	return oid;
}

static void compare_stored(void)
{
	struct queue_element e;
	size_t at = 0;
	struct oid oid;
	char *name;

	assert_int_equal(queue_write(queue, &oid), 0);
	assert_int_equal(oid_is_zero(&oid), count == 0);
	assert_int_equal(queue_each(odb, &oid, compare_next, &at), 0);
	assert_int_equal(at, count);
	if (!count)
		return;
	assert_int_equal(queue_first(odb, &oid, &e, &name), 0);
	assert_is(&e, &model[0]);
	free(name);
	assert_int_equal(queue_last(odb, &oid, &e, &name), 0);
	assert_is(&e, &model[count - 1]);
	free(name);
}

/* One step on the stored queue gives what the queue in memory gives. */
static void compare_step(void)
{
	struct oid oid, stepped;
	struct queue_element e;
	size_t at;

	assert_int_equal(queue_write(queue, &oid), 0);
	if (count < MOST && roll(2)) {
		push();
		e = as_element(&model[count - 1]);
		assert_int_equal(queue_push(odb, &oid, &e, &stepped), 0);
	} else if (count) {
		at = roll(count);
		assert_int_equal(queue_remove(odb, &oid, &model[at].key,
					      model[at].name, &stepped), 0);
		take(at);
	} else {
		return;
	}
	assert_int_equal(queue_write(queue, &oid), 0);
	assert_true(oid_equal(&oid, &stepped));
}

/* A new database, so that memory does not grow for ever; the id does not depend
 * on what happened before. */
static void move(void)
{
	struct oid before, after;
	struct odb *to;

	assert_int_equal(queue_write(queue, &before), 0);
	assert_int_equal(memory_odb_new(&to), 0);
	after = push_all(to);
	assert_true(oid_equal(&before, &after));
	queue_close(queue);
	odb_free(odb);
	odb = to;
	assert_int_equal(queue_open(odb, &after, &queue), 0);
}

static void step(bool growing)
{
	unsigned int what = roll(1000);

	if (what < 4)
		compare_step();
	else if (what < 5)
		compare_stored();
	else if (what < 20)
		look_last();
	else if (what < 40)
		push_again();
	else if (what < 60)
		take_none();
	else if (what < (growing ? 700 : 450))
		push();
	else if (what < 900 || !count)
		pop();
	else
		take(roll(count));
}

static void a_queue_is_a_sorted_array(void **state)
{
	bool growing = true;

	roll_seed = 20250101;
	now.tv_sec = 1700000000;
	assert_int_equal(memory_odb_new(&odb), 0);
	assert_int_equal(queue_open(odb, &(struct oid){ 0 }, &queue), 0);
	for (unsigned int i = 0; i < OPERATIONS; i++) {
		if (roll(5000) == 0)
			growing = !growing;
		step(growing);
		if (i % EPOCH == EPOCH - 1)
			move();
	}
	while (count)
		pop();
	compare_stored();
	queue_close(queue);
	odb_free(odb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_queue_is_a_sorted_array),
	};

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
