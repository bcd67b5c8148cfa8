/* SPDX-License-Identifier: ISC */
#include "store/node.h"

#include <errno.h>
#include <stdlib.h>

/* ---- life ---- */

static int make_root(struct worktree *w)
{
	struct node *n = node_new(w, MODE_TREE, 0);

	if (!n)
		return -ENOMEM;
	n->oid = w->options.tree;
	n->number = directory_mix(w->options.incarnation, 1);
	w->root = n;
	return 0;
}

int worktree_new(const struct worktree_options *options,
		 struct worktree **ret_worktree)
{
	struct worktree *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->options = *options;
	if (oid_is_zero(&w->options.tree))
		w->options.tree = oid_empty_tree;
	w->times = calloc(2, sizeof(*w->times));
	w->irmin = irmin_cache_new();
	if (!w->times || !w->irmin || make_root(w) < 0) {
		irmin_cache_free(w->irmin);
		free(w->times);
		free(w);
		return -ENOMEM;
	}
	w->times[0] = w->times[1] = options->time;
	w->time_count = 2;
	w->head_epoch = 1;
	r = worktree_load_root(w);
	if (r < 0) {
		node_discard(w->root);
		irmin_cache_free(w->irmin);
		free(w->times);
		free(w);
		return r;
	}
	w->refs = 1;
	w->refusal = options->readonly ? -EROFS : 0;
	w->rules = 1;
	/* what was ignored may be tracked from now on */
	if (options->track_ignored || options->rules_unsure)
		node_rules_changed(w->root, RULES_IGNORE);
	rwlock_init(&w->lock);
	pthread_mutex_init(&w->state, NULL);
	pthread_mutex_init(&w->appending, NULL);
	*ret_worktree = w;
	return 0;
}

/* Lets go all that only the tree itself keeps. */
static void forget(struct node *n)
{
	struct directory *d = node_is_directory(n) ? n->directory : NULL;

	n->refs++;
	for (uint32_t i = 0; d && i < d->count; i++)
		if (d->entries[i].node)
			forget(d->entries[i].node);
	node_unmark(n);
	if (n->flags & NODE_KEPT) {
		n->flags &= ~NODE_KEPT;
		node_put_locked(n);
	}
	node_put_locked(n);
}

static void release(struct worktree *w)
{
	worktree_forget_stale_locked(w);
	links_release(w);
	forget(w->root);
	node_put_locked(w->root);
	pthread_rwlock_destroy(&w->lock);
	pthread_mutex_destroy(&w->state);
	pthread_mutex_destroy(&w->appending);
	irmin_cache_free(w->irmin);
	worktree_forget_writers(w);
	free(w->times);
	free(w);
}

struct worktree *worktree_ref(struct worktree *w)
{
	w->refs++;
	return w;
}

void worktree_unref(struct worktree *w)
{
	if (w && --w->refs == 0)
		release(w);
}

/* ---- facts ---- */

struct node *worktree_root(struct worktree *w)
{
	return node_ref(w->root);
}

void worktree_refuse(struct worktree *w, int error)
{
	/* Who is changing something has finished when this returns. */
	SCOPED_WRITE(&w->lock);
	w->refusal = error ? error : w->options.readonly ? -EROFS : 0;
}

int worktree_check_writable(struct worktree *w)
{
	return w->refusal;
}

uint64_t worktree_changes(struct worktree *w)
{
	return w->changes;
}

bool worktree_is_changed(struct worktree *w, struct timespec *ret_since)
{
	SCOPED_READ(&w->lock);
	SCOPED_LOCK(&w->state);
	bool changed = w->root->flags & NODE_CHANGED;

	if (ret_since)
		*ret_since = changed ? w->changed_since : (struct timespec){ 0 };
	return changed;
}
