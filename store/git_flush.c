/* SPDX-License-Identifier: ISC */
#include "store/git_flush.h"
#include "store/git_spare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

struct batch {
	bool many;
	size_t count;
	struct oid objects[FLUSH_SINGLY];
};

int git_flush_init(struct git_flush *f, const char *objects_dir)
{
	f->objects_dir = objects_dir;
	f->dir_fd = open(objects_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd < 0)
		return -errno;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->ended, NULL);
	return 0;
}

void git_flush_release(struct git_flush *f)
{
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->ended);
	close(f->dir_fd);
}

static void note_locked(struct git_flush *f, const struct oid *oid)
{
	for (size_t i = 0; i < f->count; i++)
		if (oid_equal(&f->objects[i], oid))
			return;
	if (f->count == FLUSH_SINGLY)
		f->many = true;
	else
		f->objects[f->count++] = *oid;
}

void git_flush_note(struct git_flush *f, const struct oid *oid)
{
	SCOPED_LOCK(&f->lock);

	note_locked(f, oid);
}

/* ---- one batch ---- */

/* Flushes a file or folder; *ret_sick: the disk refused.  A name that is gone
 * was packed meanwhile, and Git flushes packs before it removes loose objects. */
static int sync_name(int dir_fd, const char *name, bool *ret_sick)
{
	scoped_fd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fsync(fd) == 0)
		return 0;
	*ret_sick = true;
	return -errno;
}

static int sync_object(const struct git_flush *f, const struct oid *oid,
		       bool *ret_sick)
{
	char hex[OID_HEX_SIZE], name[OID_HEX_SIZE + 1];

	oid_hex(oid, hex);
	snprintf(name, sizeof(name), "%.2s/%s", hex, hex + 2);
	/* it may have been pruned as well */
	if (faccessat(f->dir_fd, name, F_OK, 0) < 0)
		git_spare_restore(f->objects_dir, oid);
	return sync_name(f->dir_fd, name, ret_sick);
}

static bool folder_came_before(const struct batch *b, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (b->objects[i].id[0] == b->objects[index].id[0])
			return true;
	return false;
}

static int sync_folders(int dir_fd, const struct batch *b, bool *ret_sick)
{
	for (size_t i = 0; i < b->count; i++) {
		char name[3];
		int r;

		if (folder_came_before(b, i))
			continue;
		snprintf(name, sizeof(name), "%02x", b->objects[i].id[0]);
		r = sync_name(dir_fd, name, ret_sick);
		if (r < 0)
			return r;
	}
	return sync_name(dir_fd, ".", ret_sick);
}

static int sync_batch(const struct git_flush *f, const struct batch *b,
		      bool *ret_sick)
{
	if (b->many) {
		*ret_sick = syncfs(f->dir_fd) < 0;
		return *ret_sick ? -errno : 0;
	}
	for (size_t i = 0; i < b->count; i++) {
		int r = sync_object(f, &b->objects[i], ret_sick);

		if (r < 0)
			return r;
	}
	return sync_folders(f->dir_fd, b, ret_sick);
}

/* ---- who flushes ---- */

static void take_locked(struct git_flush *f, struct batch *ret)
{
	ret->many = f->many;
	ret->count = f->count;
	memcpy(ret->objects, f->objects, f->count * sizeof(*f->objects));
	f->many = false;
	f->count = 0;
}

static void give_back_locked(struct git_flush *f, const struct batch *b)
{
	f->many |= b->many;
	for (size_t i = 0; i < b->count; i++)
		note_locked(f, &b->objects[i]);
}

/* One thread at a time flushes, without the lock; who comes meanwhile waits,
 * since what it needs may be in that batch, and then flushes the rest. */
int git_flush_run(struct git_flush *f)
{
	struct batch batch;
	bool sick = false;
	int r;
	SCOPED_LOCK(&f->lock);

	while (f->running)
		pthread_cond_wait(&f->ended, &f->lock);
	if (f->broken || (!f->many && f->count == 0))
		return f->broken;
	take_locked(f, &batch);
	f->running = true;
	pthread_mutex_unlock(&f->lock);
	r = sync_batch(f, &batch, &sick);
	pthread_mutex_lock(&f->lock);
	f->running = false;
	if (r < 0) {
		give_back_locked(f, &batch);
		log_error("new objects cannot be flushed to the disk: %s%s",
			  strerror(-r), sick ? "; nothing is durable until the "
			  "store is mounted again" : "");
	}
	/* a disk that says only now that it is full has dropped what was written
	 * before */
	if (sick && (r == -ENOSPC || r == -EDQUOT))
		r = -EIO;
	if (sick)
		f->broken = r;
	pthread_cond_broadcast(&f->ended);
	return r;
}
