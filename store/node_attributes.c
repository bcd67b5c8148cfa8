/* SPDX-License-Identifier: ISC */
#include "store/node.h"

#include <errno.h>
#include <stdlib.h>

void attributes_free(struct attributes *a)
{
	if (!a)
		return;
	local_free(a->local);
	free(a);
}

static mode_t default_permissions(uint32_t mode)
{
	switch (node_kind_of(mode)) {
	case KIND_FILE:
	case KIND_FIFO:
	case KIND_SOCKET:
	case KIND_CHARACTER:
	case KIND_BLOCK:
		return mode_is_executable(mode) ? 0755 : 0644;
	case KIND_SYMLINK:
		return 0777;
	case KIND_DIRECTORY:
		return 0755;
	case KIND_SUBMODULE:
	case KIND_LINK:		/* no mode is of it */
		break;
	}
	return 0555;
}

struct attributes attributes_default(const struct worktree *w, uint32_t mode,
				     unsigned int epoch)
{
	struct timespec time = w->times[epoch];
	mode_t mask = w->options.owner_only ? 0700 : 07777;

	return (struct attributes){
		.uid = w->options.uid, .gid = w->options.gid,
		.permissions = default_permissions(mode) & mask,
		.atime = time, .mtime = time, .ctime = time,
	};
}

/* What it has of `local` stays n's. */
struct attributes node_attributes(const struct node *n)
{
	if (n->attributes)
		return *n->attributes;
	return attributes_default(n->worktree, node_git_mode(n), n->epoch);
}

int attributes_reserve(const struct node *n, struct attributes **spare)
{
	/* n may lose none of them, but gain some, until they are needed. */
	if (*spare)
		return 0;
	{
		SCOPED_LOCK(&n->worktree->state);
		if (n->attributes)
			return 0;
	}
	*spare = calloc(1, sizeof(**spare));
	return *spare ? 0 : -ENOMEM;
}

struct attributes *attributes_own(struct node *n, struct attributes **spare)
{
	if (!n->attributes) {
		**spare = node_attributes(n);
		n->attributes = STEAL(*spare);
	}
	if (!n->removed) {
		n->flags |= NODE_ATTRIBUTES;
		node_keep(n);
	}
	return n->attributes;
}

void attributes_touch(struct node *n, struct attributes **spare,
		      const struct timespec *now)
{
	struct attributes *a = attributes_own(n, spare);

	a->mtime = a->ctime = *now;
	a->known |= LOCAL_TIMES;
}

void attributes_touch_inode(struct node *n, struct attributes **spare,
			    const struct timespec *now)
{
	struct attributes *a = attributes_own(n, spare);

	a->ctime = *now;
	a->known |= LOCAL_TIMES;
}

static mode_t without_privileges(mode_t permissions)
{
	return permissions & ~(permissions & S_IXGRP ? S_ISUID | S_ISGID
						     : S_ISUID);
}

mode_t node_privileges(struct node *n)
{
	SCOPED_READ(&n->worktree->lock);
	SCOPED_LOCK(&n->worktree->state);

	return n->kind == KIND_FILE && n->attributes ?
		n->attributes->permissions & (S_ISUID | S_ISGID) : 0;
}

/* A directory's are its name, "." and the ".." of those in it.  One that is not
 * loaded says 1, as file systems do that do not count. */
static nlink_t count_links(const struct node *n)
{
	const struct entry *shelf;

	if (n->removed)
		return n->pending;
	if (n->linked)
		return links_count(n);
	if (!node_is_directory(n) || !n->directory)
		return 1;
	shelf = n->parent ? NULL :
			    directory_find_live(n->directory, CONTROL_NAME);
	return 2 + n->directory->directories -
	       (shelf && shelf->mode == MODE_TREE);
}

static dev_t device_of(const struct attributes *a)
{
	return a->local && (a->local->bits & LOCAL_DEVICE) ? a->local->device :
							     0;
}

/* As ext4 counts them: whole pages, and none for a short symlink.  Never 0 for a
 * file with bytes, for which tar stores none: a mapping may hold some that have
 * not arrived, and the kernel keeps what it is told. */
static blkcnt_t count_blocks(const struct node *n, uint64_t size, uint64_t data)
{
	if (n->kind == KIND_SYMLINK && size < 60)
		return 0;
	if (size && !data)
		data = 1;
	return (data + 4095) / 4096 * 8;
}

