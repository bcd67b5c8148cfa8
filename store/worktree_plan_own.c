/* SPDX-License-Identifier: ISC */
#include "store/worktree_plan.h"

#include <errno.h>

/* What Git does not have must not be lost to what it brings. */

/* 1: the directory has, at any depth, a file that Git does not have. */
static int has_own_file(struct node *dir, struct entry *e)
{
	struct directory *d;
	struct node *n;
	int r;

	if (e->mode != MODE_TREE)
		return e->own;
	if (!e->node && !node_entry_has_own(e))
		return 0;
	r = node_load_locked(dir, e, &n);
	if (r < 0)
		return r;
	r = node_open_directory_locked(n);
	d = r == 0 ? n->directory : NULL;
	for (uint32_t i = 0; d && i < d->count && r == 0; i++)
		if (d->entries[i].live)
			r = has_own_file(n, &d->entries[i]);
	node_put_locked(n);
	return r;
}

/* The same bytes may be taken over. */
int plan_check_own(struct plan *plan, size_t at, struct entry *e,
		   const struct tree_entry *wanted)
{
	bool both_directories = e && e->mode == MODE_TREE &&
				wanted->mode == MODE_TREE;
	int r;

	if (!e || !e->live || both_directories ||
	    (e->own && plan_is_same_entry(e, wanted)))
		return 0;
	r = has_own_file(plan->touched[at].dir, e);
	return r == 1 ? -ENOTEMPTY : r;
}
