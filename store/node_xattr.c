/* SPDX-License-Identifier: ISC */
#include "store/node_xattr.h"
#include "store/node.h"
#include "store/xattrs.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

/* ---- reading ---- */

/* What a node has, in memory or read. */
struct block {
	const char *data;		/* not NULL */
	size_t size;
	void *own;			/* of what was read; or NULL */
};

static void block_release(struct block *block)
{
	free(block->own);
}

#define scoped_block scoped(block_release)

/* Nobody changes the result while the lock is held shared. */
static struct local *facts(struct node *n)
{
	SCOPED_LOCK(&n->worktree->state);

	return n->attributes ? n->attributes->local : NULL;
}

static int read_far(struct node *n, const struct local *local,
		    struct block *ret)
{
	struct odb *odb = n->worktree->options.local;
	scoped_free void *data = NULL;
	size_t size;
	int r = odb ? odb_read(odb, &local->far, OBJECT_BLOB, &data, &size) :
		      -EIO;

	if (r == 0 && (size > LOCAL_XATTRS_MOST || !local_is_xattrs(data, size)))
		r = -EIO;
	if (r < 0)
		return r == -ENOMEM ? r : -EIO;
	ret->data = ret->own = data;
	ret->size = size;
	data = NULL;
	return 0;
}

/* The lock is held at least shared. */
static int get_block(struct node *n, const struct local *local,
		     struct block *ret)
{
	*ret = (struct block){ .data = "" };
	if (!local || !(local->bits & LOCAL_XATTRS))
		return 0;
	if (local->bits & LOCAL_FAR)
		return read_far(n, local, ret);
	ret->data = local->xattrs;
	ret->size = local->xattrs_size;
	return 0;
}

bool node_has_xattrs(struct node *n)
{
	SCOPED_READ(&n->worktree->lock);
	const struct local *local = facts(n);

	return local && (local->bits & LOCAL_XATTRS);
}

static int check_name(const char *name)
{
	size_t length = strlen(name);

	return length == 0 || length > XATTR_NAME_MOST ? -ERANGE : 0;
}

ssize_t node_get_xattr(struct node *n, const char *name, void *value,
		       size_t size)
{
	SCOPED_READ(&n->worktree->lock);
	scoped_block struct block block = { 0 };
	struct xattr x;
	int r = check_name(name);

	if (r == 0)
		r = get_block(n, facts(n), &block);
	if (r < 0)
		return r;
	if (!xattrs_find(block.data, block.size, name, &x))
		return -ENODATA;
	if (size && x.size > size)
		return -ERANGE;
	if (size)
		memcpy(value, x.value, x.size);
	return x.size;
}

ssize_t node_list_xattr(struct node *n, char *names, size_t size)
{
	SCOPED_READ(&n->worktree->lock);
	scoped_block struct block block = { 0 };
	const char *at, *end;
	struct xattr x;
	size_t done = 0;
	int r = get_block(n, facts(n), &block);

	if (r < 0)
		return r;
	at = block.data;
	end = block.data + block.size;
	for (; xattrs_next(&at, end, &x); done += x.name_length + 1) {
		if (!size)
			continue;
		if (done + x.name_length + 1 > size)
			return -ERANGE;
		memcpy(names + done, x.name, x.name_length);
		names[done + x.name_length] = '\0';
	}
	return done;
}

/* ---- changing ---- */

/* What a node is going to have, and the memory for it. */
struct change {
	struct attributes *spare;
	struct local *local;		/* if it has none yet */
	char *data;
	size_t size;
};

static void change_release(struct change *change)
{
	attributes_free(change->spare);
	local_free(change->local);
	free(change->data);
}

