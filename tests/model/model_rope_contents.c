/* SPDX-License-Identifier: ISC */
#include "tests/unit/journal_record.h"
#include "store/tree.h"
#include "structures/rope_contents.h"
#include "structures/structures.h"

/* Random changes of a file that is an overlay at first and a rope at some time,
 * against a plain array; captured, journaled, and stored late, as a blob or as a
 * rope. */

#define SIZE_MOST ((size_t)600 << 10)
#define STEPS 3000
#define PENDING 3

struct file {
	struct contents *c;
	unsigned char *bytes;
	size_t size;
};

/* A capture that is not stored yet. */
struct pending {
	struct contents *snapshot;
	unsigned char *bytes;
	size_t size;
};

static struct file file;
static struct pending pending[PENDING];
static size_t pending_count;
static uint64_t seed;

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static size_t below(size_t n)
{
	return n ? next() % n : 0;
}

/* Mostly little, now and then much. */
static size_t some_size(void)
{
	switch (below(8)) {
	case 0:
		return below(100 << 10);
	case 1:
		return below(9000);
	case 2:
		return 0;
	default:
		return 1 + below(200);
	}
}

static void assert_is(struct contents *c, const void *bytes, size_t size)
{
	assert_int_equal(contents_size(c), size);
	assert_bytes(c, bytes, size, 0);
}

/* ---- changes ---- */

static void grow(size_t size)
{
	if (size > file.size) {
		memset(file.bytes + file.size, 0, size - file.size);
		file.size = size;
	}
}

static void step_write(void)
{
	size_t size = some_size(), offset = below(file.size + 3000);
	scoped_free unsigned char *new = pattern(size, next());

	if (!size || offset + size > SIZE_MOST)
		return;
	assert_int_equal(contents_write(file.c, new, size, offset), size);
	grow(offset + size);
	memcpy(file.bytes + offset, new, size);
}

static void convert(void)
{
	struct contents *c;

	if (contents_can_splice(file.c))
		return;
	assert_int_equal(contents_splice(file.c, 0, 0, "x", 1), -EOPNOTSUPP);
	assert_int_equal(contents_kind()->convert(f.pool, file.c, &c), 0);
	contents_unref(file.c);
	file.c = c;
}

static void step_splice(void)
{
	size_t size = some_size(), offset = below(file.size + 1);
	size_t gone = below(3) ? 0 : some_size();
	scoped_free unsigned char *new = pattern(size, next());

	convert();
	if (file.size + size > SIZE_MOST)
		size = 0;
	assert_int_equal(contents_splice(file.c, offset, gone, new, size), 0);
	if (gone > file.size - offset)
		gone = file.size - offset;
	memmove(file.bytes + offset + size, file.bytes + offset + gone,
		file.size - offset - gone);
	memcpy(file.bytes + offset, new, size);
	file.size += size - gone;
}

static void step_truncate(void)
{
	size_t size = below(4) ? file.size - below(file.size / 8 + 1) :
				 below(file.size + 5000);

	if (size > SIZE_MOST)
		return;
	assert_int_equal(contents_truncate(file.c, size), 0);
	grow(size);
	file.size = size;
}

static void step_zero(void)
{
	size_t offset = below(file.size + 10), size = some_size();

	assert_int_equal(contents_zero(file.c, offset, size), 0);
	if (offset >= file.size)
		return;
	if (size > file.size - offset)
		size = file.size - offset;
	memset(file.bytes + offset, 0, size);
}

static void step_share(void)
{
	size_t from = below(file.size + 1), to = below(file.size + 100);
	size_t size = below(20000);
	size_t apart = from < to ? to - from : from - to;

	if (size > file.size - from)
		size = file.size - from;
	if (size > apart)
		size = apart;
	if (!size || to + size > SIZE_MOST)
		return;
	assert_int_equal(contents_share(file.c, from, file.c, to, size), size);
	grow(to + size);
	memcpy(file.bytes + to, file.bytes + from, size);
}

/* A whole copy goes on in the place of the file. */
static void step_copy(void)
{
	struct contents *copy;
	int r = contents_can_splice(file.c) ? rope_contents_new(f.pool, &copy) :
					      overlay_new(f.pool, &copy);

	assert_int_equal(r, 0);
	assert_int_equal(contents_share(file.c, 0, copy, 0, file.size),
			 file.size);
	assert_is(copy, file.bytes, file.size);
	while (pending_count) {
		contents_unref(pending[--pending_count].snapshot);
		free(pending[pending_count].bytes);
	}
	contents_unref(file.c);
	file.c = copy;
}

/* ---- captures ---- */

static void store_one(void)
{
	struct pending first = pending[0];
	bool is_rope = contents_can_splice(file.c) && below(2);
	uint32_t mode = !is_rope ? MODE_FILE :
			below(4) ? MODE_ROPE : MODE_ROPE_EXECUTABLE;
	struct contents *again;
	struct oid oid;

	assert_int_equal(contents_store_as(first.snapshot, &f.odb, mode, &oid),
			 0);
	contents_stored_as(file.c, first.snapshot, mode, &oid);
	assert_is(file.c, file.bytes, file.size);
	assert_int_equal(contents_open(f.pool, &oid, first.size, &again), 0);
	assert_is(again, first.bytes, first.size);
	contents_unref(again);
	contents_unref(first.snapshot);
	free(first.bytes);
	memmove(pending, pending + 1, --pending_count * sizeof(*pending));
}