int node_stat(struct node *n, struct stat *ret)
{
	struct attributes a;
	uint64_t size = node_type(n) == S_IFDIR ? 4096 : 0, data = size;
	uint64_t number;
	nlink_t links;
	dev_t device;
	int r;

	if (node_has_contents(n)) {
		r = node_size(n, &size, &data);
		if (r < 0)
			return r;
	}
	{
		SCOPED_READ(&n->worktree->lock);
		SCOPED_LOCK(&n->worktree->state);
		a = node_attributes(n);
		number = n->number;
		links = count_links(n);
		device = device_of(&a);
	}
	*ret = (struct stat){
		.st_ino = number, .st_mode = node_type(n) | a.permissions,
		.st_nlink = links, .st_rdev = device,
		.st_uid = a.uid, .st_gid = a.gid,
		.st_size = size, .st_blksize = 65536,
		.st_blocks = count_blocks(n, size, data),
		.st_atim = a.atime, .st_mtim = a.mtime, .st_ctim = a.ctime,
	};
	return 0;
}

bool node_is_stored(struct node *n, const struct oid *oid, struct stat *ret)
{
	struct attributes a;
	struct stat st;

	if (!node_has_contents(n) || node_stat(n, &st) < 0)
		return false;
	SCOPED_READ(&n->worktree->lock);
	SCOPED_LOCK(&n->worktree->state);
	a = node_attributes(n);
	if (!node_is_clean(n) || (n->flags & NODE_CHANGED) || n->structured ||
	    n->own ||
	    !oid_equal(&n->oid, oid))
		return false;
	/* the size is that of another moment: of the same contents? */
	if (a.mtime.tv_sec != st.st_mtim.tv_sec ||
	    a.mtime.tv_nsec != st.st_mtim.tv_nsec)
		return false;
	*ret = st;
	return true;
}

/* The owner's x bit is all of a mode that Git stores; of a rope it is in the
 * object, which must be another one then. */
static void change_permissions(struct node *n, mode_t permissions)
{
	bool executable = permissions & 0100;

	n->attributes->permissions = permissions;
	n->attributes->known |= LOCAL_ATTRIBUTES;
	if (n->kind != KIND_FILE || n->executable == executable)
		return;
	n->executable = executable;
	node_mark(n, n->structured);
}

void node_change_attributes_locked(struct node *n, const struct stat *values,
				   unsigned int which,
				   struct attributes **spare)
{
	struct attributes *a = attributes_own(n, spare);

	if (which & NODE_SET_MODE)
		change_permissions(n, values->st_mode & 07777);
	if ((which & NODE_DROP_PRIVILEGES) && node_type(n) != S_IFDIR)
		a->permissions = without_privileges(a->permissions);
	if (which & NODE_DROP_SETGID)
		a->permissions &= ~(mode_t)S_ISGID;
	if (which & NODE_SET_UID)
		a->uid = values->st_uid;
	if (which & NODE_SET_GID)
		a->gid = values->st_gid;
	if (which & (NODE_SET_UID | NODE_SET_GID))
		a->known |= LOCAL_ATTRIBUTES;
	if (which & NODE_SET_ATIME)
		a->atime = values->st_atim;
	if (which & NODE_SET_MTIME)
		a->mtime = values->st_mtim;
	if (which & NODE_SET_CTIME)
		a->ctime = values->st_ctim;
	else
		n->worktree->options.clock(&a->ctime);
	a->known |= LOCAL_TIMES;
	node_mark_attributes(n);
}

/* Contents that are to be stored again must be open. */
int node_open_for_mode(struct node *n)
{
	struct contents *c;
	int r;

	if (!node_is_structured(n))
		return 0;
	r = node_contents(n, &c);
	if (r == 0)
		contents_unref(c);
	return r;
}

int node_set_attributes(struct node *n, const struct stat *values,
			unsigned int which)
{
	scoped_free struct attributes *spare = NULL;
	int r = which & NODE_SET_MODE ? node_open_for_mode(n) : 0;

	if (r < 0)
		return r;
	SCOPED_WRITE(&n->worktree->lock);
	r = worktree_check_writable(n->worktree);
	if (r == 0)
		r = attributes_reserve(n, &spare);
	if (r == 0)
		node_change_attributes_locked(n, values, which, &spare);
	return r;
}
