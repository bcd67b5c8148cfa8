/* SPDX-License-Identifier: ISC */
#include "store/local_table.h"
#include "store/node.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The shelf: elements of queues that are being made and were synced.
 *
 * They are files that Git is not to have, so that the local face keeps them with
 * the next cut, at
 *   .irmin/INCARNATION/PATH OF THE QUEUE/NAME
 * from the root, where nobody finds a name; INCARNATION, 16 hexadecimal digits,
 * is the branch's.  Who pushes one renames it from there, in the same cut.
 *
 * What is there when a work tree is loaded was left by a program or machine that
 * stopped.  Its writer, who is gone, was told that it is safe, and may have closed
 * it: it becomes an element.  A fork has a copy of what its source had, which is
 * not its own: another incarnation.  It drops that, and merges leave the shelf
 * alone. */

#define INCARNATION_DIGITS 16

static const struct caller nobody;

/* ---- folders ---- */

static void write_incarnation(const struct worktree *w,
			      char ret[INCARNATION_DIGITS + 1])
{
	snprintf(ret, INCARNATION_DIGITS + 1, "%016" PRIx64,
		 w->options.incarnation);
}

/* Times of folders that users see must not tell of it: unlike node_make. */
static struct entry *put_locked(struct node *dir, char *name, struct node *n)
{
	struct entry *e = directory_put(dir->directory, &name);

	node_place_locked(n, dir, e);
	free(name);
	return e;
}

static int make_folder_locked(struct node *dir, const char *name,
			      struct node **ret)
{
	scoped_free struct attributes *spare = NULL;
	struct contents *none = NULL;
	char *copy;
	struct node *n;
	int r = node_depth(dir) >= TREE_DEPTH_MAX ? -ENAMETOOLONG :
		node_open_for_change_locked(dir, 1, &spare);

	if (r == 0)
		r = node_prepare(dir->worktree, S_IFDIR | 0700, &none, &n);
	if (r < 0)
		return r;
	copy = strdup(name);
	if (!copy) {
		node_discard(n);
		return -ENOMEM;
	}
	put_locked(dir, copy, n);
	n->directory->number = n->number;
	*n->attributes = node_new_attributes(dir, S_IFDIR | 0700, &nobody);
	node_mark(n, true);
	*ret = n;
	return 0;
}

/* A folder that is there, or a new one; an inner reference. */
static int open_folder_locked(struct node *dir, const char *name,
			      struct node **ret)
{
	struct entry *e;
	int r = node_open_directory_locked(dir);

	if (r < 0)
		return r;
	e = directory_find_live(dir->directory, name);
	if (!e)
		return make_folder_locked(dir, name, ret);
	return e->mode == MODE_TREE ? node_load_locked(dir, e, ret) : -ENOTDIR;
}

/* Takes a folder, with all below, or a file out of dir. */
static int drop_locked(struct node *dir, const char *name)
{
	scoped_free struct attributes *spare = NULL;
	scoped(leaving_release_locked) struct leaving leaving = { 0 };
	struct timespec now;
	struct entry *e;
	int r = node_open_for_change_locked(dir, 1, &spare);

	if (r < 0)
		return r;
	e = directory_find_live(dir->directory, name);
	if (!e)
		return -ENOENT;
	r = leaving_init_locked(&leaving, dir, e);
	if (r < 0)
		return r;
	leaving.name = strdup(name);
	if (!leaving.name)
		return -ENOMEM;
	dir->worktree->options.clock(&now);
	directory_remove(dir->directory, e, true);
	leaving_done_locked(&leaving, &now);
	node_mark(dir, true);
	return 0;
}

/* Folders of the shelf go with the last that is in them; what fails is found when
 * the tree is loaded again. */
