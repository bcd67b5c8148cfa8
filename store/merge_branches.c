/* SPDX-License-Identifier: ISC */
#include "store/merge_local.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Merging branch source into branch target.
 *
 * Both are committed and published; what to do is computed from these commits
 * without any lock but store->merging, for as long as drivers take; then the
 * target's work tree is switched, and at that moment one cut with the merge and,
 * when consuming, the drop of the source is queued.  If the target had another
 * cut meanwhile, or the source that is consumed, all is done again from the new
 * commits (struct branch_tries).
 */

struct merging {
	struct store *store;
	struct branch *source, *target;
	struct branch_state theirs, ours;
	char *source_name, *target_name;
	bool consume;
	const struct caller *caller;
	struct identity identity;
	struct conflict_report *old;	/* of the last try, or NULL */
	uint64_t sequence;		/* to wait for */
	bool told;			/* source's reports are others now */
	bool consumed;
	struct branch_tries tries;	/* at switching the target */
	struct report *report;
};

static void merging_release(struct merging *m)
{
	free(m->source_name);
	free(m->target_name);
	identity_release(&m->identity);
	conflict_report_free(m->old);
}

/* ---- before ---- */

static int check_live_locked(struct branch *b, struct report *report)
{
	if (!b->dropped && !b->gone)
		return 0;
	return report_set(report, -ENOENT, "Branch %s was dropped.", b->name);
}

/* Names and reports stay as they are while store->merging is held. */
static int read_names(struct merging *m)
{
	struct conflict_report *old;
	int r;

	SCOPED_LOCK(&m->store->lock);
	r = check_live_locked(m->source, m->report);
	if (r == 0)
		r = check_live_locked(m->target, m->report);
	if (r < 0)
		return r;
	m->source_name = strdup(m->source->name);
	m->target_name = strdup(m->target->name);
	old = branch_report_locked(m->source, m->target->incarnation);
	if (old)
		m->old = conflict_report_copy(old);
	if (!m->source_name || !m->target_name || (old && !m->old))
		return -ENOMEM;
	return 0;
}

/* Consuming a branch that a work tree outside has checked out would take its
 * HEAD's branch away. */
static int check(struct merging *m)
{
	scoped_free char *folder = NULL;
	int r = store_check_writable(m->store, m->report);

	if (r == 0)
		r = branch_check_writable(m->target, m->report);
	if (r == 0 && m->consume)
		r = branch_check_writable(m->source, m->report);
	if (r < 0)
		return r;
	if (m->source == m->target)
		return report_set(m->report, -EINVAL,
				  "A branch cannot be merged into itself.");
	r = read_names(m);
	if (r < 0 || !m->consume)
		return r;
	folder = git_branch_checked_out(m->store->repo, m->source_name);
	if (folder)
		return report_set(m->report, -EBUSY, "Branch %s is checked out "
				  "in %s, so the merge cannot take it away: "
				  "write its name to .irmin/merge instead.",
				  m->source_name, folder);
	return 0;
}

/* ---- the source, when it is consumed ---- */

struct writer {
	char *path;
	bool found;
};

/* A file that was removed is no part of the branch, whoever writes to it. */
static void note_writer(void *context, struct node *n)
{
	struct writer *w = context;
	struct stat status;

	if (w->found || (node_stat(n, &status) == 0 && status.st_nlink == 0))
		return;
	w->found = true;
	w->path = node_path(n);
}

static int check_writers(struct merging *m)
{
	struct writer w = { 0 };
	int r = worktree_each_writer(m->source->worktree, note_writer, &w);

	if (w.found)
		r = report_set(m->report, -EBUSY, "\"%s\" of branch %s is open "
			       "for writing: close it, then try again.",
			       w.path ? w.path : "", m->source_name);
	free(w.path);
	return r;
}

static int check_target_paths(struct merging *m, const struct delta *delta)
{
	scoped_free char *path = NULL;

	path = worktree_busy_path(m->target->worktree, delta);
	if (!path)
		return 0;
	return report_set(m->report, -EBUSY, "\"%s\" of branch %s is open for "
			  "writing: close it, then try again.", path,
			  m->target_name);
}

/* From here on nothing changes the source.  Who tries gets an error although
 * the merge may still be refused: so everything that can be known is checked
 * first.  -EAGAIN: it has changed since theirs. */
static int freeze(struct merging *m)
{
	struct worktree *w = m->source->worktree;
	struct timespec since;
	int r;

	branch_refuse(m->source, -ENOENT);
	r = check_writers(m);
	if (r == 0 && (worktree_is_changed(w, &since) ||
		       m->source->sequence != m->theirs.sequence))
		r = -EAGAIN;
	if (r < 0)
		branch_refuse(m->source, 0);
	return r;
}

