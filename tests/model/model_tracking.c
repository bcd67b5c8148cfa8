/* SPDX-License-Identifier: ISC */
#include "tests/sanitized.h"
#include "tests/unit/contents_pool.h"
#include "store/tree.h"

/* What contents tell about their changes, against plain arrays.  A follower of
 * each file knows its bytes as they were captured last, and makes the next ones
 * of nothing but what contents_changes says and the bytes of the ranges, as a
 * replay of the journal does.  Captures fail, captured states are stored later
 * or never, and reading the odb fails now and then, so that writes do.
 * IRMINFS_MODEL_ROUNDS multiplies the number of operations. */

#define FILES 3
#define LATER 6

struct bytes {
	unsigned char *data;	/* zeros behind size, up to the most */
	size_t size;
};

struct file {
	struct contents *c;
	struct bytes now;
	struct bytes captured;	/* the follower */
	uint64_t version;	/* of captured */
	bool was_captured;
	/* Captured, not yet stored. */
	struct contents *later[LATER];
	size_t later_count;
};

struct counts {
	unsigned int captures, empty, stored, captured, failed;
};

struct model {
	struct fixture f;
	size_t most;		/* largest file */
	uint64_t random;
	struct file files[FILES];
	struct counts counts;
};

static uint64_t draw(struct model *m, uint64_t below)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (m->random >> 11) % below;
}

static size_t draw_offset(struct model *m, size_t below)
{
	size_t offset = draw(m, below + 1);

	switch (draw(m, 4)) {
	case 0:
		return offset & ~(BLOCK - 1);
	case 1:
		return offset & ~(size_t)4095;
	}
	return offset;
}

static size_t draw_length(struct model *m, size_t most)
{
	static const size_t lengths[] = { 1, 100, 4096, 65536, 300000 };
	size_t length = draw(m, lengths[draw(m, 5)]) + 1;

	return length < most ? length : most;
}

/* ---- changes ---- */

/* After a failure the file has what it has. */
static void look(struct model *m, struct file *f)
{
	m->f.fail = 0;
	memset(f->now.data, 0, m->most);
	f->now.size = contents_size(f->c);
	assert_true(f->now.size <= m->most);
	assert_int_equal(contents_read(f->c, f->now.data, m->most, 0),
			 f->now.size);
	m->counts.failed++;
}

static void do_write(struct model *m, struct file *f)
{
	size_t offset = draw_offset(m, draw(m, 3) ? f->now.size : m->most - 1);
	size_t length = draw_length(m, m->most - offset);
	scoped_free unsigned char *data = NULL;
	ssize_t n;

	if (offset >= m->most)
		return;
	data = pattern(length, draw(m, 1000));
	n = contents_write(f->c, data, length, offset);
	if (n != (ssize_t)length) {
		assert_true(m->f.fail);
		look(m, f);
		return;
	}
	memcpy(f->now.data + offset, data, length);
	if (f->now.size < offset + length)
		f->now.size = offset + length;
}

static void do_truncate(struct model *m, struct file *f)
{
	size_t size = draw_offset(m, draw(m, 2) ? f->now.size : m->most);

	if (draw(m, 8) == 0)
		size = 0;
	if (contents_truncate(f->c, size) < 0) {
		assert_true(m->f.fail);
		look(m, f);
		return;
	}
	if (size < f->now.size)
		memset(f->now.data + size, 0, f->now.size - size);
	f->now.size = size;
}

static void do_zero(struct model *m, struct file *f)
{
	size_t offset = draw_offset(m, m->most);
	size_t length = draw_length(m, m->most);

	if (contents_zero(f->c, offset, length) < 0) {
		assert_true(m->f.fail);
		look(m, f);
		return;
	}
	if (offset >= f->now.size)
		return;
	if (length > f->now.size - offset)
		length = f->now.size - offset;
	memset(f->now.data + offset, 0, length);
}

