/* SPDX-License-Identifier: ISC */
#include "mount/daemon.h"

#include "mount/background.h"
#include "mount/flags.h"
#include "mount/memory.h"
#include "mount/mountinfo.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* While the loop has not ended, how often it is told again. */
#define STOP_INTERVAL_NS (100 * 1000 * 1000)

struct daemon {
	char *store_path, *point;	/* absolute */
	struct store *store;
	struct fs *fs;
	pthread_t loop;			/* runs fs_run */
	_Atomic bool ended;		/* fs_run has returned */
};

/* ---- before anything is opened or made ---- */

static int check_point(const char *point, struct report *report)
{
	struct stat st;

	if (stat(point, &st) == 0)
		return S_ISDIR(st.st_mode) ? 0 :
			report_set(report, -ENOTDIR, "%s: a mount point has to "
				   "be a folder", point);
	/* the mount of a daemon that died: fs_mount clears it */
	if (errno == ENOTCONN || errno == ECONNABORTED)
		return 0;
	if (errno == ENOENT)
		return report_set(report, -ENOENT, "%s does not exist; make "
				  "the mount point with mkdir", point);
	return report_set(report, -errno, "%s: %s", point, strerror(errno));
}

/* Otherwise the daemon would wait for itself. */
static int check_apart(const char *store, const char *point,
		       struct report *report)
{
	if (path_is_inside(point, store))
		return report_set(report, -EINVAL, "the mount point %s is inside "
				  "the store %s; choose one outside", point,
				  store);
	if (path_is_inside(store, point))
		return report_set(report, -EINVAL, "the store %s is inside the "
				  "mount point %s; choose another", store,
				  point);
	return 0;
}

/* A folder with a .git folder stands for that. */
static int find_store(const char *given, char **ret, struct report *report)
{
	scoped_free char *inner = NULL;
	struct stat st;
	char *path;
	int r = path_resolve(given, &path);

	if (r < 0)
		return report_set(report, r, "%s: %s", given, strerror(-r));
	if (asprintf(&inner, "%s/.git", path) < 0) {
		inner = NULL;
		free(path);
		return -ENOMEM;
	}
	if (stat(inner, &st) == 0 && S_ISDIR(st.st_mode)) {
		free(path);
		path = STEAL(inner);
	}
	*ret = path;
	return 0;
}

static int find_paths(struct daemon *d, const struct mount_options *o,
		      struct report *report)
{
	int r = find_store(o->store, &d->store_path, report);

	if (r < 0)
		return r;
	r = path_resolve(o->mountpoint, &d->point);
	if (r < 0)
		return report_set(report, r, "%s: %s", o->mountpoint,
				  strerror(-r));
	r = check_point(d->point, report);
	return r < 0 ? r : check_apart(d->store_path, d->point, report);
}

/* ---- signals ---- */

static void do_nothing(int signal_number)
{
}

/* All threads that are started later inherit the mask; only watch_signals
 * takes these signals. */
static void block_signals(sigset_t *ret)
{
	const struct sigaction wake = { .sa_handler = do_nothing };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigemptyset(ret);
	sigaddset(ret, SIGTERM);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGHUP);
	pthread_sigmask(SIG_BLOCK, ret, NULL);
	sigaction(SIGUSR1, &wake, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static void *watch_signals(void *context)
{
	const struct timespec interval = { .tv_nsec = STOP_INTERVAL_NS };
	struct daemon *d = context;
	sigset_t signals;
	int number;

	block_signals(&signals);
	if (sigwait(&signals, &number) != 0 || d->ended)
		return NULL;
	log_info("ending on %s", strsignal(number));
	/* the loop may be just about to sleep: tell it until it has ended */
	while (!d->ended) {
		fs_stop(d->fs);
		pthread_kill(d->loop, SIGUSR1);
		nanosleep(&interval, NULL);
	}
	return NULL;
}

/* ---- limits ---- */

/* Each of libgit2's handles keeps packs open, of which there may be hundreds
 * before they are merged; one that cannot be opened looks as if its objects were
 * lost.  The usual limit is low for the sake of select(2), which is not used. */
static void allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warning("the limit of open files cannot be raised: %s",
			    strerror(errno));
}

