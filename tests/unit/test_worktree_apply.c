/* SPDX-License-Identifier: ISC */
#include "tests/worktree_test.h"

#include <errno.h>

#define OPEN(text)                                                             \
	struct fixture fixture, *f = &fixture;                                 \
	fixture_open(f, text)

/* ---- a watch that writes down what it is told ---- */

struct notes {
	struct buffer told;
	struct fixture *f;
	const char *meanwhile;		/* a file to be put or got at the begin */
	struct node *loaded;
	int taken;
	int refusal;
};

static void note(struct notes *notes, const char *what, struct node *dir,
		 const char *name)
{
	char *path = node_path(dir);

	buffer_printf(&notes->told, "%s%s%s%s%s,", what, path,
		      *path && name ? "/" : "", name ? name : "",
		      name ? "" : "/");
	free(path);
}

static void note_changing(void *context, struct node *dir, const char *name)
{
	note(context, "", dir, name);
}

static void note_changed(void *context, struct node *dir)
{
	note(context, "!", dir, NULL);
}

static void note_begin(void *context)
{
	struct notes *notes = context;

	buffer_puts(&notes->told, "<");
	if (notes->meanwhile) {
		put(notes->f, notes->meanwhile, "meanwhile");
		notes->meanwhile = NULL;
	}
}

static void note_end(void *context)
{
	struct notes *notes = context;

	buffer_puts(&notes->told, ">");
}

static int note_take(void *context, struct delta *delta)
{
	struct notes *notes = context;

	assert_null(delta);
	notes->taken++;
	return notes->refusal;
}

/* Applies what leads from the head to a tree in text. */
static int apply_with(struct fixture *f, const char *text, struct notes *notes,
		      char **ret_path)
{
	struct worktree_watch watch = {
		.changing = note_changing, .changed = note_changed,
		.begin = note_begin, .end = note_end, .context = notes,
	};
	struct oid to = text_to_tree(f->odb, text);
	struct delta *delta;
	char *busy, *path = NULL;
	int r;

	assert_int_equal(delta_between(f->odb, &f->head, &to, &delta), 0);
	busy = worktree_busy_path(f->w, delta);
	r = worktree_apply(f->w, delta, &watch, note_take, notes, &path);
	if (r == 0)
		f->head = to;
	assert_int_equal(r == -EBUSY, busy != NULL);
	if (busy)
		assert_string_equal(busy, path);
	assert_int_equal(r == -EBUSY || r == -EAGAIN, path != NULL);
	free(busy);
	if (ret_path)
		*ret_path = path;
	else
		free(path);
	delta_free(delta);
	return r;
}

static int apply(struct fixture *f, const char *text, const char *told)
{
	struct notes notes = { .f = f };
	int r = apply_with(f, text, &notes, NULL);

	if (told)
		assert_string_equal(notes.told.data ? notes.told.data : "",
				    told);
	assert_int_equal(notes.taken, r == 0);
	buffer_release(&notes.told);
	return r;
}

static void assert_refused(struct fixture *f, const char *text, int error,
			   const char *path)
{
	struct notes notes = { .f = f };
	char *got = NULL;

	assert_int_equal(apply_with(f, text, &notes, &got), error);
	assert_string_equal(got, path);
	assert_int_equal(notes.taken, 0);
	assert_null(notes.told.data);
	free(got);
}

/* What is in memory is the head: every path reads as stored. */
static void assert_equals_head(struct fixture *f)
{
	char *text = tree_to_text(f->odb, &f->head), *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *equals = strchr(line, '=');

		*equals = '\0';
		assert_file(f, line, equals + 1);
	}
	free(text);
}

/* ---- tests ---- */

static void files_come_change_and_go(void **state)
{
	OPEN("a=1\nb=1\nd/x=1\nd/y=1\ne/z=1\n");
	assert_int_equal(apply(f, "a=2\nc=1\nd/y=1\nd/z/w=1\ne/z=1\n",
			       "<a,b,c,d/x,d/z,!/,!d/,>"), 0);
	assert_equals_head(f);
	assert_list(f, "", "a d/ e/ c ");
	assert_list(f, "d", "y z/ ");
	assert_false(cut(f));
	put(f, "d/z/v", "2");
	assert_cut(f, "a=2\nc=1\nd/y=1\nd/z/v=2\nd/z/w=1\ne/z=1\n");
	fixture_close(f);
}

