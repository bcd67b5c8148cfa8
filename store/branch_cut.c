/* SPDX-License-Identifier: ISC */
#include "store/store_private.h"

#include <errno.h>
#include <utlist.h>

void records_release(struct record *records, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(records[i].name);
		free(records[i].trailers);
		delta_free(records[i].delta);
		commit_free(records[i].commit);
		conflict_report_free(records[i].conflicts);
	}
	memset(records, 0, count * sizeof(*records));
}

static struct branch *find(struct store *store, const struct record *record)
{
	SCOPED_LOCK(&store->lock);
	struct branch *b = store_find_incarnation_locked(store, record->branch);

	return b ? branch_ref(b) : NULL;
}

/* The work tree can let go of what is stored now. */
static void cut_stored(void *context, struct cut *cut)
{
	for (size_t i = 0; i < cut->count; i++) {
		const struct record *record = &cut->records[i];
		struct branch *b;

		if (record->kind != RECORD_COMMIT || !record->delta)
			continue;
		b = find(context, record);
		if (b && b->worktree)
			worktree_adopt(b->worktree, record->delta);
		branch_unref(b);
	}
}

static void cut_published(void *context, struct cut *cut)
{
	struct store *store = context;
	SCOPED_LOCK(&store->lock);

	for (size_t i = 0; i < cut->count; i++) {
		const struct record *record = &cut->records[i];
		struct branch *b = store_find_incarnation_locked(store,
							record->branch);

		if (!b || oid_is_zero(&record->head))
			continue;
		b->head = record->head;
		b->local = record->local;
	}
}

static void raise_to(_Atomic uint64_t *sequence, uint64_t to)
{
	uint64_t present = *sequence;

	while (present < to &&
	       !atomic_compare_exchange_weak(sequence, &present, to))
		;
}

static int queue(struct store *store, struct record *records, size_t count,
		 struct branch *const *about, size_t about_count, bool timer,
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
	cut->stored = cut_stored;
	cut->published = cut_published;
	cut->context = store;
	cut->timer = timer;
	r = engine_cut(store->engine, cut, ret_sequence);
	if (r)
		return r;
	raise_to(&store->sequence, *ret_sequence);
	for (size_t i = 0; i < about_count; i++)
		raise_to(&about[i]->sequence, *ret_sequence);
	return 0;
}

int store_queue(struct store *store, struct record *records, size_t count,
		struct branch *const *about, size_t about_count,
		uint64_t *ret_sequence)
{
	return queue(store, records, count, about, about_count, false,
		     ret_sequence);
}

/* ---- a cut of one branch ---- */

struct cutting {
	struct branch *b;
	const struct identity *identity;
	const char *message;
	struct record *extra;
	struct branch *other;
	bool last;		/* struct record */
	const uint64_t *changes;	/* NULL: any number of them */
	uint64_t sequence;
	bool captured;
};

/* A text set for the next commit is used up by it, or stays. */
static int compose(struct cutting *c, const struct delta *delta,
		   struct record *record, char **ret_used)
{
	struct branch *b = c->b;
	const char *text = c->message;
	int r;

	SCOPED_LOCK(&b->message_lock);
	if (!text)
		text = b->message;
	if (text)
		r = commit_compose(b, c->identity, text, delta,
				   &record->commit);
	else
		r = commit_compose_later(b, c->identity, record);
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

	r = compose(c, delta, &records[0], &used);
	if (r) {
		delta_free(delta);
		return r;
	}
	records[0].delta = delta;
	records[0].last = c->last;
	if (c->extra) {
		records[1] = *c->extra;
		memset(c->extra, 0, sizeof(*c->extra));
	}
	r = queue(c->b->store, records, c->extra ? 2 : 1, about,
		  c->other ? 2 : 1, c->identity->timer, &c->sequence);
	c->captured = !r;
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

	/* the work tree is locked */
	if (c->changes && *c->changes != worktree_changes(c->b->worktree)) {
		delta_free(delta);
		return -EAGAIN;
	}
	if (delta)
		return take_delta(c, delta);
	if (c->extra)
		return store_queue(c->b->store, c->extra, 1, about,
				   c->other ? 2 : 1, &c->sequence);
	c->sequence = c->b->sequence;
	return 0;
}

static int capture(struct cutting *c)
{
	struct worktree *w = c->b->worktree;
	int r = w ? worktree_capture(w, take, c) : take(c, NULL);

	if (r < 0 && c->extra)
		records_release(c->extra, 1);
	return r < 0 ? r : 0;
}