static void do_share(struct model *m, struct file *to)
{
	struct file *from = &m->files[draw(m, FILES)];
	size_t from_offset = draw_offset(m, from->now.size);
	size_t to_offset = draw(m, 3) ? from_offset :
					draw_offset(m, to->now.size);
	size_t length = draw(m, 2) ? m->most : draw_length(m, m->most);

	if (from == to || to_offset >= m->most)
		return;
	if (draw(m, 2)) {
		from_offset = to_offset = 0;
		contents_truncate(to->c, 0);
	}
	if (length > m->most - to_offset)
		length = m->most - to_offset;
	contents_share(from->c, from_offset, to->c, to_offset, length);
	/* Copying right is another model's matter. */
	look(m, to);
}

static void do_replace(struct model *m, struct file *f)
{
	scoped_free unsigned char *data = NULL;
	struct oid oid;

	contents_unref(f->c);
	while (f->later_count)
		contents_unref(f->later[--f->later_count]);
	f->was_captured = false;
	memset(f->now.data, 0, m->most);
	f->now.size = 0;
	if (draw(m, 3) == 0) {
		f->c = new_file(&m->f);
		return;
	}
	f->now.size = draw(m, m->most);
	data = pattern(f->now.size, draw(m, 1000));
	memcpy(f->now.data, data, f->now.size);
	assert_int_equal(odb_write(m->f.inner, OBJECT_BLOB, data, f->now.size,
				   &oid), 0);
	assert_int_equal(overlay_new_stored(m->f.pool, &oid, f->now.size,
					    &f->c), 0);
}

/* ---- following ---- */

static struct bytes base_of(struct model *m, const struct file *f,
			    const struct contents_changes *changes)
{
	struct bytes base = { 0 };
	void *data;

	switch (changes->base) {
	case CONTENTS_EMPTY:
		assert_false(f->was_captured && f->version);
		m->counts.empty++;
		break;
	case CONTENTS_STORED:
		assert_int_equal(odb_read(m->f.inner, &changes->oid,
					  OBJECT_BLOB, &data, &base.size), 0);
		assert_int_equal(base.size, changes->base_size);
		base.data = data;
		m->counts.stored++;
		break;
	case CONTENTS_CAPTURED:
		assert_true(f->was_captured);
		assert_int_equal(changes->since, f->version);
		base.size = f->captured.size;
		base.data = malloc(base.size + 1);
		memcpy(base.data, f->captured.data, base.size);
		m->counts.captured++;
		break;
	case CONTENTS_STORED_LOCAL:
		fail();
	}
	return base;
}

static void apply_range(struct bytes *to, struct contents *snapshot,
			uint64_t offset, uint64_t end)
{
	assert_true(end <= to->size);
	assert_int_equal(contents_read(snapshot, to->data + offset,
				       end - offset, offset), end - offset);
}

static void apply_ranges(struct bytes *to, struct contents *snapshot,
			 const struct ranges *ranges)
{
	uint64_t last = 0;

	if (ranges->all && to->size)
		apply_range(to, snapshot, 0, to->size);
	for (size_t i = 0; !ranges->all && i < ranges->count; i++) {
		assert_true(ranges->at[i].offset >= last);
		last = ranges->at[i].end;
		apply_range(to, snapshot, ranges->at[i].offset, last);
	}
}

static void follow(struct model *m, const struct file *f,
		   struct contents *snapshot, struct bytes *to,
		   uint64_t *ret_version)
{
	struct contents_changes changes;
	struct bytes base;
	size_t kept;

	contents_changes(snapshot, &changes);
	assert_int_equal(changes.size, contents_size(snapshot));
	base = base_of(m, f, &changes);
	to->size = changes.size;
	memset(to->data, 0, m->most);
	kept = base.size < to->size ? base.size : to->size;
	if (kept > changes.low)
		kept = changes.low;
	if (kept)
		memcpy(to->data, base.data, kept);
	apply_ranges(to, snapshot, changes.ranges);
	free(base.data);
	*ret_version = changes.version;
}

static void keep_for_later(struct file *f, struct contents *snapshot)
{
	if (f->later_count == LATER) {
		contents_unref(f->later[0]);
		memmove(f->later, f->later + 1,
			(LATER - 1) * sizeof(*f->later));
		f->later_count--;
	}
	f->later[f->later_count++] = snapshot;
}

