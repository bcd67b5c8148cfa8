/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_JOURNAL_RECORD_H
#define TESTS_UNIT_JOURNAL_RECORD_H

#include "tests/unit/contents_pool.h"
#include "store/checksum.h"
#include "store/journal_format.h"
#include "store/journal_record.h"
#include "store/table.h"

#include <stdio.h>

#define MOST ((size_t)16 << 20)

static struct fixture f;
static struct table *table;
static struct journal_replay *replay;
static struct buffer frame, data;	/* the last one encoded, its data file */

static inline void begin_replay(void)
{
	journal_replay_free(replay);
	assert_int_equal(journal_replay_new(f.pool, table, &replay), 0);
}

static inline int set_up(void **state)
{
	fixture_open(&f, 0, 0);
	table = table_new();
	begin_replay();
	return 0;
}

static inline int tear_down(void **state)
{
	journal_replay_free(replay);
	replay = NULL;
	table_free(table);
	buffer_release(&frame);
	buffer_release(&data);
	fixture_close(&f);
	return 0;
}

/* ---- there and back ---- */

static inline void place(struct journal_frame *made, const struct journal_extent *e)
{
	scoped_free char *bytes = malloc(e->length);

	assert_int_equal(contents_read(e->contents, bytes, e->length,
				       e->offset), e->length);
	journal_frame_place(made, e, data.length,
			    checksum64(bytes, e->length, 0));
	assert_int_equal(buffer_append(&data, bytes, e->length), 0);
}

static inline int encode(const struct cut *cut)
{
	struct journal_frame made = { 0 };
	int r = journal_encode(cut, MOST, &made);

	if (r < 0)
		return r;
	data.length = frame.length = 0;
	for (size_t i = 0; i < made.extent_count; i++)
		place(&made, &made.extents[i]);
	assert_int_equal(made.data_length, data.length);
	journal_frame_seal(&made, 5);
	assert_int_equal(buffer_append(&frame, made.bytes.data,
				       made.bytes.length), 0);
	journal_frame_release(&made);
	return 0;
}

static ssize_t read_data(void *context, void *bytes, size_t size,
			 uint64_t position)
{
	if (position > data.length)
		return 0;
	if (size > data.length - position)
		size = data.length - position;
	memcpy(bytes, data.data + position, size);
	return size;
}

static inline int decode(struct cut **ret)
{
	/* exact size on the heap, so that a read beyond it is seen */
	scoped_free char *copy = malloc(frame.length + 1);

	memcpy(copy, frame.data, frame.length);
	return journal_decode(replay, copy, frame.length, read_data, NULL, ret);
}

/* The cut as it comes back; frees the one given. */
static inline struct cut *there_and_back(struct cut *cut)
{
	struct cut *back;

	assert_true(journal_can_hold(cut));
	assert_int_equal(encode(cut), 0);
	cut_free(cut);
	assert_int_equal(get_u32_at(frame.data + 8), frame.length);
	assert_int_equal(decode(&back), 0);
	return back;
}

static inline int decode_fails(void)
{
	struct cut *cut;
	int r = decode(&cut);

	if (r == 0)
		cut_free(cut);
	return r;
}

/* ---- cuts ---- */

static inline struct commit *commit_of(const char *message)
{
	struct commit *commit = calloc(1, sizeof(*commit));

	commit->author.name = strdup("A");
	commit->author.email = strdup("a@b");
	commit->author.time = -5;
	commit->author.offset = -90;
	commit->committer.name = strdup("");
	commit->committer.email = strdup("c");
	commit->committer.time = INT64_MAX;
	commit->committer.offset = 60;
	commit->message = message ? strdup(message) : NULL;
	return commit;
}

static inline struct cut *cut_of(enum record_kind kind, const char *name)
{
	struct cut *cut = cut_new(1);

	cut->sequence = 3;
	cut->first = 2;
	cut->records[0].kind = kind;
	cut->records[0].branch = 7;
	cut->records[0].name = name ? strdup(name) : NULL;
	return cut;
}

static inline struct cut *commit_cut(struct delta *delta)
{
	struct cut *cut = cut_of(RECORD_COMMIT, NULL);

	cut->records[0].commit = commit_of(NULL);
	cut->records[0].delta = delta;
	return cut;
}

static inline struct cut *contents_cut(struct contents *c)
{
	struct delta *delta = delta_new(false);

	assert_int_equal(contents_snapshot(c, &delta_add(delta, DELTA_CONTENTS,
		MODE_FILE, "f")->contents), 0);
	contents_captured(c);
	return commit_cut(delta);
}

#endif
