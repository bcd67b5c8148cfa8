/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/merging_trees.h"
#include "structures/structures.h"

/* Queues that one side removes or renames while the other one adds to them. */

/* Elements of the queue at a path (FORMAT.md has their keys). */
#define ONE(path) path "/01g/a/4/g/c/2/0/8/i/01ga4gc208i024qnjff-job=one\n"
#define TWO(path) path "/01g/a/4/g/c/2/0/8/i/01ga4gc208i10000000-job=two\n"
#define OTHER(path) path "/01g/a/4/g/c/2/0/8/i/01ga4gc208i10000000-other=two\n"
#define THREE(path) \
	path "/01i/4/d/v/h/f/9/3/0/01i4dvhf93003vvvvvv-mail.txt=three\n"

#define LINE(path) ".gitattributes=/" path " irmin=queue\\n\n"
#define LINES(a, b) \
	".gitattributes=/" a " irmin=queue\\n/" b " irmin=queue\\n\n"

static void what_was_pushed_into_a_removed_queue_is_in_a_queue(void **state)
{
	assert_clean_merge(odb, LINE("q") ONE("q") TWO("q"),
			   LINE("q") ONE("q") TWO("q") THREE("q"), "",
			   LINE("q") THREE("q"));
	/* other lines are the user's */
	assert_clean_merge(odb, ".gitattributes=*.c text\\n/q irmin=queue\\n\n"
			   ONE("q"),
			   ".gitattributes=*.c text\\n/q irmin=queue\\n\n"
			   ONE("q") THREE("q"),
			   ".gitattributes=*.c text\\n\n",
			   ".gitattributes=*.c text\\n/q irmin=queue\\n\n"
			   THREE("q"));
}

static void a_renamed_queue_is_another_one(void **state)
{
	assert_clean_merge(odb, LINE("q") ONE("q") TWO("q"),
			   LINE("q") ONE("q") TWO("q") THREE("q"),
			   LINE("work") ONE("work") TWO("work"),
			   LINES("work", "q") THREE("q") ONE("work")
			   TWO("work"));
}

static void what_was_claimed_or_renamed_there_stays_removed(void **state)
{
	assert_clean_merge(odb, LINE("q") ONE("q") TWO("q"),
			   LINE("q") OTHER("q"), "", "");
	assert_clean_merge(odb, LINE("q") ONE("q") TWO("q"),
			   LINE("q") OTHER("q") THREE("q"), "",
			   LINE("q") THREE("q"));
}

/* Without elements a queue is no tree: there is nothing to be merged. */
static void an_empty_queue_that_was_removed_comes_back_as_one(void **state)
{
	assert_clean_merge(odb, LINE("q"), LINE("q") THREE("q"), "",
			   LINE("q") THREE("q"));
	assert_clean_merge(odb, LINE("d/q") "f=1\n",
			   LINE("d/q") THREE("d/q") "f=1\n", "f=2\n",
			   LINE("d/q") THREE("d/q") "f=2\n");
	assert_clean_merge(odb, LINE("q"), "", LINE("q"), "");
}

static void lines_of_folders_are_replaced_by_the_roots(void **state)
{
	assert_clean_merge(odb, "d/.gitattributes=q irmin=queue\\n\n" ONE("d/q"),
			   "d/.gitattributes=q irmin=queue\\n\n" ONE("d/q")
			   THREE("d/q"), "", LINE("d/q") THREE("d/q"));
}

static void several_come_back_in_the_order_of_paths(void **state)
{
	assert_clean_merge(odb, LINES("b", "a") ONE("a") ONE("b"),
			   LINES("b", "a") ONE("a") THREE("a") ONE("b")
			   THREE("b"), "",
			   LINES("a", "b") THREE("a") THREE("b"));
}

static void a_queue_whose_type_was_taken_away_stays_a_folder(void **state)
{
	assert_clean_merge(odb, LINE("q") ONE("q"), LINE("q") ONE("q")
			   THREE("q"), ONE("q"), ONE("q") THREE("q"));
}

static void lines_that_cannot_be_kept_keep_nothing_else(void **state)
{
	assert_clean_merge(odb, LINE("q") ONE("q"), LINE("q") ONE("q")
			   THREE("q"), "l .gitattributes=x\n",
			   "l .gitattributes=x\n" THREE("q"));
}

int main(void)
{
#define typed_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		typed_test(what_was_pushed_into_a_removed_queue_is_in_a_queue),
		typed_test(a_renamed_queue_is_another_one),
		typed_test(what_was_claimed_or_renamed_there_stays_removed),
		typed_test(an_empty_queue_that_was_removed_comes_back_as_one),
		typed_test(lines_of_folders_are_replaced_by_the_roots),
		typed_test(several_come_back_in_the_order_of_paths),
		typed_test(a_queue_whose_type_was_taken_away_stays_a_folder),
		typed_test(lines_that_cannot_be_kept_keep_nothing_else),
	};

	if (structures_register() < 0)
		return 1;
	return cmocka_run_group_tests_name("merge_typed", tests, NULL, NULL);
}
