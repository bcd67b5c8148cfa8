/* SPDX-License-Identifier: ISC */
#include "fs/fs.h"
#include "mount/queue_file.h"
#include "mount/flags.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE 65536
#define PUT_BACK_NAME "popped"

char *queue_file_first(const char *queue)
{
	char *path;

	return asprintf(&path, "%s/.irmin/first", queue) < 0 ? NULL : path;
}

int queue_file_check(const char *command, const char *queue)
{
	scoped_free char *path = NULL;
	char type[32] = "";
	scoped_fd int fd = -1;
	ssize_t n;

	if (asprintf(&path, "%s/.irmin/type", queue) < 0)
		return say(command, STATUS_ERROR, "out of memory");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, type, sizeof(type) - 1);
	if (n > 0 && strcmp(type, "queue\n") == 0)
		return STATUS_OK;
	if (access(queue, F_OK) < 0)
		return say(command, STATUS_ERROR, "%s: %s", queue,
			   strerror(errno));
	return say(command, STATUS_ERROR, "%s is not a queue; irminfs mkqueue "
		   "makes one, in a mount", queue);
}

int queue_file_copy(int from, int to, bool *ret_writing)
{
	scoped_free char *data = malloc(PIECE);
	int r = 0;

	*ret_writing = false;
	if (!data)
		return -ENOMEM;
	while (r == 0) {
		ssize_t n = read_next(from, data, PIECE);

		if (n <= 0)
			return n;
		r = write_next(to, data, n);
	}
	*ret_writing = true;
	return r;
}

int queue_file_claim(const char *queue, int fd)
{
	uint64_t number;
	struct stat st;

	if (stat(queue, &st) < 0)
		return -errno;
	number = st.st_ino;
	return ioctl(fd, FS_CLAIM, &number) < 0 ? -errno : 0;
}

/* ---- pushing ---- */

/* Nobody else sees it before it is pushed, and under this name it never is: it gets
 * the wanted one when it is whole, numbered if that is in use. */
static int make(const char *queue, char **ret_path, int *ret_fd)
{
	struct timespec now;
	char *path;

	clock_gettime(CLOCK_REALTIME, &now);
	if (asprintf(&path, "%s/" FS_UNFINISHED "%d-%ld", queue, (int)getpid(),
		     now.tv_nsec) < 0)
		return -ENOMEM;
	*ret_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (*ret_fd < 0) {
		int r = -errno;

		free(path);
		return r;
	}
	*ret_path = path;
	return 0;
}

/* What is reported as not pushed is not to be in the queue: who reads that tries
 * again. */
static int sync_or_take_out(const char *queue, int fd)
{
	int r = fsync(fd) < 0 ? -errno : 0;

	if (r < 0)
		queue_file_claim(queue, fd);
	return r;
}

static int give_name(const char *path, const char *queue, const char *name)
{
	scoped_free char *wanted = NULL;

	if (asprintf(&wanted, "%s/%s", queue, name) < 0)
		return -ENOMEM;
	return rename(path, wanted) < 0 ? -errno : 0;
}

/* Names that Git or we keep for ourselves, or that are too long. */
static bool is_about_name(int error)
{
	return error == -EPERM || error == -EISDIR || error == -EINVAL ||
	       error == -ENAMETOOLONG;
}

static int push(const char *command, const char *queue, const char *name,
		int fd, int (*sync)(const char *queue, int fd))
{
	scoped_free char *path = NULL;
	scoped_fd int to = -1;
	bool writing = true, named = true;
	int r = make(queue, &path, &to);

	if (r < 0)
		return say(command, STATUS_ERROR, "%s: %s", queue,
			   strerror(-r));
	r = queue_file_copy(fd, to, &writing);
	if (r == 0) {
		writing = true;
		r = give_name(path, queue, name);
		named = !is_about_name(r);
	}
	if (r < 0)
		unlink(path);
	else
		r = sync(queue, to);
	if (r == 0)
		return STATUS_OK;
	if (!named)
		return say(command, STATUS_ERROR, "\"%s\" cannot be the name of "
			   "an element: %s", name, strerror(-r));
	return say(command, STATUS_ERROR, "%s: %s", writing ? queue :
		   "cannot read what to push", strerror(-r));
}

int queue_file_push(const char *command, const char *queue, const char *name,
		    int fd)
{
	return push(command, queue, name, fd, sync_or_take_out);
}

static int sync_if_possible(const char *unused, int fd)
{
	fsync(fd);
	return 0;
}

bool queue_file_put_back(const char *command, const char *queue, int fd)
{
	return lseek(fd, 0, SEEK_SET) == 0 &&
	       push(command, queue, PUT_BACK_NAME, fd, sync_if_possible) ==
		       STATUS_OK;
}
