/* SPDX-License-Identifier: ISC */
#include "store/merge_local.h"

#include <errno.h>
#include <string.h>

/* Conflicts of a branch with the branches that it was merged into, and their
 * resolution: section 1 of the design. */

/* ---- looking ---- */

static int compare_reports(const void *a, const void *b)
{
	struct conflict_report *const *x = a, *const *y = b;
	uint32_t least[2] = { UINT32_MAX, UINT32_MAX };

	for (size_t i = 0; i < (*x)->count; i++)
		if ((*x)->conflicts[i].number < least[0])
			least[0] = (*x)->conflicts[i].number;
	for (size_t i = 0; i < (*y)->count; i++)
		if ((*y)->conflicts[i].number < least[1])
			least[1] = (*y)->conflicts[i].number;
	return least[0] < least[1] ? -1 : least[0] > least[1];
}

/* The target may have another name by now. */
static int copy_report_locked(struct branch *b,
			      const struct conflict_report *report,
			      struct conflict_report **ret)
{
	struct conflict_report *copy = conflict_report_copy(report);
	struct branch *target =
		store_find_incarnation_locked(b->store, report->target);
	char *name;

	if (!copy)
		return -ENOMEM;
	if (target && !target->dropped) {
		name = strdup(target->name);
		if (!name) {
			conflict_report_free(copy);
			return -ENOMEM;
		}
		free(copy->target_name);
		copy->target_name = name;
	}
	*ret = copy;
	return 0;
}

static void free_reports(struct conflict_report **reports, size_t count)
{
	while (count)
		conflict_report_free(reports[--count]);
	free(reports);
}

int branch_conflicts(struct branch *b, struct conflict_report ***ret,
		     size_t *ret_count)
{
	struct conflict_report **reports;
	size_t count = 0;
	int r = 0;

	SCOPED_LOCK(&b->store->lock);
	reports = calloc(b->report_count + 1, sizeof(*reports));
	if (!reports)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < b->report_count; i++) {
		r = copy_report_locked(b, b->reports[i], &reports[count]);
		count += r == 0;
	}
	if (r < 0) {
		free_reports(reports, count);
		return r;
	}
	qsort(reports, count, sizeof(*reports), compare_reports);
	*ret = reports;
	*ret_count = count;
	return 0;
}

/* ---- resolving one ---- */

struct resolving {
	struct branch *b;
	struct worktree *tree;
	char *name;
	const struct caller *caller;
	struct identity identity;
	struct conflict_report *conflicts;	/* a copy */
	struct conflict *c;			/* of it */
	uint64_t sequence;			/* to wait for */
	struct report *report;
};

static void resolving_release(struct resolving *v)
{
	free(v->name);
	identity_release(&v->identity);
	conflict_report_free(v->conflicts);
}

static struct conflict *find_number(struct conflict_report *report,
				    uint32_t number)
{
	for (size_t i = 0; i < report->count; i++)
		if (report->conflicts[i].number == number &&
		    !report->conflicts[i].resolved)
			return &report->conflicts[i];
	return NULL;
}

static int find(struct resolving *v, uint32_t number)
{
	struct branch *b = v->b;
	int r = -ENOENT;

	SCOPED_LOCK(&b->store->lock);
	if (b->dropped || b->gone)
		return report_set(v->report, -ENOENT, "Branch %s was dropped.",
				  b->name);
	for (size_t i = 0; r == -ENOENT && i < b->report_count; i++)
		if (find_number(b->reports[i], number))
			r = copy_report_locked(b, b->reports[i], &v->conflicts);
	if (r < 0)
		return report_set(v->report, r,
				  "Branch %s has no conflict number %u.",
				  b->name, number);
	v->c = find_number(v->conflicts, number);
	v->name = strdup(b->name);
	return v->name ? 0 : -ENOMEM;
}

/* ---- whether the file is as it was ---- */

static int compare_bytes(struct node *n, struct contents *stored, uint64_t size)
{
	enum { PIECE = 65536 };
	scoped_free char *a = malloc(2 * PIECE);
	char *b = a + PIECE;

	if (!a)
		return -ENOMEM;
	for (uint64_t at = 0; at < size;) {
		ssize_t n_a = node_read(n, a, PIECE, at);
		ssize_t n_b = contents_read(stored, b, PIECE, at);

		if (n_a < 0 || n_b < 0)
			return n_a < 0 ? n_a : n_b;
		if (n_a != n_b || n_a == 0 || memcmp(a, b, n_a) != 0)
			return 0;
		at += n_a;
	}
	return 1;
}

