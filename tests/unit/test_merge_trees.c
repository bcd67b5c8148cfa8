/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/merge.h"
#include "tests/trees.h"

#include <errno.h>

/* ---- an object database that counts and may fail ---- */

struct counting_odb {
	struct odb odb;
	struct odb *below;
	size_t trees_read, trees_written;
	struct oid damaged;
};

static int counting_read(struct odb *odb, const struct oid *oid,
			 enum object_type *ret_type, void **ret_data,
			 size_t *ret_size)
{
	struct counting_odb *c = (struct counting_odb *)odb;
	int r;

	if (oid_equal(oid, &c->damaged))
		return -EUCLEAN;
	r = c->below->ops->read(c->below, oid, ret_type, ret_data, ret_size);
	if (r == 0 && *ret_type == OBJECT_TREE)
		c->trees_read++;
	return r;
}

static int counting_read_header(struct odb *odb, const struct oid *oid,
				enum object_type *ret_type, uint64_t *ret_size)
{
	struct counting_odb *c = (struct counting_odb *)odb;

	return c->below->ops->read_header(c->below, oid, ret_type, ret_size);
}

static int counting_write(struct odb *odb, enum object_type type,
			  const void *data, size_t size, struct oid *ret_oid)
{
	struct counting_odb *c = (struct counting_odb *)odb;

	c->trees_written += type == OBJECT_TREE;
	return c->below->ops->write(c->below, type, data, size, ret_oid);
}

static const struct odb_ops counting_ops = {
	.read = counting_read,
	.read_header = counting_read_header,
	.write = counting_write,
};

static struct counting_odb odb;

static int setup(void **state)
{
	odb = (struct counting_odb){ .odb.ops = &counting_ops };
	return memory_odb_new(&odb.below);
}

static int teardown(void **state)
{
	odb_free(odb.below);
	return 0;
}

/* ---- merging texts ---- */

static int rule_by_name(void *context, const char *path,
			struct merge_rule *ret)
{
	const char *dot = strrchr(path, '.');

	if (dot)
		ret->name = strdup(dot + 1);
	return 0;
}

static struct merge_context context_of(void)
{
	return (struct merge_context){
		.odb = &odb.odb, .rule = rule_by_name,
		.ours_label = "ours", .theirs_label = "theirs",
	};
}

static int merge(const struct merge_context *context, const char *base,
		 const char *ours, const char *theirs,
		 struct merge_result *ret)
{
	struct oid b = text_to_tree(odb.below, base);
	struct oid o = text_to_tree(odb.below, ours);
	struct oid t = text_to_tree(odb.below, theirs);

	return merge_trees(context, &b, &o, &t, ret, NULL);
}

/* The changes, stored anew over ours, must give the same tree. */
static void check_changes(const struct merge_result *result, const char *ours)
{
	struct oid o = text_to_tree(odb.below, ours);
	struct delta *delta = result->changes;
	struct oid tree = delta->oid;

	assert_true(oid_equal(&tree, &result->tree));
	assert_int_equal(delta_store(delta, odb.below, &o), 0);
	assert_true(oid_equal(&delta->oid, &result->tree));
}

/* conflicts: "path: reason\n"... in path order */
static void check(const char *base, const char *ours, const char *theirs,
		  const char *tree, const char *conflicts)
{
	const struct merge_context context = context_of();
	scoped_buffer struct buffer found = { 0 };
	struct merge_result result;
	char *text;

	assert_int_equal(merge(&context, base, ours, theirs, &result), 0);
	text = tree_to_text(odb.below, &result.tree);
	assert_string_equal(text, tree);
	free(text);
	for (size_t i = 0; i < result.conflict_count; i++)
		buffer_printf(&found, "%s: %s\n", result.conflicts[i].path,
			      result.conflicts[i].reason);
	assert_string_equal(found.data ? found.data : "", conflicts);
	check_changes(&result, ours);
	merge_result_release(&result);
}

static void check_clean(const char *base, const char *ours, const char *theirs,
			const char *tree)
{
	check(base, ours, theirs, tree, "");
	check(base, theirs, ours, tree, "");
}

