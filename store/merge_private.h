/* SPDX-License-Identifier: ISC */
#ifndef STORE_MERGE_PRIVATE_H
#define STORE_MERGE_PRIVATE_H

#include "store/contents.h"
#include "store/directory_type.h"
#include "store/irmin_attribute.h"
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
	const struct oid *types[2];	/* as context's, never NULL */
	struct irmin_cache *irmin;
	bool attributed;		/* there may be types */
	struct merge_revived *revived;	/* merge_typed.c; owned */
	size_t revived_count;
	struct merge_result result;	/* conflicts and notes so far */
	/* What is suggested for the file that is being merged; mode 0: nothing. */
	struct merge_object suggested;
};

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

static inline bool merge_is_regular(const struct merge_object *object)
{
	return mode_is_file(object->mode);
}

/* ---- merge_typed.c ---- */

/* The type by which what stands at state->path is merged; *ret NULL: none.  It
 * is what ours' attributes say, or theirs' where ours has nothing.  Errors in
 * state->report. */
int merge_find_type(struct merge_state *state, const struct merge_sides *sides,
		    const struct directory_type **ret);

/* Merges by type what are directories or nothing.  ret_delta as for a
 * directory.  Errors in state->report. */
int merge_typed(struct merge_state *state, const struct directory_type *type,
		const struct merge_sides *sides, struct merge_object *ret,
		struct delta **ret_delta);

/* Directories of a type that one side took away, with the lines that made them
 * one, and that live on as the other side added to them, get lines in the merged
 * root's .gitattributes.  Changes *merged and state->result.changes.  Errors in
 * state->report. */
int merge_keep_types(struct merge_state *state, const struct oid *ours,
		     const struct oid *theirs, struct oid *merged);
void merge_revived_free(struct merge_state *state);

/* ---- merge_type_lines.c ---- */

/* Merges the root's .gitattributes if one side at most changed other lines in it than
 * those that this program writes for directories (attribute_lines_add): of these,
 * those that one side added are in it, those that one removed are not; the others are
 * as that side has them.  0: it is not so; 1: done.  Errors in state->report. */
int merge_type_lines(struct merge_state *state, const struct merge_sides *sides,
		     struct merge_object *ret);

/* ---- merge_changes.c ---- */

/* Makes changes of ours, a tree, say of directories that stay what changes in
 * them.  Errors of delta_between. */
int merge_open_changes(struct odb *odb, const struct oid *ours,
		       struct delta *changes);

/* ---- merge_ropes.c ---- */

/* Size and bytes of a file, whatever it is stored as.  *ret_data is the
 * caller's to free.  Errors in state->report. */
int merge_file_size(struct merge_state *state,
		    const struct merge_object *object, uint64_t *ret_size);
int merge_file_read(struct merge_state *state,
		    const struct merge_object *object, void **ret_data,
		    size_t *ret_size);

/* Whether sides are all stored as ropes, so that merge_ropes can do it. */
bool merge_are_ropes(const struct merge_sides *sides);

/* Merges by lines what merge_are_ropes.  0, 1: a conflict; 2: they have no lines
 * to be merged. */
int merge_ropes(struct merge_state *state, const struct merge_sides *sides,
		const struct merge_rule *rule, struct merge_object *ret);

/* Stores bytes like that file. */
int merge_file_write(struct merge_state *state, const void *data, size_t size,
		     const struct merge_object *like, struct merge_object *ret);

/* Gives a file the x bit or takes it away. */
int merge_set_executable(struct merge_state *state, bool executable,
			 struct merge_object *file);

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
