/* SPDX-License-Identifier: ISC */
#include "store/inside_private.h"
#include "store/outside_follow.h"
#include "store/outside_wait.h"
#include "store/ref_watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

/* What other programs do to refs while the store is mounted: pushes, fetches,
 * update-ref, branch -d.  A thread of its own notices and lets branches follow:
 *   moved    a branch without commits of its own moves on, another one merges;
 *            on conflict what was pushed becomes a branch of its own, with the
 *            report
 *   gone     the branch is dropped
 *   new      a branch; a dropped one comes back if it is that
 * While a path that would change is open for writing, or what is needed cannot be
 * read, the branch stays behind, and it is tried again: outside_wait.h. */

#define SETTLE_MS 10		/* so that one push is one look */
#define AGAIN_MS 1000
#define INSIDE_MS 100		/* while git inside may go on at once */

struct outside {
	struct store *store;
	struct ref_watch *watch;	/* NULL: look every second */
	int end_fd;
	pthread_t thread;
	pthread_mutex_t looking;	/* before store->merging */
	_Atomic bool again;		/* something is not settled, */
	_Atomic bool soon;		/* which does not take long */
	/* looking: */
	struct outside_waits waits;
	bool patient;			/* those are left alone for now */
	pthread_mutex_t mark_lock;	/* leaf */
	struct git_packed_mark mark;	/* whose refs were looked at; mark_lock */
};

static const struct caller *caller_of(struct outside *o, struct caller *ret)
{
	*ret = (struct caller){
		.uid = o->store->options.uid, .gid = o->store->options.gid,
		.operation = "outside",
	};
	return ret;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* 1: it is new and is to be told. */
static int wait_for_it(struct outside *o, const char *name,
		       const struct oid *seen, int error)
{
	int r = outside_waits_add(&o->waits, name, seen, error, now_ms());

	if (r < 0)
		o->again = true;
	return r;
}

/* Says why a branch cannot follow, and what can be done. */
static void say_why(const struct outside_change *change, int error,
		    const struct report *report)
{
	char seen[OID_HEX_SIZE], before[OID_HEX_SIZE];
	bool is_new = oid_is_zero(&change->before);
	struct report why = *report;

	report_set(&why, error, "%s.", strerror(-error));
	if (error == -EIO || error == -EUCLEAN)
		log_warning("branch %s cannot follow refs/heads/%s, which another "
			    "program set to %s: %s Push or fetch again what is "
			    "missing, or %s%s.", change->name, change->name,
			    oid_hex(&change->seen, seen), why.text,
			    is_new ? "delete the ref" : "set the ref back to ",
			    is_new ? "" : oid_hex(&change->before, before));
	else
		log_warning("branch %s does not follow yet what another program "
			    "made of refs/heads/%s: %s", change->name,
			    change->name, why.text);
}

/* ---- one change ---- */

/* The live branch, if it still has the name that it has in Git. */
static struct branch *find_branch(struct outside *o,
				  const struct outside_change *change)
{
	SCOPED_LOCK(&o->store->lock);
	struct branch *b = store_find_incarnation_locked(o->store,
							 change->branch);

	if (!b || b->dropped || b->gone || strcmp(b->name, change->name) != 0)
		return NULL;
	return branch_ref(b);
}

static int settle_branch(struct outside *o, struct branch *b,
			 const struct outside_change *change,
			 struct report *report)
{
	struct caller caller;
	int r;

	caller_of(o, &caller);
	if (!oid_is_zero(&change->seen)) {
		r = outside_follow(b, change, &caller, report);
		if (r == 1)
			o->again = o->soon = true;
		return r == 1 ? 0 : r;
	}
	r = store_drop(o->store, b, &caller, report);
	if (r == 0)
		log_warning("branch %s was deleted by another program: it "
			    "counts as dropped, and irminfs restore brings it "
			    "back", change->name);
	return r;
}

static bool was_dropped(struct store *store, const struct outside_change *change)
{
	const struct branch *b;
	SCOPED_LOCK(&store->lock);

	/* restoring brings the last one back, and no other */
	b = store_last_dropped_locked(store, change->name);
	return b && oid_equal(&b->head, &change->seen);
}

static bool is_live(struct store *store, const char *name)
{
	SCOPED_LOCK(&store->lock);
	return store_find_locked(store, name) != NULL;
}

static int settle_new(struct outside *o, const struct outside_change *change,
		      struct report *report)
{
	struct caller caller;

	/* it was made here, or is about to be dropped here */
	if (is_live(o->store, change->name))
		return -EAGAIN;
	if (was_dropped(o->store, change))
		return store_restore(o->store, change->name, NULL,
				     caller_of(o, &caller), report);
	return store_adopt_commit(o->store, &change->seen, change->name,
				  report);
}

static int settle(void *context, const struct outside_change *change)
{
	struct outside *o = context;
	struct report report = { "" };
	struct branch *b = NULL;
	int r;

	if (o->patient && outside_waits_has(&o->waits, change->name,
					    &change->seen, now_ms()))
		return 0;
	if (change->branch) {
		b = find_branch(o, change);
		/* it is renamed or dropped here, and Git is not told yet */
		r = b ? settle_branch(o, b, change, &report) : -EAGAIN;
	} else {
		r = settle_new(o, change, &report);
	}
	branch_unref(b);
	if (r == -EAGAIN)
		o->again = true;
	else if (r == 0)
		outside_waits_remove(&o->waits, change->name);
	else if (wait_for_it(o, change->name, &change->seen, r) == 1)
		say_why(change, r, &report);
	return 0;
}

/* ---- looking ---- */

static void set_mark(struct outside *o, const struct git_packed_mark *mark)
{
	SCOPED_LOCK(&o->mark_lock);
	o->mark = *mark;
}

static void look_at_all(struct outside *o)
{
	static const struct oid none;
	SCOPED_LOCK(&o->looking);
	struct git_packed_mark mark;
	int r;

	outside_waits_begin(&o->waits);
	o->patient = true;
	git_packed_mark(o->store->repo, &mark);
	r = engine_look_outside(o->store->engine, NULL, settle, o);
	o->patient = false;
	if (r == 0) {
		set_mark(o, &mark);
		outside_waits_end(&o->waits);
	} else if (r == -EAGAIN) {
		o->again = true;
	} else if (wait_for_it(o, "", &none, r) == 1) {
		log_error("refs of the repository cannot be read: %s",
			  strerror(-r));
	}
}

static void look(struct outside *o, const char *name)
{
	SCOPED_LOCK(&o->looking);

	if (engine_look_outside(o->store->engine, name, settle, o) < 0)
		o->again = true;
}

static int outside_timeout(struct outside *o)
{
	int most = o->soon ? INSIDE_MS : o->again || !o->watch ? AGAIN_MS : -1;
	SCOPED_LOCK(&o->looking);
	int wait = outside_waits_timeout(&o->waits, now_ms());

	return wait < 0 || (most >= 0 && most < wait) ? most : wait;
}

void outside_catch_up(struct store *store, struct branch *b)
{
	struct outside *o = store->outside;
	scoped_free char *name = o ? branch_name(b) : NULL;
	bool inside = name && inside_is_behind(b);

	if (!name || (!inside && !engine_may_have_news(store->engine, name)))
		return;
	b->git_hurries += inside;
	look(o, name);
	b->git_hurries -= inside;
}

/* 1: it may be there now. */
static int look_if_new(void *context, const char *name)
{
	struct outside *o = context;

	if (is_live(o->store, name))	/* by now */
		return 1;
	if (engine_may_have_news(o->store->engine, name)) {
		look(o, name);
		return 1;
	}
	/* somebody may be just about to let it be seen */
	SCOPED_LOCK(&o->looking);
	return is_live(o->store, name);
}

bool store_find_outside(struct store *store, const char *name)
{
	struct outside *o = store->outside;
	struct git_packed_mark mark;

	if (!o)
		return false;
	pthread_mutex_lock(&o->mark_lock);
	mark = o->mark;
	pthread_mutex_unlock(&o->mark_lock);
	return git_branch_peek(store->repo, name, &mark, look_if_new, o) == 1;
}

/* ---- the thread ---- */

static void look_at_events(struct outside *o)
{
	const struct timespec settling = { .tv_nsec = SETTLE_MS * 1000000 };
	char **names = NULL;
	size_t count = 0;
	bool all = false;

	nanosleep(&settling, NULL);
	if (ref_watch_read(o->watch, &names, &count, &all) < 0)
		all = true;
	all |= o->again;
	o->again = o->soon = false;
	if (all)
		look_at_all(o);
	for (size_t i = 0; i < count; i++) {
		if (!all)
			look(o, names[i]);
		free(names[i]);
	}
	free(names);
}

static void *outside_main(void *context)
{
	struct outside *o = context;

	look_at_all(o);
	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = o->end_fd, .events = POLLIN },
			{ .fd = o->watch ? ref_watch_fd(o->watch) : -1,
			  .events = POLLIN },
		};
		int n = poll(fds, 2, outside_timeout(o));

		if (fds[0].revents) {
			if (o->soon)
				look_at_all(o);
			return NULL;
		}
		if (n > 0) {
			look_at_events(o);
		} else if (n == 0) {
			o->again = o->soon = false;
			look_at_all(o);
		}
	}
}

