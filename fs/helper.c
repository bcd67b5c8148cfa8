/* SPDX-License-Identifier: ISC */
#include "fs/private.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* One datagram is one path below the mount's root; the end of the socket is the
 * end of the process. */

struct helper {
	int fd;
	pid_t pid;
};

/* ---- the process ---- */

/* Runs in a process forked from one that has threads: nothing here takes locks
 * or memory. */
static void serve(int fd, const char *mountpoint)
{
	static char path[2 * PATH_MAX];
	size_t prefix = strlen(mountpoint);
	struct stat st;
	ssize_t n;

	if (prefix + 1 >= PATH_MAX)
		return;
	memcpy(path, mountpoint, prefix);
	path[prefix++] = '/';
	while ((n = recv(fd, path + prefix, PATH_MAX, 0)) != 0) {
		if (n < 0 && errno != EINTR)
			return;
		if (n < 0)
			continue;
		path[prefix + n] = '\0';
		/* what it finds does not matter, only that it looked */
		if (stat(path, &st) < 0)
			continue;
	}
}

/* Signals of a terminal are for the daemon; the store's lock and the mount's
 * device must not be held by us. */
static void be_helper(int fd, const char *mountpoint)
{
	sigset_t none;

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(fd, 0) < 0 || close_range(1, ~0u, 0) < 0 || chdir("/") < 0)
		_exit(1);
	serve(0, mountpoint);
	_exit(0);
}

/* ---- the daemon's side ---- */

int helper_new(const char *mountpoint, struct helper **ret)
{
	struct helper *h = calloc(1, sizeof(*h));
	int sockets[2];

	if (!h)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0) {
		free(h);
		return -errno;
	}
	h->pid = fork();
	if (h->pid == 0)
		be_helper(sockets[1], mountpoint);
	close(sockets[1]);
	h->fd = sockets[0];
	if (h->pid < 0) {
		int error = errno;

		close(h->fd);
		free(h);
		return -error;
	}
	*ret = h;
	return 0;
}

pid_t helper_pid(const struct helper *h)
{
	return h->pid;
}

void helper_look(struct helper *h, const char *path)
{
	size_t length = strlen(path);

	if (length < PATH_MAX)
		send(h->fd, path, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* It may be waiting for the mount that has just ended, which wakes it. */
void helper_free(struct helper *h)
{
	if (!h)
		return;
	close(h->fd);
	kill(h->pid, SIGKILL);
	while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(h);
}