static void note_made(struct contents *snapshot)
{
	struct contents_changes changes;
	struct table_contents made;

	contents_changes(snapshot, &changes);
	made = (struct table_contents){
		.id = changes.id, .version = changes.version,
		.size = changes.size,
	};
	assert_int_equal(contents_store(snapshot, &f.odb, &made.oid), 0);
	assert_int_equal(table_add_contents(table, &made), 0);
}

/* Journals, and brings back; now and then with a table that knows the base, as
 * after its frame is gone. */
static void step_capture(void)
{
	struct cut *cut = contents_cut(file.c);
	struct contents *snapshot =
		contents_ref(cut->records[0].delta->entries[0].contents);

	assert_is(snapshot, file.bytes, file.size);
	assert_int_equal(contents_write(snapshot, "x", 1, 0), -EROFS);
	cut = there_and_back(cut);
	assert_is(cut->records[0].delta->entries[0].contents, file.bytes,
		  file.size);
	cut_free(cut);
	if (below(8) == 0) {
		note_made(snapshot);
		begin_replay();
	}
	if (pending_count == PENDING || below(3) == 0) {
		contents_unref(snapshot);
		return;
	}
	pending[pending_count].snapshot = snapshot;
	pending[pending_count].bytes = malloc(file.size + 1);
	pending[pending_count].size = file.size;
	memcpy(pending[pending_count++].bytes, file.bytes, file.size);
}

/* ---- reading ---- */

static void check_seek(void)
{
	size_t offset = below(file.size + 1);
	off_t start = contents_seek(file.c, offset, SEEK_DATA);
	off_t hole = contents_seek(file.c, offset, SEEK_HOLE);
	size_t end = start < 0 ? file.size : (size_t)start;

	if (offset == file.size) {
		assert_int_equal(start, -ENXIO);
		assert_int_equal(hole, -ENXIO);
		return;
	}
	assert_true(hole >= (off_t)offset && (size_t)hole <= file.size);
	for (size_t i = offset; i < end; i++)
		assert_int_equal(file.bytes[i], 0);
}

static void check_part(void)
{
	size_t offset = below(file.size + 1), size = below(3000);

	if (size > file.size - offset)
		size = file.size - offset;
	assert_int_equal(contents_size(file.c), file.size);
	assert_bytes(file.c, file.bytes + offset, size, offset);
}

static void step(void)
{
	switch (below(25)) {
	case 0 ... 5:
		step_write();
		break;
	case 6 ... 13:
		if (contents_can_splice(file.c) || below(20) == 0)
			step_splice();
		else
			step_write();
		break;
	case 14:
		step_truncate();
		break;
	case 15:
		step_zero();
		break;
	case 16:
		step_share();
		break;
	case 17:
		if (below(20) == 0)
			step_copy();
		break;
	case 18:
		if (pending_count)
			store_one();
		break;
	case 19:
		check_seek();
		break;
	case 20:
		/* also of what is stored, captured, neither or both */
		if (below(10) == 0)
			convert();
		break;
	default:
		step_capture();
	}
}

static void run(uint64_t number, struct contents *c, const void *bytes,
		size_t size)
{
	seed = number;
	file = (struct file){
		.c = c, .bytes = malloc(2 * SIZE_MOST), .size = size,
	};
	memcpy(file.bytes, bytes, size);
	for (int i = 0; i < STEPS; i++) {
		step();
		check_part();
		if (i % 100 == 0)
			assert_is(file.c, file.bytes, file.size);
		if (contents_can_splice(file.c))
			assert_true(rope_contents_memory(file.c) < 2 << 20);
	}
	while (pending_count)
		store_one();
	contents_unref(file.c);
	free(file.bytes);
	begin_replay();
}

static void a_new_file_behaves_like_an_array(void **state)
{
	for (uint64_t i = 1; i <= 4; i++)
		run(i * 0x9e3779b97f4a7c15u, new_file(&f), "", 0);
}

static void a_stored_file_behaves_like_an_array(void **state)
{
	scoped_free unsigned char *bytes = pattern(SIZE_MOST / 2, 1);

	for (uint64_t i = 1; i <= 4; i++)
		run(i * 0xbf58476d1ce4e5b9u, stored_file(&f, SIZE_MOST / 2, 1),
		    bytes, SIZE_MOST / 2);
}

static void a_stored_rope_behaves_like_an_array(void **state)
{
	scoped_free unsigned char *bytes = pattern(SIZE_MOST / 2, 1);
	struct contents *c;
	struct oid oid;

	assert_int_equal(contents_kind()->write(f.inner, bytes, SIZE_MOST / 2,
						true, &oid), 0);
	for (uint64_t i = 1; i <= 4; i++) {
		assert_int_equal(contents_open(f.pool, &oid, SIZE_MOST / 2, &c),
				 0);
		assert_true(contents_can_splice(c));
		run(i * 0x94d049bb133111ebu, c, bytes, SIZE_MOST / 2);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_new_file_behaves_like_an_array),
		TEST(a_stored_file_behaves_like_an_array),
		TEST(a_stored_rope_behaves_like_an_array),
	};

	if (structures_register() < 0)
		return 1;
	return cmocka_run_group_tests_name("rope_contents", tests, NULL, NULL);
}
