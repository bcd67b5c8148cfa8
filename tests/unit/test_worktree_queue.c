/* SPDX-License-Identifier: ISC */
#include "tests/queue_test.h"

static void test_push(void **state)
{
	OPEN(JOBS);
	assert_int_equal(put(f, "jobs/b", "1"), 0);
	assert_int_equal(put(f, "jobs/a", "2"), 0);
	assert_int_equal(link_at(f, "jobs/c", "x"), 0);
	assert_int_equal(make_dir(f, "jobs/d"), -EPERM);
	assert_int_equal(make_at(f, "jobs/a", S_IFREG | 0644), -EEXIST);
	assert_list(f, "jobs", "b a c@ ");
	assert_true(cut(f));
	assert_stored(f, "jobs", "b a c ");
	assert_int_equal(put(f, "jobs/0", "4"), 0);
	assert_true(cut(f));
	assert_false(cut(f));
	assert_stored(f, "jobs", "b a c 0 ");
	remount(f);
	assert_list(f, "jobs", "b a c@ 0 ");
	assert_file(f, "jobs/a", "2");
	assert_file(f, "jobs/0", "4");
	assert_false(cut(f));
	fixture_close(f);
}

static void test_pop(void **state)
{
	OPEN(JOBS);
	assert_int_equal(put(f, "jobs/a", "1"), 0);
	assert_int_equal(put(f, "jobs/b", "2"), 0);
	assert_int_equal(put(f, "jobs/c", "3"), 0);
	assert_true(cut(f));
	assert_int_equal(remove_at(f, "jobs/b", false), 0);
	assert_int_equal(remove_at(f, "jobs/b", false), -ENOENT);
	assert_true(cut(f));
	assert_stored(f, "jobs", "a c ");
	assert_int_equal(put(f, "jobs/b", "again"), 0);
	assert_true(cut(f));
	assert_stored(f, "jobs", "a c b ");
	/* the same name twice between two cuts */
	assert_int_equal(remove_at(f, "jobs/a", false), 0);
	assert_int_equal(put(f, "jobs/a", "5"), 0);
	assert_int_equal(remove_at(f, "jobs/a", false), 0);
	assert_int_equal(put(f, "jobs/a", "6"), 0);
	assert_true(cut(f));
	assert_stored(f, "jobs", "c b a ");
	remount(f);
	assert_file(f, "jobs/a", "6");
	assert_int_equal(remove_at(f, "jobs/a", false), 0);
	assert_int_equal(remove_at(f, "jobs/b", false), 0);
	assert_int_equal(remove_at(f, "jobs/c", false), 0);
	assert_true(cut(f));
	assert_head(f, JOBS);
	assert_list(f, "jobs", "");
	remount(f);
	assert_list(f, "", ".gitattributes jobs/ ");
	assert_list(f, "jobs", "");
	assert_false(cut(f));
	fixture_close(f);
}

