/* SPDX-License-Identifier: ISC */
#include "structures/queue.h"
#include "store/commit.h"
#include "store/git_repo.h"
#include "store/housekeeping.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What queues cost; tests/bench/bench_queues runs it and draws the pictures.
 *
 *   bench_queue costs COUNT            microseconds an operation on a queue of
 *                                      COUNT elements
 *   bench_queue merges                 the median time of merging five taken and
 *                                      five pushed elements of either side
 *   bench_queue run BACKEND N [PATH]   seconds that N pushes and N pops take
 *   bench_queue scatter BACKEND N      "KIND READ WRITE" of each of N pushes
 *                                      and N pops: ns spent reading and writing
 *
 * Backends:
 *   array       a plain array of C: what the machine can do
 *   memory      a queue in memory, stored once at the end
 *   git-memory  each operation makes a new tree: Git's encoding and SHA-1, in
 *               memory
 *   git-disk    the same in a repository (PATH, made), each operation a commit
 *               that is durable before the next
 *   mount       files in a folder (PATH): create, write, fsync, close; then
 *               rename out of it, unlink, fsync of the folder
 *
 * Each element is a blob of its own, of some ten bytes. */

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench_queue: %s: %s\n", what, strerror(-r));
	exit(1);
}

static uint64_t read_clock(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

static uint64_t now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/* What is all in memory is measured on the processor's clock, so that others who
 * use the machine do not count. */
static uint64_t cpu(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}


/* ---- an object database that takes the time ---- */

struct timed {
	struct odb odb;
	struct odb *inner;
	uint64_t reading, writing;
};

static int timed_read(struct odb *odb, const struct oid *oid,
		      enum object_type *ret_type, void **ret_data,
		      size_t *ret_size)
{
	struct timed *t = (struct timed *)odb;
	uint64_t begin = now();
	int r = t->inner->ops->read(t->inner, oid, ret_type, ret_data,
				    ret_size);

	t->reading += now() - begin;
	return r;
}

static int timed_write(struct odb *odb, enum object_type type, const void *data,
		       size_t size, struct oid *ret_oid)
{
	struct timed *t = (struct timed *)odb;
	uint64_t begin = now();
	int r = odb_write(t->inner, type, data, size, ret_oid);

	t->writing += now() - begin;
	return r;
}

static const struct odb_ops timed_ops = { .read = timed_read,
					  .write = timed_write };

/* ---- elements ---- */

/* The i-th of a burst, one a microsecond; its blob is stored. */
static struct queue_element element(struct odb *odb, unsigned int i)
{
	struct timespec at = { 1700000000 + i / 1000000, i % 1000000 * 1000 };
	struct queue_element e = { .name = "job", .mode = MODE_FILE };
	char text[24];
	int length = snprintf(text, sizeof(text), "job %u\n", i);

	queue_key_next(NULL, &at, i * 2654435761u, &e.key);
	if (odb)
		check(odb_write(odb, OBJECT_BLOB, text, length, &e.oid), "blob");
	else
		memset(&e.oid, 1 + i % 255, sizeof(e.oid));
	return e;
}

static struct oid fill(struct odb *odb, unsigned int count)
{
	struct queue *q;
	struct oid oid;

	check(queue_open(odb, &(struct oid){ 0 }, &q), "open");
	for (unsigned int i = 0; i < count; i++) {
		struct queue_element e = element(NULL, i);

		check(queue_put(q, &e), "put");
	}
	check(queue_write(q, &oid), "write");
	queue_close(q);
	return oid;
}

static void pop(struct odb *odb, struct oid *queue)
{
	struct queue_element e;
	char *name;

	check(queue_first(odb, queue, &e, &name), "first");
	check(queue_remove(odb, queue, &e.key, name, queue), "remove");
	free(name);
}

/* ---- costs ---- */

#define ROUNDS 1000

static void print_cost(const char *what, uint64_t begin, unsigned int rounds)
{
	printf("%-16s %9.2f us\n", what, (cpu() - begin) / 1e3 / rounds);
}

static void cost_stored(struct odb *odb, struct oid queue, unsigned int count)
{
	uint64_t begin = cpu();

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct queue_element e = element(odb, count + i);

		check(queue_push(odb, &queue, &e, &queue), "push");
	}
	print_cost("push", begin, ROUNDS);
	begin = cpu();
	for (unsigned int i = 0; i < ROUNDS; i++)
		pop(odb, &queue);
	print_cost("pop", begin, ROUNDS);
}

