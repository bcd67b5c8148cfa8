/* SPDX-License-Identifier: ISC */
#include "tests/rope_stage.h"
#include "structures/rope_store.h"

#include <stdio.h>

static struct oid store(struct stage *s, const void *data, size_t size,
			bool executable)
{
	struct rope *rope;
	struct oid oid;

	assert_int_equal(rope_new(&rope), 0);
	assert_int_equal(rope_append(rope, data, size), 0);
	assert_int_equal(rope_store(rope, s->odb, executable, &oid), 0);
	rope_free(rope);
	return oid;
}

static struct oid text(struct stage *s, const char *bytes)
{
	return store(s, bytes, strlen(bytes), false);
}

static int merge_marked(struct stage *s, const struct oid *base,
			const struct oid *ours, const struct oid *theirs,
			int marker_size, struct oid *ret)
{
	const struct merge_marks marks = { .ours = "main", .theirs = "fix",
					   .size = marker_size };

	return rope_store_merge(s->odb, base, ours, theirs, &marks, ret);
}

static int merge(struct stage *s, const struct oid *base,
		 const struct oid *ours, const struct oid *theirs,
		 struct oid *ret)
{
	return merge_marked(s, base, ours, theirs, 0, ret);
}

static int merge_texts(struct stage *s, const char *base, const char *ours,
		       const char *theirs, struct oid *ret)
{
	struct oid b = text(s, base), o = text(s, ours), t = text(s, theirs);

	return merge(s, &b, &o, &t, ret);
}

#define assert_text(s, oid, expected)                                          \
	do {                                                                   \
		struct oid wanted_ = text(s, expected);                        \
		assert_true(oid_equal(&(oid), &wanted_));                      \
	} while (0)

static void changes_of_different_lines_merge(void **state)
{
	struct stage *s = *state;
	struct oid oid;

	assert_int_equal(merge_texts(s, "a\nb\nc\nd\n", "A\nb\nc\nd\n",
				     "a\nb\nc\nD\ne\n", &oid), 0);
	assert_text(s, oid, "A\nb\nc\nD\ne\n");
}

static void conflicts_have_gits_markers(void **state)
{
	struct stage *s = *state;
	struct oid oid;

	assert_int_equal(merge_texts(s, "a\nb\nc\n", "a\nx\nc\n", "a\ny\nc",
				     &oid), 1);
	assert_text(s, oid, "a\n<<<<<<< main\nx\nc\n=======\ny\nc\n"
		    ">>>>>>> fix\n");
}

static void markers_are_as_long_as_wanted(void **state)
{
	struct stage *s = *state;
	struct oid b = text(s, "a\nb\nc\n"), o = text(s, "a\nx\nc\n");
	struct oid t = text(s, "a\ny\nc"), oid;

	assert_int_equal(merge_marked(s, &b, &o, &t, 9, &oid), 1);
	assert_text(s, oid, "a\n<<<<<<<<< main\nx\nc\n=========\ny\nc\n"
		    ">>>>>>>>> fix\n");
}

static void the_side_that_changed_is_taken_by_id(void **state)
{
	struct stage *s = *state;
	struct oid a = text(s, "a\n"), b = text(s, "b\n"), oid;

	counting_odb_reset(&s->counting);
	assert_int_equal(merge(s, &a, &a, &b, &oid), 0);
	assert_true(oid_equal(&oid, &b));
	assert_int_equal(merge(s, &a, &b, &a, &oid), 0);
	assert_true(oid_equal(&oid, &b));
	assert_int_equal(merge(s, &a, &b, &b, &oid), 0);
	assert_true(oid_equal(&oid, &b));
	assert_int_equal(s->counting.reads, 0);
}

static void a_mode_merges_with_a_text(void **state)
{
	struct stage *s = *state;
	struct oid base = store(s, "a\n", 2, false), oid;
	struct oid ours = store(s, "a\n", 2, true);
	struct oid theirs = store(s, "b\n", 2, false);
	struct oid wanted = store(s, "b\n", 2, true);

	assert_int_equal(merge(s, &base, &ours, &theirs, &oid), 0);
	assert_true(oid_equal(&oid, &wanted));
	assert_int_equal(merge(s, &base, &theirs, &ours, &oid), 0);
	assert_true(oid_equal(&oid, &wanted));
	/* taken away */
	assert_int_equal(merge(s, &ours, &base, &wanted, &oid), 0);
	assert_true(oid_equal(&oid, &theirs));
}