/* 1: the file's bytes are those of theirs; never holds either whole. */
static int has_bytes(struct resolving *v, struct node *n,
		     const struct stat *status, const struct oid *oid)
{
	struct store *store = v->b->store;
	struct contents *stored;
	uint64_t size;
	int r = contents_stored_size(store->odb, oid, v->c->theirs.mode, &size);

	if (r < 0 || size != (uint64_t)status->st_size)
		return r < 0 ? r : 0;
	r = contents_open(store->pool, oid, size, &stored);
	if (r < 0)
		return r;
	r = compare_bytes(n, stored, size);
	contents_unref(stored);
	return r;
}

/* Everything but files is compared as Git would store it. */
static int is_stored_as(struct resolving *v, const struct oid *oid,
			uint32_t mode)
{
	struct branch_state state;
	struct tree_entry entry;
	int r = branch_look(v->b, v->caller, &state, v->report);

	if (r == 0)
		r = tree_resolve(v->b->store->odb, &state.tree, v->c->path,
				 &entry);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r < 0)
		return r;
	return entry.mode == mode && oid_equal(&entry.oid, oid);
}

static int is_node_untouched(struct resolving *v, struct node *n)
{
	uint32_t mode = v->c->theirs.mode;
	struct stat status;
	int r = node_stat(n, &status);

	if (r < 0)
		return r;
	if (!S_ISREG(status.st_mode) || !mode_is_file(mode))
		return is_stored_as(v, &v->c->theirs.oid, mode);
	if (!(status.st_mode & S_IXUSR) == mode_is_executable(mode))
		return 0;
	return has_bytes(v, n, &status, &v->c->theirs.oid);
}

/* 1: the branch has at that path what the report says. */
static int is_untouched(struct resolving *v)
{
	struct node *n;
	int r = worktree_lookup(v->tree, v->c->path, &n);

	if (r == -ENOENT || r == -ENOTDIR)
		return v->c->theirs.mode == 0;
	if (r < 0)
		return r;
	r = is_node_untouched(v, n);
	node_unref(n);
	return r;
}

int branch_conflict_is_touched(struct branch *b, uint32_t number,
			       const struct caller *caller)
{
	scoped(resolving_release) struct resolving v = {
		.b = b, .caller = caller,
	};
	int r = find(&v, number);

	if (r == 0)
		r = branch_worktree(b, &v.tree);
	if (r == 0)
		r = is_untouched(&v);
	return r < 0 ? r : !r;
}

static int check_edited(struct resolving *v)
{
	int r = is_untouched(v);

	if (r < 0)
		return report_set(v->report, r, "\"%s\" cannot be read: %s.",
				  v->c->path, strerror(-r));
	if (r == 0)
		return 0;
	return report_set(v->report, -EPERM, "\"%s\" of branch %s is as it was "
			  "when the conflict came up: write what is right into "
			  "it, or use irminfs resolve %s --ours, --theirs or "
			  "--as-is.", v->c->path, v->name, v->name);
}

/* ---- taking a side ---- */

/* Adds path to a delta, with the folders on the way. */
static int add_path(struct delta *delta, const char *path, uint32_t mode,
		    const struct oid *oid)
{
	const char *slash = strchr(path, '/');
	scoped_free char *name = slash ? strndup(path, slash - path) :
					 strdup(path);
	struct delta_entry *entry;

	if (!name)
		return -ENOMEM;
	entry = delta_add(delta, slash ? DELTA_DIRECTORY :
			  mode ? DELTA_OBJECT : DELTA_REMOVED,
			  slash ? MODE_TREE : mode, name);
	if (!entry)
		return -ENOMEM;
	if (!slash) {
		entry->oid = *oid;
		return 0;
	}
	entry->directory = delta_new(false);
	if (!entry->directory)
		return -ENOMEM;
	return add_path(entry->directory, slash + 1, mode, oid);
}

/* The tree with another object at path. */
static int put_path(struct odb *odb, const struct oid *tree, const char *path,
		    uint32_t mode, const struct oid *oid, struct oid *ret_tree)
{
	scoped_delta struct delta *delta = delta_new(false);
	int r = delta ? add_path(delta, path, mode, oid) : -ENOMEM;

	if (r == 0)
		r = delta_store(delta, odb, tree);
	if (r == 0)
		*ret_tree = delta->oid;
	return r;
}

static int side_text(struct resolving *v, const char *side, struct buffer *ret)
{
	int r = buffer_puts(ret, "Resolve ");

	if (r == 0)
		r = quote_path(v->c->path, ret);
	return r == 0 ? buffer_printf(ret, ": %s", side) : r;
}

