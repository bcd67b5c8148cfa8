/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/counting_odb.h"
#include "tests/rope_test.h"
#include "tests/sanitized.h"
#include "store/contents.h"
#include "structures/rope_store.h"

/* Merges of stored ropes against the line merge of the whole files: random texts
 * in which both sides change lines, near each other and far. */

struct world {
	struct odb *memory;
	struct counting_odb counting;
	struct odb *odb;
	uint64_t random, number;
};

/* How many merges came out how. */
struct counts {
	unsigned int clean;	/* of the whole files; all must be equal */
	unsigned int equal;	/* of the others */
	unsigned int cleaner;	/* conflicts of the whole files alone */
	unsigned int divided;	/* conflicts of both, not the same bytes */
};

/* Lines as programs have them: many of their own, some that are everywhere. */
static void put_line(struct world *w, struct buffer *b)
{
	static const char *const common[] = {
		"\n", "}\n", "\treturn 0;\n", "\t}\n", "\tif (r < 0)\n",
		"\t\treturn r;\n", "{\n",
	};
	int r;

	if (draw(&w->random, 3) == 0)
		r = buffer_puts(b, common[draw(&w->random, 7)]);
	else
		r = buffer_printf(b, "\tline %llu of %llu;\n",
				  (unsigned long long)w->number++,
				  (unsigned long long)draw(&w->random, 1000));
	assert_int_equal(r, 0);
}

static void put_lines(struct world *w, struct buffer *b, size_t count)
{
	while (count--)
		put_line(w, b);
}

/* The offset of a line at or behind a place. */
static size_t line_at(const struct buffer *b, size_t offset)
{
	while (offset && offset < b->length && b->data[offset - 1] != '\n')
		offset++;
	return offset;
}

static void replace(struct buffer *b, size_t at, size_t removed,
		    const struct buffer *with)
{
	struct buffer made = { 0 };

	assert_int_equal(buffer_append(&made, b->data, at), 0);
	assert_int_equal(buffer_append(&made, with->data, with->length), 0);
	assert_int_equal(buffer_append(&made, b->data + at + removed,
				       b->length - at - removed), 0);
	buffer_release(b);
	*b = made;
}

/* A few lines are removed, new ones come in. */
static void change(struct world *w, struct buffer *b, size_t place)
{
	size_t at = line_at(b, place), end = at, lines = draw(&w->random, 4);
	struct buffer with = { 0 };

	if (draw(&w->random, 20) == 0)
		lines = draw(&w->random, 500);
	while (lines-- && end < b->length)
		end = line_at(b, end + 1);
	put_lines(w, &with, draw(&w->random, 20) ? draw(&w->random, 4) :
						  draw(&w->random, 500));
	replace(b, at, end - at, &with);
	buffer_release(&with);
}

static void change_some(struct world *w, struct buffer *b, size_t near)
{
	unsigned int count = 1 + draw(&w->random, 6);

	while (count--) {
		size_t place = draw(&w->random, b->length + 1);

		/* the other side changes something there, too */
		if (near < b->length && draw(&w->random, 3) == 0)
			place = near + draw(&w->random, b->length - near > 300 ?
						300 : b->length - near);
		change(w, b, place);
	}
}

static struct oid store(struct world *w, const struct buffer *b)
{
	struct rope *rope;
	struct oid oid;

	assert_int_equal(rope_new(&rope), 0);
	assert_int_equal(rope_append(rope, b->data, b->length), 0);
	assert_int_equal(rope_store(rope, w->odb, false, &oid), 0);
	rope_free(rope);
	return oid;
}

static int merge_whole(const struct buffer *base, const struct buffer *ours,
		       const struct buffer *theirs, struct merge_output *ret)
{
	struct merge_input input = {
		.base = { base->data ? base->data : "", base->length, "base" },
		.ours = { ours->data ? ours->data : "", ours->length, "ours" },
		.theirs = { theirs->data ? theirs->data : "", theirs->length,
			    "theirs" },
		.path = "",
	};

	return merge_type_find("text")->merge(&input, ret);
}

static void try_merge(struct world *w, const struct buffer *base,
		      const struct buffer *ours, const struct buffer *theirs,
		      struct counts *counts)
{
	struct oid b = store(w, base), o = store(w, ours), t = store(w, theirs);
	const struct merge_marks marks = { .ours = "ours", .theirs = "theirs" };
	struct oid merged, wanted;
	struct merge_output output;
	int outcome = merge_whole(base, ours, theirs, &output), r;
	struct buffer whole = { .data = output.data, .length = output.size };

