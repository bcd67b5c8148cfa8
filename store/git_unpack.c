/* SPDX-License-Identifier: ISC */
#include "store/git_unpack.h"
#include "store/git_error.h"
#include "store/git_program.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* First line of what the program complained about. */
static void read_complaint(int fd, char *text, size_t size)
{
	char rest[512];
	size_t length = 0;
	ssize_t n;

	do {
		bool full = length == size - 1;

		n = read(fd, full ? rest : text + length,
			 full ? sizeof(rest) : size - 1 - length);
		if (n > 0 && !full)
			length += n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	text[length] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int run(char **argv, int fd, char *complaint, size_t size)
{
	int pipe_fds[2], r;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	r = git_program_start(argv, -1, fd, pipe_fds[1], false, -1, &pid);
	close(pipe_fds[1]);
	if (r == 0) {
		read_complaint(pipe_fds[0], complaint, size);
		r = wait_for(pid);
	} else {
		snprintf(complaint, size, "git cannot be run: %s", strerror(-r));
	}
	close(pipe_fds[0]);
	return r;
}

static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_empty_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

/* Git does not say that the disk is full; the disk does.  The file is of no use
 * any more. */
static int why_not(int fd, int r)
{
	static const char zeros[65536];

	if (r == -ENOMEM)
		return r;
	/* the first may still find room for a part */
	for (int i = 0; i < 2 && is_file(fd); i++)
		if (write(fd, zeros, sizeof(zeros)) < 0 &&
		    (errno == ENOSPC || errno == EDQUOT))
			return -errno;
	return -EIO;
}

/* git cat-file does not check the hash of what it prints. */
static int verify(const struct oid *oid, int fd)
{
	char path[64];
	git_oid found;
	int r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = git_odb_hashfile(&found, path, GIT_OBJECT_BLOB);
	if (r < 0)
		return git_error_of_read(r);
	return memcmp(found.id, oid->id, OID_SIZE) == 0 ? 0 : -EUCLEAN;
}

int git_unpack(const char *git_dir, const struct oid *oid, int fd)
{
	scoped_free char *option = NULL;
	char hex[OID_HEX_SIZE], complaint[256] = "";
	char *argv[] = { (char *)"git", NULL, (char *)"cat-file",
			 (char *)"blob", hex, NULL };
	bool whole = is_empty_file(fd);
	int r;

	if (asprintf(&option, "--git-dir=%s", git_dir) < 0) {
		option = NULL;
		return -ENOMEM;
	}
	argv[1] = option;
	oid_hex(oid, hex);
	r = run(argv, fd, complaint, sizeof(complaint));
	if (r < 0) {
		log_error("object %s cannot be unpacked: %s", hex,
			  complaint[0] ? complaint : strerror(-r));
		return why_not(fd, r);
	}
	r = whole ? verify(oid, fd) : 0;
	if (r < 0)
		log_error("object %s is damaged: it does not match its id", hex);
	return r;
}
