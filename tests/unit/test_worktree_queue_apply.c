/* SPDX-License-Identifier: ISC */
#include "tests/queue_test.h"

/* Changes from below: merges, and what others did. */

static int take_nothing(void *context, struct delta *delta)
{
	assert_null(delta);
	return 0;
}

static void note_name(void *context, struct node *dir, const char *name)
{
	buffer_printf(context, "%s ", name);
}

static void note_dir(void *context, struct node *dir)
{
}

static void note_nothing(void *context)
{
}

static worktree_tell *retyped;

/* Makes the work tree follow to another tree; says which names changed. */
static int follow(struct fixture *f, const struct oid *to, char **ret_path,
		  struct buffer *names)
{
	const struct worktree_watch watch = {
		.changing = note_name, .changed = note_dir,
		.retyped = retyped, .begin = note_nothing, .end = note_nothing, .context = names,
	};
	struct delta *delta;
	int r;

	*ret_path = NULL;
	assert_int_equal(delta_between(f->odb, &f->head, to, &delta), 0);
	r = worktree_apply(f->w, delta, &watch, take_nothing, NULL, ret_path);
	delta_free(delta);
	if (r == 0)
		f->head = *to;
	return r;
}

/* What other changes of the same state were stored as. */
static struct oid elsewhere(struct fixture *f, void (*change)(struct fixture *f))
{
	struct worktree_options options = f->w->options;
	struct fixture other = *f;

	options.tree = f->head;
	options.incarnation = 99;
	assert_int_equal(worktree_new(&options, &other.w), 0);
	change(&other);
	assert_true(cut(&other));
	worktree_unref(other.w);
	return other.head;
}

static void change_elements(struct fixture *f)
{
	assert_int_equal(remove_at(f, "jobs/b", false), 0);
	assert_int_equal(put(f, "jobs/c", "other"), 0);
	assert_int_equal(put(f, "jobs/d", "new"), 0);
	assert_renamed(f, "jobs/a", "jobs/z", NULL);
}

static void make_elements(struct fixture *f)
{
	assert_int_equal(put(f, "jobs/a", "1"), 0);
	assert_int_equal(put(f, "jobs/b", "2"), 0);
	assert_int_equal(put(f, "jobs/c", "3"), 0);
	assert_true(cut(f));
}

static void test_follow(void **state)
{
	scoped_buffer struct buffer names = { 0 };
	struct stat before;
	struct node *c;
	struct oid to;
	char *path;

	OPEN(JOBS);
	make_elements(f);
	to = elsewhere(f, change_elements);
	c = get(f, "jobs/c");
	before = stat_at(f, "jobs");
	/* changed here and not captured */
	assert_int_equal(put(f, "jobs/c", "mine"), 0);
	assert_int_equal(follow(f, &to, &path, &names), -EAGAIN);
	assert_true(strncmp(path, "jobs/", 5) == 0);
	free(path);
	assert_int_equal(put(f, "jobs/c", "3"), 0);
	assert_true(cut(f));
	node_writer_begin(c);
	assert_int_equal(follow(f, &to, &path, &names), -EBUSY);
	assert_string_equal(path, "jobs/c");
	free(path);
	node_writer_end(c);
	assert_int_equal(follow(f, &to, &path, &names), 0);
	assert_list(f, "jobs", "z c d ");
	assert_file(f, "jobs/z", "1");
	assert_file(f, "jobs/c", "other");
	assert_reads(c, "3");
	assert_int_equal(stat_of(c).st_nlink, 0);
	assert_int_equal(stat_at(f, "jobs").st_ino, before.st_ino);
	assert_false(cut(f));
	/* the order goes on from there */
	assert_int_equal(put(f, "jobs/e", "5"), 0);
	assert_true(cut(f));
	assert_stored(f, "jobs", "z c d e ");
	node_unref(c);
	fixture_close(f);
}