static void prune_locked(struct node *folder)
{
	folder->refs++;
	while (folder->parent && !folder->removed && folder->directory &&
	       folder->directory->live == 0) {
		struct node *above = folder->parent;
		scoped_free char *name = strdup(node_entry(folder)->name);
		int r = name ? 0 : -ENOMEM;

		above->refs++;
		if (r == 0)
			r = drop_locked(above, name);
		node_put_locked(folder);
		folder = above;
		if (r < 0)
			break;
	}
	node_put_locked(folder);
}

/* Goes from *at, an inner reference, to a folder in it. */
static int descend_locked(struct node **at, const char *name)
{
	struct node *below;
	int r = open_folder_locked(*at, name, &below);

	if (r < 0)
		return r;
	node_put_locked(*at);
	*at = below;
	return 0;
}

static int open_shelf_locked(struct node *queue, struct node **ret)
{
	struct worktree *w = queue->worktree;
	char incarnation[INCARNATION_DIGITS + 1];
	scoped_free char *path = node_make_path(queue);
	char *rest = NULL, *name = path ? strtok_r(path, "/", &rest) : NULL;
	struct node *at = w->root;
	int r = path ? 0 : -ENOMEM;

	write_incarnation(w, incarnation);
	at->refs++;
	if (r == 0)
		r = descend_locked(&at, CONTROL_NAME);
	if (r == 0)
		r = descend_locked(&at, incarnation);
	for (; r == 0 && name; name = strtok_r(NULL, "/", &rest))
		r = descend_locked(&at, name);
	if (r == 0) {
		*ret = at;
		return 0;
	}
	prune_locked(at);
	node_put_locked(at);
	return r;
}

/* ---- one element ---- */

static int make_room_locked(struct node *folder, const char *wanted, size_t max,
			    char **ret)
{
	scoped_free struct attributes *spare = NULL;
	char name[NAME_LENGTH_MAX + 1];
	int r = node_open_for_change_locked(folder, 2, &spare);

	if (r < 0)
		return r;
	places_free_name(folder->directory, wanted, max, name);
	*ret = strdup(name);
	return *ret ? 0 : -ENOMEM;
}

int shelf_put_locked(struct node *n, struct node *queue)
{
	size_t max = queue->directory->places->type->name_max;
	struct node *folder = NULL;
	char *name;
	int r;

	if (!n->worktree->options.local)
		return -ENOTSUP;
	r = open_shelf_locked(queue, &folder);
	if (r < 0)
		return r;
	r = make_room_locked(folder, n->last_name, max, &name);
	if (r == 0) {
		free(n->last_name);
		n->next = n->previous = NULL;
		n->removed = n->unlinked = 0;
		n->own = 1;
		put_locked(folder, name, n)->number = n->number;
		node_mark(n, true);
	} else {
		prune_locked(folder);
	}
	node_put_locked(folder);
	return r;
}

int shelf_rename_locked(struct node *n, const char *name, size_t max)
{
	struct node *folder = n->parent;
	char *copy;
	int r = make_room_locked(folder, name, max, &copy);

	if (r < 0)
		return r;
	node_unmark(n);
	directory_remove(folder->directory, node_entry(n), true);
	put_locked(folder, copy, n)->number = n->number;
	node_mark_name(n, false);
	node_mark(folder, true);
	return 0;
}

int shelf_drop_locked(struct node *n)
{
	struct node *folder = n->parent;
	scoped_free char *name = strdup(node_entry(n)->name);
	int r;

	if (!name)
		return -ENOMEM;
	folder->refs++;
	r = drop_locked(folder, name);
	if (r == 0)
		prune_locked(folder);
	node_put_locked(folder);
	return r;
}

char *shelf_path(const struct node *n)
{
	char *path = node_make_path(n);
	size_t prefix = sizeof(CONTROL_NAME) + INCARNATION_DIGITS + 1;

	if (path)
		memmove(path, path + prefix, strlen(path + prefix) + 1);
	return path;
}

void shelf_tidy(struct node *folder)
{
	SCOPED_WRITE(&folder->worktree->lock);

	prune_locked(folder);
}

