/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "structures/queue.h"
#include "store/util.h"
#include "tests/trees.h"
#include "tests/memory_test.h"

#include <stdlib.h>

/* Where elements of the first 32 us stand, and the keys of four of them. */
#define LEAF "000/0/0/0/0/0/0/0/0/"
#define K1 LEAF "0000000000010000000-"
#define K2 LEAF "0000000000020000000-"
#define K3 LEAF "0000000000030000000-"
/* in the next directory */
#define K33 "000/0/0/0/0/0/0/0/1/0000000000110000000-"

static struct oid tree(const char *text)
{
	return *text ? text_to_tree(odb, text) : (struct oid){ 0 };
}

static void assert_merge(const char *base, const char *ours,
			 const char *theirs, const char *expected)
{
	struct oid b = tree(base), o = tree(ours), t = tree(theirs), merged,
		   other;
	char *text;

	assert_int_equal(queue_merge(odb, &b, &o, &t, &merged), 0);
	text = tree_to_text(odb, &merged);
	assert_string_equal(text, expected);
	free(text);
	assert_int_equal(oid_is_zero(&merged), !*expected);
	assert_int_equal(queue_merge(odb, &b, &t, &o, &other), 0);
	assert_true(oid_equal(&merged, &other));
}

static void new_elements_of_both_sides_are_in(void **state)
{
	assert_merge("", K1 "a=1\n", K2 "b=2\n", K1 "a=1\n" K2 "b=2\n");
	assert_merge(K1 "a=1\n", K1 "a=1\n" K2 "b=2\n",
		     K1 "a=1\n" K3 "c=3\n" K33 "d=4\n",
		     K1 "a=1\n" K2 "b=2\n" K3 "c=3\n" K33 "d=4\n");
}

static void what_either_side_took_is_gone(void **state)
{
	assert_merge(K1 "a=1\n" K2 "b=2\n" K3 "c=3\n", K2 "b=2\n" K3 "c=3\n",
		     K1 "a=1\n" K3 "c=3\n", K3 "c=3\n");
	assert_merge(K1 "a=1\n" K33 "b=2\n", K1 "a=1\n", K33 "b=2\n", "");
}

static void what_was_taken_stays_gone_though_the_other_changed_it(void **state)
{
	assert_merge(K1 "a=1\n" K2 "b=2\n", K2 "b=2\n", K1 "a=5\n" K2 "b=2\n",
		     K2 "b=2\n");
	assert_merge(K1 "a=1\n" K2 "b=2\n", K2 "b=2\n", K1 "z=1\n" K2 "b=2\n",
		     K2 "b=2\n");
}

static void a_change_of_one_side_is_kept(void **state)
{
	assert_merge(K1 "a=1\n", K1 "a=2\n", K1 "a=1\n", K1 "a=2\n");
	assert_merge(K1 "a=1\n", K1 "z=1\n", K1 "a=1\n", K1 "z=1\n");
	assert_merge(K1 "a=1\n", "x " K1 "a=1\n", K1 "a=1\n" K2 "b=2\n",
		     "x " K1 "a=1\n" K2 "b=2\n");
}

static void of_two_changes_the_smaller_name_wins(void **state)
{
	assert_merge(K1 "m=1\n", K1 "z=1\n", K1 "b=1\n", K1 "b=1\n");
	assert_merge(K1 "a=1\n", K1 "a=2\n", K1 "z=1\n", K1 "a=2\n");
	assert_merge(K1 "z=1\n", K1 "a=1\n", K1 "z=2\n", K1 "a=1\n");
	assert_merge("", K1 "z=1\n", K1 "b=1\n", K1 "b=1\n");
}

/* "2" is d8263ee..., "3" is e440e5c... */
static void of_one_name_the_smaller_id_wins(void **state)
{
	assert_merge(K1 "a=1\n", K1 "a=2\n", K1 "a=3\n", K1 "a=2\n");
	assert_merge(K1 "a=1\n", K1 "a=2\n", "x " K1 "a=2\n", K1 "a=2\n");
}

static void equal_changes_are_one(void **state)
{
	assert_merge(K1 "a=1\n", K1 "z=2\n" K2 "b=2\n", K1 "z=2\n" K2 "b=2\n",
		     K1 "z=2\n" K2 "b=2\n");
}

