/* SPDX-License-Identifier: ISC */
#ifndef TESTS_MERGING_TREES_H
#define TESTS_MERGING_TREES_H

#include "store/delta.h"
#include "store/merge.h"
#include "tests/trees.h"

/* merge_trees over the texts of tests/trees.h. */

static inline struct merge_result merge_texts_of(struct odb *odb,
						 const char *base,
						 const char *ours,
						 const char *theirs)
{
	const struct merge_context context = {
		.odb = odb, .ours_label = "ours", .theirs_label = "theirs",
	};
	struct oid b = text_to_tree(odb, base), o = text_to_tree(odb, ours),
		   t = text_to_tree(odb, theirs);
	struct merge_result result;
	struct report report = { "" };

	if (merge_trees(&context, &b, &o, &t, &result, &report) < 0)
		fail_msg("merge_trees: %s", report.text);
	return result;
}

static inline void assert_merge(struct odb *odb, const char *base,
				const char *ours, const char *theirs,
				const char *expected, size_t conflicts)
{
	struct merge_result result = merge_texts_of(odb, base, ours, theirs);
	char *text = tree_to_text(odb, &result.tree);
	struct oid o = text_to_tree(odb, ours);

	assert_string_equal(text, expected);
	free(text);
	assert_int_equal(result.conflict_count, conflicts);
	/* the changes, stored anew over ours, give the same tree */
	assert_int_equal(delta_store(result.changes, odb, &o), 0);
	assert_true(oid_equal(&result.changes->oid, &result.tree));
	merge_result_release(&result);
}

/* Without conflicts, and the same with the sides exchanged. */
static inline void assert_clean_merge(struct odb *odb, const char *base,
				      const char *ours, const char *theirs,
				      const char *expected)
{
	assert_merge(odb, base, ours, theirs, expected, 0);
	assert_merge(odb, base, theirs, ours, expected, 0);
}

/* ---- where the trees are ---- */

static struct odb *odb;

static int setup(void **state)
{
	return memory_odb_new(&odb);
}

static int teardown(void **state)
{
	odb_free(odb);
	return 0;
}

#endif
