/* SPDX-License-Identifier: ISC */
#include "tests/unit/journal_record.h"

#include <sys/mount.h>
#include <unistd.h>

/* Records there and back, and as bytes; hostile ones: test_journal_decode.c. */

static void all_kinds_come_back(void **state)
{
	static const enum record_kind kinds[] = {
		RECORD_COMMIT, RECORD_MAKE, RECORD_FORK, RECORD_RENAME,
		RECORD_SWAP, RECORD_DROP, RECORD_RESTORE, RECORD_EXPIRE,
	};
	size_t count = sizeof(kinds) / sizeof(*kinds);
	struct cut *cut = cut_new(count);

	cut->sequence = UINT64_MAX;
	cut->first = 1;
	for (size_t i = 0; i < count; i++) {
		struct record *record = &cut->records[i];

		record->kind = kinds[i];
		record->branch = 100 + i;
		record->from = UINT64_MAX - i;
		record->oid.id[0] = i;
		record->name = kinds[i] == RECORD_SWAP ? NULL : strdup("n");
		if (kinds[i] <= RECORD_MAKE && kinds[i] != RECORD_MOVE)
			record->commit = commit_of("m\n");
	}
	cut = there_and_back(cut);
	assert_int_equal(cut->count, count);
	assert_true(cut->sequence == UINT64_MAX && cut->first == 1);
	for (size_t i = 0; i < count; i++) {
		const struct record *record = &cut->records[i];

		assert_int_equal(record->kind, kinds[i]);
		assert_int_equal(record->branch, 100 + i);
		assert_true(record->from == UINT64_MAX - i);
		assert_int_equal(record->oid.id[0], i);
		assert_true(!record->name == (kinds[i] == RECORD_SWAP));
	}
	cut_free(cut);
}

/* Contents in the local face, as a stored base and as a captured one. */
static void own_contents_come_back(void **state)
{
	scoped_free unsigned char *bytes = pattern(3000, 4);
	struct delta_entry *entry;
	struct contents *c;
	struct oid oid;
	struct cut *cut;

	assert_int_equal(odb_write(f.local, OBJECT_BLOB, bytes, 3000, &oid), 0);
	assert_int_equal(overlay_new_local(f.pool, &oid, 3000, &c), 0);
	cut = contents_cut(c);
	entry = &cut->records[0].delta->entries[0];
	entry->same = true;
	entry->local = local_new();
	entry->local->bits = LOCAL_OBJECT;
	entry->local->object_mode = MODE_FILE;
	free(entry->name);
	entry->name = strdup(GIT_NAME);
	cut = there_and_back(cut);
	entry = &cut->records[0].delta->entries[0];
	assert_true(delta_entry_is_own(entry));
	assert_string_equal(entry->name, GIT_NAME);
	assert_pattern(entry->contents, 3000, 0, 4);
	cut_free(cut);
	contents_unref(c);
}

static void what_the_table_says_is_local_is_read_there(void **state)
{
	scoped_free unsigned char *bytes = pattern(3000, 4);
	struct contents_changes changes;
	struct table_contents known = { .size = 3000, .is_local = true };
	struct contents *c = new_file(&f);
	struct cut *cut;

	put(c, 3000, 0, 4);
	cut_free(contents_cut(c));
	put(c, 1, 0, 4);
	cut = contents_cut(c);
	contents_changes(cut->records[0].delta->entries[0].contents, &changes);
	assert_int_equal(changes.base, CONTENTS_CAPTURED);
	known.id = changes.id;
	known.version = changes.since;
	assert_int_equal(odb_write(f.local, OBJECT_BLOB, bytes, 3000,
				   &known.oid), 0);
	assert_int_equal(table_add_contents(table, &known), 0);
	cut = there_and_back(cut);
	assert_pattern(cut->records[0].delta->entries[0].contents, 3000, 0, 4);
	cut_free(cut);
	contents_unref(c);
}

