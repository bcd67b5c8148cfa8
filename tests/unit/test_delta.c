/* SPDX-License-Identifier: ISC */
#include "tests/memory_test.h"
#include "store/delta.h"
#include "store/tree.h"
#include "store/util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- contents: bytes that never change ---- */

struct text {
	struct contents contents;
	char bytes[32];
};

static int text_store(struct contents *c, struct odb *o, struct oid *ret)
{
	const char *bytes = ((struct text *)c)->bytes;

	return odb_write(o, OBJECT_BLOB, bytes, strlen(bytes), ret);
}

static void text_free(struct contents *c)
{
	free(c);
}

static struct contents *text(const char *bytes)
{
	static const struct contents_ops ops = {
		.name = "text", .store = text_store, .free = text_free,
	};
	struct text *t = calloc(1, sizeof(*t));

	t->contents.ops = &ops;
	t->contents.refs = 1;
	snprintf(t->bytes, sizeof(t->bytes), "%s", bytes);
	return &t->contents;
}

static struct oid blob(const char *bytes)
{
	struct oid oid;

	assert_int_equal(odb_write(odb, OBJECT_BLOB, bytes, strlen(bytes), &oid),
			 0);
	return oid;
}

/* ---- trees from lists of "path=bytes" ---- */

static struct delta *directory(struct delta *delta, const char *name)
{
	struct delta_entry *entry;

	for (size_t i = 0; i < delta->count; i++)
		if (strcmp(delta->entries[i].name, name) == 0)
			return delta->entries[i].directory;
	entry = delta_add(delta, DELTA_DIRECTORY, MODE_TREE, name);
	entry->directory = delta_new(false);
	return entry->directory;
}

static void put(struct delta *delta, const char *line)
{
	char path[64], *name = path, *slash, *bytes;

	snprintf(path, sizeof(path), "%s", line);
	bytes = strchr(path, '=');
	if (bytes)
		*bytes++ = '\0';
	while ((slash = strchr(name, '/'))) {
		*slash = '\0';
		delta = directory(delta, name);
		name = slash + 1;
	}
	if (bytes)
		delta_add(delta, DELTA_CONTENTS, MODE_FILE, name)->contents =
			text(bytes);
	else
		delta_add(delta, DELTA_REMOVED, MODE_FILE, name);
}

static struct delta *lines(const char *text)
{
	struct delta *delta = delta_new(false);
	char copy[256], *save, *line;

	snprintf(copy, sizeof(copy), "%s", text);
	for (line = strtok_r(copy, " ", &save); line;
	     line = strtok_r(NULL, " ", &save))
		put(delta, line);
	return delta;
}

static struct oid applied(const struct oid *base, const char *text)
{
	struct delta *delta = lines(text);
	struct oid oid;

	assert_int_equal(delta_store(delta, odb, base), 0);
	oid = delta->oid;
	delta_free(delta);
	return oid;
}

static struct oid tree(const char *text)
{
	return applied(&oid_empty_tree, text);
}

static void assert_oid(struct oid a, struct oid b)
{
	assert_true(oid_equal(&a, &b));
}

static int print(void *context, const char *path,
		 const struct delta_entry *entry)
{
	static const char letters[] = { 'R', 'O', 'C', 'D' };

	buffer_printf(context, "%c %s,", letters[entry->kind], path);
	return strcmp(path, "stop") == 0 ? 7 : 0;
}

static void assert_walk(const struct delta *delta, const char *want)
{
	scoped_buffer struct buffer got = { 0 };

	assert_int_equal(delta_walk(delta, print, &got), 0);
	assert_string_equal(got.data ? got.data : "", want);
}

/* ---- tests ---- */

