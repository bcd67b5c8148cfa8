/* SPDX-License-Identifier: ISC */
#include "tests/worktree_test.h"
#include "structures/structures.h"

/* Files of a work tree that are stored as ropes, and those that are spliced. */

static struct fixture f;

static int set_up(void **state)
{
	fixture_open(&f, "");
	return 0;
}

static int tear_down(void **state)
{
	fixture_close(&f);
	return 0;
}

/* How the path is stored: MODE_*. */
static uint32_t stored_mode(const char *path)
{
	struct tree_entry entry;

	if (tree_resolve(f.odb, &f.head, path, &entry) < 0)
		return 0;
	assert_int_equal(contents_recognise(f.odb, &entry.oid, &entry.mode,
					    NULL), 0);
	return entry.mode;
}

static int splice_at(const char *path, uint64_t offset, uint64_t gone,
		  const char *text)
{
	struct node *n = get(&f, path);
	int r = n ? node_splice(n, offset, gone, text, strlen(text)) :
		    -ENOENT;

	node_unref(n);
	return r;
}

/* The work tree is that of another mount. */
static void reload(void)
{
	struct worktree_options options = {
		.clock = test_clock, .incarnation = 6, .odb = f.odb,
		.pool = f.pool, .tree = f.head,
	};

	worktree_unref(f.w);
	assert_int_equal(worktree_new(&options, &f.w), 0);
}

static void put_attribute(void)
{
	assert_int_equal(put(&f, ".gitattributes", "*.r irmin=rope\n"), 0);
}

/* ---- splicing ---- */

static void a_file_is_spliced(void **state)
{
	assert_int_equal(put(&f, "a", "hello world"), 0);
	assert_int_equal(splice_at("a", 5, 1, ", "), 0);
	assert_file(&f, "a", "hello, world");
	assert_int_equal(splice_at("a", 13, 0, "x"), -EINVAL);
	assert_int_equal(splice_at("a", 12, 0, "!"), 0);
	assert_int_equal(splice_at("a", 7, UINT64_MAX, ""), 0);
	assert_file(&f, "a", "hello, ");
	assert_true(cut(&f));
	assert_int_equal(stored_mode("a"), MODE_FILE);
	assert_false(cut(&f));
	assert_int_equal(splice_at("absent", 0, 0, ""), -ENOENT);
	worktree_refuse(f.w, -EROFS);
	assert_int_equal(splice_at("a", 0, 0, "x"), -EROFS);
	worktree_refuse(f.w, 0);
}

/* A capture that is not stored yet was of the overlay that the file was then. */
static void a_capture_may_be_older_than_the_rope(void **state)
{
	struct delta *first, *second;

	assert_int_equal(put(&f, "a", "one two three"), 0);
	first = capture(&f);
	assert_int_equal(splice_at("a", 0, 0, "zero "), 0);
	second = capture(&f);
	store_delta(&f, first);
	adopt(&f, first);
	assert_file(&f, "a", "zero one two three");
	store_delta(&f, second);
	adopt(&f, second);
	assert_file(&f, "a", "zero one two three");
	assert_int_equal(splice_at("a", 5, 4, ""), 0);
	assert_true(cut(&f));
	reload();
	assert_file(&f, "a", "zero two three");
}

/* Who opened the file before it was converted writes to what it is now. */
static void writes_go_to_what_the_file_is(void **state)
{
	struct node *n;

	assert_int_equal(put(&f, "a", "12345"), 0);
	n = get(&f, "a");
	assert_int_equal(splice_at("a", 0, 0, "0"), 0);
	assert_int_equal(node_write(n, "x", 1, 1, false), 1);
	assert_int_equal(node_write(n, "end", 3, 0, true), 3);
	assert_reads(n, "0x2345end");
	assert_int_equal(node_truncate(n, 4), 0);
	assert_file(&f, "a", "0x23");
	node_unref(n);
}

/* ---- small changes of long texts ---- */

#define LONG ((size_t)1 << 20)

static void put_long(const char *path, size_t size, size_t nul)
{
	scoped_free char *text = malloc(size + 1);
	struct node *n;

	assert_non_null(text);
	memset(text, 'a', size);
	text[size] = '\0';
	assert_int_equal(put(&f, path, text), 0);
	n = get(&f, path);
	if (nul < size)
		assert_int_equal(node_write(n, "", 1, nul, false), 1);
	node_unref(n);
	assert_true(cut(&f));
}

