/* SPDX-License-Identifier: ISC */
#include "store/node.h"
#include "store/attribute_lines.h"
#include "store/directory_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- which type ---- */

int node_directory_type(struct node *dir, const char *name,
			const struct directory_type **ret)
{
	char type[IRMIN_TYPE_SIZE] = "";
	int r = 0;

	/* nothing of another repository is ours */
	if (strcmp(name, GIT_NAME) != 0 && !node_is_in_git(dir))
		r = node_irmin_type(dir, name, type);
	if (r == 0)
		*ret = *type ? directory_type_find(type) : NULL;
	return r;
}

int node_type_name(struct node *n, char ret_type[IRMIN_TYPE_SIZE])
{
	SCOPED_WRITE(&n->worktree->lock);
	int r = node_is_directory(n) ? node_open_directory_locked(n) : 0;

	*ret_type = '\0';
	if (r == 0 && node_is_typed(n))
		snprintf(ret_type, IRMIN_TYPE_SIZE, "%s",
			 n->directory->places->type->name);
	return r == -ENOENT ? 0 : r;
}

bool node_is_queue(struct node *n)
{
	SCOPED_READ(&n->worktree->lock);

	return node_is_typed(n);
}

/* ---- directories that are empty ---- */

struct adding {
	struct node *dir;
	struct directory *d;
	const char *folder;		/* path of dir */
	size_t length;
};

/* The part of path that is an entry of dir, in a new allocation; NULL with 0:
 * it is not below dir. */
static int entry_of(const struct adding *a, const char *path, char **ret)
{
	const char *name = path;

	*ret = NULL;
	if (a->length) {
		if (strncmp(path, a->folder, a->length) != 0 ||
		    path[a->length] != '/')
			return 0;
		name = path + a->length + 1;
	}
	*ret = strndup(name, strcspn(name, "/"));
	return *ret ? 0 : -ENOMEM;
}

static int add_directory(void *context, const char *path, const char *type)
{
	const struct adding *a = context;
	scoped_free char *name = NULL;
	const struct directory_type *is = NULL;
	struct entry *e;
	int r = entry_of(a, path, &name);

	if (r < 0 || !name || node_check_new_name(name) < 0 ||
	    directory_find(a->d, name) || !directory_type_find(type))
		return r;
	/* a later line may say otherwise; above it anything may be */
	if (strlen(path) == a->length + (a->length != 0) + strlen(name))
		r = node_directory_type(a->dir, name, &is);
	else
		is = directory_type_find(type);
	if (r == 0 && is)
		r = directory_reserve(a->d, 1);
	if (r < 0 || !is)
		return r;
	e = directory_put(a->d, &name);
	directory_set_mode(a->d, e, MODE_TREE);
	e->oid = oid_empty_tree;
	e->number = directory_number_of(a->d, e->name);
	e->epoch = a->dir->epoch;
	return 0;
}

int node_add_empty_locked(struct node *dir)
{
	scoped_buffer struct buffer text = { 0 };
	scoped_free char *folder = NULL;
	struct directory *d = dir->directory;
	struct directory *root = dir->worktree->root->directory;
	struct adding adding = { .dir = dir, .d = d };
	int r;

	/* most trees have no such file */
	if (d->places || !directory_find_live(root, ATTRIBUTES_NAME))
		return 0;
	r = attribute_text_locked(dir->worktree, &text);
	if (r < 0 || !text.length)
		return r;
	folder = node_make_path(dir);
	if (!folder)
		return -ENOMEM;
	adding.folder = folder;
	adding.length = strlen(folder);
	return attribute_lines_each(text.data, text.length, add_directory,
				    &adding);
}

/* ---- new entries ---- */

static uint32_t some_random(struct worktree *w)
{
	uint32_t number;

	if (w->options.random)
		return w->options.random();
	while (getrandom(&number, sizeof(number), 0) != sizeof(number))
		;
	return number;
}

