/* SPDX-License-Identifier: ISC */
#ifndef STORE_WORKTREE_PLAN_H
#define STORE_WORKTREE_PLAN_H

#include "store/node.h"

/* What applying a delta will do to a work tree, name by name, with everything
 * loaded and allocated that it takes: carrying it out cannot fail. */

enum step_kind {
	STEP_PUT,		/* the name becomes an object */
	STEP_REMOVE,
	STEP_FACTS,		/* what the name is gets other attributes */
	STEP_VANISH,		/* it goes with the directory it is in */
};

/* What is known, besides Git's object, of what becomes of a name: as the members
 * of struct delta_entry. */
struct plan_facts {
	const struct local *local;
	unsigned int merged;
};

struct step {
	enum step_kind kind;
	struct node *dir;		/* the plan's touched has a reference */
	char *name;			/* owned; used up by carrying it out */
	char *place;			/* the same; NULL: it has none or keeps it */
	uint32_t mode;
	struct oid oid;
	bool unstored;			/* Git does not have it: it is empty, */
	bool own;			/* or it is in the local face alone */
	/* Owned; NULL: as stored.  PUT: times are those of the moment if
	 * `touched`; FACTS: that of its change is. */
	struct attributes *attributes;
	bool touched;
	struct node *node;		/* FACTS: it, if it is loaded; a
					 * reference from outside */
	bool dated;			/* PUT: it has this epoch, not that of */
	unsigned int epoch;		/* the moment */
};

struct touched {
	struct node *dir;		/* a reference from outside */
	bool gone;			/* removed with all below */
	bool aside;			/* its tree is not concerned */
	struct oid oid;			/* its tree afterwards */
	bool unread;			/* what changes in it is not known */
	size_t changes;			/* steps that PUT or REMOVE in it */
	struct attributes *spare;
	struct attributes *facts;	/* that it gets; owned; or NULL */
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

/* Fills a zeroed plan.  -EAGAIN: what would be replaced is CHANGED; -EBUSY: it is a
 * queue in which an element is being made; plan->path names it; errors of
 * tree_read. */
int plan_make_locked(struct plan *plan, struct worktree *w,
		     const struct delta *delta);

/* Whether both concern the same names of the same directories. */
bool plan_is_same(const struct plan *a, const struct plan *b);

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

/* ---- worktree_plan_facts.c ---- */

/* What a step's entry will have besides Git's object, in place of e (or NULL):
 * what the facts say, otherwise what e has and a file that replaces it keeps. */
int plan_make_attributes(struct plan *plan, const struct entry *e,
			 const struct plan_facts *facts, struct step *step);

/* ---- worktree_plan_own.c ---- */

/* Whether e (or NULL) may become what is wanted: -ENOTEMPTY if a file that Git
 * does not have would be lost.  Errors of loading. */
int plan_check_own(struct plan *plan, size_t at, struct entry *e,
		   const struct tree_entry *wanted);

/* ---- pieces of plans, for these ---- */

/* An array with room for one more; NULL: no memory. */
void *plan_grow(void *array, size_t count, size_t *capacity, size_t size);

/* Appends a step with copies of its names; what else it owns is the plan's when that
 * succeeds.  change: it changes the directory plan->touched[at].  -ENOMEM. */
int plan_add_step(struct plan *plan, const struct step *step);
int plan_add_change(struct plan *plan, size_t at, const struct step *step);

/* Notes that dir changes; *ret_at names it from then on. */
int plan_touch(struct plan *plan, struct node *dir, const struct oid *oid,
	       bool gone, size_t *ret_at);

/* Steps for a live entry that goes: what Git has of it, or the whole.  -EAGAIN: it
 * is CHANGED. */
int plan_remove_entry(struct plan *plan, size_t at, struct entry *e, bool whole);
/* e: what is live under the name, or NULL; place: where it is to be stored, NULL
 * in a plain directory or where e is; facts: NULL if nothing is known. */
int plan_put_entry(struct plan *plan, size_t at, const struct entry *e,
		   const char *name, const char *place,
		   const struct tree_entry *wanted,
		   const struct plan_facts *facts);
/* A step for a live entry that stays, and gets facts. */
int plan_set_facts(struct plan *plan, size_t at, struct entry *e,
		   const struct plan_facts *facts);

/* Whether e is stored as that. */
bool plan_is_same_entry(const struct entry *e, const struct tree_entry *wanted);
const struct oid *plan_oid_of(const struct delta_entry *entry);

#endif
