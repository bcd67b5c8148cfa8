/* SPDX-License-Identifier: ISC */
#include "tests/worktree_test.h"

static void assert_type(struct fixture *f, const char *path, const char *want)
{
	const char *name;
	struct node *dir = above(f, path, &name);
	char type[IRMIN_TYPE_SIZE] = "?";

	assert_non_null(dir);
	{
		SCOPED_WRITE(&f->w->lock);
		assert_int_equal(node_open_directory_locked(dir), 0);
		assert_int_equal(node_irmin_type(dir, name, type), 0);
	}
	assert_string_equal(type, want);
	node_unref(dir);
}

static void assert_stored_type(struct fixture *f, const char *path,
			       const char *want)
{
	struct irmin_cache *cache = irmin_cache_new();
	char type[IRMIN_TYPE_SIZE] = "?";

	assert_non_null(cache);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(tree_irmin_type(cache, f->odb, &f->head, path,
						 type), 0);
		assert_string_equal(type, want);
	}
	irmin_cache_free(cache);
}

static void test_none(void **state)
{
	struct fixture f;

	fixture_open(&f, "a/b/c=1\n");
	assert_type(&f, "a/b/c", "");
	assert_type(&f, "a/b/none", "");
	assert_stored_type(&f, "a/b/c", "");
	fixture_close(&f);
}

static void test_stored(void **state)
{
	struct fixture f;

	fixture_open(&f, ".gitattributes=/a/jobs irmin=queue\\n"
			 "*.t irmin=rope\\n[attr]q irmin=queue\\n/m q\\n"
			 "/s irmin\\n/u -irmin\n"
			 "a/.gitattributes=x.t irmin=other\\n"
			 "[attr]q irmin=no\\nm q\n"
			 "a/b=1\nz=1\n");
	assert_type(&f, "a/jobs", "queue");
	assert_type(&f, "jobs", "");
	assert_type(&f, "y.t", "rope");
	assert_type(&f, "a/y.t", "rope");
	assert_type(&f, "a/x.t", "other");
	assert_type(&f, "m", "queue");
	assert_type(&f, "a/m", "queue");
	assert_type(&f, "s", "");
	assert_type(&f, "u", "");
	assert_stored_type(&f, "a/jobs", "queue");
	assert_stored_type(&f, "a/x.t", "other");
	assert_stored_type(&f, "a/none/x.t", "other");
	assert_stored_type(&f, "z/none/x.t", "rope");
	fixture_close(&f);
}

/* The same bytes in the root and below: macros count in the root alone. */
static void test_same_bytes(void **state)
{
	struct fixture f;

	fixture_open(&f, ".gitattributes=[attr]q irmin=queue\\nx q\n"
			 "a/.gitattributes=[attr]q irmin=queue\\nx q\n"
			 "a/b=1\n");
	assert_type(&f, "x", "queue");
	assert_type(&f, "a/x", "queue");
	assert_type(&f, "x", "queue");
	fixture_close(&f);
}

static void test_uncommitted(void **state)
{
	struct fixture f;

	fixture_open(&f, "a/b=1\n");
	assert_type(&f, "a/jobs", "");
	assert_int_equal(put(&f, ".gitattributes", "/a/jobs irmin=queue\n"), 0);
	assert_type(&f, "a/jobs", "queue");
	assert_true(cut(&f));
	assert_type(&f, "a/jobs", "queue");
	assert_stored_type(&f, "a/jobs", "queue");
	assert_int_equal(put(&f, ".gitattributes", "/a/jobs irmin=other\n"), 0);
	assert_type(&f, "a/jobs", "other");
	assert_stored_type(&f, "a/jobs", "queue");
	assert_int_equal(put(&f, "a/.gitattributes", "jobs !irmin\n"), 0);
	assert_type(&f, "a/jobs", "");
	assert_int_equal(remove_at(&f, "a/.gitattributes", false), 0);
	assert_int_equal(remove_at(&f, ".gitattributes", false), 0);
	assert_type(&f, "a/jobs", "");
	fixture_close(&f);
}

/* Files that Git does not read, and a type that is too long to be one. */
static void test_odd(void **state)
{
	struct fixture f;

	fixture_open(&f, "l .gitattributes=a\na=jobs irmin=queue\n");
	assert_type(&f, "jobs", "");
	fixture_close(&f);
	fixture_open(&f, ".gitattributes=jobs irmin="
			 "0123456789012345678901234567890123456789\na=1\n");
	assert_type(&f, "jobs", "");
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_stored),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_uncommitted),
		cmocka_unit_test(test_odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