static void stored_deltas_give_the_expected_tree(void **state)
{
	struct tree_entry entry;
	struct oid base = tree("a=1 d/x=2 d/y=3 e/f/g=4"), got;

	got = applied(&base, "a=9 d/x d/z=5 n/m=6");
	assert_oid(got, tree("a=9 d/y=3 d/z=5 e/f/g=4 n/m=6"));
	assert_int_equal(tree_resolve(odb, &got, "n/m", &entry), 0);
	assert_oid(entry.oid, blob("6"));
}

static void emptied_folders_are_left_out(void **state)
{
	struct oid base = tree("a=1 d/e/x=2"), got;

	got = applied(&base, "d/e/x");
	assert_oid(got, tree("a=1"));
	got = applied(&got, "a");
	assert_oid(got, oid_empty_tree);
	got = applied(&got, "missing");
	assert_oid(got, oid_empty_tree);
}

static void complete_directories_inherit_nothing(void **state)
{
	struct oid base = tree("d/x=1 d/y=2 f=3");
	struct delta *delta = lines("d/y=5 f/z=6");

	delta->entries[0].directory->complete = true;
	delta->entries[1].directory->complete = true;
	assert_int_equal(delta_store(delta, odb, &base), 0);
	assert_oid(delta->oid, tree("d/y=5 f/z=6"));
	assert_oid(delta->entries[0].oid, delta->entries[0].directory->oid);
	assert_oid(delta->entries[0].directory->entries[0].oid, blob("5"));
	delta_free(delta);
}

static void objects_replace_whole_directories(void **state)
{
	struct oid base = tree("d/x=1 e=2"), other = tree("p=3 q=4");
	struct delta *delta = delta_new(false);

	delta_add(delta, DELTA_OBJECT, MODE_TREE, "d")->oid = other;
	delta_add(delta, DELTA_OBJECT, MODE_TREE, "e")->oid = oid_empty_tree;
	assert_int_equal(delta_store(delta, odb, &base), 0);
	assert_oid(delta->oid, tree("d/p=3 d/q=4"));
	delta_free(delta);
}

static void storing_fails_on_a_missing_tree_and_may_be_repeated(void **state)
{
	struct oid missing = { { 1 } }, base = tree("a=1");
	struct delta *delta = lines("b=2");

	assert_int_equal(delta_store(delta, odb, &missing), -EIO);
	assert_int_equal(delta_store(delta, odb, &base), 0);
	assert_int_equal(delta_store(delta, odb, &base), 0);
	assert_oid(delta->oid, tree("a=1 b=2"));
	delta_free(delta);
}

static void between_names_each_change_once(void **state)
{
	struct oid from = tree("a=1 b/x=1 c=1 d/x=1 e/x=1 e/y=1 same/x=1");
	struct oid to = tree("a/x=1 b=1 c=2 e/y=1 e/z=1 f/x=1 same/x=1");
	struct delta *delta;

	assert_int_equal(delta_between(odb, &from, &to, &delta), 0);
	assert_walk(delta, "O a,O b,O c,R d,R e/x,O e/z,O f,");
	assert_oid(delta->oid, to);
	assert_int_equal(delta_store(delta, odb, &from), 0);
	assert_oid(delta->oid, to);
	delta_free(delta);
	assert_int_equal(delta_between(odb, &to, &to, &delta), 0);
	assert_int_equal(delta->count, 0);
	delta_free(delta);
}

static void between_and_zero_is_everything(void **state)
{
	struct oid to = tree("a=1 d/x=1"), zero = { { 0 } };
	struct delta *delta;

	assert_int_equal(delta_between(odb, &zero, &to, &delta), 0);
	assert_walk(delta, "O a,O d,");
	delta_free(delta);
	assert_int_equal(delta_between(odb, &to, &zero, &delta), 0);
	assert_walk(delta, "R a,R d,");
	assert_oid(delta->oid, oid_empty_tree);
	delta_free(delta);
}

