/* SPDX-License-Identifier: ISC */
#include "mount/background.h"

#include "mount/flags.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>

/* To the parent: messages as text, then a NUL when the mount is ready.  One a
 * process, as the log's sink that uses it. */
static int parent = -1;

static void log_to_parent(enum log_level level, const char *text)
{
	static const char *const names[] = {
		"", "warning: ", "info: ", "debug: "
	};

	dprintf(parent, "irminfs: %s%s\n", names[level], text);
}

static void log_to_syslog(enum log_level level, const char *text)
{
	static const int priorities[] = {
		LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG
	};

	syslog(priorities[level], "%s", text);
}

static int child_status(const char *name, pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return say(name, STATUS_ERROR, "%s", strerror(errno));
	if (WIFSIGNALED(status))
		return say(name, STATUS_ERROR, "the process that was to serve "
			   "the mount died: %s", strsignal(WTERMSIG(status)));
	/* it cannot be over before it was ready */
	return WEXITSTATUS(status) ? WEXITSTATUS(status) : STATUS_ERROR;
}

/* Passes on messages until the NUL or the end. */
static int wait_ready(const char *name, int from, pid_t child)
{
	char text[4096];
	const char *end;
	ssize_t n;

	for (;;) {
		n = read(from, text, sizeof(text));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return child_status(name, child);
		end = memchr(text, '\0', n);
		fwrite(text, 1, end ? end - text : n, stderr);
		if (end)
			return STATUS_OK;
	}
}

/* Standard error leads to the parent until the mount is ready: libfuse and
 * fusermount3 say there what is wrong. */
static int detach(void)
{
	scoped_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || setsid() < 0 || dup2(null, 0) < 0 ||
	    dup2(null, 1) < 0 || dup2(parent, 2) < 0)
		return -errno;
	return 0;
}

int background_begin(const char *name)
{
	int ends[2], r;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return say(name, STATUS_ERROR, "pipe: %s", strerror(errno));
	fflush(NULL);
	child = fork();
	if (child < 0)
		return say(name, STATUS_ERROR, "fork: %s", strerror(errno));
	if (child > 0) {
		close(ends[1]);
		return wait_ready(name, ends[0], child);
	}
	close(ends[0]);
	parent = ends[1];
	/* a parent that is gone shows in background_ready */
	signal(SIGPIPE, SIG_IGN);
	log_set_sink(log_to_parent, LOG_LEVEL_WARNING);
	r = detach();
	if (r < 0) {
		log_error("cannot go to the background: %s", strerror(-r));
		_exit(STATUS_ERROR);
	}
	return -1;
}

int background_ready(void)
{
	scoped_fd int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (null < 0 || dup2(null, 2) < 0)
		return -errno;
	do
		n = write(parent, "", 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		return -errno;
	openlog("irminfs", LOG_PID, LOG_DAEMON);
	log_set_sink(log_to_syslog, LOG_LEVEL_INFO);
	/* the pipe stays open: a thread may just be writing to it */
	return 0;
}
