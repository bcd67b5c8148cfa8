/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_ENGINE_JOURNAL_H
#define TESTS_UNIT_ENGINE_JOURNAL_H

#include "tests/unit/engine_fake.h"
#include "tests/unit/journal_fake.h"
#include "store/overlay.h"

#include <fcntl.h>

/* The engine with a journal.  Nothing is published by itself unless a test says
 * so: the pause is long. */

#define LONG_PAUSE ((uint64_t)3600 * 1000000000)
#define SHORT_PAUSE ((uint64_t)1000000)

static struct disk disk;
static struct pool *pool;
static int folder = -1;
static uint64_t pause_ns;
static bool keep_all;

static inline int set_up_journal(void **state)
{
	struct pool_options options = {
		.block_budget = 8 << 20, .blob_budget = 1 << 20,
	};

	if (set_up(state) < 0)
		return -1;
	pause_ns = LONG_PAUSE;
	keep_all = false;
	disk_init(&disk);
	folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	options.odb = odb;
	options.dir_fd = folder;
	return pool_new(&options, &pool);
}

static inline int tear_down_journal(void **state)
{
	engine_free(engine);
	engine = NULL;
	pool_free(pool);
	close(folder);
	disk_release(&disk);
	return tear_down(state);
}

static inline int try_open_journal(bool readonly, struct report *report)
{
	const struct engine_options options = {
		.odb = odb, .storage = &fake.storage, .clock = fake_clock,
		.journal = disk_files(&disk), .pool = pool,
		.pause_ns = pause_ns, .keep_all = keep_all,
		.readonly = readonly,
	};

	return engine_open(&options, &engine, report);
}

static inline void open_it(void)
{
	struct report report = { "" };

	assert_int_equal(try_open_journal(false, &report), 0);
	assert_string_equal(report.text, "");
}

static inline void fail_all(int error)
{
	SCOPED_LOCK(&fake.lock);

	fake.table_error = fake.pin_error = fake.update_error = error;
	disk_fail(&disk, error, error);
}

/* The machine stops: nothing more has an effect, what was not flushed is lost. */
static inline void crash(void)
{
	fail_all(-EIO);
	engine_free(engine);
	engine = NULL;
	fail_all(0);
	disk_lose(&disk);
}

/* A commit that may be folded. */
static inline struct record quiet(uint64_t branch, const char *name, const char *text)
{
	struct record record = commit_of(branch, name, text);

	free(record.commit->message);
	record.commit->message = NULL;
	return record;
}

/* A branch in Git. */
static inline uint64_t made(const char *name)
{
	uint64_t branch = make(name);

	assert_int_equal(engine_publish_all(engine), 0);
	return branch;
}

static inline uint64_t queue_one(struct record record)
{
	return queue(&record, 1);
}

/* Of branch 1, whose file c has the text from its beginning on. */
static inline struct cut *contents_cut(struct contents *c,
				       const char *text)
{
	struct cut *cut = cut_new(1);
	struct record *record = &cut->records[0];

	assert_int_equal(contents_write(c, text, strlen(text), 0),
			 (ssize_t)strlen(text));
	*record = quiet(1, NULL, NULL);
	record->delta = delta_new(false);
	assert_int_equal(contents_snapshot(c, &delta_add(record->delta,
		DELTA_CONTENTS, MODE_FILE, "c")->contents), 0);
	contents_captured(c);
	return cut;
}

static inline bool is_published(uint64_t branch, uint64_t sequence)
{
	struct oid head;

	return engine_is_published(engine, branch, sequence, &head);
}

static inline bool has_file(uint64_t branch, const char *name)
{
	struct oid oid = file_of(branch, name);

	return !oid_is_zero(&oid);
}

static inline struct engine_stats stats_now(void)
{
	struct engine_stats stats;

	engine_get_stats(engine, &stats);
	return stats;
}

/* The newest commit of a branch. */
static inline struct commit *newest(uint64_t branch)
{
	struct oid head = head_of(branch);
	struct commit *commit;

	assert_int_equal(engine_publish_all(engine), 0);
	head = head_of(branch);
	assert_int_equal(commit_read(odb, &head, &commit), 0);
	return commit;
}

static inline void assert_message(uint64_t branch, const char *part)
{
	struct commit *commit = newest(branch);

	assert_non_null(strstr(commit->message, part));
	commit_free(commit);
}

#define JTEST(name)                                                            \
	cmocka_unit_test_setup_teardown(name, set_up_journal, tear_down_journal)

#endif
