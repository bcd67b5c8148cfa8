/* SPDX-License-Identifier: ISC */
#include "store/git_program.h"
#include "store/housekeeping_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* One run of git, which leaves nothing when it is ended early: git removes its
 * files on SIGTERM, but not all of them. */

#define POLL_MS 50
#define PATIENCE_MS 1000		/* from SIGTERM to SIGKILL */
#define DEATH_MS 60000			/* a disk that hangs may keep it longer */
#define ARGUMENTS_MOST 40
/* ioprio_set(2) */
#define IOPRIO_GROUP 2
#define IOPRIO_IDLE (3 << 13)

/* ---- starting ---- */

/* What a killed daemon has started goes on.  It and all that it starts have this
 * lock, so that not one more begins each time the store is mounted again.
 * -EAGAIN: they have; *ret_fd -1: it cannot be locked here. */
static int lock_packs(struct housekeeping *h, int *ret_fd)
{
	int fd = openat(git_repo_dir_fd(h->repo), "objects/pack",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int r = errno == EWOULDBLOCK ? -EAGAIN : 0;

		close(fd);
		*ret_fd = -1;
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static void set_priority(pid_t group, int nice, int ioprio)
{
	setpriority(PRIO_PGRP, group, nice);
	syscall(SYS_ioprio_set, IOPRIO_GROUP, group, ioprio);
}

/* What is flushed must not be replaced by what is not, whatever the owner of the
 * repository wants for the programs of git that he runs (git-config(1)). */
#define FLUSHING "-c", "core.fsync=committed", "-c", "core.fsyncMethod=fsync"

static int start(struct housekeeping *h, const char *const *arguments, int in,
		 int out, int err, int lock, pid_t *ret_pid)
{
	scoped_fd int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const char *argv[ARGUMENTS_MOST] = { "git", NULL, FLUSHING };
	scoped_free char *option = NULL;
	size_t n = 6;
	int r;

	if (null < 0)
		return -errno;
	if (asprintf(&option, "--git-dir=%s", git_repo_path(h->repo)) < 0) {
		option = NULL;
		return -ENOMEM;
	}
	argv[1] = option;
	while (*arguments && n < ARGUMENTS_MOST - 1)
		argv[n++] = *arguments++;
	r = git_program_start((char *const *)(uintptr_t)argv, in,
			      out < 0 ? null : out, err, true, lock, ret_pid);
	if (r < 0)
		return r;
	if (h->urgent)
		return 0;
	/* as far as it goes; what git starts inherits it */
	set_priority(*ret_pid, 19, IOPRIO_IDLE);
	return 0;
}

/* ---- waiting ---- */

static void wait_a_little_locked(struct housekeeping *h)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += POLL_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_cond_timedwait(&h->wake, &h->lock, &until);
}

/* 1: h->stop comes first. */
static int wait_locked(struct housekeeping *h)
{
	pid_t pid;
	int status;

	while (!h->stop) {
		pid = waitpid(h->child, &status, WNOHANG);
		if (pid < 0)
			return -errno;
		if (pid == h->child)
			return WIFEXITED(status) && WEXITSTATUS(status) == 0 ?
			       0 : -EIO;
		wait_a_little_locked(h);
	}
	return 1;
}

static void sleep_ms(unsigned int milliseconds)
{
	struct timespec time = { .tv_nsec = milliseconds * 1000000L };

	nanosleep(&time, NULL);
}

/* name: of a folder in /proc(5). */
static bool is_live(const char *name, pid_t group)
{
	scoped_buffer struct buffer text = { 0 };
	char path[64], state, *fields;
	int of;

	if (*name < '0' || *name > '9')
		return false;
	snprintf(path, sizeof(path), "/proc/%.20s/stat", name);
	if (read_file(AT_FDCWD, path, 4096, &text) < 0 || !text.data)
		return false;
	/* a name in parentheses, which may hold any, comes before */
	fields = strrchr(text.data, ')');
	return fields && sscanf(fields + 1, " %c %*d %d", &state, &of) == 2 &&
	       of == group && state != 'Z' && state != 'X';
}

/* Those that only wait to be reaped do not count: whoever does that takes his
 * time, and in a container there may be nobody. */
static bool has_live(pid_t group)
{
	DIR *dir = kill(-group, 0) < 0 ? NULL : opendir("/proc");
	struct dirent *entry;
	bool live = false;

	while (dir && !live && (entry = readdir(dir)))
		live = is_live(entry->d_name, group);
	if (dir)
		closedir(dir);
	return live;
}

/* Until the whole group has gone: the disk may be unmounted next, and while it is
 * busy the last in its queue would not even get to die. */
static void end_group(pid_t group)
{
	bool reaped = false;

	set_priority(group, 0, 0);
	kill(-group, SIGTERM);
	for (int t = 0; t < DEATH_MS; t += 10) {
		if (t >= PATIENCE_MS)
			kill(-group, SIGKILL);
		if (!reaped)
			reaped = waitpid(group, NULL, WNOHANG) != 0;
		if (reaped && !has_live(group))
			return;
		sleep_ms(10);
	}
	log_warning("git does not end; the disk of the store stays in use");
}

/* ---- what it leaves ---- */

static bool is_temporary(const char *name, pid_t pid)
{
	static const char *const prefixes[] = { "tmp_pack_", "tmp_idx_",
						"tmp_rev_", "tmp_graph_" };
	char own[32];

	snprintf(own, sizeof(own), ".tmp-%d-", (int)pid);
	if (strncmp(name, own, strlen(own)) == 0)
		return true;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return strcmp(name, "commit-graph-chain.lock") == 0;
}

/* Another git may be at work: its files are older, or open.  (A lease on writing
 * is given only for what nobody else has open.) */
static bool is_abandoned(int dir_fd, const char *name, time_t since)
{
	scoped_fd int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW |
				  O_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_mtime >= since && fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
}

static void sweep(struct housekeeping *h, const char *folder, pid_t pid,
		  time_t since)
{
	int fd = openat(git_repo_dir_fd(h->repo), folder,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (is_temporary(entry->d_name, pid) &&
		    is_abandoned(fd, entry->d_name, since))
			unlinkat(fd, entry->d_name, 0);
	closedir(dir);
}

/* ---- running ---- */

/* The last line of what it has written to err. */
static void note_said(struct housekeeping *h, int err)
{
	char text[1024];
	ssize_t size = pread(err, text, sizeof(text) - 1, 0);
	char *line;

	while (size > 0 && text[size - 1] == '\n')
		size--;
	text[size > 0 ? size : 0] = '\0';
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	snprintf(h->said, sizeof(h->said), "git: %.140s",
		 *line ? line : "it was killed");
}

int housekeeping_run(struct housekeeping *h, const char *const *arguments,
		     int in, int out)
{
	time_t since = time(NULL) - 1;
	scoped_fd int err = memfd_create("git", MFD_CLOEXEC), lock = -1;
	pid_t pid;
	int r = err < 0 ? -errno : lock_packs(h, &lock);

	if (r == 0)
		r = start(h, arguments, in, out, err, lock, &pid);
	if (r < 0)
		return r;
	pthread_mutex_lock(&h->lock);
	h->child = pid;
	r = wait_locked(h);
	h->child = 0;
	pthread_mutex_unlock(&h->lock);
	if (r == -EIO)
		note_said(h, err);
	if (r == 1)
		end_group(pid);
	if (r != 0) {
		sweep(h, "objects/pack", pid, since);
		sweep(h, "objects/info/commit-graphs", pid, since);
	}
	return r;
}
