/* SPDX-License-Identifier: ISC */
#include "store/ignore.h"
#include "store/node.h"
#include "store/slab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* ---- kinds ---- */

uint32_t node_git_mode(const struct node *n)
{
	switch ((enum node_kind)n->kind) {
	case KIND_FILE:
		if (n->structured)
			return n->executable ? MODE_ROPE_EXECUTABLE : MODE_ROPE;
		return n->executable ? MODE_EXECUTABLE : MODE_FILE;
	case KIND_SYMLINK:
		return MODE_SYMLINK;
	case KIND_DIRECTORY:
		return MODE_TREE;
	case KIND_SUBMODULE:
		return MODE_SUBMODULE;
	case KIND_LINK:
		return node_git_mode(n->target);
	case KIND_FIFO:
		return S_IFIFO;
	case KIND_SOCKET:
		return S_IFSOCK;
	case KIND_CHARACTER:
		return S_IFCHR;
	case KIND_BLOCK:
		break;
	}
	return S_IFBLK;
}

enum node_kind node_kind_of(uint32_t mode)
{
	switch (mode) {
	case MODE_SYMLINK:
		return KIND_SYMLINK;
	case MODE_TREE:
		return KIND_DIRECTORY;
	case MODE_SUBMODULE:
		return KIND_SUBMODULE;
	case S_IFIFO:
		return KIND_FIFO;
	case S_IFSOCK:
		return KIND_SOCKET;
	case S_IFCHR:
		return KIND_CHARACTER;
	case S_IFBLK:
		return KIND_BLOCK;
	}
	return KIND_FILE;
}

mode_t node_type_of(uint32_t mode)
{
	switch (node_kind_of(mode)) {
	case KIND_FILE:
		return S_IFREG;
	case KIND_SYMLINK:
		return S_IFLNK;
	case KIND_DIRECTORY:
	case KIND_SUBMODULE:
		return S_IFDIR;
	case KIND_LINK:		/* no mode is of it */
	case KIND_FIFO:
	case KIND_SOCKET:
	case KIND_CHARACTER:
	case KIND_BLOCK:
		break;
	}
	return mode & S_IFMT;
}

/* ---- life ---- */

static struct slab nodes = SLAB(sizeof(struct node));

struct node *node_new(struct worktree *w, uint32_t mode, unsigned int epoch)
{
	struct node *n = slab_new(&nodes);

	if (!n)
		return NULL;
	n->worktree = w;
	n->kind = node_kind_of(mode);
	n->executable = mode_is_executable(mode);
	n->structured = mode_is_rope(mode);
	n->epoch = epoch;
	if (!node_is_directory(n))
		n->size = SIZE_UNKNOWN;
	n->refs = 1;
	return n;
}

void node_discard(struct node *n)
{
	if (!n)
		return;
	if (node_is_directory(n))
		directory_free(n->directory);
	else if (n->kind != KIND_LINK)
		contents_unref(n->contents);
	if (n->unlinked)
		free(n->last_name);
	attributes_free(n->attributes);
	slab_free(&nodes, n);
}

struct entry *node_entry(const struct node *n)
{
	return &n->parent->directory->entries[n->position];
}

static void attach(struct node *n, struct node *dir, struct entry *e)
{
	dir->refs++;
	n->parent = dir;
	n->position = e - dir->directory->entries;
	n->rules = node_rules_of_name(e->name);
	e->node = n;
}

void node_place_locked(struct node *n, struct node *dir, struct entry *e)
{
	struct node *old = n->parent;

	attach(n, dir, e);
	directory_set_mode(dir->directory, e, node_git_mode(n));
	e->epoch = n->epoch;
	directory_set_own(dir->directory, e, n->own);
	if (old)
		node_put_locked(old);
	else
		n->number = e->number;
}

/* ---- numbers of displaced nodes ---- */

struct displaced {
	uint64_t number;
	UT_hash_handle hh;
};

static struct displaced *find_displaced(const struct worktree *w,
					uint64_t number)
{
	struct displaced *found;

	HASH_FIND(hh, w->displaced, &number, sizeof(number), found);
	return found;
}

int node_displace_locked(struct node *n)
{
	struct worktree *w = n->worktree;
	struct displaced *displaced;

	if (n->displaced || n->linked)
		return 0;
	displaced = calloc(1, sizeof(*displaced));
	if (!displaced)
		return -ENOMEM;
	displaced->number = n->number;
	HASH_ADD(hh, w->displaced, number, sizeof(n->number), displaced);
	if (!displaced->hh.tbl) {
		free(displaced);
		return -ENOMEM;
	}
	n->displaced = 1;
	return 0;
}

