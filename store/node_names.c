/* SPDX-License-Identifier: ISC */
#include "store/ignore.h"
#include "store/node.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

int node_check_new_name(const char *name)
{
	return strcmp(name, CONTROL_NAME) == 0 ? -EPERM : tree_check_name(name);
}

int node_check_name(const struct worktree *w, const char *name)
{
	return w->options.local && strcmp(name, GIT_NAME) == 0 ? 0 :
	       node_check_new_name(name);
}

/* ---- names of files that plain Git reads ---- */

bool node_has_git_name(const struct node *n)
{
	bool found = !n->unlinked && node_is_git_name(node_entry(n)->name);

	for (struct node *m = links_others(n); m && !found; m = m->next_name)
		found = node_is_git_name(node_entry(m)->name);
	return found;
}

int node_prepare_name_locked(struct node *n, const char *name)
{
	return n->kind == KIND_FILE && n->structured && node_is_git_name(name) ?
		node_open_contents_locked(n) : 0;
}

void node_named_locked(struct node *n, const char *name)
{
	/* what is being stored may become a rope */
	if (n->kind == KIND_FILE && node_is_git_name(name) &&
	    (n->structured || (n->flags & NODE_PENDING)))
		node_mark(n, true);
}

/* ---- changing ---- */

int node_open_for_change_locked(struct node *dir, size_t changes,
				struct attributes **spare)
{
	int r = worktree_check_writable(dir->worktree);

	if (r < 0)
		return r;
	if (dir->kind == KIND_SUBMODULE)
		return -EROFS;
	r = node_open_directory_locked(dir);
	if (r == 0)
		r = directory_reserve(dir->directory, changes);
	if (r == 0)
		r = attributes_reserve(dir, spare);
	return r;
}

/* ---- making ---- */

struct attributes node_new_attributes(const struct node *dir, mode_t mode,
				      const struct caller *caller)
{
	struct attributes above = node_attributes(dir);
	struct attributes a = {
		.uid = caller->uid, .gid = caller->gid,
		.permissions = mode & 07777,
		.known = LOCAL_ATTRIBUTES | LOCAL_TIMES,
	};

	if (above.permissions & S_ISGID) {
		a.gid = above.gid;
		if (S_ISDIR(mode))
			a.permissions |= S_ISGID;
	}
	dir->worktree->options.clock(&a.mtime);
	a.atime = a.ctime = a.mtime;
	return a;
}

static uint32_t git_mode_of(mode_t mode)
{
	return S_ISDIR(mode) ? MODE_TREE :
	       S_ISLNK(mode) ? MODE_SYMLINK :
	       mode_is_special(mode) ? mode & S_IFMT :
	       mode & 0100   ? MODE_EXECUTABLE : MODE_FILE;
}

static void cleanup_nodep(struct node **n)
{
	node_discard(*n);
}

int node_prepare(struct worktree *w, mode_t mode, struct contents **contents,
		 struct node **ret)
{
	scoped(cleanup_nodep) struct node *n = node_new(w, git_mode_of(mode), 0);

	if (!n)
		return -ENOMEM;
	n->attributes = calloc(1, sizeof(*n->attributes));
	if (!n->attributes)
		return -ENOMEM;
	if (node_is_directory(n)) {
		n->oid = oid_empty_tree;
		n->directory = node_new_directory(w, 0);
		if (!n->directory)
			return -ENOMEM;
	} else if (node_has_contents(n)) {
		n->contents = STEAL(*contents);
	}
	*ret = STEAL(n);
	return 0;
}

/* A new directory that the attributes give a type. */
static int set_type_locked(struct node *dir, const char *name, struct node *n)
{
	const struct directory_type *type;
	int r = node_directory_type(dir, name, &type);

	return r == 0 && type ? places_new(n->directory, type) : r;
}

static int check_insert_locked(struct node *dir, const char *name, mode_t mode,
			       struct node *n)
{
	if (directory_find_live(dir->directory, name))
		return -EEXIST;
	/* elements of a queue are files */
	if (node_is_typed(dir) && (S_ISDIR(mode) || mode_is_special(mode)))
		return -EPERM;
	if (!S_ISDIR(mode))
		return 0;
	if (node_depth(dir) >= TREE_DEPTH_MAX)
		return -ENAMETOOLONG;
	return set_type_locked(dir, name, n);
}