/* Whether a write makes a rope of the stored file. */
static bool becomes_rope(const char *path, size_t size, uint64_t offset,
			 bool at_end)
{
	scoped_free char *data = malloc(size);
	struct node *n;
	bool is_rope;
	char c;

	assert_non_null(data);
	memset(data, 'b', size);
	reload();
	n = get(&f, path);
	assert_int_equal(node_write(n, data, size, offset, at_end), size);
	is_rope = contents_can_splice(n->contents);
	if (!at_end) {
		assert_int_equal(node_read(n, &c, 1, offset), 1);
		assert_int_equal(c, 'b');
	}
	node_unref(n);
	assert_true(cut(&f));
	return is_rope;
}

static void a_small_change_of_a_long_text_makes_a_rope(void **state)
{
	struct node *n;

	put_long("a", LONG, -1);
	assert_true(becomes_rope("a", 1, 7, false));
	assert_true(becomes_rope("a", 4095, LONG - 4095, false));
	assert_int_equal(stored_mode("a"), MODE_FILE);
	put_long("late", LONG, 8000);
	assert_true(becomes_rope("late", 1, 7, false));
	/* the second change of an overlay finds it there */
	reload();
	n = get(&f, "a");
	assert_int_equal(node_truncate(n, LONG + 1), 0);
	assert_int_equal(node_write(n, "c", 1, 9, false), 1);
	assert_false(contents_can_splice(n->contents));
	node_unref(n);
}

static void other_changes_leave_overlays(void **state)
{
	put_long("a", LONG, -1);
	assert_false(becomes_rope("a", 4096, 8192, false));
	assert_false(becomes_rope("a", 1, 0, true));
	assert_false(becomes_rope("a", 100, LONG - 50, false));
	put_long("short", LONG - 1, -1);
	assert_false(becomes_rope("short", 1, 7, false));
	/* as SQLite's: a text at first */
	put_long("soon", LONG, 20);
	assert_false(becomes_rope("soon", 1, 7, false));
	put_long("nul", LONG, 7999);
	assert_false(becomes_rope("nul", 1, 7, false));
}

/* ---- stored ropes ---- */

static void the_attribute_makes_ropes(void **state)
{
	put_attribute();
	assert_int_equal(put(&f, "a.r", "text\n"), 0);
	assert_int_equal(put(&f, "b", "text\n"), 0);
	assert_int_equal(put(&f, ".gitignore.r", "text\n"), 0);
	assert_int_equal(link_at(&f, "l.r", "a.r"), 0);
	assert_true(cut(&f));
	assert_int_equal(stored_mode("a.r"), MODE_ROPE);
	assert_int_equal(stored_mode("b"), MODE_FILE);
	assert_int_equal(stored_mode(".gitattributes"), MODE_FILE);
	assert_int_equal(stored_mode(".gitignore.r"), MODE_FILE);
	assert_int_equal(stored_mode("l.r"), MODE_SYMLINK);
	reload();
	assert_list(&f, "", ".gitattributes .gitignore.r a.r b l.r@ ");
	assert_int_equal(stat_at(&f, "a.r").st_size, 5);
	assert_true(S_ISREG(stat_at(&f, "a.r").st_mode));
	assert_file(&f, "a.r", "text\n");
	assert_int_equal(remove_at(&f, "a.r", true), -ENOTDIR);
	assert_int_equal(put(&f, "a.r/below", ""), -ENOTDIR);
	assert_false(cut(&f));
}

static void a_rope_moves_as_it_is(void **state)
{
	put_attribute();
	assert_int_equal(put(&f, "a.r", "text\n"), 0);
	assert_int_equal(make_dir(&f, "d"), 0);
	assert_true(cut(&f));
	reload();
	assert_int_equal(make_dir(&f, "e"), 0);
	assert_int_equal(move(&f, "a.r", "e/b", 0), 0);
	assert_true(cut(&f));
	assert_int_equal(stored_mode("e/b"), MODE_ROPE);
	assert_int_equal(move(&f, "e", "g", 0), 0);
	assert_true(cut(&f));
	assert_int_equal(stored_mode("g/b"), MODE_ROPE);
	assert_file(&f, "g/b", "text\n");
	/* changed where the attribute is not */
	assert_int_equal(splice_at("g/b", 0, 0, "new "), 0);
	assert_true(cut(&f));
	assert_int_equal(stored_mode("g/b"), MODE_FILE);
	assert_file(&f, "g/b", "new text\n");
}

/* ---- names that Git reads ---- */

