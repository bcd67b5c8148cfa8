/* SPDX-License-Identifier: ISC */
#include "store/store_private.h"
#include "store/ignore.h"
#include "store/inside_private.h"
#include "store/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define FOLDER_TEMPORARY "tmp"	/* spill and cache files */
#define FOLDER_DRIVERS "drivers"	/* files of merge drivers */
#define FILE_BUDGET ((uint64_t)1 << 30)
#define DEPTH_MAX 8

/* ---- folders of our own ---- */

static int clear_folder(int dir_fd, unsigned int depth);

static void clear_entry(int dir_fd, const char *name, unsigned int depth)
{
	scoped_fd int fd = -1;

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return;
	if (!unlinkat(dir_fd, name, 0) || !depth)
		return;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
	if (fd >= 0 && !clear_folder(fd, depth - 1))
		unlinkat(dir_fd, name, AT_REMOVEDIR);
}

/* What a process that died left there; nobody else writes there, and we hold
 * the store's lock. */
static int clear_folder(int dir_fd, unsigned int depth)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(dir)))
		clear_entry(dir_fd, entry->d_name, depth);
	closedir(dir);
	return 0;
}

static int open_own_folder(int private_fd, const char *name, int *ret_fd)
{
	int fd;

	if (mkdirat(private_fd, name, 0700) && errno != EEXIST)
		return -errno;
	fd = openat(private_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
	if (fd < 0)
		return -errno;
	clear_folder(fd, DEPTH_MAX);
	*ret_fd = fd;
	return 0;
}

/* Nothing can be written to the store: files of this process go where
 * temporary files go. */
static int open_other_folder(int *ret_fd)
{
	const char *path = getenv("TMPDIR");
	int fd = open(path && *path ? path : "/tmp",
		      O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int open_folders(struct store *store, struct report *report)
{
	scoped_fd int drivers = -1;
	scoped_buffer struct buffer path = { 0 };
	int r;

	if (!store->lock_file)
		r = open_other_folder(&store->temporary_fd);
	else
		r = open_own_folder(store->private_fd, FOLDER_TEMPORARY,
				    &store->temporary_fd);
	if (!r && store->lock_file)
		r = open_own_folder(store->private_fd, FOLDER_DRIVERS,
				    &drivers);
	if (r)
		return report_set(report, r, "The folder for temporary files "
				  "of the store cannot be opened: %s.",
				  strerror(-r));
	r = buffer_printf(&path, "%s/" PRIVATE_FOLDER "/" FOLDER_DRIVERS,
			  git_repo_path(store->repo));
	if (!r)
		store->driver_dir = STEAL(path.data);
	return r;
}

/* ---- lock, and whether it can be written ---- */

static bool means_readonly(int error)
{
	return error == -EROFS || error == -EACCES || error == -EPERM;
}

static int set_readonly(struct store *store, int error)
{
	scoped_buffer struct buffer why = { 0 };
	int r;

	if (store->readonly)
		return 0;
	if (error)
		r = buffer_printf(&why, "The repository %s cannot be written: "
				  "%s.", git_repo_path(store->repo),
				  strerror(-error));
	else
		r = buffer_puts(&why, "The store was opened read-only.");
	if (r)
		return r;
	store->readonly = STEAL(why.data);
	if (error)
		log_warning("%s It is opened read-only.", store->readonly);
	return 0;
}

static int report_busy(struct store *store, struct report *report)
{
	char mountpoint[512] = "";
	pid_t pid = 0;

	lock_holder(git_repo_dir_fd(store->repo), &pid, mountpoint,
		    sizeof(mountpoint));
	return report_set(report, -EBUSY, "The store %.300s is in use by "
			  "process %d%s%s.", git_repo_path(store->repo),
			  (int)pid, *mountpoint ? ", mounted at " : "",
			  mountpoint);
}

static int check_access(struct store *store)
{
	static const char *const folders[] = { ".", "objects", "refs" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (faccessat(git_repo_dir_fd(store->repo), folders[i],
			      W_OK | X_OK, AT_EACCESS))
			return -errno;
	return 0;
}

/* A daemon that was killed just now has let go of its mount before its lock: it
 * goes with the last of its processes. */
static int take_lock_file(struct store *store)
{
	int repo_fd = git_repo_dir_fd(store->repo);
	int r = lock_take(repo_fd, store->mountpoint, &store->lock_file);

	if (r != -EBUSY || lock_wait_free(repo_fd, SECONDS_DYING) < 0)
		return r;
	return lock_take(repo_fd, store->mountpoint, &store->lock_file);
}

static int take_lock(struct store *store, struct report *report)
{
	int repo_fd = git_repo_dir_fd(store->repo);
	int r = lock_open_folder(repo_fd, !store->options.readonly,
				 &store->private_fd);

	if (r == -ENOENT && store->options.readonly)
		return 0;
	if (!r)
		r = take_lock_file(store);
	if (r == -EBUSY)
		return report_busy(store, report);
	if (!r)
		r = check_access(store);
	if (means_readonly(r))
		return set_readonly(store, r);
	if (r)
		report_set(report, r, "The store %.300s cannot be locked: %s.",
			   git_repo_path(store->repo), strerror(-r));
	return r;
}

/* ---- opening ---- */

static void fill_options(struct store *store,
			 const struct store_options *options)
{
	struct store_options *o = &store->options;

	*o = *options;
	o->commit_seconds = o->commit_seconds ? o->commit_seconds :
		SECONDS_COMMIT;
	o->driver_seconds = o->driver_seconds ? o->driver_seconds :
		SECONDS_DRIVER;
	o->memory = o->memory ? o->memory : STORE_MEMORY;
	o->journal = o->journal ? o->journal : JOURNAL_BYTES_DEFAULT;
	o->clock = o->clock ? o->clock : clock_real;
	o->mountpoint = store->mountpoint;
}

static struct store *store_new(const struct store_options *options)
{
	struct store *store = calloc(1, sizeof(*store));
	pthread_condattr_t monotonic;

	if (!store)
		return NULL;
	store->private_fd = store->temporary_fd = -1;
	pthread_mutex_init(&store->merging, NULL);
	pthread_mutex_init(&store->inside_lock, NULL);
	pthread_mutex_init(&store->lock, NULL);
	pthread_mutex_init(&store->timer_lock, NULL);
	people_init(&store->people);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&store->timer_wake, &monotonic);
	pthread_cond_init(&store->front_unused, NULL);
	pthread_condattr_destroy(&monotonic);
	if (options->mountpoint) {
		store->mountpoint = strdup(options->mountpoint);
		if (!store->mountpoint) {
			free(store);
			return NULL;
		}
	}
	fill_options(store, options);
	return store;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void release_branches(struct store *store)
{
	struct branch *b, *next;

	HASH_ITER(hh, store->branches, b, next) {
		pthread_mutex_lock(&store->lock);
		store_remove_locked(store, b, 0);
		pthread_mutex_unlock(&store->lock);
		branch_unref(b);
	}
}

/* Accepts what store_open has half built. */
static void store_free(struct store *store)
{
	outside_stop(store);
	store_stop_housekeeping(store);
	timer_stop(store);
	release_branches(store);
	engine_free(store->engine);
	if (store->pool)
		pool_free(store->pool);
	close_fd(&store->temporary_fd);
	close_fd(&store->private_fd);
	git_repo_free(store->local);
	git_repo_free(store->repo);
	/* who waits for it takes everything for closed */
	lock_release(store->lock_file);
	pthread_mutex_destroy(&store->merging);
	pthread_mutex_destroy(&store->inside_lock);
	pthread_mutex_destroy(&store->lock);
	pthread_mutex_destroy(&store->timer_lock);
	people_release(&store->people);
	pthread_cond_destroy(&store->timer_wake);
	pthread_cond_destroy(&store->front_unused);
	free(store->driver_dir);
	free(store->readonly);
	free(store->mountpoint);
	ignore_file_free(store->exclude);
	free(store);
}

static int open_pool(struct store *store)
{
	struct pool_options options = {
		.odb = store->odb,
		.local = store->local_odb,
		.dir_fd = store->temporary_fd,
		.block_budget = store->options.memory / 2,
		.blob_budget = store->options.memory / 4,
		.file_budget = FILE_BUDGET,
	};

	return pool_new(&options, &store->pool);
}

static int open_parts(struct store *store, const char *path,
		      struct report *report)
{
	bool create = store->options.create && !store->options.readonly;
	int r;

	if (create)
		store_mark_new(path);
	r = git_repo_open(path, create, &store->repo, report);
	if (r)
		return r;
	store->odb = git_repo_odb(store->repo);
	if (store->options.readonly)
		r = set_readonly(store, 0);
	if (!r)
		r = take_lock(store, report);
	if (!r)
		r = open_folders(store, report);
	if (!r)
		r = store_open_local(store, report);
	if (!r)
		r = store_read_exclude(store);
	if (!r)
		r = open_pool(store);
	if (!r)
		r = store_open_engine(store, report);
	if (!r && !store->readonly) {
		store_expire(store);
		inside_clean(store);
		r = store_make_first(store, report);
	}
	if (r || store->readonly)
		return r;
	inside_recover_all(store);
	/* it is of use, not needed; threads that use it come after it */
	if (!store->options.no_housekeeping)
		store_start_housekeeping(store);
	r = timer_start(store);
	if (!r && store->options.follow)
		r = outside_start(store);
	return r;
}

int store_open(const char *path, const struct store_options *options,
	       struct store **ret_store, struct report *report)
{
	struct store *store = store_new(options);
	int r;

	if (!store)
		return -ENOMEM;
	r = open_parts(store, path, report);
	if (r) {
		report_set(report, r, "The store %.300s cannot be opened: %s.",
			   path, strerror(-r));
		if (store->engine)
			engine_close(store->engine);
		store_free(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

int store_close(struct store *store, struct report *report)
{
	struct caller caller = {
		.uid = store->options.uid,
		.gid = store->options.gid,
		.pid = getpid(),
		.operation = "unmount",
	};
	int r, closed;

	store->closing = true;
	outside_stop(store);
	store_stop_housekeeping(store);
	timer_stop(store);
	r = store_sync(store, &caller);
	closed = engine_close(store->engine);
	if (!store->readonly)
		git_objects_tend_spares(store->repo);
	/* Closing tries once more what failed before. */
	if (closed)
		r = closed;
	if (r)
		report_set(report, r, "Changes in the store %.300s could not be "
			   "saved and are lost: %s.", store_path(store),
			   strerror(-r));
	store_free(store);
	return r;
}

/* ---- facts ---- */

const char *store_path(struct store *store)
{
	return git_repo_path(store->repo);
}

bool store_is_readonly(struct store *store)
{
	return store->readonly != NULL;
}

struct git_repo *store_repo(struct store *store)
{
	return store->repo;
}

struct pool *store_pool(struct store *store)
{
	return store->pool;
}

struct engine *store_engine(struct store *store)
{
	return store->engine;
}

int64_t store_now(struct store *store)
{
	struct timespec now;

	store->options.clock(&now);
	return now.tv_sec;
}

int store_lock_merging(struct store *store, struct report *report)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MERGING_NS };

	/* tried again and again: a wait with a bound would be by the clock on
	 * the wall, or unknown to the thread sanitizer */
	for (int i = 0; i < SECONDS_MERGING * (1000000000 / PAUSE_MERGING_NS);
	     i++) {
		if (pthread_mutex_trylock(&store->merging) == 0)
			return 0;
		nanosleep(&pause, NULL);
	}
	return report_set(report, -EBUSY, "A merge is running; try again when "
			  "it is done.");
}

int store_check_writable(struct store *store, struct report *report)
{
	struct report why = { 0 };

	if (store->readonly)
		return report_set(report, -EROFS, "%s", store->readonly);
	if (engine_state(store->engine, 0, &why) != -EROFS)
		return 0;
	return report_set(report, -EROFS, "%s", why.text);
}

/* ---- who holds it ---- */

int store_holder(const char *path, pid_t *ret_pid, char *ret_mountpoint,
		 size_t size)
{
	struct git_repo *repo;
	int r = git_repo_open(path, false, &repo, NULL);

	if (r)
		return r;
	r = lock_holder(git_repo_dir_fd(repo), ret_pid, ret_mountpoint, size);
	git_repo_free(repo);
	return r;
}

int store_wait_unlocked(const char *path, unsigned int seconds)
{
	struct git_repo *repo;
	int r = git_repo_open(path, false, &repo, NULL);

	if (r)
		return r;
	r = lock_wait_free(git_repo_dir_fd(repo), seconds);
	git_repo_free(repo);
	return r;
}

/* ---- the front end ---- */

void store_set_front(struct store *store, const struct store_front *front)
{
	SCOPED_LOCK(&store->lock);
	while (store->front_users)
		pthread_cond_wait(&store->front_unused, &store->lock);
	store->front = *front;
}

struct store_front store_begin_front(struct store *store)
{
	SCOPED_LOCK(&store->lock);
	store->front_users++;
	return store->front;
}

void store_end_front(struct store *store)
{
	SCOPED_LOCK(&store->lock);
	if (--store->front_users == 0)
		pthread_cond_broadcast(&store->front_unused);
}

void store_flush_mappings(struct store *store, struct branch *b)
{
	struct store_front front = store_begin_front(store);

	if (front.flush_mappings && b->worktree)
		front.flush_mappings(front.watch.context, b->worktree);
	store_end_front(store);
}

void store_conflicts_changed(struct store *store, struct branch *b)
{
	struct store_front front = store_begin_front(store);

	if (front.conflicts_changed)
		front.conflicts_changed(front.watch.context, b);
	store_end_front(store);
}

void store_branch_moved(struct store *store, struct branch *b, const char *name)
{
	struct store_front front = store_begin_front(store);

	if (front.branch_moved && b->worktree)
		front.branch_moved(front.watch.context, name);
	store_end_front(store);
}

static void tell_names_changed(const struct store_front *front,
			       const char *name)
{
	scoped_free char *space = strdup(name);

	/* Without memory at least the root's listing is right. */
	for (char *slash; space && (slash = strrchr(space, '/'));) {
		*slash = '\0';
		front->branches_changed(front->watch.context, space);
	}
	front->branches_changed(front->watch.context, "");
}

void store_names_changed(struct store *store, const char *name)
{
	struct store_front front = store_begin_front(store);

	if (front.branches_changed)
		tell_names_changed(&front, name);
	store_end_front(store);
}
