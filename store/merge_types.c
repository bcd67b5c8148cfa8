/* SPDX-License-Identifier: ISC */
#include "store/contents.h"
#include "store/git_repo.h"

#include <errno.h>

/* The registry of merge types, and those that are built in. */

#define TYPES_MAX 64

/* Git merges no lines of larger files: xdiff counts in int. */
#define LINES_MAX ((size_t)1023 << 20)

void merge_output_release(struct merge_output *output)
{
	free(output->data);
	free(output->note);
	*output = (struct merge_output){ 0 };
}

/* ---- common to the types ---- */

bool contents_is_text(const void *data, size_t size)
{
	return !size || !memchr(data, '\0', size < 8000 ? size : 8000);
}

static int take(const struct merge_side *side, int outcome,
		struct merge_output *ret)
{
	void *data = malloc(side->size + 1);

	if (!data)
		return -ENOMEM;
	if (side->size)
		memcpy(data, side->data, side->size);
	*ret = (struct merge_output){ .data = data, .size = side->size };
	return outcome;
}

static bool is_equal(const struct merge_side *a, const struct merge_side *b)
{
	return a->data && b->data && a->size == b->size &&
	       memcmp(a->data, b->data, a->size) == 0;
}

/* The side to take where one is absent or did not change; NULL: both changed.
 * A result cannot say "absent", so one absent side is a conflict, whose best
 * attempt is the other. */
static const struct merge_side *settled(const struct merge_input *input,
					int *ret_outcome)
{
	const struct merge_side *ours = &input->ours, *theirs = &input->theirs;

	*ret_outcome = 0;
	if (!ours->data || !theirs->data) {
		*ret_outcome = 1;
		return ours->data ? ours : theirs;
	}
	if (is_equal(ours, theirs) || is_equal(&input->base, theirs))
		return ours;
	return is_equal(&input->base, ours) ? theirs : NULL;
}

static bool has_lines(const struct merge_side *side)
{
	return !side->data || (side->size <= LINES_MAX &&
			       contents_is_text(side->data, side->size));
}

static int merge_binary(const struct merge_input *input,
			struct merge_output *ret)
{
	int outcome;
	const struct merge_side *side = settled(input, &outcome);

	return side ? take(side, outcome, ret) : take(&input->ours, 1, ret);
}

/* As in Git, what has no lines is merged as binary. */
static int merge_lines(const struct merge_input *input, char favor,
		       struct merge_output *ret)
{
	struct merge_input lines = *input;
	struct merge_output output = { 0 };
	int outcome;
	const struct merge_side *side = settled(input, &outcome);

	if (side)
		return take(side, outcome, ret);
	if (!has_lines(&input->base) || !has_lines(&input->ours) ||
	    !has_lines(&input->theirs))
		return take(&input->ours, 1, ret);
	if (!lines.base.data) {
		lines.base.data = "";
		lines.base.size = 0;
	}
	outcome = git_merge_lines(&lines, favor, &output.data, &output.size);
	if (outcome >= 0)
		*ret = output;
	return outcome;
}

static int merge_text(const struct merge_input *input, struct merge_output *ret)
{
	return merge_lines(input, 0, ret);
}

static int merge_union(const struct merge_input *input,
		       struct merge_output *ret)
{
	return merge_lines(input, 'u', ret);
}

/* One side whatever the other holds, unless one of them is absent. */
static int merge_favor(const struct merge_input *input,
		       const struct merge_side *favorite,
		       struct merge_output *ret)
{
	if (input->ours.data && input->theirs.data)
		return take(favorite, 0, ret);
	return merge_binary(input, ret);
}

static int merge_ours(const struct merge_input *input, struct merge_output *ret)
{
	return merge_favor(input, &input->ours, ret);
}

static int merge_theirs(const struct merge_input *input,
			struct merge_output *ret)
{
	return merge_favor(input, &input->theirs, ret);
}

/* ---- registry ---- */

static const struct merge_type text_type = {
	.name = "text", .merge = merge_text, .wants_text = true,
};
static const struct merge_type union_type = {
	.name = "union", .merge = merge_union, .wants_text = true,
};
static const struct merge_type binary_type = {
	.name = "binary", .merge = merge_binary,
};
static const struct merge_type ours_type = {
	.name = "ours", .merge = merge_ours,
};
static const struct merge_type theirs_type = {
	.name = "theirs", .merge = merge_theirs,
};

/* Filled before a store is opened, constant afterwards: no lock. */
static const struct merge_type *types[TYPES_MAX] = {
	&text_type, &union_type, &binary_type, &ours_type, &theirs_type,
};
static size_t type_count = 5;
static const struct merge_type *suggestion;

const struct merge_type *merge_type_find(const char *name)
{
	for (size_t i = 0; i < type_count; i++)
		if (strcmp(types[i]->name, name) == 0)
			return types[i];
	return NULL;
}

static bool is_text(const struct merge_side *side)
{
	return !side->data || contents_is_text(side->data, side->size);
}

const struct merge_type *merge_type_fit(const struct merge_type *type,
					const struct merge_input *input)
{
	if (!type->wants_text || (is_text(&input->base) &&
				  is_text(&input->ours) &&
				  is_text(&input->theirs)))
		return type;
	return &binary_type;
}

int merge_type_register(const struct merge_type *type)
{
	if (merge_type_find(type->name))
		return -EEXIST;
	if (type_count == TYPES_MAX)
		return -ENOSPC;
	types[type_count++] = type;
	return 0;
}

int merge_suggestion_register(const struct merge_type *type)
{
	if (suggestion)
		return -EEXIST;
	suggestion = type;
	return 0;
}

const struct merge_type *merge_suggestion(void)
{
	return suggestion;
}