/* ---- clean merges ---- */

static void what_one_side_changed_is_taken(void **state)
{
	check_clean("", "", "", "");
	check_clean("a=1\n", "a=1\n", "a=1\n", "a=1\n");
	check_clean("a=1\n", "a=2\n", "a=1\n", "a=2\n");
	check_clean("a=1\n", "a=2\n", "a=2\n", "a=2\n");
	check_clean("a=1\n", "", "a=1\n", "");
	check_clean("a=1\n", "", "", "");
	check_clean("", "a=1\n", "", "a=1\n");
	check_clean("", "a=1\n", "b=1\n", "a=1\nb=1\n");
	check_clean("a=1\nb=1\n", "a=2\nb=1\n", "a=1\nb=2\n", "a=2\nb=2\n");
	check_clean("d/a=1\nd/b=1\n", "d/a=2\nd/b=1\n", "d/a=1\nd/b=2\n",
		    "d/a=2\nd/b=2\n");
	check_clean("d/a=1\n", "d/a=1\n", "d/a=1\ne/f/g=1\n",
		    "d/a=1\ne/f/g=1\n");
	check_clean("l a=1\n", "l a=2\n", "l a=1\n", "l a=2\n");
}

static void modes_are_merged_by_themselves(void **state)
{
	check_clean("a=1\n", "x a=1\n", "a=2\n", "x a=2\n");
	check_clean("x a=1\n", "a=1\n", "x a=2\n", "a=2\n");
	check_clean("a=1\n", "x a=2\n", "x a=2\n", "x a=2\n");
	check_clean("a=1\\n2\\n3\\n\n", "x a=0\\n2\\n3\\n\n",
		    "a=1\\n2\\n4\\n\n", "x a=0\\n2\\n4\\n\n");
	check("", "x a=1\n", "a=1\n", "x a=1\n",
	      "a: executable on one side only\n");
	check("", "a=1\n", "x a=1\n", "a=1\n",
	      "a: executable on one side only\n");
}

static void lines_are_merged(void **state)
{
	check_clean("a=1\\n2\\n3\\n\n", "a=0\\n2\\n3\\n\n",
		    "a=1\\n2\\n4\\n\n", "a=0\\n2\\n4\\n\n");
	check("a=1\\n", "a=2\\n\n", "a=3\\n\n", "a=2\\n\n",
	      "a: both sides changed it\n");
	check("", "a=2\n", "a=3\n", "a=2\n", "a: both sides added it\n");
}

static void kinds_may_change_on_one_side(void **state)
{
	check_clean("a=1\n", "l a=1\n", "a=1\n", "l a=1\n");
	check_clean("a=1\n", "a/b=1\n", "a=1\n", "a/b=1\n");
	check_clean("a/b=1\n", "a=1\n", "a/b=1\n", "a=1\n");
	check_clean("a=1\n", "", "a/b=1\n", "a/b=1\n");
	check_clean("a/b=1\n", "", "a=1\n", "a=1\n");
	check_clean("a=1\n", "a/b=1\n", "a/c=1\n", "a/b=1\na/c=1\n");
	/* only removals stand against the file */
	check_clean("a/b=1\na/c/d=1\na/c/e=2\n", "a/c/e=2\n", "a=1\n", "a=1\n");
	/* names that Git's order parts */
	check_clean("a/b=1\na.c=1\n", "a=1\na.c=2\n", "a.c=1\na/b=1\na0=1\n",
		    "a=1\na.c=2\na0=1\n");
}

static void directories_go_file_by_file(void **state)
{
	check_clean("d/a=1\nd/b=1\n", "", "d/a=1\n", "");
	check_clean("d/a=1\nd/b=1\n", "d/a=1\n", "d/b=1\n", "");
	check_clean("d/a=1\n", "", "d/a=1\nd/new=1\n", "d/new=1\n");
	check_clean("d/e/a=1\nk=1\n", "k=1\n", "d/e/a=1\nd/e/b=1\nk=1\n",
		    "d/e/b=1\nk=1\n");
	check("d/a=1\nd/b=1\n", "", "d/a=2\nd/b=1\n", "",
	      "d/a: removed here, changed there\n");
	check("d/a=1\nd/b=1\n", "d/a=2\nd/b=1\n", "", "d/a=2\n",
	      "d/a: changed here, removed there\n");
}