static void test_rename(void **state)
{
	OPEN(JOBS "x=7\n");
	assert_int_equal(put(f, "jobs/a", "1"), 0);
	assert_int_equal(put(f, "jobs/b", "2"), 0);
	assert_true(cut(f));
	/* within: it keeps its place in the order */
	assert_renamed(f, "jobs/a", "jobs/z", NULL);
	assert_list(f, "jobs", "z b ");
	assert_true(cut(f));
	assert_stored(f, "jobs", "z b ");
	/* to and fro between two cuts is nothing */
	assert_renamed(f, "jobs/z", "jobs/y", NULL);
	assert_renamed(f, "jobs/y", "jobs/z", NULL);
	assert_true(cut(f));
	assert_stored(f, "jobs", "z b ");
	/* into: at the end, and nothing is replaced */
	assert_renamed(f, "x", "jobs/z", "z~2");
	assert_list(f, "jobs", "z b z~2 ");
	assert_true(cut(f));
	assert_stored(f, "jobs", "z b z~2 ");
	assert_renamed(f, "jobs/b", "jobs/z", "z~3");
	assert_list(f, "jobs", "z z~3 z~2 ");
	/* out */
	assert_renamed(f, "jobs/z", "done", NULL);
	free(rename_to(f, "jobs/z", "done", 0, -ENOENT));
	assert_renamed(f, "jobs/z~2", "done", NULL);
	assert_file(f, "done", "7");
	assert_true(cut(f));
	assert_stored(f, "jobs", "z~3 ");
	remount(f);
	assert_list(f, "jobs", "z~3 ");
	assert_file(f, "jobs/z~3", "2");
	assert_file(f, "done", "7");
	free(rename_to(f, "done", "jobs/z~3", RENAME_EXCHANGE, -EINVAL));
	free(rename_to(f, "done", "jobs/z~3", RENAME_NOREPLACE, -EEXIST));
	assert_int_equal(make_dir(f, "folder"), 0);
	free(rename_to(f, "folder", "jobs/folder", 0, -EPERM));
	free(rename_to(f, "folder", "jobs", 0, -ENOTEMPTY));
	assert_int_equal(remove_at(f, "jobs/z~3", false), 0);
	free(rename_to(f, "folder", "jobs", 0, -EEXIST));
	fixture_close(f);
}

static void test_modified(void **state)
{
	OPEN(JOBS);
	assert_int_equal(put(f, "jobs/a", "1"), 0);
	assert_int_equal(put(f, "jobs/b", "2"), 0);
	assert_true(cut(f));
	assert_int_equal(put(f, "jobs/a", "changed"), 0);
	assert_renamed(f, "jobs/a", "jobs/c", NULL);
	assert_true(cut(f));
	remount(f);
	assert_list(f, "jobs", "c b ");
	assert_file(f, "jobs/c", "changed");
	fixture_close(f);
}

static void test_convert(void **state)
{
	OPEN("a/jobs/x=1\na/jobs/y=2\nq/.gitignore=o\nq/b=2\nq/l=1\n");
	assert_int_equal(set_type(f, "a"), -ENOTEMPTY);
	assert_int_equal(set_type(f, ""), -EPERM);
	assert_int_equal(set_type(f, "q/b"), -ENOTDIR);
	assert_int_equal(put(f, "a/jobs/m", "3"), 0);
	assert_int_equal(set_type(f, "a/jobs"), 0);
	assert_true(worktree_took_attributes(f->w));
	assert_false(worktree_took_attributes(f->w));
	assert_int_equal(set_type(f, "a/jobs"), 0);
	assert_int_equal(set_type(f, "q"), 0);
	assert_list(f, "a/jobs", "m x y ");
	assert_file(f, ".gitattributes", "/a/jobs irmin=queue\n"
					 "/q irmin=queue\n");
	assert_true(cut(f));
	assert_stored(f, "a/jobs", "m x y ");
	assert_stored(f, "q", "b l ?.gitignore ");
	assert_int_equal(put(f, "a/jobs/b", "4"), 0);
	assert_int_equal(remove_at(f, "a/jobs/x", false), 0);
	assert_true(cut(f));
	assert_stored(f, "a/jobs", "m y b ");
	remount(f);
	assert_list(f, "a/jobs", "m y b ");
	assert_list(f, "q", "b l .gitignore ");
	assert_file(f, "a/jobs/m", "3");
	fixture_close(f);
}

/* Converted and changed before it was stored. */
static void test_convert_and_change(void **state)
{
	OPEN("jobs/x=1\njobs/y=2\nother=1\n");
	assert_int_equal(remove_at(f, "jobs/x", false), 0);
	assert_int_equal(set_type(f, "jobs"), 0);
	assert_int_equal(put(f, "jobs/x", "3"), 0);
	assert_int_equal(remove_at(f, "jobs/y", false), 0);
	assert_true(cut(f));
	assert_stored(f, "jobs", "x ");
	assert_int_equal(remove_at(f, "jobs/x", false), 0);
	assert_true(cut(f));
	assert_head(f, JOBS "other=1\n");
	fixture_close(f);
}