static void test_follow_gone(void **state)
{
	scoped_buffer struct buffer names = { 0 };
	struct node *a;
	struct oid to;
	char *path;

	OPEN(JOBS);
	make_elements(f);
	to = elsewhere(f, change_elements);
	/* taken here too, and not captured */
	a = get(f, "jobs/a");
	assert_int_equal(remove_at(f, "jobs/b", false), 0);
	assert_int_equal(follow(f, &to, &path, &names), -EAGAIN);
	free(path);
	node_unref(a);
	fixture_close(f);
}

static void empty_queue(struct fixture *f)
{
	assert_int_equal(remove_at(f, "jobs/a", false), 0);
	assert_int_equal(remove_at(f, "jobs/b", false), 0);
	assert_int_equal(remove_at(f, "jobs/c", false), 0);
}

static void remove_queue(struct fixture *f)
{
	empty_queue(f);
	assert_int_equal(remove_at(f, "jobs", true), 0);
	assert_int_equal(put(f, "x", "1"), 0);
}

/* An emptied queue stays, loaded or not; one that was removed goes. */
static void test_follow_to_nothing(void **state)
{
	scoped_buffer struct buffer names = { 0 };
	struct oid empty, removed;
	struct node *jobs;
	char *path;

	OPEN(JOBS);
	make_elements(f);
	empty = elsewhere(f, empty_queue);
	removed = elsewhere(f, remove_queue);
	remount(f);
	assert_int_equal(follow(f, &empty, &path, &names), 0);
	assert_list(f, "", ".gitattributes jobs/ ");
	assert_list(f, "jobs", "");
	fixture_close(f);

	fixture_open(f, JOBS);
	make_elements(f);
	jobs = get(f, "jobs");
	assert_list(f, "jobs", "a b c ");
	empty = elsewhere(f, empty_queue);
	removed = elsewhere(f, remove_queue);
	assert_int_equal(follow(f, &empty, &path, &names), 0);
	assert_list(f, "jobs", "");
	assert_int_equal(put(f, "jobs/n", "1"), 0);
	assert_true(cut(f));
	assert_stored(f, "jobs", "n ");
	assert_int_equal(follow(f, &removed, &path, &names), 0);
	assert_null(get(f, "jobs"));
	node_unref(jobs);
	fixture_close(f);
}

/* ---- folders of elements, and files without a key ---- */

static void push_many(struct fixture *f, int from, int to)
{
	char path[32];

	for (int i = from; i < to; i++) {
		snprintf(path, sizeof(path), "jobs/e%03d", i);
		assert_int_equal(put(f, path, "x"), 0);
	}
}

static void take_many(struct fixture *f)
{
	char path[32];

	for (int i = 10; i < 150; i++) {
		snprintf(path, sizeof(path), "jobs/e%03d", i);
		assert_int_equal(remove_at(f, path, false), 0);
	}
	push_many(f, 300, 303);
}

static void say_element(struct buffer *b, int i)
{
	buffer_printf(b, "e%03d ", i);
}

/* Whole folders go, and what comes belongs before what was pushed here last. */
static void test_follow_folders(void **state)
{
	scoped_buffer struct buffer names = { 0 }, want = { 0 };
	struct node *jobs;
	struct oid to;
	char *path;

	OPEN(".gitattributes=/jobs irmin=queue\njobs/README=r\n"
	     "jobs/notes/a=n\njobs/notes/b=m\n");
	push_many(f, 0, 200);
	assert_true(cut(f));
	jobs = get(f, "jobs");
	to = elsewhere(f, take_many);
	test_time += 1000;
	push_many(f, 400, 403);
	assert_int_equal(follow(f, &to, &path, &names), 0);
	for (int i = 0; i < 200; i++)
		if (i < 10 || i >= 150)
			say_element(&want, i);
	for (int i = 300; i < 303; i++)
		say_element(&want, i);
	for (int i = 400; i < 403; i++)
		say_element(&want, i);
	buffer_puts(&want, "README notes%2Fa notes%2Fb ");
	assert_list(f, "jobs", want.data);
	node_unref(jobs);
	fixture_close(f);
}

static struct oid without(struct fixture *f, const char *name)
{
	struct tree *root, *jobs;
	struct oid oid;
	struct tree_entry e;

