/* SPDX-License-Identifier: ISC */
#include "structures/structures.h"
#include "structures/rope_contents.h"

#include "store/contents.h"

/* One line a type. */
static const struct merge_type *const merge_types[] = {
	NULL,
};

int structures_register(void)
{
	int r = contents_kind_register(&rope_contents_kind);

	for (size_t i = 0; r == 0 && merge_types[i]; i++)
		r = merge_type_register(merge_types[i]);
	return r;
}
