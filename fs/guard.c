/* SPDX-License-Identifier: ISC */
#include "fs/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PARENT_DIED SIGUSR1

struct guard {
	pid_t pid;
};

/* ---- the process ---- */

static void ignore_terminal(void)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
}

static void wait_for_death(pid_t parent)
{
	sigset_t died;
	int number;

	sigemptyset(&died);
	sigaddset(&died, PARENT_DIED);
	sigprocmask(SIG_SETMASK, &died, NULL);
	if (prctl(PR_SET_PDEATHSIG, PARENT_DIED) < 0)
		_exit(1);
	/* it may have died before */
	if (getppid() == parent)
		sigwait(&died, &number);
}

/* Whether no thread of the process is left, and so nobody who has the mount's
 * device open: the kernel has broken the connection. */
static bool is_over(int pidfd)
{
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

/* An open folder keeps the dead mount where it is: programs would otherwise
 * write into what it covers.  What is there when the daemon is over may be the
 * mount of the next one, by the same device number: we may be late. */
static void be_guard(struct fs *fs, pid_t parent, int pidfd)
{
	ignore_terminal();
	/* the store's lock and the mount's device must not be held by us */
	if (dup2(pidfd, 0) < 0 || close_range(1, ~0u, 0) < 0 || chdir("/") < 0)
		_exit(1);
	wait_for_death(parent);
	if (open(fs->mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC) >= 0 &&
	    !is_over(0))
		connection_abort(fs);
	_exit(0);
}

/* ---- the daemon's side ---- */

int guard_new(struct fs *fs, struct guard **ret)
{
	pid_t parent = getpid();
	scoped_fd int pidfd = syscall(SYS_pidfd_open, parent, 0);
	struct guard *g;

	if (pidfd < 0)
		return -errno;
	g = malloc(sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->pid = fork();
	if (g->pid == 0)
		be_guard(fs, parent, pidfd);
	if (g->pid < 0) {
		int error = errno;

		free(g);
		return -error;
	}
	*ret = g;
	return 0;
}

void guard_free(struct guard *g)
{
	if (!g)
		return;
	kill(g->pid, SIGKILL);
	while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(g);
}
