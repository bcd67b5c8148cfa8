/* SPDX-License-Identifier: ISC */
#include "structures/structures.h"
#include "structures/rope_contents.h"
#include "structures/structures_private.h"

#include "store/contents.h"

/* One line a type; those that merge files are in file_types.c. */
static const struct directory_type *const directory_types[] = {
	&queue_directory_type,
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

int structures_register(void)
{
	int r = structures_register_file_types();

	if (r == 0)
		r = contents_kind_register(&rope_contents_kind);
	for (size_t i = 0; r == 0 && i < COUNT(directory_types); i++)
		r = directory_type_register(directory_types[i]);
	return r;
}
