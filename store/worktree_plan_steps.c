/* SPDX-License-Identifier: ISC */
#include "store/worktree_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Plans as lists of steps. */

void *plan_grow(void *array, size_t count, size_t *capacity, size_t size)
{
	size_t more = *capacity ? *capacity * 2 : 16;
	void *grown;

	if (count < *capacity)
		return array;
	grown = reallocarray(array, more, size);
	if (grown)
		*capacity = more;
	return grown;
}

int plan_touch(struct plan *plan, struct node *dir, const struct oid *oid,
	       bool gone, size_t *ret_at)
{
	struct touched *touched = plan_grow(plan->touched,
					    plan->touched_count,
					    &plan->touched_capacity,
					    sizeof(*touched));

	if (!touched)
		return -ENOMEM;
	plan->touched = touched;
	*ret_at = plan->touched_count++;
	touched[*ret_at] = (struct touched){
		.dir = node_ref(dir), .oid = *oid, .gone = gone,
	};
	return 0;
}

/* How many names a file has is a fact of those that stay. */
static int note_links(struct plan *plan, const struct step *step)
{
	const struct entry *e = directory_find_live(step->dir->directory,
						    step->name);
	struct node *n = e ? node_target(e->node) : NULL, **linked;

	if (!n || !n->linked)
		return 0;
	linked = plan_grow(plan->linked, plan->linked_count,
			   &plan->linked_capacity, sizeof(*linked));
	if (!linked)
		return -ENOMEM;
	plan->linked = linked;
	linked[plan->linked_count++] = node_ref(n);
	return 0;
}

int plan_add_step(struct plan *plan, const struct step *step)
{
	struct step *steps = plan_grow(plan->steps, plan->step_count,
				       &plan->step_capacity, sizeof(*steps));
	struct step copy = *step;

	if (!steps)
		return -ENOMEM;
	plan->steps = steps;
	if (note_links(plan, step) < 0)
		return -ENOMEM;
	copy.name = strdup(step->name);
	copy.place = step->place ? strdup(step->place) : NULL;
	if (!copy.name || (step->place && !copy.place)) {
		free(copy.name);
		return -ENOMEM;
	}
	steps[plan->step_count++] = copy;
	return 0;
}

int plan_add_change(struct plan *plan, size_t at, const struct step *step)
{
	int r = plan_add_step(plan, step);

	if (r == 0)
		plan->touched[at].changes++;
	return r;
}

void plan_release(struct plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		free(plan->steps[i].name);
		free(plan->steps[i].place);
		attributes_free(plan->steps[i].attributes);
		node_unref(plan->steps[i].node);
	}
	for (size_t i = 0; i < plan->touched_count; i++) {
		free(plan->touched[i].spare);
		attributes_free(plan->touched[i].facts);
		node_unref(plan->touched[i].dir);
	}
	for (size_t i = 0; i < plan->linked_count; i++)
		node_unref(plan->linked[i]);
	free(plan->steps);
	free(plan->touched);
	free(plan->linked);
	buffer_release(&plan->path);
	*plan = (struct plan){ 0 };
}

bool plan_is_same(const struct plan *a, const struct plan *b)
{
	if (a->step_count != b->step_count)
		return false;
	for (size_t i = 0; i < a->step_count; i++)
		if (a->steps[i].dir != b->steps[i].dir ||
		    strcmp(a->steps[i].name, b->steps[i].name) != 0)
			return false;
	return true;
}
