/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/rope_test.h"
#include "structures/rope_store.h"

/* With allocations that can fail: after an error a rope is what it was before. */

static unsigned int fail_in;	/* 0: never; n: the nth allocation from now */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);

static bool fails(void)
{
	return fail_in && --fail_in == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

#define SIZE 60000

static unsigned char bytes[SIZE];

/* A rope of a few levels with all kinds of leaves; a part of its nodes is
 * shared with *ret_shared. */
static struct rope *make(struct rope **ret_shared)
{
	struct test_source *s = test_source_new(bytes, SIZE);
	struct rope *rope;

	assert_int_equal(rope_new(&rope), 0);
	assert_int_equal(rope_append(rope, bytes, SIZE), 0);
	assert_int_equal(rope_insert_source(rope, 20000, &s->source, 7, 9000,
					    ROPE_UNKNOWN), 0);
	assert_int_equal(rope_insert_zeros(rope, 40000, 5000), 0);
	rope_source_unref(&s->source);
	assert_int_equal(rope_clone(rope, ret_shared), 0);
	assert_int_equal(rope_insert(rope, 100, "x", 1), 0);
	return rope;
}

/* ---- what is done ---- */

struct attempt {
	struct rope *rope, *other;
	struct odb *odb;
};

static int do_insert(struct attempt *a)
{
	return rope_insert(a->rope, 33333, bytes, 3000);
}

static int do_insert_small(struct attempt *a)
{
	return rope_insert(a->rope, 50000, "y", 1);
}

static int do_delete(struct attempt *a)
{
	return rope_delete(a->rope, 1000, 30000);
}

static int do_write(struct attempt *a)
{
	return rope_write(a->rope, 19000, bytes, 20000);
}

static int do_insert_rope(struct attempt *a)
{
	return rope_insert_rope(a->rope, 777, a->other, 5000, 40000);
}

static int do_zeros(struct attempt *a)
{
	return rope_insert_zeros(a->rope, 60001, 100000);
}

static int do_concat(struct attempt *a)
{
	return rope_concat(a->rope, a->other);
}

static int do_split(struct attempt *a)
{
	struct rope *tail;
	int r = rope_split(a->rope, 23456, &tail);

	if (r == 0)
		rope_free(tail);
	return r;
}

static int do_clone(struct attempt *a)
{
	struct rope *clone;
	int r = rope_clone(a->rope, &clone);

	if (r == 0)
		rope_free(clone);
	return r;
}

static int do_count(struct attempt *a)
{
	uint64_t newlines;

	return rope_newlines(a->rope, &newlines);
}

static int do_find_line(struct attempt *a)
{
	uint64_t offset;

	return rope_line_start(a->rope, 500, &offset);
}

static int ignore_piece(void *context, uint64_t offset, uint64_t size,
			uint64_t from)
{
	return 0;
}

static int do_compare(struct attempt *a)
{
	return rope_compare(a->other, a->rope, ignore_piece, NULL);
}

static int do_store(struct attempt *a)
{
	struct oid oid;

	return rope_store(a->rope, a->odb, false, &oid);
}

static int do_merge(struct attempt *a)
{
	const struct merge_marks marks = { .ours = "a", .theirs = "b" };
	struct oid base, ours, theirs, merged;
	int r = rope_store(a->other, a->odb, false, &base);

	if (r == 0)
		r = rope_store(a->rope, a->odb, false, &ours);
	if (r == 0)
		r = rope_insert(a->other, 50000, "z\n", 2);
	if (r == 0)
		r = rope_store(a->other, a->odb, false, &theirs);
	return r < 0 ? r : rope_store_merge(a->odb, &base, &ours, &theirs,
					    &marks, &merged);
}

/* ---- each allocation of it fails once ---- */

static void check_same(struct rope *rope, const unsigned char *data,
		       size_t size)
{
	unsigned char *read = malloc(size + 1);

	assert_int_equal(rope_size(rope), size);
	assert_int_equal(rope_read(rope, read, size + 1, 0), size);
	assert_memory_equal(read, data, size);
	check_rope(rope);
	free(read);
}

static void try(int (*act)(struct attempt *))
{
	bool came_through = false;

	for (unsigned int i = 1; !came_through; i++) {
		struct attempt a;
		unsigned char *data;
		size_t size;
		int r;

		assert_int_equal(memory_odb_new(&a.odb), 0);
		a.rope = make(&a.other);
		size = rope_size(a.rope);
		data = malloc(size);
		assert_int_equal(rope_read(a.rope, data, size, 0), size);
		fail_in = i;
		r = act(&a);
		assert_true(r >= 0 || r == -ENOMEM);
		came_through = fail_in > 0;
		fail_in = 0;
		assert_true(!came_through || r >= 0);
		if (r == -ENOMEM)
			check_same(a.rope, data, size);
		check_rope(a.rope);
		check_rope(a.other);
		rope_free(a.rope);
		rope_free(a.other);
		free(data);
		odb_free(a.odb);
		assert_true(i < 10000);
	}
}

static void a_rope_is_what_it_was_after_a_failure(void **state)
{
	int (*const acts[])(struct attempt *) = {
		do_insert, do_insert_small, do_delete, do_write,
		do_insert_rope, do_zeros, do_concat, do_split, do_clone,
		do_count, do_find_line, do_compare,
	};

	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = i % 37 ? 'a' + i % 26 : '\n';
	for (size_t i = 0; i < sizeof(acts) / sizeof(*acts); i++)
		try(acts[i]);
}

static void storing_and_merging_survive_failures(void **state)
{
	try(do_store);
	try(do_merge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rope_is_what_it_was_after_a_failure),
		cmocka_unit_test(storing_and_merging_survive_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
