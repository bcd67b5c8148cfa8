/* SPDX-License-Identifier: ISC */
#include "structures/entries.h"

/* Lines that are only ever added, the same one as often as it happened. */
static int merge(const struct merge_input *input, struct merge_output *ret)
{
	if (!input->ours.data || !input->theirs.data)
		return merge_type_find("binary")->merge(input, ret);
	return entries_merge(input, true, ret);
}

const struct merge_type log_merge_type = {
	.name = "log", .merge = merge, .wants_text = true,
};
