/* SPDX-License-Identifier: ISC */
#include "structures/structures.h"

#include "store/contents.h"
#include "structures/counter.h"
#include "structures/entries.h"
#include "structures/lww.h"
#include "structures/token_merge.h"

/* One line a type. */
static const struct merge_type *const merge_types[] = {
	&token_merge_type,
	&counter_merge_type,
	&set_merge_type,
	&log_merge_type,
	&lww_merge_type,
	NULL,
};

int structures_register_file_types(void)
{
	int r = merge_suggestion_register(&token_suggest_type);

	for (size_t i = 0; r == 0 && merge_types[i]; i++)
		r = merge_type_register(merge_types[i]);
	return r;
}