/* The source was dropped by the cut of the merge.  It is forgotten by a second
 * one, queued when nobody can find it any more, so that a fork made of it in
 * between has something to be made of. */
static void forget_source(struct merging *m)
{
	struct branch *source = m->source;
	struct record record = {
		.kind = RECORD_EXPIRE, .branch = source->incarnation,
	};
	int r;

	pthread_mutex_lock(&m->store->lock);
	r = store_queue(m->store, &record, 1, &source, 1, &m->sequence);
	/* otherwise it stays among the dropped ones, which is no harm */
	store_remove_locked(m->store, source, r < 0 ? store_now(m->store) : 0);
	pthread_mutex_unlock(&m->store->lock);
	if (r == 0)
		branch_unref(source);
	m->consumed = true;
}

/* ---- the commit point ---- */

#define RECORDS_FIXED 2		/* the merge, the drop */

/* Reports that end with the merge: that of the pair, or all of a source that
 * ends too. */
static void add_report_ends(struct merging *m, struct record *records,
			    size_t *count)
{
	SCOPED_LOCK(&m->store->lock);
	for (size_t i = 0; i < m->source->report_count; i++) {
		uint64_t target = m->source->reports[i]->target;

		if (!m->consume && target != m->target->incarnation)
			continue;
		records[(*count)++] = (struct record){
			.kind = RECORD_CONFLICTS, .from = target,
			.branch = m->source->incarnation,
		};
	}
}

static void end_reports(struct merging *m)
{
	SCOPED_LOCK(&m->store->lock);
	for (size_t i = m->source->report_count; i-- > 0;) {
		uint64_t target = m->source->reports[i]->target;

		if (m->consume || target == m->target->incarnation) {
			branch_set_report_locked(m->source, target, NULL);
			m->told = true;
		}
	}
}

/* Queues the records; with a delta, at the moment of switching the target. */
static int commit(struct merging *m, const struct delta *delta,
		  struct record *records, size_t count)
{
	struct branch *const about[] = { m->target, m->source };

	if (delta)
		return branch_switch(m->target, &m->ours, delta, records, count,
				     about, 2, &m->sequence, m->report);
	if (count == 0)
		return 0;
	return store_queue(m->store, records, count, about, 2, &m->sequence);
}

static int commit_frozen(struct merging *m, const struct delta *delta,
			 struct record *records, size_t count)
{
	int r = m->consume && delta ? check_target_paths(m, delta) : 0;

	if (r == 0 && m->consume)
		r = freeze(m);
	if (r < 0)
		return r;
	r = commit(m, delta, records, count);
	if (r < 0 && m->consume)
		branch_refuse(m->source, 0);
	return r;
}

/* Ends a merge that has no conflicts.  delta leads from ours to what the record
 * makes of the target; both are NULL when that stays as it is. */
static int complete(struct merging *m, const struct delta *delta,
		    struct record *record)
{
	size_t count = 0, most = m->source->report_count + RECORDS_FIXED;
	scoped_free struct record *records = calloc(most, sizeof(*records));
	int r;

	if (!records) {
		if (record)
			records_release(record, 1);
		return -ENOMEM;
	}
	if (record)
		records[count++] = *record;
	add_report_ends(m, records, &count);
	if (m->consume)
		records[count++] = (struct record){
			.kind = RECORD_DROP, .branch = m->source->incarnation,
		};
	r = commit_frozen(m, delta, records, count);
	records_release(records, count);
	if (r < 0)
		return r;
	end_reports(m);
	if (m->consume)
		forget_source(m);
	return 0;
}

/* ---- conflicts ---- */

static struct conflict *find_conflict(struct conflict_report *report,
				      const char *path)
{
	for (size_t i = 0; report && i < report->count; i++)
		if (strcmp(report->conflicts[i].path, path) == 0)
			return &report->conflicts[i];
	return NULL;
}

#define SAME_SIDE(a, b)                                                        \
	(mode_stored((a).mode) == mode_stored((b).mode) &&                     \
	 ((a).mode == 0 || oid_equal(&(a).oid, &(b).oid)))

/* A conflict that was there before keeps its number, and, if the target's side
 * and the base are the same, its sides: a file that was edited since to resolve
 * it then still counts as edited. */
static void inherit(struct conflict_report *old, struct conflict *c,
		    uint32_t *last)
{
	struct conflict *before = find_conflict(old, c->path);

	c->number = before ? before->number : ++*last;
	if (!before || !SAME_SIDE(before->ours, c->ours) ||
	    !SAME_SIDE(before->base, c->base))
		return;
	c->theirs = before->theirs;
	c->merged = before->merged;
	c->suggested = before->suggested;
}

