/* SPDX-License-Identifier: ISC */
#include "fs/private.h"

#include "store/tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SLASH "%2F"

static void decode_slashes(char *name)
{
	char *out = name;

	while (*name) {
		if (strncmp(name, SLASH, strlen(SLASH)) == 0) {
			*out++ = '/';
			name += strlen(SLASH);
		} else {
			*out++ = *name++;
		}
	}
	*out = '\0';
}

static int join(const struct inode *space, const char *name, bool decode,
		char **ret)
{
	char *full;

	if (strlen(name) > NAME_LENGTH_MAX)
		return -ENAMETOOLONG;
	if (asprintf(&full, "%s%s%s", space->name, space->name[0] ? "/" : "",
		     name) < 0)
		return -ENOMEM;
	if (decode)
		decode_slashes(full + strlen(full) - strlen(name));
	*ret = full;
	return 0;
}

bool name_is_encoded(const char *name)
{
	return strstr(name, SLASH);
}

int name_join(const struct inode *space, const char *name, char **ret)
{
	return join(space, name, true, ret);
}

static int find_branch(struct fs *fs, const struct inode *space,
		       const char *name, bool decode, struct branch **ret)
{
	scoped_free char *full = NULL;
	int r = join(space, name, decode, &full);

	return r < 0 ? r : store_branch(fs->store, full, ret);
}

int name_branch(struct fs *fs, const struct inode *space, const char *name,
		struct branch **ret)
{
	int r = find_branch(fs, space, name, false, ret);

	if (r != -ENOENT || !name_is_encoded(name))
		return r;
	return find_branch(fs, space, name, true, ret);
}

static int lookup_branch(struct fs *fs, const char *full, struct inode **ret)
{
	struct branch *branch;
	int r = store_branch(fs->store, full, &branch);

	if (r < 0)
		return r;
	r = inode_for_branch(fs, branch, ret);
	branch_unref(branch);
	return r;
}

static int lookup_exact(struct fs *fs, struct inode *space, const char *name,
			struct inode **ret)
{
	scoped_free char *full = NULL;
	int r = join(space, name, false, &full);

	if (r < 0)
		return r;
	r = lookup_branch(fs, full, ret);
	if (r == -ENOENT && store_is_space(fs->store, full))
		r = inode_for_space(fs, full, ret);
	return r;
}

/* Whether another program may have made it just now. */
static bool find_outside(struct fs *fs, const struct inode *space,
			 const char *name)
{
	scoped_free char *full = NULL;

	return join(space, name, false, &full) == 0 &&
	       store_find_outside(fs->store, full);
}

static bool exists(struct fs *fs, const char *full)
{
	struct branch *branch;

	if (store_is_space(fs->store, full))
		return true;
	if (store_branch(fs->store, full, &branch) < 0)
		return false;
	branch_unref(branch);
	return true;
}

static int lookup_encoded(struct fs *fs, struct inode *space, const char *name,
			  struct inode **ret)
{
	scoped_free char *full = NULL;
	int r = join(space, name, true, &full);

	if (r < 0)
		return r;
	if (!exists(fs, full))
		return -ENOENT;
	/* from the space on, which the link is in */
	return inode_for_link(fs, full + strlen(space->name) +
			      (space->name[0] != '\0'), ret);
}

static int lookup_revision(struct fs *fs, struct inode *space, const char *name,
			   struct inode **ret, bool *ret_keep)
{
	scoped_free char *full = NULL;
	struct view *view;
	int r = join(space, name, true, &full);

	if (r < 0)
		return r;
	r = store_view(fs->store, full, &view, ret_keep);
	if (r < 0)
		return r == -EINVAL ? -ENOENT : r;
	return inode_for_view(fs, full, view, ret);
}

static int lookup(struct fs *fs, struct inode *space, const char *name,
		  struct inode **ret, bool *ret_keep)
{
	int r = lookup_exact(fs, space, name, ret);

	if (r == -ENOENT && find_outside(fs, space, name))
		r = lookup_exact(fs, space, name, ret);
	*ret_keep = r == 0;
	if (r == -ENOENT && name_is_encoded(name))
		r = lookup_encoded(fs, space, name, ret);
	if (r == -ENOENT && strchr(name, '@'))
		r = lookup_revision(fs, space, name, ret, ret_keep);
	return r;
}

int name_lookup(struct fs *fs, struct inode *space, const char *name,
		struct inode **ret, bool *ret_keep)
{
	bool keep;
	int r = lookup(fs, space, name, ret, &keep);

	if (r < 0)
		return r;
	*ret_keep = keep && inode_note_name(fs, space, name) == 0;
	return 0;
}
