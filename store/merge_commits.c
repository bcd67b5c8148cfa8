/* SPDX-License-Identifier: ISC */
#include "store/commit.h"
#include "store/merge_private.h"
#include "store/merge_times.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Merging commits: which tree is the base.  As Git's recursive strategy: when
 * there are several best common ancestors, they are merged with each other, the
 * oldest first, and the result, conflicts and all, is the base.
 */

/* Criss-cross merges may follow each other for years.  What lies that deep has
 * no influence any more; the stack has an end. */
#define DEPTH_MAX 128

struct commits {
	struct oid *oids;
	size_t count;
};

/* The virtual base of a set of commits, so that none is made twice. */
struct known {
	struct commits bases;
	struct oid tree;
	struct known *next;
};

struct history {
	struct git_repo *repo;
	const struct merge_context *context;
	const struct oid *ours;
	struct report *report;
	struct known *known;
	struct oid base;	/* the one of the merge itself, or zero */
};

static void commits_release(struct commits *c)
{
	free(c->oids);
}

static int commits_add(struct commits *c, const struct oid *oid)
{
	struct oid *more;

	for (size_t i = 0; i < c->count; i++)
		if (oid_equal(&c->oids[i], oid))
			return 0;
	more = reallocarray(c->oids, c->count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	c->oids = more;
	c->oids[c->count++] = *oid;
	return 0;
}

static void history_release(struct history *h)
{
	while (h->known) {
		struct known *known = h->known;

		h->known = known->next;
		commits_release(&known->bases);
		free(known);
	}
}

/* ---- common ancestors ---- */

static int add_bases_of(struct history *h, const struct oid *a,
			const struct oid *b, struct commits *bases)
{
	scoped_free struct oid *found = NULL;
	size_t count = 0;
	int r = git_find_merge_bases(h->repo, a, b, &found, &count);

	if (r == -ENOTSUP)
		return report_set(h->report, r,
				  "The history is cut off (a shallow clone), so that the common ancestor is not known: fetch the rest first.");
	if (r < 0)
		return report_set(h->report, r,
				  "The common ancestor cannot be found: %s.",
				  strerror(-r));
	for (size_t i = 0; r == 0 && i < count; i++)
		r = commits_add(bases, &found[i]);
	return r;
}

/* 1: some other commit of the set descends from it. */
static int is_surpassed(struct history *h, const struct commits *c, size_t at)
{
	for (size_t i = 0; i < c->count; i++) {
		int r = i == at ? 0 :
			git_is_ancestor(h->repo, &c->oids[at], &c->oids[i]);

		if (r)
			return r;
	}
	return 0;
}

static int keep_best(struct history *h, struct commits *c)
{
	size_t i = 0;

	while (i < c->count) {
		int r = is_surpassed(h, c, i);

		if (r < 0)
			return report_set(h->report, r,
					  "The history cannot be read: %s.",
					  strerror(-r));
		if (r == 0) {
			i++;
			continue;
		}
		c->count--;
		memmove(&c->oids[i], &c->oids[i + 1],
			(c->count - i) * sizeof(*c->oids));
	}
	return 0;
}

/* The best common ancestors of what has all of a as parents, and b. */
static int find_bases(struct history *h, const struct commits *a,
		      const struct oid *b, struct commits *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->count; i++)
		r = add_bases_of(h, &a->oids[i], b, ret);
	return r == 0 && a->count > 1 ? keep_best(h, ret) : r;
}

static int read_tree_of(struct history *h, const struct oid *commit_id,
			struct oid *ret_tree)
{
	char hex[OID_HEX_SIZE];
	struct commit *commit;
	int r = commit_read(h->context->odb, commit_id, &commit);

	if (r < 0)
		return report_set(h->report, r,
				  "Commit %s cannot be read: %s.",
				  oid_hex(commit_id, hex), strerror(-r));
	*ret_tree = commit->tree;
	commit_free(commit);
	return 0;
}

/* ---- rules ---- */

struct rule_context {
	struct history *history;
	unsigned int depth;
};

static int read_rule(void *context, const char *path, struct merge_rule *ret)
{
	struct rule_context *c = context;

	return merge_rule_read(c->history->repo, c->history->ours, path,
			       c->depth, ret);
}

/* ---- times ---- */

static void cleanup_timesp(struct merge_times **times)
{
	merge_times_free(*times);
}

static int read_times(void *context, const char *path, int64_t *ret_ours,
		      int64_t *ret_theirs)
{
	return merge_times_of(context, path, ret_ours, ret_theirs);
}

/* ---- virtual bases ---- */

static int base_of(struct history *h, const struct commits *a,
		   const struct oid *b, unsigned int depth,
		   struct oid *ret_tree);

static int merge_virtual(struct history *h, unsigned int depth,
			 const struct oid *base, const struct oid *theirs,
			 struct oid *tree)
{
	struct rule_context rule_context = { .history = h, .depth = depth };
	struct merge_context context = *h->context;
	struct merge_result result;
	int r;

