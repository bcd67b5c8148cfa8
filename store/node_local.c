/* SPDX-License-Identifier: ISC */
#include "store/directory_private.h"
#include "store/local_table.h"
#include "store/node.h"

#include <errno.h>
#include <string.h>

/* Facts that only the table knows, not the node. */
#define STORED_BITS (LOCAL_DEVICE | LOCAL_GROUP | LOCAL_XATTRS | LOCAL_FAR |   \
		     LOCAL_TABLE | LOCAL_OWN_BELOW | LOCAL_LINKS_BELOW)

/* ---- facts of what is in memory ---- */

static struct local *facts_of(const struct attributes *a, mode_t type)
{
	struct local *local = a && a->local ? local_copy(a->local) :
					      local_new();

	if (!local)
		return NULL;
	local->bits &= STORED_BITS;
	if (!a)
		return local;
	local->bits |= a->known;
	local->mode = type | a->permissions;
	local->uid = a->uid;
	local->gid = a->gid;
	local->mtime = a->mtime;
	local->ctime = a->ctime;
	return local;
}

/* Names of a file that is loaded are known from its node. */
static void set_group(struct local *local, const struct node *n)
{
	local->bits &= ~LOCAL_GROUP;
	if (!n->linked)
		return;
	local->bits |= LOCAL_GROUP;
	local->group = links_id(n);
}

/* What has another time than what surrounds it says so. */
static void add_epoch(struct local *local, const struct timespec *time,
		      bool is_directory)
{
	if (!(local->bits & LOCAL_TIMES))
		local->mtime = local->ctime = *time;
	local->bits |= LOCAL_TIMES;
	if (!is_directory)
		return;
	local->below = *time;
	local->bits |= LOCAL_BELOW;
}

/* They are stored as blobs. */
static void set_object(struct local *local, uint32_t mode,
		       const struct oid *oid)
{
	local->object_mode = mode == MODE_SYMLINK	? MODE_SYMLINK :
			     mode_is_executable(mode) ? MODE_EXECUTABLE :
							MODE_FILE;
	local->object = *oid;
	local->bits |= LOCAL_OBJECT;
}

struct local *node_facts(const struct node *dir, const struct entry *e)
{
	const struct node *n = node_target(e->node);
	const struct worktree *w = dir->worktree;
	mode_t type = node_type_of(e->mode);
	unsigned int epoch = n ? n->epoch : e->epoch;
	struct local *local = facts_of(n ? n->attributes : e->attributes, type);

	if (local && n)
		set_group(local, n);
	if (local && epoch != dir->epoch)
		add_epoch(local, &w->times[epoch], type == S_IFDIR);
	if (local && e->own)
		set_object(local, n ? node_git_mode(n) : e->mode,
			   n ? &n->oid : &e->oid);
	return local;
}

struct local *node_root_facts(const struct node *root)
{
	return facts_of(root->attributes, S_IFDIR);
}

/* ---- tables ---- */

int node_reserve_table(struct node *dir)
{
	scoped_free struct attributes *spare = NULL;
	struct attributes *a = dir->attributes;

	if (!a) {
		a = spare = malloc(sizeof(*spare));
		if (!a)
			return -ENOMEM;
		*a = node_attributes(dir);
	}
	if (!a->local)
		a->local = local_new();
	if (!a->local)
		return -ENOMEM;
	dir->attributes = a;
	spare = NULL;
	return 0;
}

void node_set_table(struct node *dir, const struct delta *delta)
{
	struct local *local = dir->attributes ? dir->attributes->local : NULL;

	if (!local)
		return;
	local_set_table(local, &delta->table);
	local->bits &= ~(LOCAL_OWN_BELOW | LOCAL_LINKS_BELOW);
	if (delta->own)
		local->bits |= LOCAL_OWN_BELOW;
	if (delta->links)
		local->bits |= LOCAL_LINKS_BELOW;
}

