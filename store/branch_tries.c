/* SPDX-License-Identifier: ISC */
#include "store/branch_switch.h"

#define TRIES_MOST 50
#define TRIES_ALONE 2		/* before the front end stays begun */
#define TRIES_OPEN 3		/* before others are held back */
#define HOLD_MS 2000		/* an attempt; what takes longer is on its own */

bool branch_tries_hold(const struct branch_tries *t)
{
	return t->count > TRIES_OPEN;
}

static void begin(struct branch_tries *t)
{
	t->front = store_begin_front(t->b->store);
	if (t->front.watch.begin)
		t->front.watch.begin(t->front.watch.context);
	t->b->tries = t;
	t->begun = true;
}

/* Who runs in a loop changes something until he waits for his fsync; that would be
 * in the way of the switch, and is out of it when it is committed. */
static void hold(struct branch_tries *t)
{
	gate_close(&t->b->gate, HOLD_MS);
	/* if it fails, the attempt does too */
	if (t->caller && t->b->worktree)
		branch_publish(t->b, t->caller, NULL, NULL);
}

bool branch_try(struct branch_tries *t)
{
	gate_open(&t->b->gate);
	if (t->count++ == TRIES_MOST)
		return false;
	if (t->count > TRIES_ALONE && !t->begun)
		begin(t);
	if (!branch_tries_hold(t))
		return true;
	if (t->front.watch.begin)
		worktree_names_announce(&t->names, &t->front.watch);
	t->names.silent = true;
	hold(t);
	return true;
}

void branch_tries_end(struct branch_tries *t)
{
	gate_open(&t->b->gate);
	if (!t->begun)
		return;
	t->b->tries = NULL;
	if (t->front.watch.begin)
		t->front.watch.end(t->front.watch.context);
	store_end_front(t->b->store);
	worktree_names_release(&t->names);
	t->begun = false;
}
