/* SPDX-License-Identifier: ISC */
#include "store/git_repo.h"
#include "structures/rope_private.h"
#include "structures/rope_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Measures ropes; tests/bench/bench_ropes runs it and draws.  One record a line,
 * separated by tabs:
 *
 *	bench_rope trace FILE.trace	WHAT  edits a second
 *	bench_rope size BYTES		WHAT  BYTES  nanoseconds
 *	bench_rope git BYTES FOLDER	the same, of a Git repository made there
 *	bench_rope_visits size BYTES	WHAT  BYTES  nodes that are searched or made
 *
 * A trace must end in the bytes of FILE.end.  In memory all bytes of a rope are its
 * own.  Before it is stored, one of more than 16 MiB is made anew of blocks of
 * 64 KiB that are shared, with a line of its own before each: that needs a
 * sixteenth of the memory.
 *
 * "memory: get" and "memory: set" are of a plain array: what they take longer in
 * more bytes is the way to the memory, which no structure can shorten.  These and
 * "get" wait for each byte before the next, or the processor would fetch several at
 * a time. */

#define BLOCK ((size_t)64 << 10)
#define BATCH 64		/* operations between looks at the clock */
#ifdef ROPE_COUNT_VISITS
#define COUNTING true
#define ROUND 1000
#else
#define COUNTING false
#define ROUND 100000		/* operations at most */
#endif
#define OWN ((uint64_t)16 << 20)

/* Time of the processor, as others may use it too; of a disk, that of the wall. */
static clockid_t timer __attribute__((unused)) = CLOCK_PROCESS_CPUTIME_ID;

#ifdef ROPE_COUNT_VISITS
uint64_t rope_visits;

/* A node counts as a nanosecond. */
static double now(void)
{
	return rope_visits / 1e9;
}
#else
static double now(void)
{
	struct timespec t;

	clock_gettime(timer, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}
#endif

static void must(int r)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench_rope: %s\n", strerror(-r));
	exit(1);
}

static uint64_t draw(uint64_t below)
{
	static uint64_t random = 88172645463325252;

	random ^= random << 13;
	random ^= random >> 7;
	random ^= random << 17;
	return (random >> 11) % below;
}

/* ---- traces ---- */

struct edit {
	uint64_t offset;
	uint32_t deleted, size;
	const char *text;
};

struct trace {
	struct buffer text, end;
	struct edit *edits;
	size_t count;
};

