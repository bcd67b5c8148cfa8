/* SPDX-License-Identifier: ISC */
#include "store/housekeeping_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define LOOK_AFTER 16		/* new packs */
#define PACKS_MOST 32		/* that are not kept, before they are merged */
#define PACKS_URGENT 512		/* all readers suffer by now */
#define REST_LEAST 5		/* seconds between runs */
#define REST_FACTOR 10		/* of what a run took */
#define REST_FAILED 600
#define SPARES_INTERVAL 10	/* seconds */

#define GARBAGE_KEPT 3600	/* seconds */

static const char *const commit_graph[] = {
	"-c", "gc.auto=0", "commit-graph", "write", "--reachable", "--split",
	"--no-progress", NULL,
};

/* ---- what there is to do ---- */

static bool has_ending(const char *name, const char *ending)
{
	size_t length = strlen(name), n = strlen(ending);

	return length > n && strcmp(name + length - n, ending) == 0;
}

/* Packs that are not kept. */
static int count_packs(struct git_repo *repo)
{
	int fd = openat(git_repo_dir_fd(repo), "objects/pack",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int count = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, "pack-", 5) == 0)
			count += has_ending(entry->d_name, ".idx") -
				 has_ending(entry->d_name, ".keep");
	closedir(dir);
	return count;
}

/* What was written a moment ago may not have got a name yet. */
static int collect(struct housekeeping *h)
{
	char expiration[64];
	const char *const arguments[] = {
		HOUSEKEEPING_MODEST, "repack", "--cruft", expiration, "-d",
		"-l", "-n", "-q", NULL,
	};
	struct timespec now;

	h->clock(&now);
	snprintf(expiration, sizeof(expiration), "--cruft-expiration=@%lld +0000",
		 (long long)now.tv_sec - GARBAGE_KEPT);
	return housekeeping_run(h, arguments, -1, -1);
}

/* 1: what an earlier daemon has started is still at it, or the end is near. */
static int tend(struct housekeeping *h)
{
	int r, count = count_packs(h->repo);

	if (count < PACKS_MOST)
		return 0;
	h->urgent = count >= PACKS_URGENT;
	r = h->name ? h->name(h->context) : 0;
	if (r == 0)
		r = h->name ? collect(h) : housekeeping_merge(h);
	if (r == 0)
		git_objects_refresh(h->repo);
	if (r == 0 && !h->name)
		r = housekeeping_run(h, commit_graph, -1, -1);
	if (r == -EAGAIN)	/* after the shortest rest */
		return 1;
	if (r >= 0)
		h->failures = 0;
	else if (h->failures++ == 0)	/* as when another git merges them */
		return 1;
	if (h->failures == 2)
		log_warning("the packs of %s cannot be merged: %s; reading from "
			    "it becomes slower", git_repo_path(h->repo),
			    r == -EIO ? h->said : strerror(-r));
	return r;
}

/* ---- the thread ---- */

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec
				      : a->tv_nsec < b->tv_nsec;
}

/* Large objects that another program prunes are there again soon. */
static void tend_spares_locked(struct housekeeping *h)
{
	pthread_mutex_unlock(&h->lock);
	git_objects_tend_spares(h->repo);
	clock_gettime(CLOCK_MONOTONIC, &h->spares);
	h->spares.tv_sec += SPARES_INTERVAL;
	pthread_mutex_lock(&h->lock);
}

static void wait_locked(struct housekeeping *h)
{
	if (git_objects_has_spares(h->repo))
		pthread_cond_timedwait(&h->wake, &h->lock, &h->spares);
	else
		pthread_cond_wait(&h->wake, &h->lock);
}

/* Waits until there may be something to do; false: the end. */
static bool next_locked(struct housekeeping *h)
{
	while (!h->stop) {
		struct timespec now;

		clock_gettime(CLOCK_MONOTONIC, &now);
		if (git_objects_has_spares(h->repo) &&
		    !is_before(&now, &h->spares))
			tend_spares_locked(h);
		else if (h->made < LOOK_AFTER || h->pauses)
			wait_locked(h);
		else if (is_before(&now, &h->rest))
			pthread_cond_timedwait(&h->wake, &h->lock, &h->rest);
		else
			return true;
	}
	return false;
}

static void *run(void *argument)
{
	struct housekeeping *h = argument;

	pthread_mutex_lock(&h->lock);
	while (next_locked(h)) {
		struct timespec begin, end;
		int r;

		h->made = 0;
		pthread_mutex_unlock(&h->lock);
		clock_gettime(CLOCK_MONOTONIC, &begin);
		r = tend(h);
		clock_gettime(CLOCK_MONOTONIC, &end);
		h->rest = end;
		h->rest.tv_sec += r < 0 ? REST_FAILED : REST_LEAST +
				  REST_FACTOR * (end.tv_sec - begin.tv_sec);
		pthread_mutex_lock(&h->lock);
		if (r == 1)
			h->made = LOOK_AFTER;
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* ---- from outside ---- */

static void pack_made(void *context)
{
	struct housekeeping *h = context;
	SCOPED_LOCK(&h->lock);

	if (++h->made == LOOK_AFTER || git_objects_has_spares(h->repo))
		pthread_cond_broadcast(&h->wake);
}

void housekeeping_pause(struct housekeeping *h)
{
	if (!h)
		return;
	SCOPED_LOCK(&h->lock);
	h->pauses++;
}

void housekeeping_resume(struct housekeeping *h)
{
	if (!h)
		return;
	SCOPED_LOCK(&h->lock);
	if (--h->pauses == 0)
		pthread_cond_broadcast(&h->wake);
}

static void init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

int housekeeping_new(struct git_repo *repo, struct housekeeping **ret)
{
	return housekeeping_new_collecting(repo, NULL, NULL, clock_real, ret);
}

int housekeeping_new_collecting(struct git_repo *repo, housekeeping_name *name,
				void *context, clock_function *clock,
				struct housekeeping **ret)
{
	struct housekeeping *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	h->repo = repo;
	h->name = name;
	h->context = context;
	h->clock = clock;
	/* packs of before may be many */
	h->made = LOOK_AFTER;
	pthread_mutex_init(&h->lock, NULL);
	init_condition(&h->wake);
	r = pthread_create(&h->thread, NULL, run, h);
	if (r) {
		pthread_cond_destroy(&h->wake);
		pthread_mutex_destroy(&h->lock);
		free(h);
		return -r;
	}
	git_repo_watch_packs(repo, pack_made, h);
	*ret = h;
	return 0;
}

void housekeeping_free(struct housekeeping *h)
{
	if (!h)
		return;
	git_repo_watch_packs(h->repo, NULL, NULL);
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_cond_broadcast(&h->wake);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->thread, NULL);
	pthread_cond_destroy(&h->wake);
	pthread_mutex_destroy(&h->lock);
	free(h);
}