static void test_lines(void **state)
{
	OPEN(".gitattributes=*.c text\\n/d/a irmin=queue merge=ours\n"
	     "d/f=1\n");
	assert_list(f, "d", "f a/ ");
	assert_int_equal(put(f, "d/a/1", "1"), 0);
	assert_true(cut(f));
	/* the line follows, and what is below a folder too */
	assert_renamed(f, "d/a", "d/b *", NULL);
	assert_file(f, ".gitattributes", "*.c text\n"
		    "\"/d/b \\\\*\" irmin=queue merge=ours\n");
	assert_renamed(f, "d", "e", NULL);
	assert_file(f, ".gitattributes", "*.c text\n"
		    "\"/e/b \\\\*\" irmin=queue merge=ours\n");
	assert_true(cut(f));
	assert_stored(f, "e/b *", "1 ");
	remount(f);
	assert_list(f, "e/b *", "1 ");
	assert_int_equal(remove_at(f, "e/b *", true), -ENOTEMPTY);
	assert_int_equal(remove_at(f, "e/b *", false), -EISDIR);
	assert_int_equal(remove_at(f, "e/b */1", false), 0);
	assert_int_equal(remove_at(f, "e/b *", true), 0);
	assert_file(f, ".gitattributes", "*.c text\n"
		    "\"/e/b \\\\*\" merge=ours\n");
	assert_true(cut(f));
	fixture_close(f);
}

/* What no literal line says gets one when the queue moves. */
static void test_pattern(void **state)
{
	OPEN(".gitattributes=jobs irmin=queue\n");
	assert_int_equal(make_dir(f, "jobs"), 0);
	assert_int_equal(put(f, "jobs/1", "1"), 0);
	assert_true(cut(f));
	remount(f);
	assert_renamed(f, "jobs", "tasks", NULL);
	assert_true(cut(f));
	assert_stored(f, "tasks", "1 ");
	assert_file(f, ".gitattributes", "jobs irmin=queue\n"
					 "/tasks irmin=queue\n");
	remount(f);
	assert_list(f, "", ".gitattributes tasks/ ");
	assert_list(f, "tasks", "1 ");
	fixture_close(f);
}

static void note_dir(void *context, struct node *dir)
{
	scoped_free char *path = node_path(dir);

	assert_int_equal(buffer_printf(context, "%s ", path), 0);
}

/* want: the directories that become something else. */
static void assert_retyped(struct fixture *f, const char *want)
{
	scoped_buffer struct buffer paths = { 0 };

	assert_true(worktree_has_new_types(f->w));
	assert_int_equal(buffer_puts(&paths, ""), 0);
	worktree_apply_types(f->w, false, note_dir, &paths);
	assert_string_equal(paths.data, want);
	assert_false(worktree_has_new_types(f->w));
}

/* Directories that are loaded follow lines that somebody writes. */
static void test_written(void **state)
{
	struct node *loaded;

	OPEN("a/b=1\na/jobs/b=2\na/jobs/a=1\njobs/d/x=1\nq/jobs/x=1\n");
	loaded = get(f, "jobs");
	assert_list(f, "a/jobs", "a b ");
	assert_list(f, "jobs", "d/ ");
	assert_int_equal(put(f, "a/jobs/new", "3"), 0);
	assert_int_equal(put(f, ".gitattributes", "*.c text\n"), 0);
	assert_retyped(f, "");
	assert_int_equal(put(f, ".gitattributes", "jobs irmin=queue\n"), 0);
	/* what holds more than files stays as it was loaded */
	assert_retyped(f, "a/jobs ");
	assert_list(f, "jobs", "d/ ");
	node_unref(loaded);
	assert_list(f, "q/jobs", "x ");
	assert_int_equal(put(f, "a/jobs/0", "4"), 0);
	assert_list(f, "a/jobs", "a b new 0 ");
	assert_int_equal(make_dir(f, "a/jobs/d"), -EPERM);
	assert_true(cut(f));
	assert_stored(f, "a/jobs", "a b new 0 ");
	remount(f);
	assert_list(f, "a/jobs", "a b new 0 ");
	assert_file(f, "a/jobs/new", "3");
	fixture_close(f);
}