static void do_capture(struct model *m, struct file *f)
{
	struct bytes next = { .data = malloc(m->most + 1) };
	struct contents *snapshot;
	uint64_t version;

	assert_int_equal(contents_snapshot(f->c, &snapshot), 0);
	follow(m, f, snapshot, &next, &version);
	assert_int_equal(next.size, f->now.size);
	assert_memory_equal(next.data, f->now.data, next.size);
	m->counts.captures++;
	if (draw(m, 4) == 0) {
		contents_unref(snapshot);
		free(next.data);
		return;
	}
	if (f->was_captured)
		assert_true(version >= f->version);
	contents_captured(f->c);
	free(f->captured.data);
	f->captured = next;
	f->version = version;
	f->was_captured = true;
	keep_for_later(f, snapshot);
}

/* In order as the publisher does, some never. */
static void do_store(struct model *m, struct file *f)
{
	struct contents *snapshot;
	struct oid oid;

	if (!f->later_count)
		return;
	snapshot = f->later[0];
	f->later_count--;
	memmove(f->later, f->later + 1, f->later_count * sizeof(*f->later));
	if (draw(m, 6)) {
		assert_int_equal(contents_store(snapshot, &m->f.odb, &oid), 0);
		contents_stored_as(f->c, snapshot, MODE_FILE, &oid);
	}
	contents_unref(snapshot);
}

static void change(struct model *m, struct file *f)
{
	unsigned int what = draw(m, 100);

	/* a read of what is stored may fail */
	m->f.fail = draw(m, 6) ? 0 : -EIO;
	if (what < 55)
		do_write(m, f);
	else if (what < 72)
		do_truncate(m, f);
	else if (what < 85)
		do_zero(m, f);
	else if (what < 97)
		do_share(m, f);
	else
		do_replace(m, f);
	m->f.fail = 0;
}

static void step(struct model *m)
{
	struct file *f = &m->files[draw(m, FILES)];
	unsigned int what = draw(m, 100);

	if (what < 50)
		change(m, f);
	else if (what < 75)
		do_capture(m, f);
	else if (what < 95)
		do_store(m, f);
	else
		while (f->later_count)
			do_store(m, f);
}

/* ---- running ---- */

static void begin(struct model *m)
{
	fixture_open(&m->f, 400 << 10, 1 << 20);
	for (int i = 0; i < FILES; i++) {
		m->files[i].now.data = calloc(1, m->most + 1);
		m->files[i].c = new_file(&m->f);
	}
}

static void end(struct model *m)
{
	for (int i = 0; i < FILES; i++) {
		struct file *f = &m->files[i];

		do_capture(m, f);
		while (f->later_count)
			contents_unref(f->later[--f->later_count]);
		contents_unref(f->c);
		free(f->now.data);
		free(f->captured.data);
	}
	fixture_close(&m->f);
}

static void run(size_t most, unsigned int seeds, unsigned int steps)
{
	struct counts all = { 0 };

	for (unsigned int seed = 1; seed <= rounds(seeds); seed++) {
		struct model m = {
			.most = most,
			.random = seed * 0x9e3779b97f4a7c15u + 1,
		};

		begin(&m);
		for (unsigned int i = 0; i < steps; i++)
			step(&m);
		end(&m);
		all.captures += m.counts.captures;
		all.empty += m.counts.empty;
		all.stored += m.counts.stored;
		all.captured += m.counts.captured;
		all.failed += m.counts.failed;
	}
	/* Every case came up. */
	assert_true(all.empty && all.stored && all.captured && all.failed);
	print_message("# %u captures: over nothing %u, stored %u, captured %u\n",
		      all.captures, all.empty, all.stored, all.captured);
}

static void changes_of_small_files_give_their_bytes(void **state)
{
	run(9000, 40, 400);
}

static void changes_of_some_blocks_give_their_bytes(void **state)
{
	run(500000, 8, 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_of_small_files_give_their_bytes),
		cmocka_unit_test(changes_of_some_blocks_give_their_bytes),
	};

	return cmocka_run_group_tests_name("tracking", tests, NULL, NULL);
}
