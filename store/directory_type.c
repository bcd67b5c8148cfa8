/* SPDX-License-Identifier: ISC */
#include "store/directory_type.h"

#include <errno.h>
#include <string.h>

#define TYPES_MAX 16

static const struct directory_type *types[TYPES_MAX];
static size_t type_count;

int directory_type_register(const struct directory_type *type)
{
	if (directory_type_find(type->name))
		return -EEXIST;
	if (type_count == TYPES_MAX)
		return -ENOSPC;
	types[type_count++] = type;
	return 0;
}

const struct directory_type *directory_type_find(const char *name)
{
	for (size_t i = 0; i < type_count; i++)
		if (strcmp(types[i]->name, name) == 0)
			return types[i];
	return NULL;
}