static int insert_locked(struct node *dir, const char *name, mode_t mode,
			 const struct caller *caller, struct node *n)
{
	scoped_free struct attributes *spare = NULL;
	scoped(newcomer_release) struct newcomer newcomer = { 0 };
	struct local *local;
	struct entry *e;
	int r = node_open_for_change_locked(dir, 1, &spare);

	if (r == 0)
		r = check_insert_locked(dir, name, mode, n);
	if (r == 0)
		r = node_inherit_locked(n, dir, caller, &mode);
	if (r == 0)
		r = newcomer_init_locked(&newcomer, dir, name, false);
	if (r < 0)
		return r;
	r = S_ISREG(mode) || S_ISLNK(mode) ?
		    node_is_own_name_locked(dir, name) : 0;
	if (r < 0)
		return r;
	n->own = r;
	e = newcomer_put_locked(&newcomer, dir);
	node_place_locked(n, dir, e);
	if (node_is_directory(n))
		n->directory->number = n->number;
	local = n->attributes->local;
	*n->attributes = node_new_attributes(dir, mode, caller);
	n->attributes->local = local;
	attributes_touch(dir, &spare, &n->attributes->mtime);
	node_mark(n, !node_is_special(n));
	if (n->rules)
		node_rules_changed(dir, n->rules);
	return 0;
}

/* Takes over n, of no place yet. */
static int insert(struct node *dir, const char *name, mode_t mode,
		  const struct caller *caller, struct node *n,
		  struct node **ret)
{
	struct worktree *w = dir->worktree;
	int r;

	pthread_rwlock_wrlock(&w->lock);
	r = insert_locked(dir, name, mode, caller, n);
	if (r == 0)
		w->refs++;		/* n's first reference goes outside */
	pthread_rwlock_unlock(&w->lock);
	if (r < 0)
		node_discard(n);
	else
		*ret = n;
	return r;
}

static int make(struct node *dir, const char *name, mode_t mode,
		const struct caller *caller, struct contents *contents,
		struct node **ret)
{
	struct node *n;
	int r = node_prepare(dir->worktree, mode, &contents, &n);

	if (r < 0) {
		contents_unref(contents);
		return r;
	}
	return insert(dir, name, mode, caller, n, ret);
}

int node_make(struct node *dir, const char *name, mode_t mode,
	      const struct caller *caller, struct node **ret)
{
	struct contents *contents = NULL;
	int r = node_check_name(dir->worktree, name);

	if (r < 0)
		return r;
	if (!S_ISREG(mode) && !S_ISDIR(mode))
		return -EPERM;
	if (S_ISREG(mode))
		r = overlay_new(dir->worktree->options.pool, &contents);
	return r < 0 ? r : make(dir, name, mode, caller, contents, ret);
}

static int set_device(struct node *n, dev_t device)
{
	n->attributes->local = local_new();
	if (!n->attributes->local)
		return -ENOMEM;
	n->attributes->local->device = device;
	n->attributes->local->bits = LOCAL_DEVICE;
	return 0;
}

int node_make_special(struct node *dir, const char *name, mode_t mode,
		      dev_t device, const struct caller *caller,
		      struct node **ret)
{
	struct contents *none = NULL;
	struct node *n;
	int r = node_check_new_name(name);

	if (r == 0 && (!mode_is_special(mode) || device > UINT32_MAX))
		r = -EINVAL;
	if (r == 0)
		r = node_prepare(dir->worktree, mode, &none, &n);
	if (r < 0)
		return r;
	if (S_ISCHR(mode) || S_ISBLK(mode))
		r = set_device(n, device);
	if (r < 0) {
		node_discard(n);
		return r;
	}
	return insert(dir, name, mode, caller, n, ret);
}

