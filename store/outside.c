/* SPDX-License-Identifier: ISC */
#include "store/merge_local.h"
#include "store/inside_private.h"
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
 * While a path that would change is open for writing the branch stays behind, and
 * it is tried again. */

#define SETTLE_MS 10		/* so that one push is one look */
#define AGAIN_MS 1000
#define INSIDE_MS 100		/* while git inside may go on at once */
#define NAME_TRIES 1000

struct outside {
	struct store *store;
	struct ref_watch *watch;	/* NULL: look every second */
	int end_fd;
	pthread_t thread;
	pthread_mutex_t looking;	/* before store->merging */
	_Atomic bool again;		/* something is not settled, */
	_Atomic bool soon;		/* which does not take long */
	/* looking: */
	struct oid told;		/* the last one that was told to wait */
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

/* Says why a branch cannot follow, once. */
static void wait_for_it(struct outside *o, const struct outside_change *change,
			int error, const struct report *report)
{
	o->again = true;
	if (oid_equal(&o->told, &change->seen))
		return;
	o->told = change->seen;
	log_warning("branch %s does not follow yet what another program made of "
		    "refs/heads/%s: %s", change->name, change->name,
		    *report->text ? report->text : strerror(-error));
}

/* ---- moved ---- */

struct following {
	struct branch *b;
	const struct outside_change *change;
	const struct caller *caller;
	struct branch_state ours;
	struct identity identity;
	bool inside;		/* git in the folder of the branch did it */
	bool conflict;
	uint64_t sequence;
	struct report *report;
};

static int switch_to(struct following *f, const struct delta *delta,
		     struct record *record)
{
	struct branch *const about[] = { f->b };
	int r = branch_switch(f->b, &f->ours, delta, record, 1, about, 1,
			      &f->sequence, f->report);

	records_release(record, 1);
	/* what is here and not in Git stays */
	f->conflict = r == -ENOTEMPTY;
	return f->conflict ? 0 : r;
}

/* Nothing that Git does not have may be in the way.  1: something is. */
static int check_own(struct following *f, const struct oid *tree,
		     struct delta **delta)
{
	const struct branch_state theirs = {
		.commit = f->change->seen, .tree = *tree,
	};
	static const struct oid none;
	int r = merge_local(f->b->store, &f->ours, &theirs, &none, delta, NULL);

