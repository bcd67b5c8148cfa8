/* SPDX-License-Identifier: ISC */
#include "store/ref_watch.h"
#include "store/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#define HEADS "refs/heads"
#define DEPTH_MAX 64
#define NAMES_MAX 1024		/* beyond: all */
#define FOLDER_EVENTS (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | \
		       IN_CLOSE_WRITE | IN_ONLYDIR | IN_EXCL_UNLINK)

/* A watched folder of refs. */
struct folder {
	int wd;
	char *prefix;		/* of names in it: "" or "feature/" */
};

struct ref_watch {
	int fd, repo_fd, repo_wd;
	struct folder *folders;
	size_t count;
	char **names;		/* found by this read */
	size_t name_count;
	bool all;
};

/* ---- folders ---- */

/* By its path below the process's working directory, which is no help here: so
 * by the descriptor's own. */
static int add_watch(struct ref_watch *w, int dir_fd, uint32_t events)
{
	char path[64];
	int wd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
	wd = inotify_add_watch(w->fd, path, events);
	return wd < 0 ? -errno : wd;
}

static int note_folder(struct ref_watch *w, int wd, const char *prefix)
{
	struct folder *more;
	char *copy;

	for (size_t i = 0; i < w->count; i++)
		if (w->folders[i].wd == wd)
			return 0;
	more = reallocarray(w->folders, w->count + 1, sizeof(*more));
	copy = strdup(prefix);
	if (more)
		w->folders = more;
	if (!more || !copy) {
		free(copy);
		return -ENOMEM;
	}
	more[w->count++] = (struct folder){ wd, copy };
	return 0;
}

static int watch_folder(struct ref_watch *w, const char *prefix,
			unsigned int depth);

static int watch_below(struct ref_watch *w, int dir_fd, const char *prefix,
		       unsigned int depth)
{
	int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		if (copy >= 0)
			close(copy);
		return 0;
	}
	while (r == 0 && (entry = readdir(dir))) {
		char below[PATH_MAX];

		if (entry->d_name[0] == '.' ||
		    (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
			continue;
		if (snprintf(below, sizeof(below), "%s%s/", prefix,
			     entry->d_name) < (int)sizeof(below))
			r = watch_folder(w, below, depth + 1);
	}
	closedir(dir);
	return r;
}

/* prefix: "" or with a slash at the end. */
static int watch_folder(struct ref_watch *w, const char *prefix,
			unsigned int depth)
{
	char path[PATH_MAX];
	scoped_fd int fd = -1;
	int r;

	if (depth > DEPTH_MAX ||
	    snprintf(path, sizeof(path), HEADS "/%s", prefix) >=
		    (int)sizeof(path))
		return 0;
	fd = openat(w->repo_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	r = add_watch(w, fd, FOLDER_EVENTS);
	if (r < 0)
		return r;
	r = note_folder(w, r, prefix);
	return r < 0 ? r : watch_below(w, fd, prefix, depth);
}

static void forget_folder(struct ref_watch *w, int wd)
{
	for (size_t i = 0; i < w->count; i++) {
		if (w->folders[i].wd != wd)
			continue;
		free(w->folders[i].prefix);
		w->folders[i] = w->folders[--w->count];
		return;
	}
}

int ref_watch_new(int repo_fd, struct ref_watch **ret_watch)
{
	struct ref_watch *w = calloc(1, sizeof(*w));
	int r = 0;

	if (!w)
		return -ENOMEM;
	w->repo_fd = repo_fd;
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd < 0) {
		r = -errno;
		free(w);
		return r;
	}
	w->repo_wd = add_watch(w, repo_fd, IN_MOVED_TO | IN_DELETE | IN_ONLYDIR);
	r = w->repo_wd < 0 ? w->repo_wd : watch_folder(w, "", 0);
	if (r < 0) {
		ref_watch_free(w);
		return r;
	}
	*ret_watch = w;
	return 0;
}

void ref_watch_free(struct ref_watch *w)
{
	if (!w)
		return;
	close(w->fd);
	for (size_t i = 0; i < w->count; i++)
		free(w->folders[i].prefix);
	free(w->folders);
	free(w);
}

int ref_watch_fd(const struct ref_watch *watch)
{
	return watch->fd;
}

/* ---- events ---- */

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

static void add_name(struct ref_watch *w, const char *prefix, const char *name)
{
	char **more = NULL;
	char *whole;

	if (w->all || ends_with(name, ".lock"))
		return;
	if (asprintf(&whole, "%s%s", prefix, name) < 0)
		whole = NULL;
	for (size_t i = 0; whole && i < w->name_count; i++) {
		if (strcmp(w->names[i], whole) == 0) {
			free(whole);
			return;
		}
	}
	if (whole && w->name_count < NAMES_MAX)
		more = reallocarray(w->names, w->name_count + 1, sizeof(*more));
	if (!more) {
		free(whole);
		w->all = true;
		return;
	}
	w->names = more;
	more[w->name_count++] = whole;
}

/* A folder that came or went may have taken refs with it. */
static void take_folder_event(struct ref_watch *w,
			      const struct inotify_event *event,
			      const char *prefix)
{
	char below[PATH_MAX];

	w->all = true;
	if (event->mask & (IN_CREATE | IN_MOVED_TO) &&
	    snprintf(below, sizeof(below), "%s%s/", prefix, event->name) <
		    (int)sizeof(below))
		watch_folder(w, below, 1);
}

static void take_event(struct ref_watch *w, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW) {
		w->all = true;
		watch_folder(w, "", 0);
		return;
	}
	if (event->mask & IN_IGNORED) {
		forget_folder(w, event->wd);
		return;
	}
	if (event->wd == w->repo_wd) {
		if (event->len && strcmp(event->name, "packed-refs") == 0)
			w->all = true;
		return;
	}
	for (size_t i = 0; event->len && i < w->count; i++) {
		if (w->folders[i].wd != event->wd)
			continue;
		if (event->mask & IN_ISDIR)
			take_folder_event(w, event, w->folders[i].prefix);
		else
			add_name(w, w->folders[i].prefix, event->name);
		return;
	}
}

int ref_watch_read(struct ref_watch *w, char ***ret_names, size_t *ret_count,
		   bool *ret_all)
{
	_Alignas(struct inotify_event) char bytes[16 << 10];
	ssize_t n;

	w->names = NULL;
	w->name_count = 0;
	w->all = false;
	while ((n = read(w->fd, bytes, sizeof(bytes))) > 0) {
		for (char *at = bytes; at < bytes + n;) {
			const struct inotify_event *event = (void *)at;

			take_event(w, event);
			at += sizeof(*event) + event->len;
		}
	}
	*ret_names = w->names;
	*ret_count = w->name_count;
	*ret_all = w->all;
	return n < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
}
