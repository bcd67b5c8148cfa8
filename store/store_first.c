/* SPDX-License-Identifier: ISC */
#include "store/store_private.h"

#include "store/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A store that irminfs makes has a branch.  The mark that says so comes before the
 * repository and goes when the branch is there: in between, the disk may turn out to
 * be full, or the daemon be killed, and the next to open the store makes it. */
#define MARK "new"

/* Whether git_repo_open will make a repository there. */
static bool is_absent(const char *path)
{
	struct dirent *entry;
	bool absent = true;
	DIR *dir = opendir(path);

	if (!dir)
		return errno == ENOENT;
	while (absent && (entry = readdir(dir)))
		absent = !strcmp(entry->d_name, ".") ||
			 !strcmp(entry->d_name, "..");
	closedir(dir);
	return absent;
}

void store_mark_new(const char *path)
{
	scoped_fd int repo = -1, folder = -1, mark = -1;

	if (!is_absent(path))
		return;
	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		return;
	repo = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (repo < 0 || lock_open_folder(repo, true, &folder) < 0)
		return;
	mark = openat(folder, MARK, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (mark >= 0)
		(void)fsync(folder);
}

static bool is_new(struct store *store)
{
	return faccessat(store->private_fd, MARK, F_OK, 0) == 0;
}

/* The branch of HEAD, so that a store made just now is ready for use. */
int store_make_first(struct store *store, struct report *report)
{
	struct caller caller = {
		.uid = store->options.uid,
		.gid = store->options.gid,
		.pid = getpid(),
		.operation = "make",
	};
	scoped_free char *name = NULL;
	int r;

	if (!is_new(store))
		return 0;
	r = git_head_read(store->repo, &name);
	if (r == 0)
		r = store_make(store, name, &caller, report);
	if (r < 0 && r != -EEXIST)
		return r;
	if (unlinkat(store->private_fd, MARK, 0) < 0 ||
	    fsync(store->private_fd) < 0)
		log_warning("irminfs/%s cannot be removed: %s", MARK,
			    strerror(errno));
	return 0;
}