/* ---- what was left on it ---- */

struct left {
	struct node *folder;		/* referenced */
	char *name, *queue;
	struct timespec time;		/* of the last write */
};

struct lefts {
	struct left *left;
	size_t count, capacity;
	struct buffer path;		/* of the queue */
};

static void lefts_release(struct lefts *all)
{
	for (size_t i = 0; i < all->count; i++) {
		node_unref(all->left[i].folder);
		free(all->left[i].name);
		free(all->left[i].queue);
	}
	free(all->left);
	buffer_release(&all->path);
}

static int add_left(struct lefts *all, struct node *folder,
		    const struct entry *e)
{
	size_t capacity = all->capacity ? 2 * all->capacity : 16;
	struct left *l, *more = all->left;

	if (all->count == all->capacity) {
		more = reallocarray(more, capacity, sizeof(*more));
		if (!more)
			return -ENOMEM;
		all->left = more;
		all->capacity = capacity;
	}
	l = &all->left[all->count];
	*l = (struct left){
		.name = strdup(e->name),
		.queue = strdup(all->path.length ? all->path.data : ""),
	};
	if (!l->name || !l->queue) {
		free(l->name);
		free(l->queue);
		return -ENOMEM;
	}
	if (e->attributes)
		l->time = e->attributes->mtime;
	l->folder = node_ref(folder);
	all->count++;
	return 0;
}

static int collect_locked(struct lefts *all, struct node *folder);

static int collect_below_locked(struct lefts *all, struct node *folder,
				struct entry *e)
{
	size_t length = all->path.length;
	struct node *n;
	int r = length ? buffer_puts(&all->path, "/") : 0;

	if (r == 0)
		r = buffer_puts(&all->path, e->name);
	if (r == 0)
		r = node_load_locked(folder, e, &n);
	if (r < 0)
		return r;
	r = collect_locked(all, n);
	node_put_locked(n);
	all->path.length = length;
	all->path.data[length] = '\0';
	return r;
}

static int collect_locked(struct lefts *all, struct node *folder)
{
	int r = node_open_directory_locked(folder);

	for (uint32_t i = 0; r == 0 && i < folder->directory->count; i++) {
		struct entry *e = &folder->directory->entries[i];

		if (e->live && e->mode == MODE_TREE)
			r = collect_below_locked(all, folder, e);
		else if (e->live && e->own)
			r = add_left(all, folder, e);
	}
	return r;
}

static bool is_foreign(const struct entry *e, const char *incarnation)
{
	return e->live && !e->stored && e->mode == MODE_TREE &&
	       strcmp(e->name, incarnation) != 0;
}

static int drop_foreign_locked(struct node *shelf, const char *incarnation)
{
	struct directory *d = shelf->directory;
	int r = 0;

	/* it may move entries */
	for (uint32_t i = 0; r == 0 && i < d->count; i++) {
		scoped_free char *name = NULL;

		if (!is_foreign(&d->entries[i], incarnation))
			continue;
		name = strdup(d->entries[i].name);
		r = name ? drop_locked(shelf, name) : -ENOMEM;
		i = -1;
	}
	return r;
}

static int look_locked(struct node *shelf, struct lefts *all)
{
	char incarnation[INCARNATION_DIGITS + 1];
	struct entry *own;
	struct node *n;
	int r = node_open_directory_locked(shelf);

	write_incarnation(shelf->worktree, incarnation);
	if (r == 0)
		r = drop_foreign_locked(shelf, incarnation);
	if (r < 0)
		return r;
	own = directory_find_live(shelf->directory, incarnation);
	if (own && own->mode == MODE_TREE) {
		r = node_load_locked(shelf, own, &n);
		if (r < 0)
			return r;
		r = collect_locked(all, n);
		node_put_locked(n);
	}
	prune_locked(shelf);
	return r;
}

