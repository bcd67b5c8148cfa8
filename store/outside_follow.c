/* SPDX-License-Identifier: ISC */
#include "store/inside_private.h"
#include "store/merge_local.h"
#include "store/outside_follow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_TRIES 1000

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

int outside_follow(struct branch *b, const struct outside_change *change,
		   const struct caller *caller, struct report *report)
{
	struct store *store = b->store;
	struct following f = {
		.b = b, .change = change, .report = report, .caller = caller,
	};
	int r = identity_init(&f.identity, store, caller);
	SCOPED_HOLD(store->odb);

	if (r < 0)
		return r;
	store_flush_mappings(store, b);
	housekeeping_pause(store->housekeeping);
	pthread_mutex_lock(&store->merging);
	/* nobody renames it from here on */
	r = has_name(b, change->name) ? follow_locked(&f) : -EAGAIN;
	pthread_mutex_unlock(&store->merging);
	housekeeping_resume(store->housekeeping);
	if (r == 0 && f.conflict)
		r = name_it(&f);
	identity_release(&f.identity);
	return r ? r : store_wait(store, f.sequence, report);
}
