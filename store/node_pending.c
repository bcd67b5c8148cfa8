/* SPDX-License-Identifier: ISC */
#include "store/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Elements of queues that are being made: nodes without an entry, like unlinked
 * ones, which are in no capture and in no listing until they are pushed. */

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

	/* what could not be pushed is not begun */
	if (r == 0)
		r = newcomer_init_locked(&newcomer, dir, name, false);
	if (r < 0)
		return r;
	n->parent = dir;
	dir->refs++;
	n->number = directory_new_number(dir->directory, name);
	n->removed = n->unlinked = n->pending = 1;
	n->last_name = STEAL(newcomer.name);
	dir->directory->places->pending++;
	*n->attributes = node_new_attributes(dir, mode, caller);
	dir->worktree->refs++;
	return 0;
}

int node_make_pending(struct node *dir, const char *name, mode_t mode,
		      const struct caller *caller, struct node **ret)
{
	struct worktree *w = dir->worktree;
	struct contents *contents = NULL;
	struct node *n;
	int r = node_check_new_name(name);

	if (r == 0)
		r = overlay_new(w->options.pool, &contents);
	if (r == 0)
		r = node_prepare(w, S_IFREG | (mode & 07777), &contents, &n);
	if (r < 0) {
		contents_unref(contents);
		return r;
	}
	pthread_rwlock_wrlock(&w->lock);
	r = insert_locked(dir, name, mode, caller, n);
	pthread_rwlock_unlock(&w->lock);
	if (r < 0)
		node_discard(n);
	else
		*ret = n;
	return r;
}

int node_rename_pending(struct node *n, const char *name)
{
	SCOPED_WRITE(&n->worktree->lock);
	int r = node_check_new_name(name);
	char *copy;

	if (r < 0)
		return r;
	if (!n->pending)
		return -ENOENT;
	/* or it could not be pushed when it is closed, and was lost */
	if (strlen(name) > n->parent->directory->places->type->name_max)
		return -ENAMETOOLONG;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	free(n->last_name);
	n->last_name = copy;
	return 0;
}

void node_cancel_pending(struct node *n)
{
	SCOPED_WRITE(&n->worktree->lock);

	if (n->pending)
		n->parent->directory->places->pending--;
	n->pending = 0;
}

static int push_locked(struct node *n, char **ret_name)
{
	struct node *dir = n->parent;
	scoped_free struct attributes *spare = NULL;
	scoped(newcomer_release) struct newcomer newcomer = { 0 };
	struct timespec now;
	struct entry *e;
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
	free(n->last_name);
	n->next = n->previous = NULL;
	n->removed = n->unlinked = n->pending = 0;
	dir->directory->places->pending--;
	e = newcomer_put_locked(&newcomer, dir);
	e->number = n->number;
	node_place_locked(n, dir, e);
	attributes_touch(dir, &spare, &now);
	node_mark(n, true);
	return 0;
}

int node_push_pending(struct node *n, char **ret_name)
{
	SCOPED_WRITE(&n->worktree->lock);

	*ret_name = NULL;
	return n->pending ? push_locked(n, ret_name) : 0;
}

bool node_is_pending(struct node *n)
{
	SCOPED_READ(&n->worktree->lock);

	return n->pending;
}

/* ---- claiming ---- */

static bool is_in_group(const struct rights *rights, gid_t group)
{
	for (size_t i = 0; i < rights->count; i++)
		if (rights->groups[i] == group)
			return true;
	return rights->gid == group;
}

/* What unlink needs: w and x of the directory; in a sticky one, one's own. */
static int check_rights_locked(struct node *dir, struct node *n,
			       const struct rights *rights)
{
	SCOPED_LOCK(&dir->worktree->state);
	struct attributes d = node_attributes(dir), e = node_attributes(n);
	unsigned int shift = rights->uid == d.uid ? 6 :
			     is_in_group(rights, d.gid) ? 3 : 0;

	if (rights->uid == 0)
		return 0;
	if ((d.permissions >> shift & 3) != 3)
		return -EACCES;
	return (d.permissions & S_ISVTX) && rights->uid != d.uid &&
	       rights->uid != e.uid ? -EPERM : 0;
}

static int claim_locked(struct node *n, const struct rights *rights,
			struct node **ret_dir, char **ret_name)
{
	struct node *dir = n->parent;
	scoped_free struct attributes *spare = NULL;
	scoped(leaving_release_locked) struct leaving leaving = { 0 };
	struct timespec now;
	struct entry *e;
	int r;

	if (!dir || n->removed || !node_is_typed(dir))
		return n->removed ? -ENOENT : -ENOTSUP;
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

int node_claim(struct node *n, const struct rights *rights,
	       struct node **ret_dir, char **ret_name)
{
	SCOPED_WRITE(&n->worktree->lock);

	return claim_locked(n, rights, ret_dir, ret_name);
}

/* ---- the head ---- */

struct entry *node_first_entry_locked(struct node *dir)
{
	struct directory *d = dir->directory;

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