/* What the target was at, with its face if it still is. */
static int target_state(struct resolving *v, struct branch_state *ret)
{
	struct store *store = v->b->store;
	struct branch_state state = {
		.commit = v->conflicts->ours,
		.incarnation = v->conflicts->target,
	};
	struct commit *commit;
	struct branch *b;
	int r = commit_read(store->odb, &state.commit, &commit);

	if (r < 0)
		return r;
	state.tree = commit->tree;
	commit_free(commit);
	pthread_mutex_lock(&store->lock);
	b = store_find_incarnation_locked(store, v->conflicts->target);
	if (b && oid_equal(&b->head, &state.commit))
		state.face = b->local;
	pthread_mutex_unlock(&store->lock);
	*ret = state;
	return 0;
}

/* Switches the branch from state to tree, with a commit; merged: to what the
 * merge makes of it, and settled. */
static int switch_to(struct resolving *v, const struct branch_state *state,
		     const struct oid *tree, const char *text,
		     const struct merge_result *merged)
{
	struct branch_state target = { 0 };
	scoped_delta struct delta *delta = NULL;
	struct record records[2] = {
		{ 0 },
		{ .kind = RECORD_CONFLICTS, .branch = v->b->incarnation,
		  .from = v->conflicts->target },
	};
	int r = delta_between(v->b->store->odb, &state->tree, tree, &delta);

	if (r == 0 && merged)
		r = target_state(v, &target);
	if (r == 0 && merged)
		r = merge_local(v->b->store, state, &target, &merged->base,
				&delta, v->report);
	if (r == 0)
		r = branch_commit_record(v->b, &v->identity, text, delta,
					 merged ? &target.commit : NULL,
					 &records[0]);
	if (r == 0 && merged)
		merge_local_note(&records[0], &target);
	if (r == 0)
		r = branch_switch(v->b, state, delta, records, merged ? 2 : 1,
				  &v->b, 1, &v->sequence, v->report);
	records_release(records, 2);
	return r;
}

static int put_side(struct resolving *v, uint32_t mode, const struct oid *oid,
		    const char *side)
{
	scoped_buffer struct buffer text = { 0 };
	struct branch_state state;
	struct oid tree;
	int r = branch_look(v->b, v->caller, &state, v->report);

	if (r == 0)
		r = put_path(v->b->store->odb, &state.tree, v->c->path, mode,
			     oid, &tree);
	if (r < 0 || oid_equal(&tree, &state.tree))
		return r;
	r = side_text(v, side, &text);
	return r < 0 ? r : switch_to(v, &state, &tree, text.data, NULL);
}

static int choose(struct resolving *v, enum resolve_choice choice)
{
	const struct conflict *c = v->c;

	switch (choice) {
	case RESOLVE_EDITED:
		return check_edited(v);
	case RESOLVE_OURS:
		return put_side(v, c->ours.mode, &c->ours.oid,
				v->conflicts->target_name);
	case RESOLVE_THEIRS:
		return put_side(v, c->theirs.mode, &c->theirs.oid, v->name);
	case RESOLVE_SUGGESTED:
		if (!c->suggested.mode)
			return report_set(v->report, -ENODATA, "Nothing is "
					  "suggested for \"%s\".", c->path);
		return put_side(v, c->suggested.mode, &c->suggested.oid,
				"as suggested");
	case RESOLVE_AS_IS:
		return 0;
	}
	return -EINVAL;
}

/* ---- after the last one ---- */

/* The merge of the branch into the commit that the target was at. */
static int merge_again(struct resolving *v, const struct branch_state *state,
		       struct merge_result *ret)
{
	struct store *store = v->b->store;
	scoped_free const char **resolved = NULL;
	struct merge_context context = {
		.odb = store->odb,
		.ours_label = v->conflicts->target_name,
		.theirs_label = v->name,
		.driver_dir = store->driver_dir,
		.driver_seconds = store->options.driver_seconds,
	};
	int r = report_resolved(v->conflicts, &resolved,
				&context.resolved_count);

	if (r < 0)
		return r;
	context.resolved = resolved;
	return merge_commits(store->repo, &context, &v->conflicts->ours,
			     &state->commit, ret, v->report);
}

static int save(struct resolving *v, struct conflict_report *report)
{
	return branch_save_report(v->b, v->conflicts->target, report,
				  &v->sequence);
}

/* Conflicts with what was changed to resolve the others: they join these, which
 * stay resolved. */
