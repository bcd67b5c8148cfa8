/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "structures/queue.h"
#include "store/util.h"
#include "tests/trees.h"
#include "tests/memory_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct queue_key key_at(uint64_t microseconds, uint32_t random)
{
	struct timespec now = { .tv_sec = microseconds / 1000000,
				.tv_nsec = microseconds % 1000000 * 1000 };
	struct queue_key key;

	queue_key_next(NULL, &now, random, &key);
	return key;
}

static struct oid blob(const char *text)
{
	struct oid oid;

	assert_int_equal(odb_write(odb, OBJECT_BLOB, text, strlen(text), &oid),
			 0);
	return oid;
}

static int try_push(struct oid *queue, uint64_t microseconds, uint32_t random,
		    const char *name, const char *text)
{
	struct queue_element element = {
		.key = key_at(microseconds, random), .name = name,
		.mode = MODE_FILE, .oid = blob(text),
	};

	return queue_push(odb, queue, &element, queue);
}

static void push(struct oid *queue, uint64_t microseconds, const char *name)
{
	assert_int_equal(try_push(queue, microseconds, 0, name, name), 0);
}

static void assert_id(const struct oid *oid, const char *expected)
{
	char hex[OID_HEX_SIZE];

	assert_string_equal(oid_hex(oid, hex), expected);
}

static int print_element(void *context, const struct queue_element *e)
{
	return buffer_printf(context, "%s%s\n", e->foreign ? "foreign " : "",
			     e->name);
}

static void assert_shown(const struct oid *queue, const char *expected)
{
	scoped_buffer struct buffer b = { 0 };

	assert_int_equal(queue_each(odb, queue, print_element, &b), 0);
	assert_string_equal(b.data ? b.data : "", expected);
}

/* ---- keys and paths ---- */

static void keys_are_written_as_documented(void **state)
{
	assert_string_equal(key_at(1700000000123456, 0x89abcdef).text,
			    "01ga4gc208i024qnjff");
	assert_string_equal(key_at(0, 0).text, "0000000000000000000");
	assert_string_equal(key_at(1764097200000000, UINT32_MAX).text,
			    "01i4dvhf93003vvvvvv");
}

static void keys_grow(void **state)
{
	struct timespec now = { .tv_sec = 1700000000, .tv_nsec = 123456789 };
	struct queue_key last = { "" }, next;

	for (int i = 0; i < 5000; i++) {
		/* the clock stands, goes back and goes on */
		now.tv_nsec = i % 3 * 1000 + (i / 100) * 100000;
		queue_key_next(&last, &now, i * 2654435761u, &next);
		assert_true(strcmp(last.text, next.text) < 0);
		last = next;
	}
}

static void clocks_beyond_all_bounds_give_keys(void **state)
{
	struct timespec early = { .tv_sec = -1 };
	struct timespec late = { .tv_sec = INT64_MAX };
	struct queue_key key, next;

	queue_key_next(NULL, &early, 7, &key);
	assert_string_equal(key.text, "0000000000000000007");
	queue_key_next(NULL, &late, 7, &key);
	assert_string_equal(key.text, "vvvvvvvvvvvv0000007");
	queue_key_next(&key, &early, 5, &next);
	assert_string_equal(next.text, "vvvvvvvvvvvv0000008");
	queue_key_next(NULL, &late, UINT32_MAX, &key);
	queue_key_next(&key, &late, 5, &next);
	assert_string_equal(next.text, key.text);
}

static void a_clock_that_lags_goes_on_by_one(void **state)
{
	struct queue_key first = key_at(1700000000123456, 5), next;
	struct timespec now = { .tv_sec = 1600000000 };

	queue_key_next(&first, &now, 0, &next);
	assert_string_equal(next.text, key_at(1700000000123457, 0).text);
}

static void paths_depend_on_key_and_name(void **state)
{
	struct queue_key key = key_at(1700000000123456, 0x89abcdef), parsed;
	char path[QUEUE_PATH_MAX];
	const char *name;

	assert_int_equal(queue_path(&key, "job", path), 0);
	assert_string_equal(path, "01g/a/4/g/c/2/0/8/i/"
			    "01ga4gc208i024qnjff-job");
	assert_int_equal(queue_parse(path, &parsed, &name), 0);
	assert_string_equal(parsed.text, key.text);
	assert_string_equal(name, "job");
	assert_ptr_equal(name, strrchr(path, '-') + 1);
	assert_int_equal(queue_parse(strrchr(path, '/') + 1, &parsed, &name),
			 0);
	assert_string_equal(name, "job");
}