static void replaced_files_are_other_ones(void **state)
{
	struct node *old, *dir, *new;
	struct stat before, after;

	OPEN("d/x=1\nd/y=1\n");
	old = get(f, "d/x");
	dir = get(f, "d");
	before = stat_of(old);
	assert_int_equal(apply(f, "d/x=2\nd/y=1\n", "<d/x,!/,!d/,>"), 0);
	assert_reads(old, "1");
	assert_int_equal(stat_of(old).st_nlink, 0);
	assert_file(f, "d/x", "2");
	new = get(f, "d/x");
	after = stat_of(new);
	assert_true(before.st_ino != after.st_ino);
	assert_true(after.st_mtim.tv_sec > before.st_mtim.tv_sec);
	assert_true(get(f, "d") == dir);
	assert_int_equal(node_write(old, "z", 1, 0, false), 1);
	assert_false(cut(f));
	node_unref(new);
	node_unref(dir);
	node_unref(dir);
	/* Forgotten and loaded again it is the same. */
	assert_int_equal(stat_at(f, "d/x").st_ino, after.st_ino);
	assert_int_equal(stat_at(f, "d/x").st_mtim.tv_sec, after.st_mtim.tv_sec);
	assert_int_equal(stat_at(f, "d/y").st_mtim.tv_sec, 1000);
	node_unref(old);
	fixture_close(f);
}

static void new_subtrees_are_newer(void **state)
{
	OPEN("a=1\n");
	assert_int_equal(apply(f, "a=1\nd/e/x=1\n", NULL), 0);
	assert_true(stat_at(f, "d/e/x").st_mtim.tv_sec > 2000);
	assert_true(stat_at(f, "d/e").st_mtim.tv_sec > 2000);
	assert_int_equal(stat_at(f, "a").st_mtim.tv_sec, 1000);
	fixture_close(f);
}

static void owners_outlive_a_replacement(void **state)
{
	struct stat st;

	OPEN("");
	put(f, "a", "1");
	put(f, "b", "1");
	change_mode(f, "a", 0640);
	change_mode(f, "b", 04700);
	assert_cut(f, "a=1\nx b=1\n");
	assert_int_equal(apply(f, "x a=2\nb=2\n", NULL), 0);
	st = stat_at(f, "a");
	assert_int_equal(st.st_mode, S_IFREG | 0750);
	assert_int_equal(st.st_uid, 7);
	st = stat_at(f, "b");
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_gid, 8);
	assert_false(cut(f));
	fixture_close(f);
}

static void removed_directories_are_dead_for_who_is_inside(void **state)
{
	struct node *dir, *file, *n;

	OPEN("a=1\nd/e/x=1\n");
	dir = get(f, "d/e");
	file = get(f, "d/e/x");
	assert_int_equal(apply(f, "a=1\n", "<d,d/e,d/e/x,!/,!d/,!d/e/,>"), 0);
	assert_int_equal(node_lookup(dir, "x", &n), -ENOENT);
	assert_int_equal(node_make(dir, "y", S_IFREG, &caller, &n), -ENOENT);
	assert_int_equal(node_list(dir, 0, add_name, NULL), 0);
	assert_int_equal(stat_of(dir).st_nlink, 0);
	assert_reads(file, "1");
	node_unref(dir);
	node_unref(file);
	assert_list(f, "", "a ");
	fixture_close(f);
}

static void kinds_change(void **state)
{
	OPEN("a=1\nd/x=1\nd/y=1\n");
	node_unref(get(f, "d/x"));
	assert_int_equal(apply(f, "a/b=2\nd=3\n", NULL), 0);
	assert_equals_head(f);
	assert_int_equal(apply(f, "l a=d\nd/x=4\n", NULL), 0);
	assert_file(f, "d/x", "4");
	assert_list(f, "", "a@ d/ ");
	assert_false(cut(f));
	fixture_close(f);
}