static void what_is_no_text_conflicts_whole(void **state)
{
	struct stage *s = *state;
	struct oid base = store(s, "a\0\nb\n", 5, false), oid;
	struct oid ours = store(s, "A\0\nb\n", 5, false);
	struct oid theirs = store(s, "a\0\nB\n", 5, false);
	struct oid base_x = store(s, "a\0\nb\n", 5, true);

	assert_int_equal(merge(s, &base, &ours, &theirs, &oid), 1);
	assert_true(oid_equal(&oid, &ours));
	/* but not where one side changed the mode alone */
	assert_int_equal(merge(s, &base, &base_x, &theirs, &oid), 0);
	base = store(s, "a\0\nB\n", 5, true);
	assert_true(oid_equal(&oid, &base));
}

/* Added on both sides. */
static void there_may_be_no_base(void **state)
{
	struct stage *s = *state;
	struct oid none = { { 0 } }, ours = text(s, "a\nb\n");
	struct oid theirs = text(s, "a\nc\n"), oid;

	assert_int_equal(merge(s, &none, &ours, &theirs, &oid), 1);
	assert_text(s, oid, "a\n<<<<<<< main\nb\n=======\nc\n>>>>>>> fix\n");
}

static void what_is_emptied_merges(void **state)
{
	struct stage *s = *state;
	struct oid oid;

	assert_int_equal(merge_texts(s, "a\n", "", "a\n", &oid), 0);
	assert_text(s, oid, "");
	assert_int_equal(merge_texts(s, "", "a\n", "", &oid), 0);
	assert_text(s, oid, "a\n");
	assert_int_equal(merge_texts(s, "a\n", "", "b\n", &oid), 1);
	assert_text(s, oid, "<<<<<<< main\n=======\nb\n>>>>>>> fix\n");
}

static size_t make_lines(char *data, const char *first, int count)
{
	size_t size = 0;

	for (int i = 0; i < count; i++)
		size += sprintf(data + size, "%s%d\n", i ? "line " : first, i);
	return size;
}

/* One side changes the front of a large file, the other appends much. */
static void much_that_one_side_adds_is_not_read(void **state)
{
	static char base[8 << 20], ours[8 << 20], theirs[16 << 20];
	struct stage *s = *state;
	size_t size = make_lines(base, "first ", 400000);
	size_t ours_size = make_lines(ours, "FIRST ", 400000), more;
	struct oid b = store(s, base, size, false), oid, wanted;
	struct oid o = store(s, ours, ours_size, false), t;

	memcpy(theirs, base, size);
	more = make_lines(theirs + size, "more ", 300000);
	t = store(s, theirs, size + more, false);
	memcpy(theirs, ours, 5);
	wanted = store(s, theirs, size + more, false);
	counting_odb_reset(&s->counting);
	assert_int_equal(merge(s, &b, &o, &t, &oid), 0);
	assert_true(oid_equal(&oid, &wanted));
	assert_true(s->counting.read_bytes < 400000);
	assert_true(s->counting.written_bytes < 100000);
}

static void a_missing_object_is_an_error(void **state)
{
	struct stage *s = *state;
	struct oid b = text(s, "a\nb\nc\n"), o = text(s, "x\nb\nc\n"), oid;
	struct oid t = text(s, "a\nb\ny\n"), kept;
	int r = -EIO;

	memset(&oid, 0x55, sizeof(oid));
	kept = oid;
	assert_int_equal(merge(s, &b, &oid, &t, &oid), -EIO);
	for (unsigned int i = 1; r < 0; i++) {
		assert_true(oid_equal(&oid, &kept));
		s->counting.fail_in = i;
		r = merge(s, &b, &o, &t, &oid);
		assert_true(r == 0 || r == -EIO);
		assert_true(i < 100);
	}
	s->counting.fail_in = 0;
	assert_text(s, oid, "x\nb\ny\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(changes_of_different_lines_merge),
		stage_test(conflicts_have_gits_markers),
		stage_test(markers_are_as_long_as_wanted),
		stage_test(the_side_that_changed_is_taken_by_id),
		stage_test(a_mode_merges_with_a_text),
		stage_test(what_is_no_text_conflicts_whole),
		stage_test(there_may_be_no_base),
		stage_test(what_is_emptied_merges),
		stage_test(much_that_one_side_adds_is_not_read),
		stage_test(a_missing_object_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