/* What plain Git makes of two renames. */
static void two_of_a_key_part(void **state)
{
	assert_merge(K1 "a=1\n", K1 "b=1\n" K1 "c=1\n", K1 "a=1\n",
		     K1 "b=1\n" K1 "c=1\n");
	assert_merge(K1 "b=1\n" K1 "c=1\n", K1 "c=1\n", K1 "b=1\n" K1 "c=1\n",
		     K1 "c=1\n");
	/* a third rename, while one side still has two */
	assert_merge(K1 "a=1\n", K1 "b=1\n" K1 "c=1\n", K1 "d=1\n",
		     K1 "b=1\n" K1 "c=1\n" K1 "d=1\n");
	assert_merge(K1 "b=1\n" K1 "c=1\n", "", K1 "c=1\n", "");
}

static void an_element_of_several_names_is_not_lost(void **state)
{
	assert_merge(K1 "a=1\n" K1 "b=1\n" K1 "c=1\n", K1 "a=1\n" K1 "b=1\n",
		     K1 "c=1\n", K1 "a=1\n");
	/* a directory between names of one key does not part them */
	assert_merge(K1 "a=1\n", K1 "aa/f=1\n" K1 "b=1\n", K1 "a=1\n",
		     K1 "aa/f=1\n" K1 "b=1\n");
	assert_merge(K1 "a=1\n" K1 "c=2\n", K1 "a=1\n" K1 "b/f=3\n" K1 "c=2\n",
		     "", K1 "b/f=3\n");
}

/* ---- what plain Git put there ---- */

static void foreign_entries_merge_by_path(void **state)
{
	assert_merge("README=1\n", K1 "a=1\nREADME=1\n", "README=1\ndoc/x=2\n",
		     K1 "a=1\nREADME=1\ndoc/x=2\n");
	assert_merge("README=1\ndoc/x=2\n", "doc/x=2\n", "README=2\ndoc/y=3\n",
		     "README=2\ndoc/y=3\n");
	assert_merge("doc/a=1\ndoc/b=1\n", "doc/a=2\n", "doc/a=3\ndoc/b=2\n",
		     "doc/a=2\ndoc/b=2\n");
	/* a queue was made of the folder */
	assert_merge("a=1\nb=1\n", K1 "a=1\n" K2 "b=1\n", "a=2\nb=1\n",
		     K1 "a=1\n" K2 "b=1\na=2\n");
}

static void a_file_makes_room_for_a_directory(void **state)
{
	assert_merge("", "n=1\n", "n/x=2\n",
		     "n/x=2\nn~56a6051ca2b02b04ef92d5150c9ef600403cb1de=1\n");
	assert_merge("", "000=1\n", K1 "a=2\n",
		     K1 "a=2\n"
		     "000~56a6051ca2b02b04ef92d5150c9ef600403cb1de=1\n");
	assert_merge("", K1 "a=1\n", K1 "a/x=2\n",
		     K1 "a/x=2\n" K1
		     "a~56a6051ca2b02b04ef92d5150c9ef600403cb1de=1\n");
	/* the name that it would take is in use */
	assert_merge("", "n=1\nn~56a6051ca2b02b04ef92d5150c9ef600403cb1de=9\n",
		     "n/x=2\n",
		     "n/x=2\n"
		     "n~56a6051ca2b02b04ef92d5150c9ef600403cb1de=9\n"
		     "n~~56a6051ca2b02b04ef92d5150c9ef600403cb1de=1\n");
}

static void what_makes_room_becomes_no_element(void **state)
{
	assert_merge("", K1 "=1\n", K1 "/x=2\n",
		     K1 "/x=2\n" LEAF "~0000000000010000000-"
		     "~56a6051ca2b02b04ef92d5150c9ef600403cb1de=1\n");
}

static void a_long_name_makes_room_too(void **state)
{
	char name[NAME_LENGTH_MAX + 1], *text;
	scoped_buffer struct buffer file = { 0 }, directory = { 0 };
	struct oid none = { 0 }, o, t, merged;

	memset(name, 'n', NAME_LENGTH_MAX);
	name[NAME_LENGTH_MAX] = '\0';
	buffer_printf(&file, "%s=1\n", name);
	buffer_printf(&directory, "%s/x=2\n", name);
	o = tree(file.data);
	t = tree(directory.data);
	assert_int_equal(queue_merge(odb, &none, &o, &t, &merged), 0);
	text = tree_to_text(odb, &merged);
	assert_non_null(strstr(text, directory.data));
	memcpy(name + NAME_LENGTH_MAX - 41,
	       "~56a6051ca2b02b04ef92d5150c9ef600403cb1de", 41);
	assert_non_null(strstr(text, name));
	free(text);
}

