/* SPDX-License-Identifier: ISC */
#include "store/engine_local.h"
#include "store/local_merge.h"
#include "store/local_stage.h"
#include "store/local_store.h"

#include <errno.h>
#include <string.h>

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

/* What leads from a head to another commit. */
struct way {
	struct oid from, to;	/* trees */
	int64_t time;		/* of the head */
	struct delta *delta;
};

static void way_release(struct way *way)
{
	delta_free(way->delta);
}

/* Of a head that is lost all that it had may be something else now: as if it had
 * been empty. */
static int find_way(struct engine *e, const struct oid *head,
		    const struct oid *commit, struct way *ret)
{
	scoped_commit struct commit *from = NULL, *to = NULL;
	struct way way = { 0 };
	int r = commit_read(e->odb, commit, &to);

	if (r < 0)
		return r;
	way.to = to->tree;
	r = commit_read(e->odb, head, &from);
	if (r == 0) {
		way.from = from->tree;
		r = delta_between(e->odb, &way.from, &way.to, &way.delta);
	}
	if (r < 0 && !engine_is_transient(r)) {
		way.from = oid_empty_tree;
		r = delta_between(e->odb, &way.from, &way.to, &way.delta);
	}
	if (r < 0)
		return r;
	way.time = from ? from->committer.time : to->committer.time;
	*ret = way;
	return 0;
}

int engine_local_move(struct engine *e, struct odb **stage,
		      struct table_branch *branch, const struct oid *head,
		      struct delta *delta, const struct timespec *now)
{
	scoped(way_release) struct way way = { 0 };
	scoped_commit struct commit *from = NULL;
	int r;

	if (!e->local || oid_equal(&branch->head, head))
		return 0;
	if (!delta) {
		r = find_way(e, &branch->head, head, &way);
	} else {
		r = commit_read(e->odb, &branch->head, &from);
		way.time = r == 0 ? from->committer.time : now->tv_sec;
		r = engine_is_transient(r) ? r : 0;
	}
	if (r == 0)
		return engine_local_follow(e, stage, branch,
					   delta ? delta : way.delta, true,
					   way.time, now);
	/* what it is now is damaged; rows know what they are about */
	return engine_is_transient(r) ? r : 0;
}

int engine_local_meet(struct engine *e, const struct table_branch *branch,
		      const struct oid *head, struct delta **ret_delta)
{
	scoped(way_release) struct way way = { 0 };
	struct local_merge merge = {
		.odb = e->odb, .local = e->local, .ours = branch->local,
	};
	scoped_free char *path = NULL;
	int r;

	*ret_delta = NULL;
	if (!e->local || oid_is_zero(&branch->local))
		return 0;
	r = find_way(e, &branch->head, head, &way);
	if (r == 0) {
		merge.ours_tree = way.from;
		merge.theirs_tree = way.to;
		r = local_merge(&merge, way.delta, &path);
	}
	if (r == 0)
		*ret_delta = STEAL(way.delta);
	return r == -EEXIST || engine_is_transient(r) ? r : 0;
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

bool engine_local_has_own(const struct engine *e,
			  const struct table_branch *branch)
{
	scoped_local struct local *root = NULL;
	struct local_ref same;
	uint64_t own = 0;

	return e->local &&
	       local_root_read(e->local, &branch->local, &root) == 0 &&
	       root->bits & LOCAL_TABLE &&
	       local_table_change(e->local, &root->table, NULL, 0, &same,
				  &own) == 0 && own > 0;
}

int engine_local_keep(struct engine *e, struct odb *stage,
		      const struct table *table)
{
	int r = 0;

	for (size_t i = 0; stage && r == 0 && i < table->branch_count; i++)
		if (!oid_is_zero(&table->branches[i].local))
			r = local_stage_keep(stage, &table->branches[i].local);
	return r;
}