/* The tree is the one that there is, with a rope at path, as from elsewhere. */
static void put_rope_at(const char *path, const char *text)
{
	struct tree_entry e;
	struct tree *tree;
	scoped_free struct tree_entry *entries = NULL;
	size_t count = 0;

	put_attribute();
	assert_int_equal(put(&f, "foreign.r", text), 0);
	assert_true(cut(&f));
	assert_int_equal(tree_resolve(f.odb, &f.head, "foreign.r", &e), 0);
	assert_int_equal(tree_read(f.odb, &f.head, &tree), 0);
	entries = calloc(tree->count + 1, sizeof(*entries));
	assert_non_null(entries);
	for (size_t i = 0; i < tree->count; i++)
		if (strcmp(tree->entries[i].name, path) != 0)
			entries[count++] = tree->entries[i];
	entries[count] = e;
	entries[count++].name = (char *)path;
	assert_int_equal(tree_write(f.odb, entries, count, &f.head), 0);
	tree_free(tree);
	reload();
}

static void assert_blob(const char *path, const char *text)
{
	assert_true(cut(&f));
	assert_int_equal(stored_mode(path), MODE_FILE);
	reload();
	assert_file(&f, path, text);
	assert_false(cut(&f));
}

static void a_rope_with_a_name_of_git_is_a_blob(void **state)
{
	put_attribute();
	assert_int_equal(make_dir(&f, "d"), 0);
	assert_int_equal(put(&f, "a.r", "a irmin=rope\n"), 0);
	assert_int_equal(put(&f, "d/i.r", "*.o\n"), 0);
	assert_true(cut(&f));
	reload();
	assert_int_equal(move(&f, "a.r", "d/.gitattributes", 0), 0);
	assert_blob("d/.gitattributes", "a irmin=rope\n");
	assert_int_equal(move(&f, "d/i.r", ".gitignore", 0), 0);
	assert_blob(".gitignore", "*.o\n");
	/* and its lines count */
	assert_int_equal(put(&f, "d/a", "text"), 0);
	assert_true(cut(&f));
	assert_int_equal(stored_mode("d/a"), MODE_ROPE);
	/* over the file that made it a rope */
	assert_int_equal(put(&f, "new.r", "b irmin=rope\n"), 0);
	assert_true(cut(&f));
	assert_int_equal(stored_mode("new.r"), MODE_ROPE);
	assert_int_equal(move(&f, "new.r", ".gitattributes", 0), 0);
	assert_blob(".gitattributes", "b irmin=rope\n");
}

static int make_queue(const char *path)
{
	struct node *n = get(&f, path);
	int r = n ? node_set_type(n, "queue") : -ENOENT;

	node_unref(n);
	return r;
}

/* Before it is stored, too. */
static void its_lines_count_at_once(void **state)
{
	put_attribute();
	assert_int_equal(put(&f, "a.r", "a irmin=rope\n"), 0);
	assert_true(cut(&f));
	reload();
	assert_int_equal(make_dir(&f, "q"), 0);
	assert_int_equal(move(&f, "a.r", ".gitattributes", 0), 0);
	assert_int_equal(put(&f, "a", "text"), 0);
	assert_int_equal(make_queue("q"), 0);
	assert_blob(".gitattributes", "a irmin=rope\n/q irmin=queue\n");
	assert_int_equal(stored_mode("a"), MODE_ROPE);
}

static void an_exchanged_rope_is_a_blob(void **state)
{
	put_attribute();
	assert_int_equal(put(&f, "a.r", "*.r irmin=rope\n"), 0);
	assert_true(cut(&f));
	reload();
	assert_int_equal(move(&f, "a.r", ".gitattributes", RENAME_EXCHANGE), 0);
	assert_blob(".gitattributes", "*.r irmin=rope\n");
	assert_int_equal(put(&f, "a.r", "*.r irmin=rope\n"), 0);
	assert_true(cut(&f));
	assert_int_equal(stored_mode("a.r"), MODE_ROPE);
	reload();
	assert_int_equal(move(&f, ".gitattributes", "a.r", RENAME_EXCHANGE), 0);
	assert_blob(".gitattributes", "*.r irmin=rope\n");
}

/* All names of a file are stored alike. */
static void a_linked_rope_is_a_blob(void **state)
{
	assert_int_equal(put(&f, ".gitattributes", "* irmin=rope\n"), 0);
	assert_int_equal(make_dir(&f, "d"), 0);
	assert_int_equal(make_dir(&f, "e"), 0);
	assert_int_equal(put(&f, "e/f", ""), 0);
	assert_int_equal(put(&f, "d/a.r", "*.o\n"), 0);
	assert_true(cut(&f));
	assert_int_equal(stored_mode("d/a.r"), MODE_ROPE);
	reload();
	assert_int_equal(name_again(&f, "d/a.r", "e/.gitignore"), 0);
	assert_true(cut(&f));
	assert_int_equal(stored_mode("d/a.r"), MODE_FILE);
	assert_int_equal(stored_mode("e/.gitignore"), MODE_FILE);
	assert_int_equal(put(&f, "d/a.r", "new\n"), 0);
	assert_true(cut(&f));
	assert_int_equal(stored_mode("d/a.r"), MODE_FILE);
	assert_int_equal(stored_mode("e/.gitignore"), MODE_FILE);
	assert_file(&f, "e/.gitignore", "new\n");
}