static void empty_directories_survive(void **state)
{
	OPEN("d/x=1\nd/e/y=1\nd/e/z=1\nk=1\n");
	make_dir(f, "d/e/empty");
	make_dir(f, "n");
	cut(f);
	assert_int_equal(apply(f, "k=1\n", NULL), 0);
	assert_list(f, "d", "e/ ");
	assert_list(f, "d/e", "empty/ ");
	assert_false(cut(f));
	assert_int_equal(apply(f, "d/e/empty/x=2\nk=1\nn/m=1\n", NULL), 0);
	assert_equals_head(f);
	assert_int_equal(remove_at(f, "n/m", false), 0);
	assert_cut(f, "d/e/empty/x=2\nk=1\n");
	/* A file wins over an empty directory. */
	assert_int_equal(apply(f, "d/e/empty/x=2\nk=1\nn=1\n", NULL), 0);
	assert_equals_head(f);
	fixture_close(f);
}

static void open_writers_refuse(void **state)
{
	struct node *n;

	OPEN("a=1\nd/e/x=1\nd/y=1\n");
	n = get(f, "d/e/x");
	node_writer_begin(n);
	assert_refused(f, "a=1\nd/y=1\n", -EBUSY, "d/e/x");
	assert_refused(f, "a=1\nd/e=1\nd/y=1\n", -EBUSY, "d/e/x");
	assert_refused(f, "a=1\nd/e/x=2\nd/y=1\n", -EBUSY, "d/e/x");
	assert_refused(f, "a=1\nd=2\n", -EBUSY, "d/e/x");
	assert_int_equal(apply(f, "a=2\nd/e/x=1\nd/y=2\n", NULL), 0);
	node_writer_end(n);
	assert_int_equal(apply(f, "a=2\n", NULL), 0);
	node_unref(n);
	fixture_close(f);
}

static void later_changes_ask_for_another_merge(void **state)
{
	OPEN("a=1\nd/x=1\nd/y=1\nk=1\n");
	put(f, "d/x", "2");
	assert_refused(f, "a=1\nd/x=3\nd/y=1\nk=1\n", -EAGAIN, "d/x");
	assert_refused(f, "a=1\nk=1\n", -EAGAIN, "d");
	assert_refused(f, "a=1\nd=1\nk=1\n", -EAGAIN, "d");
	/* Other paths of the same directory go on. */
	assert_int_equal(apply(f, "a=1\nd/x=1\nd/z=1\nk=1\n", NULL), 0);
	assert_cut(f, "a=1\nd/x=2\nd/z=1\nk=1\n");
	move(f, "d", "e", 0);
	assert_refused(f, "a=1\nd/x=2\nd/z=2\nk=1\n", -EAGAIN, "d");
	put(f, "n", "1");
	assert_refused(f, "a=1\nd/x=2\nd/z=1\nk=1\nn=2\n", -EAGAIN, "n");
	remove_at(f, "k", false);
	assert_refused(f, "a=1\nd/x=2\nd/z=1\nk=2\n", -EAGAIN, "k");
	make_dir(f, "k");
	assert_refused(f, "a=1\nd/x=2\nd/z=1\nk=2\n", -EAGAIN, "k");
	assert_cut(f, "a=1\ne/x=2\ne/z=1\nn=1\n");
	fixture_close(f);
}

static void a_commit_that_is_not_taken_changes_nothing(void **state)
{
	struct notes notes = { .refusal = -EROFS };

	OPEN("a=1\nd/x=1\n");
	put(f, "d/n", "1");
	assert_int_equal(apply_with(f, "a=2\nd/y=1\n", &notes, NULL), -EROFS);
	assert_string_equal(notes.told.data, "<a,d/x,d/y,>");
	buffer_release(&notes.told);
	assert_cut(f, "a=1\nd/n=1\nd/x=1\n");
	fixture_close(f);
}

static void names_that_come_up_meanwhile_are_announced(void **state)
{
	struct notes notes = { .meanwhile = "d/x" };
	char *path;

	OPEN("a=1\nd/x=1\nd/y=1\n");
	notes.f = f;
	assert_int_equal(apply_with(f, "a=1\n", &notes, &path), -EAGAIN);
	assert_string_equal(path, "d");
	assert_string_equal(notes.told.data, "<d,>");
	free(path);
	buffer_release(&notes.told);
	assert_true(cut(f));
	fixture_close(f);
}