/* Anywhere in the queue, by key and name. */
static void cost_claim(struct odb *odb, struct oid queue, unsigned int count)
{
	unsigned int rounds = count < ROUNDS ? count : ROUNDS;
	uint64_t begin = cpu();

	for (unsigned int i = 0; i < rounds; i++) {
		struct queue_element e = element(NULL, i * (count / rounds));

		check(queue_remove(odb, &queue, &e.key, e.name, &queue),
		      "claim");
	}
	print_cost("claim", begin, rounds);
}

/* The tree stored after every hundred. */
static void cost_batches(struct odb *odb, const struct oid *oid,
			 unsigned int count)
{
	struct queue *q;
	struct oid stored;
	uint64_t begin;

	check(queue_open(odb, oid, &q), "open");
	begin = cpu();
	for (unsigned int i = 0; i < ROUNDS * 10; i++) {
		struct queue_element e = element(odb, count + i);

		check(queue_put(q, &e), "put");
		if (i % 100 == 99)
			check(queue_write(q, &stored), "write");
	}
	print_cost("put, stored/100", begin, ROUNDS * 10);
	queue_close(q);
}

static void cost_memory(struct odb *odb, const struct oid *oid,
			unsigned int count)
{
	unsigned int rounds = 1000 * ROUNDS;
	struct queue_element e;
	uint64_t begin;
	struct queue *q;

	check(queue_open(odb, oid, &q), "open");
	begin = cpu();
	for (unsigned int i = 0; i < rounds; i++) {
		e = element(NULL, count + i);
		check(queue_put(q, &e), "put");
	}
	print_cost("put", begin, rounds);
	begin = cpu();
	for (unsigned int i = 0; i < rounds; i++) {
		check(queue_peek(q, &e), "peek");
		check(queue_take(q, &e.key, "job"), "take");
	}
	print_cost("take", begin, rounds);
	queue_close(q);

	check(queue_open(odb, oid, &q), "open");
	begin = cpu();
	for (unsigned int i = 0; i < ROUNDS * 100; i++) {
		e = element(odb, count + i);
		check(queue_put(q, &e), "put");
	}
	print_cost("put with blob", begin, ROUNDS * 100);
	queue_close(q);
	cost_batches(odb, oid, count);
}