int outside_start(struct store *store)
{
	struct outside *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return -ENOMEM;
	o->store = store;
	pthread_mutex_init(&o->looking, NULL);
	pthread_mutex_init(&o->mark_lock, NULL);
	o->end_fd = eventfd(0, EFD_CLOEXEC);
	r = o->end_fd < 0 ? -errno :
		ref_watch_new(git_repo_dir_fd(store->repo), &o->watch);
	if (r < 0 && o->end_fd >= 0) {
		log_warning("refs cannot be watched (%s): they are looked at "
			    "every second", strerror(-r));
		r = 0;
	}
	if (r == 0)
		r = thread_start(&o->thread, outside_main, o);
	if (r < 0) {
		ref_watch_free(o->watch);
		if (o->end_fd >= 0)
			close(o->end_fd);
		pthread_mutex_destroy(&o->looking);
		pthread_mutex_destroy(&o->mark_lock);
		free(o);
		return r;
	}
	store->outside = o;
	return 0;
}

void outside_stop(struct store *store)
{
	struct outside *o = store->outside;

	if (!o)
		return;
	eventfd_write(o->end_fd, 1);
	pthread_join(o->thread, NULL);
	ref_watch_free(o->watch);
	outside_waits_release(&o->waits);
	close(o->end_fd);
	pthread_mutex_destroy(&o->looking);
	pthread_mutex_destroy(&o->mark_lock);
	free(o);
	store->outside = NULL;
}
