/* SPDX-License-Identifier: ISC */
#include "store/merge_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Merging what stands at one path: files by their rule, everything else (modes,
 * symlinks, submodules) as three values of which one may differ. */

void merge_rule_release(struct merge_rule *rule)
{
	free(rule->name);
	free(rule->driver);
	*rule = (struct merge_rule){ 0 };
}

void merge_result_release(struct merge_result *result)
{
	delta_free(result->changes);
	for (size_t i = 0; i < result->conflict_count; i++) {
		free(result->conflicts[i].path);
		free(result->conflicts[i].reason);
	}
	free(result->conflicts);
	for (size_t i = 0; i < result->note_count; i++)
		free(result->notes[i]);
	free(result->notes);
	*result = (struct merge_result){ 0 };
}

/* ---- conflicts and notes ---- */

/* Arrays grow at powers of two, so that they need no capacity of their own. */
static void *grown(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	return reallocarray(array, count ? count * 2 : 1, size);
}

static int add_note(struct merge_state *state, const char *note)
{
	struct merge_result *result = &state->result;
	char **notes = grown(result->notes, result->note_count, sizeof(*notes));
	scoped_buffer struct buffer b = { 0 };

	if (!notes)
		return -ENOMEM;
	result->notes = notes;
	if (buffer_printf(&b, "%s: %s", state->path.data, note) < 0)
		return -ENOMEM;
	notes[result->note_count++] = STEAL(b.data);
	return 0;
}

#define SET_SIDE(to, from)                                                     \
	do {                                                                   \
		(to).mode = (from)->mode;                                      \
		if ((from)->mode)                                              \
			(to).oid = (from)->oid;                                \
	} while (0)

static int add_conflict(struct merge_state *state,
			const struct merge_sides *sides,
			const struct merge_object *merged, const char *reason)
{
	struct merge_result *result = &state->result;
	struct conflict *conflicts = grown(result->conflicts,
			result->conflict_count, sizeof(*conflicts));
	struct conflict c = { 0 };

	if (!conflicts)
		return -ENOMEM;
	result->conflicts = conflicts;
	c.path = strdup(state->path.data);
	c.reason = strdup(reason);
	if (!c.path || !c.reason) {
		free(c.path);
		free(c.reason);
		return -ENOMEM;
	}
	SET_SIDE(c.base, &sides->base);
	SET_SIDE(c.ours, &sides->ours);
	SET_SIDE(c.theirs, &sides->theirs);
	if (merged)
		SET_SIDE(c.merged, merged);
	SET_SIDE(c.suggested, &state->suggested);
	state->suggested.mode = 0;
	conflicts[result->conflict_count++] = c;
	return 0;
}

int merge_conflict(struct merge_state *state, const struct merge_sides *sides,
		   const struct merge_object *merged, const char *reason,
		   struct merge_object *ret)
{
	int r;

	if (state->context->depth) {
		*ret = merged ? *merged : sides->base;
		return 0;
	}
	r = add_conflict(state, sides, merged, reason);
	if (r == 0)
		*ret = sides->ours;
	return r;
}

/* ---- one file by a rule ---- */

/* What is unknown is text. */
static const struct merge_type *type_of(const struct merge_rule *rule)
{
	const struct merge_type *type = NULL;

	if (rule->name)
		type = merge_type_find(rule->name);
	return type ? type : merge_type_find("text");
}

/* Whether text is to be merged of what is none. */
static bool is_unfit(const struct merge_rule *rule,
		     const struct merge_input *input)
{
	const struct merge_type *type = type_of(rule);

	return !rule->driver && merge_type_fit(type, input) != type;
}

int merge_file(const struct merge_context *context,
	       const struct merge_rule *rule, const struct merge_input *input,
	       struct merge_output *ret, struct report *report)
{
	struct merge_input marked = *input;
	struct merge_output output = { 0 };
	const struct merge_type *type;
	int r;

