/* SPDX-License-Identifier: ISC */
#include "store/inside_private.h"
#include "store/git_index.h"
#include "store/irmin_attribute.h"
#include "store/tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FILE_HEAD "irminfs-head"
#define TEXT_LEAST 256		/* so that a refusal has room */
#define TEXT_SMALL 4096

/* From the opening of `.git` until git has its lock. */
#define STARTING_MS 100
#define STARTING_MOST_MS 2000	/* that often in a row */
#define SETTLE_MS 10
#define SETTLE_MOST_MS 1000

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
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

	if (inside_folder(context, branch, &fd) < 0)
		return false;
	return inside_is_locked(fd) || inside_is_unfinished(fd) ||
	       is_starting_or_waits(context, branch);
}

/* ---- the index ---- */

struct looking {
	struct worktree *tree;
	struct odb *odb;
	struct oid stored;		/* the tree that Git has */
	struct node *dir;		/* of the last path, or NULL */
	char *path;			/* that one */
	size_t length;			/* of its folder */
	size_t hiding;			/* of what hides the path; 0: nothing */
};

static bool is_stored_rope(const struct looking *l, const char *path,
			   size_t length, int *ret_error)
{
	scoped_free char *name = strndup(path, length);
	struct tree_entry entry;
	int r = name ? 0 : -ENOMEM;

	if (r == 0)
		r = tree_resolve(l->odb, &l->stored, name, &entry);
	if (r == 0)
		r = contents_recognise(l->odb, &entry.oid, &entry.mode, NULL);
	if (r < 0 && r != -ENOENT && r != -ENOTDIR)
		*ret_error = r;
	return r == 0 && mode_is_rope(entry.mode);
}

/* Whether what n, at that path, has in Git is not below it in the mount: a rope
 * or a directory of a type. */
static int hides(const struct looking *l, struct node *n, const char *path,
		 size_t length)
{
	char type[IRMIN_TYPE_SIZE] = "";
	int r = 0;

	if (S_ISREG(node_type(n)))
		return is_stored_rope(l, path, length, &r) ? 1 : r;
	if (S_ISDIR(node_type(n)))
		r = node_type_name(n, type);
	return r < 0 ? r : *type != '\0';
}

/* To the folder l->path; l->dir is where that ends. */
static int walk(struct looking *l)
{
	struct node *dir = worktree_root(l->tree), *n;
	const char *p = l->path;
	int r = 0;

	while (*p && r == 0) {
		size_t length = strcspn(p, "/");
		char name[NAME_LENGTH_MAX + 1] = "";

		if (length <= NAME_LENGTH_MAX)
			memcpy(name, p, length);
		p += length;
		r = node_lookup(dir, name, &n);
		if (r < 0)
			break;
		node_unref(dir);
		dir = n;
		r = hides(l, n, l->path, p - l->path);
		if (r > 0)
			l->hiding = p - l->path;
		p += *p == '/';
	}
	if (r == 0)
		l->dir = dir;
	else
		node_unref(dir);
	return r < 0 && r != -ENOENT && r != -ENOTDIR ? r : 0;
}

/* Entries come in the order of paths, so most are in the folder of the one
 * before, or below what hides that. */
static int find_folder(struct looking *l, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? slash - path : 0;
	char *folder;

	if (l->hiding && strncmp(l->path, path, l->hiding) == 0 &&
	    path[l->hiding] == '/')
		return 0;
	if (l->path && !l->hiding && l->length == length &&
	    strncmp(l->path, path, length) == 0)
		return 0;
	folder = strndup(path, length);
	if (!folder)
		return -ENOMEM;
	node_unref(STEAL(l->dir));
	free(l->path);
	l->path = folder;
	l->length = length;
	l->hiding = 0;
	return walk(l);
}

static int is_hidden(void *context, const char *path)
{
	struct looking *l = context;
	int r = find_folder(l, path);

	return r < 0 ? r : l->hiding > 0;
}

static bool look(void *context, const char *path, const struct oid *oid,
		 struct stat *ret)
{
	struct looking *l = context;
	const char *slash = strrchr(path, '/');
	struct node *node;
	bool found;

