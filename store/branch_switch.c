/* SPDX-License-Identifier: ISC */
#include "store/branch_switch.h"

#include <errno.h>
#include <string.h>

/* ---- looking ---- */

/* The face that goes with the commit. */
static int find_face(struct branch *b, struct branch_state *state)
{
	SCOPED_LOCK(&b->store->lock);
	if (!oid_equal(&b->head, &state->commit))
		return -EAGAIN;
	state->face = b->local;
	state->incarnation = b->incarnation;
	return 0;
}

int branch_peek(struct branch *b, struct branch_state *ret)
{
	scoped_commit struct commit *commit = NULL;
	struct branch_state state;
	struct worktree *tree;
	int r = branch_worktree(b, &tree);

	if (r < 0)
		return r;
	/* The head of this number or of a later one; branch_switch finds out
	 * when it is a later one. */
	state.sequence = b->sequence;
	r = branch_head(b, &state.commit);
	if (r == 0)
		r = find_face(b, &state);
	if (r == 0)
		r = commit_read(b->store->odb, &state.commit, &commit);
	if (r < 0)
		return r;
	state.tree = commit->tree;
	*ret = state;
	return 0;
}

static int look(struct branch *b, const struct caller *caller,
		const uint64_t *changes, struct branch_state *ret)
{
	struct worktree *tree;
	struct oid commit;
	int r = branch_worktree(b, &tree);

	if (r == 0)
		r = branch_publish(b, caller, changes, &commit);
	return r < 0 ? r : branch_peek(b, ret);
}

int branch_look(struct branch *b, const struct caller *caller,
		struct branch_state *ret, struct report *report)
{
	return branch_look_unchanged(b, caller, NULL, ret, report);
}

int branch_look_unchanged(struct branch *b, const struct caller *caller,
			  const uint64_t *changes, struct branch_state *ret,
			  struct report *report)
{
	scoped_free char *name = NULL;
	int r = look(b, caller, changes, ret);

	if (r == 0 || r == -EAGAIN)
		return r;
	name = branch_name(b);
	return report_set(report, r, "Branch %s cannot be committed or read: %s.",
			  name ? name : "", strerror(-r));
}

/* ---- switching ---- */

struct switching {
	struct branch *b;
	const struct branch_state *state;
	struct record *records;
	size_t count;
	struct branch *const *about;
	size_t about_count;
	uint64_t sequence;
};

/* The work tree is locked, so no cut can come in between. */
static int take(void *context, struct delta *delta)
{
	struct switching *s = context;
	int r = -EAGAIN;

	if (s->b->sequence == s->state->sequence) {
		for (size_t i = 0; i < s->count; i++)
			s->records[i].time = worktree_apply_time(s->b->worktree);
		r = store_queue(s->b->store, s->records, s->count, s->about,
				s->about_count, &s->sequence);
	}
	/* what is told of from here on may need what they have locked */
	gate_open(&s->b->gate);
	return r;
}

static int apply(struct switching *s, const struct delta *delta, char **ret_path)
{
	struct branch_tries *t = s->b->tries;
	struct store_front front = store_begin_front(s->b->store);
	const struct worktree_watch *watch =
		front.watch.begin ? &front.watch : NULL;
	int r = watch && t ?
		worktree_apply_again(s->b->worktree, delta, watch, &t->names,
				     take, s, ret_path) :
		worktree_apply(s->b->worktree, delta, watch, take, s, ret_path);

	store_end_front(s->b->store);
	return r;
}

int branch_switch(struct branch *b, const struct branch_state *state,
		  const struct delta *delta, struct record *records,
		  size_t count, struct branch *const *about, size_t about_count,
		  uint64_t *ret_sequence, struct report *report)
{
	struct switching s = {
		.b = b, .state = state, .records = records, .count = count,
		.about = about, .about_count = about_count,
	};
	scoped_free char *path = NULL, *name = NULL;
	int r = apply(&s, delta, &path);

	if (r == 0)
		*ret_sequence = s.sequence;
	if (r == 0 || r == -EAGAIN)
		return r;
	name = branch_name(b);
	if (r == -EBUSY)
		return report_set(report, r, "\"%s\" of branch %s is open for "
				  "writing: close it, then try again.",
				  path ? path : "", name ? name : "");
	if (r == -ENOTEMPTY)
		return report_set(report, r, "\"%s\" of branch %s is a file "
				  "that Git does not have, where one would come "
				  "that it has: move it away, then try again.",
				  path ? path : "", name ? name : "");
	return report_set(report, r, "Branch %s cannot be changed: %s.",
			  name ? name : "", strerror(-r));
}

