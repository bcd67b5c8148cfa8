/* SPDX-License-Identifier: ISC */
#include "store/git_error.h"
#include "store/git_handle.h"
#include "store/git_hash.h"
#include "store/git_loose.h"
#include "store/git_pending.h"

#include <errno.h>
#include <fcntl.h>
#include <git2/sys/odb_backend.h>
#include <git2/sys/repository.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PENDING_PRIORITY 3	/* packs have 2, loose objects 1 */

/* ---- finding the repository ---- */

static char *join(const char *folder, const char *name)
{
	char *path;

	if (*name == '/')
		return strdup(name);
	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static bool has(const char *folder, const char *name)
{
	scoped_free char *path = join(folder, name);
	struct stat st;

	return path && lstat(path, &st) == 0;
}

/* gitrepository-layout(5); linked work trees have their objects elsewhere. */
static bool is_repository(const char *path)
{
	return has(path, "HEAD") &&
	       (has(path, "commondir") ||
		(has(path, "objects") && has(path, "refs")));
}

/* A one-line file that holds prefix and a path, relative to folder; absolute
 * path of what it names. */
static int read_link_file(const char *folder, const char *name,
			  const char *prefix, char **ret)
{
	scoped_buffer struct buffer text = { 0 };
	scoped_free char *file = join(folder, name), *path = NULL;
	int r;

	if (!file)
		return -ENOMEM;
	r = read_file(AT_FDCWD, file, 65536, &text);
	if (r < 0)
		return r;
	if (!text.data || strncmp(text.data, prefix, strlen(prefix)) != 0)
		return -EINVAL;
	text.data[strcspn(text.data, "\r\n")] = '\0';
	path = join(folder, text.data + strlen(prefix));
	if (!path)
		return -ENOMEM;
	*ret = realpath(path, NULL);
	return *ret ? 0 : -errno;
}

/* The git directory that path means: path/.git, what a file path/.git names, or
 * path itself. */
static int find_git_dir(const char *path, char **ret)
{
	scoped_free char *inner = join(path, ".git");
	struct stat st;

	if (!inner)
		return -ENOMEM;
	if (stat(inner, &st) == 0 && S_ISREG(st.st_mode))
		return read_link_file(path, ".git", "gitdir: ", ret);
	if (is_repository(inner))
		*ret = realpath(inner, NULL);
	else if (is_repository(path))
		*ret = realpath(path, NULL);
	else
		return -EINVAL;
	return *ret ? 0 : -errno;
}

/* Its common directory: of linked work trees, the repository's own. */
static int find_common_dir(const char *path, char **ret)
{
	scoped_free char *dir = NULL;
	int r = find_git_dir(path, &dir);

	if (r < 0)
		return r;
	if (has(dir, "commondir"))
		return read_link_file(dir, "commondir", "", ret);
	*ret = STEAL(dir);
	return 0;
}

static int check_folder(const char *path, struct report *report)
{
	scoped_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = errno;

	if (fd >= 0)
		return 0;
	if (error == ENOENT)
		return report_set(report, -error, "%s does not exist", path);
	if (error == ENOTDIR)
		return report_set(report, -error, "%s is not a folder", path);
	return report_set(report, -error, "%s cannot be opened: %s", path,
			  strerror(error));
}

static int find_or_create(const char *path, bool create, char **ret,
			  struct report *report)
{
	int r = 0;

	if (create && git_create_is_free(path))
		r = git_create(path, report);
	if (r == 0)
		r = check_folder(path, report);
	if (r < 0)
		return r;
	r = find_common_dir(path, ret);
	if (r == -EINVAL)
		return report_set(report, r, "%s is not a Git repository", path);
	if (r < 0)
		return report_set(report, r, "the repository at %s cannot be "
				"opened: %s", path, strerror(-r));
	return 0;
}

/* ---- handles ---- */

static int open_handle(struct git_handle *handle, struct git_repo *repo)
{
	return git_error_to_errno(git_repository_open_bare(&handle->repository,
							   repo->path));
}

/* Objects in memory come before those on the disk. */
static int add_pending(git_odb *odb, struct git_repo *repo)
{
	git_odb_backend *backend;
	int r = git_pending_backend(repo->pending, &backend);

	if (r < 0)
		return r;
	r = git_odb_add_backend(odb, backend, PENDING_PRIORITY);
	if (r < 0)
		backend->free(backend);
	return r;
}

static int open_database(struct git_handle *handle, struct git_repo *repo)
{
	unsigned int epoch = repo->epoch;
	git_odb *odb;
	int r = git_loose_database(repo->objects_path, repo->compression, &odb);

	if (r < 0)
		return git_error_to_errno(r);
	r = add_pending(odb, repo);
	if (r == 0)
		r = git_repository_set_odb(handle->repository, odb);
	if (r < 0) {
		git_odb_free(odb);
		return git_error_to_errno(r);
	}
	git_odb_free(handle->odb);
	handle->odb = odb;
	handle->epoch = epoch;
	return 0;
}

static void close_handle(struct git_handle *handle)
{
	git_odb_free(handle->odb);
	git_repository_free(handle->repository);
	pthread_mutex_destroy(&handle->lock);
}

/* git-config(1), core.looseCompression: 1 unless set; -1 is zlib's own choice,
 * where libgit2 would take it for 1. */
static int read_compression(struct git_repo *repo)
{
	static const char *const keys[] = { "core.loosecompression",
					    "core.compression" };

	for (int i = 0; i < 2; i++) {
		scoped_free char *value = NULL;
		char *end;
		long level;

		if (git_config_read(repo, keys[i], &value) < 0)
			continue;
		level = strtol(value, &end, 10);
		if (end == value || *end || level < -1 || level > 9)
			continue;
		return level < 0 ? 6 : level;
	}
	return 1;
}

static int open_handles(struct git_repo *repo)
{
	int r = 0;

	for (int i = 0; r == 0 && i < HANDLE_COUNT; i++)
		r = open_handle(&repo->handles[i], repo);
	if (r < 0)
		return r;
	repo->compression = read_compression(repo);
	git_pending_set_level(repo->pending, repo->compression);
	for (int i = 0; r == 0 && i < HANDLE_COUNT; i++)
		r = open_database(&repo->handles[i], repo);
	return r;
}

static struct git_handle *acquire_any(struct git_repo *repo)
{
	struct git_handle *handle;

	/* The first free one, so that a single thread finds its caches warm. */
	for (int i = 0; i < HANDLE_COUNT; i++)
		if (pthread_mutex_trylock(&repo->handles[i].lock) == 0)
			return &repo->handles[i];
	handle = &repo->handles[repo->next_handle++ % HANDLE_COUNT];
	pthread_mutex_lock(&handle->lock);
	return handle;
}

struct git_handle *git_handle_acquire(struct git_repo *repo)
{
	struct git_handle *handle = acquire_any(repo);

	/* the old database still serves if that fails */
	if (handle->epoch != repo->epoch)
		open_database(handle, repo);
	return handle;
}

void git_objects_refresh(struct git_repo *repo)
{
	git_handles_expire(repo);
	for (int i = 0; i < HANDLE_COUNT; i++) {
		SCOPED_LOCK(&repo->handles[i].lock);

		if (repo->handles[i].epoch != repo->epoch)
			open_database(&repo->handles[i], repo);
	}
}

void git_repo_watch_packs(struct git_repo *repo, git_pack_watch *watch,
			  void *context)
{
	SCOPED_LOCK(&repo->watch_lock);

	repo->watch = watch;
	repo->watch_context = context;
}

void git_handle_release(struct git_handle *handle)
{
	pthread_mutex_unlock(&handle->lock);
}

/* ---- opening ---- */

/* Where the repository's own work tree is, as git-config(1) says of core.bare
 * and core.worktree. */
static int find_work_tree(struct git_repo *repo, struct git_format *format)
{
	size_t length = strlen(repo->path);
	bool is_dot_git = length > 5 &&
			  strcmp(repo->path + length - 5, "/.git") == 0;

	if (format->bare)
		return 0;
	if (format->work_tree)
		repo->work_tree = join(repo->path, format->work_tree);
	else if (is_dot_git)
		repo->work_tree = strndup(repo->path, length - 5);
	else
		return 0;
	return repo->work_tree ? 0 : -ENOMEM;
}

static int open_found(struct git_repo *repo, struct report *report)
{
	struct git_format format;
	int r = git_format_check(repo->path, &format, report);

	if (r < 0)
		return r;
	r = find_work_tree(repo, &format);
	free(format.work_tree);
	if (r < 0)
		return r;
	repo->dir_fd = open(repo->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (repo->dir_fd < 0)
		return report_set(report, -errno, "%s cannot be opened: %s",
				repo->path, strerror(errno));
	repo->objects_path = join(repo->path, "objects");
	if (!repo->objects_path)
		return -ENOMEM;
	r = git_pending_new(repo->dir_fd, &repo->pending);
	if (r == 0)
		r = open_handles(repo);
	if (r < 0)
		return report_set(report, r, "%s cannot be opened: %s",
				repo->path, git_error_text());
	return git_objects_new(repo, &repo->odb);
}

static struct git_repo *repo_new(void)
{
	struct git_repo *repo = calloc(1, sizeof(*repo));

	if (!repo)
		return NULL;
	git_library_begin();
	repo->dir_fd = -1;
	pthread_mutex_init(&repo->watch_lock, NULL);
	repo->attributes = git_attributes_new();
	for (int i = 0; i < HANDLE_COUNT; i++)
		pthread_mutex_init(&repo->handles[i].lock, NULL);
	if (!repo->attributes) {
		git_repo_free(repo);
		return NULL;
	}
	return repo;
}

int git_repo_open(const char *path, bool create, struct git_repo **ret_repo,
		  struct report *report)
{
	struct git_repo *repo = repo_new();
	int r;

	if (!repo)
		return report_set(report, -ENOMEM, "no memory");
	r = find_or_create(path, create, &repo->path, report);
	if (r == 0)
		r = open_found(repo, report);
	if (r < 0) {
		git_repo_free(repo);
		return report_set(report, r, "%s cannot be opened: %s", path,
				  strerror(-r));
	}
	*ret_repo = repo;
	return 0;
}

void git_repo_free(struct git_repo *repo)
{
	if (!repo)
		return;
	odb_free(repo->odb);
	git_attributes_free(repo->attributes);
	for (int i = 0; i < HANDLE_COUNT; i++)
		close_handle(&repo->handles[i]);
	git_pending_free(repo->pending);
	pthread_mutex_destroy(&repo->watch_lock);
	if (repo->dir_fd >= 0)
		close(repo->dir_fd);
	free(repo->objects_path);
	free(repo->work_tree);
	free(repo->path);
	free(repo);
	git_library_end();
}

const char *git_repo_path(const struct git_repo *repo)
{
	return repo->path;
}

int git_repo_dir_fd(const struct git_repo *repo)
{
	return repo->dir_fd;
}

struct odb *git_repo_odb(struct git_repo *repo)
{
	return repo->odb;
}