	context.depth = depth;
	context.resolved_count = 0;
	context.ours_label = "Temporary merge branch 1";
	context.theirs_label = "Temporary merge branch 2";
	if (!h->context->rule) {
		context.rule = read_rule;
		context.rule_context = &rule_context;
	}
	r = merge_trees(&context, base, tree, theirs, &result, h->report);
	if (r < 0)
		return r;
	*tree = result.tree;
	merge_result_release(&result);
	return 0;
}

/* Merges all of several bases, from the last, the oldest, to the first. */
static int merge_all(struct history *h, const struct commits *bases,
		     unsigned int depth, struct oid *ret_tree)
{
	scoped(commits_release) struct commits done = { 0 };
	size_t i = bases->count - 1;
	struct oid tree, theirs, base;
	int r = read_tree_of(h, &bases->oids[i], &tree);

	if (r == 0)
		r = commits_add(&done, &bases->oids[i]);
	while (r == 0 && i-- > 0) {
		const struct oid *next = &bases->oids[i];

		r = base_of(h, &done, next, depth, &base);
		if (r == 0)
			r = read_tree_of(h, next, &theirs);
		if (r == 0)
			r = merge_virtual(h, depth, &base, &theirs, &tree);
		if (r == 0)
			r = commits_add(&done, next);
	}
	if (r == 0)
		*ret_tree = tree;
	return r;
}

static const struct known *find_known(struct history *h,
				      const struct commits *bases)
{
	for (const struct known *k = h->known; k; k = k->next)
		if (k->bases.count == bases->count &&
		    memcmp(k->bases.oids, bases->oids,
			   bases->count * sizeof(*bases->oids)) == 0)
			return k;
	return NULL;
}

/* Takes over the bases. */
static int remember(struct history *h, struct commits *bases,
		    const struct oid *tree)
{
	struct known *known = calloc(1, sizeof(*known));

	if (!known)
		return -ENOMEM;
	known->bases = *bases;
	*bases = (struct commits){ 0 };
	known->tree = *tree;
	known->next = h->known;
	h->known = known;
	return 0;
}

/* The tree that is the base of merging b into what has all of a as parents;
 * zero when they have nothing in common. */
static int base_of(struct history *h, const struct commits *a,
		   const struct oid *b, unsigned int depth,
		   struct oid *ret_tree)
{
	scoped(commits_release) struct commits bases = { 0 };
	const struct known *known;
	struct oid tree = { 0 };
	int r = find_bases(h, a, b, &bases);

	if (r < 0)
		return r;
	if (bases.count == 0) {
		*ret_tree = tree;
		return 0;
	}
	if (bases.count == 1 && depth == 0)
		h->base = bases.oids[0];
	if (bases.count == 1 || depth == DEPTH_MAX)
		return read_tree_of(h, &bases.oids[0], ret_tree);
	known = find_known(h, &bases);
	if (known) {
		*ret_tree = known->tree;
		return 0;
	}
	r = merge_all(h, &bases, depth + 1, &tree);
	if (r == 0)
		r = remember(h, &bases, &tree);
	if (r == 0)
		*ret_tree = tree;
	return r;
}

int merge_commits(struct git_repo *repo, const struct merge_context *context,
		  const struct oid *ours, const struct oid *theirs,
		  struct merge_result *ret, struct report *report)
{
	struct merge_context own = *context;
	scoped(history_release) struct history h = {
		.repo = repo, .context = &own, .ours = ours,
		.report = report,
	};
	struct rule_context rule_context = { .history = &h };
	scoped(cleanup_timesp) struct merge_times *times = NULL;
	const struct commits target = { .oids = (struct oid *)ours, .count = 1 };
	struct oid base, ours_tree, theirs_tree;
	int r = read_tree_of(&h, ours, &ours_tree);

	if (r == 0)
		r = read_tree_of(&h, theirs, &theirs_tree);
	if (!own.types[0]) {
		own.types[0] = &ours_tree;
		own.types[1] = &theirs_tree;
	}
	if (r == 0)
		r = base_of(&h, &target, theirs, 0, &base);
	if (r < 0)
		return r;
	if (!own.rule) {
		own.rule = read_rule;
		own.rule_context = &rule_context;
	}
	if (!own.times) {
		times = merge_times_new(repo, ours, theirs);
		if (!times)
			return -ENOMEM;
		own.times = read_times;
		own.times_context = times;
	}
	r = merge_trees(&own, &base, &ours_tree, &theirs_tree, ret, report);
	if (r < 0)
		return r;
	r = merge_open_changes(own.odb, &ours_tree, ret->changes);
	if (r < 0) {
		merge_result_release(ret);
		return report_set(report, r, "The changes cannot be read: %s.",
				  strerror(-r));
	}
	ret->base = h.base;
	return 0;
}
