/* SPDX-License-Identifier: ISC */
#include "store/git_ref_mark.h"
#include "store/git_handle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER "irminfs"
#define PREFIX "ref-lock."
#define TRIES 100

char *ref_mark_set(int git_dir_fd, const char *lock_name)
{
	static _Atomic unsigned int last;

	for (int i = 0; i < TRIES; i++) {
		char *mark;

		if (asprintf(&mark, FOLDER "/" PREFIX "%u", ++last) < 0)
			return NULL;
		if (symlinkat(lock_name, git_dir_fd, mark) == 0)
			return mark;
		free(mark);
		if (errno != EEXIST)
			return NULL;
	}
	return NULL;
}

void ref_mark_remove(int git_dir_fd, char *mark)
{
	if (mark)
		unlinkat(git_dir_fd, mark, 0);
	free(mark);
}

/* ---- after a crash ---- */

static bool is_lock(const char *name)
{
	size_t length = strlen(name);

	if (strcmp(name, "HEAD.lock") == 0 ||
	    strcmp(name, "packed-refs.lock") == 0)
		return true;
	return strncmp(name, "refs/", 5) == 0 && !strstr(name, "..") &&
	       length > 5 && strcmp(name + length - 5, ".lock") == 0;
}

static bool is_before(const struct statx_timestamp *a,
		      const struct statx_timestamp *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec
				      : a->tv_nsec < b->tv_nsec;
}

/* Whether the lock was made after the mark.  Where the disk does not know when
 * files were made, whether it was changed since. */
static bool is_ours(int dir_fd, const char *lock, int folder_fd,
		    const char *mark)
{
	struct statx l, m;

	if (statx(dir_fd, lock, AT_SYMLINK_NOFOLLOW, STATX_BTIME | STATX_CTIME,
		  &l) < 0 ||
	    statx(folder_fd, mark, AT_SYMLINK_NOFOLLOW,
		  STATX_BTIME | STATX_CTIME, &m) < 0)
		return false;
	if (l.stx_mask & m.stx_mask & STATX_BTIME)
		return !is_before(&l.stx_btime, &m.stx_btime);
	return !is_before(&l.stx_ctime, &m.stx_ctime);
}

static int recover_one(struct git_repo *repo, int folder_fd, const char *mark)
{
	char name[PATH_MAX];
	ssize_t n = readlinkat(folder_fd, mark, name, sizeof(name) - 1);

	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	name[n] = '\0';
	if (is_lock(name) && is_ours(repo->dir_fd, name, folder_fd, mark)) {
		if (unlinkat(repo->dir_fd, name, 0) < 0 && errno != ENOENT)
			return -errno;
		log_warning("removed %s/%s, which was left behind when the "
			    "store was last in use", repo->path, name);
	}
	return unlinkat(folder_fd, mark, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int git_refs_recover(struct git_repo *repo)
{
	int fd = openat(repo->dir_fd, FOLDER,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (entry = readdir(dir)))
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0)
			r = recover_one(repo, fd, entry->d_name);
	closedir(dir);
	return r;
}