	if (r != -ENOTEMPTY)
		return r;
	f->conflict = true;
	return 1;
}

static int move_on(struct following *f)
{
	scoped_delta struct delta *delta = NULL;
	struct odb *odb = f->b->store->odb;
	struct record record = {
		.kind = RECORD_MOVE, .branch = f->b->incarnation,
		.oid = f->change->seen,
	};
	struct commit *commit;
	int r = commit_read(odb, &record.oid, &commit);

	if (r < 0)
		return r;
	r = delta_between(odb, &f->ours.tree, &commit->tree, &delta);
	if (r == 0)
		r = check_own(f, &commit->tree, &delta);
	commit_free(commit);
	if (r)
		return r < 0 ? r : 0;
	return switch_to(f, delta, &record);
}

/* What git inside committed it has taken from files that are here, or has written
 * to them: they hold all of it already, as it was merged or edited since. */
static int keep_files(struct following *f, const struct merge_result *result)
{
	scoped_delta struct delta *nothing = NULL;
	const struct oid *tree = &f->ours.tree;
	scoped_buffer struct buffer text = { 0 };
	struct record record;
	int r = delta_between(f->b->store->odb, tree, tree, &nothing);

	f->conflict = false;
	if (r == 0)
		r = branch_merge_text("outside", f->change->name, result,
				      &text);
	if (r == 0)
		r = branch_commit_record(f->b, &f->identity, text.data, nothing,
					 &f->change->seen, &record);
	return r < 0 ? r : switch_to(f, nothing, &record);
}

static int merge_with(struct following *f)
{
	scoped(merge_result_release) struct merge_result result = { 0 };
	scoped_buffer struct buffer text = { 0 };
	struct store *store = f->b->store;
	struct merge_context context = {
		.odb = store->odb,
		.ours_label = f->change->name,
		.theirs_label = "outside",
		.driver_dir = store->driver_dir,
		.driver_seconds = store->options.driver_seconds,
	};
	struct record record;
	int r = merge_commits(store->repo, &context, &f->ours.commit,
			      &f->change->seen, &result, f->report);

	if (r < 0)
		return r;
	f->conflict = result.conflict_count > 0;
	if (f->conflict)
		return f->inside ? keep_files(f, &result) : 0;
	r = check_own(f, &result.tree, &result.changes);
	if (r)
		return r < 0 ? r : 0;
	r = branch_merge_text("outside", f->change->name, &result, &text);
	if (r == 0)
		r = branch_commit_record(f->b, &f->identity, text.data,
					 result.changes, &f->change->seen,
					 &record);
	return r < 0 ? r : switch_to(f, result.changes, &record);
}

/* Our commits have all that was seen: their ref can be written over it. */
static int go_ahead(struct following *f)
{
	struct record record = {
		.kind = RECORD_OUTSIDE, .branch = f->b->incarnation,
		.oid = f->change->seen,
	};
	struct branch *const about[] = { f->b };

	return store_queue(f->b->store, &record, 1, about, 1, &f->sequence);
}

static int follow_once(struct following *f)
{
	struct git_repo *repo = f->b->store->repo;
	const struct oid *seen = &f->change->seen;
	int r = branch_look(f->b, f->caller, &f->ours, f->report);

	if (r < 0)
		return r;
	if (oid_equal(&f->ours.commit, &f->change->before))
		return move_on(f);
	r = git_is_ancestor(repo, seen, &f->ours.commit);
	if (r == 1)
		return go_ahead(f);
	if (r == 0)
		r = git_is_ancestor(repo, &f->ours.commit, seen);
	if (r == 1)
		return move_on(f);
	return r < 0 ? r : merge_with(f);
}

/* 1: wait. */
static int follow_inside(struct following *f)
{
	int r = inside_follow(f->b, f->change, f->caller, &f->identity,
			      &f->sequence, f->report);

	return r == -ENOTSUP ? follow_once(f) : r;
}

/* Whether the ref is not any more where it was seen, or will not be at once. */
static bool is_past(struct following *f)
{
	f->b->git_waits =
		inside_went_on(f->b->store, f->b->incarnation,
			       &f->change->seen) &&
		inside_may_wait(f->b, &f->change->seen);
	return f->b->git_waits;
}

static int follow_locked(struct following *f)
{
	bool inside = inside_moved(f->b->store, f->b->incarnation,
				   &f->change->before, &f->change->seen);
	struct branch_tries tries = { f->b, inside ? NULL : f->caller };
	int r = -EAGAIN;

	if (!inside && is_past(f))
		return 1;
	f->inside = inside;
	while (r == -EAGAIN && branch_try(&tries))
		r = inside ? follow_inside(f) : follow_once(f);
	branch_tries_end(&tries);
	if (!inside)
		f->b->git_waits = f->b->git_died = false;
	return r == -EAGAIN ? branch_switch_gave_up(f->change->name, f->report)
			    : r;
}

/* Whether a live branch has that name and commit.  0, or why it cannot be made. */
static int check_name(struct store *store, const char *name,
		      const struct oid *commit, bool *ret_there)
{
	SCOPED_LOCK(&store->lock);
	const struct branch *b = store_find_locked(store, name);

	*ret_there = b && oid_equal(&b->head, commit);
	return *ret_there ? 0 : store_check_name_locked(store, name, NULL,
							NULL);
}

/* NAME.outside-N, the first that is free or that is what was pushed already; NULL:
 * no memory. */
static char *name_beside(struct following *f, bool *ret_there)
{
	for (unsigned int n = 1; n < NAME_TRIES; n++) {
		char *text;

		if (asprintf(&text, "%s.outside-%u", f->change->name, n) < 0)
			return NULL;
		if (check_name(f->b->store, text, &f->change->seen,
			       ret_there) == 0)
			return text;
		free(text);
	}
	return NULL;
}

/* What was pushed conflicts: it gets a name, and the report of merging it.  The
 * ref is ours when both are safe, so that dying in between and doing it again
 * ends the same. */
static int name_it(struct following *f)
{
	struct store *store = f->b->store;
	bool there;
	scoped_free char *name = name_beside(f, &there);
	struct branch *other;
	int r = !name ? -ENOMEM : there ? 0 :
		store_adopt_commit(store, &f->change->seen, name, f->report);

	if (r == 0)
		r = store_branch(store, name, &other);
	if (r < 0)
		return r;
	r = store_merge_seen(store, other, f->b, false, f->caller, f->report);
	branch_unref(other);
	if (r == -ENOTEMPTY)
		log_warning("refs/heads/%s was moved by another program to what "
			    "conflicts with branch %s: that is branch %s now. "
			    "%s", f->change->name, f->change->name, name,
			    f->report->text);
	return r < 0 && r != -ENOTEMPTY ? r : go_ahead(f);
}

static bool has_name(struct branch *b, const char *name)
{
	SCOPED_LOCK(&b->store->lock);
	return !b->dropped && !b->gone && strcmp(b->name, name) == 0;
}

static int follow(struct outside *o, struct branch *b,
		  const struct outside_change *change, struct report *report)
{
	struct caller caller;
	struct following f = {
		.b = b, .change = change, .report = report,
		.caller = caller_of(o, &caller),
	};
	int r = identity_init(&f.identity, o->store, f.caller);
	SCOPED_HOLD(o->store->odb);

	if (r < 0)
		return r;
	store_flush_mappings(o->store, b);
	housekeeping_pause(o->store->housekeeping);
	pthread_mutex_lock(&o->store->merging);
	/* nobody renames it from here on */
	r = has_name(b, change->name) ? follow_locked(&f) : -EAGAIN;
	pthread_mutex_unlock(&o->store->merging);
	housekeeping_resume(o->store->housekeeping);
	if (r == 0 && f.conflict)
		r = name_it(&f);
	identity_release(&f.identity);
	if (r == 1) {
		o->again = o->soon = true;
		return 0;
	}
	return r < 0 ? r : store_wait(o->store, f.sequence, report);
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

	if (!oid_is_zero(&change->seen))
		return follow(o, b, change, report);
	r = store_drop(o->store, b, caller_of(o, &caller), report);
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
	else if (r < 0)
		wait_for_it(o, change, r, &report);
	return 0;
}

/* ---- looking ---- */

static void set_mark(struct outside *o, const struct git_packed_mark *mark)
{
	SCOPED_LOCK(&o->mark_lock);
	o->mark = *mark;
}

static void look(struct outside *o, const char *name)
{
	SCOPED_LOCK(&o->looking);
	struct git_packed_mark mark;
	int r;

	git_packed_mark(o->store->repo, &mark);
	r = engine_look_outside(o->store->engine, name, settle, o);
	if (r < 0)
		o->again = true;
	else if (!name)
		set_mark(o, &mark);
	if (r < 0 && r != -EAGAIN)
		log_error("refs of the repository cannot be read: %s",
			  strerror(-r));
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
		look(o, NULL);
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

	look(o, NULL);
	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = o->end_fd, .events = POLLIN },
			{ .fd = o->watch ? ref_watch_fd(o->watch) : -1,
			  .events = POLLIN },
		};
		int n = poll(fds, 2, o->soon ? INSIDE_MS :
			     o->again || !o->watch ? AGAIN_MS : -1);

		if (fds[0].revents) {
			if (o->soon)
				look(o, NULL);
			return NULL;
		}
		if (n > 0) {
			look_at_events(o);
		} else if (n == 0) {
			o->again = o->soon = false;
			look(o, NULL);
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
	close(o->end_fd);
	pthread_mutex_destroy(&o->looking);
	pthread_mutex_destroy(&o->mark_lock);
	free(o);
	store->outside = NULL;
}
