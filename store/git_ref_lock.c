/* SPDX-License-Identifier: ISC */
#include "store/git_ref_lock.h"
#include "store/git_ref_mark.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MOST 64		/* of empty folders that make room */
#define RETRY_MS 5
#define RACES_MOST 5

/* ---- folders ---- */

/* Makes the folders above the lock.  What stands in their way shows when a file
 * is opened below it. */
static int make_parents(struct ref_lock *lock)
{
	scoped_free char *path = strdup(lock->name);

	if (!path)
		return -ENOMEM;
	for (char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdirat(lock->dir_fd, path, 0777) == 0)
			lock->made = true;
		else if (errno != EEXIST)
			return errno == ENOTDIR ? -EEXIST : -errno;
		*p = '/';
	}
	return 0;
}

/* Folder of name in a new allocation, "." if there is none. */
static char *folder_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? strndup(name, slash - name) : strdup(".");
}

static int sync_folder(int dir_fd, const char *path)
{
	scoped_fd int fd = openat(dir_fd, path,
				O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int ref_sync_folder(int dir_fd, const char *name)
{
	scoped_free char *folder = folder_of(name);

	return folder ? sync_folder(dir_fd, folder) : -ENOMEM;
}

/* End of the first two components of name ("refs/heads"), which are as old as
 * the repository; NULL: it has no more than that. */
static const char *second_slash(const char *name)
{
	const char *first = strchr(name, '/');

	return first ? strchr(first + 1, '/') : NULL;
}

/* Folders above name: all of them if some are ours, otherwise those below the
 * first two components, which another program may just have made. */
static int sync_parents(int dir_fd, const char *name, bool all)
{
	scoped_free char *path = strdup(name);
	const char *second = second_slash(name);
	size_t keep = all || !second ? 0 : second - name;
	char *slash;

	if (!path)
		return -ENOMEM;
	while ((slash = strrchr(path, '/')) && (size_t)(slash - path) >= keep) {
		int r;

		*slash = '\0';
		r = sync_folder(dir_fd, path);
		if (r < 0)
			return r;
	}
	return keep ? 0 : sync_folder(dir_fd, ".");
}

void ref_remove_empty_parents(int dir_fd, const char *name)
{
	scoped_free char *path = strdup(name);
	const char *keep = second_slash(name);
	char *slash;

	if (!path || !keep)
		return;
	while ((slash = strrchr(path, '/')) && slash - path > keep - name) {
		*slash = '\0';
		if (unlinkat(dir_fd, path, AT_REMOVEDIR) < 0)
			return;
	}
}

/* Removes path if nothing but empty folders is below it. */
static int remove_empty_tree(int dir_fd, const char *path, int depth)
{
	scoped_fd int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY |
				O_NOFOLLOW | O_CLOEXEC);
	struct dirent *entry;
	DIR *dir;
	int r = 0;

	if (fd < 0 || depth == DEPTH_MOST)
		return -EEXIST;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	while (r == 0 && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			r = remove_empty_tree(fd, entry->d_name, depth + 1);
	fd = -1;
	closedir(dir);
	if (r == 0 && unlinkat(dir_fd, path, AT_REMOVEDIR) < 0 &&
	    errno != ENOENT)
		r = -EEXIST;
	return r;
}

/* ---- the lock ---- */

static int open_lock(struct ref_lock *lock)
{
	for (int race = 0;; race++) {
		int r = make_parents(lock);

		if (r < 0)
			return r;
		lock->fd = openat(lock->dir_fd, lock->lock_name,
				  O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (lock->fd >= 0)
			return 0;
		/* someone removes empty folders while we make them */
		if (errno == ENOENT && race < RACES_MOST)
			continue;
		return errno == EEXIST ? -EBUSY :
		       errno == ENOTDIR ? -EEXIST : -errno;
	}
}

static void sleep_ms(unsigned int milliseconds)
{
	struct timespec time = { .tv_nsec = milliseconds * 1000000L };

	nanosleep(&time, NULL);
}

static void remove_mark(struct ref_lock *lock)
{
	ref_mark_remove(lock->dir_fd, STEAL(lock->mark));
}

static int open_marked(struct ref_lock *lock)
{
	int r;

	lock->mark = ref_mark_set(lock->dir_fd, lock->lock_name);
	r = open_lock(lock);
	if (r < 0)
		remove_mark(lock);
	return r;
}

int ref_lock_take(int dir_fd, const char *name, unsigned int milliseconds,
		  struct ref_lock *ret_lock)
{
	struct ref_lock lock = { .dir_fd = dir_fd, .fd = -1,
				 .name = strdup(name) };
	int r;

	if (!lock.name || asprintf(&lock.lock_name, "%s.lock", name) < 0) {
		free(lock.name);
		return -ENOMEM;
	}
	r = open_marked(&lock);
	for (unsigned int t = 0; r == -EBUSY && t < milliseconds; t += RETRY_MS) {
		sleep_ms(RETRY_MS);
		r = open_marked(&lock);
	}
	if (r < 0) {
		ref_lock_release(&lock);
		return r;
	}
	*ret_lock = lock;
	return 0;
}

int ref_lock_write(struct ref_lock *lock, const void *data, size_t size)
{
	int r = write_fully(lock->fd, data, size, lock->length);

	if (r == 0)
		lock->length += size;
	return r;
}

static int rename_lock(struct ref_lock *lock)
{
	int r;

	if (renameat(lock->dir_fd, lock->lock_name, lock->dir_fd,
		     lock->name) == 0)
		return 0;
	if (errno != EISDIR)
		return -errno;
	r = remove_empty_tree(lock->dir_fd, lock->name, 0);
	if (r < 0)
		return r;
	return renameat(lock->dir_fd, lock->lock_name, lock->dir_fd,
			lock->name) < 0 ? -errno : 0;
}

int ref_lock_commit(struct ref_lock *lock)
{
	struct stat st;
	bool is_new = fstatat(lock->dir_fd, lock->name, &st,
			      AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode);
	int r;

	if (fsync(lock->fd) < 0)
		return -errno;
	r = rename_lock(lock);
	if (r < 0)
		return r == -EISDIR ? -EEXIST : r;
	close(lock->fd);
	lock->fd = -1;
	remove_mark(lock);
	return is_new ? sync_parents(lock->dir_fd, lock->name, lock->made) :
			ref_sync_folder(lock->dir_fd, lock->name);
}

void ref_lock_release(struct ref_lock *lock)
{
	if (lock->fd >= 0) {
		unlinkat(lock->dir_fd, lock->lock_name, 0);
		close(lock->fd);
	}
	remove_mark(lock);
	free(lock->lock_name);
	free(lock->name);
}
