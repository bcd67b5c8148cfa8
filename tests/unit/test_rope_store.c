/* SPDX-License-Identifier: ISC */
#include "tests/lines.h"
#include "tests/rope_stage.h"
#include "tests/trees.h"
#include "structures/rope_contents.h"
#include "structures/rope_store.h"
#include "structures/rope_tree.h"

static struct rope *rope_of(const void *data, size_t size)
{
	struct rope *rope;

	assert_int_equal(rope_new(&rope), 0);
	assert_int_equal(rope_append(rope, data, size), 0);
	return rope;
}

static struct oid store(struct rope *rope, struct odb *odb)
{
	struct oid oid;

	assert_int_equal(rope_store(rope, odb, false, &oid), 0);
	return oid;
}

static struct oid store_bytes(const void *data, size_t size, struct odb *odb)
{
	struct rope *rope = rope_of(data, size);
	struct oid oid = store(rope, odb);

	rope_free(rope);
	return oid;
}

#define assert_oid(oid, expected)                                              \
	do {                                                                   \
		char hex_[OID_HEX_SIZE];                                       \
		assert_string_equal(oid_hex(&(oid), hex_), expected);          \
	} while (0)

static void assert_holds(struct odb *odb, const struct oid *oid,
			 const void *data, size_t size)
{
	char *read = malloc(size + 1);
	struct rope *rope;

	assert_non_null(read);
	assert_int_equal(rope_load(odb, oid, &rope), 0);
	assert_int_equal(rope_size(rope), size);
	assert_int_equal(rope_read(rope, read, size + 1, 0), size);
	assert_memory_equal(read, data, size);
	rope_free(rope);
	free(read);
}

/* ---- the format ---- */

static void examples_of_the_format(void **state)
{
	static const char zeros[100000];
	struct stage *s = *state;
	struct rope *rope = rope_of("", 0);
	struct oid oid = store(rope, s->odb);
	char *text, *printed;
	size_t size = make_lines(&text);

	assert_oid(oid, "d2fa2d953e0c06bb7f7644a717782acc10c1ad7b");
	assert_int_equal(rope_store(rope, s->odb, true, &oid), 0);
	assert_oid(oid, "a0683381bbc1e207c2cd58b4f2331a1b7f564e08");
	assert_int_equal(rope_append(rope, "hello\n", 6), 0);
	oid = store(rope, s->odb);
	assert_oid(oid, "18153e573899e691d3571490193bd422f09ccd77");
	printed = tree_to_text(s->odb, &oid);
	assert_string_equal(printed, ".irmin-rope=irmin rope 1\\nlevel 0\\n"
			    "size 6\\nnewlines 1\\n"
			    "checksum b3e2788fc38da4d9\\n\n00-6-1=hello\\n\n");
	free(printed);
	assert_int_equal(rope_store(rope, s->odb, true, &oid), 0);
	assert_oid(oid, "327f1aa13f949275e149d5464dd7e5de287965ca");
	rope_free(rope);
	oid = store_bytes(text, size, s->odb);
	assert_oid(oid, "0871780e2bd368a8e03950d30b9da2ef21734bd6");
	assert_holds(s->odb, &oid, text, size);
	free(text);
	oid = store_bytes(zeros, sizeof(zeros), s->odb);
	assert_oid(oid, "a7eb8823c38065fffda18dabebce9145662e5c9c");
	assert_holds(s->odb, &oid, zeros, sizeof(zeros));
}

static void the_header_tells_size_lines_and_mode(void **state)
{
	struct stage *s = *state;
	struct rope_header header;
	struct rope *rope;
	struct oid oid;
	char *text;
	size_t size = make_lines(&text);

	rope = rope_of(text, size);
	assert_int_equal(rope_store(rope, s->odb, true, &oid), 0);
	assert_oid(oid, "14387eda67cbf095b981146e9b9c6e223cfdb16d");
	counting_odb_reset(&s->counting);
	assert_int_equal(rope_read_header(s->odb, &oid, &header), 0);
	assert_int_equal(s->counting.reads, 1);
	assert_int_equal(header.size, size);
	assert_int_equal(header.newlines, 100000);
	assert_true(header.executable);
	rope_free(rope);
	free(text);
}

