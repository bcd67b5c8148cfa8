/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/merge.h"
#include "structures/structures.h"
#include "tests/trees.h"

/* Merging files that are stored as ropes on some or all sides. */

static struct odb *odb;
static struct merge_context context;
static struct merge_result result;
static const char *rule_name;
static int marker_size;

static int rule(void *unused, const char *path, struct merge_rule *ret)
{
	*ret = (struct merge_rule){
		.name = rule_name ? strdup(rule_name) : NULL,
		.marker_size = marker_size,
	};
	return 0;
}

static int set_up(void **state)
{
	context = (struct merge_context){
		.rule = rule, .ours_label = "ours", .theirs_label = "theirs",
	};
	rule_name = NULL;
	marker_size = 0;
	assert_int_equal(memory_odb_new(&odb), 0);
	context.odb = odb;
	return 0;
}

static int tear_down(void **state)
{
	merge_result_release(&result);
	odb_free(odb);
	return 0;
}

/* A tree with the file "f", or without; mode 0: none. */
static struct oid tree_with(uint32_t mode, const void *data, size_t size)
{
	struct tree_entry entries[2] = { { .mode = MODE_FILE, .name = "z" } };
	struct oid tree;
	size_t count = 1;

	assert_int_equal(odb_write(odb, OBJECT_BLOB, "z", 1, &entries[0].oid),
			 0);
	if (mode) {
		entries[1].mode = mode;
		entries[1].name = "f";
		if (mode_is_rope(mode))
			assert_int_equal(contents_kind()->write(odb, data, size,
				mode == MODE_ROPE_EXECUTABLE,
				&entries[1].oid), 0);
		else
			assert_int_equal(odb_write(odb, OBJECT_BLOB, data, size,
						   &entries[1].oid), 0);
		count = 2;
	}
	assert_int_equal(tree_write(odb, entries, count, &tree), 0);
	return tree;
}

struct side {
	uint32_t mode;
	const char *text;
};

static struct oid tree_of(struct side side)
{
	return tree_with(side.mode, side.text ? side.text : "",
			 side.text ? strlen(side.text) : 0);
}

static void merge(struct oid base, struct oid ours, struct oid theirs)
{
	struct report report = { "" };
	int r;

	merge_result_release(&result);
	r = merge_trees(&context, &base, &ours, &theirs, &result, &report);
	if (r < 0)
		fail_msg("merge_trees: %d: %s", r, report.text);
}

static struct tree_entry file_of(const struct oid *tree)
{
	struct tree_entry e = { 0 };

	if (tree_resolve(odb, tree, "f", &e) < 0)
		return (struct tree_entry){ 0 };
	assert_int_equal(contents_recognise(odb, &e.oid, &e.mode, NULL), 0);
	return e;
}

static void assert_bytes_of(const struct oid *oid, uint32_t mode,
			    const char *want)
{
	char data[20000];
	ssize_t size;
	void *bytes;
	size_t length;

	if (mode_is_rope(mode)) {
		size = contents_kind()->read(odb, oid, data, sizeof(data) - 1,
					     0);
		assert_true(size >= 0);
		data[size] = '\0';
		assert_string_equal(data, want);
		return;
	}
	assert_int_equal(odb_read(odb, oid, OBJECT_BLOB, &bytes, &length), 0);
	assert_string_equal(bytes, want);
	free(bytes);
}

/* What comes out clean. */
static void clean(struct side base, struct side ours, struct side theirs,
		  struct side want)
{
	struct tree_entry e;

	merge(tree_of(base), tree_of(ours), tree_of(theirs));
	assert_int_equal(result.conflict_count, 0);
	e = file_of(&result.tree);
	assert_int_equal(e.mode, want.mode);
	if (want.mode)
		assert_bytes_of(&e.oid, e.mode, want.text);
}

static const struct conflict *conflict(struct side base, struct side ours,
				       struct side theirs, const char *reason)
{
	struct tree_entry e;

