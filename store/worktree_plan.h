/* SPDX-License-Identifier: ISC */
#ifndef STORE_WORKTREE_PLAN_H
#define STORE_WORKTREE_PLAN_H

#include "store/node.h"

/* What applying a delta will do to a work tree, name by name, with everything
 * loaded and allocated that it takes: carrying it out cannot fail. */

enum step_kind {
	STEP_PUT,		/* the name becomes an object */
	STEP_REMOVE,
	STEP_VANISH,		/* it goes with the directory it is in */
};

struct step {
	enum step_kind kind;
	struct node *dir;		/* the plan's touched has a reference */
	char *name;			/* owned; used up by plan_execute */
	char *place;			/* the same; NULL: it has none or keeps it */
	uint32_t mode;
	struct oid oid;
	bool unstored;			/* Git does not have it: it is empty */
	struct node *fresh;		/* that keeps the owner, or NULL; owned */
};

struct touched {
	struct node *dir;		/* a reference from outside */
	bool gone;			/* removed with all below */
	bool aside;			/* its tree is not concerned */
	struct oid oid;			/* its tree afterwards */
	size_t changes;			/* steps that PUT or REMOVE in it */
	struct attributes *spare;
};

struct plan {
	struct worktree *worktree;
	struct step *steps;
	size_t step_count, step_capacity;
	struct touched *touched;	/* directories above those below */
	size_t touched_count, touched_capacity;
	struct node **linked;		/* files that lose one of several names;
					 * references from outside */
	size_t linked_count, linked_capacity;
	struct buffer path;		/* of what is looked at: on -EAGAIN */
	struct oid tree;		/* of the root afterwards */
	bool attributes;		/* .gitattributes files change */
};

/* Fills a zeroed plan.  -EAGAIN: what would be replaced is CHANGED; plan->path
 * names it; errors of tree_read. */
int plan_make_locked(struct plan *plan, struct worktree *w,
		     const struct delta *delta);

/* Whether both concern the same names of the same directories. */
bool plan_is_same(const struct plan *a, const struct plan *b);

/* -ENOMEM, -ENOSPC. */
int plan_reserve_locked(struct plan *plan);
void plan_execute_locked(struct plan *plan);

/* No lock may be held. */
void plan_release(struct plan *plan);

/* ---- worktree_plan_places.c ---- */

/* dir, of a type and loaded, follows a delta of its stored folders, or becomes
 * the tree oid (delta NULL). */
int plan_follow_places(struct plan *plan, struct node *dir,
		       const struct delta *delta, const struct oid *oid);

/* ---- worktree_plan_empty.c ---- */

/* Adds the directories that new lines of .gitattributes name. */
int plan_add_empty(struct plan *plan);

/* ---- pieces of plans, for these ---- */

/* An array with room for one more; NULL: no memory. */
void *plan_grow(void *array, size_t count, size_t *capacity, size_t size);

/* Notes that dir changes; *ret_at names it from then on. */
int plan_touch(struct plan *plan, struct node *dir, const struct oid *oid,
	       bool gone, size_t *ret_at);

/* Steps for a live entry that goes, if Git has it.  -EAGAIN: it is CHANGED. */
int plan_remove_entry(struct plan *plan, size_t at, struct entry *e);
/* e: what is live under the name, or NULL; place: where it is to be stored, NULL
 * in a plain directory or where e is. */
int plan_put_entry(struct plan *plan, size_t at, const struct entry *e,
		   const char *name, const char *place, uint32_t mode,
		   const struct oid *oid);

/* Whether e is stored as that. */
bool plan_is_same_entry(const struct entry *e, const struct tree_entry *wanted);
const struct oid *plan_oid_of(const struct delta_entry *entry);

#endif