/* Not one of them, but folders like any. */
static void what_is_no_rope_is_told(void **state)
{
	static const char *const trees[] = {
		"a=b\n",
		".irmin-rope=\n",
		".irmin-rope=\n00-1-0=x\n",
		".irmin/head=x\n",
		"00-1-0=x\n",
		/* the header of "hello" with another chunk */
		".irmin-rope=irmin rope 1\\nlevel 0\\nsize 6\\nnewlines 1\\n"
		"checksum b3e2788fc38da4d9\\n\n00-6-1=other\\n\n",
		/* ... with one more entry */
		".irmin-rope=irmin rope 1\\nlevel 0\\nsize 6\\nnewlines 1\\n"
		"checksum b3e2788fc38da4d9\\n\n00-6-1=hello\\n\nx=\n",
		/* a conflict that was committed */
		".irmin-rope=<<<<<<< a\\nirmin rope 1\\n\n00-6-1=hello\\n\n",
		/* the header as a symbolic link */
		"l .irmin-rope=irmin rope 1\\nlevel 0\\nsize 6\\nnewlines 1\\n"
		"checksum b3e2788fc38da4d9\\n\n00-6-1=hello\\n\n",
	};
	struct stage *s = *state;
	struct rope_header header;
	struct rope *rope;

	for (size_t i = 0; i < sizeof(trees) / sizeof(*trees); i++) {
		struct oid oid = text_to_tree(s->odb, trees[i]);

		assert_int_equal(rope_read_header(s->odb, &oid, &header),
				 -EUCLEAN);
		assert_int_equal(rope_load(s->odb, &oid, &rope), -EUCLEAN);
	}
	assert_int_equal(rope_read_header(s->odb, &oid_empty_tree, &header),
			 -EUCLEAN);
}

/* Trees whose header matches, but whose entries may not be so. */
static void bad_entries_are_told(void **state)
{
	struct stage *s = *state;
	struct rope_entry e[3] = { 0 };
	struct rope_header header;
	struct oid oid;

	assert_int_equal(odb_write(s->odb, OBJECT_BLOB, "x", 1, &e[0].oid), 0);
	e[0].size = 1;
	e[1] = e[2] = e[0];
	assert_int_equal(rope_tree_write(s->odb, 0, false, e, 3, &oid), 0);
	assert_int_equal(rope_read_header(s->odb, &oid, &header), 0);
	e[1].size = 0;
	assert_int_equal(rope_tree_write(s->odb, 0, false, e, 3, &oid), 0);
	assert_int_equal(rope_read_header(s->odb, &oid, &header), -EUCLEAN);
	e[1].size = CHUNK_MAX + 1;
	assert_int_equal(rope_tree_write(s->odb, 0, false, e, 3, &oid), 0);
	assert_int_equal(rope_read_header(s->odb, &oid, &header), -EUCLEAN);
	assert_int_equal(rope_tree_write(s->odb, 1, false, e, 3, &oid), 0);
	assert_int_equal(rope_read_header(s->odb, &oid, &header), 0);
	/* a level of one child is no root */
	assert_int_equal(rope_tree_write(s->odb, 1, false, e, 1, &oid), 0);
	assert_int_equal(rope_read_header(s->odb, &oid, &header), -EUCLEAN);
	e[1].size = 3;
	e[1].newlines = 4;
	assert_int_equal(rope_tree_write(s->odb, 0, false, e, 3, &oid), 0);
	assert_int_equal(rope_read_header(s->odb, &oid, &header), -EUCLEAN);
	e[1].newlines = 0;
	e[1].size = e[2].size = ROPE_SIZE_MAX;
	assert_int_equal(rope_tree_write(s->odb, 1, false, e, 3, &oid), 0);
	assert_int_equal(rope_read_header(s->odb, &oid, &header), -EUCLEAN);
}

