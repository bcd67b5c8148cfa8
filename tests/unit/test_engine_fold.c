/* SPDX-License-Identifier: ISC */
#include "tests/unit/engine_journal.h"
#include "store/engine_private.h"
#include "store/journal_record.h"

#include <utlist.h>

static uint64_t add(struct cut *cut)
{
	uint64_t sequence;

	assert_int_equal(engine_cut(engine, cut, &sequence), 0);
	return sequence;
}

static void assert_contents(const char *text)
{
	struct oid oid = file_of(1, "c"), wanted;

	assert_int_equal(odb_write(odb, OBJECT_BLOB, text, strlen(text),
				   &wanted), 0);
	assert_true(oid_equal(&oid, &wanted));
}

static bool has_failed_again(uint64_t failures)
{
	for (int i = 0; i < 500; i++) {
		if (stats_now().failures > failures)
			return true;
		usleep(10000);
	}
	return false;
}

/* While Git is full, what comes while the thread writes frames is tried without. */
static void what_is_tried_without_frames_comes_back(void **state)
{
	struct contents *c;
	uint64_t sequence, failures;

	open_it();
	made("main");
	assert_int_equal(overlay_new(pool, &c), 0);
	sequence = add(contents_cut(c, "aaaaaa"));
	assert_int_equal(engine_wait(engine, sequence), 0);
	set_error(&fake.table_error, -ENOSPC);
	assert_int_equal(engine_publish_all(engine), -ENOSPC);
	failures = stats_now().failures;
	disk_shut(&disk, &disk.shut, true);
	add(contents_cut(c, "bbbbb"));
	while (!disk_waiting(&disk))
		usleep(1000);
	add(contents_cut(c, "cccc"));
	sequence = add(contents_cut(c, "dd"));
	disk_shut(&disk, &disk.shut, false);
	assert_true(has_failed_again(failures));
	assert_int_equal(engine_wait(engine, sequence), 0);
	contents_unref(c);
	crash();
	set_error(&fake.table_error, 0);
	open_it();
	assert_int_equal(engine_publish_all(engine), 0);
	assert_contents("ddccba");
	close_engine();
}

/* Contents of the newer one say how they differ from those of the older. */
static void what_is_folded_without_frames_gets_none(void **state)
{
	struct cut *cuts = NULL, *folded;
	struct contents *c;

	assert_int_equal(overlay_new(pool, &c), 0);
	for (int i = 0; i < 2; i++) {
		struct cut *cut = contents_cut(c, "a");

		cut->first = cut->sequence = i + 1;
		assert_true(journal_can_hold(cut));
		LL_APPEND(cuts, cut);
	}
	folded = engine_fold(&cuts, false);
	assert_null(cuts->next);
	assert_int_equal(cuts->first, 1);
	assert_false(journal_can_hold(cuts));
	cut_free(cuts);
	cut_free(folded);
	contents_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JTEST(what_is_tried_without_frames_comes_back),
		JTEST(what_is_folded_without_frames_gets_none),
	};

	return cmocka_run_group_tests_name("engine_fold", tests, NULL, NULL);
}