	assert_int_equal(tree_resolve(f->odb, &f->head, "jobs", &e), 0);
	assert_int_equal(tree_read(f->odb, &e.oid, &jobs), 0);
	assert_int_equal(tree_read(f->odb, &f->head, &root), 0);
	for (size_t i = 0; i < jobs->count; i++)
		if (strcmp(jobs->entries[i].name, name) == 0)
			memmove(&jobs->entries[i], &jobs->entries[i + 1],
				(--jobs->count - i) * sizeof(e));
	for (size_t i = 0; i < root->count; i++)
		if (strcmp(root->entries[i].name, "jobs") == 0)
			assert_int_equal(tree_write(f->odb, jobs->entries,
						    jobs->count,
						    &root->entries[i].oid), 0);
	assert_int_equal(tree_write(f->odb, root->entries, root->count, &oid),
			 0);
	tree_free(root);
	tree_free(jobs);
	return oid;
}

/* A folder that plain Git put there goes with its files, and no others. */
static void test_follow_foreign_folder(void **state)
{
	scoped_buffer struct buffer names = { 0 };
	struct node *jobs;
	struct oid to;
	char *path;

	OPEN(".gitattributes=/jobs irmin=queue\njobs/note=r\n"
	     "jobs/notes/a=n\njobs/notes/c/b=m\njobs/notesx=x\n");
	push_many(f, 0, 3);
	assert_true(cut(f));
	jobs = get(f, "jobs");
	to = without(f, "notes");
	assert_int_equal(follow(f, &to, &path, &names), 0);
	push_many(f, 3, 4);
	assert_list(f, "jobs", "e000 e001 e002 e003 note notesx ");
	node_unref(jobs);
	fixture_close(f);
}

static void convert_elsewhere(struct fixture *f)
{
	assert_int_equal(set_type(f, "q"), 0);
	assert_int_equal(put(f, "q/0", "2"), 0);
	assert_int_equal(make_dir(f, "d/e"), 0);
	assert_int_equal(set_type(f, "d/e"), 0);
}

/* What becomes a queue on another branch is one here at once. */
static void test_follow_types(void **state)
{
	scoped_buffer struct buffer names = { 0 };
	struct node *q, *d;
	struct oid to;
	char *path;

	OPEN("d/f=1\nq/a=1\n");
	to = elsewhere(f, convert_elsewhere);
	q = get(f, "q");
	d = get(f, "d");
	assert_list(f, "q", "a ");
	assert_list(f, "d", "f ");
	assert_int_equal(follow(f, &to, &path, &names), 0);
	assert_list(f, "q", "a 0 ");
	assert_list(f, "d", "f e/ ");
	assert_non_null(strstr(names.data, "e "));
	assert_int_equal(put(f, "d/e/1", "1"), 0);
	assert_true(cut(f));
	assert_stored(f, "d/e", "1 ");
	node_unref(q);
	node_unref(d);
	fixture_close(f);
}

static void write_line(struct fixture *f)
{
	assert_int_equal(put(f, ".gitattributes", "q irmin=queue\n"), 0);
}

static void note_retyped(void *context, struct node *dir)
{
	buffer_puts(context, "RETYPED ");
}

/* Also one in which nothing else changes. */
static void test_follow_line(void **state)
{
	scoped_buffer struct buffer names = { 0 };
	struct oid to;
	struct node *q;
	char *path;

	OPEN("d/q/b=2\nq/a=1\n");
	/* not loaded there */
	to = elsewhere(f, write_line);
	retyped = note_retyped;
	q = get(f, "q");
	assert_list(f, "q", "a ");
	assert_int_equal(follow(f, &to, &path, &names), 0);
	retyped = NULL;
	assert_non_null(strstr(names.data, "RETYPED"));
	assert_int_equal(put(f, "q/0", "2"), 0);
	assert_list(f, "q", "a 0 ");
	assert_true(cut(f));
	assert_stored(f, "q", "a 0 ");
	node_unref(q);
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_follow_gone),
		cmocka_unit_test(test_follow_to_nothing),
		cmocka_unit_test(test_follow_folders),
		cmocka_unit_test(test_follow_foreign_folder),
		cmocka_unit_test(test_follow_types),
		cmocka_unit_test(test_follow_line),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