static void load_meanwhile(void *context)
{
	struct notes *notes = context;

	buffer_puts(&notes->told, "<");
	if (notes->meanwhile) {
		notes->loaded = get(notes->f, notes->meanwhile);
		notes->meanwhile = NULL;
	}
}

static void nodes_that_are_loaded_meanwhile_are_announced(void **state)
{
	struct notes notes = { .meanwhile = "d/x" };
	struct worktree_watch watch = {
		.changing = note_changing, .changed = note_changed,
		.begin = load_meanwhile, .end = note_end, .context = &notes,
	};
	struct delta *delta;
	struct oid to;
	char *path;

	OPEN("a=1\nd/x=1\n");
	notes.f = f;
	to = text_to_tree(f->odb, "a=1\n");
	assert_int_equal(delta_between(f->odb, &f->head, &to, &delta), 0);
	assert_int_equal(worktree_apply(f->w, delta, &watch, note_take, &notes,
					&path), 0);
	assert_string_equal(notes.told.data, "<d,d,d/x,!/,!d/,>");
	delta_free(delta);
	node_unref(notes.loaded);
	buffer_release(&notes.told);
	fixture_close(f);
}

static void captures_from_before_are_not_adopted_over_it(void **state)
{
	struct delta *delta;

	OPEN("d/x=1\nd/y=1\n");
	put(f, "d/x", "2");
	delta = capture(f);
	store_delta(f, delta);
	assert_int_equal(apply(f, "d/x=2\nd/y=3\n", NULL), 0);
	adopt(f, delta);
	assert_int_equal(move(f, "d", "e", 0), 0);
	assert_cut(f, "e/x=2\ne/y=3\n");
	fixture_close(f);
}

static void whole_trees_keep_the_directories_they_meet(void **state)
{
	struct delta *delta = delta_new(false);
	struct node *dir;
	struct oid to;
	char *path;

	OPEN("d/e/x=1\nd/e/y=1\nd/z=1\n");
	dir = get(f, "d/e");
	to = text_to_tree(f->odb, "e/x=1\ne/y=2\nw=1\n");
	delta_add(delta, DELTA_OBJECT, MODE_TREE, "d")->oid = to;
	assert_int_equal(delta_store(delta, f->odb, &f->head), 0);
	assert_int_equal(worktree_apply(f->w, delta, NULL, keep_delta,
					&(struct delta *){ NULL }, &path), 0);
	f->head = delta->oid;
	delta_free(delta);
	assert_equals_head(f);
	assert_list(f, "d", "e/ w ");
	assert_int_equal(stat_of(dir).st_nlink, 2);
	assert_int_equal(stat_at(f, "d/e/x").st_mtim.tv_sec, 1000);
	node_unref(dir);
	fixture_close(f);
}

static void trees_that_refuse_changes_still_follow(void **state)
{
	OPEN("a=1\n");
	worktree_refuse(f->w, -EROFS);
	assert_int_equal(apply(f, "a=2\n", NULL), 0);
	assert_equals_head(f);
	worktree_refuse(f->w, -ENOENT);
	assert_int_equal(apply(f, "a=3\n", NULL), -ENOENT);
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_come_change_and_go),
		cmocka_unit_test(replaced_files_are_other_ones),
		cmocka_unit_test(new_subtrees_are_newer),
		cmocka_unit_test(owners_outlive_a_replacement),
		cmocka_unit_test(removed_directories_are_dead_for_who_is_inside),
		cmocka_unit_test(kinds_change),
		cmocka_unit_test(empty_directories_survive),
		cmocka_unit_test(open_writers_refuse),
		cmocka_unit_test(later_changes_ask_for_another_merge),
		cmocka_unit_test(a_commit_that_is_not_taken_changes_nothing),
		cmocka_unit_test(names_that_come_up_meanwhile_are_announced),
		cmocka_unit_test(nodes_that_are_loaded_meanwhile_are_announced),
		cmocka_unit_test(captures_from_before_are_not_adopted_over_it),
		cmocka_unit_test(whole_trees_keep_the_directories_they_meet),
		cmocka_unit_test(trees_that_refuse_changes_still_follow),
	};

	return cmocka_run_group_tests_name("worktree_apply", tests, NULL, NULL);
}
