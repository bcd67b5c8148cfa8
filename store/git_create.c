/* SPDX-License-Identifier: ISC */
#include "store/git_handle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A new bare repository.  HEAD makes a folder a repository, so it comes last,
 * by renaming HEAD.lock, which comes first: a folder with HEAD.lock and nothing
 * foreign is one that a crash left unfinished, and is finished the next time. */

static const char head[] = "ref: refs/heads/main\n";
static const char config[] = "[core]\n"
			     "\trepositoryformatversion = 0\n"
			     "\tfilemode = true\n"
			     "\tbare = true\n";
static const char *const folders[] = {
	"objects", "objects/info", "objects/pack", "refs", "refs/heads",
	"refs/tags",
};

static bool is_ours(const char *name)
{
	static const char *const names[] = {
		".", "..", "HEAD.lock", "HEAD.lock.tmp", "config", "config.tmp",
		"objects", "refs",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

bool git_create_is_free(const char *path)
{
	DIR *dir = opendir(path);
	bool started = false, used = false, foreign = false;
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT;
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, "irminfs") == 0)
			continue;	/* the private folder may come first */
		if (!is_ours(entry->d_name))
			foreign = true;
		else if (strncmp(entry->d_name, "HEAD.lock", 9) == 0)
			started = true;
		else if (entry->d_name[0] != '.')
			used = true;
	}
	closedir(dir);
	return !foreign && (started || !used);
}

static int sync_folder(int dir_fd, const char *name)
{
	scoped_fd int fd = openat(dir_fd, name,
				O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int make_folders(int dir_fd)
{
	size_t count = sizeof(folders) / sizeof(*folders);

	for (size_t i = 0; i < count; i++)
		if (mkdirat(dir_fd, folders[i], 0777) < 0 && errno != EEXIST)
			return -errno;
	for (size_t i = 0; i < count; i++) {
		int r = sync_folder(dir_fd, folders[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int fill(int dir_fd)
{
	int r = replace_file(dir_fd, "HEAD.lock", head, strlen(head), 0666);

	if (r == 0)
		r = make_folders(dir_fd);
	if (r == 0)
		r = replace_file(dir_fd, "config", config, strlen(config), 0666);
	if (r == 0 && renameat(dir_fd, "HEAD.lock", dir_fd, "HEAD") < 0)
		r = -errno;
	if (r == 0 && fsync(dir_fd) < 0)
		r = -errno;
	return r;
}

static int make_at(const char *path)
{
	scoped_fd int fd = -1;
	int r;

	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fill(fd);
	/* the folder's own name */
	return r < 0 ? r : sync_folder(fd, "..");
}

int git_create(const char *path, struct report *report)
{
	int r = make_at(path);

	if (r < 0)
		return report_set(report, r, "cannot make a repository at %s: "
				"%s", path, strerror(-r));
	return 0;
}
