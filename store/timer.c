/* SPDX-License-Identifier: ISC */
#include "store/store_private.h"
#include "store/inside_private.h"

/* The timer commits a branch commit_seconds after its first unsaved change.
 *
 * It looks at the loaded branches at least once in commit_seconds: a change
 * made right after a look is seen by the next one, before it is due. */

#define MILLISECONDS_LEAST 20	/* between two looks */

/* Milliseconds until a change made at `since` is due; a clock that was set back
 * makes it due at once. */
static int64_t due_in(struct store *store, const struct timespec *since)
{
	struct timespec now;
	int64_t age;

	store->options.clock(&now);
	age = (int64_t)(now.tv_sec - since->tv_sec) * 1000 +
	      (now.tv_nsec - since->tv_nsec) / 1000000;
	if (age < 0)
		return 0;
	age = (int64_t)store->options.commit_seconds * 1000 - age;
	return age > 0 ? age : 0;
}

static int cut_one(struct branch *b, const struct caller *caller)
{
	scoped(identity_release) struct identity identity = { 0 };
	uint64_t sequence;
	int r = identity_init(&identity, b->store, caller);

	return r ? r : branch_cut(b, &identity, NULL, NULL, NULL, &sequence,
			      NULL);
}

/* Queues cuts for those that are changed and, with only_due, due, and lowers
 * next_look to when the next one is.  First error; the others are cut all the
 * same. */
static int cut_all(const struct branch_list *list, const struct caller *caller,
		   bool only_due, int64_t *next_look)
{
	int r = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct branch *b = list->branch[i];
		struct timespec since;
		int64_t left;
		int error;

		branch_apply_rules(b);
		if (!b->worktree || !worktree_is_changed(b->worktree, &since))
			continue;
		left = only_due ? due_in(b->store, &since) : 0;
		/* it opens soon */
		if (only_due && !left && gate_is_closed(&b->gate))
			left = MILLISECONDS_LEAST;
		if (left) {
			*next_look = left < *next_look ? left : *next_look;
			continue;
		}
		error = cut_one(b, caller);
		r = r ? r : error;
	}
	return r;
}

/* For all of them, since the engine may hold back the cuts of some. */
static int wait_all(const struct branch_list *list)
{
	int r = 0;

	for (size_t i = 0; i < list->count; i++) {
		int error = branch_wait(list->branch[i]);

		r = r ? r : error;
	}
	return r;
}

int store_sync(struct store *store, const struct caller *caller)
{
	scoped(branch_list_release) struct branch_list list = { 0 };
	int64_t next_look = 0;
	int r, waited;

	if (store->readonly)
		return 0;
	r = branch_list_get(store, false, &list);
	if (r)
		return r;
	r = cut_all(&list, caller, false, &next_look);
	waited = wait_all(&list);
	if (!waited)
		waited = engine_wait(store->engine, store->sequence);
	return r ? r : waited;
}

/* ---- dropped branches ---- */

static int expire_one_locked(struct store *store, struct branch *b)
{
	struct record record = {
		.kind = RECORD_EXPIRE,
		.branch = b->incarnation,
	};
	uint64_t sequence;
	int r = store_queue(store, &record, 1, &b, 1, &sequence);

	if (!r)
		store_remove_locked(store, b, 0);
	return r;
}

static struct branch *find_expired_locked(struct store *store, int64_t before)
{
	struct branch *b, *next;

	HASH_ITER(hh, store->branches, b, next)
		if (b->dropped && b->dropped < before)
			return b;
	return NULL;
}

void store_expire(struct store *store)
{
	int64_t before = store_now(store) - DROPPED_KEPT_SECONDS;

	for (;;) {
		struct branch *b;
		int r = 0;

		pthread_mutex_lock(&store->lock);
		b = find_expired_locked(store, before);
		if (b)
			r = expire_one_locked(store, b);
		pthread_mutex_unlock(&store->lock);
		if (!b || r)
			return;
		log_info("Branch %s, dropped more than 30 days ago, is now "
			 "forgotten.", b->name);
		branch_unref(b);
	}
}

/* ---- the thread ---- */

/* One line when an outage begins and one when it is over.  What fails on the
 * disk the engine tells itself. */
static void tell(struct store *store, int r, int *failing)
{
	if (r && r != *failing)
		log_error("Changes in the store %s cannot be committed: %s; "
			  "they are kept in memory and it is tried again.",
			  store_path(store), strerror(-r));
	else if (!r && *failing)
		log_warning("Changes in the store %s are committed again.",
			    store_path(store));
	*failing = r;
}

/* What is due is cut; waiting for it makes the engine try again what failed
 * before.  Returns milliseconds until the next look. */
static int64_t look(struct store *store, int *failing)
{
	scoped(branch_list_release) struct branch_list list = { 0 };
	struct caller caller = {
		.uid = store->options.uid,
		.gid = store->options.gid,
		.operation = "timer",
	};
	int64_t period = (int64_t)store->options.commit_seconds * 1000;
	int64_t next_look = period;
	int r = branch_list_get(store, false, &list), waited = 0;

	if (!r) {
		r = cut_all(&list, &caller, true, &next_look);
		waited = wait_all(&list);
	}
	tell(store, r, failing);
	if (r || waited) {
		store_notice_death(store);
		return period;
	}
	store_expire(store);
	inside_clean(store);
	return next_look > MILLISECONDS_LEAST ? next_look : MILLISECONDS_LEAST;
}

/* True: the store is being closed. */
static bool sleep_for(struct store *store, int64_t milliseconds)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += milliseconds / 1000;
	until.tv_nsec += milliseconds % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	SCOPED_LOCK(&store->timer_lock);
	while (!store->timer_end)
		if (pthread_cond_timedwait(&store->timer_wake,
					   &store->timer_lock, &until))
			break;
	return store->timer_end;
}

static void *timer_main(void *context)
{
	struct store *store = context;
	int64_t wait = (int64_t)store->options.commit_seconds * 1000;
	int failing = 0;

	while (!sleep_for(store, wait))
		wait = look(store, &failing);
	return NULL;
}

int timer_start(struct store *store)
{
	int r = thread_start(&store->timer, timer_main, store);

	if (r)
		return r;
	store->timer_running = true;
	return 0;
}

void timer_stop(struct store *store)
{
	if (!store->timer_running)
		return;
	pthread_mutex_lock(&store->timer_lock);
	store->timer_end = true;
	pthread_cond_signal(&store->timer_wake);
	pthread_mutex_unlock(&store->timer_lock);
	pthread_join(store->timer, NULL);
	store->timer_running = false;
}
