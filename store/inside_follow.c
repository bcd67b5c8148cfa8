/* SPDX-License-Identifier: ISC */
#include "store/inside_private.h"

#include <errno.h>
#include <string.h>

/* A work tree that git changes is ours to commit: whatever git does to the ref,
 * what the files hold now is what the branch holds. */

#define AUTOMATIC_MOST 10000	/* commits looked at */

/* ---- whether our commits may give way ---- */

/* One that fsync or the timer made, with a message of ours. */
static bool is_automatic(const struct commit *commit)
{
	return commit->parent_count == 1 &&
	       (strncmp(commit->message, "Update ", 7) == 0 ||
		strncmp(commit->message, "Remove ", 7) == 0) &&
	       strstr(commit->message, "\n\nIrmin-Operation: ");
}

/* Between `before` and head.  1 or 0. */
static int are_automatic(struct branch *b, const struct oid *head,
			 const struct oid *before)
{
	struct oid at = *head;

	for (int i = 0; i < AUTOMATIC_MOST; i++) {
		scoped_commit struct commit *commit = NULL;
		int r;

		if (oid_equal(&at, before))
			return 1;
		r = commit_read(b->store->odb, &at, &commit);
		if (r < 0)
			return r;
		if (!is_automatic(commit))
			return 0;
		at = commit->parents[0];
	}
	return 0;
}

/* ---- whether to wait ---- */

bool inside_may_wait(struct branch *b, const struct oid *seen)
{
	int64_t now = store_now(b->store);

	if (b->store->closing || b->git_hurries)
		return false;
	if (!oid_equal(&b->git_seen, seen)) {
		b->git_seen = *seen;
		b->git_since = now;
	}
	return now >= b->git_since && now - b->git_since <
			(int64_t)b->store->options.commit_seconds;
}

/* Something was not committed by git: a commit may follow that does, until the
 * timer or an fsync does it. */
static bool waits(const struct inside_following *f)
{
	return oid_equal(&f->ours.commit, f->before) &&
	       inside_may_wait(f->b, f->seen);
}

/* ---- following ---- */

int inside_move(struct inside_following *f, const struct delta *changes,
		const struct oid *tree)
{
	struct branch *const about[] = { f->b };
	scoped_delta struct delta *rest = NULL;
	struct record records[3] = {
		{ .kind = RECORD_OUTSIDE, .branch = f->b->incarnation,
		  .oid = *f->seen },
		{ .kind = RECORD_MOVE, .branch = f->b->incarnation,
		  .oid = *f->seen },
	};
	bool differs = !oid_equal(&f->tree, tree);
	int r = 0;

	if (differs)
		r = delta_between(f->b->store->odb, &f->tree, tree, &rest);
	if (r == 0 && differs)
		r = branch_commit_record(f->b, f->identity, NULL, rest, NULL,
					 &records[2]);
	if (r == 0)
		r = branch_switch(f->b, &f->ours, changes, records,
				  differs ? 3 : 2, about, 1, &f->sequence,
				  f->report);
	records_release(records, 3);
	return r;
}

/* The files stay; a commit on top of seen has what it has not. */
static int move(struct inside_following *f)
{
	scoped_delta struct delta *nothing = NULL;
	int r = delta_between(f->b->store->odb, &f->ours.tree, &f->ours.tree,
			      &nothing);

	return r < 0 ? r : inside_move(f, nothing, &f->ours.tree);
}

int inside_check_automatic(struct inside_following *f)
{
	int r = are_automatic(f->b, &f->ours.commit, f->before);

	return r < 0 ? r : r ? 0 : -ENOTSUP;
}

/* What git's commits do not have and rules ignore stays where it is, beside Git:
 * `git rm --cached`.  Commits of ours that give way do not say otherwise, others do.
 * When it is about to be captured: until then a commit may bring it back. */
int inside_untrack(struct inside_following *f)
{
	scoped_commit struct commit *commit = NULL;
	scoped_delta struct delta *delta = NULL;
	struct odb *odb = f->b->store->odb;
	struct oid from = f->ours.tree;
	int r = are_automatic(f->b, &f->ours.commit, f->before);

	if (r == 0 && oid_is_zero(f->before))
		return 0;
	if (r == 0) {
		r = commit_read(odb, f->before, &commit);
		if (r == 0)
			from = commit->tree;
	}
	if (r >= 0)
		r = delta_between(odb, &from, &f->tree, &delta);
	return r < 0 ? r : worktree_untrack(f->b->worktree, delta,
					    f->exact ? &f->changes : NULL);
}

/* What was written since consider is not to be committed at once. */
static int look(struct inside_following *f, const struct caller *caller)
{
	int r = inside_untrack(f);

	return r < 0 ? r : branch_look_unchanged(f->b, caller,
						 f->exact ? &f->changes : NULL,
						 &f->ours, f->report);
}

/* Whether to wait: 1; or to go on: 0. */
static int consider(struct inside_following *f)
{
	scoped_delta struct delta *delta = NULL;
	int r;

	if (oid_equal(&f->tree, &f->ours.tree))
		return 0;
	r = delta_between(f->b->store->odb, &f->ours.tree, &f->tree, &delta);
	if (r < 0)
		return r;
	/* `git add -f`, and what rules have ignored since git committed it: were
	 * they applied after this, our commit would remove it again */
	branch_apply_rules(f->b);
	r = worktree_track(f->b->worktree, delta);
	if (r < 0)
		return r;
	f->changes = worktree_changes(f->b->worktree);
	f->exact = inside_has_all_changed(f->b, delta);
	return f->exact ? 0 : waits(f);
}

static int follow(struct inside_following *f, const struct caller *caller)
{
	scoped_commit struct commit *commit = NULL;
	int r = commit_read(f->b->store->odb, f->seen, &commit);

	if (r == 0)
		r = branch_peek(f->b, &f->ours);
	if (r < 0)
		return r;
	f->tree = commit->tree;
	r = consider(f);
	if (r)
		return r;
	if (!oid_equal(&f->tree, &f->ours.tree))
		r = look(f, caller);
	if (r == 0)
		r = inside_check_automatic(f);
	return r < 0 ? r : move(f);
}

int inside_follow(struct branch *b, const struct outside_change *change,
		  const struct caller *caller,
		  const struct identity *identity, uint64_t *ret_sequence,
		  struct report *report)
{
	struct inside_following f = {
		.b = b, .identity = identity, .before = &change->before,
		.seen = &change->seen, .report = report,
	};
	int r;

	if (b->git_died)
		return inside_recover(b, change, caller, identity,
				      ret_sequence, report);
	/* what is committed here must not be written over it */
	b->git_waits = true;
	r = follow(&f, caller);
	if (r == 0 || r == -ENOTSUP) {
		b->git_waits = false;
		b->git_seen = (struct oid){ { 0 } };
	}
	if (r == 0)
		*ret_sequence = f.sequence;
	return r;
}
