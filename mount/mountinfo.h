/* SPDX-License-Identifier: ISC */
#ifndef MOUNT_MOUNTINFO_H
#define MOUNT_MOUNTINFO_H

#include <stdbool.h>

/* What is mounted where: /proc/self/mountinfo (proc(5)). */

#define MOUNTINFO_TYPE "fuse.irminfs"

/* All strings are owned and unescaped. */
struct mount_entry {
	char *device;		/* "MAJOR:MINOR" */
	char *root;		/* folder of the filesystem that is mounted */
	char *point;		/* where */
	char *type;
	char *source;
};
void mount_entry_release(struct mount_entry *e);

/* The entry that path (absolute, without symlinks) lies in: the longest mount
 * point, the latest of equal ones.  -ENOENT, -ENOMEM, errors of reading. */
int mountinfo_find(const char *path, struct mount_entry *ret);

/* The entry of the same filesystem that shows its root; of several the first.
 * Errors of mountinfo_find. */
int mountinfo_find_root(const char *device, struct mount_entry *ret);

/* Whether path is folder or lies below it (both absolute, without symlinks). */
bool path_is_inside(const char *path, const char *folder);

/* Makes path absolute and free of symlinks in a new allocation.  The last
 * component may be absent or a mount whose daemon died.  -ENOENT, -ENOTDIR,
 * -EACCES, -ENOMEM. */
int path_resolve(const char *path, char **ret);

#endif