static void what_is_as_its_nodes_say_is_not_told(void **state)
{
	struct stage *s = *state;
	char *text;
	size_t size = make_lines(&text);
	struct oid oid = store_bytes(text, size, s->odb);

	assert_int_equal(rope_contents_kind.check(s->odb, &oid), 0);
	/* nor any other tree */
	assert_int_equal(rope_contents_kind.check(s->odb, &oid_empty_tree), 0);
	free(text);
}

/* Parents that say something else than their children. */
static void damage_below_the_root_shows_when_it_is_read(void **state)
{
	struct stage *s = *state;
	struct rope_entry e[2] = { 0 };
	struct rope *rope;
	char bytes[8];
	struct oid oid;

	assert_int_equal(odb_write(s->odb, OBJECT_BLOB, "ab", 2, &e[0].oid), 0);
	e[0].size = 3;
	assert_int_equal(rope_tree_write(s->odb, 0, false, e, 1, &oid), 0);
	assert_int_equal(rope_contents_kind.check(s->odb, &oid), -EUCLEAN);
	assert_int_equal(rope_load(s->odb, &oid, &rope), 0);
	assert_int_equal(rope_read(rope, bytes, 3, 0), -EUCLEAN);
	rope_free(rope);
	e[0].size = 2;
	e[0].newlines = 1;
	assert_int_equal(rope_tree_write(s->odb, 0, false, e, 1, &oid), 0);
	assert_int_equal(rope_contents_kind.check(s->odb, &oid), -EUCLEAN);
	assert_int_equal(rope_load(s->odb, &oid, &rope), 0);
	assert_int_equal(rope_read(rope, bytes, 2, 0), -EUCLEAN);
	rope_free(rope);
	/* a node whose sums are not those of its name, whose level is wrong */
	e[0].newlines = 0;
	assert_int_equal(rope_tree_write(s->odb, 0, false, e, 1, &e[0].oid), 0);
	e[0].size = 1;
	e[1] = e[0];
	assert_int_equal(rope_tree_write(s->odb, 1, false, e, 2, &oid), 0);
	assert_int_equal(rope_contents_kind.check(s->odb, &oid), -EUCLEAN);
	assert_int_equal(rope_load(s->odb, &oid, &rope), 0);
	assert_int_equal(rope_read(rope, bytes, 2, 0), -EUCLEAN);
	rope_free(rope);
	e[0].size = e[1].size = 2;
	assert_int_equal(rope_tree_write(s->odb, 2, false, e, 2, &oid), 0);
	assert_int_equal(rope_contents_kind.check(s->odb, &oid), -EUCLEAN);
	assert_int_equal(rope_load(s->odb, &oid, &rope), 0);
	assert_int_equal(rope_read(rope, bytes, 2, 0), -EUCLEAN);
	rope_free(rope);
}

/* A rope of four nodes of ten chunks, of which one, of node or chunk, is not there. */
static struct oid with_hole(struct stage *s, bool node)
{
	struct rope_entry nodes[4] = { 0 }, chunks[10] = { 0 };
	char bytes[600] = { 0 };
	struct oid oid;

	for (int i = 0; i < 4; i++) {
		for (int j = 0; j < 10; j++) {
			bytes[0] = 10 * i + j;
			assert_int_equal(odb_write(s->odb, OBJECT_BLOB, bytes,
						   sizeof(bytes),
						   &chunks[j].oid), 0);
			chunks[j].size = sizeof(bytes);
		}
		if (i == 1 && !node)
			chunks[3].oid.id[0] ^= 0xff;
		assert_int_equal(rope_tree_write(s->odb, 0, false, chunks, 10,
						 &nodes[i].oid), 0);
		nodes[i].size = 10 * sizeof(bytes);
	}
	if (node)
		nodes[1].oid.id[0] ^= 0xff;
	assert_int_equal(rope_tree_write(s->odb, 1, false, nodes, 4, &oid), 0);
	return oid;
}

