/* SPDX-License-Identifier: ISC */
#include "fs/private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The kernel gives a directory one name.  It finds out about another one when it
 * looks that up, and moves what it has; but not inside of a rename(2) from one
 * directory to another, where the LOOKUP fails with ESTALE, and does so again
 * when the kernel repeats the whole call.  The repetition begins by looking at
 * the parents, and that without a lock: by then the thread was told of a branch.
 * So the helper process looks at that branch before the answer. */

#define TOLD_MAX 64
#define TOLD_SECONDS 2

struct told {
	pid_t tid;
	char *path;			/* NULL: free */
	time_t since;
};

struct tolds {
	pthread_mutex_t lock;		/* guards the rest; leaf */
	struct told last[TOLD_MAX];
	size_t next;
};

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

int tolds_new(struct tolds **ret)
{
	struct tolds *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	*ret = t;
	return 0;
}

void tolds_free(struct tolds *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < TOLD_MAX; i++)
		free(t->last[i].path);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static void note(struct tolds *t, pid_t tid, char *path)
{
	struct told *told;

	SCOPED_LOCK(&t->lock);
	told = &t->last[t->next++ % TOLD_MAX];
	free(told->path);
	*told = (struct told){ .tid = tid, .path = path, .since = seconds() };
}

/* What the thread was told of last, lately; the caller frees it.  NULL: nothing
 * that counts. */
static char *take(struct tolds *t, pid_t tid)
{
	SCOPED_LOCK(&t->lock);
	for (size_t i = 1; i <= TOLD_MAX && i <= t->next; i++) {
		struct told *told = &t->last[(t->next - i) % TOLD_MAX];

		if (told->path && told->tid == tid)
			return seconds() - told->since > TOLD_SECONDS ?
				NULL : STEAL(told->path);
	}
	return NULL;
}

void told_branch(struct fs *fs, fuse_req_t req, const struct inode *space,
		 const char *name)
{
	pid_t tid = fuse_req_ctx(req)->pid;
	char *path;

	/* without memory the kernel's ESTALE stays */
	if (tid != helper_pid(fs->helper) &&
	    asprintf(&path, "%s%s%s", space->name, *space->name ? "/" : "",
		     name) >= 0)
		note(fs->tolds, tid, path);
}

void told_space(struct fs *fs, fuse_req_t req)
{
	scoped_free char *path = take(fs->tolds, fuse_req_ctx(req)->pid);

	if (path)
		helper_look_wait(fs->helper, path, LOOK_MILLISECONDS);
}