int branch_switch_gave_up(const char *name, struct report *report)
{
	return report_set(report, -EBUSY, "Branch %s is being changed all the "
			  "time: try again.", name);
}

int store_wait(struct store *store, uint64_t sequence, struct report *report)
{
	int r = sequence ? engine_wait(store->engine, sequence) : 0;

	if (r < 0)
		return report_set(report, r, "It is done, but not yet on disk; "
				  "that is tried again: %s.", strerror(-r));
	return 0;
}

/* ---- commits ---- */

int branch_commit_record(struct branch *b, const struct identity *identity,
			 const char *text, const struct delta *delta,
			 const struct oid *parent, struct record *ret)
{
	struct record record = {
		.kind = RECORD_COMMIT, .branch = b->incarnation,
		.direct = true,
	};
	int r = commit_compose(b, identity, text, delta, &record.commit);

	if (r == 0)
		r = delta_copy(delta, &record.delta);
	if (r == 0 && parent) {
		record.commit->parents = malloc(sizeof(*parent));
		if (record.commit->parents) {
			record.commit->parents[0] = *parent;
			record.commit->parent_count = 1;
		} else {
			r = -ENOMEM;
		}
	}
	if (r < 0) {
		records_release(&record, 1);
		return r;
	}
	*ret = record;
	return 0;
}

int branch_merge_text(const char *from, const char *into,
		      const struct merge_result *result, struct buffer *ret)
{
	int r = buffer_printf(ret, "Merge branch '%s' into %s", from, into);

	if (r == 0 && result->note_count)
		r = buffer_puts(ret, "\n");
	for (size_t i = 0; r == 0 && i < result->note_count; i++) {
		if (ret->length + strlen(result->notes[i]) > MESSAGE_MAX)
			return buffer_printf(ret, "\n(%zu more)",
					     result->note_count - i);
		r = buffer_printf(ret, "\n%s", result->notes[i]);
	}
	return r;
}

/* ---- reports ---- */

static int compare_texts(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

int report_resolved(const struct conflict_report *report,
		    const char ***ret_paths, size_t *ret_count)
{
	size_t count = 0;
	const char **paths = calloc(report->count + 1, sizeof(*paths));

	if (!paths)
		return -ENOMEM;
	for (size_t i = 0; i < report->count; i++)
		if (report->conflicts[i].resolved)
			paths[count++] = report->conflicts[i].path;
	qsort(paths, count, sizeof(*paths), compare_texts);
	*ret_paths = paths;
	*ret_count = count;
	return 0;
}

int report_add(struct conflict_report *report, struct conflict *conflict)
{
	struct conflict *added = conflict_report_add(report);

	if (!added)
		return -ENOMEM;
	*added = *conflict;
	conflict->path = conflict->reason = NULL;
	return 0;
}

static int compare_conflicts(const void *a, const void *b)
{
	const struct conflict *x = a, *y = b;

	return strcmp(x->path, y->path);
}

void report_sort(struct conflict_report *report)
{
	if (report->count)
		qsort(report->conflicts, report->count,
		      sizeof(*report->conflicts), compare_conflicts);
}

uint32_t branch_last_conflict(struct branch *b)
{
	uint32_t last = 0;

	SCOPED_LOCK(&b->store->lock);
	for (size_t i = 0; i < b->report_count; i++)
		for (size_t j = 0; j < b->reports[i]->count; j++)
			if (b->reports[i]->conflicts[j].number > last)
				last = b->reports[i]->conflicts[j].number;
	return last;
}

int branch_save_report(struct branch *b, uint64_t target,
		       struct conflict_report *report, uint64_t *ret_sequence)
{
	struct record record = {
		.kind = RECORD_CONFLICTS, .branch = b->incarnation,
		.from = target,
	};
	int r = 0;

	if (report) {
		record.conflicts = conflict_report_copy(report);
		r = record.conflicts ? 0 : -ENOMEM;
	}
	if (r == 0) {
		SCOPED_LOCK(&b->store->lock);
		r = store_queue(b->store, &record, 1, &b, 1, ret_sequence);
		if (r == 0)
			r = branch_set_report_locked(b, target, report);
	}
	if (r < 0)
		conflict_report_free(report);
	return r;
}