	if (rule->marker_size)
		marked.marker_size = rule->marker_size;
	if (rule->driver)
		return merge_driver_run(context, rule, &marked, ret, report);
	type = merge_type_fit(type_of(rule), input);
	r = type->merge(&marked, &output);
	if (r < 0)
		return report_set(report, r, "Merging \"%s\" failed: %s.",
				  input->path, strerror(-r));
	*ret = output;
	return r;
}

/* ---- the contents of one path ---- */

struct blobs {
	void *base, *ours, *theirs;
	struct merge_input input;
};

static void blobs_release(struct blobs *b)
{
	free(b->base);
	free(b->ours);
	free(b->theirs);
}

static int read_file_of(struct merge_state *state,
			const struct merge_object *object, void **ret_data,
			struct merge_side *ret)
{
	int r;

	if (!merge_is_regular(object))
		return 0;
	r = merge_file_read(state, object, ret_data, &ret->size);
	if (r == 0)
		ret->data = *ret_data;
	return r;
}

static int read_blobs(struct merge_state *state,
		      const struct merge_sides *sides, struct blobs *b)
{
	struct merge_input *input = &b->input;
	int r;

	input->path = state->path.data;
	input->base.label = "base";
	input->ours.label = state->context->ours_label;
	input->theirs.label = state->context->theirs_label;
	r = read_file_of(state, &sides->base, &b->base, &input->base);
	if (r == 0)
		r = read_file_of(state, &sides->ours, &b->ours, &input->ours);
	if (r == 0)
		r = read_file_of(state, &sides->theirs, &b->theirs,
			      &input->theirs);
	return r;
}

/* 1: too large for memory. */
static int is_large(struct merge_state *state, const struct merge_object *object)
{
	uint64_t size;
	int r;

	if (!merge_is_regular(object))
		return 0;
	r = merge_file_size(state, object, &size);
	return r < 0 ? r : size > MERGE_FILE_MAX;
}

static int any_is_large(struct merge_state *state,
			const struct merge_sides *sides)
{
	int r = is_large(state, &sides->base);

	if (r == 0)
		r = is_large(state, &sides->ours);
	if (r == 0)
		r = is_large(state, &sides->theirs);
	return r;
}

/* As Git's binary driver: ours in a conflict, the base in a virtual base. */
static int keep_one(struct merge_state *state, const struct merge_sides *sides,
		    struct merge_object *ret)
{
	bool base = state->context->depth && merge_is_regular(&sides->base);

	*ret = base ? sides->base : sides->ours;
	return 1;
}

static bool can_suggest(const struct merge_state *state,
			const struct merge_rule *rule)
{
	return merge_suggestion() && !state->context->depth && !rule->driver &&
	       type_of(rule)->wants_text;
}

/* A conflict in text may have a resolution to show, stored like ours. */
static int suggest(struct merge_state *state, const struct merge_rule *rule,
		   const struct merge_object *ours,
		   const struct merge_input *input)
{
	scoped(merge_output_release) struct merge_output output = { 0 };
	int r;

	if (!can_suggest(state, rule))
		return 0;
	r = merge_suggestion()->merge(input, &output);
	if (r)
		return r < 0 ? r : 0;
	return merge_file_write(state, output.data, output.size, ours,
				&state->suggested);
}

/* When each side last changed the file, for types that decide by it. */
static int read_times(struct merge_state *state, const struct merge_sides *sides,
		      const struct merge_rule *rule, struct merge_input *input)
{
	const struct merge_context *context = state->context;
	int r;

	if (rule->driver || !type_of(rule)->wants_times || !context->times)
		return 0;
	r = context->times(context->times_context, input->path,
			   &input->ours.time, &input->theirs.time);
	if (r < 0)
		return report_set(state->report, r, "When \"%s\" was changed "
				  "cannot be found: %s.", input->path,
				  strerror(-r));
	input->ours.oid = &sides->ours.oid;
	input->theirs.oid = &sides->theirs.oid;
	return 0;
}