/* In whatever way the lines come; what is open stays what it is. */
static void test_written_elsewhere(void **state)
{
	struct node *n;

	OPEN("d/jobs/a=1\nx=jobs irmin=queue\\n\n");
	n = get(f, "d/jobs/a");
	assert_int_equal(node_writer_begin(n), 0);
	assert_int_equal(move(f, "x", "d/.gitattributes", 0), 0);
	assert_retyped(f, "d/jobs ");
	assert_int_equal(node_write(n, "2", 1, 1, false), 1);
	node_writer_end(n);
	node_unref(n);
	assert_int_equal(put(f, "d/jobs/0", ""), 0);
	assert_list(f, "d/jobs", "a 0 ");
	assert_true(cut(f));
	remount(f);
	assert_file(f, "d/jobs/a", "12");
	assert_list(f, "d/jobs", "a 0 ");
	fixture_close(f);
}

/* An empty queue is a plain directory when its line goes; what has elements keeps
 * their order. */
static void test_line_removed(void **state)
{
	OPEN(".gitattributes=jobs irmin=queue\n");
	assert_int_equal(make_dir(f, "jobs"), 0);
	assert_int_equal(put(f, "jobs/b", "1"), 0);
	assert_int_equal(put(f, "jobs/a", "2"), 0);
	assert_int_equal(remove_at(f, ".gitattributes", false), 0);
	assert_retyped(f, "");
	assert_list(f, "jobs", "b a ");
	assert_int_equal(put(f, ".gitattributes", "jobs irmin=queue\n"), 0);
	assert_retyped(f, "");
	assert_true(cut(f));
	assert_stored(f, "jobs", "b a ");
	assert_int_equal(remove_at(f, "jobs/a", false), 0);
	assert_int_equal(remove_at(f, "jobs/b", false), 0);
	assert_int_equal(put(f, ".gitattributes", ""), 0);
	assert_retyped(f, "jobs ");
	assert_int_equal(make_dir(f, "jobs/d"), 0);
	assert_int_equal(put(f, "jobs/z", "3"), 0);
	assert_true(cut(f));
	assert_head(f, ".gitattributes=\njobs/z=3\n");
	remount(f);
	assert_list(f, "jobs", "z ");
	fixture_close(f);
}

static void assert_first(struct fixture *f, const char *expected)
{
	struct node *dir = get(f, "jobs"), *n;
	char *name;

	assert_int_equal(node_first(dir, &n, &name), 0);
	assert_string_equal(name, expected);
	free(name);
	node_unref(n);
	node_unref(dir);
}

/* Files that plain Git put into a queue are shown last and stay. */
static void test_foreign(void **state)
{
	OPEN(JOBS "jobs/000/x=1\njobs/README=2\njobs/sub/f=3\n");
	assert_list(f, "jobs", "000%2Fx README sub%2Ff ");
	assert_int_equal(put(f, "jobs/a", "4"), 0);
	assert_first(f, "a");
	assert_int_equal(put(f, "jobs/b", "5"), 0);
	assert_list(f, "jobs", "a b 000%2Fx README sub%2Ff ");
	assert_int_equal(remove_at(f, "jobs/b", false), 0);
	assert_true(cut(f));
	assert_stored(f, "jobs", "a ?000/x ?README ?sub/f ");
	remount(f);
	assert_list(f, "jobs", "a 000%2Fx README sub%2Ff ");
	assert_int_equal(put(f, "jobs/README", "changed"), 0);
	assert_renamed(f, "jobs/sub%2Ff", "f", NULL);
	assert_true(cut(f));
	assert_stored(f, "jobs", "a ?000/x ?README ");
	/* one that is renamed becomes an element */
	assert_renamed(f, "jobs/README", "jobs/read", NULL);
	assert_true(cut(f));
	assert_stored(f, "jobs", "a read ?000/x ");
	remount(f);
	assert_file(f, "jobs/read", "changed");
	fixture_close(f);
}