/* What was resolved stays so; old gives it away. */
static int keep_resolved(struct conflict_report *old,
			 struct conflict_report *report)
{
	int r = 0;

	for (size_t i = 0; old && r == 0 && i < old->count; i++)
		if (old->conflicts[i].resolved)
			r = report_add(report, &old->conflicts[i]);
	return r;
}

static int fill_report(struct merging *m, struct merge_result *result,
		       struct conflict_report *report)
{
	uint32_t last = branch_last_conflict(m->source);
	size_t count = result->conflict_count < CONFLICTS_MAX ?
			       result->conflict_count : CONFLICTS_MAX;
	int r = 0;

	report->source = m->source->incarnation;
	report->target = m->target->incarnation;
	report->ours = m->ours.commit;
	report->theirs = m->theirs.commit;
	report->target_name = strdup(m->target_name);
	if (!report->target_name)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++) {
		inherit(m->old, &result->conflicts[i], &last);
		r = report_add(report, &result->conflicts[i]);
	}
	if (r == 0)
		r = keep_resolved(m->old, report);
	report_sort(report);
	return r;
}

static int refuse_conflicts(struct merging *m, struct merge_result *result)
{
	struct conflict_report *report = conflict_report_new();
	size_t count = result->conflict_count;
	char first[256];
	int r;

	if (!report)
		return -ENOMEM;
	snprintf(first, sizeof(first), "%s", result->conflicts[0].path);
	r = fill_report(m, result, report);
	if (r < 0) {
		conflict_report_free(report);
		return r;
	}
	r = branch_save_report(m->source, m->target->incarnation, report,
			       &m->sequence);
	if (r < 0)
		return r;
	m->told = true;
	return report_set(m->report, -ENOTEMPTY, "%zu path%s in conflict "
			  "between %s and %s, such as \"%s\": see "
			  "%s/.irmin/conflicts, or irminfs conflicts.", count,
			  count == 1 ? " is" : "s are", m->source_name,
			  m->target_name, first, m->source_name);
}

/* What was resolved counts as long as the target's side is the one that was
 * looked at then. */
static int drop_outdated(struct merging *m)
{
	for (size_t i = 0; m->old && i < m->old->count; i++) {
		struct conflict *c = &m->old->conflicts[i];
		struct tree_entry now = { 0 };
		int r = tree_resolve(m->store->odb, &m->ours.tree, c->path,
				     &now);

		if (r < 0 && r != -ENOENT && r != -ENOTDIR)
			return r;
		if (!SAME_SIDE(c->ours, now))
			c->resolved = false;
	}
	return 0;
}

/* ---- one attempt ---- */

static int merge_both(struct merging *m, struct merge_result *ret)
{
	scoped_free const char **resolved = NULL;
	struct merge_context context = {
		.odb = m->store->odb,
		.ours_label = m->target_name,
		.theirs_label = m->source_name,
		.driver_dir = m->store->driver_dir,
		.driver_seconds = m->store->options.driver_seconds,
	};
	int r = drop_outdated(m);

	if (r == 0 && m->old)
		r = report_resolved(m->old, &resolved, &context.resolved_count);
	if (r < 0)
		return r;
	context.resolved = resolved;
	return merge_commits(m->store->repo, &context, &m->ours.commit,
			     &m->theirs.commit, ret, m->report);
}

/* The text that was written to .irmin/message goes before ours. */
static int merge_record(struct merging *m, const struct merge_result *result,
			struct record *ret)
{
	scoped_free char *message = branch_message(m->target);
	scoped_buffer struct buffer text = { 0 };
	int r = branch_merge_text(m->source_name, m->target_name, result,
				  &text);

	if (r == 0)
		r = branch_commit_record(m->target, &m->identity,
					 message ? message : text.data,
					 result->changes, &m->theirs.commit,
					 ret);
	if (r == 0)
		merge_local_note(ret, &m->theirs);
	return r;
}

static int merge(struct merging *m)
{
	scoped(merge_result_release) struct merge_result result = { 0 };
	struct record record;
	int r = merge_both(m, &result);

	if (r == 0 && result.conflict_count)
		return refuse_conflicts(m, &result);
	if (r == 0)
		r = merge_local(m->store, &m->ours, &m->theirs, &result.base,
				&result.changes, m->report);
	if (r == 0)
		r = merge_record(m, &result, &record);
	if (r == 0)
		r = complete(m, result.changes, &record);
	if (r == 0)
		branch_set_message(m->target, "");
	return r;
}

