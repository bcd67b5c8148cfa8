/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/merging_trees.h"
#include "structures/structures.h"

/* What two branches that make and remove queues make of .gitattributes. */

#define FILE_OF(lines) ".gitattributes=" lines "\n"
#define Q(path) "/" path " irmin=queue\\n"

static void both_sides_add_lines(void **state)
{
	assert_clean_merge(odb, "", FILE_OF(Q("b")), FILE_OF(Q("a")),
			   FILE_OF(Q("a") Q("b")));
	assert_clean_merge(odb, FILE_OF("*.c text\\n"),
			   FILE_OF("*.c text\\n" Q("a") Q("c")),
			   FILE_OF("*.c text\\n" Q("b")),
			   FILE_OF("*.c text\\n" Q("a") Q("b") Q("c")));
}

static void one_side_adds_what_the_other_removes(void **state)
{
	assert_clean_merge(odb, FILE_OF(Q("a")), "", FILE_OF(Q("a") Q("b")),
			   FILE_OF(Q("b")));
	assert_clean_merge(odb, FILE_OF(Q("a") Q("b")), FILE_OF(Q("a")),
			   FILE_OF(Q("b")), "");
}

static void both_sides_rename_a_queue(void **state)
{
	assert_clean_merge(odb, FILE_OF(Q("a")), FILE_OF(Q("b")),
			   FILE_OF(Q("c")), FILE_OF(Q("b") Q("c")));
}

/* Exchanged, too. */
static void assert_both_ways(const char *base, const char *a, const char *b,
			     const char *merged)
{
	assert_clean_merge(odb, base, a, b, merged);
	assert_clean_merge(odb, base, b, a, merged);
}

static void one_side_changes_other_lines(void **state)
{
	assert_both_ways("", FILE_OF("*.c text\\n"), FILE_OF(Q("a")),
			 FILE_OF("*.c text\\n" Q("a")));
	assert_both_ways(FILE_OF(Q("a") "x y\\n" Q("b")),
			 FILE_OF("x z\\n" Q("a") Q("c") Q("b")),
			 FILE_OF(Q("a") "x y\\n" Q("d")),
			 FILE_OF("x z\\n" Q("a") Q("c") Q("d")));
	assert_both_ways(FILE_OF(Q("a")), FILE_OF(Q("a") "# no newline"),
			 FILE_OF(Q("b")), FILE_OF("# no newline\\n" Q("b")));
	assert_both_ways(FILE_OF(Q("a") "x\\n"), FILE_OF(Q("a")),
			 FILE_OF("x\\n"), "");
}

static void assert_conflict(const char *base, const char *ours,
			    const char *theirs)
{
	assert_merge(odb, base, ours, theirs, ours, 1);
}

static void other_lines_conflict_as_ever(void **state)
{
	assert_conflict("", FILE_OF("a irmin=queue\\n"),
			FILE_OF("b irmin=queue\\n"));
	assert_conflict("", FILE_OF("/a/x irmin=queue text\\n"),
			FILE_OF("/a/x irmin=queue -text\\n"));
	assert_conflict("", FILE_OF("/a/x irmin=rope\\n"),
			FILE_OF("/a/y irmin=rope\\n"));
	assert_conflict("", FILE_OF("# ours\\n" Q("a")),
			FILE_OF("# theirs\\n" Q("a")));
	assert_conflict(FILE_OF(Q("a")), FILE_OF("/a irmin=queue text\\n"), "");
	assert_conflict(FILE_OF("x\\n" Q("a")), "",
			FILE_OF("x\\n" Q("a") Q("b")));
	assert_conflict(FILE_OF(Q("a")), "x .gitattributes=" Q("a") Q("b") "\n",
			FILE_OF(Q("a") Q("c")));
	/* in folders nobody writes them but the user */
	assert_conflict("d/f=1\n", "d/.gitattributes=" Q("a") "\nd/f=1\n",
			"d/.gitattributes=" Q("b") "\nd/f=1\n");
}

int main(void)
{
#define lines_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		lines_test(both_sides_add_lines),
		lines_test(one_side_adds_what_the_other_removes),
		lines_test(both_sides_rename_a_queue),
		lines_test(one_side_changes_other_lines),
		lines_test(other_lines_conflict_as_ever),
	};

	if (structures_register() < 0)
		return 1;
	return cmocka_run_group_tests_name("merge_type_lines", tests, NULL,
					   NULL);
}