/* Ten entries, all the same, in each of twelve levels: 10^12 files in 4 KiB. */
static struct oid shared_trees(struct fixture *f, struct oid below)
{
	struct tree_entry entries[10];
	char names[10][2] = { "" };

	for (int level = 0; level < 12; level++) {
		for (int i = 0; i < 10; i++) {
			names[i][0] = 'a' + i;
			entries[i] = (struct tree_entry){
				.mode = MODE_TREE, .oid = below,
				.name = names[i],
			};
		}
		assert_int_equal(tree_write(f->odb, entries, 10, &below), 0);
	}
	return below;
}

static int list_at(struct fixture *f, const char *path)
{
	scoped_buffer struct buffer names = { 0 };
	struct node *n = get(f, path);
	int r = node_list(n, 0, add_name, &names);

	node_unref(n);
	return r;
}

/* What shares all its trees is refused before it takes all memory, or all time. */
static void what_cannot_be_in_memory_is_too_large(void **state)
{
	struct tree_entry folder;
	struct tree *root;

	OPEN(JOBS "jobs/x/y=1\n");
	assert_int_equal(tree_resolve(f->odb, &f->head, "jobs/x", &folder), 0);
	assert_int_equal(tree_read(f->odb, &f->head, &root), 0);
	for (size_t i = 0; i < root->count; i++)
		if (strcmp(root->entries[i].name, "jobs") == 0)
			root->entries[i].oid = shared_trees(f, folder.oid);
	assert_int_equal(tree_write(f->odb, root->entries, root->count,
				    &f->head), 0);
	tree_free(root);
	remount(f);
	assert_int_equal(list_at(f, "jobs"), -EFBIG);
	assert_int_equal(put(f, "other", "1"), 0);
	assert_true(cut(f));
	fixture_close(f);
}

static uint32_t no_random(void)
{
	return 0;
}

/* A foreign file stands where a folder of the queue must be. */
static void test_in_the_way(void **state)
{
	OPEN(JOBS "jobs/000=1\n");
	f->w->options.random = no_random;
	assert_int_equal(put(f, "jobs/a", "4"), 0);
	assert_true(cut(f));
	assert_list(f, "jobs", "a 000 ");
	remount(f);
	assert_list(f, "jobs", "a 000~ ");
	assert_file(f, "jobs/000~", "1");
	assert_file(f, "jobs/a", "4");
	fixture_close(f);
}

static void test_pending(void **state)
{
	struct node *dir, *n, *other;
	char *name;

	OPEN(JOBS);
	dir = get(f, "jobs");
	assert_non_null(dir);
	assert_list(f, "jobs", "");
	assert_int_equal(node_make_pending(dir, "a", 0640, &caller, &n), 0);
	assert_int_equal(node_make_pending(dir, "a", 0640, &caller, &other), 0);
	assert_int_equal(node_write(n, "one", 3, 0, false), 3);
	assert_int_equal(node_write(other, "two", 3, 0, false), 3);
	assert_int_equal(stat_of(n).st_nlink, 1);
	assert_list(f, "jobs", "");
	assert_false(cut(f));
	assert_int_equal(remove_at(f, "jobs", true), -ENOTEMPTY);
	assert_int_equal(put(f, "jobs/b", "first"), 0);
	assert_int_equal(node_push_pending(other, dir, &name), 0);
	assert_string_equal(name, "a");
	free(name);
	assert_int_equal(node_push_pending(other, dir, &name), 0);
	assert_null(name);
	assert_true(cut(f));
	assert_stored(f, "jobs", "b a ");
	assert_int_equal(node_make_pending(dir, "a", 0640, &caller, &other),
			 -EEXIST);
	assert_int_equal(node_push_pending(n, dir, &name), 0);
	assert_string_equal(name, "a~2");
	free(name);
	node_unref(n);
	assert_list(f, "jobs", "b a a~2 ");
	assert_int_equal(node_make_pending(dir, "c", 0640, &caller, &n), 0);
	assert_int_equal(node_cancel_pending(n, dir), 0);
	node_unref(n);
	assert_int_equal(node_make_pending(dir, "c", 0640, &caller, &n), 0);
	assert_int_equal(node_rename_pending(n, dir, "d"), 0);
	assert_int_equal(node_push_pending(n, dir, &name), 0);
	assert_string_equal(name, "d");
	free(name);
	node_unref(n);
	assert_true(cut(f));
	node_unref(other);
	node_unref(dir);
	assert_stored(f, "jobs", "b a a~2 d ");
	remount(f);
	assert_file(f, "jobs/a", "two");
	assert_file(f, "jobs/a~2", "one");
	fixture_close(f);
}

