/* SPDX-License-Identifier: ISC */
#include "store/node_nameless.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int nameless_prepare(struct worktree *w, mode_t mode, struct node **ret)
{
	struct contents *contents;
	int r = overlay_new(w->options.pool, &contents);

	if (r < 0)
		return r;
	r = node_prepare(w, S_IFREG | (mode & 07777), &contents, ret);
	if (r < 0)
		contents_unref(contents);
	return r;
}

void nameless_begin_locked(struct node *n, struct node *dir, mode_t mode,
			   const struct caller *caller, char *last_name)
{
	struct local *local = n->attributes->local;

	n->parent = dir;
	dir->refs++;
	n->number = directory_new_number(dir->directory, last_name);
	n->removed = n->unlinked = 1;
	n->last_name = last_name;
	*n->attributes = node_new_attributes(dir, mode, caller);
	n->attributes->local = local;
	dir->worktree->refs++;
}

void nameless_end_locked(struct node *n, struct node *dir,
			 struct newcomer *newcomer)
{
	struct entry *e;

	free(n->last_name);
	n->next = n->previous = NULL;
	n->removed = n->unlinked = 0;
	e = newcomer_put_locked(newcomer, dir);
	e->number = n->number;
	node_place_locked(n, dir, e);
	node_mark(n, true);
}

/* ---- O_TMPFILE ---- */

static int begin_locked(struct node *dir, mode_t mode,
			const struct caller *caller, struct node *n)
{
	scoped_free struct attributes *spare = NULL;
	scoped_free char *last_name = strdup("(no name)");
	int r = last_name ? node_open_for_change_locked(dir, 0, &spare) :
			    -ENOMEM;

	if (r == 0)
		r = node_inherit_locked(n, dir, caller, &mode);
	if (r < 0)
		return r;
	nameless_begin_locked(n, dir, mode, caller, STEAL(last_name));
	n->nameless = 1;
	return 0;
}

int node_make_nameless(struct node *dir, mode_t mode,
		       const struct caller *caller, struct node **ret)
{
	struct worktree *w = dir->worktree;
	struct node *n;
	int r = nameless_prepare(w, mode, &n);

	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&w->lock);
	r = begin_locked(dir, mode & 07777, caller, n);
	pthread_rwlock_unlock(&w->lock);
	if (r < 0)
		node_discard(n);
	else
		*ret = n;
	return r;
}

static int prepare_locked(struct node *n, struct node *dir, const char *name,
			  struct newcomer *newcomer)
{
	int own = 0, r = 0;

	if (directory_find_live(dir->directory, name))
		return -EEXIST;
	if (n->parent != dir || node_is_typed(dir))
		r = node_displace_locked(n);
	if (r == 0)
		own = node_is_own_name_locked(dir, name);
	if (own < 0)
		return own;
	if (r == 0)
		r = newcomer_init_locked(newcomer, dir, name, false);
	if (r == 0)
		n->own = own;
	return r;
}

int nameless_link_locked(struct node *n, struct node *dir, const char *name)
{
	scoped_free struct attributes *spare = NULL;
	scoped(newcomer_release) struct newcomer newcomer = { 0 };
	struct timespec now;
	int r = node_open_for_change_locked(dir, 1, &spare);

	if (r == 0)
		r = prepare_locked(n, dir, name, &newcomer);
	if (r < 0)
		return r;
	dir->worktree->options.clock(&now);
	n->nameless = 0;
	nameless_end_locked(n, dir, &newcomer);
	/* its attributes are its own since it was made */
	n->attributes->ctime = now;
	attributes_touch(dir, &spare, &now);
	if (n->rules)
		node_rules_changed(dir, n->rules);
	return 0;
}