/* Without loading the root: 1, 0.  Errors of local_table_find. */
static int has_shelf(const struct worktree *w)
{
	const struct attributes *a = w->root->attributes;
	scoped_local struct local *row = NULL;
	int r;

	if (!w->options.local || !a || !a->local ||
	    !(a->local->bits & LOCAL_TABLE))
		return 0;
	r = local_table_find(w->options.local, &a->local->table, CONTROL_NAME,
			     &row);
	return r == -ENOENT ? 0 : r < 0 ? r : local_is_own(row);
}

static int look(struct worktree *w, struct lefts *all)
{
	SCOPED_WRITE(&w->lock);
	struct entry *e;
	struct node *shelf;
	int r = worktree_check_writable(w);

	if (r < 0)
		return 0;
	r = node_open_directory_locked(w->root);
	if (r < 0)
		return r;
	e = directory_find_live(w->root->directory, CONTROL_NAME);
	if (!e || e->mode != MODE_TREE)
		return 0;
	r = node_load_locked(w->root, e, &shelf);
	if (r < 0)
		return r;
	r = look_locked(shelf, all);
	node_put_locked(shelf);
	return r;
}

static int compare_lefts(const void *a, const void *b)
{
	const struct left *x = a, *y = b;

	if (x->time.tv_sec != y->time.tv_sec)
		return x->time.tv_sec < y->time.tv_sec ? -1 : 1;
	return x->time.tv_nsec < y->time.tv_nsec ? -1 :
	       x->time.tv_nsec > y->time.tv_nsec;
}

static int push_left(struct worktree *w, const struct left *l)
{
	scoped_free char *name = NULL;
	char type[IRMIN_TYPE_SIZE];
	struct node *queue;
	int r = worktree_lookup(w, l->queue, &queue);

	if (r < 0)
		return r;
	r = node_type_name(queue, type);
	if (r == 0)
		r = node_is_queue(queue) ?
			node_rename_named(l->folder, l->name, queue, l->name, 0,
					  &name) : -ENOTSUP;
	node_unref(queue);
	return r;
}

/* The queue is gone, or called otherwise: in the root it is found. */
static int move_to_root(struct worktree *w, const struct left *l, char *name)
{
	struct node *root = worktree_root(w);
	int r = -EEXIST;

	while (r == -EEXIST) {
		{
			SCOPED_READ(&w->lock);
			places_free_name(root->directory, l->name,
					 NAME_LENGTH_MAX, name);
		}
		r = node_rename(l->folder, l->name, root, name,
				RENAME_NOREPLACE);
	}
	node_unref(root);
	return r;
}

static void bring_back(struct worktree *w, const struct left *l)
{
	char name[NAME_LENGTH_MAX + 1];
	int r = push_left(w, l);

	if (r == 0) {
		log_info("\"%s\" had been synced, but not pushed for good, when "
			 "the store was closed: it is an element of its queue "
			 "\"%s\" now", l->name, l->queue);
	} else {
		r = move_to_root(w, l, name);
		if (r == 0)
			log_warning("the queue \"%s\" of \"%s\" is gone: the "
				    "element is the file \"%s\" at the top of "
				    "the branch", l->queue, l->name, name);
	}
	if (r < 0)
		log_error("\"%s\", a synced element of \"%s\", cannot be "
			  "brought back yet: %s", l->name, l->queue,
			  strerror(-r));
	else
		shelf_tidy(l->folder);
}

void worktree_empty_shelf(struct worktree *w)
{
	scoped(lefts_release) struct lefts all = { 0 };
	int r = has_shelf(w);

	if (r == 1)
		r = look(w, &all);

	if (r < 0)
		log_error("elements of queues that were being written cannot be "
			  "brought back yet: %s", strerror(-r));
	if (all.count)
		qsort(all.left, all.count, sizeof(*all.left), compare_lefts);
	for (size_t i = 0; i < all.count; i++)
		bring_back(w, &all.left[i]);
}
