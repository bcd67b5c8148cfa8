/* SPDX-License-Identifier: ISC */
#include "fs/private.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

/* One datagram is a number and a path below the mount's root; a number other
 * than 0 is sent back when that was looked at.  The end of the socket is the end
 * of the process. */

/* Another look at the same directory may be what makes one fail. */
#define LOOKS_MAX 20
#define LOOK_AGAIN_NS 1000000

struct helper {
	int fd;
	pid_t pid;

	pthread_mutex_t lock;		/* one waits at a time; guards `last` */
	uint64_t last;			/* number */
};

/* ---- the process ---- */

/* What it finds does not matter, only that it looked. */
static void look(const char *path)
{
	const struct timespec pause = { .tv_nsec = LOOK_AGAIN_NS };
	struct stat st;

	for (int i = 0; i < LOOKS_MAX; i++) {
		if (stat(path, &st) == 0 || errno != ESTALE)
			return;
		nanosleep(&pause, NULL);
	}
}

/* Runs in a process forked from one that has threads: nothing here takes locks
 * or memory. */
static void serve(int fd, const char *mountpoint)
{
	static char path[2 * PATH_MAX];
	size_t prefix = strlen(mountpoint);
	uint64_t number;
	struct iovec parts[2] = { { &number, sizeof(number) } };
	ssize_t n;

	if (prefix + 1 >= PATH_MAX)
		return;
	memcpy(path, mountpoint, prefix);
	path[prefix++] = '/';
	parts[1] = (struct iovec){ path + prefix, PATH_MAX };
	while ((n = readv(fd, parts, 2)) != 0) {
		if (n < 0 && errno != EINTR)
			return;
		if (n < (ssize_t)sizeof(number))
			continue;
		path[prefix + n - sizeof(number)] = '\0';
		look(path);
		if (number)
			send(fd, &number, sizeof(number),
			     MSG_DONTWAIT | MSG_NOSIGNAL);
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
	pthread_mutex_init(&h->lock, NULL);
	*ret = h;
	return 0;
}

pid_t helper_pid(const struct helper *h)
{
	return h->pid;
}

static int ask(struct helper *h, const char *path, uint64_t number)
{
	struct iovec parts[2] = {
		{ &number, sizeof(number) },
		{ (void *)(uintptr_t)path, strlen(path) },
	};
	const struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	if (parts[1].iov_len >= PATH_MAX)
		return -ENAMETOOLONG;
	return sendmsg(h->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ?
		-errno : 0;
}

void helper_look(struct helper *h, const char *path)
{
	ask(h, path, 0);
}

/* Numbers of those who gave up come first. */
void helper_look_wait(struct helper *h, const char *path, int milliseconds)
{
	struct pollfd poll_fd = { .fd = h->fd, .events = POLLIN };
	uint64_t number = 0, mine;
	int r;

	SCOPED_LOCK(&h->lock);
	mine = ++h->last;
	r = ask(h, path, mine);
	while (r == 0 && number != mine) {
		if (poll(&poll_fd, 1, milliseconds) <= 0 ||
		    recv(h->fd, &number, sizeof(number), MSG_DONTWAIT) <= 0)
			return;
	}
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
	pthread_mutex_destroy(&h->lock);
	free(h);
}
