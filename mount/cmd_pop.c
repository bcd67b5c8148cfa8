/* SPDX-License-Identifier: ISC */
#include "fs/fs.h"
#include "mount/commands.h"
#include "mount/queue_file.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* Merges make no events: so often the queue is looked at. */
#define LOOK_MILLISECONDS 500

struct popping {
	const char *command, *queue;
	char *first;			/* path of the first element */
	bool wait;
	int watch;			/* inotify, or -1 */
};

/* ---- waiting ---- */

static int watch(const char *queue)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd >= 0 && inotify_add_watch(fd, queue, IN_CREATE | IN_MOVED_TO |
					 IN_CLOSE_WRITE) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void wait_a_little(const struct popping *p)
{
	struct pollfd fd = { .fd = p->watch, .events = POLLIN };
	char events[4096];

	poll(&fd, 1, LOOK_MILLISECONDS);
	while (p->watch >= 0 && read(p->watch, events, sizeof(events)) > 0)
		;
}

/* Removed, renamed or unmounted: nobody will push there. */
static bool is_gone(const struct popping *p)
{
	return access(p->queue, F_OK) < 0 && errno == ENOENT;
}

/* There was no first element: until there may be one.  -ENOENT: there is none, and
 * nobody waits; -ENODEV: there is no queue any more. */
static int await_first(const struct popping *p)
{
	struct stat st;

	if (lstat(p->first, &st) == 0)
		return 0;
	if (is_gone(p))
		return -ENODEV;
	if (!p->wait)
		return -ENOENT;
	wait_a_little(p);
	return 0;
}

/* The first element; errors of await_first. */
static int open_first(const struct popping *p)
{
	int r = 0;

	while (r == 0) {
		int fd = open(p->first, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0)
			return fd;
		r = errno == ENOENT || errno == ESTALE ? await_first(p) : -errno;
	}
	return r;
}

static int tell(const struct popping *p, int r)
{
	if (r == -ENOENT)
		return say(p->command, STATUS_NEGATIVE, "%s is empty",
			   p->queue);
	if (r == -ENODEV)
		return say(p->command, STATUS_ERROR, "%s is not there any more",
			   p->queue);
	if (r == -ELOOP)
		return say(p->command, STATUS_ERROR, "the first element of %s "
			   "is a symbolic link: rename %s", p->queue, p->first);
	return say(p->command, STATUS_ERROR, "%s: %s", p->queue, strerror(-r));
}

/* What is taken out must not be lost where the file that is printed to cannot take
 * it, nor, if that fails, the queue. */
static int check_limit(int fd)
{
	struct rlimit limit;
	struct stat st;

	if (fstat(fd, &st) < 0 || getrlimit(RLIMIT_FSIZE, &limit) < 0)
		return -errno;
	return (rlim_t)st.st_size > limit.rlim_cur ? -EFBIG : 0;
}

/* Takes the element out, durably.  -ENOENT: somebody else was faster.  What cannot
 * be made durable goes back: the caller is told that there was a failure. */
static int take(const struct popping *p, int fd)
{
	int r = check_limit(fd);

	if (r == 0)
		r = queue_file_claim(p->queue, fd);
	if (r < 0 || fsync(fd) == 0)
		return r;
	r = -errno;
	queue_file_put_back(p->command, p->queue, fd);
	return r;
}

/* ---- to standard output ---- */

/* Takes the first element out; a descriptor that reads it. */
static int claim(const struct popping *p)
{
	for (;;) {
		int r, fd = open_first(p);

		if (fd < 0)
			return fd;
		r = take(p, fd);
		if (r == 0)
			return fd;
		close(fd);
		if (r != -ENOENT)
			return r;
	}
}

static int pop(const struct popping *p)
{
	scoped_fd int fd = claim(p);
	bool writing;
	int r;

	if (fd < 0)
		return tell(p, fd);
	r = queue_file_copy(fd, STDOUT_FILENO, &writing);
	if (r == 0)
		return STATUS_OK;
	return say(p->command, STATUS_ERROR, "standard output: %s; the element "
		   "%s", strerror(-r), queue_file_put_back(p->command, p->queue,
							   fd) ?
		   "went back to the end of the queue" : "is lost");
}

/* ---- to a file ---- */