static int fast_forward(struct merging *m)
{
	scoped_delta struct delta *delta = NULL;
	struct record record = {
		.kind = RECORD_MOVE, .branch = m->target->incarnation,
		.oid = m->theirs.commit,
	};
	int r = delta_between(m->store->odb, &m->ours.tree, &m->theirs.tree,
			      &delta);

	if (r == 0)
		r = merge_local(m->store, &m->ours, &m->theirs, &m->ours.commit,
				&delta, m->report);
	if (r == 0)
		r = delta_copy(delta, &record.delta);
	if (r < 0)
		return r;
	merge_local_note(&record, &m->theirs);
	return complete(m, delta, &record);
}

/* Git has nothing to merge; the local face may have. */
static int merge_face(struct merging *m)
{
	scoped_delta struct delta *delta = NULL;
	scoped_buffer struct buffer text = { 0 };
	struct record record;
	int r = delta_between(m->store->odb, &m->ours.tree, &m->ours.tree,
			      &delta);

	if (r == 0)
		r = merge_local(m->store, &m->ours, &m->theirs,
				&m->theirs.commit, &delta, m->report);
	if (r == 0 && !delta->count && !delta->local)
		return complete(m, NULL, NULL);
	if (r == 0)
		r = buffer_printf(&text, "Merge branch '%s' into %s",
				  m->source_name, m->target_name);
	if (r == 0)
		r = branch_commit_record(m->target, &m->identity, text.data,
					 delta, NULL, &record);
	if (r < 0)
		return r;
	merge_local_note(&record, &m->theirs);
	return complete(m, delta, &record);
}

static int attempt(struct merging *m)
{
	struct git_repo *repo = m->store->repo;
	const struct oid *ours = &m->ours.commit, *theirs = &m->theirs.commit;
	int r = 0;

	/* One that stays may be what it was: who writes to it all the time
	 * brings no other names then. */
	if (m->consume || !branch_tries_hold(&m->tries) ||
	    oid_is_zero(&m->theirs.commit))
		r = branch_look(m->source, m->caller, &m->theirs, m->report);
	if (r == 0)
		r = branch_look(m->target, m->caller, &m->ours, m->report);
	if (r == 0 && m->consume)
		r = check_writers(m);
	if (r < 0)
		return r;
	r = git_is_ancestor(repo, theirs, ours);
	if (r == 1)
		return merge_face(m);
	if (r == 0)
		r = git_is_ancestor(repo, ours, theirs);
	if (r == 1)
		return fast_forward(m);
	return r < 0 ? r : merge(m);
}

static int run(struct merging *m)
{
	int r = check(m);

	if (r == 0)
		r = identity_init(&m->identity, m->store, m->caller);
	if (r < 0)
		return r;
	store_flush_mappings(m->store, m->source);
	store_flush_mappings(m->store, m->target);
	r = -EAGAIN;
	while (r == -EAGAIN && branch_try(&m->tries))
		r = attempt(m);
	branch_tries_end(&m->tries);
	return r == -EAGAIN ? branch_switch_gave_up(m->target_name, m->report)
			    : r;
}

int store_merge(struct store *store, struct branch *source,
		struct branch *target, bool consume,
		const struct caller *caller, struct report *report)
{
	outside_catch_up(store, source);
	outside_catch_up(store, target);
	return store_merge_seen(store, source, target, consume, caller, report);
}

int store_merge_seen(struct store *store, struct branch *source,
		     struct branch *target, bool consume,
		     const struct caller *caller, struct report *report)
{
	scoped(merging_release) struct merging m = {
		.store = store, .source = source, .target = target,
		.consume = consume, .caller = caller, .report = report,
		.tries = { .b = target, .caller = caller },
	};
	int r, waited;
	SCOPED_HOLD(store->odb);

	housekeeping_pause(store->housekeeping);
	/* until the cut has them, nothing may refer to faces that were merged */
	housekeeping_pause(store->local_housekeeping);
	pthread_mutex_lock(&store->merging);
	r = run(&m);
	pthread_mutex_unlock(&store->merging);
	housekeeping_resume(store->housekeeping);
	if (m.consumed)
		store_names_changed(store, m.source_name);
	else if (m.told)
		store_conflicts_changed(store, source);
	waited = r < 0 && r != -ENOTEMPTY ? 0 :
		 store_wait(store, m.sequence, report);
	housekeeping_resume(store->local_housekeeping);
	if (r < 0)
		return report_set(report, r, "The merge failed: %s.",
				  strerror(-r));
	return waited;
}
