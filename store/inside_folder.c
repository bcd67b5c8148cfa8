/* SPDX-License-Identifier: ISC */
#include "store/inside_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER "git"
#define TEXT_SMALL 4096
#define DEPTH_MOST 16

/* A lock that is older was left by one that died. */
#define LOCK_MOST_SECONDS 3600

int inside_folder(struct store *store, uint64_t branch, int *ret_fd)
{
	char path[64];
	int fd;

	if (store->private_fd < 0)
		return -ENOENT;
	snprintf(path, sizeof(path), FOLDER "/%llu",
		 (unsigned long long)branch);
	fd = openat(store->private_fd, path, O_RDONLY | O_DIRECTORY |
		    O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int make_folder(int dir_fd, const char *name)
{
	return mkdirat(dir_fd, name, 0777) < 0 && errno != EEXIST ? -errno : 0;
}

int inside_write(int dir_fd, const char *name, const char *text)
{
	scoped_fd int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC |
				  O_NOFOLLOW | O_CLOEXEC, 0666);

	return fd < 0 ? -errno : write_fully(fd, text, strlen(text), 0);
}

static int make_log(int fd)
{
	scoped_fd int log = -1;
	int r = make_folder(fd, "logs");

	if (r < 0)
		return r;
	/* Git appends to a log that is there, whatever its configuration */
	log = openat(fd, "logs/HEAD", O_WRONLY | O_CREAT | O_APPEND |
		     O_NOFOLLOW | O_CLOEXEC, 0666);
	return log < 0 ? -errno : 0;
}

int inside_make_folder(struct store *store, uint64_t branch, int *ret_fd)
{
	char name[32];
	int r = make_folder(store->private_fd, FOLDER);
	scoped_fd int git_fd = -1, fd = -1;

	if (r < 0)
		return r;
	git_fd = openat(store->private_fd, FOLDER, O_RDONLY | O_DIRECTORY |
			O_NOFOLLOW | O_CLOEXEC);
	if (git_fd < 0)
		return -errno;
	snprintf(name, sizeof(name), "%llu", (unsigned long long)branch);
	r = make_folder(git_fd, name);
	if (r == 0)
		r = inside_folder(store, branch, &fd);
	if (r == 0)
		r = inside_write(fd, "commondir", "../../..\n");
	if (r == 0)
		r = make_log(fd);
	if (r < 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

bool inside_has(int fd, const char *name)
{
	return faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool inside_is_unfinished(int fd)
{
	static const char *const files[] = {
		"rebase-merge", "rebase-apply", "MERGE_HEAD",
		"CHERRY_PICK_HEAD", "REVERT_HEAD",
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (inside_has(fd, files[i]))
			return true;
	return false;
}

bool inside_is_locked(int fd)
{
	struct timespec now;
	struct stat st;

	if (fstatat(fd, "index.lock", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	clock_real(&now);
	return now.tv_sec - st.st_mtim.tv_sec < LOCK_MOST_SECONDS;
}

int inside_set_head(int fd, const char *name)
{
	scoped_buffer struct buffer wanted = { 0 }, present = { 0 };
	int r = buffer_printf(&wanted, "ref: refs/heads/%s\n", name);

	if (r < 0)
		return r;
	if (read_file(fd, "HEAD", TEXT_SMALL, &present) == 0 &&
	    present.data && strcmp(present.data, wanted.data) == 0)
		return 0;
	if (inside_has(fd, "rebase-merge") || inside_has(fd, "rebase-apply"))
		return 0;
	return replace_file(fd, "HEAD", wanted.data, wanted.length, 0444);
}

/* ---- the end ---- */

static void remove_all(int dir_fd, const char *name, unsigned int depth)
{
	scoped_fd int fd = -1;
	struct dirent *entry;
	DIR *dir;

	if (unlinkat(dir_fd, name, 0) == 0 || depth == 0)
		return;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			remove_all(fd, entry->d_name, depth - 1);
	closedir(dir);
	fd = -1;
	unlinkat(dir_fd, name, AT_REMOVEDIR);
}

static bool is_live(struct store *store, const char *name)
{
	char *end;
	uint64_t branch = strtoull(name, &end, 10);
	const struct branch *b;
	SCOPED_LOCK(&store->lock);

	b = *end ? NULL : store_find_incarnation_locked(store, branch);
	return b && !b->dropped && !b->gone;
}

void inside_clean(struct store *store)
{
	struct dirent *entry;
	DIR *dir;
	int fd;

	if (store->private_fd < 0)
		return;
	fd = openat(store->private_fd, FOLDER, O_RDONLY | O_DIRECTORY |
		    O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && !is_live(store, entry->d_name))
			remove_all(fd, entry->d_name, DEPTH_MOST);
	closedir(dir);
}
