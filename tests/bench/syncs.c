/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The inner loops of bench_commit: small durable changes, timed one by one.
 *
 *   syncs overwrite COUNT FILE...     4 KiB somewhere in a file, synced
 *   syncs create COUNT FOLDER...      a new file of 1 KiB, synced and closed
 *   syncs writers SECONDS FILE...     a process each, overwriting all the time
 *
 * A path that begins with "data:" is synced with fdatasync, others with fsync.
 * overwrite and create do one operation on each path in turn, COUNT times, and
 * print a line "INDEX NANOSECONDS" for each; writers prints how many were done. */

#define UNIT 4096

struct path {
	const char *name;
	int (*sync)(int fd);
	int fd;
	off_t size;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "syncs: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static uint64_t draw(uint64_t below)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

static struct path parse(const char *word)
{
	const char data[] = "data:";
	size_t length = sizeof(data) - 1;

	if (strncmp(word, data, length) == 0)
		return (struct path){ word + length, fdatasync, -1, 0 };
	return (struct path){ word, fsync, -1, 0 };
}

static void open_file(struct path *p)
{
	struct stat st;

	p->fd = open(p->name, O_RDWR | O_CLOEXEC);
	if (p->fd < 0 || fstat(p->fd, &st) < 0)
		fail(p->name);
	p->size = st.st_size;
}

static void overwrite(struct path *p)
{
	char bytes[UNIT];

	memset(bytes, draw(256), sizeof(bytes));
	if (pwrite(p->fd, bytes, UNIT, draw(p->size / UNIT) * UNIT) != UNIT ||
	    p->sync(p->fd) < 0)
		fail(p->name);
}

static void create(struct path *p, long n)
{
	char name[PATH_MAX], bytes[1024];
	int fd;

	memset(bytes, draw(256), sizeof(bytes));
	snprintf(name, sizeof(name), "%s/new%ld", p->name, n);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, bytes, sizeof(bytes)) != sizeof(bytes) ||
	    p->sync(fd) < 0 || close(fd) < 0)
		fail(name);
}

/* ---- one after the other ---- */

static void in_turn(long count, int paths, char **words, bool creating)
{
	struct path *p = calloc(paths, sizeof(*p));

	if (!p)
		fail("calloc");
	for (int i = 0; i < paths; i++) {
		p[i] = parse(words[i]);
		if (!creating)
			open_file(&p[i]);
	}
	for (long n = 0; n < count; n++)
		for (int i = 0; i < paths; i++) {
			int64_t begin = now();

			if (creating)
				create(&p[i], n);
			else
				overwrite(&p[i]);
			printf("%d %lld\n", i, (long long)(now() - begin));
		}
	free(p);
}

/* ---- all at once ---- */

static long write_until(struct path *p, int64_t end)
{
	long count = 0;

	open_file(p);
	for (; now() < end; count++)
		overwrite(p);
	return count;
}

static void writers(long seconds, int paths, char **words)
{
	int64_t end = now() + seconds * INT64_C(1000000000);
	long all = 0, count;
	int ends[2];

	if (pipe(ends) < 0)
		fail("pipe");
	for (int i = 0; i < paths; i++) {
		struct path p = parse(words[i]);
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (pid > 0)
			continue;
		count = write_until(&p, end);
		_exit(write(ends[1], &count, sizeof(count)) < 0);
	}
	close(ends[1]);
	while (read(ends[0], &count, sizeof(count)) == sizeof(count))
		all += count;
	while (wait(NULL) > 0)
		;
	printf("%ld\n", all);
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: syncs overwrite|create|writers N "
			"PATH...\n");
		return 2;
	}
	if (strcmp(argv[1], "writers") == 0)
		writers(atol(argv[2]), argc - 3, argv + 3);
	else
		in_turn(atol(argv[2]), argc - 3, argv + 3,
			strcmp(argv[1], "create") == 0);
	return 0;
}