/* Five taken anywhere and five pushed. */
static struct oid change(struct odb *odb, struct oid queue, unsigned int count,
			 unsigned int side, unsigned int round)
{
	struct queue_element e;

	for (unsigned int i = 0; i < 5; i++) {
		uint64_t at = (i * 2 + side + round * 10) * 7919 % count;

		e = element(NULL, at);
		if (queue_remove(odb, &queue, &e.key, e.name, &queue) == -ENOENT)
			check(-ENOENT, "take");
		e = element(NULL, count + 1000 * side + i + round * 10);
		check(queue_push(odb, &queue, &e, &queue), "push");
	}
	return queue;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t time_merge(struct odb *odb, const struct oid *queue,
			   unsigned int count, unsigned int round)
{
	struct oid ours = change(odb, *queue, count, 0, round);
	struct oid theirs = change(odb, *queue, count, 1, round), merged;
	uint64_t begin = cpu();

	check(queue_merge(odb, queue, &ours, &theirs, &merged), "merge");
	return cpu() - begin;
}

/* In turn, in one database, so that memory is as warm for each. */
#define SIZES 4
#define MERGES 301

static void merges(void)
{
	static const unsigned int counts[SIZES] = { 100, 1000, 10000, 1000000 };
	static uint64_t times[SIZES][MERGES];
	struct oid queues[SIZES];
	struct odb *odb;

	check(memory_odb_new(&odb), "memory");
	for (int i = 0; i < SIZES; i++)
		queues[i] = fill(odb, counts[i]);
	for (unsigned int round = 0; round < MERGES; round++)
		for (int i = 0; i < SIZES; i++)
			times[i][round] = time_merge(odb, &queues[i], counts[i],
						     round);
	for (int i = 0; i < SIZES; i++) {
		qsort(times[i], MERGES, sizeof(times[i][0]), compare);
		printf("%-9u %9.2f us\n", counts[i],
		       times[i][MERGES / 2] / 1e3);
	}
	odb_free(odb);
}

static void costs(unsigned int count)
{
	struct oid queue;
	struct odb *odb;

	check(memory_odb_new(&odb), "memory");
	queue = fill(odb, count);
	cost_stored(odb, queue, count);
	cost_claim(odb, queue, count);
	cost_memory(odb, &queue, count);
	odb_free(odb);
}

/* ---- whole runs ---- */

static double run_array(unsigned int n, const char *path)
{
	char (*jobs)[24] = calloc(n + 1, sizeof(*jobs));
	volatile unsigned int first = 0, end = 0;
	uint64_t begin = cpu();

	for (unsigned int i = 0; i < n; i++)
		snprintf(jobs[end++], sizeof(*jobs), "job %u\n", i);
	while (first < end)
		jobs[first++][0] = '\0';
	begin = cpu() - begin;
	free(jobs);
	return begin / 1e9;
}

static double run_memory(unsigned int n, const char *path)
{
	struct queue_element e;
	struct odb *odb;
	struct queue *q;
	struct oid oid;
	uint64_t begin;

	check(memory_odb_new(&odb), "memory");
	check(queue_open(odb, &(struct oid){ 0 }, &q), "open");
	begin = cpu();
	for (unsigned int i = 0; i < n; i++) {
		e = element(odb, i);
		check(queue_put(q, &e), "put");
	}
	for (unsigned int i = 0; i < n; i++) {
		check(queue_peek(q, &e), "peek");
		check(queue_take(q, &e.key, "job"), "take");
	}
	check(queue_write(q, &oid), "write");
	begin = cpu() - begin;
	queue_close(q);
	odb_free(odb);
	return begin / 1e9;
}

static void push_and_pop(struct odb *odb, unsigned int n, struct oid *queue,
			 void (*each)(void *, const struct oid *),
			 void *context)
{
	for (unsigned int i = 0; i < n; i++) {
		struct queue_element e = element(odb, i);

		check(queue_push(odb, queue, &e, queue), "push");
		each(context, queue);
	}
	for (unsigned int i = 0; i < n; i++) {
		pop(odb, queue);
		each(context, queue);
	}
}

static void do_nothing(void *context, const struct oid *queue)
{
}

static double run_git_memory(unsigned int n, const char *path)
{
	struct oid queue = { 0 };
	struct odb *odb;
	uint64_t begin;

	check(memory_odb_new(&odb), "memory");
	begin = cpu();
	push_and_pop(odb, n, &queue, do_nothing, NULL);
	begin = cpu() - begin;
	odb_free(odb);
	return begin / 1e9;
}

struct disk {
	struct git_repo *repo;
	struct oid head;
	unsigned int commits;
};

/* A commit of a tree with the queue as jobs/, durable with its ref. */
static void commit(void *context, const struct oid *queue)
{
	struct disk *d = context;
	struct odb *odb = git_repo_odb(d->repo);
	struct tree_entry entry = { .mode = MODE_TREE, .name = "jobs",
				    .oid = *queue };
	struct oid old = d->head, parent = d->head;
	struct commit c = { .parents = &parent, .parent_count = d->commits > 0,
			    .message = (char *)"queue\n" };

	check(tree_write(odb, &entry, !oid_is_zero(queue), &c.tree), "tree");
	signature_init(&c.author, "A U Thor", "author@example.org",
		       1700000000 + d->commits, 0);
	signature_init(&c.committer, "A U Thor", "author@example.org",
		       1700000000 + d->commits, 0);
	check(commit_write(odb, &c, &d->head), "commit");
	signature_release(&c.author);
	signature_release(&c.committer);
	check(odb_flush(odb), "flush");
	check(git_ref_update(d->repo, "refs/heads/main", &old, &d->head,
			     "bench"), "ref");
	odb_settle(odb);
	d->commits++;
}

static double run_git_disk(unsigned int n, const char *path)
{
	struct oid queue = { 0 };
	struct disk d = { 0 };
	struct housekeeping *h;
	uint64_t begin;

	check(git_repo_open(path, true, &d.repo, NULL), path);
	check(housekeeping_new(d.repo, &h), "housekeeping");
	begin = now();
	push_and_pop(git_repo_odb(d.repo), n, &queue, commit, &d);
	begin = now() - begin;
	housekeeping_free(h);
	git_repo_free(d.repo);
	return begin / 1e9;
}

static void push_file(int dir, unsigned int i)
{
	char name[24], text[24];
	int length = snprintf(text, sizeof(text), "job %u\n", i), fd;

	snprintf(name, sizeof(name), "job%u", i);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, length) != length || fsync(fd) < 0 ||
	    close(fd) < 0)
		check(-errno, name);
}