/* While the rope is captured and not stored. */
static void the_name_may_come_in_between(void **state)
{
	struct delta *delta;

	put_attribute();
	assert_int_equal(put(&f, "a.r", "text\n"), 0);
	delta = capture(&f);
	assert_int_equal(move(&f, "a.r", ".gitignore", 0), 0);
	store_delta(&f, delta);
	adopt(&f, delta);
	assert_int_equal(stored_mode("a.r"), MODE_ROPE);
	assert_blob(".gitignore", "text\n");
}

static void a_foreign_rope_has_no_lines(void **state)
{
	put_rope_at(".gitattributes", "*.r irmin=rope\n");
	assert_int_equal(stored_mode(".gitattributes"), MODE_ROPE);
	assert_list(&f, "", ".gitattributes foreign.r ");
	assert_int_equal(make_dir(&f, "d"), 0);
	assert_int_equal(put(&f, "d/a.r", "text\n"), 0);
	assert_true(cut(&f));
	assert_int_equal(stored_mode("d/a.r"), MODE_FILE);
	/* nor when it is open */
	assert_file(&f, ".gitattributes", "*.r irmin=rope\n");
	assert_int_equal(put(&f, "d/b.r", "text\n"), 0);
	assert_true(cut(&f));
	assert_int_equal(stored_mode("d/b.r"), MODE_FILE);
	assert_int_equal(make_queue("d"), -EEXIST);
	put_attribute();
	assert_int_equal(put(&f, "d/c.r", "text\n"), 0);
	assert_true(cut(&f));
	assert_int_equal(stored_mode(".gitattributes"), MODE_FILE);
	assert_int_equal(stored_mode("d/c.r"), MODE_ROPE);
}

static void the_x_bit_is_in_the_object(void **state)
{
	put_attribute();
	assert_int_equal(put(&f, "a.r", "text\n"), 0);
	assert_true(cut(&f));
	reload();
	assert_int_equal(change_mode(&f, "a.r", 0755), 0);
	assert_true(cut(&f));
	assert_int_equal(stored_mode("a.r"), MODE_ROPE_EXECUTABLE);
	reload();
	assert_int_equal(stat_at(&f, "a.r").st_mode & 0777, 0755);
	assert_int_equal(change_mode(&f, "a.r", 0640), 0);
	assert_true(cut(&f));
	assert_int_equal(stored_mode("a.r"), MODE_ROPE);
}

/* While the rope is captured and not stored. */
static void the_x_bit_may_come_in_between(void **state)
{
	struct delta *delta;

	put_attribute();
	assert_int_equal(put(&f, "a.r", "text\n"), 0);
	delta = capture(&f);
	assert_int_equal(change_mode(&f, "a.r", 0755), 0);
	store_delta(&f, delta);
	adopt(&f, delta);
	assert_int_equal(stored_mode("a.r"), MODE_ROPE);
	assert_true(cut(&f));
	assert_int_equal(stored_mode("a.r"), MODE_ROPE_EXECUTABLE);
	assert_false(cut(&f));
}

static void the_form_may_change_in_between(void **state)
{
	struct delta *first, *second;

	put_attribute();
	assert_int_equal(put(&f, "a.r", "text\n"), 0);
	first = capture(&f);
	assert_int_equal(remove_at(&f, ".gitattributes", false), 0);
	assert_int_equal(splice_at("a.r", 0, 0, "1"), 0);
	second = capture(&f);
	store_delta(&f, first);
	adopt(&f, first);
	assert_int_equal(stored_mode("a.r"), MODE_ROPE);
	store_delta(&f, second);
	adopt(&f, second);
	assert_int_equal(stored_mode("a.r"), MODE_FILE);
	assert_file(&f, "a.r", "1text\n");
	put_attribute();
	assert_int_equal(put(&f, "a.r", "again\n"), 0);
	assert_true(cut(&f));
	assert_int_equal(stored_mode("a.r"), MODE_ROPE);
	reload();
	assert_file(&f, "a.r", "again\n");
}