static void stores_around_a_hole(struct stage *s, bool node)
{
	static const uint64_t places[] = { 0, 5000, 13000, 24000 };
	struct oid oid = with_hole(s, node);
	char byte;

	for (int i = 0; i < 4; i++) {
		struct rope *rope, *again;
		uint64_t place = places[i];

		assert_int_equal(rope_load(s->odb, &oid, &rope), 0);
		assert_int_equal(rope_insert(rope, place, "!", 1), 0);
		oid = store(rope, s->odb);
		rope_free(rope);
		assert_int_equal(rope_load(s->odb, &oid, &again), 0);
		assert_int_equal(rope_size(again), 24001 + i);
		assert_int_equal(rope_read(again, &byte, 1, place), 1);
		assert_int_equal(byte, '!');
		/* the hole is where it was */
		assert_true(rope_read(again, &byte, 1, 8000) < 0);
		assert_int_equal(rope_read(again, &byte, 1, 12100 + i), 1);
		rope_free(again);
	}
}

static void what_cannot_be_read_is_taken_over(void **state)
{
	stores_around_a_hole(*state, false);
	stores_around_a_hole(*state, true);
}

/* ---- what is read and written ---- */

static void an_unchanged_rope_is_neither_read_nor_written(void **state)
{
	struct stage *s = *state;
	struct rope *rope, *loaded;
	struct oid oid, again;
	char *text;
	size_t size = make_lines(&text);

	rope = rope_of(text, size);
	oid = store(rope, s->odb);
	counting_odb_reset(&s->counting);
	again = store(rope, s->odb);
	assert_true(oid_equal(&oid, &again));
	assert_int_equal(s->counting.reads, 1);
	assert_int_equal(rope_load(s->odb, &oid, &loaded), 0);
	again = store(loaded, s->odb);
	assert_true(oid_equal(&oid, &again));
	assert_int_equal(s->counting.reads, 2);
	assert_int_equal(s->counting.writes, 0);
	rope_free(loaded);
	rope_free(rope);
	free(text);
}

/* Bytes that do not repeat. */
static unsigned char *make_random(size_t size)
{
	unsigned char *data = malloc(size);
	uint64_t random = 42;

	assert_non_null(data);
	for (size_t i = 0; i < size; i++)
		data[i] = draw(&random, 64) ? ' ' + draw(&random, 90) : '\n';
	return data;
}

#define LARGE ((size_t)64 << 20)

static void one_byte_in_64_mib_writes_little(void **state)
{
	struct stage *s = *state;
	unsigned char *data = make_random(LARGE);
	struct oid oid = store_bytes(data, LARGE, s->odb), changed, whole;
	uint64_t random = 7;
	struct rope *rope;

	assert_int_equal(rope_load(s->odb, &oid, &rope), 0);
	for (int i = 0; i < 20; i++) {
		size_t at = draw(&random, LARGE);

		data[at] ^= 1;
		assert_int_equal(rope_set(rope, at, data[at]), 0);
		counting_odb_reset(&s->counting);
		changed = store(rope, s->odb);
		assert_true(s->counting.written_bytes <= 128 << 10);
		assert_true(s->counting.read_bytes <= 128 << 10);
		assert_true(s->counting.reads <= 20);
		assert_true(s->counting.writes <= 20);
	}
	whole = store_bytes(data, LARGE, s->odb);
	assert_true(oid_equal(&changed, &whole));
	rope_free(rope);
	free(data);
}

