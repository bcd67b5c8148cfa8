/* SPDX-License-Identifier: ISC */
#include "store/inside_private.h"
#include "store/sha1.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What a commit of git changed against what the work tree changed. */

#define PIECE 65536u

/* ---- every file ---- */

/* What is below a new directory is visited file by file, as work trees tell it. */
struct files {
	struct odb *odb;
	delta_visit *visit;
	void *context;
	unsigned int depth;
};

static int visit_file(void *context, const char *path,
		      const struct delta_entry *entry);

static int visit_tree(struct files *f, const char *path, const struct oid *oid)
{
	struct tree *tree;
	int r = f->depth == TREE_DEPTH_MAX ? -EUCLEAN :
					     tree_read(f->odb, oid, &tree);

	if (r < 0)
		return r;
	f->depth++;
	for (size_t i = 0; i < tree->count && r == 0; i++) {
		struct delta_entry e = {
			.kind = DELTA_OBJECT, .mode = tree->entries[i].mode,
			.oid = tree->entries[i].oid,
		};
		scoped_buffer struct buffer below = { 0 };

		r = buffer_printf(&below, "%s/%s", path, tree->entries[i].name);
		if (r == 0)
			r = contents_recognise(f->odb, &e.oid, &e.mode, NULL);
		if (r == 0)
			r = visit_file(f, below.data, &e);
	}
	f->depth--;
	tree_free(tree);
	return r;
}

static int visit_file(void *context, const char *path,
		      const struct delta_entry *entry)
{
	struct files *f = context;

	if (entry->kind == DELTA_OBJECT && entry->mode == MODE_TREE)
		return visit_tree(f, path, &entry->oid);
	return f->visit(f->context, path, entry);
}

static int walk_files(struct branch *b, const struct delta *delta,
		      delta_visit *visit, void *context)
{
	struct files f = {
		.odb = b->store->odb, .visit = visit, .context = context,
	};

	return delta_walk(delta, visit_file, &f);
}

/* ---- the same paths ---- */

struct path {
	char *text;
	bool untracked;		/* `git rm --cached`: it need not have changed */
};

struct paths {
	struct worktree *tree;
	struct path *paths;
	size_t count, next;
};

static void paths_release(struct paths *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->paths[i].text);
	free(p->paths);
}

static int add_path(void *context, const char *path,
		    const struct delta_entry *entry)
{
	struct paths *p = context;
	struct path *more = reallocarray(p->paths, p->count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	p->paths = more;
	more[p->count].text = strdup(path);
	if (!more[p->count].text)
		return -ENOMEM;
	more[p->count++].untracked = entry->kind == DELTA_REMOVED &&
				     worktree_is_ignored(p->tree, path);
	return 0;
}

/* Moves on to that path, or to the end. */
static bool skip_to(struct paths *p, const char *path)
{
	while (p->next < p->count && p->paths[p->next].untracked &&
	       (!path || strcmp(p->paths[p->next].text, path) != 0))
		p->next++;
	return p->next < p->count;
}

/* 1: another one than the delta has at this place. */
static int compare_path(void *context, char status, const char *path)
{
	struct paths *p = context;

	return !skip_to(p, path) ||
	       strcmp(p->paths[p->next++].text, path) != 0;
}

static bool has_same_paths(struct branch *b, const struct delta *delta)
{
	scoped(paths_release) struct paths paths = { .tree = b->worktree };

	return walk_files(b, delta, add_path, &paths) == 0 &&
	       worktree_each_changed(b->worktree, compare_path, &paths) == 0 &&
	       !skip_to(&paths, NULL);
}

/* ---- the same files ---- */

/* Begins the checksum of a blob, which is its id but for the detection of
 * collisions: a wrong answer costs a commit more or less. */
static void begin(struct sha1 *sum, uint64_t size)
{
	char header[32];
	int length = snprintf(header, sizeof(header), "blob %" PRIu64, size);

	sha1_init(sum);
	sha1_add(sum, header, (size_t)length + 1);
}

static bool is_file(struct node *n, uint64_t size, const struct oid *oid)
{
	scoped_free char *piece = malloc(PIECE);
	struct sha1 sum;
	struct oid found;
	uint64_t offset = 0;
	ssize_t got = 1;

	if (!piece)
		return false;
	begin(&sum, size);
	while (offset < size && got > 0) {
		got = node_read(n, piece, PIECE, offset);
		if (got > 0) {
			sha1_add(&sum, piece, (size_t)got);
			offset += (uint64_t)got;
		}
	}
	sha1_end(&sum, found.id);
	return offset == size && oid_equal(&found, oid);
}

static bool is_symlink(struct node *n, uint64_t size, const struct oid *oid)
{
	scoped_free char *target = NULL;
	struct sha1 sum;
	struct oid found;

	if (node_readlink(n, &target) < 0 || strlen(target) != size)
		return false;
	begin(&sum, size);
	sha1_add(&sum, target, size);
	sha1_end(&sum, found.id);
	return oid_equal(&found, oid);
}

/* Directories and submodules, which nobody edits, count as the same. */
static bool is_object(struct branch *b, struct node *n,
		      const struct delta_entry *entry)
{
	enum object_type type;
	struct stat st;
	uint64_t size;

	if (node_stat(n, &st) < 0)
		return false;
	if (entry->mode == MODE_TREE || entry->mode == MODE_SUBMODULE)
		return S_ISDIR(st.st_mode);
	if (S_ISDIR(st.st_mode) ||
	    S_ISLNK(st.st_mode) != (entry->mode == MODE_SYMLINK))
		return false;
	if (mode_is_rope(entry->mode))
		return true;
	if (odb_read_header(b->store->odb, &entry->oid, &type, &size) < 0 ||
	    (uint64_t)st.st_size != size)
		return false;
	if (S_ISLNK(st.st_mode))
		return is_symlink(n, size, &entry->oid);
	return !!(st.st_mode & 0100) == (entry->mode == MODE_EXECUTABLE) &&
	       is_file(n, size, &entry->oid);
}

/* 1: the work tree has another one. */
static int compare_file(void *context, const char *path,
			const struct delta_entry *entry)
{
	struct branch *b = context;
	struct node *n;
	bool same;
	int r = worktree_lookup(b->worktree, path, &n);

	if (r < 0)
		return entry->kind != DELTA_REMOVED;
	if (entry->kind == DELTA_REMOVED)
		same = worktree_is_ignored(b->worktree, path);
	else
		same = entry->kind == DELTA_OBJECT && is_object(b, n, entry);
	node_unref(n);
	return !same;
}

bool inside_has_all_changed(struct branch *b, const struct delta *delta)
{
	return has_same_paths(b, delta) &&
	       walk_files(b, delta, compare_file, b) == 0;
}