static void copies_share(void **state)
{
	struct node *a, *b;
	struct tree_entry x, y;

	put_attribute();
	assert_int_equal(put(&f, "a.r", "some text\n"), 0);
	assert_int_equal(put(&f, "b.r", ""), 0);
	a = get(&f, "a.r");
	b = get(&f, "b.r");
	assert_int_equal(node_truncate(a, 1 << 20), 0);
	assert_true(cut(&f));
	assert_int_equal(node_copy_range(a, 0, b, 0, 2 << 20), 1 << 20);
	assert_true(cut(&f));
	assert_int_equal(tree_resolve(f.odb, &f.head, "a.r", &x), 0);
	assert_int_equal(tree_resolve(f.odb, &f.head, "b.r", &y), 0);
	assert_true(oid_equal(&x.oid, &y.oid));
	node_unref(a);
	node_unref(b);
}

/* ---- from below ---- */

static int count_changes(void *context, const char *path,
			 const struct delta_entry *entry)
{
	buffer_printf(context, "%s:%o ", path, entry->mode);
	return 0;
}

static struct delta *changes_to(const struct oid *to, const char *want)
{
	scoped_buffer struct buffer told = { 0 };
	struct delta *delta;

	assert_int_equal(delta_between(f.odb, &f.head, to, &delta), 0);
	assert_int_equal(delta_walk(delta, count_changes, &told), 0);
	assert_string_equal(told.data, want);
	return delta;
}

static int nothing(void *context, struct delta *delta)
{
	return 0;
}

static void apply_to(const struct oid *to, const char *want)
{
	struct delta *delta = changes_to(to, want);
	char *path = NULL;

	assert_int_equal(worktree_apply(f.w, delta, NULL, nothing, NULL, &path),
			 0);
	delta_free(delta);
	f.head = *to;
}

/* A rope changes, becomes a folder and a rope again: each time one path. */
static void ropes_come_from_below(void **state)
{
	struct oid one, two, folder;

	put_attribute();
	assert_int_equal(put(&f, "a.r", "one"), 0);
	assert_true(cut(&f));
	one = f.head;
	assert_int_equal(put(&f, "a.r", "two"), 0);
	assert_true(cut(&f));
	two = f.head;
	assert_int_equal(remove_at(&f, "a.r", false), 0);
	assert_int_equal(make_dir(&f, "a.r"), 0);
	assert_int_equal(put(&f, "a.r/below", "x"), 0);
	assert_true(cut(&f));
	folder = f.head;
	apply_to(&one, "a.r:110644 ");
	assert_file(&f, "a.r", "one");
	apply_to(&two, "a.r:110644 ");
	assert_file(&f, "a.r", "two");
	apply_to(&folder, "a.r:40000 ");
	assert_file(&f, "a.r/below", "x");
	apply_to(&one, "a.r:110644 ");
	assert_list(&f, "", ".gitattributes a.r ");
	assert_false(cut(&f));
}

static void a_rope_that_is_being_written_is_busy(void **state)
{
	struct delta *delta;
	struct node *n;
	char *path = NULL;
	struct oid one;

	put_attribute();
	assert_int_equal(put(&f, "a.r", "one"), 0);
	assert_true(cut(&f));
	one = f.head;
	assert_int_equal(put(&f, "a.r", "two"), 0);
	assert_true(cut(&f));
	n = get(&f, "a.r");
	node_writer_begin(n);
	delta = changes_to(&one, "a.r:110644 ");
	assert_int_equal(worktree_apply(f.w, delta, NULL, nothing, NULL, &path),
			 -EBUSY);
	assert_string_equal(path, "a.r");
	node_writer_end(n);
	node_unref(n);
	delta_free(delta);
	free(path);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_spliced),
		TEST(a_capture_may_be_older_than_the_rope),
		TEST(writes_go_to_what_the_file_is),
		TEST(a_small_change_of_a_long_text_makes_a_rope),
		TEST(other_changes_leave_overlays),
		TEST(the_attribute_makes_ropes),
		TEST(a_rope_moves_as_it_is),
		TEST(a_rope_with_a_name_of_git_is_a_blob),
		TEST(its_lines_count_at_once),
		TEST(an_exchanged_rope_is_a_blob),
		TEST(a_linked_rope_is_a_blob),
		TEST(the_name_may_come_in_between),
		TEST(a_foreign_rope_has_no_lines),
		TEST(the_x_bit_is_in_the_object),
		TEST(the_x_bit_may_come_in_between),
		TEST(the_form_may_change_in_between),
		TEST(copies_share),
		TEST(ropes_come_from_below),
		TEST(a_rope_that_is_being_written_is_busy),
	};

	if (structures_register() < 0)
		return 1;
	return cmocka_run_group_tests_name("worktree_rope", tests, NULL, NULL);
}
