/* SPDX-License-Identifier: ISC */
#include "fs/private.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>

enum notification_kind {
	NOTIFY_DROP_NAME,
	NOTIFY_EXPIRE_NAME,
	NOTIFY_INODE,
	NOTIFY_LOOK,
};

struct notification {
	enum notification_kind kind;
	struct inode *inode;		/* referenced; NULL for LOOK */
	struct notification *next;
	char name[];
};

struct notifier {
	struct fs *fs;
	pthread_t thread;
	pthread_mutex_t lock;		/* guards the rest */
	pthread_cond_t wake, done;
	struct notification *first, **last;
	uint64_t queued, sent;
	bool end;
};

/* ---- sending ---- */

/* As fuse_lowlevel_notify_expire_entry, which libfuse refuses unless the kernel
 * announces it; the flag does no harm where it is not known (before 6.2: the
 * name is dropped). */
static int send_expire(struct fs *fs, struct inode *dir, const char *name)
{
	struct fuse_notify_inval_entry_out entry = {
		.parent = inode_id(fs, dir),
		.namelen = strlen(name),
		.flags = FUSE_EXPIRE_ONLY,
	};
	struct fuse_out_header header = {
		.len = sizeof(header) + sizeof(entry) + entry.namelen + 1,
		.error = FUSE_NOTIFY_INVAL_ENTRY,
	};
	const struct iovec parts[] = {
		{ &header, sizeof(header) },
		{ &entry, sizeof(entry) },
		{ (void *)(uintptr_t)name, entry.namelen + 1 },
	};

	return writev(fuse_session_fd(fs->session), parts, 3) < 0 ? -errno : 0;
}

static int transmit(struct fs *fs, const struct notification *n)
{
	fuse_ino_t id = n->inode ? inode_id(fs, n->inode) : 0;

	switch (n->kind) {
	case NOTIFY_DROP_NAME:
		return fuse_lowlevel_notify_inval_entry(fs->session, id,
							n->name,
							strlen(n->name));
	case NOTIFY_EXPIRE_NAME:
		return send_expire(fs, n->inode, n->name);
	case NOTIFY_LOOK:
		helper_look(fs->helper, n->name);
		return 0;
	default:
		return fuse_lowlevel_notify_inval_inode(fs->session, id, 0, 0);
	}
}

/* What the kernel does not know needs no notification, and after the end of the
 * mount nothing does. */
static bool is_expected(int r)
{
	return r == 0 || r == -ENOENT || r == -ENODEV || r == -ENOTCONN ||
	       r == -EBADF || r == -ENOTDIR;
}

static void transmit_checked(struct fs *fs, const struct notification *n)
{
	int r = transmit(fs, n);

	if (!is_expected(r))
		log_warning("notification %d of the kernel failed: %s", n->kind,
			    strerror(-r));
}

/* ---- the thread ---- */

static struct notification *take(struct notifier *n)
{
	struct notification *first;

	SCOPED_LOCK(&n->lock);
	while (!n->first && !n->end)
		pthread_cond_wait(&n->wake, &n->lock);
	first = n->first;
	if (!first)
		return NULL;
	n->first = first->next;
	if (!n->first)
		n->last = &n->first;
	return first;
}

static void *work(void *context)
{
	struct notifier *n = context;
	struct notification *next;

	while ((next = take(n))) {
		transmit_checked(n->fs, next);
		inode_unref(n->fs, next->inode);
		free(next);
		SCOPED_LOCK(&n->lock);
		n->sent++;
		pthread_cond_broadcast(&n->done);
	}
	return NULL;
}

/* ---- queueing ---- */

static void queue(struct notifier *n, enum notification_kind kind,
		  struct inode *inode, const char *name)
{
	struct notification *new;
	size_t length = strlen(name);

	/* leaving one out would show old contents for ever */
	while (!(new = calloc(1, sizeof(*new) + length + 1)))
		usleep(10000);
	new->kind = kind;
	new->inode = inode ? inode_ref(n->fs, inode) : NULL;
	memcpy(new->name, name, length);
	SCOPED_LOCK(&n->lock);
	*n->last = new;
	n->last = &new->next;
	n->queued++;
	pthread_cond_signal(&n->wake);
}

void notify_drop_name(struct notifier *n, struct inode *dir, const char *name)
{
	queue(n, NOTIFY_DROP_NAME, dir, name);
}

void notify_expire_name(struct notifier *n, struct inode *dir, const char *name)
{
	queue(n, NOTIFY_EXPIRE_NAME, dir, name);
}

void notify_inode(struct notifier *n, struct inode *inode)
{
	queue(n, NOTIFY_INODE, inode, "");
}

void notify_look(struct notifier *n, const char *path)
{
	queue(n, NOTIFY_LOOK, NULL, path);
}

static struct timespec deadline_in(int milliseconds)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += milliseconds / 1000;
	t.tv_nsec += milliseconds % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_nsec -= 1000000000L;
		t.tv_sec++;
	}
	return t;
}

void notify_wait(struct notifier *n, int milliseconds)
{
	struct timespec deadline = deadline_in(milliseconds);
	uint64_t mine;
	int r = 0;

	SCOPED_LOCK(&n->lock);
	mine = n->queued;
	while (n->sent < mine && r != ETIMEDOUT)
		r = milliseconds < 0 ?
			pthread_cond_wait(&n->done, &n->lock) :
			pthread_cond_timedwait(&n->done, &n->lock, &deadline);
}

/* ---- life ---- */

int notifier_new(struct fs *fs, struct notifier **ret)
{
	struct notifier *n = calloc(1, sizeof(*n));
	pthread_condattr_t monotonic;
	int r;

	if (!n)
		return -ENOMEM;
	n->fs = fs;
	n->last = &n->first;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->wake, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&n->done, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r = thread_start(&n->thread, work, n);
	if (r < 0) {
		pthread_mutex_destroy(&n->lock);
		free(n);
		return r;
	}
	*ret = n;
	return 0;
}

void notifier_free(struct notifier *n)
{
	if (!n)
		return;
	pthread_mutex_lock(&n->lock);
	n->end = true;
	pthread_cond_signal(&n->wake);
	pthread_mutex_unlock(&n->lock);
	pthread_join(n->thread, NULL);
	pthread_cond_destroy(&n->wake);
	pthread_cond_destroy(&n->done);
	pthread_mutex_destroy(&n->lock);
	free(n);
}
