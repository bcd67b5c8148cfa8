/* SPDX-License-Identifier: ISC */
#include "mount/memory.h"

#include "store/util.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX ((size_t)1 << 20)
#define PLENTY ((uint64_t)512 << 20)

static uint64_t read_limit(const char *path)
{
	scoped_buffer struct buffer text = { 0 };
	char *end;
	unsigned long long limit;

	if (read_file(AT_FDCWD, path, PATH_MAX, &text) < 0 || !text.data)
		return UINT64_MAX;
	limit = strtoull(text.data, &end, 10);
	return end > text.data ? limit : UINT64_MAX;	/* "max" */
}

/* Those of the group and all above.  In a container the path may be that outside,
 * of which only the last place to look, the top, is there. */
static uint64_t least_limit(const char *top, char *group, const char *file)
{
	uint64_t least = UINT64_MAX;

	for (char *end = group + strlen(group); end; end = strrchr(group, '/')) {
		char path[PATH_MAX];
		uint64_t limit;

		*end = '\0';
		if (snprintf(path, sizeof(path), "%s%s/%s", top, group, file) >=
		    (int)sizeof(path))
			continue;
		limit = read_limit(path);
		if (limit < least)
			least = limit;
	}
	return least;
}

static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += length)
		if ((p == list || p[-1] == ',') &&
		    (p[length] == ',' || p[length] == '\0'))
			return true;
	return false;
}

/* line: "ID:CONTROLLERS:GROUP"; version 2 has no controllers there. */
static uint64_t limit_of_line(const char *root, char *line)
{
	const char *id = strsep(&line, ":");
	const char *controllers = strsep(&line, ":");
	char top[PATH_MAX];
	bool is_old;

	if (!line)
		return UINT64_MAX;
	is_old = has_word(controllers, "memory");
	if (!is_old && strcmp(id, "0") != 0)
		return UINT64_MAX;
	if (snprintf(top, sizeof(top), "%s/sys/fs/cgroup%s", root,
		     is_old ? "/memory" : "") >= (int)sizeof(top))
		return UINT64_MAX;
	return least_limit(top, line, is_old ? "memory.limit_in_bytes" :
					       "memory.max");
}

uint64_t memory_allowed(const char *root)
{
	scoped_buffer struct buffer groups = { 0 };
	uint64_t least = UINT64_MAX;
	char path[PATH_MAX], *line, *rest;

	if (snprintf(path, sizeof(path), "%s/proc/self/cgroup", root) >=
	    (int)sizeof(path) ||
	    read_file(AT_FDCWD, path, GROUPS_MAX, &groups) < 0)
		return UINT64_MAX;
	rest = groups.data;
	while ((line = strsep(&rest, "\n"))) {
		uint64_t limit = limit_of_line(root, line);

		if (limit < least)
			least = limit;
	}
	return least;
}

size_t memory_budget(uint64_t allowed)
{
	return allowed < PLENTY ? allowed / 4 : 0;
}