static void commits_come_back(void **state)
{
	static const char *const messages[] = { NULL, "", "one\n\ntwo\n" };

	for (size_t i = 0; i < 3; i++) {
		struct cut *cut = cut_of(RECORD_COMMIT, NULL);
		const struct commit *commit;

		cut->records[0].commit = commit_of(messages[i]);
		cut->records[0].trailers = i ? strdup("Key: value\n") : NULL;
		cut = there_and_back(cut);
		commit = cut->records[0].commit;
		assert_string_equal(commit->author.email, "a@b");
		assert_int_equal(commit->author.time, -5);
		assert_int_equal(commit->author.offset, -90);
		assert_string_equal(commit->committer.name, "");
		assert_true(commit->committer.time == INT64_MAX);
		assert_int_equal(commit->parent_count, 0);
		assert_true(!commit->message == !messages[i]);
		if (messages[i])
			assert_string_equal(commit->message, messages[i]);
		assert_true(!cut->records[0].trailers == !i);
		cut_free(cut);
	}
}

/* ---- deltas ---- */

static void deltas_come_back(void **state)
{
	struct delta *delta = delta_new(false), *inner = delta_new(true);
	const struct delta_entry *e;
	struct cut *cut;

	delta_add(delta, DELTA_REMOVED, 0, "gone");
	delta_add(delta, DELTA_OBJECT, MODE_SUBMODULE, "module")->oid.id[3] = 9;
	delta_add(delta, DELTA_DIRECTORY, MODE_TREE, "dir")->directory = inner;
	delta_add(inner, DELTA_DIRECTORY, MODE_TREE, "empty")->directory =
		delta_new(true);
	assert_int_equal(overlay_new(f.pool, &delta_add(delta, DELTA_CONTENTS,
		MODE_SYMLINK, "link")->contents), 0);
	cut = there_and_back(commit_cut(delta));
	delta = cut->records[0].delta;
	assert_int_equal(delta->count, 4);
	assert_false(delta->complete);
	e = delta->entries;
	assert_int_equal(e[0].kind, DELTA_REMOVED);
	assert_string_equal(e[0].name, "gone");
	assert_int_equal(e[1].mode, MODE_SUBMODULE);
	assert_int_equal(e[1].oid.id[3], 9);
	assert_true(e[2].directory->complete);
	assert_int_equal(e[2].directory->entries[0].directory->count, 0);
	assert_int_equal(e[3].mode, MODE_SYMLINK);
	assert_int_equal(contents_size(e[3].contents), 0);
	cut_free(cut);
}

static struct local *some_facts(unsigned int uid)
{
	struct local *local = local_new();

	local->bits = LOCAL_ATTRIBUTES | LOCAL_TIMES;
	local->mode = S_IFREG | 0640;
	local->uid = uid;
	local->mtime.tv_nsec = 7;
	return local;
}

static void facts_come_back(void **state)
{
	struct delta *delta = delta_new(false);
	struct delta_entry *e;
	struct cut *cut;

	delta->local = some_facts(1);
	e = delta_add(delta, DELTA_OBJECT, MODE_FILE, "file");
	e->local = some_facts(2);
	e->same = true;
	e = delta_add(delta, DELTA_DIRECTORY, MODE_TREE, "dir");
	e->directory = delta_new(true);
	e->local = some_facts(3);
	cut = there_and_back(commit_cut(delta));
	delta = cut->records[0].delta;
	e = delta->entries;
	assert_int_equal(delta->local->uid, 1);
	assert_int_equal(e[0].local->uid, 2);
	assert_int_equal(e[0].local->mtime.tv_nsec, 7);
	assert_true(e[0].same && !e[1].same);
	assert_int_equal(e[1].local->uid, 3);
	assert_null(e[1].directory->local);
	cut_free(cut);
}

static struct delta *nested(unsigned int levels)
{
	struct delta *delta = delta_new(false);

	while (--levels) {
		struct delta *outer = delta_new(false);

		delta_add(outer, DELTA_DIRECTORY, MODE_TREE, "d")->directory =
			delta;
		delta = outer;
	}
	return delta;
}

