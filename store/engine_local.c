/* SPDX-License-Identifier: ISC */
#include "store/engine_local.h"
#include "store/local_merge.h"
#include "store/local_stage.h"
#include "store/local_store.h"

#include <errno.h>
#include <string.h>

static void cleanup_deltap(struct delta **delta)
{
	delta_free(*delta);
}

static void free_commit(struct commit **commit)
{
	commit_free(*commit);
}

#define scoped_commit scoped(free_commit)

/* ---- following ---- */

static int begin_anew(struct odb *odb, struct table_branch *branch,
		      struct delta *delta, bool foreign,
		      const struct timespec *base,
		      const struct timespec *now, int error)
{
	static const struct oid none;

	log_error("what Git does not hold of branch %s (times, owners and the "
		  "like) cannot be read: %s; it begins anew", branch->name,
		  strerror(-error));
	return local_store(delta, odb, &none, foreign, base, now,
			   &branch->local);
}

int engine_local_follow(struct engine *e, struct odb **stage,
			struct table_branch *branch, struct delta *delta,
			bool foreign, int64_t head_time,
			const struct timespec *now)
{
	struct timespec base = { .tv_sec = head_time };
	int r = 0;

	if (!e->local)
		return 0;
	if (!*stage)
		r = local_stage_new(e->local, stage);
	if (r < 0)
		return r;
	r = local_store(delta, *stage, &branch->local, foreign, &base, now,
			&branch->local);
	if (r < 0 && !engine_is_transient(r) && r != -EROFS)
		r = begin_anew(*stage, branch, delta, foreign, &base, now, r);
	return r;
}

int engine_local_move(struct engine *e, struct odb **stage,
		      struct table_branch *branch, const struct oid *head,
		      struct delta *delta, const struct timespec *now)
{
	scoped(cleanup_deltap) struct delta *found = NULL;
	scoped_commit struct commit *from = NULL, *to = NULL;
	int r;

	if (!e->local || oid_equal(&branch->head, head))
		return 0;
	r = commit_read(e->odb, &branch->head, &from);
	if (r == 0 && !delta)
		r = commit_read(e->odb, head, &to);
	if (r == 0 && !delta)
		r = delta_between(e->odb, &from->tree, &to->tree, &found);
	if (r == 0)
		return engine_local_follow(e, stage, branch,
					   delta ? delta : found, true,
					   from->committer.time, now);
	/* where it came from is lost: nothing is known of what it is now */
	if (engine_is_transient(r))
		return r;
	branch->local = (struct oid){ 0 };
	return 0;
}

static int meet(struct engine *e, const struct table_branch *branch,
		const struct oid *head, struct delta **ret_delta)
{
	scoped(cleanup_deltap) struct delta *delta = NULL;
	scoped_commit struct commit *from = NULL, *to = NULL;
	struct local_merge merge = {
		.odb = e->odb, .local = e->local, .ours = branch->local,
	};
	scoped_free char *path = NULL;
	int r = commit_read(e->odb, &branch->head, &from);

	if (r == 0)
		r = commit_read(e->odb, head, &to);
	if (r == 0)
		r = delta_between(e->odb, &from->tree, &to->tree, &delta);
	if (r < 0)
		return r;
	merge.ours_tree = from->tree;
	merge.theirs_tree = to->tree;
	r = local_merge(&merge, delta, &path);
	if (r == 0)
		*ret_delta = STEAL(delta);
	return r;
}

int engine_local_meet(struct engine *e, const struct table_branch *branch,
		      const struct oid *head, struct delta **ret_delta)
{
	struct delta *delta = NULL;
	int r = 0;

	if (e->local && !oid_is_zero(&branch->local))
		r = meet(e, branch, head, &delta);
	if (r == -EEXIST || engine_is_transient(r))
		return r;
	*ret_delta = delta;
	return 0;
}

/* Without it a merge to come knows less; that is all. */
int engine_local_remember(struct engine *e, struct odb **stage,
			  struct table_branch *branch,
			  const struct local_base *base,
			  const struct timespec *now)
{
	struct local_base numbered = *base;
	int r = 0;

	if (!e->local || oid_is_zero(&base->face) ||
	    oid_is_zero(&branch->local))
		return 0;
	numbered.number = (uint64_t)now->tv_sec * 1000000000 +
			  (uint64_t)now->tv_nsec;
	if (!*stage)
		r = local_stage_new(e->local, stage);
	if (r == 0)
		r = local_bases_add(*stage, &branch->local, &numbered,
				    &branch->local);
	return engine_is_transient(r) || r == -EROFS ? r : 0;
}

/* ---- keeping ---- */

int engine_local_keep(struct engine *e, struct odb *stage,
		      const struct table *table)
{
	int r = 0;

	for (size_t i = 0; stage && r == 0 && i < table->branch_count; i++)
		if (!oid_is_zero(&table->branches[i].local))
			r = local_stage_keep(stage, &table->branches[i].local);
	return r;
}
