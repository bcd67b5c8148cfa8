/* SPDX-License-Identifier: ISC */
#include "store/node_nameless.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Elements of queues that are being made: nodes without an entry, like unlinked
 * ones, which are in no capture and in no listing until they are pushed; or, once
 * they were synced, files on the shelf. */

static int open_queue_locked(struct node *dir, const char *name,
			     struct attributes **spare)
{
	int r = node_open_for_change_locked(dir, 1, spare);

	if (r < 0)
		return r;
	if (!node_is_typed(dir))
		return -ENOTSUP;
	return directory_find_live(dir->directory, name) ? -EEXIST : 0;
}

static int insert_locked(struct node *dir, const char *name, mode_t mode,
			 const struct caller *caller, struct node *n)
{
	scoped_free struct attributes *spare = NULL;
	scoped(newcomer_release) struct newcomer newcomer = { 0 };
	int r = open_queue_locked(dir, name, &spare);

	if (r == 0)
		r = node_inherit_locked(n, dir, caller, &mode);
	/* what could not be pushed is not begun */
	if (r == 0)
		r = newcomer_init_locked(&newcomer, dir, name, false);
	if (r < 0)
		return r;
	nameless_begin_locked(n, dir, mode, caller, STEAL(newcomer.name));
	n->pending = 1;
	dir->directory->places->pending++;
	return 0;
}

int node_make_pending(struct node *dir, const char *name, mode_t mode,
		      const struct caller *caller, struct node **ret)
{
	struct worktree *w = dir->worktree;
	struct node *n;
	int r = node_check_new_name(name);

	if (r == 0)
		r = nameless_prepare(w, mode, &n);
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&w->lock);
	r = insert_locked(dir, name, mode, caller, n);
	pthread_rwlock_unlock(&w->lock);
	if (r < 0)
		node_discard(n);
	else
		*ret = n;
	return r;
}

int node_keep_pending(struct node *n, struct node *dir)
{
	SCOPED_WRITE(&n->worktree->lock);

	return n->pending && n->unlinked ? shelf_put_locked(n, dir) : 0;
}

int node_rename_pending(struct node *n, struct node *dir, const char *name)
{
	SCOPED_WRITE(&n->worktree->lock);
	size_t max = dir->directory->places->type->name_max;
	int r = node_check_new_name(name);
	char *copy;

	if (r < 0)
		return r;
	if (!n->pending)
		return -ENOENT;
	/* or it could not be pushed when it is closed, and was lost */
	if (strlen(name) > max)
		return -ENAMETOOLONG;
	if (!n->unlinked)
		return shelf_rename_locked(n, name, max);
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	free(n->last_name);
	n->last_name = copy;
	return 0;
}

static void end_locked(struct node *n, struct node *dir)
{
	if (n->pending)
		dir->directory->places->pending--;
	n->pending = 0;
}

void node_end_pending(struct node *n, struct node *dir)
{
	SCOPED_WRITE(&n->worktree->lock);

	end_locked(n, dir);
}

int node_cancel_pending(struct node *n, struct node *dir)
{
	SCOPED_WRITE(&n->worktree->lock);
	int r = n->pending && !n->unlinked ? shelf_drop_locked(n) : 0;

	if (r == 0)
		end_locked(n, dir);
	return r;
}

static int push_locked(struct node *n, char **ret_name)
{
	struct node *dir = n->parent;
	scoped_free struct attributes *spare = NULL;
	scoped(newcomer_release) struct newcomer newcomer = { 0 };
	struct timespec now;
	int r = node_open_for_change_locked(dir, 1, &spare);

	if (r == 0)
		r = newcomer_init_locked(&newcomer, dir, n->last_name, true);
	if (r == 0) {
		*ret_name = strdup(newcomer.name);
		r = *ret_name ? 0 : -ENOMEM;
	}
	if (r < 0)
		return r;
	dir->worktree->options.clock(&now);
	n->pending = 0;
	dir->directory->places->pending--;
	nameless_end_locked(n, dir, &newcomer);
	attributes_touch(dir, &spare, &now);
	return 0;
}

/* 1: it is on the shelf, as *ret_name in *ret_folder, and the caller's. */
static int begin_push(struct node *n, struct node *dir, char **ret_name,
		      struct node **ret_folder)
{
	SCOPED_WRITE(&n->worktree->lock);

	if (!n->pending)
		return 0;
	if (n->unlinked)
		return push_locked(n, ret_name);
	*ret_name = strdup(node_entry(n)->name);
	if (!*ret_name)
		return -ENOMEM;
	*ret_folder = node_ref(n->parent);
	end_locked(n, dir);
	return 1;
}

