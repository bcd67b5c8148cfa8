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

static bool parse(const char *place, const char **ret_name)
{
	char key[DIRECTORY_KEY_SIZE];

	for (size_t i = 0; i < type_count; i++)
		if (types[i]->parse(place, key, ret_name) == 0)
			return true;
	return false;
}

bool directory_type_parse(const char *path, size_t *ret_folder,
			  const char **ret_name)
{
	for (const char *p = strchr(path, '/'); p; p = strchr(p, '/')) {
		if (!parse(++p, ret_name))
			continue;
		*ret_folder = p - path;
		return true;
	}
	return false;
}

const struct directory_type *directory_type_find(const char *name)
{
	for (size_t i = 0; i < type_count; i++)
		if (strcmp(types[i]->name, name) == 0)
			return types[i];
	return NULL;
}