static void pop_file(int dir, int out, unsigned int i)
{
	char name[24];

	snprintf(name, sizeof(name), "job%u", i);
	if (renameat(dir, name, out, name) < 0 || unlinkat(out, name, 0) < 0 ||
	    fsync(dir) < 0)
		check(-errno, name);
}

static double run_mount(unsigned int n, const char *path)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), out;
	uint64_t begin;

	if (dir < 0)
		check(-errno, path);
	if (mkdirat(dir, "../claimed", 0755) < 0 && errno != EEXIST)
		check(-errno, "claimed");
	out = openat(dir, "../claimed", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out < 0)
		check(-errno, "claimed");
	begin = now();
	for (unsigned int i = 0; i < n; i++)
		push_file(dir, i);
	for (unsigned int i = 0; i < n; i++)
		pop_file(dir, out, i);
	begin = now() - begin;
	close(out);
	close(dir);
	return begin / 1e9;
}

static const struct backend {
	const char *name;
	double (*run)(unsigned int n, const char *path);
} backends[] = {
	{ "array", run_array },		{ "memory", run_memory },
	{ "git-memory", run_git_memory }, { "git-disk", run_git_disk },
	{ "mount", run_mount },
};

static void run(const char *name, unsigned int n, const char *path)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(*backends); i++)
		if (strcmp(backends[i].name, name) == 0) {
			printf("%u %.6f\n", n, backends[i].run(n, path));
			return;
		}
	check(-EINVAL, name);
}

/* ---- reading against writing ---- */

static void print_times(struct timed *t, const char *kind)
{
	printf("%s %lu %lu\n", kind, (unsigned long)t->reading,
	       (unsigned long)t->writing);
	t->reading = t->writing = 0;
}

static void scatter_git(struct timed *t, unsigned int n)
{
	struct oid queue = { 0 };

	for (unsigned int i = 0; i < n; i++) {
		struct queue_element e = element(&t->odb, i);

		check(queue_push(&t->odb, &queue, &e, &queue), "push");
		print_times(t, "push");
	}
	for (unsigned int i = 0; i < n; i++) {
		pop(&t->odb, &queue);
		print_times(t, "pop");
	}
}

/* In memory nothing is stored: looking is reading, changing is writing. */
static void scatter_memory(struct timed *t, unsigned int n)
{
	struct queue_element e;
	struct queue *q;
	uint64_t begin;

	check(queue_open(t->inner, &(struct oid){ 0 }, &q), "open");
	for (unsigned int i = 0; i < 2 * n; i++) {
		begin = now();
		(void)queue_peek(q, &e);
		t->reading = now() - begin;
		if (i < n)
			e = element(NULL, i);
		begin = now();
		check(i < n ? queue_put(q, &e) : queue_take(q, &e.key, "job"),
		      "change");
		t->writing = now() - begin;
		print_times(t, i < n ? "push" : "pop");
	}
	queue_close(q);
}

static void scatter(const char *name, unsigned int n)
{
	struct timed t = { .odb.ops = &timed_ops };

	check(memory_odb_new(&t.inner), "memory");
	if (strcmp(name, "memory") == 0)
		scatter_memory(&t, n);
	else
		scatter_git(&t, n);
	odb_free(t.inner);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "costs") == 0)
		costs(atoi(argv[2]));
	else if (argc == 2 && strcmp(argv[1], "merges") == 0)
		merges();
	else if (argc >= 4 && strcmp(argv[1], "run") == 0)
		run(argv[2], atoi(argv[3]), argc > 4 ? argv[4] : "");
	else if (argc == 4 && strcmp(argv[1], "scatter") == 0)
		scatter(argv[2], atoi(argv[3]));
	else
		return fprintf(stderr, "usage: see bench_queue.c\n"), 2;
	return 0;
}