	merge(tree_of(base), tree_of(ours), tree_of(theirs));
	assert_int_equal(result.conflict_count, 1);
	assert_string_equal(result.conflicts[0].path, "f");
	assert_string_equal(result.conflicts[0].reason, reason);
	e = file_of(&result.tree);
	assert_int_equal(e.mode, ours.mode);
	assert_int_equal(result.conflicts[0].ours.mode, ours.mode);
	assert_int_equal(result.conflicts[0].theirs.mode, theirs.mode);
	return &result.conflicts[0];
}

#define SIDE(...) ((struct side){ __VA_ARGS__ })
#define BASE "1\n2\n3\n4\n5\n6\n7\n8\n9\n"
#define OURS "1\n2\n3\n4\n5\n6\n7\n8\nours\n"
#define THEIRS "theirs\n2\n3\n4\n5\n6\n7\n8\n9\n"
#define BOTH "theirs\n2\n3\n4\n5\n6\n7\n8\nours\n"

static void ropes_merge_by_lines(void **state)
{
	clean(SIDE(MODE_ROPE, BASE), SIDE(MODE_ROPE, OURS),
	      SIDE(MODE_ROPE, THEIRS), SIDE(MODE_ROPE, BOTH));
	/* one side, the same on both, gone on one */
	clean(SIDE(MODE_ROPE, BASE), SIDE(MODE_ROPE, BASE),
	      SIDE(MODE_ROPE, THEIRS), SIDE(MODE_ROPE, THEIRS));
	clean(SIDE(MODE_ROPE, BASE), SIDE(MODE_ROPE, BOTH),
	      SIDE(MODE_ROPE, BOTH), SIDE(MODE_ROPE, BOTH));
	clean(SIDE(MODE_ROPE, BASE), SIDE(MODE_ROPE, BASE), SIDE(0), SIDE(0));
	clean(SIDE(0), SIDE(0), SIDE(MODE_ROPE, BASE), SIDE(MODE_ROPE, BASE));
}

static void the_form_is_ours(void **state)
{
	clean(SIDE(MODE_FILE, BASE), SIDE(MODE_ROPE, OURS),
	      SIDE(MODE_FILE, THEIRS), SIDE(MODE_ROPE, BOTH));
	clean(SIDE(MODE_ROPE, BASE), SIDE(MODE_FILE, OURS),
	      SIDE(MODE_ROPE, THEIRS), SIDE(MODE_FILE, BOTH));
	/* nothing but the form differs */
	clean(SIDE(MODE_FILE, BASE), SIDE(MODE_ROPE, BASE),
	      SIDE(MODE_FILE, THEIRS), SIDE(MODE_ROPE, THEIRS));
	clean(SIDE(MODE_FILE, BASE), SIDE(MODE_ROPE, BASE),
	      SIDE(MODE_FILE, BASE), SIDE(MODE_ROPE, BASE));
}

static void x_bits_merge_on_their_own(void **state)
{
	clean(SIDE(MODE_ROPE, BASE), SIDE(MODE_ROPE_EXECUTABLE, BASE),
	      SIDE(MODE_ROPE, THEIRS), SIDE(MODE_ROPE_EXECUTABLE, THEIRS));
	clean(SIDE(MODE_ROPE, BASE), SIDE(MODE_ROPE, OURS),
	      SIDE(MODE_ROPE_EXECUTABLE, THEIRS),
	      SIDE(MODE_ROPE_EXECUTABLE, BOTH));
	clean(SIDE(MODE_ROPE_EXECUTABLE, BASE), SIDE(MODE_ROPE, OURS),
	      SIDE(MODE_ROPE_EXECUTABLE, THEIRS), SIDE(MODE_ROPE, BOTH));
	clean(SIDE(MODE_ROPE, BASE), SIDE(MODE_FILE, OURS),
	      SIDE(MODE_ROPE_EXECUTABLE, THEIRS),
	      SIDE(MODE_EXECUTABLE, BOTH));
	conflict(SIDE(0), SIDE(MODE_ROPE, BASE),
		 SIDE(MODE_ROPE_EXECUTABLE, BASE), "executable on one side only");
}

