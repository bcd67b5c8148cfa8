/* SPDX-License-Identifier: ISC */
#ifndef TESTS_TYPES_H
#define TESTS_TYPES_H

#include "tests/test.h"
#include "store/contents.h"

#include <string.h>

/* Merging texts by a type. */

static inline struct merge_side text_side(const char *text, const char *label)
{
	return (struct merge_side){
		.data = text, .size = text ? strlen(text) : 0, .label = label,
	};
}

/* NULL: absent.  The output is the caller's to release. */
static inline int merge_texts(const struct merge_type *type, const char *base,
			      const char *ours, const char *theirs,
			      struct merge_output *ret)
{
	struct merge_input input = {
		.base = text_side(base, "base"),
		.ours = text_side(ours, "ours"),
		.theirs = text_side(theirs, "theirs"), .path = "f",
	};

	*ret = (struct merge_output){ 0 };
	return type->merge(&input, ret);
}

static inline void assert_output(const struct merge_output *output,
				 const char *expected)
{
	if (output->size != strlen(expected) ||
	    memcmp(output->data, expected, output->size) != 0)
		fail_msg("merged to \"%.*s\" instead of \"%s\"",
			 (int)output->size, (const char *)output->data, expected);
}

static inline void assert_one_way(const struct merge_type *type,
				  const char *base, const char *ours,
				  const char *theirs, int outcome,
				  const char *expected)
{
	struct merge_output output;

	assert_int_equal(merge_texts(type, base, ours, theirs, &output),
			 outcome);
	if (expected)
		assert_output(&output, expected);
	merge_output_release(&output);
}

/* Clean, and the same with both sides exchanged. */
static inline void assert_clean(const struct merge_type *type, const char *base,
				const char *ours, const char *theirs,
				const char *expected)
{
	assert_one_way(type, base, ours, theirs, 0, expected);
	assert_one_way(type, base, theirs, ours, 0, expected);
}

static inline void assert_conflict(const struct merge_type *type,
				   const char *base, const char *ours,
				   const char *theirs)
{
	assert_one_way(type, base, ours, theirs, 1, NULL);
	assert_one_way(type, base, theirs, ours, 1, NULL);
}

#endif
