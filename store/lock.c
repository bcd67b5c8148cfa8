/* SPDX-License-Identifier: ISC */
#include "store/lock.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define FOLDER "irminfs"
#define FILE_NAME "lock"
#define POLL_NANOSECONDS 20000000
#define SECONDS_DEATH 60u	/* freeing a large file can take many */

struct store_lock {
	int fd;
};

/* ---- the folder ---- */

int lock_open_folder(int repo_fd, bool create, int *ret_fd)
{
	int fd, r = 0;

	if (create && mkdirat(repo_fd, FOLDER, 0700) == 0)
		r = fsync(repo_fd) < 0 ? -errno : 0;
	else if (create && errno != EEXIST)
		r = -errno;
	/* on a read-only disk mkdir fails although the folder may be there */
	if (r < 0 && r != -EROFS && r != -EACCES)
		return r;
	fd = openat(repo_fd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return r < 0 ? r : -errno;
	*ret_fd = fd;
	return 0;
}

/* ---- taking it ---- */

int lock_describe(struct store_lock *lock, const char *mountpoint)
{
	scoped_buffer struct buffer text = { 0 };
	int r = buffer_printf(&text, "%d\n%s\n", (int)getpid(),
			      mountpoint ? mountpoint : "");

	/* shortest first: a reader in between sees no wrong pid */
	if (r == 0 && ftruncate(lock->fd, 0) < 0)
		r = -errno;
	if (r == 0)
		r = write_fully(lock->fd, text.data, text.length, 0);
	return r;
}

int lock_take(int repo_fd, const char *mountpoint, struct store_lock **ret_lock)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	scoped_fd int folder = -1;
	scoped_fd int fd = -1;
	struct store_lock *lock;
	int r = lock_open_folder(repo_fd, true, &folder);

	if (r < 0)
		return r;
	fd = openat(folder, FILE_NAME,
		    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_OFD_SETLK, &whole) < 0)
		return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
	lock = malloc(sizeof(*lock));
	if (!lock)
		return -ENOMEM;
	lock->fd = fd;
	r = lock_describe(lock, mountpoint);
	if (r < 0) {
		free(lock);
		return r;
	}
	fd = -1;
	*ret_lock = lock;
	return 0;
}

void lock_release(struct store_lock *lock)
{
	struct flock whole = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	if (!lock)
		return;
	/* Only tidiness: without the lock the contents mean nothing. */
	if (ftruncate(lock->fd, 0) < 0)
		log_debug("cannot empty the lock file: %s", strerror(errno));
	/* explicitly, since a helper process may hold a copy of fd */
	fcntl(lock->fd, F_OFD_SETLK, &whole);
	close(lock->fd);
	free(lock);
}

/* ---- asking ---- */

/* -ENOENT: nobody holds it; 0: somebody does, and ret_fd is its file. */
static int open_if_held(int repo_fd, int *ret_fd)
{
	struct flock whole = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	scoped_fd int folder = -1;
	scoped_fd int fd = -1;
	int r = lock_open_folder(repo_fd, false, &folder);

	if (r < 0)
		return r;
	fd = openat(folder, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_OFD_GETLK, &whole) < 0)
		return -errno;
	if (whole.l_type == F_UNLCK)
		return -ENOENT;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static void parse(char *text, pid_t *ret_pid, char *ret_mountpoint, size_t size)
{
	char *end, *mountpoint = NULL;
	long pid = strtol(text, &end, 10);
	size_t length = 0;

	if (*end == '\n' && pid > 0 && pid <= INT_MAX) {
		mountpoint = end + 1;
		/* a path may hold newlines: the last one ends it */
		end = strrchr(mountpoint, '\n');
		length = end ? (size_t)(end - mountpoint) : 0;
	} else {
		pid = 0;
	}
	*ret_pid = pid;
	if (!size)
		return;
	if (length >= size)
		length = size - 1;
	if (length)
		memcpy(ret_mountpoint, mountpoint, length);
	ret_mountpoint[length] = '\0';
}

int lock_holder(int repo_fd, pid_t *ret_pid, char *ret_mountpoint, size_t size)
{
	char text[PATH_MAX + 32];
	scoped_fd int fd = -1;
	ssize_t n;
	int r = open_if_held(repo_fd, &fd);

	if (r < 0)
		return r;
	n = read_fully(fd, text, sizeof(text) - 1, 0);
	if (n < 0)
		return n;
	text[n] = '\0';
	parse(text, ret_pid, ret_mountpoint, size);
	return 0;
}

/* ---- waiting ---- */

#define EXITING 4u	/* PF_EXITING of Linux, in the flags of /proc/PID/stat */

/* Whether the process was killed: the kernel may still be freeing what it has. */
static bool is_dying(pid_t pid)
{
	char path[32], text[512], *fields;
	scoped_fd int fd = -1;
	unsigned int flags;
	ssize_t n;
	char state;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT;
	n = read_fully(fd, text, sizeof(text) - 1, 0);
	text[n < 0 ? 0 : n] = '\0';
	/* a name in parentheses, which may hold any, comes before */
	fields = strrchr(text, ')');
	return fields && sscanf(fields + 1, " %c %*d %*d %*d %*d %*d %u",
				&state, &flags) == 2 &&
	       (state == 'Z' || state == 'X' || flags & EXITING);
}

static bool is_past(const struct timespec *start, unsigned int seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now.tv_sec -= seconds;
	return now.tv_sec > start->tv_sec ||
	       (now.tv_sec == start->tv_sec && now.tv_nsec >= start->tv_nsec);
}

int lock_wait_free(int repo_fd, unsigned int seconds)
{
	const struct timespec pause = { .tv_nsec = POLL_NANOSECONDS };
	struct timespec start;
	pid_t pid;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while ((r = lock_holder(repo_fd, &pid, NULL, 0)) == 0) {
		if (is_past(&start, seconds) &&
		    (!pid || !is_dying(pid) || is_past(&start, SECONDS_DEATH)))
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return r == -ENOENT ? 0 : r;
}