static void conflicts_have_what_files_have(void **state)
{
	const struct conflict *c =
		conflict(SIDE(MODE_ROPE, "a\nb\nc\n"),
			 SIDE(MODE_ROPE, "a\nours\nc\n"),
			 SIDE(MODE_ROPE, "a\ntheirs\nc\n"),
			 "both sides changed it");

	assert_int_equal(c->merged.mode, MODE_ROPE);
	assert_bytes_of(&c->merged.oid, MODE_ROPE,
			"a\n<<<<<<< ours\nours\n=======\ntheirs\n"
			">>>>>>> theirs\nc\n");
	assert_bytes_of(&c->base.oid, c->base.mode, "a\nb\nc\n");
	c = conflict(SIDE(MODE_FILE, "a\nb\nc\n"),
		     SIDE(MODE_FILE, "a\nours\nc\n"),
		     SIDE(MODE_ROPE, "a\ntheirs\nc\n"), "both sides changed it");
	assert_bytes_of(&c->merged.oid, MODE_FILE,
			"a\n<<<<<<< ours\nours\n=======\ntheirs\n"
			">>>>>>> theirs\nc\n");
	conflict(SIDE(MODE_ROPE, BASE), SIDE(0), SIDE(MODE_ROPE, THEIRS),
		 "removed here, changed there");
	conflict(SIDE(0), SIDE(MODE_ROPE, "a\n"), SIDE(MODE_ROPE, "b\n"),
		 "both sides added it");
}

#define FOX "say the quick brown fox jumps over the lazy dog now\n"
#define RED_FOX "say the quick red fox jumps over the lazy dog now\n"
#define CAT "say the quick brown fox jumps over the lazy cat now\n"
#define RED_FOX_CAT "say the quick red fox jumps over the lazy cat now\n"

static void text_conflicts_have_suggestions(void **state)
{
	const struct conflict *c;

	c = conflict(SIDE(MODE_ROPE, FOX), SIDE(MODE_ROPE, RED_FOX),
		     SIDE(MODE_ROPE, CAT), "both sides changed it");
	assert_int_equal(c->suggested.mode, MODE_ROPE);
	assert_bytes_of(&c->suggested.oid, MODE_ROPE, RED_FOX_CAT);
	c = conflict(SIDE(MODE_ROPE, FOX), SIDE(MODE_ROPE_EXECUTABLE, RED_FOX),
		     SIDE(MODE_FILE, CAT), "both sides changed it");
	assert_int_equal(c->suggested.mode, MODE_ROPE_EXECUTABLE);
	assert_bytes_of(&c->suggested.oid, MODE_ROPE_EXECUTABLE, RED_FOX_CAT);
	c = conflict(SIDE(MODE_ROPE, FOX), SIDE(MODE_EXECUTABLE, RED_FOX),
		     SIDE(MODE_ROPE, CAT), "both sides changed it");
	assert_int_equal(c->suggested.mode, MODE_EXECUTABLE);
	assert_bytes_of(&c->suggested.oid, MODE_FILE, RED_FOX_CAT);
	c = conflict(SIDE(MODE_ROPE, BASE), SIDE(MODE_ROPE, RED_FOX),
		     SIDE(MODE_ROPE, "other\n"), "both sides changed it");
	assert_int_equal(c->suggested.mode, 0);
	rule_name = "binary";
	c = conflict(SIDE(MODE_ROPE, FOX), SIDE(MODE_ROPE, RED_FOX),
		     SIDE(MODE_ROPE, CAT), "both sides changed it");
	assert_int_equal(c->suggested.mode, 0);
}

