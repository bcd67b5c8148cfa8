/* SPDX-License-Identifier: ISC */
#include "store/git_spare.h"
#include "store/git_inflate.h"
#include "store/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* GIT_DIR/irminfs/large, or what is above it; NULL: no memory. */
static char *folder_of(const char *objects_dir, const char *below)
{
	const char *end = strrchr(objects_dir, '/');
	char *path;

	if (!end || asprintf(&path, "%.*s/irminfs%s", (int)(end - objects_dir),
			     objects_dir, below) < 0)
		return NULL;
	return path;
}

static char *spare_path(const char *objects_dir, const struct oid *oid)
{
	scoped_free char *folder = folder_of(objects_dir, "/large");
	char hex[OID_HEX_SIZE], *path;

	if (!folder || asprintf(&path, "%s/%s", folder, oid_hex(oid, hex)) < 0)
		return NULL;
	return path;
}

static char *object_path(const char *objects_dir, const struct oid *oid,
			 bool folder)
{
	char hex[OID_HEX_SIZE], *path;

	oid_hex(oid, hex);
	if (asprintf(&path, "%s/%.2s%s%s", objects_dir, hex, folder ? "" : "/",
		     folder ? "" : hex + 2) < 0)
		return NULL;
	return path;
}

/* ---- adding ---- */

static void make_folder(const char *objects_dir)
{
	scoped_free char *above = folder_of(objects_dir, "");
	scoped_free char *folder = folder_of(objects_dir, "/large");

	if (above && folder) {
		mkdir(above, 0700);
		mkdir(folder, 0700);
	}
}

void git_spare_add(const char *objects_dir, const char *file,
		   const struct oid *oid)
{
	scoped_free char *path = spare_path(objects_dir, oid);

	if (!path || link(file, path) == 0)
		return;
	/* of an older copy, which may be damaged */
	if (errno == EEXIST)
		unlink(path);
	else if (errno == ENOENT)
		make_folder(objects_dir);
	else
		return;
	if (link(file, path) < 0)
		log_debug("%s cannot be linked to: %s", file, strerror(errno));
}

/* ---- using ---- */

bool git_spare_restore(const char *objects_dir, const struct oid *oid)
{
	scoped_free char *from = spare_path(objects_dir, oid);
	scoped_free char *folder = object_path(objects_dir, oid, true);
	scoped_free char *to = object_path(objects_dir, oid, false);
	char hex[OID_HEX_SIZE];

	if (!from || !folder || !to)
		return false;
	/* git removes folders that are empty */
	if (link(from, to) < 0 &&
	    (errno != ENOENT || (mkdir(folder, 0777) < 0 && errno != EEXIST) ||
	     link(from, to) < 0))
		return errno == EEXIST;
	log_info("another program pruned object %s: it is there again",
		 oid_hex(oid, hex));
	return true;
}

static bool is_there(const char *objects_dir, const struct oid *oid)
{
	scoped_free char *path = object_path(objects_dir, oid, false);

	return !path || access(path, F_OK) == 0;
}

static bool is_older(int dir_fd, const char *name, time_t now, time_t seconds)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (st.st_mtime < now - seconds || st.st_mtime > now + seconds);
}

/* After a power failure a file may have its names and be cut off: nothing needs
 * it then, and it must not become an object that git fsck stumbles over. */
static int check(int dir_fd, const char *name)
{
	scoped_fd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : git_inflate_check(fd);
}

/* Whether the second name may be the only one of an object that is needed: it is
 * not there, and could not be looked at or made now. */
static bool is_last(const char *objects_dir, int dir_fd, const char *name,
		    const struct oid *oid)
{
	int r = check(dir_fd, name);

	return r == 0 ? !git_spare_restore(objects_dir, oid) : r != -EUCLEAN;
}

/* Whether the name stays. */
static bool tend(const char *objects_dir, int dir_fd, const char *name,
		 time_t now, git_spare_is_packed *is_packed, void *context)
{
	time_t seconds = SPARE_SECONDS;
	struct oid oid;

	if (oid_parse(name, &oid) < 0)
		return false;
	if (!is_there(objects_dir, &oid)) {
		if (is_packed(context, &oid))
			seconds = SPARE_PACKED_SECONDS;
		else if (is_last(objects_dir, dir_fd, name, &oid))
			return true;
	}
	return !is_older(dir_fd, name, now, seconds) ||
	       unlinkat(dir_fd, name, 0) < 0;
}

size_t git_spare_tend(const char *objects_dir, time_t now,
		      git_spare_is_packed *is_packed, void *context)
{
	scoped_free char *path = folder_of(objects_dir, "/large");
	DIR *dir = path ? opendir(path) : NULL;
	struct dirent *entry;
	size_t left = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		left += tend(objects_dir, dirfd(dir), entry->d_name, now,
			     is_packed, context);
	closedir(dir);
	return left;
}
