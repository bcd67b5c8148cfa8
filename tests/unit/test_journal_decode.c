/* SPDX-License-Identifier: ISC */
#include "tests/unit/journal_record.h"

/* What has no frame, and what is none. */

static void some_cuts_have_no_frame(void **state)
{
	static const enum record_kind kinds[] = {
		RECORD_MOVE, RECORD_CONFLICTS, RECORD_FORK,
	};
	struct cut *cut;

	for (size_t i = 0; i < 3; i++) {
		cut = cut_of(kinds[i], "n");
		assert_false(journal_can_hold(cut));
		/* and one that says so is none of ours */
		assert_int_equal(encode(cut), 0);
		assert_int_equal(decode_fails(), -EUCLEAN);
		cut_free(cut);
	}
	cut = commit_cut(NULL);
	cut->records[0].direct = true;
	assert_false(journal_can_hold(cut));
	cut->records[0].direct = false;
	assert_true(journal_can_hold(cut));
	cut->records[0].commit->parents = calloc(1, sizeof(struct oid));
	cut->records[0].commit->parent_count = 1;
	assert_false(journal_can_hold(cut));
	assert_int_equal(encode(cut), 0);
	assert_int_equal(decode_fails(), -EUCLEAN);
	cut_free(cut);
}

static void bad_names_get_no_frame(void **state)
{
	static const char *const names[] = { "", ".", "..", ".Git", "a/b" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct delta *delta = delta_new(false);
		struct cut *cut = commit_cut(delta);

		delta_add(delta, DELTA_REMOVED, 0, names[i]);
		assert_int_equal(encode(cut), -ENOTSUP);
		cut_free(cut);
	}
}

static void missing_data_is_damage(void **state)
{
	struct contents *c = new_file(&f);
	struct cut *cut;

	put(c, 2 * JOURNAL_LONG, 0, 1);
	cut = contents_cut(c);
	assert_int_equal(encode(cut), 0);
	assert_int_equal(decode_fails(), 0);
	data.data[5] ^= 1;
	assert_int_equal(decode_fails(), -EUCLEAN);
	data.data[5] ^= 1;
	data.length--;
	assert_int_equal(decode_fails(), -EUCLEAN);
	data.length = 0;
	assert_int_equal(decode_fails(), -EUCLEAN);
	cut_free(cut);
	contents_unref(c);
}

/* A short frame with one byte, or four, changed. */
static int with_byte(size_t at, uint8_t value)
{
	char before = frame.data[at];
	int r;

	assert_true(at < frame.length);
	frame.data[at] = (char)value;
	r = decode_fails();
	frame.data[at] = before;
	return r;
}

static int with_u32(size_t at, uint32_t value)
{
	uint32_t before = get_u32_at(frame.data + at);
	int r;

	put_u32_at(frame.data + at, value);
	r = decode_fails();
	put_u32_at(frame.data + at, before);
	return r;
}

#define RECORD 48u
#define PARTS (RECORD + 41)
#define DELTA (PARTS + 1)	/* of a record without a commit */
#define ENTRY (DELTA + 5)