/* ---- from open to close ---- */

static int mount_store(struct daemon *d, const struct mount_options *o,
		       struct report *report)
{
	scoped_free char *passed = NULL;
	struct fs_options of_fs = {
		.mountpoint = d->point,
		.fsname = store_path(d->store),
		.debug = o->debug,
		.no_xattr = o->no_xattr,
	};

	/* also when the store turned out to be read-only */
	if (asprintf(&passed, "%s%s%s", o->passed ? o->passed : "",
		     o->passed && store_is_readonly(d->store) ? "," : "",
		     store_is_readonly(d->store) ? "ro" : "") < 0) {
		passed = NULL;
		return -ENOMEM;
	}
	of_fs.mount_options = passed;
	return fs_mount(d->store, &of_fs, &d->fs, report);
}

static int open_all(struct daemon *d, const struct mount_options *o,
		    struct report *report)
{
	struct store_options of_store = o->of_store;
	int r;

	if (!of_store.memory)
		of_store.memory = memory_budget(memory_allowed(""));
	of_store.uid = getuid();
	of_store.gid = getgid();
	of_store.mountpoint = d->point;
	r = store_open(d->store_path, &of_store, &d->store, report);
	if (r < 0)
		return r;
	r = check_apart(store_path(d->store), d->point, report);
	return r < 0 ? r : mount_store(d, o, report);
}

static int serve(struct daemon *d, bool foreground, struct report *report)
{
	pthread_t watcher;
	int r;

	d->loop = pthread_self();
	r = -pthread_create(&watcher, NULL, watch_signals, d);
	if (r < 0)
		return report_set(report, r, "cannot start a thread: %s",
				  strerror(-r));
	r = fs_run(d->fs, foreground ? NULL : background_ready);
	d->ended = true;
	pthread_kill(watcher, SIGTERM);
	pthread_join(watcher, NULL);
	return r < 0 ? report_set(report, r, "serving %s failed: %s", d->point,
				  strerror(-r)) : 0;
}

/* What is changed is committed here; the first error of all stays. */
static int close_all(struct daemon *d, int r, struct report *report)
{
	int closing = 0;

	if (d->fs)
		fs_free(d->fs);
	if (d->store)
		closing = store_close(d->store, report);
	if (r == 0 && closing < 0)
		r = report_set(report, closing, "%s: %s", d->store_path,
			       strerror(-closing));
	free(d->store_path);
	free(d->point);
	return r;
}

static int run(struct daemon *d, const struct mount_options *o,
	       struct report *report)
{
	sigset_t signals;
	int r;

	allow_files();
	block_signals(&signals);
	r = open_all(d, o, report);
	if (r < 0)
		return r;
	log_info("%s is mounted at %s", store_path(d->store), d->point);
	return serve(d, o->foreground, report);
}

int daemon_mount(const char *name, const struct mount_options *o)
{
	struct report report = { "" };
	struct daemon d = { 0 };
	int status, r = find_paths(&d, o, &report);

	if (r < 0) {
		close_all(&d, r, NULL);
		return say(name, STATUS_ERROR, "%s", report.text);
	}
	if (o->foreground)
		log_set_sink(NULL, o->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	else if ((status = background_begin(name)) >= 0)
		return close_all(&d, status, NULL);
	/* a mount must not keep another folder busy */
	if (chdir("/") < 0)
		log_warning("cannot change to /: %s", strerror(errno));
	r = run(&d, o, &report);
	r = close_all(&d, r, &report);
	if (r < 0)
		log_error("%s", report.text[0] ? report.text : strerror(-r));
	return r < 0 ? STATUS_ERROR : STATUS_OK;
}
