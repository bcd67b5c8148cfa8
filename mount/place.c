/* SPDX-License-Identifier: ISC */
#include "mount/place.h"

#include <errno.h>
#include <string.h>

void place_release(struct place *place)
{
	free(place->branch);
	free(place->revision);
	free(place->prefix);
	*place = (struct place){ 0 };
}

bool place_has_branch(const json_t *branches, const char *name)
{
	const json_t *list = json_object_get(branches, "branches"), *b;
	const char *its_name;
	size_t i;

	json_array_foreach(list, i, b) {
		its_name = json_string_value(json_object_get(b, "name"));
		if (its_name && strcmp(its_name, name) == 0)
			return true;
	}
	return false;
}

/* "%2F" in a name of the root stands for a slash; in place. */
static void decode_slashes(char *name)
{
	char *to = name;

	for (const char *p = name; *p; to++) {
		if (strncasecmp(p, "%2f", 3) == 0) {
			*to = '/';
			p += 3;
		} else {
			*to = *p++;
		}
	}
	*to = '\0';
}

/* "main@~3" is main~3, "@v1.0" is v1.0; NULL: not such a name, or no memory. */
static char *revision_of(const char *name)
{
	const char *at = strchr(name, '@');
	char *revision;

	if (!at || !at[1])
		return NULL;
	/* "main@{2026-11-01}" is Git's own syntax with the @ */
	if (asprintf(&revision, "%.*s%s", (int)(at - name), name,
		     at[1] == '{' ? at : at + 1) < 0)
		return NULL;
	return revision;
}

static char *prefix_of(const char *rest)
{
	size_t length;
	char *prefix;

	rest += strspn(rest, "/");
	length = strlen(rest);
	while (length && rest[length - 1] == '/')
		length--;
	if (asprintf(&prefix, "%.*s%s", (int)length, rest,
		     length ? "/" : "") < 0)
		return NULL;
	return prefix;
}

/* Whether the first length bytes of path name a branch or a revision. */
static int try_name(const char *path, size_t length, const json_t *branches,
		    struct place *ret)
{
	scoped_free char *name = strndup(path, length);

	if (!name)
		return -ENOMEM;
	decode_slashes(name);
	if (place_has_branch(branches, name))
		ret->branch = STEAL(name);
	else
		ret->revision = revision_of(name);
	if (!ret->branch && !ret->revision)
		return 0;
	ret->prefix = prefix_of(path + length);
	return ret->prefix ? 1 : -ENOMEM;
}

int place_find(const char *path, const json_t *branches, struct place *ret_place)
{
	struct place place = { 0 };
	int r = 0;

	path += strspn(path, "/");
	for (size_t end = 0; r == 0 && path[end];) {
		end += strspn(path + end, "/");
		end += strcspn(path + end, "/");
		r = try_name(path, end, branches, &place);
	}
	if (r < 0) {
		place_release(&place);
		return r;
	}
	*ret_place = place;
	return 0;
}

/* ---- paths below a branch ---- */

/* Appends one component, "." and ".." included; -EINVAL: out of the branch. */
static int add_component(struct buffer *path, const char *name, size_t length)
{
	if (length == 0 || (length == 1 && name[0] == '.'))
		return 0;
	if (length == 2 && memcmp(name, "..", 2) == 0) {
		if (path->length == 0)
			return -EINVAL;
		while (path->length && path->data[--path->length] != '/')
			;
		path->data[path->length] = '\0';
		return 0;
	}
	if (path->length && buffer_puts(path, "/") < 0)
		return -ENOMEM;
	return buffer_append(path, name, length);
}

static int add_components(struct buffer *path, const char *text)
{
	int r = 0;

	while (r == 0 && *text) {
		size_t length = strcspn(text, "/");

		r = add_component(path, text, length);
		text += length;
		text += strspn(text, "/");
	}
	return r;
}

char *place_path(const char *prefix, const char *operand)
{
	struct buffer path = { 0 };

	if (buffer_append(&path, "", 0) < 0 ||
	    add_components(&path, prefix) < 0 ||
	    add_components(&path, operand) < 0) {
		buffer_release(&path);
		return NULL;
	}
	return path.data;
}