static void names_that_git_refuses_are_refused(void **state)
{
	static const char *const refused[] = { "", ".", "..", ".git", ".GIT",
		"git~1", "a/b", "x\\.git", ".git ", ".g\u200cit" };
	struct queue_key key = key_at(1, 1), parsed;
	char path[QUEUE_PATH_MAX], stored[QUEUE_PATH_MAX];
	const char *name;

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		int r = queue_path(&key, refused[i], path);

		assert_true(r == -EINVAL || r == -EPERM);
		snprintf(stored, sizeof(stored), "%s-%s", key.text, refused[i]);
		assert_int_equal(queue_parse(stored, &parsed, &name), -ENOENT);
	}
}

static void names_have_a_longest(void **state)
{
	char name[QUEUE_NAME_MAX + 2], path[QUEUE_PATH_MAX];
	struct queue_key key = key_at(1, 1), parsed;
	const char *found;

	memset(name, 'n', sizeof(name));
	name[QUEUE_NAME_MAX + 1] = '\0';
	assert_int_equal(queue_path(&key, name, path), -ENAMETOOLONG);
	name[QUEUE_NAME_MAX] = '\0';
	assert_int_equal(queue_path(&key, name, path), 0);
	assert_int_equal(strlen(strrchr(path, '/') + 1), NAME_LENGTH_MAX);
	assert_int_equal(queue_parse(path, &parsed, &found), 0);
	assert_string_equal(found, name);
}

static void what_is_no_key_does_not_parse(void **state)
{
	static const char *const foreign[] = {
		"", "job", "01ga4gc208i024qnjff", "01ga4gc208i024qnjff-",
		"01ga4gc208i024qnjf-job", "01ga4gc208i024qnjffx-job",
		"01GA4gc208i024qnjff-job", "01ga4gc208w024qnjff-job",
		"01ga4gc208i0z4qnjff-job", "01ga4gc208i04000000-job",
		"01g/a/4/g/c/2/0/8/j/01ga4gc208i024qnjff-job",
		"01g/a/4/g/c/2/0/8/01ga4gc208i024qnjff-job",
		"/01ga4gc208i024qnjff-job", "x/01ga4gc208i024qnjff-job",
	};
	struct queue_key key;
	const char *name;

	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++)
		assert_int_equal(queue_parse(foreign[i], &key, &name), -ENOENT);
}

/* ---- pushing and taking ---- */

static void trees_are_as_documented(void **state)
{
	struct oid queue = { 0 };

	assert_int_equal(try_push(&queue, 1700000000123456, 0x89abcdef, "job",
				  "one\n"), 0);
	assert_id(&queue, "c610141b6a4afdf33261ec59e05500290b4aa961");
	assert_int_equal(try_push(&queue, 1700000000123457, 0, "job",
				  "two\n"), 0);
	assert_id(&queue, "6b7873f94db16aed136c91d6bd7771033e3f3929");
	assert_int_equal(try_push(&queue, 1764097200000000, UINT32_MAX,
				  "mail.txt", "three\n"), 0);
	assert_id(&queue, "768d0c04aee1c03c907ea2ebdc7777a9db8a6f10");
}

static void taking_all_leaves_nothing(void **state)
{
	struct oid queue = { 0 }, before;
	struct queue_element e;
	char *name;

	push(&queue, 5000000, "a");
	before = queue;
	push(&queue, 7000000, "b");
	assert_int_equal(queue_last(odb, &queue, &e, &name), 0);
	assert_string_equal(name, "b");
	assert_string_equal(e.key.text, key_at(7000000, 0).text);
	assert_int_equal(queue_remove(odb, &queue, &e.key, name, &queue), 0);
	free(name);
	assert_true(oid_equal(&queue, &before));
	assert_int_equal(queue_first(odb, &queue, &e, &name), 0);
	assert_string_equal(name, "a");
	assert_ptr_equal(e.name, name);
	assert_int_equal(queue_remove(odb, &queue, &e.key, name, &queue), 0);
	free(name);
	assert_true(oid_is_zero(&queue));
	assert_int_equal(queue_first(odb, &queue, &e, &name), -ENOENT);
	assert_int_equal(queue_last(odb, &oid_empty_tree, &e, &name), -ENOENT);
}