static void forget_displaced(struct node *n)
{
	struct displaced *displaced = find_displaced(n->worktree, n->number);

	HASH_DEL(n->worktree->displaced, displaced);
	free(displaced);
}

/* Numbers as loaded that a node elsewhere has kept. */
static void avoid_displaced(const struct worktree *w, struct directory *d)
{
	for (uint32_t i = 0; (w->displaced || w->links) && i < d->count; i++) {
		struct entry *e = &d->entries[i];

		if (find_displaced(w, e->number) ||
		    links_have_number(w, e->number))
			e->number = directory_new_number(d, e->name);
	}
}

/* ---- references ---- */

/* The entry of a node that is freed keeps what it was. */
static void leave_entry(struct node *n)
{
	struct entry *e = node_entry(n);

	e->node = NULL;
	e->attributes = STEAL(n->attributes);
	e->oid = n->oid;
	e->own = n->own;
	e->mode = node_git_mode(n);
	e->number = n->displaced ?
		directory_new_number(n->parent->directory, e->name) : n->number;
}

/* Gives up a reference; a node without any is put on a list. */
static void put(struct node *n, struct node **dying)
{
	if (n && --n->refs == 0) {
		if (n->parent && !n->unlinked)
			leave_entry(n);
		if (n->displaced)
			forget_displaced(n);
		n->slot = *dying;	/* no front end has it any more */
		*dying = n;
	}
}

void node_put_locked(struct node *n)
{
	struct node *dying = NULL;

	put(n, &dying);
	while ((n = dying)) {
		dying = n->slot;
		put(n->parent, &dying);
		node_discard(n);
	}
}

struct node *node_ref(struct node *n)
{
	n->worktree->refs++;
	n->refs++;
	return n;
}

static void drop(struct node *n)
{
	uint32_t refs = n->refs;

	while (refs > 1)
		if (atomic_compare_exchange_weak(&n->refs, &refs, refs - 1))
			return;
	SCOPED_WRITE(&n->worktree->lock);
	node_put_locked(n);
}

void node_unref(struct node *n)
{
	struct worktree *w;

	if (!n)
		return;
	w = n->worktree;
	drop(n);
	worktree_unref(w);
}

/* ---- facts ---- */

struct worktree *node_worktree(struct node *n)
{
	return n->worktree;
}

mode_t node_type(const struct node *n)
{
	static const mode_t types[] = {
		[KIND_FILE] = S_IFREG, [KIND_SYMLINK] = S_IFLNK,
		[KIND_DIRECTORY] = S_IFDIR, [KIND_SUBMODULE] = S_IFDIR,
		[KIND_FIFO] = S_IFIFO, [KIND_SOCKET] = S_IFSOCK,
		[KIND_CHARACTER] = S_IFCHR, [KIND_BLOCK] = S_IFBLK,
	};

	/* without a lock: of what is fixed alone */
	return types[(n->kind == KIND_LINK ? n->target : n)->kind];
}

void **node_slot(struct node *n)
{
	return &n->slot;
}

unsigned int node_depth(const struct node *n)
{
	unsigned int depth = 0;

	for (; n->parent; n = n->parent)
		depth++;
	return depth;
}

bool node_is_within(const struct node *n, const struct node *a)
{
	while (n && n != a)
		n = n->parent;
	return n;
}

static const char *name_of(const struct node *n)
{
	return n->unlinked ? n->last_name : node_entry(n)->name;
}

char *node_make_path(const struct node *n)
{
	size_t length = 0;
	char *path, *p;

	for (const struct node *m = n; m->parent; m = m->parent)
		length += strlen(name_of(m)) + 1;
	path = malloc(length + 1);
	if (!path)
		return NULL;
	p = path + length;
	*p = '\0';
	for (const struct node *m = n; m->parent; m = m->parent) {
		size_t size = strlen(name_of(m));

		/* All names but the last end in a slash. */
		*--p = m == n ? '\0' : '/';
		p -= size;
		memcpy(p, name_of(m), size);
	}
	return path;
}

char *node_path(struct node *n)
{
	SCOPED_READ(&n->worktree->lock);

	return n->pending && !n->unlinked ? shelf_path(n) : node_make_path(n);
}

/* ---- loading and looking up ---- */

struct directory *node_new_directory(struct worktree *w, uint64_t number)
{
	struct directory *d = directory_new();

	if (d) {
		d->number = number;
		d->salts = &w->salts;
	}
	return d;
}

static void tell_hidden(const struct node *dir)
{
	scoped_free char *path = node_make_path(dir);

	log_warning("A tracked entry \"%s%s" CONTROL_NAME "\" is hidden: that "
		    "is the name of the control directory.", path ? path : "",
		    path && *path ? "/" : "");
}