static void hostile_frames_are_refused(void **state)
{
	struct cut *cut = cut_of(RECORD_DROP, NULL);
	struct delta *delta = delta_new(false);

	cut->records[0].delta = delta;
	delta_add(delta, DELTA_REMOVED, 0, "..a");
	delta_add(delta, DELTA_OBJECT, MODE_FILE, "a.b");
	assert_int_equal(encode(cut), 0);
	assert_int_equal(decode_fails(), 0);
	assert_int_equal(with_u32(40, 2), -EUCLEAN);
	assert_int_equal(with_u32(40, UINT32_MAX), -EUCLEAN);
	assert_int_equal(with_u32(40, 0), -EUCLEAN);
	assert_int_equal(with_byte(RECORD, 99), -ENOTSUP);
	assert_int_equal(with_byte(RECORD, RECORD_MOVE), -EUCLEAN);
	assert_int_equal(with_byte(RECORD, RECORD_COMMIT), -EUCLEAN);
	assert_int_equal(with_byte(RECORD, RECORD_MAKE), -EUCLEAN);
	assert_int_equal(with_byte(RECORD, RECORD_RENAME), -EUCLEAN);
	assert_int_equal(with_u32(RECORD + 17, 1 << 30), -EUCLEAN);
	assert_int_equal(with_byte(PARTS, 4 | 2), -ENOTSUP);
	assert_int_equal(with_byte(PARTS, 0), -EUCLEAN);
	assert_int_equal(with_byte(DELTA, 2), -EUCLEAN);
	assert_int_equal(with_byte(DELTA, 4), -ENOTSUP);
	assert_int_equal(with_u32(DELTA + 1, UINT32_MAX), -EUCLEAN);
	assert_int_equal(with_u32(DELTA + 1, 1), -EUCLEAN);
	assert_int_equal(with_byte(ENTRY, 9), -EUCLEAN);
	assert_int_equal(with_byte(ENTRY + 5, 4), -EUCLEAN);
	assert_int_equal(with_byte(ENTRY + 9 + 2, '/'), -EUCLEAN);
	assert_int_equal(with_byte(ENTRY + 9 + 2, 0), -EUCLEAN);
	assert_true(with_u32(ENTRY + 5, UINT32_MAX) < 0);
	assert_int_equal(with_byte(ENTRY + 12, 4), -ENOTSUP);	/* extras */
	assert_true(with_byte(ENTRY + 12, 1) < 0);	/* no facts follow */
	assert_int_equal(with_u32(ENTRY + 14, 0123), -EUCLEAN);	/* a mode */
	cut_free(cut);
}

static void frames_cut_short_are_refused(void **state)
{
	struct contents *c = new_file(&f);
	struct cut *cut;
	size_t length;

	put(c, 10, 0, 1);
	cut = contents_cut(c);
	assert_int_equal(encode(cut), 0);
	length = frame.length;
	for (frame.length = 0; frame.length < length; frame.length++)
		assert_int_equal(decode_fails(), -EUCLEAN);
	frame.length = length;
	assert_int_equal(decode_fails(), 0);
	assert_int_equal(buffer_append(&frame, "", 1), 0);
	assert_int_equal(decode_fails(), -EUCLEAN);
	cut_free(cut);
	contents_unref(c);
}

/* ids and modes of a delta that no work tree makes */
static void hostile_deltas_are_refused(void **state)
{
	struct delta *delta = delta_new(false);
	struct cut *cut = commit_cut(delta);

	delta_add(delta, DELTA_REMOVED, 0, "a");
	delta_add(delta, DELTA_REMOVED, 0, "b");
	assert_int_equal(encode(cut), 0);
	assert_int_equal(decode_fails(), 0);
	delta->entries[1].name[0] = 'a';
	assert_int_equal(encode(cut), 0);
	assert_int_equal(decode_fails(), -EUCLEAN);
	cut_free(cut);
	delta = delta_new(false);
	cut = commit_cut(delta);
	assert_int_equal(overlay_new(f.pool, &delta_add(delta, DELTA_CONTENTS,
		MODE_TREE, "a")->contents), 0);
	assert_int_equal(encode(cut), 0);
	assert_int_equal(decode_fails(), -EUCLEAN);
	delta->entries[0].mode = MODE_SUBMODULE;
	assert_int_equal(encode(cut), 0);
	assert_int_equal(decode_fails(), -EUCLEAN);
	cut_free(cut);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(some_cuts_have_no_frame),
		TEST(bad_names_get_no_frame),
		TEST(missing_data_is_damage),
		TEST(hostile_frames_are_refused),
		TEST(frames_cut_short_are_refused),
		TEST(hostile_deltas_are_refused),
	};

	return cmocka_run_group_tests_name("journal_decode", tests, NULL, NULL);
}