/* What can be stored comes back; nothing else gets a frame. */
static void depth_is_limited_on_both_sides(void **state)
{
	struct oid base = oid_empty_tree;
	struct delta *delta = nested(TREE_DEPTH_MAX + 1);
	struct cut *cut;

	assert_int_equal(delta_store(delta, f.inner, &base), 0);
	cut_free(there_and_back(commit_cut(delta)));
	cut = commit_cut(nested(TREE_DEPTH_MAX + 2));
	assert_int_equal(encode(cut), -ENOTSUP);
	cut_free(cut);
}

/* ---- contents ---- */

static void assert_same(struct contents *a, struct contents *b)
{
	uint64_t size = contents_size(a);
	scoped_free char *x = malloc(size + 1), *y = malloc(size + 1);

	assert_int_equal(contents_size(b), size);
	assert_int_equal(contents_read(a, x, size, 0), size);
	assert_int_equal(contents_read(b, y, size, 0), size);
	assert_memory_equal(x, y, size);
}

/* c's changes come back as what it is. */
static void check_contents(struct contents *c)
{
	struct cut *cut = there_and_back(contents_cut(c));

	assert_same(c, cut->records[0].delta->entries[0].contents);
	cut_free(cut);
}

static void contents_come_back_change_by_change(void **state)
{
	struct contents *c = new_file(&f);

	check_contents(c);
	put(c, 100, 0, 1);
	check_contents(c);
	put(c, 50, 300, 2);
	check_contents(c);
	assert_true(frame.length < 400);
	assert_int_equal(contents_truncate(c, 20), 0);
	assert_int_equal(contents_truncate(c, 90), 0);
	check_contents(c);
	assert_int_equal(contents_zero(c, 5, 10), 0);
	check_contents(c);
	put(c, 3 * JOURNAL_PIECE + 7, 1000, 3);
	check_contents(c);
	assert_int_equal(data.length, 3 * JOURNAL_PIECE);
	assert_int_equal(contents_truncate(c, CONTENTS_SIZE_MAX / 1024), 0);
	check_contents(c);
	assert_true(frame.length < 400);
	contents_unref(c);
}

static void stored_contents_come_back(void **state)
{
	struct contents *c = stored_file(&f, 3 * BLOCK, 1);

	put(c, 10, BLOCK, 2);
	check_contents(c);
	assert_true(frame.length < 400);
	put(c, 10, BLOCK + 5, 3);
	check_contents(c);
	assert_int_equal(contents_truncate(c, 1000), 0);
	check_contents(c);
	contents_unref(c);
}

/* A pool on a disk of 1 MiB; or NULL: that needs root. */
static struct pool *small_pool(int *ret_fd)
{
	char path[] = "/tmp/irminfs-test-XXXXXX";
	struct pool_options options = {
		.odb = f.inner, .local = f.local, .block_budget = 64 << 20,
	};
	struct pool *pool = NULL;

	assert_non_null(mkdtemp(path));
	if (mount("none", path, "tmpfs", 0, "size=1m") == 0) {
		*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		umount2(path, MNT_DETACH);
		options.dir_fd = *ret_fd;
		assert_int_equal(pool_new(&options, &pool), 0);
	}
	rmdir(path);
	return pool;
}

/* It cannot be stored before there is room, but was acknowledged. */
static void contents_come_back_on_a_full_disk(void **state)
{
	struct contents *c = new_file(&f), *new;
	size_t size = 4 << 20;
	scoped_free unsigned char *bytes = pattern(size, 2);
	struct cut *cut;
	int fd = -1;
	struct pool *pool = small_pool(&fd);

	put(c, size, 0, 1);
	if (pool) {
		journal_replay_free(replay);
		assert_int_equal(journal_replay_new(pool, table, &replay), 0);
		cut = there_and_back(contents_cut(c));
		assert_same(c, cut->records[0].delta->entries[0].contents);
		cut_free(cut);
		begin_replay();
		assert_int_equal(overlay_new(pool, &new), 0);
		assert_int_equal(contents_write(new, bytes, size, 0), -ENOSPC);
		contents_unref(new);
		pool_free(pool);
		close(fd);
	}
	contents_unref(c);
	if (!pool)
		skip();
}