/* Files are worth more than what is known of them besides. */
static int load_local(struct node *dir, struct directory *d)
{
	scoped_free char *path = NULL;
	int r = node_load_local(dir, d);

	if (r != -EIO && r != -EUCLEAN && r != -ENOTSUP)
		return r;
	path = node_make_path(dir);
	log_error("what Git does not hold of the files in \"%s\" (times, "
		  "owners and the like) cannot be read: %s; it is left out",
		  path ? path : "", strerror(-r));
	return 0;
}

static int load_directory(struct node *dir)
{
	struct worktree *w = dir->worktree;
	struct directory *d = node_new_directory(w, dir->number);
	const struct directory_type *type = NULL;
	const struct entry *control;
	int r = 0;

	if (!d)
		return -ENOMEM;
	if (dir->parent)
		r = node_directory_type(dir->parent, node_entry(dir)->name,
					&type);
	if (r == 0)
		r = type ? places_load(d, type, w->options.odb, &dir->oid,
				       dir->epoch) :
			   directory_load(d, w->options.odb, &dir->oid,
					  dir->epoch);
	if (r == 0)
		r = load_local(dir, d);
	dir->directory = d;
	if (r == 0)
		r = node_add_empty_locked(dir);
	if (r < 0) {
		dir->directory = NULL;
		directory_free(d);
		return r;
	}
	avoid_displaced(w, d);
	control = directory_find(d, CONTROL_NAME);
	if (control && control->stored)
		tell_hidden(dir);
	return 0;
}

int node_open_directory_locked(struct node *dir)
{
	if (!node_is_directory(dir))
		return -ENOTDIR;
	if (dir->removed)
		return -ENOENT;
	if (dir->directory)
		return 0;
	return load_directory(dir);
}

int node_load_locked(struct node *dir, struct entry *e, struct node **ret)
{
	struct node *n;
	int r;

	if (node_entry_has_group(e)) {
		r = links_load_locked(dir, e);
		if (r < 0)
			return r;
	}
	n = node_target(e->node);
	if (n) {
		n->refs++;
		*ret = n;
		return 0;
	}
	if (e->mode == MODE_TREE && node_depth(dir) >= TREE_DEPTH_MAX)
		return -ENAMETOOLONG;
	n = node_new(dir->worktree, e->mode, e->epoch);
	if (!n)
		return -ENOMEM;
	n->oid = e->oid;
	n->own = e->own;
	n->number = e->number;
	n->attributes = STEAL(e->attributes);
	attach(n, dir, e);
	*ret = n;
	return 0;
}

/* 1: found with what is in memory, 0: something must be loaded. */
static int lookup_loaded(struct node *dir, const char *name, struct node **ret)
{
	SCOPED_READ(&dir->worktree->lock);
	struct entry *e;

	if (dir->removed)
		return -ENOENT;
	if (!dir->directory)
		return 0;
	e = directory_find_live(dir->directory, name);
	if (!e)
		return -ENOENT;
	if (!e->node)
		return 0;
	*ret = node_ref(node_target(e->node));
	return 1;
}

static int lookup_locked(struct node *dir, const char *name, struct node **ret)
{
	struct entry *e;
	int r = node_open_directory_locked(dir);

	if (r < 0)
		return r;
	e = directory_find_live(dir->directory, name);
	if (!e)
		return -ENOENT;
	r = node_load_locked(dir, e, ret);
	if (r == 0)
		dir->worktree->refs++;	/* it becomes one from outside */
	return r;
}

int node_lookup(struct node *dir, const char *name, struct node **ret)
{
	int r;

	if (dir->kind == KIND_SUBMODULE || strcmp(name, CONTROL_NAME) == 0)
		return -ENOENT;
	if (!node_is_directory(dir))
		return -ENOTDIR;
	r = lookup_loaded(dir, name, ret);
	if (r)
		return r < 0 ? r : 0;
	SCOPED_WRITE(&dir->worktree->lock);
	return lookup_locked(dir, name, ret);
}

int worktree_lookup(struct worktree *w, const char *path, struct node **ret)
{
	struct node *n = worktree_root(w);
	int r = 0;

	while (*path && r == 0) {
		size_t length = strcspn(path, "/");
		char name[NAME_LENGTH_MAX + 1];
		struct node *dir = n;

		if (length > NAME_LENGTH_MAX) {
			r = -ENOENT;
			break;
		}
		memcpy(name, path, length);
		name[length] = '\0';
		path += length + (path[length] == '/');
		r = node_lookup(dir, name, &n);
		if (r == 0)
			node_unref(dir);
	}
	if (r < 0)
		node_unref(n);
	else
		*ret = n;
	return r;
}
