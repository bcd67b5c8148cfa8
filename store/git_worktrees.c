/* SPDX-License-Identifier: ISC */
#include "store/git_handle.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Work trees outside the mount that have a branch checked out
 * (gitrepository-layout(5), "worktrees"). */

#define OURS "irminfs"		/* store/pin.h */
#define FILE_MOST 65536

/* First line of worktrees/ID/FILE; NULL: there is none. */
static char *read_line(int dir_fd, const char *id, const char *file)
{
	scoped_buffer struct buffer text = { 0 };
	scoped_free char *path = NULL;

	if (asprintf(&path, "worktrees/%s/%s", id, file) < 0) {
		path = NULL;
		return NULL;
	}
	if (read_file(dir_fd, path, FILE_MOST, &text) < 0 || !text.data)
		return NULL;
	text.data[strcspn(text.data, "\r\n")] = '\0';
	return STEAL(text.data);
}

static bool is_locked(int dir_fd, const char *id)
{
	scoped_free char *path = NULL;
	struct stat st;

	if (asprintf(&path, "worktrees/%s/locked", id) < 0) {
		path = NULL;
		return true;
	}
	return fstatat(dir_fd, path, &st, 0) == 0;
}

/* The folder that a linked work tree lies in: gitdir names its .git file.  NULL
 * when it is gone, unless it is locked: then it may be on a disk that is away. */
static char *work_tree_of(int dir_fd, const char *id)
{
	scoped_free char *dot_git = read_line(dir_fd, id, "gitdir");
	scoped_free char *path = NULL;
	size_t length;
	struct stat st;

	if (!dot_git)
		return NULL;
	if (*dot_git == '/')
		path = strdup(dot_git);
	else if (asprintf(&path, "worktrees/%s/%s", id, dot_git) < 0)
		path = NULL;
	if (!path ||
	    (fstatat(dir_fd, path, &st, 0) < 0 && !is_locked(dir_fd, id)))
		return NULL;
	length = strlen(path);
	if (length > 5 && strcmp(path + length - 5, "/.git") == 0)
		path[length - 5] = '\0';
	return STEAL(path);
}

static bool names_branch(const char *head, const char *name)
{
	return head && strncmp(head, "ref: refs/heads/", 16) == 0 &&
	       strcmp(head + 16, name) == 0;
}

static char *find_linked(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, "worktrees",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char *found = NULL;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	while (!found && (entry = readdir(dir))) {
		scoped_free char *head = NULL;

		if (entry->d_name[0] == '.' || strcmp(entry->d_name, OURS) == 0)
			continue;
		head = read_line(dir_fd, entry->d_name, "HEAD");
		if (names_branch(head, name))
			found = work_tree_of(dir_fd, entry->d_name);
	}
	closedir(dir);
	return found;
}

char *git_branch_checked_out(struct git_repo *repo, const char *name)
{
	scoped_free char *head = NULL;

	if (repo->work_tree && git_head_read(repo, &head) == 0 &&
	    strcmp(head, name) == 0)
		return strdup(repo->work_tree);
	return find_linked(repo->dir_fd, name);
}
