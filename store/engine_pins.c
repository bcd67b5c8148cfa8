/* SPDX-License-Identifier: ISC */
#include "store/engine_local.h"
#include "store/tree.h"

#include <errno.h>

/* The pin is widened before a table that needs more becomes true, and narrowed
 * when all is done: at no moment does it hold less than the table on disk
 * needs.  Narrowing can wait, so that it costs nothing while cuts come.
 *
 * Frames of the journal build on heads.  A ref holds these until somebody moves
 * or deletes it, which may be when we were killed and nobody looks; after `git gc`
 * the frames would be good for nothing.  So with a journal the pin holds the heads
 * of all branches until it is closed with nothing left in there.
 *
 * A branch whose local face has what Git has not is pinned longer: what is pushed,
 * by force too, may be in the way of that, and then the branch stays as it is
 * beside what was pushed, which needs its head. */

#define LOOSE_MOST 256

void pin_set_release(struct pin_set *set)
{
	free(set->commits);
	free(set->blobs);
	*set = (struct pin_set){ 0 };
}

/* ---- sets of ids ---- */

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct oid));
}

/* Sorts, and drops duplicates and zero ids; returns what is left. */
static size_t tidy(struct oid *ids, size_t count)
{
	size_t n = 0;

	if (count)
		qsort(ids, count, sizeof(*ids), by_id);
	for (size_t i = 0; i < count; i++)
		if (!oid_is_zero(&ids[i]) &&
		    (!n || !oid_equal(&ids[i], &ids[n - 1])))
			ids[n++] = ids[i];
	return n;
}

/* Whether all of a are in b; both are tidy. */
static bool is_subset(const struct oid *a, size_t a_count, const struct oid *b,
		      size_t b_count)
{
	for (size_t i = 0; i < a_count; i++)
		if (!b_count || !bsearch(&a[i], b, b_count, sizeof(*b), by_id))
			return false;
	return true;
}

static bool set_is_subset(const struct pin_set *a, const struct pin_set *b)
{
	return is_subset(a->commits, a->commit_count, b->commits,
			 b->commit_count) &&
	       is_subset(a->blobs, a->blob_count, b->blobs, b->blob_count);
}

static int unite(const struct oid *a, size_t a_count, const struct oid *b,
		 size_t b_count, struct oid **ret, size_t *ret_count)
{
	struct oid *both = calloc(a_count + b_count + 1, sizeof(*both));

	if (!both)
		return -ENOMEM;
	if (a_count)
		memcpy(both, a, a_count * sizeof(*a));
	if (b_count)
		memcpy(both + a_count, b, b_count * sizeof(*b));
	*ret = both;
	*ret_count = tidy(both, a_count + b_count);
	return 0;
}

static int set_unite(const struct pin_set *a, const struct pin_set *b,
		     struct pin_set *ret)
{
	struct pin_set both = { 0 };
	int r = unite(a->commits, a->commit_count, b->commits, b->commit_count,
		      &both.commits, &both.commit_count);

	if (r == 0)
		r = unite(a->blobs, a->blob_count, b->blobs, b->blob_count,
			  &both.blobs, &both.blob_count);
	if (r < 0) {
		pin_set_release(&both);
		return r;
	}
	*ret = both;
	return 0;
}

/* ---- what a table needs ---- */

static bool is_stuck(const struct engine *e, uint64_t branch)
{
	for (size_t i = 0; i < e->stuck_count; i++)
		if (e->stuck[i].branch == branch)
			return true;
	return false;
}

/* What a table needs besides heads of dropped and stuck branches. */
enum {
	UNWRITTEN = 1,		/* those that differ from their refs */
	LIVE = 2,		/* all that frames may build on */
	OWN = 4,		/* those of branches with more than Git has */
};

static int always_needed(const struct engine *e)
{
	return e->journal && !e->resting ? LIVE : OWN;
}

static bool is_needed(const struct engine *e, const struct table_branch *branch,
		      int what)
{
	if (branch->dropped || what & LIVE)
		return true;
	if (what & UNWRITTEN && !oid_equal(&branch->head, &branch->outside))
		return true;
	if (what & OWN && engine_local_has_own(e, branch))
		return true;
	return is_stuck(e, branch->incarnation);
}

/* The blob of one side of a conflict; what else it may be (a folder, a
 * submodule) is held by the report's commits, or is not ours. */
static void add_side(struct pin_set *set, uint32_t mode, const struct oid *oid)
{
	if (mode && mode != MODE_TREE && mode != MODE_SUBMODULE)
		set->blobs[set->blob_count++] = *oid;
}

static void add_report(struct pin_set *set, const struct conflict_report *report)
{
	set->commits[set->commit_count++] = report->ours;
	set->commits[set->commit_count++] = report->theirs;
	for (size_t i = 0; i < report->count; i++) {
		const struct conflict *c = &report->conflicts[i];

		add_side(set, c->base.mode, &c->base.oid);
		add_side(set, c->ours.mode, &c->ours.oid);
		add_side(set, c->theirs.mode, &c->theirs.oid);
		add_side(set, c->merged.mode, &c->merged.oid);
		add_side(set, c->suggested.mode, &c->suggested.oid);
	}
}