	if (find_folder(l, path) < 0 || !l->dir ||
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
	struct looking l = { .odb = store->odb };
	const struct git_index_view view = { look, is_hidden, &l };
	struct oid before;
	int r = branch_worktree(b, &l.tree);

	if (r == 0)
		r = tree_of(store, to, &l.stored);
	if (r < 0)
		return r;
	if (!oid_is_zero(from) && tree_of(store, from, &before) < 0)
		from = &(struct oid){ { 0 } };
	if (asprintf(&path, "%s/" PRIVATE_FOLDER "/git/%llu/index",
		     git_repo_path(store->repo),
		     (unsigned long long)b->incarnation) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = git_index_bring(store->repo, path, oid_is_zero(from) ? NULL :
			    &before, &l.stored, all, &view,
			    &b->git_index_hides);
	node_unref(l.dir);
	free(l.path);
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
	char hex[OID_HEX_SIZE], text[OID_HEX_SIZE + 1];

	snprintf(text, sizeof(text), "%s\n", oid_hex(to, hex));
	b->git_index = *to;
	b->git_known = true;
	return inside_write(fd, FILE_HEAD, text);
}

/* Where git itself moved the branch the index is as it wants it. */
static void skip_own_steps(int fd, struct oid *from, const struct oid *to)
{
	struct oid there = *to;

	if (oid_equal(from, to))
		return;
	if (!inside_led(fd, from, &there)) {
		there = (struct oid){ { 0 } };
		if (!inside_led(fd, from, &there))
			return;
	}
	*from = there;
}

static int bring_index(int fd, struct branch *b, const struct oid *to)
{
	bool is_there = inside_has(fd, "index"), first = !b->git_known;
	struct oid from = b->git_index;
	int r;

	/* another git is at work, and brings it along itself */
	if (inside_has(fd, "index.lock") || inside_is_unfinished(fd))
		return 0;
	if (first)
		read_brought(fd, &from);
	if (!is_there)
		from = (struct oid){ { 0 } };
	if (!oid_is_zero(&from))
		skip_own_steps(fd, &from, to);
	/* ropes and queues may be others than when it was written */
	if (!first && is_there && oid_equal(&b->git_index, to) &&
	    !b->git_index_hides)
		return 0;
	r = bring(b, &from, to, first);
	if (r == -EBUSY || (r == 0 && !first && oid_equal(&b->git_index, to)))
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
	b->git_opened = 0;
	if (!inside_is_held(store, b->incarnation))
		engine_settle_refs(store->engine);
	b->git_opened = milliseconds();
	return git_ref_read(store->repo, ref, ret);
}

bool inside_is_behind(struct branch *b)
{
	scoped_free char *name = branch_name(b), *ref = NULL;
	struct oid head, there;
	scoped_fd int fd = -1;

	if (inside_folder(b->store, b->incarnation, &fd) < 0 ||
	    inside_is_locked(fd) || inside_is_unfinished(fd))
		return false;
	if (!name || asprintf(&ref, "refs/heads/%s", name) < 0) {
		ref = NULL;
		return false;
	}
	pthread_mutex_lock(&b->store->lock);
	head = b->head;
	pthread_mutex_unlock(&b->store->lock);
	return git_ref_read(b->store->repo, ref, &there) == 0 &&
	       !oid_equal(&head, &there);
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

	if (inside_folder(b->store, b->incarnation, &fd) < 0)
		return;
	for (int i = 0; i < SETTLE_MOST_MS / SETTLE_MS; i++) {
		if (inside_is_locked(fd) || inside_is_unfinished(fd) || !is_settling(b))
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
	r = b->git_known ? inside_folder(store, b->incarnation, &fd) : -ENOENT;
	if (r == -ENOENT)
		r = inside_make_folder(store, b->incarnation, &fd);
	if (r == 0)
		r = inside_set_head(fd, name);
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
	return buffer_printf(text, "gitdir: %s/" PRIVATE_FOLDER "/git"
			     "/%llu\n", git_repo_path(store->repo),
			     (unsigned long long)branch);
}

void inside_hide(struct branch *b)
{
	b->git_hidden = true;
}

bool inside_is_hidden(struct branch *b)
{
	return b->git_hidden;
}

size_t inside_text_size(struct store *store)
{
	size_t size = strlen("gitdir: /" PRIVATE_FOLDER "/git"
			     "/18446744073709551615\n");

	if (store->readonly)
		return 0;
	size += strlen(git_repo_path(store->repo));
	return size > TEXT_LEAST ? size : TEXT_LEAST;
}

int inside_open(struct branch *b, const struct caller *caller,
		struct buffer *ret)
{
	struct store *store = b->store;
	int r;

	if (store->readonly)
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
