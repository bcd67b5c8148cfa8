/* SPDX-License-Identifier: ISC */
#include "store/journal_record.h"
#include "store/xattrs.h"

#include <errno.h>
#include <string.h>

#define FRAMING 5u		/* bytes of lengths of each */

bool xattrs_next(const char **at, const char *end, struct xattr *ret)
{
	const char *p = *at;

	if (p >= end)
		return false;
	ret->name_length = (unsigned char)*p++;
	ret->name = p;
	p += ret->name_length;
	ret->size = get_u32_at(p);
	ret->value = p + 4;
	*at = ret->value + ret->size;
	return true;
}

static int compare(const struct xattr *x, const char *name, size_t length)
{
	size_t common = x->name_length < length ? x->name_length : length;
	int order = memcmp(x->name, name, common);

	return order ? order : (x->name_length > length) -
			       (x->name_length < length);
}

bool xattrs_find(const char *data, size_t size, const char *name,
		 struct xattr *ret)
{
	size_t length = strlen(name);
	struct xattr x;

	for (const char *at = data; xattrs_next(&at, data + size, &x);) {
		int order = compare(&x, name, length);

		if (order == 0)
			*ret = x;
		if (order >= 0)
			return order == 0;
	}
	return false;
}

/* Bytes of all names but that one, with a NUL each.  *ret_end: where one of that
 * name belongs, behind those before it; *ret_rest: where those behind begin. */
static size_t split(const char *data, size_t size, const char *name,
		    const char **ret_end, const char **ret_rest)
{
	size_t names = 0, length = strlen(name);
	const char *at = data, *start = data;
	struct xattr x;

	*ret_end = *ret_rest = data;
	for (; xattrs_next(&at, data + size, &x); start = at) {
		int order = compare(&x, name, length);

		if (order != 0)
			names += x.name_length + 1;
		if (order <= 0) {
			*ret_end = order < 0 ? at : start;
			*ret_rest = at;
		}
	}
	return names;
}

static char *put(char *to, const void *data, size_t size)
{
	if (size)
		memcpy(to, data, size);
	return to + size;
}

int xattrs_set(const char *data, size_t size, const char *name,
	       const void *value, size_t value_size, char **ret_data,
	       size_t *ret_size)
{
	size_t length = strlen(name), names, total;
	const char *end, *rest;
	char *block, *p;

	names = split(data, size, name, &end, &rest);
	total = size - (rest - end);
	if (value)
		total += FRAMING + length + value_size;
	if (value && (names + length + 1 > XATTR_LIST_MOST ||
		      total > LOCAL_XATTRS_MOST))
		return -ENOSPC;
	p = block = malloc(total + 1);
	if (!block)
		return -ENOMEM;
	p = put(p, data, end - data);
	if (value) {
		*p++ = (char)length;
		p = put(p, name, length);
		put_u32_at(p, value_size);
		p = put(p + 4, value, value_size);
	}
	put(p, rest, data + size - rest);
	*ret_data = block;
	*ret_size = total;
	return 0;
}
