/* SPDX-License-Identifier: ISC */
#include "mount/mountinfo.h"

#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#define MOUNTINFO_MAX ((size_t)64 << 20)

void mount_entry_release(struct mount_entry *e)
{
	free(e->device);
	free(e->root);
	free(e->point);
	free(e->type);
	free(e->source);
	*e = (struct mount_entry){ 0 };
}

bool path_is_inside(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	while (length && folder[length - 1] == '/')
		length--;
	return strncmp(path, folder, length) == 0 &&
	       (path[length] == '/' || path[length] == '\0');
}

/* ---- lines of mountinfo ---- */

static bool is_octal(const char *p)
{
	return p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' &&
	       p[2] >= '0' && p[2] <= '7';
}

/* In place: "\040" is a blank. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *p = text; *p; to++) {
		if (p[0] == '\\' && is_octal(p + 1)) {
			*to = (p[1] - '0') * 64 + (p[2] - '0') * 8 +
			      (p[3] - '0');
			p += 4;
		} else {
			*to = *p++;
		}
	}
	*to = '\0';
}

enum { FIELD_DEVICE = 2, FIELD_ROOT = 3, FIELD_POINT = 4 };

/* Cuts a line into the fields of an entry, which point into it.  False: it is
 * not such a line. */
static bool cut_line(char *line, struct mount_entry *ret)
{
	char *field, *rest = line;
	int after = -1;

	*ret = (struct mount_entry){ 0 };
	for (int i = 0; (field = strsep(&rest, " ")); i++) {
		if (i == FIELD_DEVICE)
			ret->device = field;
		else if (i == FIELD_ROOT)
			ret->root = field;
		else if (i == FIELD_POINT)
			ret->point = field;
		else if (after < 0 && i > FIELD_POINT && !strcmp(field, "-"))
			after = i;
		else if (after >= 0 && i == after + 1)
			ret->type = field;
		else if (after >= 0 && i == after + 2)
			ret->source = field;
	}
	if (!ret->source)
		return false;
	unescape(ret->root);
	unescape(ret->point);
	unescape(ret->type);
	unescape(ret->source);
	return true;
}

static int copy_entry(const struct mount_entry *from, struct mount_entry *ret)
{
	struct mount_entry e = {
		.device = strdup(from->device),
		.root = strdup(from->root),
		.point = strdup(from->point),
		.type = strdup(from->type),
		.source = strdup(from->source),
	};

	if (e.device && e.root && e.point && e.type && e.source) {
		*ret = e;
		return 0;
	}
	mount_entry_release(&e);
	return -ENOMEM;
}

/* Goes through all mounts; better says whether e is to be preferred to best,
 * which has a NULL point as long as there is none. */
static int choose(bool (*better)(const void *wanted, const struct mount_entry *e,
				 const struct mount_entry *best),
		  const void *wanted, struct mount_entry *ret)
{
	scoped_buffer struct buffer text = { 0 };
	struct mount_entry e, best = { 0 };
	char *line, *rest;
	int r = read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX,
			  &text);

	if (r < 0)
		return r;
	rest = text.data;
	while ((line = strsep(&rest, "\n")))
		if (cut_line(line, &e) && better(wanted, &e, &best))
			best = e;
	return best.point ? copy_entry(&best, ret) : -ENOENT;
}

static bool is_nearer(const void *wanted, const struct mount_entry *e,
		      const struct mount_entry *best)
{
	if (!path_is_inside(wanted, e->point))
		return false;
	return !best->point || strlen(e->point) >= strlen(best->point);
}

int mountinfo_find(const char *path, struct mount_entry *ret)
{
	return choose(is_nearer, path, ret);
}

static bool is_first_root(const void *wanted, const struct mount_entry *e,
			  const struct mount_entry *best)
{
	return !best->point && !strcmp(e->device, wanted) &&
	       !strcmp(e->root, "/");
}

int mountinfo_find_root(const char *device, struct mount_entry *ret)
{
	return choose(is_first_root, device, ret);
}

/* ---- paths ---- */

/* dirname(path) resolved, with basename(path) as it is. */
static int resolve_parent(const char *path, char **ret)
{
	scoped_free char *for_folder = strdup(path), *for_name = strdup(path);
	scoped_free char *folder = NULL;
	const char *name;
	char *joined;

	if (!for_folder || !for_name)
		return -ENOMEM;
	folder = realpath(dirname(for_folder), NULL);
	if (!folder)
		return -errno;
	name = basename(for_name);
	/* what they say only the missing folder itself could tell */
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return -ENOENT;
	if (asprintf(&joined, "%s/%s", strcmp(folder, "/") ? folder : "",
		     name) < 0)
		return -ENOMEM;
	*ret = joined;
	return 0;
}

int path_resolve(const char *path, char **ret)
{
	char *resolved;

	if (!path[0])
		return -ENOENT;
	resolved = realpath(path, NULL);
	if (resolved) {
		*ret = resolved;
		return 0;
	}
	if (errno != ENOENT && errno != ENOTCONN && errno != ECONNABORTED)
		return -errno;
	return resolve_parent(path, ret);
}
