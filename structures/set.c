/* SPDX-License-Identifier: ISC */
#include "structures/entries.h"

/* Lines, each there or not. */
static int merge(const struct merge_input *input, struct merge_output *ret)
{
	if (!input->ours.data || !input->theirs.data)
		return merge_type_find("binary")->merge(input, ret);
	return entries_merge(input, false, ret);
}

const struct merge_type set_merge_type = {
	.name = "set", .merge = merge, .wants_text = true,
};
