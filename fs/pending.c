/* SPDX-License-Identifier: ISC */
#include "fs/pending.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SETTLE_MILLISECONDS 50

struct pending {
	struct pending *previous, *next;
	struct inode *dir;		/* referenced */
	char *name;
	struct node *node;		/* referenced */
	pid_t thread;			/* that made it; 0: unknown */
	bool flushed;			/* by a close, maybe the last */
	bool kept;			/* it was synced */
};

struct pendings {
	pthread_mutex_t lock;		/* guards the rest; leaf */
	pthread_cond_t changed;
	struct pending *first;
	_Atomic unsigned int count;	/* is 0 most of the time */
};

int pendings_new(struct pendings **ret)
{
	struct pendings *all = calloc(1, sizeof(*all));
	pthread_condattr_t attributes;

	if (!all)
		return -ENOMEM;
	pthread_mutex_init(&all->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&all->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	*ret = all;
	return 0;
}

static void pending_free(struct fs *fs, struct pending *p)
{
	inode_unref(fs, p->dir);
	node_unref(p->node);
	free(p->name);
	free(p);
}

void pendings_free(struct fs *fs, struct pendings *all)
{
	if (!all)
		return;
	while (all->first) {
		struct pending *p = all->first;

		all->first = p->next;
		if (node_is_pending(p->node))
			log_warning("\"%s\" was still being written, and is "
				    "no element of its queue%s", p->name,
				    p->kept ? " before the next mount" : "");
		pending_free(fs, p);
	}
	pthread_cond_destroy(&all->changed);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

/* ---- processes ---- */

/* The process that a thread belongs to; 0: not known any more. */
static pid_t process_of(pid_t thread)
{
	char path[64], line[128];
	int process = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)thread);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Tgid: %d", &process) == 1)
			break;
	fclose(file);
	return process;
}

/* Requests name threads. */
static bool is_same_process(pid_t a, pid_t b)
{
	if (a <= 0 || b <= 0)
		return false;
	return a == b || (process_of(a) && process_of(a) == process_of(b));
}

/* ---- life ---- */

struct pending *pending_new(struct fs *fs, struct inode *dir, const char *name,
			    struct node *node, pid_t pid)
{
	struct pendings *all = fs->pendings;
	struct pending *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->name = strdup(name);
	if (!p->name) {
		free(p);
		return NULL;
	}
	p->dir = inode_ref(fs, dir);
	p->node = node_ref(node);
	p->thread = pid;
	SCOPED_LOCK(&all->lock);
	p->next = all->first;
	if (all->first)
		all->first->previous = p;
	all->first = p;
	all->count++;
	return p;
}

static void unlink_pending(struct pendings *all, struct pending *p)
{
	SCOPED_LOCK(&all->lock);
	if (p->previous)
		p->previous->next = p->next;
	else
		all->first = p->next;
	if (p->next)
		p->next->previous = p->previous;
	all->count--;
	pthread_cond_broadcast(&all->changed);
}

/* The kernel has a listing and times of before. */
static int push(struct fs *fs, struct inode *dir, const char *wanted,
		struct node *node)
{
	scoped_free char *name = NULL;
	int r = node_push_pending(node, dir->node, &name);

	if (r < 0)
		log_error("an element cannot be added to its queue: %s",
			  strerror(-r));
	if (r < 0 || !name)
		return r;
	/* somebody may have been told that there is no such name */
	if (strcmp(name, wanted) != 0)
		notify_drop_name(fs->trees, dir, name);
	notify_inode(fs->pages, dir);
	return 0;
}

static bool is_unfinished(const char *name)
{
	return strncmp(name, FS_UNFINISHED, strlen(FS_UNFINISHED)) == 0;
}

/* Another thread of its process may rename it meanwhile.  NULL: no memory. */
static char *copy_name(struct fs *fs, const struct pending *p)
{
	SCOPED_LOCK(&fs->pendings->lock);

	return strdup(p->name);
}

void pending_end(struct fs *fs, struct pending *p)
{
	scoped_free char *name = p ? copy_name(fs, p) : NULL;

	if (!p)
		return;
	if (!name || !is_unfinished(name))
		push(fs, p->dir, name ? name : "", p->node);
	else if (node_is_pending(p->node))
		node_cancel_pending(p->node, p->dir->node);
	pending_drop(fs, p);
}

void pending_drop(struct fs *fs, struct pending *p)
{
	unlink_pending(fs->pendings, p);
	node_end_pending(p->node, p->dir->node);
	pending_free(fs, p);
}

/* The caller of close(2), who waits for this, is to see a new listing. */
void pending_flushed(struct fs *fs, struct pending *p)
{
	{
		SCOPED_LOCK(&fs->pendings->lock);
		p->flushed = true;
	}
	fuse_lowlevel_notify_inval_inode(fs->session, inode_id(fs, p->dir), 0,
					 0);
}

