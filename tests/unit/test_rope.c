/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/rope_test.h"

#include <stdio.h>

static struct rope *rope_of(const char *text)
{
	struct rope *rope;

	assert_int_equal(rope_new(&rope), 0);
	assert_int_equal(rope_append(rope, text, strlen(text)), 0);
	return rope;
}

#define assert_rope(rope, text)                                                \
	do {                                                                   \
		char read_[4096];                                              \
		ssize_t length_ = rope_read(rope, read_, sizeof(read_) - 1,    \
					    0);                                \
		assert_true(length_ >= 0);                                     \
		read_[length_] = '\0';                                         \
		assert_string_equal(read_, text);                              \
		check_rope(rope);                                              \
	} while (0)

static void text_is_inserted_and_deleted_anywhere(void **state)
{
	struct rope *rope = rope_of("one three");

	assert_int_equal(rope_insert(rope, 4, "two ", 4), 0);
	assert_rope(rope, "one two three");
	assert_int_equal(rope_insert(rope, 0, ">", 1), 0);
	assert_int_equal(rope_delete(rope, 4, 4), 0);
	assert_rope(rope, ">one three");
	/* what is behind the end is left out */
	assert_int_equal(rope_delete(rope, 4, 1000), 0);
	assert_rope(rope, ">one");
	assert_int_equal(rope_delete(rope, 0, 4), 0);
	assert_int_equal(rope_size(rope), 0);
	assert_rope(rope, "");
	rope_free(rope);
}

static void writing_overwrites_and_goes_on(void **state)
{
	struct rope *rope = rope_of("abcdef");

	assert_int_equal(rope_write(rope, 2, "XY", 2), 0);
	assert_rope(rope, "abXYef");
	assert_int_equal(rope_write(rope, 4, "1234", 4), 0);
	assert_rope(rope, "abXY1234");
	assert_int_equal(rope_write(rope, 8, "!", 1), 0);
	assert_rope(rope, "abXY1234!");
	rope_free(rope);
}

static void offsets_behind_the_end_are_refused(void **state)
{
	struct rope *rope = rope_of("abc"), *tail;
	unsigned char byte;
	uint64_t line;

	assert_int_equal(rope_insert(rope, 4, "x", 1), -EINVAL);
	assert_int_equal(rope_insert(rope, 4, "", 0), -EINVAL);
	assert_int_equal(rope_insert_zeros(rope, 4, 1), -EINVAL);
	assert_int_equal(rope_insert_zeros(rope, 4, 100000), -EINVAL);
	assert_int_equal(rope_write(rope, 4, "x", 1), -EINVAL);
	assert_int_equal(rope_delete(rope, 4, 0), -EINVAL);
	assert_int_equal(rope_get(rope, 3, &byte), -EINVAL);
	assert_int_equal(rope_set(rope, 3, 'x'), -EINVAL);
	assert_int_equal(rope_split(rope, 4, &tail), -EINVAL);
	assert_int_equal(rope_line_of(rope, 4, &line), -EINVAL);
	assert_int_equal(rope_insert_rope(rope, 0, rope, 1, 3), -EINVAL);
	assert_int_equal(rope_insert_rope(rope, 0, rope, 4, 0), -EINVAL);
	assert_int_equal(rope_read(rope, &byte, 1, 3), 0);
	assert_rope(rope, "abc");
	rope_free(rope);
}

static void growth_ends_at_the_limit(void **state)
{
	struct rope *rope = rope_of("abc"), *other = rope_of("d");
	struct test_source *s = test_source_new("x", 1);

	assert_int_equal(rope_insert_zeros(rope, 1, ROPE_SIZE_MAX - 3), 0);
	assert_int_equal(rope_size(rope), ROPE_SIZE_MAX);
	assert_int_equal(rope_append(rope, "x", 1), -EFBIG);
	assert_int_equal(rope_write(rope, ROPE_SIZE_MAX - 1, "xy", 2), -EFBIG);
	assert_int_equal(rope_insert_zeros(rope, 0, 100000), -EFBIG);
	assert_int_equal(rope_insert_source(rope, 0, &s->source, 0, 1, 0),
			 -EFBIG);
	assert_int_equal(rope_insert_rope(rope, 0, other, 0, 1), -EFBIG);
	assert_int_equal(rope_concat(rope, other), -EFBIG);
	assert_rope(other, "d");
	assert_int_equal(rope_size(rope), ROPE_SIZE_MAX);
	rope_source_unref(&s->source);
	rope_free(other);
	rope_free(rope);
}

