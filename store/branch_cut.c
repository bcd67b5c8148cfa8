/* SPDX-License-Identifier: ISC */
#include "store/store_private.h"

#include <errno.h>

void records_release(struct record *records, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(records[i].name);
		delta_free(records[i].delta);
		commit_free(records[i].commit);
		conflict_report_free(records[i].conflicts);
	}
	memset(records, 0, count * sizeof(*records));
}

/* The objects of a record are stored: remember the head, let the work tree
 * forget what it needs no longer hold. */
static void record_stored(struct store *store, const struct record *record)
{
	struct branch *b;

	pthread_mutex_lock(&store->lock);
	b = store_find_incarnation_locked(store, record->branch);
	if (b) {
		if (!oid_is_zero(&record->head))
			b->head = record->head;
		branch_ref(b);
	}
	pthread_mutex_unlock(&store->lock);
	if (!b)
		return;
	if (record->kind == RECORD_COMMIT && record->delta && b->worktree)
		worktree_adopt(b->worktree, record->delta);
	branch_unref(b);
}

static void cut_stored(void *context, struct cut *cut)
{
	for (size_t i = 0; i < cut->count; i++)
		record_stored(context, &cut->records[i]);
}

static void raise_to(_Atomic uint64_t *sequence, uint64_t to)
{
	uint64_t present = *sequence;

	while (present < to &&
	       !atomic_compare_exchange_weak(sequence, &present, to))
		;
}

int store_queue(struct store *store, struct record *records, size_t count,
		struct branch *const *about, size_t about_count,
		uint64_t *ret_sequence)
{
	struct cut *cut = cut_new(count);
	int r;

	if (!cut) {
		records_release(records, count);
		return -ENOMEM;
	}
	memcpy(cut->records, records, count * sizeof(*records));
	memset(records, 0, count * sizeof(*records));
	cut->published = cut_stored;
	cut->context = store;
	r = engine_cut(store->engine, cut, ret_sequence);
	if (r)
		return r;
	raise_to(&store->sequence, *ret_sequence);
	for (size_t i = 0; i < about_count; i++)
		raise_to(&about[i]->sequence, *ret_sequence);
	return 0;
}

/* ---- a cut of one branch ---- */

struct cutting {
	struct branch *b;
	const struct identity *identity;
	const char *message;
	struct record *extra;
	struct branch *other;
	uint64_t sequence;
};

/* A text set for the next commit is used up by it, or stays. */
static int compose(struct cutting *c, const struct delta *delta,
		   struct commit **ret, char **ret_used)
{
	struct branch *b = c->b;
	int r;

	SCOPED_LOCK(&b->message_lock);
	r = commit_compose(b, c->identity,
			   c->message ? c->message : b->message, delta, ret);
	if (!r)
		*ret_used = STEAL(b->message);
	return r;
}

static void give_back(struct branch *b, char *message)
{
	SCOPED_LOCK(&b->message_lock);
	if (b->message)
		free(message);
	else
		b->message = message;
}

static int take_delta(struct cutting *c, struct delta *delta)
{
	struct record records[2] = {
		{ .kind = RECORD_COMMIT, .branch = c->b->incarnation },
	};
	struct branch *about[2] = { c->b, c->other };
	char *used = NULL;
	int r;

	r = compose(c, delta, &records[0].commit, &used);
	if (r) {
		delta_free(delta);
		return r;
	}
	records[0].delta = delta;
	if (c->extra) {
		records[1] = *c->extra;
		memset(c->extra, 0, sizeof(*c->extra));
	}
	r = store_queue(c->b->store, records, c->extra ? 2 : 1, about,
			c->other ? 2 : 1, &c->sequence);
	if (r)
		give_back(c->b, used);
	else
		free(used);
	return r;
}

static int take(void *context, struct delta *delta)
{
	struct cutting *c = context;
	struct branch *about[2] = { c->b, c->other };

	if (delta)
		return take_delta(c, delta);
	if (c->extra)
		return store_queue(c->b->store, c->extra, 1, about,
				   c->other ? 2 : 1, &c->sequence);
	c->sequence = c->b->sequence;
	return 0;
}

int branch_cut(struct branch *b, const struct identity *identity,
	       const char *message, struct record *extra, struct branch *other,
	       uint64_t *ret_sequence)
{
	struct cutting c = {
		.b = b,
		.identity = identity,
		.message = message,
		.extra = extra,
		.other = other,
	};
	int r = b->worktree ? worktree_capture(b->worktree, take, &c) :
		take(&c, NULL);

	if (r < 0) {
		if (extra)
			records_release(extra, 1);
		return r;
	}
	*ret_sequence = c.sequence;
	return 0;
}

/* ---- what users of a branch ask for ---- */

void store_notice_death(struct store *store)
{
	scoped(branch_list_release) struct branch_list list = { 0 };

	if (store->readonly || engine_state(store->engine, 0, NULL) != -EROFS)
		return;
	if (branch_list_get(store, false, &list))
		return;
	for (size_t i = 0; i < list.count; i++)
		branch_refuse(list.branch[i], -EROFS);
}

/* 0, or r after having looked what it means. */
static int check(struct store *store, int r)
{
	if (r)
		store_notice_death(store);
	return r;
}

static int cut_for(struct branch *b, const struct caller *caller,
		   const char *message, uint64_t *ret_sequence)
{
	scoped(identity_release) struct identity identity = { 0 };
	struct timespec since;
	int r;

	if (!b->worktree || !worktree_is_changed(b->worktree, &since)) {
		*ret_sequence = b->sequence;
		return 0;
	}
	r = identity_init(&identity, b->store, caller);
	if (r)
		return r;
	r = branch_cut(b, &identity, message, NULL, NULL, ret_sequence);
	return check(b->store, r);
}

int branch_wait(struct branch *b)
{
	uint64_t sequence = b->sequence;
	int r = sequence ? engine_wait(b->store->engine, sequence) : 0;

	return check(b->store, r);
}

int branch_sync(struct branch *b, const struct caller *caller)
{
	uint64_t sequence;
	int r = cut_for(b, caller, NULL, &sequence);

	if (!r && sequence)
		r = check(b->store, engine_wait(b->store->engine, sequence));
	return r;
}

int branch_commit(struct branch *b, const struct caller *caller,
		  const char *message, struct oid *ret_head)
{
	uint64_t sequence;
	struct oid head;
	int r;

	if (message && strlen(message) > MESSAGE_MAX)
		return -EMSGSIZE;
	if (message && !*message)
		message = NULL;
	r = cut_for(b, caller, message, &sequence);
	if (!r)
		r = check(b->store, engine_publish(b->store->engine,
						   b->incarnation, sequence,
						   &head));
	if (!r && ret_head)
		*ret_head = head;
	return r;
}

int branch_publish(struct branch *b, const struct caller *caller,
		   struct oid *ret_head)
{
	return branch_commit(b, caller, NULL, ret_head);
}

int branch_head(struct branch *b, struct oid *ret_head)
{
	return engine_publish(b->store->engine, b->incarnation, b->sequence,
			      ret_head);
}