bool node_entry_has_own(const struct entry *e)
{
	const struct attributes *a = e->node ? e->node->attributes :
					       e->attributes;

	return a && a->local && (a->local->bits & LOCAL_OWN_BELOW);
}

/* ---- loading ---- */

struct loading {
	struct worktree *worktree;
	struct directory *directory;
	struct buffer place;		/* of the table, in a directory of a
					 * type; ends in a slash, or is empty */
	bool is_root;
};

static bool is_of_kind(const struct local *local, uint32_t mode)
{
	mode_t type = node_type_of(mode);

	if ((local->bits & (LOCAL_TABLE | LOCAL_BELOW)) && type != S_IFDIR)
		return false;
	return !(local->bits & LOCAL_ATTRIBUTES) ||
	       (local->mode & S_IFMT) == type;
}

/* Git's mode may have been changed by others. */
static mode_t permissions_of(const struct local *local, uint32_t mode)
{
	mode_t permissions = local->mode & 07777;

	if (mode_is_executable(mode) && !(permissions & 0100))
		permissions |= 0100 | (permissions & 0444) >> 2;
	if (mode_is_file(mode) && !mode_is_executable(mode) &&
	    (permissions & 0100))
		permissions &= ~0111;
	return permissions;
}

/* Takes over local. */
static int set_attributes(struct loading *l, struct entry *e,
			  struct local *local)
{
	struct attributes *a = malloc(sizeof(*a));

	if (!a) {
		local_free(local);
		return -ENOMEM;
	}
	*a = attributes_default(l->worktree, e->mode, e->epoch);
	a->known = local->bits & (LOCAL_ATTRIBUTES | LOCAL_TIMES);
	if (a->known & LOCAL_ATTRIBUTES) {
		a->uid = local->uid;
		a->gid = local->gid;
		a->permissions = permissions_of(local, e->mode);
	}
	if (a->known & LOCAL_TIMES) {
		a->atime = a->mtime = local->mtime;
		a->ctime = local->ctime;
	}
	if (l->worktree->options.owner_only)
		a->permissions &= 0700;
	if (local->bits & STORED_BITS)
		a->local = STEAL(local);
	local_free(local);
	e->attributes = a;
	return 0;
}

/* The mode of an entry of which Git has nothing, if that can be; else 0. */
static uint32_t own_mode(const struct local *local)
{
	mode_t type = local->bits & LOCAL_ATTRIBUTES ? local->mode & S_IFMT :
						       S_IFDIR;

	if (local->bits & LOCAL_OBJECT)
		return !(local->bits & LOCAL_ATTRIBUTES) ||
		       type == node_type_of(local->object_mode) ?
			       local->object_mode : 0;
	if (mode_is_special(type))
		return type;
	return type == S_IFDIR &&
	       (local->bits & (LOCAL_EMPTY | LOCAL_OWN_BELOW)) ? MODE_TREE : 0;
}

int node_make_attributes(struct worktree *w, uint32_t mode, unsigned int epoch,
			 const struct local *facts, struct attributes **ret)
{
	struct loading l = { .worktree = w };
	struct entry e = { .mode = mode, .epoch = epoch };
	struct local *copy = local_copy(facts);
	int r = copy ? set_attributes(&l, &e, copy) : -ENOMEM;

	if (r < 0)
		return r;
	/* names are joined when they are loaded */
	if (e.attributes->local)
		e.attributes->local->bits &= ~LOCAL_GROUP;
	*ret = e.attributes;
	return 0;
}

/* Also that of the shelf (node_shelf.c). */
static bool is_name(const struct loading *l, const char *name)
{
	return node_check_name(l->worktree, name) == 0 ||
	       (l->is_root && strcmp(name, CONTROL_NAME) == 0);
}