	assert_true(outcome >= 0);
	wanted = store(w, &whole);
	merge_output_release(&output);
	counting_odb_reset(&w->counting);
	r = rope_store_merge(w->odb, &b, &o, &t, &marks, &merged);
	assert_true(r == 0 || r == outcome);
	if (outcome == 0)
		assert_true(oid_equal(&merged, &wanted));
	counts->clean += outcome == 0;
	counts->equal += outcome && oid_equal(&merged, &wanted);
	counts->cleaner += r < outcome;
	counts->divided += r && !oid_equal(&merged, &wanted);
}

static void world_init(struct world *w)
{
	*w = (struct world){ .random = 1 };
	assert_int_equal(memory_odb_new(&w->memory), 0);
	w->odb = counting_odb_init(&w->counting, w->memory);
}

static void one_case(uint64_t seed, size_t lines, struct counts *counts)
{
	struct buffer base = { 0 }, ours = { 0 }, theirs = { 0 };
	struct world w;
	size_t near;

	world_init(&w);
	w.random = seed * 0x9e3779b97f4a7c15 + 1;
	put_lines(&w, &base, lines / 2 + draw(&w.random, lines));
	near = draw(&w.random, base.length + 1);
	/* the last line may have no end */
	if (base.length && draw(&w.random, 4) == 0)
		base.length--;
	assert_int_equal(buffer_append(&ours, base.data, base.length), 0);
	assert_int_equal(buffer_append(&theirs, base.data, base.length), 0);
	change_some(&w, &ours, near);
	change_some(&w, &theirs, near);
	try_merge(&w, &base, &ours, &theirs, counts);
	buffer_release(&base);
	buffer_release(&ours);
	buffer_release(&theirs);
	odb_free(w.memory);
}

static void print_counts(const struct counts *counts)
{
	print_message("# clean %u; conflicts: equal %u, clean in ropes %u, "
		      "divided differently %u\n", counts->clean,
		      counts->equal, counts->cleaner, counts->divided);
}

static void merges_are_those_of_the_whole_files(void **state)
{
	unsigned int rounds = operations(400);
	struct counts counts = { 0 };

	for (unsigned int i = 1; i <= rounds; i++)
		one_case(i, i % 3 ? 2000 : 20000, &counts);
	print_counts(&counts);
	assert_true(counts.clean > rounds / 4);
	assert_true(counts.equal > rounds / 8);
	assert_true(counts.cleaner <= rounds / 50);
	assert_int_equal(counts.divided, 0);
}

static void merges_of_large_files_nearly_always_are(void **state)
{
	unsigned int rounds = operations(20);
	struct counts counts = { 0 };

	for (unsigned int i = 1; i <= rounds; i++)
		one_case(7000 + i, 120000, &counts);
	print_counts(&counts);
	assert_true(counts.cleaner + counts.divided <= rounds / 10);
}

/* Ten changes on each side of 16 MiB. */
static void a_merge_reads_what_differs(void **state)
{
	struct buffer base = { 0 }, ours = { 0 }, theirs = { 0 };
	struct counts counts = { 0 };
	struct world w;

	world_init(&w);
	while (base.length < 16 << 20)
		put_line(&w, &base);
	assert_int_equal(buffer_append(&ours, base.data, base.length), 0);
	assert_int_equal(buffer_append(&theirs, base.data, base.length), 0);
	for (int i = 0; i < 10; i++) {
		struct buffer line = { 0 };

		put_line(&w, &line);
		replace(&ours, line_at(&ours, draw(&w.random, ours.length)), 0,
			&line);
		replace(&theirs, line_at(&theirs, draw(&w.random,
						       theirs.length)), 0,
			&line);
		buffer_release(&line);
	}
	try_merge(&w, &base, &ours, &theirs, &counts);
	assert_int_equal(counts.clean, 1);
	print_message("# read %llu bytes in %llu objects, wrote %llu in %llu\n",
		      (unsigned long long)w.counting.read_bytes,
		      (unsigned long long)w.counting.reads,
		      (unsigned long long)w.counting.written_bytes,
		      (unsigned long long)w.counting.writes);
	assert_true(w.counting.read_bytes < 1 << 20);
	buffer_release(&base);
	buffer_release(&ours);
	buffer_release(&theirs);
	odb_free(w.memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merges_are_those_of_the_whole_files),
		cmocka_unit_test(merges_of_large_files_nearly_always_are),
		cmocka_unit_test(a_merge_reads_what_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
