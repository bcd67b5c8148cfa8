/* SPDX-License-Identifier: ISC */
#include "structures/structures.h"
#include "structures/rope_contents.h"
#include "structures/structures_private.h"

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

static const struct directory_type *const directory_types[] = {
	&queue_directory_type,
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

int structures_register(void)
{
	int r = contents_kind_register(&rope_contents_kind);

	if (r == 0)
		r = merge_suggestion_register(&token_suggest_type);

	for (size_t i = 0; r == 0 && merge_types[i]; i++)
		r = merge_type_register(merge_types[i]);
	for (size_t i = 0; r == 0 && i < COUNT(directory_types); i++)
		r = directory_type_register(directory_types[i]);
	return r;
}
