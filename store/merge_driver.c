/* SPDX-License-Identifier: ISC */
#include "store/merge_private.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* External merge drivers, as gitattributes(5) "Defining a custom merge driver".
 * A driver is somebody's program: it may hang, die, write too much, or leave
 * other files behind, and none of that may outlive the merge. */

#define FOLDER_PREFIX "merge-"
#define RESULT_MAX ((uint64_t)256 << 20)
/* Before the driver ($1) begins: no file of it grows over the bound by much,
 * more is found out afterwards.  The shell counts in blocks of 512 bytes. */
#define LIMITED "ulimit -f 524296 2>/dev/null; exec sh -c \"$1\""
#define LOG_MAX 1024			/* bytes of its output that are kept */
#define SECONDS_DEFAULT 60
#define SECONDS_GRACE 2			/* between SIGTERM and SIGKILL */
#define MARKER_SIZE 7

extern char **environ;

/* ---- its folder ---- */

static int remove_one(const char *path, const struct stat *status, int type,
		      struct FTW *at)
{
	/* A driver may have taken away its own permissions. */
	if (type == FTW_DNR)
		chmod(path, 0700);
	remove(path);
	return 0;
}

static void remove_folder(const char *path)
{
	struct stat status;

	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	/* folders that could not be read can be now */
	if (lstat(path, &status) == 0)
		nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void folder_release(char **path)
{
	if (*path)
		remove_folder(*path);
	free(*path);
}

static int make_folder(const char *driver_dir, char **ret_path)
{
	scoped_free char *path = NULL;

	if (asprintf(&path, "%s/" FOLDER_PREFIX "XXXXXX", driver_dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (!mkdtemp(path))
		return -errno;
	*ret_path = STEAL(path);
	return 0;
}

static int write_side(int folder_fd, const char *name,
		      const struct merge_side *side)
{
	scoped_fd int fd = openat(folder_fd, name,
				O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	/* Git gives an empty file for an absent side. */
	return fd < 0 ? -errno : write_fully(fd, side->data, side->size, 0);
}

static int write_sides(int folder_fd, const struct merge_input *input)
{
	int r = write_side(folder_fd, "base", &input->base);

	if (r == 0)
		r = write_side(folder_fd, "ours", &input->ours);
	if (r == 0)
		r = write_side(folder_fd, "theirs", &input->theirs);
	return r;
}

/* Takes what the driver left in %A.  -EFBIG; -ENOENT: no file. */
static int read_result(int folder_fd, struct merge_output *ret)
{
	scoped_fd int fd = openat(folder_fd, "ours", O_RDONLY | O_NOFOLLOW |
				  O_NONBLOCK | O_CLOEXEC);
	scoped_free char *data = NULL;
	struct stat status;
	ssize_t n;

	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return -ENOENT;
	if ((uint64_t)status.st_size > RESULT_MAX)
		return -EFBIG;
	data = malloc(status.st_size + 1);
	if (!data)
		return -ENOMEM;
	n = read_fully(fd, data, status.st_size, 0);
	if (n < 0)
		return n;
	data[n] = '\0';
	ret->data = STEAL(data);
	ret->size = n;
	return 0;
}

/* ---- its command line ---- */

static int put_quoted(struct buffer *b, const char *text)
{
	int r = buffer_puts(b, "'");

	for (; r == 0 && *text; text++)
		r = *text == '\'' ? buffer_puts(b, "'\\''") :
				    buffer_append(b, text, 1);
	return r == 0 ? buffer_puts(b, "'") : r;
}

static int put_label(struct buffer *b, const struct merge_side *side,
		     const char *otherwise)
{
	return put_quoted(b, side->label ? side->label : otherwise);
}

static int put_placeholder(struct buffer *b, char c,
			   const struct merge_input *input)
{
	switch (c) {
	case 'O':
		return buffer_puts(b, "base");
	case 'A':
		return buffer_puts(b, "ours");
	case 'B':
		return buffer_puts(b, "theirs");
	case 'L':
		return buffer_printf(b, "%d", input->marker_size > 0 ?
				     input->marker_size : MARKER_SIZE);
	case 'P':
		return put_quoted(b, input->path);
	case 'S':
		return put_label(b, &input->base, "base");
	case 'X':
		return put_label(b, &input->ours, "ours");
	case 'Y':
		return put_label(b, &input->theirs, "theirs");
	case '%':
		return buffer_puts(b, "%");
	}
	return buffer_append(b, (char[]){ '%', c }, 2);
}

static int make_command(const char *driver, const struct merge_input *input,
			struct buffer *ret)
{
	int r = 0;

	for (const char *p = driver; r == 0 && *p; p++) {
		if (*p == '%' && p[1])
			r = put_placeholder(ret, *++p, input);
		else
			r = buffer_append(ret, p, 1);
	}
	return r;
}

/* ---- running it ---- */

struct child {
	pid_t pid;
	int pidfd, output;
	char log[LOG_MAX + 1];
	size_t logged;
};

static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP |
				     POSIX_SPAWN_SETSIGMASK |
				     POSIX_SPAWN_SETSIGDEF);
	if (r == 0)
		r = posix_spawnattr_setpgroup(attributes, 0);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attributes, &all);
	return r;
}

static int set_actions(posix_spawn_file_actions_t *actions, const char *folder,
		       int output)
{
	int r = posix_spawn_file_actions_addopen(actions, 0, "/dev/null",
						 O_RDONLY, 0);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, output, 1);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, output, 2);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, 3);
	if (r == 0)
		r = posix_spawn_file_actions_addchdir_np(actions, folder);
	return r;
}