/* Fills with a pattern of `period` bytes. */
static void constant(struct stage *s, unsigned char first, size_t period)
{
	unsigned char *data = malloc(LARGE + 1);
	struct oid oid, changed, whole;
	struct rope *rope;
	size_t at = LARGE / 2 + 77;

	assert_non_null(data);
	for (size_t i = 0; i < LARGE; i++)
		data[i] = first + i % period;
	oid = store_bytes(data, LARGE, s->odb);
	/* equal chunks are one object: what is stored is the trees of them */
	if (period == 1)
		assert_true(s->counting.written_bytes < 100000);
	assert_int_equal(rope_load(s->odb, &oid, &rope), 0);
	counting_odb_reset(&s->counting);
	assert_int_equal(rope_insert(rope, at, "!", 1), 0);
	changed = store(rope, s->odb);
	assert_true(s->counting.written_bytes <= 512 << 10);
	memmove(data + at + 1, data + at, LARGE - at);
	data[at] = '!';
	whole = store_bytes(data, LARGE + 1, s->odb);
	assert_true(oid_equal(&changed, &whole));
	rope_free(rope);
	free(data);
	counting_odb_reset(&s->counting);
}

static void constant_bytes_are_the_worst_and_bounded(void **state)
{
	struct stage *s = *state;

	constant(s, 0, 1);
	constant(s, '\n', 1);
	constant(s, '0', 10);
	constant(s, 0, 256);
}

static void a_failure_leaves_the_rope_as_it_was(void **state)
{
	struct stage *s = *state;
	struct rope *rope;
	struct oid oid, wanted;
	char *text;
	size_t size = make_lines(&text);
	int r = -EIO;

	oid = store_bytes(text, size, s->odb);
	text[500000] = '!';
	wanted = store_bytes(text, size, s->odb);
	assert_int_equal(rope_load(s->odb, &oid, &rope), 0);
	assert_int_equal(rope_write(rope, 500000, "!", 1), 0);
	for (unsigned int i = 1; r < 0; i++) {
		s->counting.fail_in = i;
		r = rope_store(rope, s->odb, false, &oid);
		assert_true(r == 0 || r == -EIO);
		assert_true(i < 100);
	}
	s->counting.fail_in = 0;
	assert_true(oid_equal(&oid, &wanted));
	rope_free(rope);
	free(text);
}

static void a_clone_that_was_stored_spares_its_origin(void **state)
{
	struct stage *s = *state;
	struct rope *rope, *clone;
	struct oid oid, wanted;
	char *text;
	size_t size = make_lines(&text);

	rope = rope_of(text, size);
	assert_int_equal(rope_clone(rope, &clone), 0);
	text[99] = '!';
	assert_int_equal(rope_write(rope, 99, "!", 1), 0);
	store(clone, s->odb);
	rope_remember(rope, clone);
	rope_free(clone);
	counting_odb_reset(&s->counting);
	oid = store(rope, s->odb);
	assert_true(s->counting.written_bytes < 40000);
	wanted = store_bytes(text, size, s->odb);
	assert_true(oid_equal(&oid, &wanted));
	text[100] = '!';
	assert_int_equal(rope_write(rope, 100, "!", 1), 0);
	rope_forget(rope);
	counting_odb_reset(&s->counting);
	oid = store(rope, s->odb);
	assert_true(s->counting.written_bytes > size);
	wanted = store_bytes(text, size, s->odb);
	assert_true(oid_equal(&oid, &wanted));
	rope_free(rope);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(examples_of_the_format),
		stage_test(the_header_tells_size_lines_and_mode),
		stage_test(what_is_no_rope_is_told),
		stage_test(bad_entries_are_told),
		stage_test(what_is_as_its_nodes_say_is_not_told),
		stage_test(damage_below_the_root_shows_when_it_is_read),
		stage_test(what_cannot_be_read_is_taken_over),
		stage_test(an_unchanged_rope_is_neither_read_nor_written),
		stage_test(one_byte_in_64_mib_writes_little),
		stage_test(constant_bytes_are_the_worst_and_bounded),
		stage_test(a_failure_leaves_the_rope_as_it_was),
		stage_test(a_clone_that_was_stored_spares_its_origin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
