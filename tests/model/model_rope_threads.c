/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/rope_test.h"
#include "tests/sanitized.h"
#include "structures/rope_store.h"

#include <pthread.h>

/* Clones that threads use at once: they share nodes and a stored rope whose nodes
 * and chunks are read by whoever comes first. */

#define THREADS 4
#define SIZE 400000

struct thread {
	struct rope *rope;
	struct odb *odb;
	unsigned char *data;
	size_t size;
	uint64_t random;
	struct oid oid;
	bool failed;
};

/* No assertions in threads: cmocka's are for one. */
static bool step(struct thread *t)
{
	unsigned char bytes[3000];
	size_t size = draw(&t->random, sizeof(bytes)), at;
	uint64_t line;

	if (size > t->size)
		size = t->size;
	at = draw(&t->random, t->size - size + 1);
	switch (draw(&t->random, 5)) {
	case 0:
		memset(bytes, 'a' + draw(&t->random, 26), size);
		memcpy(t->data + at, bytes, size);
		return rope_write(t->rope, at, bytes, size) == 0;
	case 1:
		memmove(t->data + at, t->data + at + size,
			t->size - at - size);
		t->size -= size;
		return rope_delete(t->rope, at, size) == 0;
	case 2:
		return rope_line_of(t->rope, at, &line) == 0 &&
		       line == rope_count_newlines(t->data, at);
	default:
		return rope_read(t->rope, bytes, size, at) == (ssize_t)size &&
		       memcmp(bytes, t->data + at, size) == 0;
	}
}

static void *run(void *argument)
{
	struct thread *t = argument;
	unsigned int count = operations(6000);

	for (unsigned int i = 0; !t->failed && i < count; i++)
		t->failed = !step(t);
	if (!t->failed)
		t->failed = rope_store(t->rope, t->odb, false, &t->oid) < 0;
	return NULL;
}

static void check(struct thread *t)
{
	struct rope *rope;
	struct oid oid;

	assert_false(t->failed);
	assert_int_equal(rope_new(&rope), 0);
	assert_int_equal(rope_append(rope, t->data, t->size), 0);
	assert_int_equal(rope_store(rope, t->odb, false, &oid), 0);
	assert_true(oid_equal(&oid, &t->oid));
	rope_free(rope);
	check_rope(t->rope);
}

static struct rope *make(struct odb *odb, unsigned char *data)
{
	struct rope *rope, *loaded;
	uint64_t random = 5;
	struct oid oid;

	for (size_t i = 0; i < SIZE; i++)
		data[i] = draw(&random, 40) ? ' ' + draw(&random, 90) : '\n';
	assert_int_equal(rope_new(&rope), 0);
	assert_int_equal(rope_append(rope, data, SIZE / 2), 0);
	assert_int_equal(rope_store(rope, odb, false, &oid), 0);
	assert_int_equal(rope_load(odb, &oid, &loaded), 0);
	rope_free(rope);
	/* half of it stored, half in memory */
	assert_int_equal(rope_append(loaded, data + SIZE / 2, SIZE / 2), 0);
	return loaded;
}

static void clones_may_be_used_by_threads(void **state)
{
	static unsigned char data[SIZE];
	struct thread threads[THREADS] = { 0 };
	pthread_t ids[THREADS];
	struct odb *odb;
	struct rope *rope;

	assert_int_equal(memory_odb_new(&odb), 0);
	rope = make(odb, data);
	for (int i = 0; i < THREADS; i++) {
		struct thread *t = &threads[i];

		*t = (struct thread){ .odb = odb, .size = SIZE,
				      .random = 77 + i };
		t->data = malloc(SIZE);
		assert_non_null(t->data);
		memcpy(t->data, data, SIZE);
		assert_int_equal(rope_clone(rope, &t->rope), 0);
	}
	rope_free(rope);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&ids[i], NULL, run,
						&threads[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
	for (int i = 0; i < THREADS; i++) {
		check(&threads[i]);
		rope_free(threads[i].rope);
		free(threads[i].data);
	}
	odb_free(odb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clones_may_be_used_by_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