int node_symlink(struct node *dir, const char *name, const char *target,
		 const struct caller *caller, struct node **ret)
{
	struct contents *contents;
	ssize_t r = node_check_name(dir->worktree, name) ?:
		    tree_check_symlink(name);

	if (r < 0)
		return r;
	if (!*target)
		return -ENOENT;
	if (strlen(target) >= PATH_MAX)
		return -ENAMETOOLONG;
	r = overlay_new(dir->worktree->options.pool, &contents);
	if (r < 0)
		return r;
	r = contents_write(contents, target, strlen(target), 0);
	if (r < 0) {
		contents_unref(contents);
		return r;
	}
	return make(dir, name, S_IFLNK | 0777, caller, contents, ret);
}

/* ---- removing ---- */

void leaving_release_locked(struct leaving *leaving)
{
	if (leaving->node)
		node_put_locked(leaving->node);
	free(leaving->name);
	free(leaving->spare);
}

static int check_empty_locked(struct node *n)
{
	int r;

	if (n->kind == KIND_SUBMODULE)
		return 0;
	r = node_open_directory_locked(n);
	if (r < 0)
		return r;
	if (node_is_typed(n) && (n->directory->places->pending ||
				 n->directory->places->hidden))
		return -ENOTEMPTY;
	return directory_is_empty(n->directory) ? 0 : -ENOTEMPTY;
}

int leaving_init_locked(struct leaving *leaving, struct node *dir,
			struct entry *e)
{
	int r = node_load_locked(dir, e, &leaving->node);

	leaving->at = e->node;
	return r < 0 ? r : attributes_reserve(leaving->node, &leaving->spare);
}

int leaving_check_locked(struct leaving *leaving, const struct entry *e)
{
	int r = node_type(leaving->node) == S_IFDIR ?
			check_empty_locked(leaving->node) : 0;

	if (r < 0)
		return r;
	leaving->name = strdup(e->name);
	return leaving->name ? 0 : -ENOMEM;
}

void leaving_done_locked(struct leaving *leaving, const struct timespec *now)
{
	attributes_touch_inode(leaving->node, &leaving->spare, now);
	node_detach_locked(leaving->at, STEAL(leaving->name));
}

/* A queue that is known by a line of its own takes the line with it. */
static int forget_type_locked(struct node *n, struct attribute_edit *edit)
{
	scoped_free char *path = NULL;

	if (!node_is_typed(n))
		return 0;
	path = node_make_path(n);
	return path ? attribute_edit_remove_locked(edit, n->worktree, path) :
		      -ENOMEM;
}

static int remove_name(struct node *dir, const char *name, bool directory)
{
	scoped_free struct attributes *spare = NULL;
	SCOPED_WRITE(&dir->worktree->lock);
	scoped(leaving_release_locked) struct leaving leaving = { 0 };
	scoped(attribute_edit_release_locked) struct attribute_edit edit = { 0 };
	struct timespec now;
	struct entry *e;
	int r = directory ? attribute_edit_reserve_locked(dir->worktree) : 0;

	if (r == 0)
		r = node_open_for_change_locked(dir, CHANGES_WITH_EDIT, &spare);

	if (r < 0)
		return r;
	e = directory_find_live(dir->directory, name);
	if (!e || strcmp(name, CONTROL_NAME) == 0)
		return -ENOENT;
	if ((node_type_of(e->mode) == S_IFDIR) != directory)
		return directory ? -ENOTDIR : -EISDIR;
	r = leaving_init_locked(&leaving, dir, e);
	if (r == 0)
		r = leaving_check_locked(&leaving, e);
	if (r == 0 && directory)
		r = forget_type_locked(leaving.node, &edit);
	if (r < 0)
		return r;
	dir->worktree->options.clock(&now);
	directory_remove(dir->directory, e, true);
	leaving_done_locked(&leaving, &now);
	attributes_touch(dir, &spare, &now);
	node_mark(dir, true);
	node_rules_changed(dir, node_rules_of_name(name));
	attribute_edit_execute_locked(&edit, dir->worktree, &now);
	return 0;
}

int node_unlink(struct node *dir, const char *name)
{
	return remove_name(dir, name, false);
}

int node_rmdir(struct node *dir, const char *name)
{
	return remove_name(dir, name, true);
}