static int collect(const struct engine *e, const struct table *table, int what,
		   struct pin_set *ret)
{
	size_t commits = table->branch_count + 2 * table->report_count;
	size_t blobs = 0;
	struct pin_set set = { 0 };

	for (size_t i = 0; i < table->report_count; i++)
		blobs += 5 * table->reports[i]->count;
	set.commits = calloc(commits + 1, sizeof(*set.commits));
	set.blobs = calloc(blobs + 1, sizeof(*set.blobs));
	if (!set.commits || !set.blobs) {
		pin_set_release(&set);
		return -ENOMEM;
	}
	for (size_t i = 0; i < table->branch_count; i++)
		if (is_needed(e, &table->branches[i], what))
			set.commits[set.commit_count++] =
				table->branches[i].head;
	for (size_t i = 0; i < table->report_count; i++)
		add_report(&set, table->reports[i]);
	set.commit_count = tidy(set.commits, set.commit_count);
	set.blob_count = tidy(set.blobs, set.blob_count);
	*ret = set;
	return 0;
}

/* ---- the pin ---- */

/* Makes the pin hold set, which is moved into e->pinned on success.  Lost
 * objects are none of it (store/pin.c); engine_open tells of them. */
static int pin(struct engine *e, struct pin_set *set)
{
	struct engine_storage *s = e->storage;
	int r = s->ops->pin(s, set->commits, set->commit_count, set->blobs,
			    set->blob_count);

	if (r < 0)
		return r;
	pin_set_release(&e->pinned);
	e->pin_known = true;
	e->pinned = *set;
	*set = (struct pin_set){ 0 };
	return 0;
}

/* What of a is not in b; both are tidy.  Returns how many. */
static size_t subtract(struct oid *a, size_t a_count, const struct oid *b,
		       size_t b_count)
{
	size_t n = 0;

	for (size_t i = 0; i < a_count; i++)
		if (!is_subset(&a[i], 1, b, b_count))
			a[n++] = a[i];
	return n;
}

/* The same where set holds all that e->pinned does, and need besides, by what that
 * adds; takes it out of need. */
static int extend(struct engine *e, struct pin_set *need, struct pin_set *set)
{
	struct engine_storage *s = e->storage;
	int r = -ENOENT;

	need->commit_count = subtract(need->commits, need->commit_count,
				      e->pinned.commits, e->pinned.commit_count);
	need->blob_count = subtract(need->blobs, need->blob_count,
				    e->pinned.blobs, e->pinned.blob_count);
	if (e->pin_known && e->pinned.commit_count && s->ops->pin_extend)
		r = s->ops->pin_extend(s, need->commits, need->commit_count,
				       need->blobs, need->blob_count);
	if (r == -ENOENT)
		return pin(e, set);
	if (r < 0)
		return r;
	pin_set_release(&e->pinned);
	e->pinned = *set;
	*set = (struct pin_set){ 0 };
	return 0;
}

/* Whether it is worth to narrow the pin, once need is true: heads that have
 * successors alone are not, until they are as many as those that have none.  More
 * would show in `git log --all`. */
static int find_loose(struct engine *e, const struct pin_set *need)
{
	scoped(pin_set_release) struct pin_set lasting = { 0 };
	int r = 0;

	if (always_needed(e) == LIVE &&
	    e->pinned.commit_count <= 2 * need->commit_count) {
		r = collect(e, e->table, UNWRITTEN, &lasting);
		e->pins_loose |= r == 0 && !set_is_subset(&lasting, need);
		return r;
	}
	e->pins_loose |= !set_is_subset(&e->pinned, need);
	return 0;
}

int engine_pin_more(struct engine *e, const struct table *table, bool unwritten)
{
	scoped(pin_set_release) struct pin_set need = { 0 };
	scoped(pin_set_release) struct pin_set both = { 0 };
	int what = always_needed(e) | (unwritten ? UNWRITTEN : 0);
	int r = collect(e, table, what, &need);

	if (r == 0)
		r = find_loose(e, &need);
	if (r < 0)
		return r;
	if (set_is_subset(&need, &e->pinned))
		return 0;
	r = set_unite(&need, &e->pinned, &both);
	return r < 0 ? r : extend(e, &need, &both);
}

int engine_pin_less(struct engine *e, const struct table *table, bool all)
{
	scoped(pin_set_release) struct pin_set need = { 0 };
	int r;

	if (!e->pins_loose)
		return 0;
	r = collect(e, table, UNWRITTEN | always_needed(e), &need);
	if (r < 0)
		return r;
	if (!all && e->pinned.commit_count + e->pinned.blob_count <
		    2 * (need.commit_count + need.blob_count) + LOOSE_MOST)
		return 0;
	if (!e->pin_known || !set_is_subset(&e->pinned, &need))
		r = pin(e, &need);
	if (r == 0)
		e->pins_loose = false;
	return r;
}