static void clones_are_independent(void **state)
{
	struct rope *rope = rope_of("same"), *clone;

	assert_int_equal(rope_clone(rope, &clone), 0);
	assert_int_equal(rope_append(rope, " here", 5), 0);
	assert_int_equal(rope_set(clone, 0, 'S'), 0);
	assert_rope(rope, "same here");
	assert_rope(clone, "Same");
	rope_free(rope);
	assert_rope(clone, "Same");
	rope_free(clone);
}

static void zeros_take_no_memory(void **state)
{
	struct rope *rope = rope_of("ab");
	unsigned char read[4];
	uint64_t newlines;

	assert_int_equal(rope_insert_zeros(rope, 1, 1ull << 38), 0);
	assert_int_equal(rope_insert(rope, 1ull << 37, "\n", 1), 0);
	assert_true(rope_memory(rope) < 20000);
	assert_int_equal(rope_newlines(rope, &newlines), 0);
	assert_int_equal(newlines, 1);
	assert_int_equal(rope_read(rope, read, 4, (1ull << 37) - 1), 4);
	assert_memory_equal(read, "\0\n\0\0", 4);
	assert_int_equal(rope_read(rope, read, 4, 1ull << 38), 3);
	assert_memory_equal(read, "\0\0b", 3);
	rope_free(rope);
}

static void a_piece_is_whole_again_when_its_parts_meet(void **state)
{
	static unsigned char bytes[100000];
	struct test_source *s = test_source_new(bytes, sizeof(bytes));
	struct rope *rope = rope_of("");
	uint64_t alive = 1, memory;

	s->alive = &alive;
	assert_int_equal(rope_insert_source(rope, 0, &s->source, 0,
					    sizeof(bytes), ROPE_UNKNOWN), 0);
	rope_source_unref(&s->source);
	assert_int_equal(alive, 1);
	memory = rope_memory(rope);
	for (int i = 1; i < 100; i++)
		assert_int_equal(rope_insert(rope, i * 900, "x", 1), 0);
	assert_true(rope_memory(rope) > memory);
	for (int i = 99; i > 0; i--)
		assert_int_equal(rope_delete(rope, i * 900, 1), 0);
	assert_int_equal(rope_memory(rope), memory);
	check_rope(rope);
	rope_free(rope);
	assert_int_equal(alive, 0);
}

static void newlines_of_a_source_are_counted_once(void **state)
{
	static unsigned char bytes[300000];
	struct rope *rope = rope_of("x\n");
	struct test_source *s;
	uint64_t reads = 0, newlines, offset;

	for (size_t i = 99; i < sizeof(bytes); i += 100)
		bytes[i] = '\n';
	s = test_source_new(bytes, sizeof(bytes));
	s->reads = &reads;
	assert_int_equal(rope_insert_source(rope, 2, &s->source, 0,
					    sizeof(bytes), ROPE_UNKNOWN), 0);
	assert_int_equal(rope_newlines(rope, &newlines), 0);
	assert_int_equal(newlines, 3001);
	assert_true(reads > 0);
	reads = 0;
	assert_int_equal(rope_append(rope, "\n", 1), 0);
	assert_int_equal(rope_newlines(rope, &newlines), 0);
	assert_int_equal(newlines, 3002);
	assert_int_equal(reads, 0);
	assert_int_equal(rope_line_start(rope, 2000, &offset), 0);
	assert_int_equal(offset, 2 + 1999 * 100);
	rope_source_unref(&s->source);
	rope_free(rope);
}

static void a_failed_read_changes_nothing(void **state)
{
	struct test_source *s = test_source_new("lines\nof\ntext\n", 14);
	struct rope *rope = rope_of("<>");
	unsigned char byte;
	uint64_t n;

	assert_int_equal(rope_insert_source(rope, 1, &s->source, 0, 14,
					    ROPE_UNKNOWN), 0);
	s->fails = true;
	assert_int_equal(rope_newlines(rope, &n), -EIO);
	assert_int_equal(rope_line_start(rope, 2, &n), -EIO);
	assert_int_equal(rope_line_of(rope, 8, &n), -EIO);
	assert_int_equal(rope_get(rope, 3, &byte), -EIO);
	assert_int_equal(rope_get(rope, 0, &byte), 0);
	s->fails = false;
	assert_int_equal(rope_line_start(rope, 2, &n), 0);
	assert_int_equal(n, 10);
	assert_rope(rope, "<lines\nof\ntext\n>");
	rope_source_unref(&s->source);
	rope_free(rope);
}

