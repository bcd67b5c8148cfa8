/* SPDX-License-Identifier: ISC */
#include "store/merge.h"
#include "store/node.h"
#include "structures/queue.h"
#include "structures/structures.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* What a merge costs into a queue whose directory is loaded; tests/bench/
 * bench_queues runs it.
 *
 *   bench_loaded	per length of the queue, the median of the microseconds
 *			that it takes to merge five elements taken anywhere and
 *			five pushed on either side, and to apply that to the
 *			loaded work tree, and the most of them
 *
 * All is in memory, on the processor's clock. */

#define ROUNDS 101

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench_loaded: %s: %s\n", what, strerror(-r));
	exit(1);
}

static uint64_t cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

/* The i-th of a burst, one a microsecond. */
static struct queue_element element(unsigned int i, char name[16])
{
	struct timespec at = { 1700000000 + i / 1000000, i % 1000000 * 1000 };
	struct queue_element e = { .name = name, .mode = MODE_FILE };

	snprintf(name, 16, "job%u", i);
	queue_key_next(NULL, &at, i * 2654435761u, &e.key);
	memset(&e.oid, 1 + i % 255, sizeof(e.oid));
	return e;
}

struct bench {
	struct odb *odb;
	struct pool *pool;
	struct worktree *w;
	struct node *jobs;		/* keeps the directory loaded */
	struct oid queue, tree, attributes;
	unsigned int count, next;
};

static struct oid tree_with(struct bench *b, const struct oid *queue)
{
	struct tree_entry entries[] = {
		{ .name = ".gitattributes", .mode = MODE_FILE,
		  .oid = b->attributes },
		{ .name = "jobs", .mode = MODE_TREE, .oid = *queue },
	};
	struct oid oid;

	check(tree_write(b->odb, entries, 2, &oid), "tree");
	return oid;
}

static void fill(struct bench *b)
{
	char name[16];
	struct queue *q;

	check(queue_open(b->odb, &(struct oid){ 0 }, &q), "open");
	for (b->next = 0; b->next < b->count; b->next++) {
		struct queue_element e = element(b->next, name);

		check(queue_put(q, &e), "put");
	}
	check(queue_write(q, &b->queue), "write");
	queue_close(q);
}

static int count_entry(void *context, const struct listed *e)
{
	++*(unsigned int *)context;
	return 0;
}

static void load(struct bench *b)
{
	unsigned int count = 0;

	check(worktree_lookup(b->w, "jobs", &b->jobs), "jobs");
	check(node_list(b->jobs, 0, count_entry, &count), "list");
	check(count == b->count ? 0 : -EUCLEAN, "count");
}

static void open_all(struct bench *b, unsigned int count)
{
	static const char line[] = "/jobs irmin=queue\n";
	struct pool_options pool = { .block_budget = 1 << 20,
				     .blob_budget = 1 << 20 };
	struct worktree_options options = { .clock = clock_real,
					    .incarnation = 1 };

	*b = (struct bench){ .count = count };
	check(memory_odb_new(&b->odb), "memory");
	check(odb_write(b->odb, OBJECT_BLOB, line, strlen(line),
			&b->attributes), "attributes");
	fill(b);
	b->tree = tree_with(b, &b->queue);
	pool.odb = b->odb;
	pool.dir_fd = open("/tmp", O_DIRECTORY | O_CLOEXEC);
	check(pool_new(&pool, &b->pool), "pool");
	options.odb = b->odb;
	options.pool = b->pool;
	options.tree = b->tree;
	check(worktree_new(&options, &b->w), "work tree");
	load(b);
}

/* Five taken anywhere and five pushed. */
static struct oid change(struct bench *b, unsigned int side)
{
	static unsigned int taken;
	struct oid queue = b->queue;

	for (unsigned int i = 0; i < 5; i++) {
		char name[16];
		struct queue_element e =
			element(++taken * UINT64_C(7919) % b->count, name);
		int r = queue_remove(b->odb, &queue, &e.key, name, &queue);

		check(r == -ENOENT ? 0 : r, "take");
		e = element(b->next + i * 2 + side, name);
		check(queue_push(b->odb, &queue, &e, &queue), "push");
	}
	return tree_with(b, &queue);
}

static int take(void *context, struct delta *delta)
{
	return 0;
}

static void apply(struct bench *b, const struct oid *to)
{
	struct delta *delta;
	char *path = NULL;

	check(delta_between(b->odb, &b->tree, to, &delta), "delta");
	check(worktree_apply(b->w, delta, NULL, take, NULL, &path), "apply");
	delta_free(delta);
	b->tree = *to;
}

/* The work tree has ours, and follows to what that and theirs make. */
static void merge(struct bench *b, uint64_t *ret_merge, uint64_t *ret_apply)
{
	struct oid base = b->tree, ours = change(b, 0), theirs = change(b, 1);
	struct merge_context context = { .odb = b->odb };
	struct merge_result result;
	struct tree_entry jobs;
	char *path = NULL;
	uint64_t begin;

	b->next += 10;
	apply(b, &ours);
	begin = cpu();
	check(merge_trees(&context, &base, &ours, &theirs, &result, NULL),
	      "merge");
	*ret_merge = cpu() - begin;
	begin = cpu();
	check(worktree_apply(b->w, result.changes, NULL, take, NULL, &path),
	      "apply");
	*ret_apply = cpu() - begin;
	b->tree = result.tree;
	check(tree_resolve(b->odb, &b->tree, "jobs", &jobs), "jobs");
	b->queue = jobs.oid;
	merge_result_release(&result);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void measure(unsigned int count)
{
	uint64_t merging[ROUNDS], applying[ROUNDS];
	struct bench b;

	open_all(&b, count);
	for (int i = 0; i < ROUNDS; i++)
		merge(&b, &merging[i], &applying[i]);
	qsort(merging, ROUNDS, sizeof(*merging), compare);
	qsort(applying, ROUNDS, sizeof(*applying), compare);
	printf("%-9u merge %9.2f us, apply %9.2f us, at most %9.2f us\n",
	       count, merging[ROUNDS / 2] / 1e3, applying[ROUNDS / 2] / 1e3,
	       applying[ROUNDS - 1] / 1e3);
	node_unref(b.jobs);
	worktree_unref(b.w);
	pool_free(b.pool);
	odb_free(b.odb);
}

int main(void)
{
	check(structures_register(), "structures");
	for (unsigned int count = 1000; count <= 1000000; count *= 10)
		measure(count);
	return 0;
}
