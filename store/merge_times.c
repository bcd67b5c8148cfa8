/* SPDX-License-Identifier: ISC */
#include "store/merge_times.h"
#include "store/commit.h"
#include "store/tree.h"

#include <errno.h>

struct moment {
	struct oid commit;
	int64_t time;
};

struct past {
	struct oid tip;
	struct moment *moments;		/* the latest first */
	size_t count;
};

struct merge_times {
	struct git_repo *repo;
	struct past ours, theirs;
	bool read;
};

struct merge_times *merge_times_new(struct git_repo *repo,
				    const struct oid *ours,
				    const struct oid *theirs)
{
	struct merge_times *times = calloc(1, sizeof(*times));

	if (!times)
		return NULL;
	times->repo = repo;
	times->ours.tip = *ours;
	times->theirs.tip = *theirs;
	return times;
}

void merge_times_free(struct merge_times *times)
{
	if (!times)
		return;
	free(times->ours.moments);
	free(times->theirs.moments);
	free(times);
}

/* ---- reading ---- */

static int compare_moments(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	if (x->time != y->time)
		return x->time > y->time ? -1 : 1;
	return oid_compare(&x->commit, &y->commit);
}

static int read_past(struct git_repo *repo, const struct oid *bases,
		     size_t base_count, struct past *past)
{
	scoped_free struct oid *oids = NULL;
	size_t count = 0;
	int r = git_commits_since(repo, &past->tip, bases, base_count,
				  MERGE_TIMES_MOST, &oids, &count);

	if (r < 0)
		return r;
	free(past->moments);
	past->count = 0;
	past->moments = calloc(count + 1, sizeof(*past->moments));
	if (!past->moments)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		scoped_commit struct commit *commit = NULL;

		r = commit_read(git_repo_odb(repo), &oids[i], &commit);
		if (r < 0)
			return r;
		past->moments[past->count++] = (struct moment){
			oids[i], commit->committer.time };
	}
	qsort(past->moments, past->count, sizeof(*past->moments),
	      compare_moments);
	return 0;
}

static int read_both(struct merge_times *times)
{
	scoped_free struct oid *bases = NULL;
	size_t count = 0;
	int r = git_find_merge_bases(times->repo, &times->ours.tip,
				     &times->theirs.tip, &bases, &count);

	if (r == 0)
		r = read_past(times->repo, bases, count, &times->ours);
	if (r == 0)
		r = read_past(times->repo, bases, count, &times->theirs);
	times->read = r == 0;
	return r;
}

/* ---- asking ---- */

/* What a commit has at path; mode 0: nothing. */
static int find_entry(struct odb *odb, const struct commit *commit,
		      const char *path, struct tree_entry *ret)
{
	int r = tree_resolve(odb, &commit->tree, path, ret);

	if (r != -ENOENT && r != -ENOTDIR)
		return r;
	*ret = (struct tree_entry){ 0 };
	return 0;
}

static bool is_same(const struct tree_entry *a, const struct tree_entry *b)
{
	return a->mode == b->mode && (!a->mode || oid_equal(&a->oid, &b->oid));
}

/* 1: the commit has at path what none of its parents has. */
static int changed(struct odb *odb, const struct oid *id, const char *path)
{
	scoped_commit struct commit *commit = NULL;
	struct tree_entry entry, before = { 0 };
	int r = commit_read(odb, id, &commit);

	if (r == 0)
		r = find_entry(odb, commit, path, &entry);
	if (r < 0)
		return r;
	if (!commit->parent_count)
		return !is_same(&entry, &before);
	for (size_t i = 0; i < commit->parent_count; i++) {
		scoped_commit struct commit *parent = NULL;

		r = commit_read(odb, &commit->parents[i], &parent);
		if (r == 0)
			r = find_entry(odb, parent, path, &before);
		if (r < 0)
			return r;
		if (is_same(&entry, &before))
			return 0;
	}
	return 1;
}

static int find_time(struct odb *odb, const struct past *past, const char *path,
		     int64_t *ret)
{
	*ret = past->count ? past->moments[past->count - 1].time : 0;
	for (size_t i = 0; i < past->count; i++) {
		int r = changed(odb, &past->moments[i].commit, path);

		if (r == 0)
			continue;
		if (r == 1)
			*ret = past->moments[i].time;
		return r < 0 ? r : 0;
	}
	return 0;
}

int merge_times_of(struct merge_times *times, const char *path,
		   int64_t *ret_ours, int64_t *ret_theirs)
{
	struct odb *odb = git_repo_odb(times->repo);
	int r = times->read ? 0 : read_both(times);

	if (r == 0)
		r = find_time(odb, &times->ours, path, ret_ours);
	return r < 0 ? r : find_time(odb, &times->theirs, path, ret_theirs);
}