static void a_key_is_used_once(void **state)
{
	struct oid queue = { 0 };

	push(&queue, 5, "a");
	assert_int_equal(try_push(&queue, 5, 0, "a", "x"), -EEXIST);
	assert_int_equal(try_push(&queue, 5, 0, "b", "x"), -EEXIST);
	assert_int_equal(try_push(&queue, 5, 0, "A", "x"), -EEXIST);
	assert_int_equal(try_push(&queue, 5, 1, "b", "x"), 0);
	assert_shown(&queue, "a\nb\n");
}

static void only_what_is_there_is_removed(void **state)
{
	struct queue_key five = key_at(5, 0), six = key_at(6, 0);
	struct oid queue = { 0 }, same;

	push(&queue, 5, "a");
	same = queue;
	assert_int_equal(queue_remove(odb, &queue, &five, "b", &queue), -ENOENT);
	assert_int_equal(queue_remove(odb, &queue, &six, "a", &queue), -ENOENT);
	assert_int_equal(queue_remove(odb, &queue, &five, "..", &queue),
			 -ENOENT);
	assert_true(oid_equal(&queue, &same));
}

static void only_files_are_elements(void **state)
{
	struct queue_element e = { .key = key_at(1, 0), .name = "a",
				   .mode = MODE_TREE, .oid = oid_empty_tree };
	struct oid queue = { 0 };

	assert_int_equal(queue_push(odb, &queue, &e, &queue), -EINVAL);
	e.mode = MODE_SUBMODULE;
	assert_int_equal(queue_push(odb, &queue, &e, &queue), -EINVAL);
	e.mode = MODE_SYMLINK;
	assert_int_equal(queue_push(odb, &queue, &e, &queue), 0);
}

static void elements_come_in_the_order_of_keys(void **state)
{
	struct oid queue = { 0 };

	push(&queue, 40, "f");
	push(&queue, UINT64_C(1) << 50, "h");
	push(&queue, 31, "d");
	push(&queue, 2000000, "g");
	push(&queue, 32, "e");
	push(&queue, 30, "z");
	assert_shown(&queue, "z\nd\ne\nf\ng\nh\n");
}

static int stop_at_b(void *context, const struct queue_element *e)
{
	++*(int *)context;
	return strcmp(e->name, "b") == 0 ? 42 : 0;
}

static void a_walk_can_be_ended(void **state)
{
	struct oid queue = { 0 };
	int seen = 0;

	push(&queue, 1, "a");
	push(&queue, 2, "b");
	push(&queue, 3, "c");
	assert_int_equal(queue_each(odb, &queue, stop_at_b, &seen), 42);
	assert_int_equal(seen, 2);
}

/* ---- what plain Git put there ---- */

#define ONE "0000000000010000000"	/* of 1 us */

static void foreign_entries_are_shown_last(void **state)
{
	struct oid queue = text_to_tree(odb,
		"000/0/0/0/0/0/0/0/0/" ONE "-a=1\n"
		"000/0/0/0/0/0/0/0/0/" ONE "-d/f=2\n"
		"000/0/0/0/0/0/0/0/0/000000000100000000j-c=4\n"
		"000/0/0/0/0/0/0/0/0/0000000000x10000000-b=3\n"
		"000/0/0/0/0/0/0/0/1=5\n"
		"000/0/0/0/0/0/0/0/00/x=6\n"
		"README=7\n"
		"dir/x=8\n"
		"docs/x=9\n");

	assert_shown(&queue, "a\n"
		     "foreign 000/0/0/0/0/0/0/0/0/" ONE "-d\n"
		     "foreign 000/0/0/0/0/0/0/0/0/0000000000x10000000-b\n"
		     "foreign 000/0/0/0/0/0/0/0/0/000000000100000000j-c\n"
		     "foreign 000/0/0/0/0/0/0/0/00\n"
		     "foreign 000/0/0/0/0/0/0/0/1\n"
		     "foreign README\n"
		     "foreign dir/x\n"
		     "foreign docs\n");
}

