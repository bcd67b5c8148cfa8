/* SPDX-License-Identifier: ISC */
#include "store/commit.h"
#include "store/git_repo.h"
#include "store/housekeeping.h"
#include "store/tree.h"

#include <stdio.h>
#include <string.h>

/* bench_odb REPOSITORY COMMITS A_FLUSH [MICROSECONDS]: one-line commits, as the
 * publisher writes them: a blob, two trees, a commit; a flush after every so
 * many, between flushes a pause, and housekeeping beside it.  Prints median and
 * 99th percentile of the time that a flush takes with its writes.
 * tests/bench/store_size compares the size with that of git repack -adf. */

#define FILES 20

static char text[FILES][40 * 50];
static struct oid blobs[FILES];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* A line of forty in one of twenty files. */
static int write_blob(struct odb *odb, unsigned int i)
{
	unsigned int file = i * 7 % FILES, line = i * 13 % 40;
	char changed[80];

	snprintf(changed, sizeof(changed), "line %2u of file %2u, version %9u, "
		 "of commit ....\n", line, file, i);
	memcpy(text[file] + line * 50, changed, 49);
	text[file][line * 50 + 49] = '\n';
	return odb_write(odb, OBJECT_BLOB, text[file], sizeof(text[file]),
			 &blobs[file]);
}

static int write_trees(struct odb *odb, struct oid *ret)
{
	struct tree_entry entries[FILES], top = { .mode = MODE_TREE,
						  .name = "src" };
	char names[FILES][8];
	int r;

	for (int i = 0; i < FILES; i++) {
		snprintf(names[i], sizeof(names[i]), "f%02d.c", i);
		entries[i] = (struct tree_entry){ .mode = MODE_FILE,
						  .name = names[i],
						  .oid = blobs[i] };
	}
	r = tree_write(odb, entries, FILES, &top.oid);
	return r < 0 ? r : tree_write(odb, &top, 1, ret);
}

static int write_commit(struct odb *odb, unsigned int i, struct oid *head)
{
	struct oid parent = *head;
	char message[80];
	struct commit commit = { .parents = &parent, .parent_count = i > 0,
				 .message = message };
	int r = write_blob(odb, i);

	if (r == 0)
		r = write_trees(odb, &commit.tree);
	snprintf(message, sizeof(message), "Update 1 path: src/f%02u.c\n",
		 i * 7 % FILES);
	signature_init(&commit.author, "A U Thor", "author@example.org",
		       1700000000 + i, 0);
	signature_init(&commit.committer, "A U Thor", "author@example.org",
		       1700000000 + i, 0);
	if (r == 0)
		r = commit_write(odb, &commit, head);
	signature_release(&commit.author);
	signature_release(&commit.committer);
	return r;
}

static int run(struct git_repo *repo, unsigned int commits,
	       unsigned int a_flush, unsigned int pause, double *times)
{
	struct odb *odb = git_repo_odb(repo);
	struct oid head = { 0 }, old = { 0 };
	int r = 0;

	for (unsigned int i = 0, n = 0; r == 0 && i < commits; n++) {
		double begin = now();

		for (unsigned int k = 0; r == 0 && k < a_flush && i < commits;
		     k++)
			r = write_commit(odb, i++, &head);
		if (r == 0)
			r = odb_flush(odb);
		times[n] = now() - begin;
		odb_settle(odb);
		usleep(pause);
	}
	return r < 0 ? r : git_ref_update(repo, "refs/heads/main", &old, &head,
					  "bench");
}

int main(int argc, char **argv)
{
	unsigned int commits = argc > 2 ? atoi(argv[2]) : 0,
		     a_flush = argc > 3 ? atoi(argv[3]) : 1,
		     pause = argc > 4 ? atoi(argv[4]) : 0, n;
	double *times = calloc(commits + 1, sizeof(*times));
	struct housekeeping *h;
	struct git_repo *repo;
	int r;

	if (!commits || !a_flush || !times ||
	    git_repo_open(argv[1], true, &repo, NULL) < 0 ||
	    housekeeping_new(repo, &h) < 0)
		return 1;
	for (int i = 0; i < FILES; i++) {
		memset(text[i], '.', sizeof(text[i]));
		r = odb_write(git_repo_odb(repo), OBJECT_BLOB, text[i],
			      sizeof(text[i]), &blobs[i]);
	}
	r = run(repo, commits, a_flush, pause, times);
	housekeeping_free(h);
	git_repo_free(repo);
	if (r < 0) {
		fprintf(stderr, "%s\n", strerror(-r));
		return 1;
	}
	n = (commits + a_flush - 1) / a_flush;
	qsort(times, n, sizeof(*times), compare);
	printf("%.0f us median, %.0f us p99\n", times[n / 2] * 1e6,
	       times[n * 99 / 100] * 1e6);
	free(times);
	return 0;
}
