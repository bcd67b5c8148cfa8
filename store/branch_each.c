/* SPDX-License-Identifier: ISC */
#include "store/store_private.h"

#include <errno.h>

static size_t open_conflicts_locked(const struct branch *b)
{
	size_t open = 0;

	for (size_t i = 0; i < b->report_count; i++)
		for (size_t j = 0; j < b->reports[i]->count; j++)
			if (!b->reports[i]->conflicts[j].resolved)
				open++;
	return open;
}

void branch_list_release(struct branch_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		branch_unref(list->branch[i]);
	free(list->branch);
}

int branch_list_get(struct store *store, bool dropped, struct branch_list *ret)
{
	struct branch *b, *next;

	SCOPED_LOCK(&store->lock);
	ret->count = 0;
	ret->branch = calloc(HASH_COUNT(store->branches) + 1,
			     sizeof(struct branch *));
	if (!ret->branch)
		return -ENOMEM;
	HASH_ITER(hh, store->branches, b, next)
		if ((b->dropped != 0) == dropped)
			ret->branch[ret->count++] = branch_ref(b);
	return 0;
}

/* Copies of everything, so that the visitor needs no lock. */
struct copy {
	char *name;
	struct report stuck;
	struct branch_facts facts;
};

static int copy_facts(struct branch *b, struct copy *copy)
{
	struct timespec since;

	pthread_mutex_lock(&b->store->lock);
	copy->name = strdup(b->name);
	copy->facts = (struct branch_facts){
		.name = copy->name,
		.head = b->head,
		.incarnation = b->incarnation,
		.dropped = b->dropped,
		.conflicts = open_conflicts_locked(b),
	};
	pthread_mutex_unlock(&b->store->lock);
	if (!copy->name)
		return -ENOMEM;
	if (copy->facts.dropped)
		return 0;
	if (b->worktree)
		copy->facts.changed = worktree_is_changed(b->worktree, &since);
	copy->facts.readonly = branch_readonly(b);
	if (!b->store->readonly &&
	    engine_state(b->store->engine, b->incarnation, &copy->stuck))
		copy->facts.stuck = copy->stuck.text;
	return 0;
}

static int compare_copies(const void *a, const void *b)
{
	const struct copy *left = a, *right = b;

	return strcmp(left->name, right->name);
}

int store_each(struct store *store, bool dropped,
	       int (*visit)(void *context, const struct branch_facts *facts),
	       void *context)
{
	scoped(branch_list_release) struct branch_list found = { 0 };
	scoped_free struct copy *copies = NULL;
	size_t copied = 0;
	int r = branch_list_get(store, dropped, &found);

	if (r)
		return r;
	copies = calloc(found.count + 1, sizeof(*copies));
	if (!copies)
		return -ENOMEM;
	while (!r && copied < found.count) {
		r = copy_facts(found.branch[copied], &copies[copied]);
		copied += !r;
	}
	if (!r) {
		qsort(copies, copied, sizeof(*copies), compare_copies);
		/* they moved */
		for (size_t i = 0; i < copied; i++)
			if (copies[i].facts.stuck)
				copies[i].facts.stuck = copies[i].stuck.text;
	}
	for (size_t i = 0; !r && i < copied; i++)
		r = visit(context, &copies[i].facts);
	for (size_t i = 0; i < copied; i++)
		free(copies[i].name);
	return r;
}
