/* SPDX-License-Identifier: ISC */
#include "tests/sanitized.h"
#include "tests/worktree_test.h"

/* As on ext4; a twentieth with sanitizers. */
#define MOST (65000 / SANITIZED)

static const char *name_of(unsigned int i)
{
	static char path[32];

	snprintf(path, sizeof(path), "d%u/%u", i / 1000, i);
	return path;
}

static void link_all(struct fixture *f, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (i % 1000 == 0) {
			char dir[32];

			snprintf(dir, sizeof(dir), "d%u", i / 1000);
			assert_int_equal(make_dir(f, dir), 0);
		}
		assert_int_equal(name_again(f, "f", name_of(i)), 0);
	}
}

static void assert_stored_all(struct fixture *f, unsigned int from,
			      unsigned int to, const char *text)
{
	struct oid oid;

	assert_int_equal(odb_write(f->odb, OBJECT_BLOB, text, strlen(text),
				   &oid), 0);
	for (unsigned int i = from; i < to; i++) {
		struct tree_entry e;

		assert_int_equal(tree_resolve(f->odb, &f->head, name_of(i), &e),
				 0);
		assert_true(oid_equal(&e.oid, &oid));
	}
}

/* As many as there may be take seconds, even where what is done concerns them all:
 * hours, if each did all again. */
static void as_many_names_as_there_may_be(void **state)
{
	struct fixture fixture, *f = &fixture;

	fixture_open(f, "f=1\n");
	link_all(f, MOST - 1);
	if (SANITIZED == 1)
		assert_int_equal(name_again(f, "f", "other"), -EMLINK);
	assert_int_equal(stat_at(f, name_of(7)).st_nlink, MOST);
	assert_true(cut(f));
	assert_stored_all(f, 0, MOST - 1, "1");
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(put(f, name_of(i), i % 2 ? "2" : "3"), 0);
	assert_true(cut(f));
	assert_stored_all(f, 0, MOST - 1, "2");
	assert_int_equal(remove_at(f, "f", false), 0);
	for (unsigned int i = 0; i < MOST - 2; i++)
		assert_int_equal(remove_at(f, name_of(i), false), 0);
	assert_int_equal(stat_at(f, name_of(MOST - 2)).st_nlink, 1);
	assert_true(cut(f));
	assert_stored_all(f, MOST - 2, MOST - 1, "2");
	assert_file(f, name_of(MOST - 2), "2");
	fixture_close(f);
}

/* What all names are marked with must be known again after a cut, for names that
 * come later, and for the name whose place the file takes. */
static void a_change_reaches_names_old_and_new(void **state)
{
	struct fixture fixture, *f = &fixture;

	fixture_open(f, "f=1\n");
	assert_int_equal(name_again(f, "f", "g"), 0);
	assert_int_equal(put(f, "f", "2"), 0);
	assert_int_equal(name_again(f, "g", "h"), 0);
	assert_cut(f, "f=2\ng=2\nh=2\n");
	assert_int_equal(put(f, "h", "3"), 0);
	assert_cut(f, "f=3\ng=3\nh=3\n");
	assert_int_equal(put(f, "g", "4"), 0);
	assert_int_equal(remove_at(f, "f", false), 0);
	assert_int_equal(name_again(f, "g", "i"), 0);
	assert_int_equal(put(f, "i", "5"), 0);
	assert_cut(f, "g=5\nh=5\ni=5\n");
	assert_int_equal(change_mode(f, "h", 0755), 0);
	assert_int_equal(move(f, "g", "j", 0), 0);
	assert_int_equal(put(f, "h", "6"), 0);
	assert_cut(f, "x h=6\nx i=6\nx j=6\n");
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_names_as_there_may_be),
		cmocka_unit_test(a_change_reaches_names_old_and_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