static void markers_are_as_long_as_the_rule_says(void **state)
{
	const struct conflict *c;

	marker_size = 10;
	c = conflict(SIDE(MODE_ROPE, "a\nb\nc\n"),
		     SIDE(MODE_ROPE, "a\nours\nc\n"),
		     SIDE(MODE_ROPE, "a\ntheirs\nc\n"), "both sides changed it");
	assert_bytes_of(&c->merged.oid, MODE_ROPE,
			"a\n<<<<<<<<<< ours\nours\n==========\ntheirs\n"
			">>>>>>>>>> theirs\nc\n");
}

static void other_rules_read_the_files(void **state)
{
	rule_name = "union";
	clean(SIDE(MODE_ROPE, "a\nb\n"), SIDE(MODE_ROPE, "a\nours\n"),
	      SIDE(MODE_ROPE, "a\ntheirs\n"),
	      SIDE(MODE_ROPE, "a\nours\ntheirs\n"));
	rule_name = "ours";
	clean(SIDE(MODE_ROPE, BASE), SIDE(MODE_ROPE, OURS),
	      SIDE(MODE_FILE, THEIRS), SIDE(MODE_ROPE, OURS));
	rule_name = "theirs";
	clean(SIDE(MODE_ROPE, BASE), SIDE(MODE_ROPE, OURS),
	      SIDE(MODE_FILE, THEIRS), SIDE(MODE_FILE, THEIRS));
	rule_name = "binary";
	conflict(SIDE(MODE_ROPE, BASE), SIDE(MODE_ROPE, OURS),
		 SIDE(MODE_ROPE, THEIRS), "both sides changed it");
}

static void what_is_no_text_is_not_merged_by_lines(void **state)
{
	merge(tree_with(MODE_ROPE, "a\n\0b\n", 5),
	      tree_with(MODE_ROPE, "ours\n\0b\n", 8),
	      tree_with(MODE_ROPE, "a\n\0theirs\n", 10));
	assert_int_equal(result.conflict_count, 1);
	assert_true(oid_equal(&result.conflicts[0].merged.oid,
			      &result.conflicts[0].ours.oid));
}

static void a_rope_is_no_folder(void **state)
{
	struct tree_entry folder = { .mode = MODE_TREE, .name = "f" };
	struct oid with_folder;

	folder.oid = tree_with(0, NULL, 0);
	assert_int_equal(tree_write(odb, &folder, 1, &with_folder), 0);
	merge(tree_of(SIDE(0)), tree_of(SIDE(MODE_ROPE, BASE)), with_folder);
	assert_int_equal(result.conflict_count, 1);
	assert_string_equal(result.conflicts[0].reason,
			    "a file here, a directory there");
	merge(tree_of(SIDE(MODE_ROPE, BASE)), tree_of(SIDE(MODE_ROPE, OURS)),
	      with_folder);
	assert_int_equal(result.conflict_count, 1);
}

static void in_a_virtual_base_markers_stay(void **state)
{
	struct tree_entry e;

	context.depth = 1;
	merge(tree_of(SIDE(MODE_ROPE, "a\nb\nc\n")),
	      tree_of(SIDE(MODE_ROPE, "a\nours\nc\n")),
	      tree_of(SIDE(MODE_ROPE, "a\ntheirs\nc\n")));
	assert_int_equal(result.conflict_count, 0);
	e = file_of(&result.tree);
	assert_int_equal(e.mode, MODE_ROPE);
	assert_bytes_of(&e.oid, MODE_ROPE,
			"a\n<<<<<<< ours\nours\n=======\ntheirs\n"
			">>>>>>> theirs\nc\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(ropes_merge_by_lines),
		TEST(the_form_is_ours),
		TEST(x_bits_merge_on_their_own),
		TEST(conflicts_have_what_files_have),
		TEST(text_conflicts_have_suggestions),
		TEST(markers_are_as_long_as_the_rule_says),
		TEST(other_rules_read_the_files),
		TEST(what_is_no_text_is_not_merged_by_lines),
		TEST(a_rope_is_no_folder),
		TEST(in_a_virtual_base_markers_stay),
	};

	if (structures_register() < 0)
		return 1;
	return cmocka_run_group_tests_name("merge_ropes", tests, NULL, NULL);
}