void branch_apply_rules(struct branch *b)
{
	int r = b->worktree ? worktree_apply_rules(b->worktree) : 0;

	if (r < 0)
		log_warning("some files may still be ignored, or not, as they "
			    "were before: %s", strerror(-r));
}

int branch_cut(struct branch *b, const struct identity *identity,
	       const char *message, struct record *extra, struct branch *other,
	       uint64_t *ret_sequence, bool *ret_captured)
{
	struct cutting c = {
		.b = b,
		.identity = identity,
		.message = message,
		.extra = extra,
		.other = other,
	};
	int r;

	branch_apply_rules(b);
	r = capture(&c);
	if (r < 0)
		return r;
	*ret_sequence = c.sequence;
	if (ret_captured)
		*ret_captured = c.captured;
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

/* last: the commit is somebody's, who will name it; changes: as of cutting. */
static int cut_for(struct branch *b, const struct caller *caller,
		   const char *message, bool last, const uint64_t *changes,
		   uint64_t *ret_sequence)
{
	scoped(identity_release) struct identity identity = { 0 };
	struct cutting c = {
		.b = b, .identity = &identity, .message = message, .last = last,
		.changes = changes,
	};
	struct timespec since;
	int r;

	if (last)
		branch_apply_rules(b);
	if (!b->worktree || !worktree_is_changed(b->worktree, &since)) {
		*ret_sequence = b->sequence;
		return 0;
	}
	r = identity_init(&identity, b->store, caller);
	if (r)
		return r;
	r = capture(&c);
	if (!r)
		*ret_sequence = c.sequence;
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
	int r;

	gate_enter(&b->gate);
	r = cut_for(b, caller, NULL, false, NULL, &sequence);
	gate_leave(&b->gate);
	if (!r && sequence)
		r = check(b->store, engine_wait(b->store->engine, sequence));
	return r;
}

struct sync {
	struct engine_waiter waiter;
	struct store *store;
	void (*done)(void *context, int result);
	void *context;
};

static void sync_done(struct engine_waiter *waiter, int result)
{
	struct sync *sync = (struct sync *)waiter;

	sync->done(sync->context, check(sync->store, result));
	free(sync);
}

static void answer_all(struct engine_waiter *all, int r)
{
	struct engine_waiter *w, *next;

	DL_FOREACH_SAFE(all, w, next)
		w->done(w, r);		/* it may be gone from here on */
}

void branch_sync_later(struct branch *b, const struct caller *caller,
		       void (*done)(void *context, int result), void *context)
{
	struct sync *sync = malloc(sizeof(*sync));
	struct engine_waiter *all;
	struct store *store = b->store;
	uint64_t sequence;
	int r;

	if (!sync) {
		done(context, branch_sync(b, caller));
		return;
	}
	*sync = (struct sync){
		.waiter.done = sync_done, .store = store, .done = done,
		.context = context,
	};
	if (!gate_enter_all(&b->gate, &sync->waiter, &all))
		return;
	r = cut_for(b, caller, NULL, false, NULL, &sequence);
	gate_leave(&b->gate);
	if (r < 0 || !sequence)
		answer_all(all, r);
	else
		engine_wait_later(store->engine, all, sequence);
}

static int publish(struct branch *b, uint64_t sequence, struct oid *ret_head)
{
	struct oid head;
	int r = check(b->store, engine_publish(b->store->engine, b->incarnation,
					       sequence, &head));

	if (!r && ret_head)
		*ret_head = head;
	return r;
}

int branch_commit(struct branch *b, const struct caller *caller,
		  const char *message, struct oid *ret_head)
{
	uint64_t sequence;
	int r;

	if (message && strlen(message) > MESSAGE_MAX)
		return -EMSGSIZE;
	if (message && !*message)
		message = NULL;
	gate_enter(&b->gate);
	r = cut_for(b, caller, message, true, NULL, &sequence);
	gate_leave(&b->gate);
	return r < 0 ? r : publish(b, sequence, ret_head);
}

int branch_publish(struct branch *b, const struct caller *caller,
		   const uint64_t *changes, struct oid *ret_head)
{
	uint64_t sequence;
	int r = cut_for(b, caller, NULL, true, changes, &sequence);

	return r < 0 ? r : publish(b, sequence, ret_head);
}

bool branch_is_published(struct branch *b, struct oid *ret_head)
{
	return engine_is_published(b->store->engine, b->incarnation,
				   b->sequence, ret_head);
}

int branch_head(struct branch *b, struct oid *ret_head)
{
	return engine_publish(b->store->engine, b->incarnation, b->sequence,
			      ret_head);
}

int store_publish(struct store *store)
{
	return store->readonly ? 0 :
		check(store, engine_publish_all(store->engine));
}