/* A foreign file must not stand where a folder of place is to be. */
static int set_aside(struct node *dir, struct entry *e)
{
	struct node *n;
	char *place;
	int r;

	if (asprintf(&place, "%s~", places_of(dir->directory, e)) < 0)
		return -ENOMEM;
	r = places_find(dir->directory, place) ? -EEXIST :
		node_load_locked(dir, e, &n);
	if (r < 0) {
		free(place);
		return r;
	}
	places_set(dir->directory, e, place);
	directory_set_stored(dir->directory, e, false);
	node_mark(n, false);
	node_put_locked(n);
	return 0;
}

static int make_way(struct node *dir, const char *place)
{
	char folder[DIRECTORY_PLACE_SIZE];

	if (!dir->directory->places->foreign)
		return 0;
	for (const char *p = place; (p = strchr(p, '/')); p++) {
		struct entry *e;
		int r;

		memcpy(folder, place, p - place);
		folder[p - place] = '\0';
		e = places_find(dir->directory, folder);
		r = e ? set_aside(dir, e) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int keep_place(struct newcomer *newcomer, struct node *dir,
		      const char *place)
{
	int r = make_way(dir, place);

	if (r < 0)
		return r;
	newcomer->place = strdup(place);
	return newcomer->place ? 0 : -ENOMEM;
}

static int choose_name(struct newcomer *newcomer, const struct node *dir,
		       const char *name, bool number)
{
	char free_name[NAME_LENGTH_MAX + 1];

	if (node_is_typed(dir)) {
		size_t max = dir->directory->places->type->name_max;
		int r = node_check_new_name(name);

		if (r < 0)
			return r;
		if (strlen(name) > max)
			return -ENAMETOOLONG;
		if (!number && !places_is_free(dir->directory, name))
			return -EEXIST;
		places_free_name(dir->directory, name, max, free_name);
		name = free_name;
	}
	newcomer->name = strdup(name);
	return newcomer->name ? 0 : -ENOMEM;
}

int newcomer_init_locked(struct newcomer *newcomer, struct node *dir,
			 const char *name, bool number)
{
	struct worktree *w = dir->worktree;
	char place[DIRECTORY_PLACE_SIZE];
	struct timespec now;
	int r = choose_name(newcomer, dir, name, number);

	if (r < 0 || !node_is_typed(dir))
		return r;
	w->options.clock(&now);
	r = places_next(dir->directory, newcomer->name, &now, some_random(w),
			place);
	return r < 0 ? r : keep_place(newcomer, dir, place);
}

int newcomer_rename_locked(struct newcomer *newcomer, struct node *dir,
			   const struct entry *e, const char *name)
{
	char place[DIRECTORY_PLACE_SIZE];
	struct timespec unused = { 0 };
	int r = choose_name(newcomer, dir, name, true);

	if (r == 0)
		r = places_rename(dir->directory, e, newcomer->name, &unused, 0,
				  place);
	return r < 0 ? r : keep_place(newcomer, dir, place);
}

void newcomer_release(struct newcomer *newcomer)
{
	free(newcomer->name);
	free(newcomer->place);
}

struct entry *newcomer_put_locked(struct newcomer *newcomer, struct node *dir)
{
	struct entry *e = directory_put(dir->directory, &newcomer->name);

	if (newcomer->place)
		places_set(dir->directory, e, STEAL(newcomer->place));
	return e;
}

bool node_entry_has_key(const struct node *dir, const struct entry *e)
{
	char key[DIRECTORY_KEY_SIZE];
	const char *name;

	return dir->directory->places->type->parse(places_of(dir->directory, e),
						   key, &name) == 0;
}

/* ---- stored paths ---- */

static const char *stored_name(const struct node *n)
{
	const struct directory *d = n->parent->directory;

	if (n->unlinked)
		return n->last_name;
	return d->places ? places_of(d, node_entry(n)) : node_entry(n)->name;
}

char *node_make_stored_path(const struct node *n)
{
	size_t length = 0;
	char *path, *p;

	for (const struct node *m = n; m->parent; m = m->parent)
		length += strlen(stored_name(m)) + 1;
	path = malloc(length + 1);
	if (!path)
		return NULL;
	p = path + length;
	*p = '\0';
	for (const struct node *m = n; m->parent; m = m->parent) {
		size_t size = strlen(stored_name(m));

		*--p = m == n ? '\0' : '/';
		p -= size;
		memcpy(p, stored_name(m), size);
	}
	return path;
}

/* ---- conversion ---- */

/* Two branches that convert the same files give them the same keys. */
static uint32_t name_bits(const char *name)
{
	uint64_t h = directory_hash(name);

	return h ^ h >> 32;
}

static int compare_names(const void *a, const void *b)
{
	const struct entry *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Git's own files keep their place, where Git finds them. */
static int place_for(const struct directory *d, const char *name, char **ret)
{
	const struct timespec earliest = { 0 };
	char place[DIRECTORY_PLACE_SIZE];
	int r = 0;

	if (!node_is_git_name(name))
		r = places_next(d, name, &earliest, name_bits(name), place);
	else
		snprintf(place, sizeof(place), "%s", name);
	if (r < 0)
		return r;
	*ret = strdup(place);
	return *ret ? 0 : -ENOMEM;
}

static int place_entries(struct directory *d, struct entry **entries,
			 size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *place;
		int r = place_for(d, entries[i]->name, &place);

		if (r < 0)
			return r;
		places_set(d, entries[i], place);
	}
	return 0;
}

static int convert(struct directory *d, const struct directory_type *type)
{
	scoped_free struct entry **entries = calloc(d->live + 1,
						    sizeof(*entries));
	size_t count = 0;
	int r = entries ? places_new(d, type) : -ENOMEM;

	if (r == 0)
		r = directory_reserve(d, d->live + 1);
	for (uint32_t i = 0; i < d->count && r == 0; i++)
		if (d->entries[i].live)
			entries[count++] = &d->entries[i];
	if (r == 0) {
		qsort(entries, count, sizeof(*entries), compare_names);
		r = place_entries(d, entries, count);
	}
	if (r < 0) {
		places_free(d);
		return r;
	}
	directory_forget_replaced(d);
	places_sort(d);
	return 0;
}

static bool is_linked(const struct entry *e)
{
	return e->node ? node_target(e->node)->linked : node_entry_has_group(e);
}

static int check_convertible(struct node *n)
{
	const struct directory *d = n->directory;

	if (node_is_in_git(n))
		return -EPERM;
	for (uint32_t i = 0; i < d->count; i++)
		if (d->entries[i].live &&
		    (d->entries[i].own ||
		     node_type_of(d->entries[i].mode) == S_IFDIR ||
		     mode_is_special(d->entries[i].mode) ||
		     is_linked(&d->entries[i])))
			return -ENOTEMPTY;
	return 0;
}

static int open_for_type_locked(struct node *n, struct attributes **spare)
{
	int r;

	if (!node_is_directory(n))
		return -ENOTDIR;
	if (!n->parent || n->removed || node_is_typed(n->parent))
		return n->removed ? -ENOENT : -EPERM;
	r = attribute_edit_reserve_locked(n->worktree);
	if (r == 0)
		r = node_open_for_change_locked(n->parent, CHANGES_WITH_EDIT,
						spare);
	return r < 0 ? r : node_open_directory_locked(n);
}

/* All of it will be stored anew, in place of what is stored. */
static void store_anew_locked(struct node *n)
{
	directory_renew(n->parent->directory, node_entry(n));
	node_mark(n, true);
}

int node_set_type(struct node *n, const char *name)
{
	const struct directory_type *type = directory_type_find(name);
	scoped_free struct attributes *spare = NULL;
	scoped_free char *path = NULL;
	SCOPED_WRITE(&n->worktree->lock);
	scoped(attribute_edit_release_locked) struct attribute_edit edit = { 0 };
	struct timespec now;
	int r = type ? open_for_type_locked(n, &spare) : -EINVAL;

	if (r == 0 && n->directory->places)
		return n->directory->places->type == type ? 0 : -EINVAL;
	if (r == 0)
		r = check_convertible(n);
	if (r < 0)
		return r;
	path = node_make_path(n);
	r = path ? attribute_edit_add_locked(&edit, n->worktree, path, name) :
		   -ENOMEM;
	if (r == 0)
		r = convert(n->directory, type);
	if (r < 0)
		return r;
	store_anew_locked(n);
	n->worktree->options.clock(&now);
	attribute_edit_execute_locked(&edit, n->worktree, &now);
	return 0;
}

/* ---- other lines ---- */

struct retyped {
	struct node **dir;		/* references from outside */
	size_t count;
};

static void retyped_release(struct retyped *retyped)
{
	while (retyped->count)
		node_unref(retyped->dir[--retyped->count]);
	free(retyped->dir);
}

static int note_retyped(struct retyped *retyped, struct node *n)
{
	struct node **more = reallocarray(retyped->dir, retyped->count + 1,
					  sizeof(*more));

	if (!more)
		return -ENOMEM;
	retyped->dir = more;
	more[retyped->count++] = node_ref(n);
	return 0;
}

/* Truncating the file on the way to another text must not lose an order. */
static bool can_be_plain(const struct directory *d)
{
	return !d->live && !d->places->pending && !d->places->hidden;
}

/* Moves entries of its parent. */
static int retype_locked(struct node *n, struct retyped *retyped)
{
	const struct directory_type *type = NULL;
	struct directory *d = n->directory;
	struct node *dir = n->parent;
	int r = node_directory_type(dir, node_entry(n)->name, &type);

	if (r < 0 || !type == !d->places)
		return r;
	if (type ? check_convertible(n) < 0 : !can_be_plain(d))
		return 0;
	r = directory_reserve(dir->directory, 1);
	if (r == 0)
		r = note_retyped(retyped, n);
	if (r == 0 && type)
		r = convert(d, type);
	if (r < 0)
		return r;
	if (!type)
		places_free(d);
	store_anew_locked(n);
	return 0;
}

static int retype_below_locked(struct node *dir, struct retyped *retyped)
{
	struct directory *d = dir->directory;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < d->count; i++) {
		struct node *n = d->entries[i].node;

		if (!n || !node_is_directory(n) || !n->directory)
			continue;
		r = retype_locked(n, retyped);
		i = n->position;
		if (r == 0 && !node_is_typed(n))
			r = retype_below_locked(n, retyped);
	}
	return r;
}

bool worktree_has_new_types(struct worktree *w)
{
	return w->retype;
}

static int retype(struct worktree *w, bool closed, struct retyped *retyped)
{
	SCOPED_WRITE(&w->lock);
	int r;

	if (!closed && worktree_writes_types_locked(w))
		return 0;
	if (!atomic_exchange(&w->retype, false) || !w->root->directory ||
	    worktree_check_writable(w) < 0)
		return 0;
	r = retype_below_locked(w->root, retyped);
	if (r == -ENOMEM)
		w->retype = true;
	return r;
}

void worktree_apply_types(struct worktree *w, bool closed, worktree_tell *tell,
			  void *context)
{
	scoped(retyped_release) struct retyped retyped = { 0 };
	int r = w->retype ? retype(w, closed, &retyped) : 0;

	if (r < 0)
		log_warning("some directories stay what they were, although "
			    ATTRIBUTES_NAME " files have changed: %s",
			    strerror(-r));
	for (size_t i = 0; tell && i < retyped.count; i++)
		tell(context, retyped.dir[i]);
}
