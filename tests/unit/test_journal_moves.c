/* SPDX-License-Identifier: ISC */
#include "tests/unit/journal_record.h"

/* Moved bytes in frames: contents of a kind that says what it is made of. */

#define BASE_SIZE (3 * BLOCK + 100)
#define MOVES_MOST 8

struct arranged {
	struct contents contents;
	struct contents *bytes;		/* an overlay */
	struct contents_changes changes;
	struct contents_move moves[MOVES_MOST];
	struct ranges ranges;
};

static ssize_t arranged_read(struct contents *c, void *bytes, size_t size,
			     uint64_t offset)
{
	return contents_read(((struct arranged *)c)->bytes, bytes, size,
			     offset);
}

static uint64_t arranged_size(struct contents *c)
{
	return contents_size(((struct arranged *)c)->bytes);
}

/* How much is looked at, and what comes of that if not 0. */
static uint64_t looked_at;
static int stretch_error;

static int arranged_stretch(struct contents *c, uint64_t offset, uint64_t end,
			    bool *ret_data, uint64_t *ret_end)
{
	looked_at += end - offset;
	if (stretch_error)
		return stretch_error;
	return contents_stretch(((struct arranged *)c)->bytes, offset, end,
				ret_data, ret_end);
}

static void arranged_changes(struct contents *c, struct contents_changes *ret)
{
	*ret = ((struct arranged *)c)->changes;
}

static void arranged_free(struct contents *c)
{
	struct arranged *a = (struct arranged *)c;

	contents_unref(a->bytes);
	ranges_release(&a->ranges);
	free(a);
}

static const struct contents_ops arranged_ops = {
	.read = arranged_read,
	.size = arranged_size,
	.stretch = arranged_stretch,
	.changes = arranged_changes,
	.free = arranged_free,
};

/* Of a base of `pattern` 1: the bytes that moves take are read from it, what is
 * in no move and behind low is of pattern 2. */
static struct contents *arrange(uint64_t size, uint64_t low,
				const struct contents_move *moves, size_t count)
{
	struct arranged *a = calloc(1, sizeof(*a));
	struct contents *base = stored_file(&f, BASE_SIZE, 1);
	struct contents_changes changes;
	uint64_t end = low;

	*a = (struct arranged){
		.contents = { .ops = &arranged_ops, .refs = 1 },
		.bytes = new_file(&f),
	};
	contents_changes(base, &changes);
	put(a->bytes, size, 0, 2);
	assert_int_equal(contents_share(base, 0, a->bytes, 0, low), low);
	for (size_t i = 0; i < count; i++) {
		const struct contents_move *m = &moves[i];

		a->moves[i] = *m;
		assert_int_equal(contents_share(base, m->from, a->bytes,
						m->offset, m->size), m->size);
		ranges_add(&a->ranges, end, m->offset);
		end = m->offset + m->size;
	}
	ranges_add(&a->ranges, end, size);
	a->changes = (struct contents_changes){
		.id = 77, .version = 5, .size = size, .low = low,
		.base = CONTENTS_STORED, .oid = changes.oid,
		.base_size = BASE_SIZE, .moves = a->moves, .move_count = count,
		.ranges = &a->ranges,
	};
	contents_unref(base);
	return &a->contents;
}

static struct cut *cut_with(struct contents *c)
{
	struct delta *delta = delta_new(false);

	delta_add(delta, DELTA_CONTENTS, MODE_FILE, "f")->contents = c;
	return commit_cut(delta);
}

static void assert_comes_back(uint64_t size, uint64_t low,
			      const struct contents_move *moves, size_t count)
{
	struct contents *c = arrange(size, low, moves, count);
	scoped_free char *want = malloc(size + 1);
	struct cut *cut = cut_with(contents_ref(c));

	cut = there_and_back(cut);
	assert_int_equal(contents_size(cut->records[0].delta->entries[0].contents),
			 size);
	assert_int_equal(contents_read(c, want, size, 0), size);
	assert_bytes(cut->records[0].delta->entries[0].contents, want, size, 0);
	cut_free(cut);
	contents_unref(c);
}

#define COMES_BACK(size, low, ...)                                             \
	do {                                                                   \
		const struct contents_move m_[] = { __VA_ARGS__ };             \
		assert_comes_back(size, low, m_, sizeof(m_) / sizeof(*m_));    \
	} while (0)

static void moved_bytes_come_back(void **state)
{
	/* one byte inserted, and one deleted */
	COMES_BACK(BASE_SIZE + 1, 1000, { 1001, BASE_SIZE - 1000, 1000 });
	assert_true(frame.length < 500 && data.length == 0);
	COMES_BACK(BASE_SIZE - 1, 1000, { 1000, BASE_SIZE - 1001, 1001 });
	/* at the ends */
	COMES_BACK(BASE_SIZE + 5, 0, { 5, BASE_SIZE, 0 });
	COMES_BACK(BASE_SIZE - 5, 0, { 0, BASE_SIZE - 5, 5 });
	/* turned round, and twice the same */
	COMES_BACK(2 * BLOCK, 0, { 0, BLOCK, BLOCK }, { BLOCK, BLOCK, 0 });
	COMES_BACK(300, 10, { 10, 100, 50 }, { 150, 100, 50 });
	/* at both their ends */
	COMES_BACK(50, 0, { 0, 50, BASE_SIZE - 50 });
}