static int prepare(struct node *n, const char *name, const void *value,
		   size_t size, int flags, struct change *change)
{
	const struct local *local = n->attributes ? n->attributes->local : NULL;
	scoped_block struct block block = { 0 };
	struct xattr x;
	bool found;
	int r = get_block(n, local, &block);

	if (r < 0)
		return r;
	found = xattrs_find(block.data, block.size, name, &x);
	if (found && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!found && (!value || (flags & XATTR_REPLACE)))
		return -ENODATA;
	r = xattrs_set(block.data, block.size, name, value, size,
		       &change->data, &change->size);
	if (r == 0)
		r = attributes_reserve(n, &change->spare);
	if (r == 0 && !local) {
		change->local = local_new();
		r = change->local ? 0 : -ENOMEM;
	}
	return r;
}

/* Owner and permissions are known then, too, since they say of what kind the file
 * is that has these. */
static void execute(struct node *n, struct change *change)
{
	struct attributes *a = attributes_own(n, &change->spare);
	struct local *local;

	if (!a->local)
		a->local = STEAL(change->local);
	local = a->local;
	free(local->xattrs);
	local->xattrs = STEAL(change->data);
	local->xattrs_size = change->size;
	local->stamp = 0;
	local->harmless = local->no_default_acl = false;
	local->bits &= ~(LOCAL_XATTRS | LOCAL_FAR);
	if (change->size)
		local->bits |= LOCAL_XATTRS;
	n->worktree->options.clock(&a->ctime);
	a->known |= LOCAL_ATTRIBUTES | LOCAL_TIMES;
	node_mark_attributes(n);
}

/* value: NULL removes. */
static int change_locked(struct node *n, const char *name, const void *value,
			 size_t size, int flags)
{
	scoped(change_release) struct change change = { 0 };
	int r = worktree_check_writable(n->worktree);

	if (r == 0)
		r = check_name(name);
	if (r == 0)
		r = prepare(n, name, value, size, flags, &change);
	if (r == 0)
		execute(n, &change);
	return r;
}

int node_set_xattr(struct node *n, const char *name, const void *value,
		   size_t size, int flags)
{
	SCOPED_WRITE(&n->worktree->lock);

	if (size > XATTR_VALUE_MOST)
		return -E2BIG;
	return change_locked(n, name, size ? value : "", size, flags);
}

int node_remove_xattr(struct node *n, const char *name)
{
	SCOPED_WRITE(&n->worktree->lock);

	return change_locked(n, name, NULL, 0, 0);
}

/* ---- access control lists ---- */

static struct attributes get_attributes(struct node *n)
{
	SCOPED_LOCK(&n->worktree->state);

	return node_attributes(n);
}

/* The lock is held at least shared; *ret_acl is of block, or of size 0. */
static int find_acl(struct node *n, const char *name, struct block *block,
		    struct xattr *ret_acl)
{
	int r = get_block(n, facts(n), block);

	*ret_acl = (struct xattr){ 0 };
	if (r == 0 && xattrs_find(block->data, block->size, name, ret_acl) &&
	    !acl_is_valid(ret_acl->value, ret_acl->size))
		r = -EIO;
	return r;
}

ssize_t node_get_acl(struct node *n, const char *name, void *value, size_t size)
{
	SCOPED_READ(&n->worktree->lock);
	scoped_block struct block block = { 0 };
	struct xattr x;
	int r = find_acl(n, name, &block, &x);

	if (r < 0)
		return r;
	if (!x.size)
		return -ENODATA;
	if (size && x.size > size)
		return -ERANGE;
	if (!size)
		return x.size;
	memcpy(value, x.value, x.size);
	if (strcmp(name, ACL_ACCESS) == 0)
		acl_set_mode(value, x.size, get_attributes(n).permissions);
	return x.size;
}

int node_set_acl(struct node *n, const void *acl, size_t size,
		 const struct rights *rights)
{
	int r = node_open_for_mode(n);

	if (r < 0)
		return r;
	SCOPED_WRITE(&n->worktree->lock);
	scoped_free struct attributes *spare = NULL;
	const struct attributes a = get_attributes(n);
	struct stat st = {
		.st_mode = (a.permissions & 07000) | acl_mode(acl, size),
	};

	if (rights->uid && !rights_have_group(rights, a.gid))
		st.st_mode &= ~(mode_t)S_ISGID;
	r = attributes_reserve(n, &spare);
	if (r == 0)
		r = change_locked(n, ACL_ACCESS,
				  acl_is_mode(acl, size) ? NULL : acl, size, 0);
	/* there was none to take away */
	if (r < 0 && r != -ENODATA)
		return r;
	node_change_attributes_locked(n, &st, NODE_SET_MODE, &spare);
	return 0;
}

