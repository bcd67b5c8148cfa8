/* SPDX-License-Identifier: ISC */
#include "store/worktree_names.h"
#include "store/worktree_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct announced_name {
	struct node *dir;		/* a reference from outside */
	bool announced;
	struct announced_name *next;	/* of the same name */
	UT_hash_handle hh;
	char name[];
};

static struct announced_name *find_name(const struct worktree_names *names,
					const char *name)
{
	struct announced_name *found;

	HASH_FIND_STR(names->names, name, found);
	return found;
}

static struct announced_name *find(const struct worktree_names *names,
				   const struct step *step)
{
	struct announced_name *n = find_name(names, step->name);

	while (n && n->dir != step->dir)
		n = n->next;
	return n;
}

void worktree_names_release(struct worktree_names *names)
{
	struct announced_name *n, *next, *same;

	HASH_ITER(hh, names->names, n, next) {
		HASH_DEL(names->names, n);
		for (; n; n = same) {
			same = n->next;
			node_unref(n->dir);
			free(n);
		}
	}
}

static int add(struct worktree_names *names, const struct step *step)
{
	struct announced_name *first = find_name(names, step->name), *n;
	size_t length = strlen(step->name);

	n = calloc(1, sizeof(*n) + length + 1);
	if (!n)
		return -ENOMEM;
	memcpy(n->name, step->name, length);
	if (first) {
		n->next = first->next;
		first->next = n;
	} else {
		HASH_ADD_KEYPTR(hh, names->names, n->name, length, n);
		if (!n->hh.tbl) {
			free(n);
			return -ENOMEM;
		}
	}
	n->dir = node_ref(step->dir);
	return 0;
}

int names_add_plan(struct worktree_names *names, const struct plan *plan)
{
	int r = 0, missing = 0;

	for (size_t i = 0; r == 0 && i < plan->step_count; i++) {
		const struct announced_name *n = find(names, &plan->steps[i]);

		if (!n)
			r = add(names, &plan->steps[i]);
		if (!n || !n->announced)
			missing = 1;
	}
	return r < 0 ? r : missing;
}

bool names_have_plan(const struct worktree_names *names,
		     const struct plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct announced_name *n = find(names, &plan->steps[i]);

		if (!n || !n->announced)
			return false;
	}
	return true;
}

void worktree_names_announce(struct worktree_names *names,
			     const struct worktree_watch *watch)
{
	struct announced_name *first, *next, *n;

	HASH_ITER(hh, names->names, first, next) {
		for (n = first; n; n = n->next) {
			if (!n->announced)
				watch->changing(watch->context, n->dir,
						n->name);
			n->announced = true;
		}
	}
}