/* ---- conflicts ---- */

static void no_side_is_dropped(void **state)
{
	check("a=1\n", "", "a=2\n", "", "a: removed here, changed there\n");
	check("a=1\n", "a=2\n", "", "a=2\n",
	      "a: changed here, removed there\n");
	check("l a=1\n", "l a=2\n", "l a=3\n", "l a=2\n",
	      "a: both sides changed the symbolic link\n");
	check("a=1\n", "l a=2\n", "a=3\n", "l a=2\n",
	      "a: of different kinds on both sides\n");
	check("a=1\n", "a=2\n", "a/b=1\n", "a=2\n",
	      "a: a file here, a directory there\n");
	check("a=1\n", "a/b=1\n", "a=2\n", "a/b=1\n",
	      "a: a directory here, a file there\n");
	check("", "a=2\n", "a/b=1\n", "a=2\n",
	      "a: a file here, a directory there\n");
	check("a/b=1\na/c=1\n", "a/b=1\n", "a=2\n", "a=2\n", "");
	check("a/b=1\na/c=1\n", "a/b=2\n", "a=2\n", "a/b=2\n",
	      "a: a directory here, a file there\n");
}

#define ONE "1111111111111111111111111111111111111111"
#define TWO "2222222222222222222222222222222222222222"
#define THREE "3333333333333333333333333333333333333333"

static void submodules_are_never_merged(void **state)
{
	check_clean("s a=" ONE "\n", "s a=" TWO "\n", "s a=" ONE "\n",
		    "s a=" TWO "\n");
	check_clean("s a=" ONE "\n", "", "s a=" ONE "\n", "");
	check("s a=" ONE "\n", "s a=" TWO "\n", "s a=" THREE "\n",
	      "s a=" TWO "\n", "a: both sides changed the submodule\n");
	check("s a=" ONE "\n", "s a=" TWO "\n", "a/b=1\n", "s a=" TWO "\n",
	      "a: a file here, a directory there\n");
}

static void conflicts_hold_all_sides(void **state)
{
	const struct merge_context context = context_of();
	struct merge_result result;
	struct conflict *c;
	void *data;
	size_t size;

	assert_int_equal(merge(&context, "a=1\\n\nz=1\n", "a=2\\n\nz=2\n",
			       "x a=3\\n\n", &result), 0);
	assert_int_equal(result.conflict_count, 2);
	c = &result.conflicts[0];
	assert_int_equal(c->base.mode, MODE_FILE);
	assert_int_equal(c->ours.mode, MODE_FILE);
	assert_int_equal(c->theirs.mode, MODE_EXECUTABLE);
	assert_int_equal(c->merged.mode, MODE_EXECUTABLE);
	assert_int_equal(c->suggested.mode, 0);
	assert_int_equal(odb_read(odb.below, &c->merged.oid, OBJECT_BLOB, &data,
				  &size), 0);
	assert_string_equal(data, "<<<<<<< ours\n2\n=======\n3\n>>>>>>> theirs\n");
	free(data);
	c = &result.conflicts[1];
	assert_int_equal(c->theirs.mode, 0);
	assert_int_equal(c->merged.mode, 0);
	merge_result_release(&result);
}

static void conflicts_come_in_path_order(void **state)
{
	check("a/b=1\na.c=1\na0=1\n", "a/b=2\na.c=2\na0=2\n",
	      "a/b=3\na.c=3\na0=3\n", "a.c=2\na/b=2\na0=2\n",
	      "a.c: both sides changed it\na/b: both sides changed it\n"
	      "a0: both sides changed it\n");
}

/* ---- rules ---- */

