/* SPDX-License-Identifier: ISC */
#include "store/inside_private.h"
#include "store/git_index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER "git"
#define FILE_HEAD "irminfs-head"
#define TEXT_LEAST 256		/* so that a refusal has room */
#define TEXT_SMALL 4096
#define LOG_TAIL 65536
#define DEPTH_MOST 16

/* From the opening of `.git` until git has its lock. */
#define STARTING_MS 100
#define STARTING_MOST_MS 2000	/* that often in a row */
#define SETTLE_MS 10
#define SETTLE_MOST_MS 1000
/* A lock that is older was left by one that died. */
#define LOCK_MOST_SECONDS 3600

/* ---- the folder ---- */

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int folder_of(struct store *store, uint64_t branch, int *ret_fd)
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

/* Without what replace_file does for files that must outlive a power cut. */
static int write_file(int dir_fd, const char *name, const char *text)
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

static int make(struct store *store, uint64_t branch, int *ret_fd)
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
		r = folder_of(store, branch, &fd);
	if (r == 0)
		r = write_file(fd, "commondir", "../../..\n");
	if (r == 0)
		r = make_log(fd);
	if (r < 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static bool has(int fd, const char *name)
{
	return faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* git is between two commands of one operation. */
static bool is_unfinished(int fd)
{
	static const char *const files[] = {
		"rebase-merge", "rebase-apply", "MERGE_HEAD",
		"CHERRY_PICK_HEAD", "REVERT_HEAD",
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (has(fd, files[i]))
			return true;
	return false;
}

static bool is_locked(int fd)
{
	struct timespec now;
	struct stat st;

	if (fstatat(fd, "index.lock", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	clock_real(&now);
	return now.tv_sec - st.st_mtim.tv_sec < LOCK_MOST_SECONDS;
}

/* HEAD names the branch, whatever it is called now and whoever wrote to it, but
 * while a rebase has it. */
static int set_head(int fd, const char *name)
{
	scoped_buffer struct buffer wanted = { 0 }, present = { 0 };
	int r = buffer_printf(&wanted, "ref: refs/heads/%s\n", name);

	if (r < 0)
		return r;
	if (read_file(fd, "HEAD", TEXT_SMALL, &present) == 0 &&
	    present.data && strcmp(present.data, wanted.data) == 0)
		return 0;
	if (has(fd, "rebase-merge") || has(fd, "rebase-apply"))
		return 0;
	return replace_file(fd, "HEAD", wanted.data, wanted.length, 0444);
}

/* ---- what git noted ---- */

struct step {
	struct oid from, to;
};

/* The last lines of logs/HEAD, "OLD NEW ...". */
static int read_log(int fd, struct buffer *ret)
{
	scoped_fd int log = openat(fd, "logs/HEAD",
				   O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	off_t start;
	ssize_t size;
	int r;

	if (log < 0 || fstat(log, &st) < 0)
		return -errno;
	start = st.st_size > LOG_TAIL ? st.st_size - LOG_TAIL : 0;
	r = buffer_reserve(ret, LOG_TAIL + 1);
	if (r < 0)
		return r;
	size = read_fully(log, ret->data, LOG_TAIL, start);
	if (size < 0)
		return size;
	ret->length = size;
	ret->data[size] = '\0';
	return 0;
}

static bool parse_step(const char *line, struct step *ret)
{
	char hex[OID_HEX_SIZE] = "";

	if (strlen(line) < 2 * (OID_HEX_SIZE - 1) + 1)
		return false;
	memcpy(hex, line, OID_HEX_SIZE - 1);
	if (oid_parse(hex, &ret->from) < 0)
		return false;
	memcpy(hex, line + OID_HEX_SIZE, OID_HEX_SIZE - 1);
	return oid_parse(hex, &ret->to) == 0;
}

/* Takes the last line off the text. */
static bool last_step(struct buffer *text, struct step *ret)
{
	char *line;

	while (text->length && text->data[text->length - 1] == '\n')
		text->data[--text->length] = '\0';
	if (!text->length)
		return false;
	line = strrchr(text->data, '\n');
	line = line ? line + 1 : text->data;
	text->length = line - text->data;
	if (!parse_step(line, ret))
		return false;
	*line = '\0';
	return true;
}

/* What git did last led from `from`, directly or in steps, to *to; a zero *to
 * stands for wherever that is, and is set. */
static bool led(int fd, const struct oid *from, struct oid *to)
{
	scoped_buffer struct buffer text = { 0 };
	struct step step;

	if (read_log(fd, &text) < 0 || !last_step(&text, &step))
		return false;
	if (oid_is_zero(to))
		*to = step.to;
	if (!oid_equal(&step.to, to))
		return false;
	while (!oid_equal(&step.from, from)) {
		struct oid at = step.from;

		if (!last_step(&text, &step) || !oid_equal(&step.to, &at))
			return false;
	}
	return true;
}

bool inside_moved(void *context, uint64_t branch, const struct oid *before,
		  const struct oid *seen)
{
	struct oid to = *seen;
	scoped_fd int fd = -1;

	return !oid_is_zero(seen) && folder_of(context, branch, &fd) == 0 &&
	       led(fd, before, &to);
}

/* ---- the ref stays ---- */

/* Git reads HEAD before it takes its lock; but who opens `.git` all the time
 * shall not keep commits from their ref. */
static bool is_starting(struct branch *b)
{
	int64_t now = milliseconds(), opened = b->git_opened;

	if (!opened || now - opened > STARTING_MS) {
		b->git_starting = 0;
		return false;
	}
	if (!b->git_starting)
		b->git_starting = now;
	if (now - b->git_starting < STARTING_MOST_MS)
		return true;
	b->git_starting = 0;
	return false;
}

static bool is_starting_or_waits(struct store *store, uint64_t branch)
{
	struct branch *b;
	SCOPED_LOCK(&store->lock);

	b = store_find_incarnation_locked(store, branch);
	return b && (b->git_waits || is_starting(b));
}

bool inside_is_held(void *context, uint64_t branch)
{
	scoped_fd int fd = -1;

	if (folder_of(context, branch, &fd) < 0)
		return false;
	return is_locked(fd) || is_unfinished(fd) ||
	       is_starting_or_waits(context, branch);
}

/* ---- the index ---- */

struct looking {
	struct worktree *tree;
	struct node *dir;		/* of the last path, or NULL */
	char *path;			/* that one */
	size_t length;			/* of its folder */
};

/* Entries come in the order of paths, so most are in the folder of the one
 * before. */
static int find_folder(struct looking *l, const char *path, size_t length)
{
	char *folder;
	int r;

	if (l->dir && l->length == length && strncmp(l->path, path, length) == 0)
		return 0;
	node_unref(STEAL(l->dir));
	folder = strndup(path, length);
	if (!folder)
		return -ENOMEM;
	free(l->path);
	l->path = folder;
	l->length = length;
	r = worktree_lookup(l->tree, folder, &l->dir);
	if (r < 0)
		l->dir = NULL;
	return r;
}

static bool look(void *context, const char *path, const struct oid *oid,
		 struct stat *ret)
{
	struct looking *l = context;
	const char *slash = strrchr(path, '/');
	struct node *node;
	bool found;

	if (find_folder(l, path, slash ? slash - path : 0) < 0 ||
	    node_lookup(l->dir, slash ? slash + 1 : path, &node) < 0)
		return false;
	found = node_is_stored(node, oid, ret);
	node_unref(node);
	return found;
}

static int tree_of(struct store *store, const struct oid *commit,
		   struct oid *ret)
{
	struct commit *c;
	int r = commit_read(store->odb, commit, &c);

	if (r < 0)
		return r;
	*ret = c->tree;
	commit_free(c);
	return 0;
}

static int bring(struct branch *b, const struct oid *from,
		 const struct oid *to, bool all)
{
	struct store *store = b->store;
	scoped_free char *path = NULL;
	struct looking looking = { 0 };
	struct oid before, after;
	int r = branch_worktree(b, &looking.tree);

	if (r == 0)
		r = tree_of(store, to, &after);
	if (r < 0)
		return r;
	if (!oid_is_zero(from) && tree_of(store, from, &before) < 0)
		from = &(struct oid){ { 0 } };
	if (asprintf(&path, "%s/" PRIVATE_FOLDER "/" FOLDER "/%llu/index",
		     git_repo_path(store->repo),
		     (unsigned long long)b->incarnation) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = git_index_bring(store->repo, path, oid_is_zero(from) ? NULL :
			    &before, &after, all, look, &looking);
	node_unref(looking.dir);
	free(looking.path);
	return r;
}

static void read_brought(int fd, struct oid *ret)
{
	scoped_buffer struct buffer text = { 0 };

	*ret = (struct oid){ { 0 } };
	if (read_file(fd, FILE_HEAD, TEXT_SMALL, &text) < 0 ||
	    text.length != OID_HEX_SIZE)
		return;
	text.data[OID_HEX_SIZE - 1] = '\0';
	if (oid_parse(text.data, ret) < 0)
		*ret = (struct oid){ { 0 } };
}

static int note_brought(int fd, struct branch *b, const struct oid *to)
{
	char text[OID_HEX_SIZE + 1];

	oid_hex(to, text);
	strcat(text, "\n");
	b->git_index = *to;
	b->git_known = true;
	return write_file(fd, FILE_HEAD, text);
}

/* Where git itself moved the branch the index is as it wants it. */
static void skip_own_steps(int fd, struct oid *from, const struct oid *to)
{
	struct oid there = *to;

	if (oid_equal(from, to))
		return;
	if (!led(fd, from, &there)) {
		there = (struct oid){ { 0 } };
		if (!led(fd, from, &there))
			return;
	}
	*from = there;
}

static int bring_index(int fd, struct branch *b, const struct oid *to)
{
	bool is_there = has(fd, "index"), first = !b->git_known;
	struct oid from = b->git_index;
	int r;

	/* another git is at work, and brings it along itself */
	if (has(fd, "index.lock") || is_unfinished(fd))
		return 0;
	if (first)
		read_brought(fd, &from);
	if (!is_there)
		from = (struct oid){ { 0 } };
	if (!oid_is_zero(&from))
		skip_own_steps(fd, &from, to);
	if (!first && is_there && oid_equal(&from, to)) {
		if (oid_equal(&b->git_index, to))
			return 0;
		return note_brought(fd, b, to);
	}
	r = bring(b, &from, to, first);
	if (r == -EBUSY)
		return 0;
	return r < 0 ? r : note_brought(fd, b, to);
}

/* ---- opening ---- */

/* What Git says of the branch; the engine may have held it back for one that
 * opened `.git` before. */
static int read_ref(struct branch *b, const char *name,
		    const struct oid *head, struct oid *ret)
{
	struct store *store = b->store;
	scoped_free char *ref = NULL;
	int r;

	if (asprintf(&ref, "refs/heads/%s", name) < 0) {
		ref = NULL;
		return -ENOMEM;
	}
	r = git_ref_read(store->repo, ref, ret);
	if (r == 0 && oid_equal(ret, head))
		return 0;
	if (!inside_is_held(store, b->incarnation))
		engine_settle_refs(store->engine);
	b->git_opened = milliseconds();
	return git_ref_read(store->repo, ref, ret);
}

/* Whether the ref is on its way to the head, or the reverse. */
static bool is_settling(struct branch *b)
{
	struct store *store = b->store;
	scoped_free char *name = branch_name(b), *ref = NULL;
	struct oid head, there;

	if (!name || asprintf(&ref, "refs/heads/%s", name) < 0) {
		ref = NULL;
		return false;
	}
	return branch_head(b, &head) == 0 &&
	       git_ref_read(store->repo, ref, &there) == 0 &&
	       !oid_equal(&head, &there);
}

void inside_settle(struct branch *b)
{
	const struct timespec pause = { .tv_nsec = SETTLE_MS * 1000000 };
	scoped_fd int fd = -1;

	if (folder_of(b->store, b->incarnation, &fd) < 0)
		return;
	for (int i = 0; i < SETTLE_MOST_MS / SETTLE_MS; i++) {
		if (is_locked(fd) || is_unfinished(fd) || !is_settling(b))
			return;
		if (!b->git_waits)
			engine_settle_refs(b->store->engine);
		nanosleep(&pause, NULL);
	}
}

static int prepare(struct branch *b)
{
	scoped_free char *name = branch_name(b);
	struct store *store = b->store;
	struct oid head, ref;
	scoped_fd int fd = -1;
	int r = name ? 0 : -ENOMEM;

	b->git_opened = 0;
	if (r == 0)
		r = branch_head(b, &head);
	if (r < 0)
		return r;
	SCOPED_LOCK(&store->inside_lock);
	r = b->git_known ? folder_of(store, b->incarnation, &fd) : -ENOENT;
	if (r == -ENOENT)
		r = make(store, b->incarnation, &fd);
	if (r == 0)
		r = set_head(fd, name);
	b->git_opened = milliseconds();
	if (r == 0)
		r = read_ref(b, name, &head, &ref);
	if (r == 0)
		r = bring_index(fd, b, &ref);
	b->git_opened = milliseconds();
	return r;
}

static int fill_up(struct buffer *text, size_t size)
{
	int r = buffer_reserve(text, size + 1);

	if (r < 0)
		return r;
	while (text->length < size)
		text->data[text->length++] = '\n';
	text->data[text->length] = '\0';
	return 0;
}

static int print_place(struct store *store, uint64_t branch,
		       struct buffer *text)
{
	return buffer_printf(text, "gitdir: %s/" PRIVATE_FOLDER "/" FOLDER
			     "/%llu\n", git_repo_path(store->repo),
			     (unsigned long long)branch);
}

size_t inside_text_size(struct store *store)
{
	size_t size = strlen("gitdir: /" PRIVATE_FOLDER "/" FOLDER
			     "/18446744073709551615\n");

	if (store->private_fd < 0)
		return 0;
	size += strlen(git_repo_path(store->repo));
	return size > TEXT_LEAST ? size : TEXT_LEAST;
}

int inside_open(struct branch *b, const struct caller *caller,
		struct buffer *ret)
{
	struct store *store = b->store;
	int r;

	if (store->private_fd < 0)
		return -ENOENT;
	if (inside_program_switches(store, caller->pid)) {
		r = buffer_puts(ret, "gitdir: (this folder always shows the same "
				"branch: to work on another one go to its "
				"folder, or fork one: mkdir .irmin/fork/NAME)\n");
	} else {
		r = prepare(b);
		if (r == 0)
			r = print_place(store, b->incarnation, ret);
	}
	return r < 0 ? r : fill_up(ret, inside_text_size(store));
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