static int digit(char c)
{
	return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

static size_t unescape(char *text, size_t size)
{
	char *to = text;

	for (char *p = text; p < text + size; p++) {
		if (*p != '\\') {
			*to++ = *p;
		} else if (*++p == 'x') {
			*to++ = digit(p[1]) << 4 | digit(p[2]);
			p += 2;
		} else {
			*to++ = *p == 'n' ? '\n' : *p == 't' ? '\t' :
				*p == 'r' ? '\r' : *p;
		}
	}
	return to - text;
}

static void load_trace(char *path, struct trace *t)
{
	size_t capacity = 0, length = strlen(path);

	must(read_file(AT_FDCWD, path, 1 << 30, &t->text));
	must(length < 6 ? -EINVAL : 0);
	memcpy(path + length - 6, ".end", 5);
	must(read_file(AT_FDCWD, path, 1 << 30, &t->end));
	for (char *line = t->text.data, *end, *p; *line; line = end + 1) {
		struct edit *e;

		end = strchr(line, '\n');
		if (t->count == capacity) {
			capacity = capacity * 2 + 1000;
			t->edits = realloc(t->edits, capacity * sizeof(*e));
			must(t->edits ? 0 : -ENOMEM);
		}
		e = &t->edits[t->count++];
		e->offset = strtoull(line, &p, 10);
		e->deleted = strtoul(p, &p, 10);
		e->text = p + 1;
		e->size = unescape(p + 1, end - p - 1);
	}
}

static void check_end(const struct trace *t, struct rope *rope)
{
	char *read = malloc(t->end.length + 1);

	must(read ? 0 : -ENOMEM);
	if (rope_read(rope, read, t->end.length + 1, 0) !=
		    (ssize_t)t->end.length ||
	    memcmp(read, t->end.data, t->end.length) != 0)
		must(-EUCLEAN);
	free(read);
}

/* Seconds; with an odb, the rope is stored in it every thousand edits. */
static double replay(const struct trace *t, struct odb *odb)
{
	double begin = now(), seconds;
	struct rope *rope;
	struct oid oid;
	int r = rope_new(&rope);

	for (size_t i = 0; r == 0 && i < t->count; i++) {
		const struct edit *e = &t->edits[i];

		if (e->deleted)
			r = rope_delete(rope, e->offset, e->deleted);
		if (r == 0 && e->size)
			r = rope_insert(rope, e->offset, e->text, e->size);
		if (r == 0 && odb && i % 1000 == 999)
			r = rope_store(rope, odb, false, &oid);
	}
	must(r);
	seconds = now() - begin;
	check_end(t, rope);
	rope_free(rope);
	return seconds;
}

static void measure_trace(char *path)
{
	struct trace t = { 0 };
	double best[2] = { 1e9, 1e9 };

	load_trace(path, &t);
	for (int i = 0; i < 20; i++) {
		struct odb *odb;
		double seconds = replay(&t, NULL);

		best[0] = seconds < best[0] ? seconds : best[0];
		if (i % 4)
			continue;
		must(memory_odb_new(&odb));
		seconds = replay(&t, odb);
		best[1] = seconds < best[1] ? seconds : best[1];
		odb_free(odb);
	}
	printf("edits\t%.0f\n", t.count / best[0]);
	printf("edits, a store every 1000\t%.0f\n", t.count / best[1]);
	buffer_release(&t.text);
	buffer_release(&t.end);
	free(t.edits);
}

/* ---- sizes ---- */

static void put_lines(struct buffer *b, size_t size)
{
	b->length = 0;
	while (b->length < size)
		must(buffer_printf(b, "line of text %llu\n",
				   (unsigned long long)draw(1 << 30)));
	b->length = size;
	b->data[size - 1] = '\n';
}

static struct rope *make(uint64_t size, bool own_bytes)
{
	struct buffer b = { 0 };
	struct rope *rope, *block;
	uint64_t at, part;

	must(rope_new(&rope));
	must(rope_new(&block));
	for (at = 0; at < size; at += part) {
		char own[32];
		int n = snprintf(own, sizeof(own), "block %llu\n",
				 (unsigned long long)at);

		part = size - at < BLOCK ? size - at : BLOCK;
		if (at < OWN)
			put_lines(&b, BLOCK);
		if (at == 0)
			must(rope_append(block, b.data, BLOCK));
		if (part <= (uint64_t)n || own_bytes || size <= OWN) {
			must(rope_append(rope, b.data, part));
			continue;
		}
		must(rope_append(rope, own, n));
		must(rope_insert_rope(rope, rope_size(rope), block, 0,
				      part - n));
	}
	rope_free(block);
	buffer_release(&b);
	return rope;
}

static void record(const char *what, uint64_t size, double seconds)
{
	printf("%s\t%llu\t%.1f\n", what, (unsigned long long)size,
	       seconds * 1e9);
	fflush(stdout);
}

struct bench {
	struct rope *rope;
	unsigned char *array;
	unsigned char last;		/* byte that was read; below 0x80 */
	uint64_t size;
	struct odb *odb;
	struct oid base, ours, theirs;
};

/* Not before the last byte is there. */
static uint64_t draw_next(struct bench *b)
{
	return draw(b->size) + (b->last & 0x80);
}

static int do_get(struct bench *b)
{
	return rope_get(b->rope, draw_next(b), &b->last);
}

static int do_set(struct bench *b)
{
	return rope_set(b->rope, draw(b->size), 'x');
}

static int do_clone(struct bench *b)
{
	struct rope *clone;
	int r = rope_clone(b->rope, &clone);

	if (r < 0)
		return r;
	r = do_set(b);
	rope_free(clone);
	return r;
}

static int do_array_get(struct bench *b)
{
	b->last = ((volatile unsigned char *)b->array)[draw_next(b)];
	return 0;
}

static int do_array_set(struct bench *b)
{
	volatile unsigned char *at = &b->array[draw_next(b)];

	b->last = *at;
	*at = 'x';
	return 0;
}

static int do_insert(struct bench *b)
{
	return rope_insert(b->rope, draw(rope_size(b->rope)), "x", 1);
}

static int do_delete(struct bench *b)
{
	return rope_delete(b->rope, draw(rope_size(b->rope)), 1);
}

static int do_append(struct bench *b)
{
	return rope_append(b->rope, "x", 1);
}

static int do_line(struct bench *b)
{
	uint64_t line, start;
	int r = rope_line_of(b->rope, draw(b->size), &line);

	return r < 0 ? r : rope_line_start(b->rope, line, &start);
}

static int do_store(struct bench *b)
{
	struct oid oid;
	int r = rope_set(b->rope, draw(b->size), 'a' + draw(26));

	return r < 0 ? r : rope_store(b->rope, b->odb, false, &oid);
}

static int do_flush(struct bench *b)
{
	int r = do_store(b);

	return r < 0 ? r : odb_flush(b->odb);
}

static int do_load(struct bench *b)
{
	struct rope *rope;
	unsigned char byte;
	int r = rope_load(b->odb, &b->base, &rope);

	if (r < 0)
		return r;
	r = rope_get(rope, draw(b->size), &byte);
	rope_free(rope);
	return r;
}

static int do_merge(struct bench *b)
{
	const struct merge_marks marks = { .ours = "ours", .theirs = "theirs" };
	struct oid oid;

	return rope_store_merge(b->odb, &b->base, &b->ours, &b->theirs, &marks,
				&oid);
}

/* Undoes what a few operations did to the size, here and there. */
static void restore(struct bench *b)
{
	uint64_t size;

	while ((size = rope_size(b->rope)) != b->size) {
		if (size > b->size)
			must(rope_delete(b->rope, draw(size), 1));
		else
			must(rope_insert(b->rope, draw(size + 1), "y", 1));
	}
}

/* The best of some rounds. */
static void measure(struct bench *b, const char *what,
		    int (*act)(struct bench *))
{
	double best = 1e9;

	for (int round = 0; round < 7; round++) {
		double spent = 0;
		unsigned int count = 0;

		for (; spent < 0.01 && count < ROUND; count += BATCH) {
			double begin = now();

			for (int i = 0; i < BATCH; i++)
				must(act(b));
			spent += now() - begin;
			restore(b);
		}
		if (spent / count < best)
			best = spent / count;
	}
	record(what, b->size, best);
}

static void measure_memory(struct bench *b)
{
	b->array = malloc(b->size);
	must(b->array ? 0 : -ENOMEM);
	memset(b->array, 'a', b->size);
	measure(b, "memory: get", do_array_get);
	measure(b, "memory: set", do_array_set);
	free(b->array);
}

static void measure_halves(struct bench *b)
{
	double split = 1e9, concat = 1e9;

	for (int round = 0; round < 7; round++) {
		double cut = 0, put = 0;

		for (int i = 0; i < 200; i++) {
			uint64_t at = draw(b->size + 1);
			double begin = now(), middle;
			struct rope *tail;

			must(rope_split(b->rope, at, &tail));
			middle = now();
			must(rope_concat(b->rope, tail));
			put += now() - middle;
			cut += middle - begin;
			rope_free(tail);
		}
		split = cut < split ? cut : split;
		concat = put < concat ? put : concat;
	}
	record("split", b->size, split / 200);
	record("concat", b->size, concat / 200);
}

/* Ten lines of their own on each side. */
static void make_sides(struct bench *b)
{
	struct oid *ids[2] = { &b->ours, &b->theirs };

	for (int side = 0; side < 2; side++) {
		struct rope *rope;

		must(rope_load(b->odb, &b->base, &rope));
		for (int i = 0; i < 10; i++) {
			uint64_t line, at;

			must(rope_line_of(rope, b->size / 20 * (2 * i + side),
					  &line));
			must(rope_line_start(rope, line, &at));
			must(rope_insert(rope, at, side ? "theirs\n" : "ours\n",
					 side ? 7 : 5));
		}
		must(rope_store(rope, b->odb, false, ids[side]));
		rope_free(rope);
	}
}

static void measure_stored(struct bench *b, bool durable)
{
	struct rope *fresh = make(b->size, false);
	double begin = now();

	must(rope_store(fresh, b->odb, false, &b->base));
	record("stored: all", b->size, now() - begin);
	must(durable ? odb_flush(b->odb) : 0);
	rope_free(fresh);
	rope_free(b->rope);
	must(rope_load(b->odb, &b->base, &b->rope));
	measure(b, "stored: load and get", do_load);
	measure(b, "stored: set and store", do_store);
	if (durable)
		measure(b, "stored: set, store and flush", do_flush);
	make_sides(b);
	measure(b, "merge of 10 + 10 lines", do_merge);
}

static void measure_size(uint64_t size)
{
	struct bench b = { .rope = make(size, true), .size = size };

	if (!COUNTING)
		measure_memory(&b);
	measure(&b, "get", do_get);
	measure(&b, "set", do_set);
	measure(&b, "clone and set", do_clone);
	measure(&b, "insert", do_insert);
	measure(&b, "delete", do_delete);
	measure(&b, "append", do_append);
	measure(&b, "line", do_line);
	measure_halves(&b);
	must(memory_odb_new(&b.odb));
	measure_stored(&b, false);
	rope_free(b.rope);
	odb_free(b.odb);
}

static void measure_git(uint64_t size, const char *folder)
{
	struct bench b = { .rope = NULL, .size = size };
	struct git_repo *repo;

	timer = CLOCK_MONOTONIC;
	must(git_repo_open(folder, true, &repo, NULL));
	b.odb = git_repo_odb(repo);
	must(rope_new(&b.rope));
	measure_stored(&b, true);
	rope_free(b.rope);
	git_repo_free(repo);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "trace") == 0)
		measure_trace(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "size") == 0)
		measure_size(strtoull(argv[2], NULL, 10));
	else if (argc == 4 && strcmp(argv[1], "git") == 0)
		measure_git(strtoull(argv[2], NULL, 10), argv[3]);
	else
		return 2;
	return 0;
}