static int open_output(const char *file, bool *ret_made)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	*ret_made = fd >= 0;
	if (fd < 0 && errno == EEXIST)
		fd = open(file, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int copy_element(int from, int to)
{
	bool writing;
	int r;

	if (ftruncate(to, 0) < 0 || lseek(to, 0, SEEK_SET) < 0)
		return -errno;
	r = queue_file_copy(from, to, &writing);
	return r == 0 && fsync(to) < 0 ? -errno : r;
}

/* 0, or what was said.  Until somebody else was not faster; his element does not
 * stay in the copy. */
static int copy_first(const struct popping *p, const char *file, int to, int fd)
{
	int r = copy_element(fd, to);

	if (r < 0)
		return say(p->command, STATUS_ERROR, "%s: %s", file,
			   strerror(-r));
	r = take(p, fd);
	if (r < 0 && ftruncate(to, 0) < 0)
		return say(p->command, STATUS_ERROR, "%s: %s", file,
			   strerror(errno));
	return r == -ENOENT || r == 0 ? r : tell(p, r);
}

/* Elsewhere: a copy is there before the element goes. */
static int copy_out(const struct popping *p, const char *file)
{
	scoped_fd int to = -1;
	bool made = false;
	int r = -ENOENT;

	while (r == -ENOENT) {
		scoped_fd int fd = open_first(p);

		if (fd >= 0 && to < 0)
			to = open_output(file, &made);
		if (fd < 0)
			r = tell(p, fd);
		else if (to < 0)
			r = say(p->command, STATUS_ERROR, "%s: %s", file,
				strerror(-to));
		else
			r = copy_first(p, file, to, fd);
	}
	if (r != STATUS_OK && made)
		unlink(file);
	return r;
}

static int stat_folder(const char *file, struct stat *ret)
{
	scoped_free char *copy = strdup(file);

	if (!copy)
		return -ENOMEM;
	return stat(dirname(copy), ret) < 0 ? -errno : 0;
}

/* An element that is renamed within its queue is not taken out. */
static bool is_within(const struct popping *p, const char *file)
{
	struct stat queue, folder;

	return stat(p->queue, &queue) == 0 && stat_folder(file, &folder) == 0 &&
	       queue.st_dev == folder.st_dev && queue.st_ino == folder.st_ino;
}

/* Whether it is not the element that is missing, which somebody else may have
 * taken. */
static bool lacks_folder(const char *file)
{
	struct stat folder;

	return stat_folder(file, &folder) < 0 || folder.st_nlink == 0;
}

/* That of any file or directory is its branch's. */
static int sync_queue(const struct popping *p)
{
	scoped_fd int fd = open(p->queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* In the same branch the element itself becomes the file. */
static int pop_to(const struct popping *p, const char *file)
{
	bool lacks;
	int r;

	if (is_within(p, file))
		return say(p->command, STATUS_ERROR, "%s is in the queue: the "
			   "element would stay in it", file);
	while (rename(p->first, file) < 0) {
		if (errno == EXDEV)
			return copy_out(p, file);
		r = -errno;
		lacks = lacks_folder(file);
		if (is_gone(p))
			return tell(p, -ENODEV);
		if ((r != -ENOENT && r != -ESTALE) || lacks)
			return say(p->command, STATUS_ERROR, "%s: %s", file,
				   strerror(-r));
		r = await_first(p);
		if (r < 0)
			return tell(p, r);
	}
	r = sync_queue(p);
	return r == 0 ? STATUS_OK :
	       say(p->command, STATUS_ERROR, "%s: %s; the element is there, "
		   "but not durable yet", file, strerror(-r));
}

/* ---- commands ---- */

static int peek(const struct popping *p)
{
	scoped_fd int fd = open_first(p);
	bool writing;
	int r = fd < 0 ? fd : queue_file_copy(fd, STDOUT_FILENO, &writing);

	if (r < 0 && fd >= 0)
		return say(p->command, STATUS_ERROR, "%s: %s", writing ?
			   "standard output" : p->queue, strerror(-r));
	return r < 0 ? tell(p, r) : STATUS_OK;
}

static int act(const struct command *self, const char *queue, bool wait,
	       bool is_peek, const char *file)
{
	struct popping p = {
		.command = self->name, .queue = queue, .wait = wait,
		.first = queue_file_first(queue), .watch = -1,
	};
	int status = queue_file_check(self->name, queue);

	if (status == STATUS_OK && !p.first)
		status = say(self->name, STATUS_ERROR, "out of memory");
	if (status == STATUS_OK && wait)
		p.watch = watch(queue);
	/* a reader that is gone must not take the element with it */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (status == STATUS_OK)
		status = is_peek ? peek(&p) : file ? pop_to(&p, file) : pop(&p);
	if (p.watch >= 0)
		close(p.watch);
	free(p.first);
	return status;
}

static int run_pop(const struct command *self, int argc, char **argv)
{
	const char *file = NULL;
	bool wait = false;
	const struct flag flags[] = {
		{ 'w', "wait", NULL, "wait until there is an element",
		  .set = &wait },
		{ 'o', "output", "FILE", "the element becomes FILE",
		  .text = &file },
		{ 0 },
	};
	struct operands operands;
	int status = flags_parse(self, flags, NULL, argc, argv, 1, 1,
				 &operands);

	return status >= 0 ? status : act(self, operands.values[0], wait, false,
					  file);
}

static int run_peek(const struct command *self, int argc, char **argv)
{
	bool wait = false;
	const struct flag flags[] = {
		{ 'w', "wait", NULL, "wait until there is an element",
		  .set = &wait },
		{ 0 },
	};
	struct operands operands;
	int status = flags_parse(self, flags, NULL, argc, argv, 1, 1,
				 &operands);

	return status >= 0 ? status : act(self, operands.values[0], wait, true,
					  NULL);
}

const struct command command_pop = {
	"pop", "QUEUE",
	"Take the first element out of the queue at the path QUEUE, durably, and\n"
	"print it.  Exits 1 when the queue is empty.  What is printed was taken\n"
	"before; with --output nothing is lost even if this program is killed.",
	run_pop,
};

const struct command command_peek = {
	"peek", "QUEUE",
	"Print the first element of the queue at the path QUEUE.  Exits 1 when it\n"
	"is empty.", run_peek,
};