static void foreign_entries_stay_when_elements_go(void **state)
{
	struct oid queue = text_to_tree(odb, "README=7\n");
	struct oid before = queue;
	struct queue_key key = key_at(1, 0);

	push(&queue, 1, "a");
	assert_shown(&queue, "a\nforeign README\n");
	assert_int_equal(queue_remove(odb, &queue, &key, "a", &queue), 0);
	assert_true(oid_equal(&queue, &before));
}

static void the_first_is_found_behind_foreign_entries(void **state)
{
	struct oid queue = text_to_tree(odb,
		"000/0/0/0/0/0/0/0/0/x=1\n"
		"000/0/1/x=2\n"
		"1=4\n"
		"001/0/0/0/0/0/0/0/0/" ONE "-wrong=1\n"
		"vvv/0/0/0/0/x=3\n");
	struct queue_element e;
	char *name;

	assert_int_equal(queue_first(odb, &queue, &e, &name), -ENOENT);
	push(&queue, 1000000, "a");
	assert_int_equal(queue_first(odb, &queue, &e, &name), 0);
	assert_string_equal(name, "a");
	free(name);
	assert_int_equal(queue_last(odb, &queue, &e, &name), 0);
	assert_string_equal(name, "a");
	free(name);
}

static void a_foreign_file_makes_room(void **state)
{
	struct oid queue = text_to_tree(odb, "000=x\nl 001=t\n");
	char *text;

	push(&queue, 1, "a");
	text = tree_to_text(odb, &queue);
	assert_string_equal(text,
		"000/0/0/0/0/0/0/0/0/" ONE "-a=a\n"
		"000~c1b0730e0133447badcfd47fd144e254807b06e1=x\n"
		"l 001=t\n");
	free(text);
}

static void two_of_a_key_can_both_be_taken(void **state)
{
	struct oid queue = text_to_tree(odb,
		"000/0/0/0/0/0/0/0/0/" ONE "-a=1\n"
		"000/0/0/0/0/0/0/0/0/" ONE "-b=2\n");
	struct queue_key key = key_at(1, 0);

	assert_shown(&queue, "a\nb\n");
	assert_int_equal(queue_remove(odb, &queue, &key, "b", &queue), 0);
	assert_shown(&queue, "a\n");
}

static void damage_is_an_error(void **state)
{
	struct oid none, tree = text_to_tree(odb, "000/0/0/0/x=1\n");
	struct tree_entry entry = { .mode = MODE_TREE, .name = "000" };
	struct queue_element e = { .key = key_at(1, 0), .name = "a",
				   .mode = MODE_FILE, .oid = blob("") };
	struct oid queue;
	char *name;

	memset(&none, 7, sizeof(none));
	entry.oid = none;
	assert_int_equal(tree_write(odb, &entry, 1, &queue), 0);
	assert_int_equal(queue_push(odb, &queue, &e, &queue), -EIO);
	assert_int_equal(queue_first(odb, &queue, &e, &name), -EIO);
	assert_int_equal(queue_merge(odb, &none, &queue, &tree, &queue), -EIO);
	entry.oid = blob("no tree");
	assert_int_equal(tree_write(odb, &entry, 1, &queue), 0);
	assert_int_equal(queue_first(odb, &queue, &e, &name), -EUCLEAN);
	assert_int_equal(queue_merge(odb, &tree, &queue, &oid_empty_tree,
				     &queue), -EUCLEAN);
}

#define queue_test(function)                                                   \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		queue_test(keys_are_written_as_documented),
		queue_test(keys_grow),
		queue_test(clocks_beyond_all_bounds_give_keys),
		queue_test(a_clock_that_lags_goes_on_by_one),
		queue_test(paths_depend_on_key_and_name),
		queue_test(names_that_git_refuses_are_refused),
		queue_test(names_have_a_longest),
		queue_test(what_is_no_key_does_not_parse),
		queue_test(trees_are_as_documented),
		queue_test(taking_all_leaves_nothing),
		queue_test(a_key_is_used_once),
		queue_test(only_what_is_there_is_removed),
		queue_test(only_files_are_elements),
		queue_test(elements_come_in_the_order_of_keys),
		queue_test(a_walk_can_be_ended),
		queue_test(foreign_entries_are_shown_last),
		queue_test(foreign_entries_stay_when_elements_go),
		queue_test(the_first_is_found_behind_foreign_entries),
		queue_test(a_foreign_file_makes_room),
		queue_test(two_of_a_key_can_both_be_taken),
		queue_test(damage_is_an_error),
	};

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
