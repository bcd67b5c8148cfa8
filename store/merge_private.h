/* SPDX-License-Identifier: ISC */
#ifndef STORE_MERGE_PRIVATE_H
#define STORE_MERGE_PRIVATE_H

#include "store/contents.h"
#include "store/merge.h"
#include "store/tree.h"

/* Shared by store/merge_*.c. */

/* What stands at a name; mode 0: nothing. */
struct merge_object {
	uint32_t mode;
	struct oid oid;
};

struct merge_sides {
	struct merge_object base, ours, theirs;
};

static inline bool merge_same(const struct merge_object *a,
			      const struct merge_object *b)
{
	return a->mode == b->mode &&
	       (a->mode == 0 || oid_equal(&a->oid, &b->oid));
}

/* One run of merge_trees. */
struct merge_state {
	const struct merge_context *context;
	struct report *report;
	struct buffer path;		/* where we are, without slash at ends */
	size_t level;			/* directories above */
	struct merge_result result;	/* conflicts and notes so far */
	/* What is suggested for the file that is being merged; mode 0: nothing. */
	struct merge_object suggested;
};

static inline void delta_freep(struct delta **delta)
{
	delta_free(*delta);
}

/* Whether both sides changed a file or directory to the same.  That is settled
 * but for types that want it (merge_type.wants_equal). */
bool merge_is_alike(const struct merge_sides *sides);

/* Whether two sides agree, and then what the merge is. */
bool merge_is_settled(const struct merge_sides *sides,
		      struct merge_object *ret);

/* Notes that state->path is in conflict, unless this is a virtual base.  ret is
 * what stands in the tree: ours, or in a virtual base the base.  merged may be
 * NULL. */
int merge_conflict(struct merge_state *state, const struct merge_sides *sides,
		   const struct merge_object *merged, const char *reason,
		   struct merge_object *ret);

/* Merges what are no directories at state->path (mode 0 where there is none).
 * 0, or negative errno with report. */
int merge_leaf(struct merge_state *state, const struct merge_sides *sides,
	       struct merge_object *ret);

/* merge_file for a rule with a driver. */
int merge_driver_run(const struct merge_context *context,
		     const struct merge_rule *rule,
		     const struct merge_input *input, struct merge_output *ret,
		     struct report *report);

#endif