/* What is not understood must not be read as something else. */
static int with_move(uint64_t size, uint64_t low, struct contents_move a,
		     struct contents_move b)
{
	const struct contents_move good[] = { { 100, 10, 0 }, { 200, 10, 0 } };
	struct contents *c = arrange(400, 50, good, 2);
	struct arranged *arranged = (struct arranged *)c;
	struct cut *cut;
	int r;

	arranged->moves[0] = a;
	arranged->moves[1] = b;
	arranged->changes.size = size;
	arranged->changes.low = low;
	cut = cut_with(c);
	r = encode(cut);
	if (r == 0)
		r = decode_fails();
	cut_free(cut);
	return r;
}

#define MOVE(...) ((struct contents_move){ __VA_ARGS__ })

/* Holes are looked for in what changed alone, and where that cannot be told the cut
 * fails: such bytes are not zeros. */
static void changes_alone_are_looked_at(void **state)
{
	const struct contents_move moves[] = {
		{ 10, BLOCK, 10 }, { BLOCK + 20, BLOCK, BLOCK + 20 },
	};
	uint64_t size = 2 * BLOCK + 50;
	struct contents *c = arrange(size, 0, moves, 2);
	struct cut *cut = cut_with(c);
	struct journal_frame made = { 0 };

	looked_at = 0;
	assert_int_equal(journal_encode(cut, MOST, &made), 0);
	assert_int_equal(looked_at, size - 2 * BLOCK);
	journal_frame_release(&made);
	stretch_error = -EIO;
	assert_int_equal(journal_encode(cut, MOST, &made), -EIO);
	stretch_error = 0;
	journal_frame_release(&made);
	cut_free(cut);
}

static void hostile_moves_are_refused(void **state)
{
	const struct contents_move a = { 100, 10, 0 }, b = { 200, 10, 0 };

	assert_int_equal(with_move(400, 50, a, b), 0);
	/* overlapping, out of order, below low */
	assert_int_equal(with_move(400, 50, a, MOVE(109, 10, 0)), -EUCLEAN);
	assert_int_equal(with_move(400, 50, a, MOVE(110, 10, 0)), 0);
	assert_int_equal(with_move(400, 50, b, a), -EUCLEAN);
	assert_int_equal(with_move(400, 101, a, b), -EUCLEAN);
	assert_int_equal(with_move(400, UINT64_MAX, a, b), -EUCLEAN);
	/* behind the end of the file or the base */
	assert_int_equal(with_move(400, 50, a, MOVE(395, 10, 0)), -EUCLEAN);
	assert_int_equal(with_move(400, 50, a, MOVE(UINT64_MAX, 2, 0)),
			 -EUCLEAN);
	assert_int_equal(with_move(400, 50, a, MOVE(200, UINT64_MAX, 0)),
			 -EUCLEAN);
	assert_int_equal(with_move(400, 50, a, MOVE(200, 10, BASE_SIZE)),
			 -EUCLEAN);
	assert_int_equal(with_move(400, 50, a, MOVE(200, 10, BASE_SIZE - 9)),
			 -EUCLEAN);
	assert_int_equal(with_move(400, 50, a, MOVE(200, 10, UINT64_MAX)),
			 -EUCLEAN);
	/* nothing at all is moved */
	assert_int_equal(with_move(400, 50, a, MOVE(200, 0, 0)), 0);
}

/* A move behind other extents, and a kind of a later version. */
static void kinds_have_their_place(void **state)
{
	struct contents *c = arrange(400, 50, &MOVE(100, 300, 0), 1);
	struct cut *cut = cut_with(c);
	size_t first;

	assert_int_equal(encode(cut), 0);
	assert_int_equal(decode_fails(), 0);
	/* 25 bytes of the move, then 17 and 50 of its own */
	first = frame.length - 50 - 17 - 25;
	assert_int_equal(frame.data[first + 16], JOURNAL_MOVED);
	assert_int_equal(frame.data[first + 25 + 16], JOURNAL_BYTES);
	frame.data[first + 25 + 16] = JOURNAL_MOVED;
	assert_int_equal(decode_fails(), -EUCLEAN);
	frame.data[first + 25 + 16] = 4;
	assert_int_equal(decode_fails(), -ENOTSUP);
	cut_free(cut);
}

static const unsigned char golden[] = {
	/* id, version, size */
	77, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
	/* base STORED */
	1,
	0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c,
	0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14,
	/* of 9 bytes, low 1, three extents */
	9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0,
	/* MOVED: 1 byte at 2 from 8 */
	2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3,
	8, 0, 0, 0, 0, 0, 0, 0,
	/* BYTES: 1 at 1 */
	1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 'x',
};

static void the_format_stays_what_it_is(void **state)
{
	struct contents *c = arrange(3, 1, &MOVE(2, 1, 8), 1);
	struct arranged *a = (struct arranged *)c;
	struct cut *cut = cut_with(c);

	for (int i = 0; i < OID_SIZE; i++)
		a->changes.oid.id[i] = i + 1;
	a->changes.base_size = 9;
	assert_int_equal(contents_write(a->bytes, "x", 1, 1), 1);
	assert_int_equal(encode(cut), 0);
	assert_memory_equal(frame.data + frame.length - sizeof(golden), golden,
			    sizeof(golden));
	cut_free(cut);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(moved_bytes_come_back),
		TEST(changes_alone_are_looked_at),
		TEST(hostile_moves_are_refused),
		TEST(kinds_have_their_place),
		TEST(the_format_stays_what_it_is),
	};

	return cmocka_run_group_tests_name("journal_moves", tests, NULL, NULL);
}