static void rules_choose_how(void **state)
{
	check("a.ours=1\n", "a.ours=2\n", "a.ours=3\n", "a.ours=2\n", "");
	check("a.theirs=1\n", "a.theirs=2\n", "a.theirs=3\n", "a.theirs=3\n",
	      "");
	check("a.union=1\\n\n", "a.union=1\\n2\\n\n", "a.union=1\\n3\\n\n",
	      "a.union=1\\n2\\n3\\n\n", "");
	/* lines could be merged, but must not be */
	check("a.binary=1\\n2\\n3\\n\n", "a.binary=0\\n2\\n3\\n\n",
	      "a.binary=1\\n2\\n4\\n\n", "a.binary=0\\n2\\n3\\n\n",
	      "a.binary: both sides changed it\n");
	/* no such type: text, as Git */
	check("a.c=1\\n2\\n3\\n\n", "a.c=0\\n2\\n3\\n\n", "a.c=1\\n2\\n4\\n\n",
	      "a.c=0\\n2\\n4\\n\n", "");
}

static struct oid write_blob(const void *data, size_t size)
{
	struct oid oid;

	assert_int_equal(odb_write(odb.below, OBJECT_BLOB, data, size, &oid), 0);
	return oid;
}

static struct oid tree_with(struct oid blob)
{
	struct tree_entry entry = { MODE_FILE, blob, "file" };
	struct oid oid;

	assert_int_equal(tree_write(odb.below, &entry, 1, &oid), 0);
	return oid;
}

static void binary_files_conflict_whole(void **state)
{
	const struct merge_context context = context_of();
	struct oid base = tree_with(write_blob("1\n2\n3\n\0", 7));
	struct oid ours_file = write_blob("0\n2\n3\n\0", 7);
	struct oid ours = tree_with(ours_file);
	struct oid theirs = tree_with(write_blob("1\n2\n4\n\0", 7));
	struct merge_result result;

	assert_int_equal(merge_trees(&context, &base, &ours, &theirs, &result,
				     NULL), 0);
	assert_int_equal(result.conflict_count, 1);
	assert_true(oid_equal(&result.conflicts[0].merged.oid, &ours_file));
	merge_result_release(&result);
}

static void large_files_are_not_held_in_memory(void **state)
{
	const struct merge_context context = context_of();
	size_t size = MERGE_FILE_MAX + 1;
	char *data = malloc(size);
	struct oid base, ours, theirs;
	struct merge_result result;

	memset(data, '\n', size);
	base = tree_with(write_blob(data, size));
	ours = tree_with(write_blob("1\n", 2));
	theirs = tree_with(write_blob("2\n", 2));
	free(data);
	assert_int_equal(merge_trees(&context, &base, &ours, &theirs, &result,
				     NULL), 0);
	assert_int_equal(result.conflict_count, 1);
	assert_true(oid_equal(&result.conflicts[0].merged.oid,
			      &result.conflicts[0].ours.oid));
	merge_result_release(&result);
}

/* ---- virtual bases and resolved paths ---- */

static void virtual_bases_have_no_conflicts(void **state)
{
	struct merge_context context = context_of();
	struct merge_result result;
	char *text;

	context.depth = 1;
	assert_int_equal(merge(&context,
			       "a=1\\n\nb=1\nc.binary=1\nd=1\nl e=1\n",
			       "a=2\\n\nc.binary=2\nd=2\nl e=2\n",
			       "a=3\\n\nb=2\nc.binary=3\nd/f=1\nl e=3\n",
			       &result), 0);
	assert_int_equal(result.conflict_count, 0);
	text = tree_to_text(odb.below, &result.tree);
	assert_string_equal(text, "a=<<<<<<< ours\\n2\\n=======\\n3\\n"
			    ">>>>>>> theirs\\n\nb=1\nc.binary=1\nd=1\nl e=1\n");
	free(text);
	merge_result_release(&result);
}