/* Reads, merges and stores.  As merge_file. */
static int merge_bytes(struct merge_state *state,
		       const struct merge_sides *sides,
		       const struct merge_rule *rule, struct merge_object *ret)
{
	scoped(blobs_release) struct blobs b = { 0 };
	scoped(merge_output_release) struct merge_output output = { 0 };
	int r = read_blobs(state, sides, &b), conflict;

	if (r < 0)
		return r;
	if (is_unfit(rule, &b.input))
		return keep_one(state, sides, ret);
	r = read_times(state, sides, rule, &b.input);
	if (r < 0)
		return r;
	r = merge_file(state->context, rule, &b.input, &output, state->report);
	if (r < 0)
		return r;
	conflict = r;
	r = merge_file_write(state, output.data ? output.data : "", output.size,
			     &sides->ours, ret);
	if (r == 0 && output.note)
		r = add_note(state, output.note);
	if (r == 0 && conflict)
		r = suggest(state, rule, &sides->ours, &b.input);
	return r < 0 ? r : conflict;
}

/* Merging ropes reads what differs; who suggests needs the whole files. */
static int suggest_for_ropes(struct merge_state *state,
			     const struct merge_sides *sides,
			     const struct merge_rule *rule)
{
	scoped(blobs_release) struct blobs b = { 0 };
	int r = can_suggest(state, rule) ? any_is_large(state, sides) : 1;

	if (r)
		return r < 0 ? r : 0;
	r = read_blobs(state, sides, &b);
	return r < 0 ? r : suggest(state, rule, &sides->ours, &b.input);
}

static int merge_rope_lines(struct merge_state *state,
			    const struct merge_sides *sides,
			    const struct merge_rule *rule,
			    struct merge_object *ret)
{
	int r, conflict = merge_ropes(state, sides, rule, ret);

	if (conflict == 2)
		return keep_one(state, sides, ret);
	r = conflict == 1 ? suggest_for_ropes(state, sides, rule) : 0;
	return r < 0 ? r : conflict;
}

static bool is_by_lines(const struct merge_rule *rule)
{
	return !rule->driver &&
	       (!rule->name || strcmp(rule->name, "text") == 0);
}

/* Rules that take a side as it is need not read it. */
static int merge_by_rule(struct merge_state *state,
			 const struct merge_sides *sides,
			 const struct merge_rule *rule, struct merge_object *ret)
{
	const char *name = rule->driver || !rule->name ? "" : rule->name;
	int r;

	if (strcmp(name, "ours") == 0 || strcmp(name, "theirs") == 0) {
		*ret = *name == 'o' ? sides->ours : sides->theirs;
		return 0;
	}
	if (is_by_lines(rule) && merge_are_ropes(sides))
		return merge_rope_lines(state, sides, rule, ret);
	r = any_is_large(state, sides);
	if (r == 1)
		log_info("\"%s\" is over %d MiB and merged as binary",
			 state->path.data, (int)(MERGE_FILE_MAX >> 20));
	if (r < 0)
		return r;
	if (r == 1 || strcmp(name, "binary") == 0)
		return keep_one(state, sides, ret);
	return merge_bytes(state, sides, rule, ret);
}

static int read_rule(struct merge_state *state, struct merge_rule *ret)
{
	const struct merge_context *context = state->context;
	int r = 0;

	if (context->rule)
		r = context->rule(context->rule_context, state->path.data, ret);
	if (r < 0)
		return report_set(state->report, r,
				  "The attributes of \"%s\" cannot be read: %s.",
				  state->path.data, strerror(-r));
	return 0;
}

static int merge_contents(struct merge_state *state,
			  const struct merge_sides *sides,
			  struct merge_object *ret)
{
	scoped(merge_rule_release) struct merge_rule rule = { 0 };
	int r = read_rule(state, &rule);

	return r < 0 ? r : merge_by_rule(state, sides, &rule, ret);
}