mode_t node_least_mode(struct node *n, const struct stat *st)
{
	SCOPED_READ(&n->worktree->lock);
	scoped_block struct block block = { 0 };
	struct xattr x;

	if (find_acl(n, ACL_ACCESS, &block, &x) < 0)
		return st->st_mode & ~(mode_t)077;
	return x.size ? acl_least_mode(x.value, x.size, st->st_mode) :
			st->st_mode;
}

int node_check_access_locked(struct node *n, const struct stat *st,
			     const struct rights *rights, mode_t wanted)
{
	scoped_block struct block block = { 0 };
	struct xattr x;
	int r = find_acl(n, ACL_ACCESS, &block, &x);

	if (r < 0)
		return r;
	return acl_allows(x.value, x.size, st, rights, wanted) ? 0 : -EACCES;
}

static int add_acl(struct local *local, const char *name, const struct xattr *x)
{
	char *data;
	size_t size;
	int r = xattrs_set(local->xattrs ?: "", local->xattrs_size, name,
			   x->value, x->size, &data, &size);

	if (r < 0)
		return r;
	free(local->xattrs);
	local->xattrs = data;
	local->xattrs_size = size;
	local->bits |= LOCAL_XATTRS;
	return 0;
}

/* They may be far, and many. */
static int find_default_acl_locked(struct node *dir, struct block *block,
				   struct xattr *ret)
{
	struct local *local = facts(dir);
	int r;

	*ret = (struct xattr){ 0 };
	if (!local || local->no_default_acl)
		return 0;
	r = find_acl(dir, ACL_DEFAULT, block, ret);
	local->no_default_acl = r == 0 && !ret->size;
	return r;
}

int node_inherit_locked(struct node *n, struct node *dir,
			const struct caller *caller, mode_t *mode)
{
	struct attributes *a = n->attributes;
	scoped_block struct block block = { 0 };
	struct xattr x;
	int r;

	if (S_ISLNK(*mode))
		return 0;
	r = find_default_acl_locked(dir, &block, &x);
	if (r < 0)
		return r;
	*mode &= ~(x.size ? 0777 & ~acl_mode(x.value, x.size) : caller->umask);
	if (n->kind == KIND_FILE)
		n->executable = !!(*mode & 0100);
	if (!x.size || (acl_is_mode(x.value, x.size) && !S_ISDIR(*mode)))
		return 0;
	if (!a->local)
		a->local = local_new();
	if (!a->local)
		return -ENOMEM;
	if (!acl_is_mode(x.value, x.size))
		r = add_acl(a->local, ACL_ACCESS, &x);
	if (r == 0 && S_ISDIR(*mode))
		r = add_acl(a->local, ACL_DEFAULT, &x);
	return r;
}

/* ---- capabilities ---- */

bool node_may_have_capability(struct node *n)
{
	SCOPED_READ(&n->worktree->lock);
	const struct local *local = n->kind == KIND_FILE ? facts(n) : NULL;
	struct xattr x;

	if (!local || !(local->bits & LOCAL_XATTRS))
		return false;
	if (local->bits & LOCAL_FAR)
		return !local->harmless;
	return xattrs_find(local->xattrs, local->xattrs_size, XATTR_CAPABILITY,
			   &x);
}

int node_drop_capability(struct node *n)
{
	SCOPED_WRITE(&n->worktree->lock);
	int r = change_locked(n, XATTR_CAPABILITY, NULL, 0, 0);

	if (r != -ENODATA && r != -EIO)
		return r;
	/* the next write need not read them again to know that */
	if (n->attributes && n->attributes->local)
		n->attributes->local->harmless = true;
	return 0;
}