/* Names of one file: their contents stand once in the frame, whatever they are
 * based on, and the next cut builds on them. */
static void check_names(struct contents *c)
{
	struct delta *delta = delta_new(false);
	struct contents *snapshot;
	struct cut *cut;

	assert_int_equal(contents_snapshot(c, &snapshot), 0);
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "a", "b", "c" };

		delta_add(delta, DELTA_CONTENTS, MODE_FILE,
			  names[i])->contents = contents_ref(snapshot);
	}
	contents_unref(snapshot);
	contents_captured(c);
	cut = there_and_back(commit_cut(delta));
	assert_true(frame.length < contents_size(c) + 600);
	for (int i = 0; i < 3; i++)
		assert_same(c, cut->records[0].delta->entries[i].contents);
	cut_free(cut);
}

static void names_of_a_file_share_their_contents(void **state)
{
	struct contents *c = new_file(&f), *s = stored_file(&f, BLOCK, 1);

	put(c, 2000, 0, 1);
	check_names(c);
	put(c, 10, 1500, 2);
	check_names(c);
	assert_true(frame.length < 800);
	assert_int_equal(contents_truncate(c, 20), 0);
	check_names(c);
	check_names(s);
	put(s, 10, 5, 3);
	check_names(s);
	assert_true(frame.length < 800);
	contents_unref(c);
	contents_unref(s);
}

static void a_hole_takes_no_room(void **state)
{
	struct contents *c = new_file(&f);

	put(c, 10, 5 << 20, 1);
	check_contents(c);
	assert_true(frame.length < 400);
	assert_int_equal(data.length, 0);
	put(c, JOURNAL_LONG, 0, 2);
	check_contents(c);
	assert_int_equal(data.length, JOURNAL_LONG);
	contents_unref(c);
}

/* The frame before is published and gone: the table knows what it made. */
static void the_table_knows_the_base(void **state)
{
	struct contents *c = new_file(&f);
	struct contents_changes changes;
	struct table_contents known;
	struct contents *snapshot;

	put(c, 100, 0, 1);
	check_contents(c);
	assert_int_equal(contents_snapshot(c, &snapshot), 0);
	contents_changes(snapshot, &changes);
	known = (struct table_contents){
		.id = changes.id, .version = changes.version,
		.size = changes.size,
	};
	assert_int_equal(contents_store(snapshot, f.inner, &known.oid), 0);
	contents_unref(snapshot);
	put(c, 10, 50, 2);
	begin_replay();
	{
		struct cut *cut = contents_cut(c);

		assert_int_equal(encode(cut), 0);
		cut_free(cut);
	}
	assert_int_equal(decode_fails(), -EUCLEAN);
	assert_int_equal(table_add_contents(table, &known), 0);
	assert_int_equal(decode_fails(), 0);
	contents_unref(c);
}

static void contents_that_cannot_be_read_give_no_frame(void **state)
{
	struct contents *c = stored_file(&f, 1000, 1);
	struct contents *copy = new_file(&f);
	struct cut *cut;

	assert_int_equal(contents_share(c, 0, copy, BLOCK, 1000), 1000);
	cut = contents_cut(copy);
	f.fail = -EIO;
	assert_int_equal(encode(cut), -EIO);
	f.fail = 0;
	cut_free(cut);
	contents_unref(copy);
	contents_unref(c);
}

static void what_is_too_long_is_refused(void **state)
{
	struct cut *cut = cut_of(RECORD_RENAME, "name");
	struct journal_frame made = { 0 };
	size_t length;

	assert_int_equal(encode(cut), 0);
	length = frame.length;
	assert_int_equal(journal_encode(cut, length - 1, &made), -EFBIG);
	assert_int_equal(journal_encode(cut, 0, &made), -EFBIG);
	assert_int_equal(journal_encode(cut, length, &made), 0);
	journal_frame_release(&made);
	cut_free(cut);
}

/* ---- bytes ---- */