/* An entry of which Git has nothing. */
static int add_own(struct loading *l, const char *name,
		   const struct local *local, struct entry **ret)
{
	struct directory *d = l->directory;
	scoped_free char *copy = NULL;
	uint32_t mode = own_mode(local);
	struct entry *e;
	int r;

	*ret = NULL;
	if (!mode || !is_name(l, name))
		return 0;
	if (d->places) {
		d->places->hidden = true;
		return 0;
	}
	r = directory_reserve(d, 1);
	if (r < 0)
		return r;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	e = directory_put(d, &copy);
	directory_set_mode(d, e, mode);
	e->captured = 1;
	if (local->bits & LOCAL_OBJECT) {
		directory_set_own(d, e, true);
		e->oid = local->object;
	}
	if (mode == MODE_TREE)
		e->oid = oid_empty_tree;
	e->number = directory_number_of(d, name);
	*ret = e;
	return 0;
}

static int load_row(void *context, const char *name, struct local *local);

/* What is stored at a place; of a folder of places, all in it. */
static int find_place(struct loading *l, const char *name,
		      const struct local *local, struct entry **ret)
{
	size_t length = l->place.length;
	int r = buffer_puts(&l->place, name);

	*ret = NULL;
	if (r < 0)
		return r;
	*ret = places_find(l->directory, l->place.data);
	if (!*ret && (local->bits & LOCAL_TABLE)) {
		r = buffer_puts(&l->place, "/");
		if (r == 0 && l->place.length < DIRECTORY_PLACE_SIZE)
			r = local_table_each(l->worktree->options.local,
					     &local->table, load_row, l);
	}
	l->place.length = length;
	return r;
}

static int load_row(void *context, const char *name, struct local *local)
{
	struct loading *l = context;
	struct worktree *w = l->worktree;
	struct entry *e = NULL;
	int r = 0;

	if (l->directory->places)
		r = find_place(l, name, local, &e);
	else
		e = directory_find(l->directory, name);
	if (r == 0 && !e)
		r = add_own(l, name, local, &e);

	if (r == 0 && e && (local->bits & LOCAL_BELOW) &&
	    is_of_kind(local, e->mode)) {
		r = worktree_epoch_locked(w, &local->below);
		if (r >= 0)
			e->epoch = r;
	}
	if (r < 0 || !e || !is_of_kind(local, e->mode)) {
		local_free(local);
		return r < 0 ? r : 0;
	}
	if ((local->bits & LOCAL_GIT) && !local_is_of(local, &e->oid)) {
		local->bits &= ~(LOCAL_TIMES | LOCAL_GROUP);
		e->epoch = w->head_epoch;
	}
	/* an element of a queue has one name */
	if (l->directory->places)
		local->bits &= ~LOCAL_GROUP;
	if (local->bits & LOCAL_GROUP)
		e->number = directory_mix(w->root->number, local->group);
	if (local->bits & (STORED_BITS | LOCAL_ATTRIBUTES | LOCAL_TIMES))
		return set_attributes(l, e, local);
	local_free(local);
	return 0;
}

int node_load_local(struct node *dir, struct directory *d)
{
	struct worktree *w = dir->worktree;
	struct loading l = {
		.worktree = w, .directory = d, .is_root = !dir->parent,
	};
	const struct local *local = dir->attributes ? dir->attributes->local :
						      NULL;

	int r;

	if (!w->options.local || !local || !(local->bits & LOCAL_TABLE))
		return 0;
	r = local_table_each(w->options.local, &local->table, load_row, &l);
	buffer_release(&l.place);
	return r;
}

/* ---- the root ---- */

int worktree_load_root(struct worktree *w)
{
	struct entry root = { .mode = MODE_TREE };
	struct loading l = { .worktree = w };
	struct local *local;
	int r;

	if (!w->options.local || oid_is_zero(&w->options.face))
		return 0;
	r = local_root_read(w->options.local, &w->options.face, &local);
	if (r < 0)
		return r;
	if (local->bits & LOCAL_BELOW)
		w->times[0] = local->below;
	r = set_attributes(&l, &root, local);
	w->root->attributes = root.attributes;
	return r;
}
