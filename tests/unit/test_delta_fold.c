/* SPDX-License-Identifier: ISC */
#include "tests/memory_test.h"
#include "store/delta.h"
#include "store/tree.h"

#include <errno.h>

static void object(struct delta *delta, const char *name, const char *text)
{
	struct delta_entry *entry =
		delta_add(delta, DELTA_OBJECT, MODE_FILE, name);

	assert_int_equal(odb_write(odb, OBJECT_BLOB, text, strlen(text),
				   &entry->oid), 0);
}

static struct delta *directory(struct delta *delta, const char *name,
			       bool complete)
{
	struct delta_entry *entry =
		delta_add(delta, DELTA_DIRECTORY, MODE_TREE, name);

	return entry->directory = delta_new(complete);
}

static struct oid store(struct delta *delta, const struct oid *base)
{
	assert_int_equal(delta_store(delta, odb, base), 0);
	return delta->oid;
}

/* base: a, d/x, d/y */
static struct oid base_tree(void)
{
	struct delta *delta = delta_new(true), *d;
	struct oid oid;

	object(delta, "a", "1");
	d = directory(delta, "d", true);
	object(d, "x", "1");
	object(d, "y", "1");
	oid = store(delta, &oid_empty_tree);
	delta_free(delta);
	return oid;
}

static struct delta *older_changes(void)
{
	struct delta *delta = delta_new(false), *d;

	object(delta, "a", "2");
	object(delta, "big", "does not fit");
	d = directory(delta, "d", false);
	object(d, "x", "2");
	delta_add(d, DELTA_REMOVED, MODE_FILE, "y");
	d = directory(delta, "new", true);
	object(d, "f", "2");
	return delta;
}

static struct delta *newer_changes(void)
{
	struct delta *delta = delta_new(false), *d;

	delta_add(delta, DELTA_REMOVED, MODE_FILE, "big");
	d = directory(delta, "new", false);
	object(d, "g", "3");
	delta_add(d, DELTA_REMOVED, MODE_FILE, "f");
	d = directory(delta, "d", false);
	object(d, "y", "3");
	object(delta, "b", "3");
	return delta;
}

static void both_in_one_are_both_after_each_other(void **state)
{
	struct oid base = base_tree(), between, after;
	struct delta *older = older_changes(), *newer = newer_changes();

	between = store(older, &base);
	after = store(newer, &between);
	delta_free(older);
	delta_free(newer);

	older = older_changes();
	newer = newer_changes();
	assert_int_equal(delta_fold(older, newer), 0);
	delta_free(older);
	between = store(newer, &base);
	assert_true(oid_equal(&between, &after));
	delta_free(newer);
}

static void a_complete_one_stands_for_itself(void **state)
{
	struct oid base = base_tree(), oid;
	struct delta *older = older_changes(), *newer = delta_new(true);

	assert_int_equal(delta_fold(older, newer), 0);
	oid = store(newer, &base);
	assert_true(oid_equal(&oid, &oid_empty_tree));
	delta_free(older);
	delta_free(newer);
}

static void changes_within_a_named_tree_stay_apart(void **state)
{
	struct oid base = base_tree();
	struct delta *older = delta_new(false), *newer = delta_new(false);
	struct delta_entry *moved =
		delta_add(older, DELTA_OBJECT, MODE_TREE, "moved");

	moved->oid = base;
	object(directory(newer, "moved", false), "x", "2");
	assert_int_equal(delta_fold(older, newer), -ENOTSUP);
	assert_int_equal(older->count, 1);
	assert_int_equal(newer->count, 1);
	delta_free(older);
	delta_free(newer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_in_one_are_both_after_each_other),
		cmocka_unit_test(a_complete_one_stands_for_itself),
		cmocka_unit_test(changes_within_a_named_tree_stay_apart),
	};

	return cmocka_run_group_tests_name("delta_fold", tests, set_up,
					   tear_down);
}