/* Both sides made the same of the base. */
static int merge_alike(struct merge_state *state,
		       const struct merge_sides *sides, struct merge_object *ret)
{
	scoped(merge_rule_release) struct merge_rule rule = { 0 };
	int r = read_rule(state, &rule);

	if (r < 0)
		return r;
	if (!rule.driver && type_of(&rule)->wants_equal)
		return merge_by_rule(state, sides, &rule, ret);
	*ret = sides->ours;
	return 0;
}

/* Of a file that was none before, the bit of none. */
static int x_bit(const struct merge_object *object)
{
	return merge_is_regular(object) ? mode_is_executable(object->mode) : -1;
}

/* 0 settled, 1 conflict (the bit is ours'). */
static int merge_x_bits(const struct merge_sides *sides, bool *ret)
{
	int base = x_bit(&sides->base), ours = x_bit(&sides->ours),
	    theirs = x_bit(&sides->theirs);

	*ret = ours == base ? theirs : ours;
	return ours != theirs && ours != base && theirs != base;
}

/* The same bytes, kept in the same way; the bit of a blob is not in it. */
static bool is_same_file(const struct merge_object *a,
			 const struct merge_object *b)
{
	return oid_equal(&a->oid, &b->oid) &&
	       mode_is_rope(a->mode) == mode_is_rope(b->mode);
}

static int merge_regular(struct merge_state *state,
			 const struct merge_sides *sides,
			 struct merge_object *ret)
{
	struct merge_sides files = *sides;
	struct merge_object merged = { 0 };
	bool executable;
	int modes = merge_x_bits(sides, &executable), r = 0, set;

	/* What was no file is no base for one. */
	if (!merge_is_regular(&files.base))
		files.base = (struct merge_object){ 0 };
	if (files.base.mode && is_same_file(&files.base, &files.theirs))
		merged = files.ours;
	else if (files.base.mode && is_same_file(&files.base, &files.ours))
		merged = files.theirs;
	else if (is_same_file(&files.ours, &files.theirs))
		r = merge_alike(state, &files, &merged);
	else
		r = merge_contents(state, &files, &merged);
	if (r < 0)
		return r;
	set = merge_set_executable(state, executable, &merged);
	if (set < 0)
		return set;
	if (state->suggested.mode) {
		set = merge_set_executable(state, executable,
					   &state->suggested);
		if (set < 0)
			return set;
	}
	if (r || modes)
		return merge_conflict(state, sides, &merged,
				      !r ? "executable on one side only" :
				      files.base.mode ? "both sides changed it" :
						       "both sides added it",
				      ret);
	*ret = merged;
	return 0;
}

static const char *reason_for(const struct merge_sides *sides)
{
	uint32_t ours = sides->ours.mode, theirs = sides->theirs.mode;

	if (!ours)
		return "removed here, changed there";
	if (!theirs)
		return "changed here, removed there";
	if (ours != theirs)
		return "of different kinds on both sides";
	if (ours == MODE_SYMLINK)
		return "both sides changed the symbolic link";
	return "both sides changed the submodule";
}

/* 1: only lines of ours differ, and were merged. */
static int merge_attributes(struct merge_state *state,
			    const struct merge_sides *sides,
			    struct merge_object *ret)
{
	scoped(merge_rule_release) struct merge_rule rule = { 0 };
	int r;

	if (strcmp(state->path.data, ATTRIBUTES_NAME) != 0)
		return 0;
	r = read_rule(state, &rule);
	return r == 0 && is_by_lines(&rule) ?
		merge_type_lines(state, sides, ret) : r;
}

int merge_leaf(struct merge_state *state, const struct merge_sides *sides,
	       struct merge_object *ret)
{
	int r;

	if (!merge_is_alike(sides) && merge_is_settled(sides, ret))
		return 0;
	r = merge_attributes(state, sides, ret);
	if (r)
		return r < 0 ? r : 0;
	if (merge_is_regular(&sides->ours) && merge_is_regular(&sides->theirs))
		return merge_regular(state, sides, ret);
	return merge_conflict(state, sides, NULL, reason_for(sides), ret);
}
