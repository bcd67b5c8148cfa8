/* SPDX-License-Identifier: ISC */
#include "store/engine_ref_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADS "refs/heads/"

void ref_list_release(struct ref_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->refs[i].name);
	free(list->refs);
}

static int add_ref(void *context, const char *name, const struct oid *oid,
		   const struct oid *peeled)
{
	struct ref_list *list = context;
	struct listed_ref ref = { 0 };
	struct listed_ref *more;

	if (strncmp(name, HEADS, strlen(HEADS)) != 0)
		return 0;
	if ((list->count & (list->count - 1)) == 0) {
		more = realloc(list->refs, (list->count ? 2 * list->count : 1) *
						   sizeof(*more));
		if (!more)
			return -ENOMEM;
		list->refs = more;
	}
	/* a head that names a tag is none of Git's: as good as broken */
	if (oid_equal(oid, peeled))
		ref.oid = *peeled;
	ref.name = strdup(name + strlen(HEADS));
	if (!ref.name)
		return -ENOMEM;
	list->refs[list->count++] = ref;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct listed_ref *)a)->name,
		      ((const struct listed_ref *)b)->name);
}

int ref_list_read(struct engine_storage *storage, struct ref_list *ret)
{
	struct ref_list list = { 0 };
	int r = storage->ops->refs_each(storage, add_ref, &list);

	if (r < 0) {
		ref_list_release(&list);
		return r;
	}
	if (list.count)
		qsort(list.refs, list.count, sizeof(*list.refs), by_name);
	*ret = list;
	return 0;
}

const struct listed_ref *ref_list_find(const struct ref_list *list,
				       const char *name)
{
	const struct listed_ref key = { .name = (char *)name };

	return list->count ? bsearch(&key, list->refs, list->count,
				     sizeof(key), by_name)
			   : NULL;
}