/* ---- comparing ---- */

static int print_piece(void *context, uint64_t offset, uint64_t size,
		       uint64_t from)
{
	struct buffer *b = context;

	return from == ROPE_UNKNOWN ?
		buffer_printf(b, "%llu+%llu new\n", (unsigned long long)offset,
			      (unsigned long long)size) :
		buffer_printf(b, "%llu+%llu at %llu\n",
			      (unsigned long long)offset,
			      (unsigned long long)size,
			      (unsigned long long)from);
}

static void comparing_finds_what_is_shared(void **state)
{
	scoped_buffer struct buffer b = { 0 };
	struct rope *older = rope_of("ab"), *newer;

	assert_int_equal(rope_insert_zeros(older, 1, 100000), 0);
	assert_int_equal(rope_clone(older, &newer), 0);
	assert_int_equal(rope_compare(older, newer, print_piece, &b), 0);
	assert_string_equal(b.data, "0+100002 at 0\n");
	b.length = 0;
	assert_int_equal(rope_insert(newer, 50001, "xyz", 3), 0);
	assert_int_equal(rope_delete(newer, 0, 101), 0);
	assert_int_equal(rope_compare(older, newer, print_piece, &b), 0);
	assert_string_equal(b.data, "0+49900 at 101\n"
			    "49900+3 new\n"
			    "49903+50001 at 50001\n");
	rope_free(newer);
	rope_free(older);
}

static int stop_at_once(void *context, uint64_t offset, uint64_t size,
			uint64_t from)
{
	return 7;
}

static void comparing_ends_when_told(void **state)
{
	struct rope *older = rope_of("a"), *newer = rope_of("b");

	assert_int_equal(rope_compare(older, newer, stop_at_once, NULL), 7);
	rope_free(older);
	rope_free(newer);
}

/* Both halves are there twice, one before the other: the larger one stays. */
static void what_was_moved_is_told_once(void **state)
{
	scoped_buffer struct buffer b = { 0 };
	struct rope *older = rope_of(""), *newer, *tail;

	assert_int_equal(rope_insert_zeros(older, 0, 3000), 0);
	assert_int_equal(rope_insert_zeros(older, 3000, 5000), 0);
	assert_int_equal(rope_clone(older, &newer), 0);
	assert_int_equal(rope_split(newer, 3000, &tail), 0);
	assert_int_equal(rope_concat(tail, newer), 0);
	assert_int_equal(rope_compare(older, tail, print_piece, &b), 0);
	assert_string_equal(b.data, "0+5000 at 3000\n5000+3000 new\n");
	rope_free(tail);
	rope_free(newer);
	rope_free(older);
}

static void one_change_in_many_leaves_is_a_small_piece(void **state)
{
	static unsigned char bytes[4 << 20];
	scoped_buffer struct buffer b = { 0 };
	unsigned long long first, size, from, more, more_size;
	struct rope *older = rope_of(""), *newer;

	assert_int_equal(rope_append(older, bytes, sizeof(bytes)), 0);
	assert_int_equal(rope_clone(older, &newer), 0);
	assert_int_equal(rope_set(newer, 2 << 20, 'x'), 0);
	assert_int_equal(rope_compare(older, newer, print_piece, &b), 0);
	assert_int_equal(sscanf(b.data, "0+%llu at %llu\n%llu+%llu new\n"
				"%llu+%llu at", &first, &from, &more, &size,
				&more, &more_size), 6);
	assert_int_equal(from, 0);
	assert_true(size <= ROPE_LEAF);
	assert_int_equal(first + size + more_size, sizeof(bytes));
	rope_free(newer);
	rope_free(older);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_inserted_and_deleted_anywhere),
		cmocka_unit_test(writing_overwrites_and_goes_on),
		cmocka_unit_test(offsets_behind_the_end_are_refused),
		cmocka_unit_test(growth_ends_at_the_limit),
		cmocka_unit_test(clones_are_independent),
		cmocka_unit_test(zeros_take_no_memory),
		cmocka_unit_test(a_piece_is_whole_again_when_its_parts_meet),
		cmocka_unit_test(newlines_of_a_source_are_counted_once),
		cmocka_unit_test(a_failed_read_changes_nothing),
		cmocka_unit_test(comparing_finds_what_is_shared),
		cmocka_unit_test(comparing_ends_when_told),
		cmocka_unit_test(what_was_moved_is_told_once),
		cmocka_unit_test(one_change_in_many_leaves_is_a_small_piece),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
