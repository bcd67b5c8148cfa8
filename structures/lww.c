/* SPDX-License-Identifier: ISC */
#include "structures/lww.h"

static bool is_ours_later(const struct merge_input *input)
{
	const struct merge_side *ours = &input->ours, *theirs = &input->theirs;

	if (ours->time != theirs->time)
		return ours->time > theirs->time;
	return oid_compare(ours->oid, theirs->oid) > 0;
}

static int merge(const struct merge_input *input, struct merge_output *ret)
{
	const char *name = "binary";

	if (input->ours.data && input->theirs.data && input->ours.oid &&
	    input->theirs.oid)
		name = is_ours_later(input) ? "ours" : "theirs";
	return merge_type_find(name)->merge(input, ret);
}

const struct merge_type lww_merge_type = {
	.name = "lww", .merge = merge, .wants_times = true,
};