static int add_conflicts(struct resolving *v, const struct branch_state *state,
			 struct merge_result *result)
{
	struct conflict_report *next = conflict_report_copy(v->conflicts);
	uint32_t last = branch_last_conflict(v->b);
	size_t count = result->conflict_count;
	int r = next ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < count && i < CONFLICTS_MAX; i++) {
		result->conflicts[i].number = ++last;
		r = report_add(next, &result->conflicts[i]);
	}
	if (r < 0) {
		conflict_report_free(next);
		return r;
	}
	next->theirs = state->commit;
	report_sort(next);
	r = save(v, next);
	if (r == 0)
		report_set(v->report, 0, "%zu new conflict%s came up in "
			   "branch %s.", count, count == 1 ? "" : "s", v->name);
	return r;
}

static int finish_merge(struct resolving *v, const struct branch_state *state,
			const struct merge_result *result)
{
	const struct conflict_report *conflicts = v->conflicts;
	scoped_buffer struct buffer text = { 0 };
	int r = branch_merge_text(conflicts->target_name, v->name, result,
				  &text);

	if (r == 0)
		r = switch_to(v, state, &result->tree, text.data, result);
	if (r < 0)
		return r;
	pthread_mutex_lock(&v->b->store->lock);
	branch_set_report_locked(v->b, conflicts->target, NULL);
	pthread_mutex_unlock(&v->b->store->lock);
	return report_set(v->report, 0, "All conflicts are settled: branch %s "
			  "has the merge with %s.", v->name,
			  conflicts->target_name);
}

static int try_to_finish(struct resolving *v)
{
	scoped(merge_result_release) struct merge_result result = { 0 };
	struct branch_state state;
	int r = branch_look(v->b, v->caller, &state, v->report);

	if (r == 0)
		r = git_is_ancestor(v->b->store->repo, &v->conflicts->ours,
				    &state.commit);
	/* somebody merged it in another way */
	if (r == 1)
		return save(v, NULL);
	if (r == 0)
		r = merge_again(v, &state, &result);
	if (r < 0)
		return r;
	return result.conflict_count ? add_conflicts(v, &state, &result) :
				       finish_merge(v, &state, &result);
}

static bool is_last(const struct conflict_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		if (!report->conflicts[i].resolved)
			return false;
	return true;
}

/* Notes the conflict as resolved.  If it was the last, that is noted by
 * finishing the merge, or not at all: it can be tried again. */
static int settle(struct resolving *v)
{
	struct branch_tries tries = { v->b, v->caller };
	struct conflict_report *copy;
	int r = -EAGAIN;

	v->c->resolved = true;
	if (!is_last(v->conflicts)) {
		copy = conflict_report_copy(v->conflicts);
		return copy ? save(v, copy) : -ENOMEM;
	}
	while (r == -EAGAIN && branch_try(&tries))
		r = try_to_finish(v);
	branch_tries_end(&tries);
	return r;
}

static int resolve(struct resolving *v, uint32_t number,
		   enum resolve_choice choice)
{
	struct branch_tries tries = { v->b, v->caller };
	int r = branch_check_writable(v->b, v->report);

	if (r == 0)
		r = find(v, number);
	if (r == 0)
		r = identity_init(&v->identity, v->b->store, v->caller);
	if (r == 0)
		r = branch_worktree(v->b, &v->tree);
	if (r < 0)
		return r;
	store_flush_mappings(v->b->store, v->b);
	r = -EAGAIN;
	while (r == -EAGAIN && branch_try(&tries))
		r = choose(v, choice);
	branch_tries_end(&tries);
	if (r == 0)
		r = settle(v);
	return r == -EAGAIN ? branch_switch_gave_up(v->name, v->report) : r;
}

int branch_resolve(struct branch *b, uint32_t number,
		   enum resolve_choice choice, const struct caller *caller,
		   struct report *report)
{
	scoped(resolving_release) struct resolving v = {
		.b = b, .caller = caller, .report = report,
	};
	struct store *store = b->store;
	int r;
	SCOPED_HOLD(store->odb);

	housekeeping_pause(store->housekeeping);
	housekeeping_pause(store->local_housekeeping);
	pthread_mutex_lock(&store->merging);
	r = resolve(&v, number, choice);
	pthread_mutex_unlock(&store->merging);
	housekeeping_resume(store->housekeeping);
	if (r == 0)
		store_conflicts_changed(store, b);
	if (r == 0)
		r = store_wait(store, v.sequence, report);
	housekeeping_resume(store->local_housekeeping);
	return r < 0 ? report_set(report, r, "Conflict %u cannot be resolved: "
				  "%s.", number, strerror(-r)) : 0;
}