static void resolved_paths_take_theirs(void **state)
{
	static const char *const resolved[] = { "a", "d-e", "d/b", "gone", "k" };
	struct merge_context context = context_of();
	struct merge_result result;
	char *text;

	context.resolved = resolved;
	context.resolved_count = 5;
	/* d/b and k are as in the base, and yet theirs is wanted */
	assert_int_equal(merge(&context,
			       "a=1\nd/b=1\nd/c=1\ngone=1\nk=1\nz=1\n",
			       "a=2\nd/b=2\nd/c=2\ngone=2\nk=2\nz=1\n",
			       "a=3\nd/b=1\nd/c=1\nk=1\nz=2\n",
			       &result), 0);
	assert_int_equal(result.conflict_count, 0);
	text = tree_to_text(odb.below, &result.tree);
	assert_string_equal(text, "a=3\nd/b=1\nd/c=2\nk=1\nz=2\n");
	free(text);
	merge_result_release(&result);
}

/* ---- cost and damage ---- */

#define WIDTH 200

/* WIDTH folders of WIDTH files; file number `file` is changed in each tenth
 * folder from first, up to count. */
static char *wide(size_t file, size_t first, size_t count)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < WIDTH; i++)
		for (size_t j = 0; j < WIDTH; j++)
			fprintf(out, "d%zu/f%zu=%s\n", i, j,
				j == file && i % 10 == first && i / 10 < count ?
				"changed" : "1");
	fclose(out);
	return text;
}

static void cost_is_that_of_the_changes(void **state)
{
	const struct merge_context context = context_of();
	char *base = wide(0, 0, 0), *ours = wide(7, 0, 10),
	     *theirs = wide(7, 5, 10);
	struct oid b = text_to_tree(odb.below, base);
	struct oid o = text_to_tree(odb.below, ours);
	struct oid t = text_to_tree(odb.below, theirs);
	struct merge_result result;

	/* other folders than ours: theirs are taken without a look inside */
	assert_int_equal(merge_trees(&context, &b, &o, &t, &result, NULL), 0);
	assert_int_equal(result.conflict_count, 0);
	assert_int_equal(odb.trees_read, 3);
	assert_int_equal(odb.trees_written, 1);
	assert_int_equal(result.changes->count, 10);
	merge_result_release(&result);

	/* the same folders */
	free(theirs);
	theirs = wide(8, 0, 10);
	t = text_to_tree(odb.below, theirs);
	odb.trees_read = odb.trees_written = 0;
	assert_int_equal(merge_trees(&context, &b, &o, &t, &result, NULL), 0);
	assert_in_range(odb.trees_read, 0, 3 + 10 * 3);
	assert_in_range(odb.trees_written, 0, 1 + 10);
	merge_result_release(&result);
	free(base);
	free(ours);
	free(theirs);
}

static void damage_is_told(void **state)
{
	const struct merge_context context = context_of();
	struct oid b = text_to_tree(odb.below, "a=1\\n\n");
	struct oid o = text_to_tree(odb.below, "a=2\\n\n");
	struct oid t = text_to_tree(odb.below, "a=3\\n\n");
	struct merge_result result;
	struct report report = { "" };

	odb.damaged = write_blob("3\n", 2);
	assert_int_equal(merge_trees(&context, &b, &o, &t, &result, &report),
			 -EUCLEAN);
	assert_non_null(strstr(report.text, "\"a\""));
	odb.damaged = t;
	report.text[0] = '\0';
	assert_int_equal(merge_trees(&context, &b, &o, &t, &result, &report),
			 -EUCLEAN);
	assert_non_null(strstr(report.text, "the source"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_one_side_changed_is_taken),
		TEST(modes_are_merged_by_themselves),
		TEST(lines_are_merged),
		TEST(kinds_may_change_on_one_side),
		TEST(directories_go_file_by_file),
		TEST(no_side_is_dropped),
		TEST(submodules_are_never_merged),
		TEST(conflicts_hold_all_sides),
		TEST(conflicts_come_in_path_order),
		TEST(rules_choose_how),
		TEST(binary_files_conflict_whole),
		TEST(large_files_are_not_held_in_memory),
		TEST(virtual_bases_have_no_conflicts),
		TEST(resolved_paths_take_theirs),
		TEST(cost_is_that_of_the_changes),
		TEST(damage_is_told),
	};

	return cmocka_run_group_tests_name("merge_trees", tests, NULL, NULL);
}