static void undo_push(struct node *n, struct node *dir)
{
	SCOPED_WRITE(&n->worktree->lock);

	n->pending = 1;
	dir->directory->places->pending++;
}

int node_push_pending(struct node *n, struct node *dir, char **ret_name)
{
	scoped_free char *name = NULL;
	struct node *folder;
	char *other;
	int r;

	*ret_name = NULL;
	r = begin_push(n, dir, &name, &folder);
	if (r < 1) {
		*ret_name = STEAL(name);
		return r;
	}
	r = node_rename_named(folder, name, dir, name, 0, &other);
	if (r < 0) {
		undo_push(n, dir);
	} else {
		*ret_name = other ? other : STEAL(name);
		shelf_tidy(folder);
	}
	node_unref(folder);
	return r;
}

bool node_is_pending(struct node *n)
{
	SCOPED_READ(&n->worktree->lock);

	return n->pending;
}

/* ---- claiming ---- */

static void stat_owner(struct node *n, struct stat *ret)
{
	SCOPED_LOCK(&n->worktree->state);
	struct attributes a = node_attributes(n);

	*ret = (struct stat){
		.st_mode = a.permissions, .st_uid = a.uid, .st_gid = a.gid,
	};
}

/* What unlink needs: w and x of the directory; in a sticky one, one's own. */
static int check_rights_locked(struct node *dir, struct node *n,
			       const struct rights *rights)
{
	struct stat d, e;
	int r;

	if (rights->uid == 0)
		return 0;
	stat_owner(dir, &d);
	stat_owner(n, &e);
	r = node_check_access_locked(dir, &d, rights, 3);
	return r == 0 && (d.st_mode & S_ISVTX) && rights->uid != d.st_uid &&
	       rights->uid != e.st_uid ? -EPERM : r;
}

static int claim_locked(struct node *n, uint64_t queue,
			const struct rights *rights, struct node **ret_dir,
			char **ret_name)
{
	struct node *dir = n->parent;
	scoped_free struct attributes *spare = NULL;
	scoped(leaving_release_locked) struct leaving leaving = { 0 };
	struct timespec now;
	struct entry *e;
	int r;

	if (!dir || n->removed || n->pending || dir->number != queue)
		return -ENOENT;
	if (!node_is_typed(dir))
		return -ENOTSUP;
	r = node_open_for_change_locked(dir, 1, &spare);
	if (r == 0 && rights)
		r = check_rights_locked(dir, n, rights);
	if (r < 0)
		return r;
	e = node_entry(n);
	r = leaving_init_locked(&leaving, dir, e);
	if (r == 0)
		r = leaving_check_locked(&leaving, e);
	if (r < 0)
		return r;
	*ret_name = strdup(leaving.name);
	if (!*ret_name)
		return -ENOMEM;
	dir->worktree->options.clock(&now);
	directory_remove(dir->directory, e, true);
	leaving_done_locked(&leaving, &now);
	attributes_touch(dir, &spare, &now);
	node_mark(dir, true);
	*ret_dir = node_ref(dir);
	return 0;
}

int node_claim(struct node *n, uint64_t queue, const struct rights *rights,
	       struct node **ret_dir, char **ret_name)
{
	SCOPED_WRITE(&n->worktree->lock);

	return claim_locked(n, queue, rights, ret_dir, ret_name);
}

/* ---- the head ---- */

struct entry *node_first_entry_locked(struct node *dir)
{
	struct directory *d = dir->directory;

	places_sort_foreign(d);
	places_skip_holes(d);
	for (uint32_t i = d->places->first; i < d->count; i++) {
		struct entry *e = &d->entries[i];

		if (e->live && node_type_of(e->mode) != S_IFDIR &&
		    strcmp(e->name, CONTROL_NAME) != 0)
			return e;
	}
	return NULL;
}

static int load_first_locked(struct node *dir, struct node **ret,
			     char **ret_name)
{
	struct entry *e;
	int r = node_open_directory_locked(dir);

	if (r < 0)
		return r;
	if (!node_is_typed(dir))
		return -ENOTSUP;
	e = node_first_entry_locked(dir);
	if (!e)
		return -ENOENT;
	*ret_name = strdup(e->name);
	r = *ret_name ? node_load_locked(dir, e, ret) : -ENOMEM;
	if (r == 0)
		dir->worktree->refs++;
	return r;
}

int node_first(struct node *dir, struct node **ret, char **ret_name)
{
	SCOPED_WRITE(&dir->worktree->lock);
	int r = load_first_locked(dir, ret, ret_name);

	if (r < 0) {
		free(*ret_name);
		*ret_name = NULL;
	}
	return r;
}