static void between_follows_a_mode_change(void **state)
{
	struct tree_entry entry = { .mode = MODE_FILE, .name = "x",
				    .oid = blob("1") };
	struct oid from, to;
	struct delta *delta;

	assert_int_equal(tree_write(odb, &entry, 1, &from), 0);
	entry.mode = MODE_EXECUTABLE;
	assert_int_equal(tree_write(odb, &entry, 1, &to), 0);
	assert_int_equal(delta_between(odb, &from, &to, &delta), 0);
	assert_int_equal(delta->count, 1);
	assert_int_equal(delta->entries[0].mode, MODE_EXECUTABLE);
	delta_free(delta);
}

static void walks_are_in_the_order_of_paths(void **state)
{
	struct delta *delta = lines("b=1 a/x=1 a.c=1 a0=1 d stop=1 z=1");
	scoped_buffer struct buffer got = { 0 };

	assert_int_equal(delta_walk(delta, print, &got), 7);
	assert_string_equal(got.data, "C a.c,C a/x,C a0,C b,R d,C stop,");
	delta_free(delta);
	delta = delta_new(false);
	delta_add(delta, DELTA_DIRECTORY, MODE_TREE, "new")->directory =
		delta_new(true);
	assert_walk(delta, "D new,");
	delta_free(delta);
}

static struct oid nested(struct oid oid, int levels)
{
	struct tree_entry entry = { .mode = MODE_TREE, .name = "d" };

	for (int i = 0; i < levels; i++) {
		entry.oid = oid;
		assert_int_equal(tree_write(odb, &entry, 1, &oid), 0);
	}
	return oid;
}

static void trees_deeper_than_git_allows_are_refused(void **state)
{
	struct oid a = nested(tree("a=1"), TREE_DEPTH_MAX);
	struct oid b = nested(tree("b=1"), TREE_DEPTH_MAX);
	struct delta *delta;

	assert_int_equal(delta_between(odb, &a, &b, &delta), 0);
	assert_int_equal(delta_store(delta, odb, &a), 0);
	assert_oid(delta->oid, b);
	delta_free(delta);
	a = nested(a, 1);
	b = nested(b, 1);
	assert_int_equal(delta_between(odb, &a, &b, &delta), -EUCLEAN);
}

static void copies_live_by_themselves(void **state)
{
	struct oid base = tree("a=1 d/b=1 d/c=1");
	struct delta *delta = lines("a d/b=2 d/e/f=1"), *copy;
	struct oid oid;

	assert_int_equal(delta_copy(delta, &copy), 0);
	assert_int_equal(delta_store(delta, odb, &base), 0);
	oid = delta->oid;
	delta_free(delta);
	assert_true(oid_is_zero(&copy->oid));
	assert_int_equal(delta_store(copy, odb, &base), 0);
	assert_oid(copy->oid, oid);
	delta_free(copy);
}

static void an_entry_can_be_taken_out(void **state)
{
	struct delta *delta = lines("a=1 d/b=2 c=3");

	delta_remove(delta, "d");
	delta_remove(delta, "absent");
	assert_walk(delta, "C a,C c,");
	delta_remove(delta, "c");
	delta_remove(delta, "a");
	assert_int_equal(delta->count, 0);
	delta_free(delta);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stored_deltas_give_the_expected_tree),
		cmocka_unit_test(emptied_folders_are_left_out),
		cmocka_unit_test(complete_directories_inherit_nothing),
		cmocka_unit_test(objects_replace_whole_directories),
		cmocka_unit_test(storing_fails_on_a_missing_tree_and_may_be_repeated),
		cmocka_unit_test(between_names_each_change_once),
		cmocka_unit_test(between_and_zero_is_everything),
		cmocka_unit_test(between_follows_a_mode_change),
		cmocka_unit_test(walks_are_in_the_order_of_paths),
		cmocka_unit_test(trees_deeper_than_git_allows_are_refused),
		cmocka_unit_test(copies_live_by_themselves),
		cmocka_unit_test(an_entry_can_be_taken_out),
	};

	return cmocka_run_group_tests_name("delta", tests, set_up, tear_down);
}