static const unsigned char golden[] = {
	/* checksum, seed 5 */
	0xed, 0x7e, 0xa5, 0x4a, 0xa4, 0xa6, 0x0d, 0x49,
	/* length, flags */
	0x04, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	/* sequence */
	0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	/* first */
	0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	/* time */
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	/* one record */
	0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	/* COMMIT of branch 7 */
	0x00, 0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00,
	/* no name */
	0xff, 0xff, 0xff, 0xff,
	/* no oid */
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	/* commit and delta */
	0x03,
	/* no parents */
	0x00, 0x00, 0x00, 0x00,
	/* author */
	0x01, 0x00, 0x00, 0x00, 0x41, 0x03, 0x00, 0x00, 0x00, 0x61, 0x40, 0x62,
	0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xa6, 0xff, 0xff, 0xff,
	/* committer */
	0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x63, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0x7f, 0x3c, 0x00, 0x00, 0x00,
	/* no message; trailers */
	0xff, 0xff, 0xff, 0xff, 0x01, 0x00, 0x00, 0x00, 0x54,
	/* complete, two entries */
	0x01, 0x02, 0x00, 0x00, 0x00,
	/* REMOVED b */
	0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x62, 0x00,
	/* CONTENTS a */
	0x02, 0xa4, 0x81, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x61, 0x00,
	/* id, version, size */
	0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	/* base EMPTY */
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00,
	/* low */
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	/* one extent */
	0x01, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x78, 0x79, 0x7a,
};

/* A removed file and one of three bytes, in a commit. */
static void the_format_stays_what_it_is(void **state)
{
	struct delta *delta = delta_new(true);
	struct cut *cut = commit_cut(delta);
	struct contents *c = new_file(&f);

	assert_int_equal(contents_write(c, "xyz", 3, 2), 3);
	delta_add(delta, DELTA_REMOVED, 0, "b");
	assert_int_equal(contents_snapshot(c, &delta_add(delta, DELTA_CONTENTS,
		MODE_FILE, "a")->contents), 0);
	cut->records[0].trailers = strdup("T");
	assert_int_equal(encode(cut), 0);
	assert_int_equal(frame.length, sizeof(golden));
	assert_memory_equal(frame.data, golden, sizeof(golden));
	cut_free(cut);
	contents_unref(c);
}

static const unsigned char golden_facts[] = {
	/* facts of the root, that has none; one entry */
	0x02, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
	/* OBJECT a, facts and the same */
	0x01, 0xa4, 0x81, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x61, 0x03,
	/* attributes and times */
	0x03, 0x00, 0xa0, 0x81, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00,
	/* oid */
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};

static void so_does_that_of_facts(void **state)
{
	struct delta *delta = delta_new(false);
	struct cut *cut = commit_cut(delta);
	struct delta_entry *e = delta_add(delta, DELTA_OBJECT, MODE_FILE, "a");
	size_t size = sizeof(golden_facts);

	delta->local = local_new();
	e->local = some_facts(2);
	e->same = true;
	assert_int_equal(encode(cut), 0);
	assert_memory_equal(frame.data + frame.length - size, golden_facts,
			    size);
	cut_free(cut);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(all_kinds_come_back),
		TEST(own_contents_come_back),
		TEST(what_the_table_says_is_local_is_read_there),
		TEST(commits_come_back),
		TEST(deltas_come_back),
		TEST(facts_come_back),
		TEST(depth_is_limited_on_both_sides),
		TEST(contents_come_back_change_by_change),
		TEST(stored_contents_come_back),
		TEST(contents_come_back_on_a_full_disk),
		TEST(names_of_a_file_share_their_contents),
		TEST(a_hole_takes_no_room),
		TEST(the_table_knows_the_base),
		TEST(contents_that_cannot_be_read_give_no_frame),
		TEST(what_is_too_long_is_refused),
		TEST(the_format_stays_what_it_is),
		TEST(so_does_that_of_facts),
	};

	return cmocka_run_group_tests_name("journal_record", tests, NULL, NULL);
}