static void test_first_and_claim(void **state)
{
	struct node *dir, *n, *in;
	char *name = NULL;
	uint64_t queue;

	OPEN(JOBS);
	dir = get(f, "jobs");
	queue = stat_of(dir).st_ino;
	assert_int_equal(node_first(dir, &n, &name), -ENOENT);
	assert_null(name);
	for (int i = 0; i < 50; i++) {
		char path[32];

		snprintf(path, sizeof(path), "jobs/%d", i);
		assert_int_equal(put(f, path, "x"), 0);
	}
	for (int i = 0; i < 50; i++) {
		char want[32];

		snprintf(want, sizeof(want), "%d", i);
		assert_int_equal(node_first(dir, &n, &name), 0);
		assert_string_equal(name, want);
		free(name);
		assert_int_equal(node_claim(n, queue, NULL, &in, &name), 0);
		assert_ptr_equal(in, dir);
		assert_string_equal(name, want);
		free(name);
		node_unref(in);
		assert_int_equal(node_claim(n, queue, NULL, &in, &name),
				 -ENOENT);
		assert_reads(n, "x");
		node_unref(n);
		name = NULL;
	}
	assert_int_equal(node_first(dir, &n, &name), -ENOENT);
	node_unref(dir);
	fixture_close(f);
}

/* Who was faster may have put it into another queue, or into a folder. */
static void test_claimed_into_another(void **state)
{
	struct node *root, *jobs, *taken, *n, *in;
	char *name = NULL;
	uint64_t queue;

	OPEN(JOBS);
	root = get(f, "");
	jobs = get(f, "jobs");
	queue = stat_of(jobs).st_ino;
	assert_int_equal(make_dir(f, "taken"), 0);
	taken = get(f, "taken");
	assert_int_equal(node_set_type(taken, "queue"), 0);
	assert_int_equal(put(f, "jobs/a", "x"), 0);
	n = get(f, "jobs/a");
	assert_int_equal(node_rename(jobs, "a", root, "a", 0), 0);
	assert_int_equal(node_claim(n, queue, NULL, &in, &name), -ENOENT);
	assert_int_equal(node_rename(root, "a", taken, "a", 0), 0);
	assert_int_equal(node_claim(n, queue, NULL, &in, &name), -ENOENT);
	assert_list(f, "taken", "a ");
	assert_int_equal(node_claim(n, stat_of(root).st_ino, NULL, &in, &name),
			 -ENOENT);
	assert_int_equal(node_claim(n, stat_of(taken).st_ino, NULL, &in, &name),
			 0);
	assert_string_equal(name, "a");
	free(name);
	assert_list(f, "taken", "");
	node_unref(in);
	node_unref(n);
	node_unref(taken);
	node_unref(jobs);
	node_unref(root);
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_push),
		cmocka_unit_test(test_pop),
		cmocka_unit_test(test_rename),
		cmocka_unit_test(test_modified),
		cmocka_unit_test(test_convert),
		cmocka_unit_test(test_convert_and_change),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_pattern),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_written_elsewhere),
		cmocka_unit_test(test_line_removed),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(what_cannot_be_in_memory_is_too_large),
		cmocka_unit_test(test_in_the_way),
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_first_and_claim),
		cmocka_unit_test(test_claimed_into_another),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