static void a_directory_replaced_by_a_file_is_replaced(void **state)
{
	assert_merge("n/x=1\n", "n=2\n", "n/x=1\n" K1 "a=1\n",
		     K1 "a=1\nn=2\n");
}

static void both_names_of_nothing_are_one(void **state)
{
	struct oid none = { 0 }, a = tree(K1 "a=1\n"), merged;

	assert_int_equal(queue_merge(odb, &oid_empty_tree, &none, &a, &merged),
			 0);
	assert_true(oid_equal(&merged, &a));
	assert_int_equal(queue_merge(odb, &a, &oid_empty_tree, &a, &merged), 0);
	assert_true(oid_is_zero(&merged));
}

/* ---- what is read ---- */

struct counting {
	struct odb odb;
	unsigned int reads;
};

static int count_read(struct odb *counting, const struct oid *oid,
		      enum object_type *ret_type, void **ret_data,
		      size_t *ret_size)
{
	((struct counting *)counting)->reads++;
	return odb->ops->read(odb, oid, ret_type, ret_data, ret_size);
}

static int pass_write(struct odb *counting, enum object_type type,
		      const void *data, size_t size, struct oid *ret_oid)
{
	return odb_write(odb, type, data, size, ret_oid);
}

static struct oid many(unsigned int n, uint64_t distance)
{
	struct queue_element e = { .name = "n", .mode = MODE_FILE };
	struct queue *q;
	struct oid oid;

	memset(&e.oid, 3, sizeof(e.oid));
	assert_int_equal(queue_open(odb, &(struct oid){ 0 }, &q), 0);
	for (unsigned int i = 0; i < n; i++) {
		struct timespec now = { .tv_sec = 1700000000 };

		now.tv_sec += i * distance / 1000000;
		now.tv_nsec = i * distance % 1000000 * 1000;
		queue_key_next(NULL, &now, 0, &e.key);
		assert_int_equal(queue_put(q, &e), 0);
	}
	assert_int_equal(queue_write(q, &oid), 0);
	queue_close(q);
	return oid;
}

/* One side takes the first, the other one pushes: no more than three trees for
 * each directory on two paths of ten. */
static void only_what_differs_is_read(void **state)
{
	static const struct odb_ops ops = { .read = count_read,
					    .write = pass_write };
	struct counting counting = { .odb.ops = &ops };
	struct oid base = many(20000, 100), ours, theirs, merged;
	struct queue_element e;
	char *name;

	assert_int_equal(queue_first(odb, &base, &e, &name), 0);
	assert_int_equal(queue_remove(odb, &base, &e.key, name, &ours), 0);
	free(name);
	e.name = "new";
	queue_key_next(NULL, &(struct timespec){ 1800000000, 0 }, 0, &e.key);
	assert_int_equal(queue_push(odb, &base, &e, &theirs), 0);
	assert_int_equal(queue_merge(&counting.odb, &base, &ours, &theirs,
				     &merged), 0);
	assert_in_range(counting.reads, 1, 2 * 10 * 3);
	assert_int_equal(queue_remove(odb, &theirs, &e.key, "new", &theirs), 0);
	assert_true(oid_equal(&theirs, &base));
	assert_int_equal(queue_remove(odb, &merged, &e.key, "new", &merged), 0);
	assert_true(oid_equal(&merged, &ours));
}

#define queue_test(function)                                                   \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		queue_test(new_elements_of_both_sides_are_in),
		queue_test(what_either_side_took_is_gone),
		queue_test(what_was_taken_stays_gone_though_the_other_changed_it),
		queue_test(a_change_of_one_side_is_kept),
		queue_test(of_two_changes_the_smaller_name_wins),
		queue_test(of_one_name_the_smaller_id_wins),
		queue_test(equal_changes_are_one),
		queue_test(two_of_a_key_part),
		queue_test(an_element_of_several_names_is_not_lost),
		queue_test(foreign_entries_merge_by_path),
		queue_test(a_file_makes_room_for_a_directory),
		queue_test(what_makes_room_becomes_no_element),
		queue_test(a_long_name_makes_room_too),
		queue_test(a_directory_replaced_by_a_file_is_replaced),
		queue_test(both_names_of_nothing_are_one),
		queue_test(only_what_differs_is_read),
	};

	return cmocka_run_group_tests_name("queue_merge", tests, NULL, NULL);
}
