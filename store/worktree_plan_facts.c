/* SPDX-License-Identifier: ISC */
#include "store/worktree_plan.h"

#include <errno.h>
#include <stdlib.h>

/* What entries that a plan makes or changes have besides Git's objects. */

/* As far as Git's mode does not tell otherwise. */
static void keep_permissions(mode_t *permissions, uint32_t mode)
{
	*permissions &= 0777;
	if (mode_is_executable(mode) && !(*permissions & 0100))
		*permissions |= (*permissions & 0444) >> 2;
	if (mode_is_executable(mode))
		*permissions |= 0100;
	else if (mode_is_file(mode))
		*permissions &= ~0111;
}

/* A file that replaces one with attributes of its own keeps the owner and the
 * permissions. */
static int carry_over(const struct entry *e, uint32_t mode,
		      struct attributes **ret)
{
	const struct attributes *old = !e ? NULL : e->node ?
				       node_target(e->node)->attributes :
				       e->attributes;
	struct attributes *a;

	if (!old || node_type_of(e->mode) == S_IFDIR ||
	    node_kind_of(mode) != node_kind_of(e->mode))
		return 0;
	a = malloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	*a = *old;
	a->known |= LOCAL_TIMES;
	if (old->local) {
		a->local = local_copy(old->local);
		if (!a->local) {
			free(a);
			return -ENOMEM;
		}
		a->local->bits &= LOCAL_XATTRS | LOCAL_FAR;
	}
	keep_permissions(&a->permissions, mode);
	*ret = a;
	return 0;
}

int plan_make_attributes(struct plan *plan, const struct entry *e,
			 const struct plan_facts *facts, struct step *step)
{
	struct worktree *w = plan->worktree;
	int r;

	if (!facts || !facts->local) {
		step->touched = true;
		return carry_over(e, step->mode, &step->attributes);
	}
	step->touched = facts->merged & DELTA_TOUCHED;
	if (facts->local->bits & LOCAL_BELOW) {
		r = worktree_epoch_locked(w, &facts->local->below);
		if (r < 0)
			return r;
		step->epoch = r;
		step->dated = true;
	}
	return node_make_attributes(w, step->mode, step->epoch, facts->local,
				    &step->attributes);
}