static int spawn(const char *command, const char *folder, int output,
		 pid_t *ret_pid)
{
	char *arguments[] = { (char *)"sh", (char *)"-c", (char *)LIMITED,
			      (char *)"sh", (char *)command, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r = posix_spawnattr_init(&attributes);

	if (r)
		return -r;
	r = posix_spawn_file_actions_init(&actions);
	if (r) {
		posix_spawnattr_destroy(&attributes);
		return -r;
	}
	r = set_attributes(&attributes);
	if (r == 0)
		r = set_actions(&actions, folder, output);
	if (r == 0)
		r = posix_spawn(ret_pid, "/bin/sh", &actions, &attributes,
				arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -r;
}

static int start(const char *command, const char *folder, struct child *child)
{
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	r = spawn(command, folder, ends[1], &child->pid);
	close(ends[1]);
	if (r < 0) {
		close(ends[0]);
		return r;
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	child->output = ends[0];
	child->pidfd = syscall(SYS_pidfd_open, child->pid, 0);
	return child->pidfd < 0 ? -errno : 0;
}

/* Keeps the first of what it says; false when nothing more can come. */
static bool drain(struct child *child)
{
	char waste[4096];
	ssize_t n;

	do {
		n = read(child->output, waste, sizeof(waste));
		if (n > 0 && child->logged < LOG_MAX) {
			size_t room = LOG_MAX - child->logged;
			size_t part = (size_t)n < room ? (size_t)n : room;

			memcpy(child->log + child->logged, waste, part);
			child->logged += part;
		}
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 && errno == EAGAIN;
}

static int64_t now_ms(void)
{
	struct timespec now;

	/* a duration, not a time that anybody sees */
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Whether its first process ends within ms; a flood of output is no reason to
 * wait longer. */
static bool ends_within(struct child *child, int64_t ms)
{
	struct pollfd fds[2] = {
		{ .fd = child->pidfd, .events = POLLIN },
		{ .fd = child->output, .events = POLLIN },
	};
	int64_t end = now_ms() + ms, left = ms;

	for (; left > 0; left = end - now_ms()) {
		if (poll(fds, 2, left > INT32_MAX ? INT32_MAX : (int)left) < 0 &&
		    errno != EINTR)
			return false;
		if (fds[1].revents && !drain(child))
			fds[1].fd = -1;
		if (fds[0].revents)
			return true;
	}
	return false;
}

/* Ends whatever of the group is left and gives up the child. */
static int reap(struct child *child)
{
	int status = 0;

	/* the group's number is not used again before the wait */
	kill(-child->pid, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	drain(child);
	close(child->output);
	if (child->pidfd >= 0)
		close(child->pidfd);
	return status;
}

/* Exit status as wait(2), or -ETIMEDOUT. */
static int run(const char *command, const char *folder, unsigned int seconds,
	       struct child *child)
{
	bool ended;
	int r = start(command, folder, child), status;

	if (r < 0 && child->pid == 0)
		return r;
	if (r < 0) {
		reap(child);
		return r;
	}
	ended = ends_within(child, (int64_t)seconds * 1000);
	if (!ended) {
		kill(-child->pid, SIGTERM);
		ends_within(child, SECONDS_GRACE * 1000);
	}
	status = reap(child);
	return ended ? status : -ETIMEDOUT;
}

/* ---- what came of it ---- */

static void log_output(struct child *child, const struct merge_rule *rule,
		       const char *path, bool failed)
{
	size_t n = child->logged;

	while (n && (unsigned char)child->log[n - 1] <= ' ')
		n--;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)child->log[i] < ' ')
			child->log[i] = ' ';
	child->log[n] = '\0';
	if (n)
		log_message(failed ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
			    "merge driver \"%s\" of \"%s\" says: %s",
			    rule->name, path, child->log);
}

/* 0, 1 for a conflict, or negative errno with report; as Git reads an exit
 * status. */
static int judge(int status, const struct merge_rule *rule, const char *path,
		 unsigned int seconds, struct report *report)
{
	if (status == -ETIMEDOUT)
		return report_set(report, status,
				  "Merge driver \"%s\" did not end within %u s on \"%s\".",
				  rule->name, seconds, path);
	if (status < 0)
		return report_set(report, -ECHILD,
				  "Merge driver \"%s\" cannot be started on \"%s\": %s.",
				  rule->name, path, strerror(-status));
	if (WIFSIGNALED(status))
		return report_set(report, -ECHILD,
				  "Merge driver \"%s\" was killed by signal %d on \"%s\".",
				  rule->name, WTERMSIG(status), path);
	if (WEXITSTATUS(status) > 128)
		return report_set(report, -ECHILD,
				  "Merge driver \"%s\" failed with status %d on \"%s\".",
				  rule->name, WEXITSTATUS(status), path);
	return WEXITSTATUS(status) != 0;
}

static int take_result(int folder_fd, const struct merge_rule *rule,
		       const char *path, struct merge_output *ret,
		       struct report *report)
{
	int r = read_result(folder_fd, ret);

	if (r == -ENOENT)
		return report_set(report, -ECHILD,
				  "Merge driver \"%s\" left no file as the result for \"%s\".",
				  rule->name, path);
	if (r == -EFBIG)
		return report_set(report, -ECHILD,
				  "Merge driver \"%s\" left more than %d MiB for \"%s\".",
				  rule->name, (int)(RESULT_MAX >> 20), path);
	if (r < 0)
		return report_set(report, r,
				  "The result of merge driver \"%s\" for \"%s\" cannot be read: %s.",
				  rule->name, path, strerror(-r));
	return 0;
}

static int prepare(const struct merge_context *context,
		   const struct merge_input *input, char **ret_folder,
		   int *ret_folder_fd)
{
	int r = make_folder(context->driver_dir ? context->driver_dir :
						  P_tmpdir, ret_folder), fd;

	if (r < 0)
		return r;
	fd = open(*ret_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_folder_fd = fd;
	return write_sides(fd, input);
}

int merge_driver_run(const struct merge_context *context,
		     const struct merge_rule *rule,
		     const struct merge_input *input, struct merge_output *ret,
		     struct report *report)
{
	unsigned int seconds = context->driver_seconds ?
				       context->driver_seconds : SECONDS_DEFAULT;
	scoped(folder_release) char *folder = NULL;
	scoped_buffer struct buffer command = { 0 };
	scoped_fd int folder_fd = -1;
	struct child child = { 0 };
	struct merge_output output = { 0 };
	int r, conflict;

	r = make_command(rule->driver, input, &command);
	if (r == 0)
		r = prepare(context, input, &folder, &folder_fd);
	if (r < 0)
		return report_set(report, r,
				  "Files for merge driver \"%s\" cannot be made: %s.",
				  rule->name, strerror(-r));
	r = run(command.data ? command.data : "", folder, seconds, &child);
	conflict = judge(r, rule, input->path, seconds, report);
	log_output(&child, rule, input->path, conflict != 0);
	if (conflict < 0)
		return conflict;
	r = take_result(folder_fd, rule, input->path, &output, report);
	if (r < 0)
		return r;
	*ret = output;
	return conflict;
}