/* Of the element that node is: its directory and name (the caller gives both
 * back); *ret_dir is NULL if it is none.  keep: it is about to be kept. */
static int find_node(struct fs *fs, struct node *node, bool keep,
		     struct inode **ret_dir, char **ret_name)
{
	*ret_dir = NULL;
	if (!fs->pendings->count)
		return 0;
	SCOPED_LOCK(&fs->pendings->lock);
	for (struct pending *p = fs->pendings->first; p; p = p->next) {
		if (p->node != node)
			continue;
		*ret_name = strdup(p->name);
		if (!*ret_name)
			return -ENOMEM;
		*ret_dir = inode_ref(fs, p->dir);
		p->kept |= keep;
		break;
	}
	return 0;
}

int pending_push(struct fs *fs, struct node *node)
{
	scoped_free char *name = NULL;
	struct inode *dir;
	int r = find_node(fs, node, false, &dir, &name);

	if (r < 0 || !dir)
		return r;
	r = push(fs, dir, name, node);
	inode_unref(fs, dir);
	return r;
}

int pending_keep(struct fs *fs, struct node *node)
{
	scoped_free char *name = NULL;
	struct inode *dir;
	int r = find_node(fs, node, true, &dir, &name);

	if (r < 0 || !dir)
		return r;
	/* what cannot be kept apart must be safe all the same */
	if (node_keep_pending(node, dir->node) < 0)
		r = push(fs, dir, name, node);
	inode_unref(fs, dir);
	return r;
}

int pending_take_back(struct fs *fs, struct node *node)
{
	scoped_free char *name = NULL;
	struct inode *dir;
	int r = find_node(fs, node, false, &dir, &name);

	if (r < 0 || !dir)
		return r < 0 ? r : -ENOENT;
	r = node_is_pending(node) ? node_cancel_pending(node, dir->node) :
				    -ENOENT;
	inode_unref(fs, dir);
	return r;
}

/* ---- by name ---- */

static struct pending *find_locked(struct pendings *all, struct inode *dir,
				   const char *name, pid_t pid)
{
	for (struct pending *p = all->first; p; p = p->next)
		if (p->dir == dir && strcmp(p->name, name) == 0 &&
		    node_is_pending(p->node) && is_same_process(p->thread, pid))
			return p;
	return NULL;
}

struct node *pending_find(struct fs *fs, struct inode *dir, const char *name,
			  pid_t pid)
{
	struct pendings *all = fs->pendings;
	struct pending *p;

	if (!all->count)
		return NULL;
	SCOPED_LOCK(&all->lock);
	p = find_locked(all, dir, name, pid);
	return p ? node_ref(p->node) : NULL;
}

int pending_rename(struct fs *fs, struct inode *dir, const char *name,
		   const char *to, pid_t pid)
{
	struct pendings *all = fs->pendings;
	struct pending *p;
	char *copy;
	int r;

	if (!all->count)
		return -ENOENT;
	SCOPED_LOCK(&all->lock);
	p = find_locked(all, dir, name, pid);
	copy = p ? strdup(to) : NULL;
	if (!copy)
		return p ? -ENOMEM : -ENOENT;
	r = node_rename_pending(p->node, dir->node, to);
	if (r < 0) {
		free(copy);
		return r;
	}
	free(p->name);
	p->name = copy;
	return 0;
}

int pending_cancel(struct fs *fs, struct inode *dir, const char *name,
		   pid_t pid)
{
	struct node *node = pending_find(fs, dir, name, pid);
	int r;

	if (!node)
		return -ENOENT;
	r = node_cancel_pending(node, dir->node);
	node_unref(node);
	return r;
}

/* ---- waiting ---- */

static struct pending *find_flushed_locked(struct pendings *all,
					   struct inode *dir)
{
	for (struct pending *p = all->first; p; p = p->next)
		if (p->dir == dir && p->flushed)
			return p;
	return NULL;
}

/* What is still open then was closed once of several times: it is not waited for
 * again. */
void pending_settle(struct fs *fs, struct inode *dir)
{
	struct pendings *all = fs->pendings;
	struct timespec end;
	struct pending *p;

	if (!all->count)
		return;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += SETTLE_MILLISECONDS * 1000000L;
	if (end.tv_nsec >= 1000000000L) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000L;
	}
	SCOPED_LOCK(&all->lock);
	while (find_flushed_locked(all, dir))
		if (pthread_cond_timedwait(&all->changed, &all->lock, &end))
			break;
	while ((p = find_flushed_locked(all, dir)))
		p->flushed = false;
}
