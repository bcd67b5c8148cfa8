/* SPDX-License-Identifier: ISC */
#include "store/node_nameless.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Files with several names.
 *
 * One of the names has the node, as the only name of another file has; each of
 * the others has a node of KIND_LINK, its own state (NODE_*) and place, and
 * `target`, the one that has all else and that alone is known outside.  When the
 * node's own name goes it moves to one of the others.  So a group is in memory
 * as a whole, from when one of its names is looked up until the tree goes or one
 * name is left; and so are the directories of its names.
 *
 * All names have one number (st_ino), which is the group's key. */

struct links {
	uint64_t number;
	uint64_t id;			/* LOCAL_GROUP */
	struct node *node;		/* one reference */
	struct node *others;		/* of KIND_LINK, by next_name; one
					 * reference to each */
	uint32_t count;			/* of names */
	uint32_t marked_at;		/* the tree's number when .. */
	unsigned int marked;		/* .. all names had these NODE_* flags */
	struct contents *snapshot;	/* of the capture that is being built */
	uint32_t mode;			/* of the snapshot */
	struct links *next_shared;	/* in worktree->shared */
	UT_hash_handle hh;
};

static struct links *find(const struct worktree *w, uint64_t number)
{
	struct links *found;

	HASH_FIND(hh, w->links, &number, sizeof(number), found);
	return found;
}

static struct links *links_of(const struct node *n)
{
	return find(n->worktree, n->number);
}

/* ---- facts ---- */

bool links_have_number(const struct worktree *w, uint64_t number)
{
	return w->links && find(w, number);
}

uint32_t links_count(const struct node *n)
{
	return links_of(n)->count;
}

uint64_t links_id(const struct node *n)
{
	return links_of(n)->id;
}

struct node *links_others(const struct node *n)
{
	return n->linked ? links_of(n)->others : NULL;
}

/* ---- marking ---- */

/* Flags go when the tree's number changes. */
static unsigned int marked(const struct links *l)
{
	return l->marked_at == l->node->worktree->number ? l->marked : 0;
}

bool links_are_marked(const struct node *n, unsigned int flags)
{
	return (flags & ~marked(links_of(n))) == 0;
}

void links_set_marked(const struct node *n, unsigned int flags)
{
	struct links *l = links_of(n);

	l->marked = marked(l) | flags;
	l->marked_at = n->worktree->number;
}

/* ---- making ---- */

/* A name to be: of no place yet. */
struct node *links_new_name(struct node *target)
{
	struct node *n = node_new(target->worktree, MODE_FILE, target->epoch);

	if (!n)
		return NULL;
	n->kind = KIND_LINK;
	n->target = target;
	n->own = target->own;
	n->next_name = n->previous_name = NULL;
	return n;
}

/* Makes n, at its place, the first of several; `number` becomes its.  -ENOMEM;
 * -EEXIST: the number is taken. */
int links_make_locked(struct node *n, uint64_t number, uint64_t id)
{
	struct worktree *w = n->worktree;
	struct links *l;

	if (find(w, number))
		return -EEXIST;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	*l = (struct links){
		.number = number, .id = id, .node = n, .count = 1,
	};
	HASH_ADD(hh, w->links, number, sizeof(l->number), l);
	if (!l->hh.tbl) {
		free(l);
		return -ENOMEM;
	}
	n->refs++;
	n->linked = 1;
	n->number = node_entry(n)->number = number;
	return 0;
}

/* name, from links_new_name, takes the live entry e of dir; it is used up. */
void links_join_locked(struct node *name, struct node *dir, struct entry *e)
{
	struct links *l = links_of(name->target);

	node_place_locked(name, dir, e);
	name->number = e->number = l->number;
	name->previous_name = NULL;
	name->next_name = l->others;
	if (l->others)
		l->others->previous_name = name;
	l->others = name;
	l->count++;
	l->marked = 0;
}

static uint64_t new_id(struct worktree *w)
{
	uint64_t id;

	if (w->options.random)
		return (uint64_t)w->options.random() << 32 |
		       w->options.random();
	while (getrandom(&id, sizeof(id), 0) != sizeof(id))
		;
	return id;
}

/* ---- giving up names ---- */

static void take_out(struct links *l, struct node *name)
{
	if (name->previous_name)
		name->previous_name->next_name = name->next_name;
	else
		l->others = name->next_name;
	if (name->next_name)
		name->next_name->previous_name = name->previous_name;
	name->next_name = name->previous_name = NULL;
}

/* Of a name that is in no list any more.  Its entry may be gone already. */
static void free_name_locked(struct node *name)
{
	struct entry *e = node_entry(name);

	node_unmark(name);
	if (name->flags & NODE_KEPT)
		name->refs--;
	if (e->node == name)
		e->node = NULL;
	name->unlinked = 1;
	name->last_name = NULL;
	node_put_locked(name);
}

static void forget_links_locked(struct links *l)
{
	struct node *n = l->node;

	HASH_DEL(n->worktree->links, l);
	free(l);
	n->linked = 0;
	node_put_locked(n);
}

/* One that is left keeps its number, as one that was moved does.  Without memory
 * to note that, it stays a group of one. */
static void dissolve_locked(struct links *l)
{
	l->node->linked = 0;
	if (node_displace_locked(l->node) < 0)
		l->node->linked = 1;
	else
		forget_links_locked(l);
}

/* n's own name is gone: it takes the place of another. */
static void move_on_locked(struct links *l)
{
	struct node *n = l->node, *name = l->others, *dir = name->parent;
	struct entry *old = node_entry(n), *e = node_entry(name);
	unsigned int flags = name->flags & (NODE_ENTRY | NODE_ATTRIBUTES |
					    NODE_MODIFIED);

	if (old->node == n)
		old->node = NULL;
	node_unmark(n);
	take_out(l, name);
	dir->refs++;
	free_name_locked(name);
	node_place_locked(n, dir, e);
	node_put_locked(dir);
	/* it differs from the last capture as the other did there */
	n->flags = (n->flags & ~NODE_ENTRY) | flags;
	if (flags & NODE_ENTRY)
		node_mark_name(n, false);
	l->marked = 0;
}

bool links_leave_locked(struct node *name)
{
	struct node *n = node_target(name);
	struct links *l = links_of(n);

	if (l->count == 1) {
		forget_links_locked(l);
		return false;
	}
	n->refs++;
	if (n == name) {
		move_on_locked(l);
	} else {
		take_out(l, name);
		free_name_locked(name);
	}
	/* as many as there are is a fact of all that are left */
	if (--l->count == 1)
		dissolve_locked(l);
	/* the name that was ignored may have been that one */
	if (n->own)
		node_look_again(n->parent);
	node_mark_attributes(n);
	node_put_locked(n);
	return true;
}

void links_release(struct worktree *w)
{
	struct links *l, *next;

	HASH_ITER(hh, w->links, l, next) {
		struct node *name;

		while ((name = l->others)) {
			take_out(l, name);
			free_name_locked(name);
		}
		forget_links_locked(l);
	}
}

/* ---- capturing ---- */

struct contents *links_shared_locked(const struct node *n, uint32_t *ret_mode)
{
	const struct links *l = links_of(n);

	*ret_mode = l->mode;
	return l->snapshot ? contents_ref(l->snapshot) : NULL;
}

void links_share_locked(struct node *n, uint32_t mode,
			struct contents *snapshot)
{
	struct links *l = links_of(n);

	l->snapshot = contents_ref(snapshot);
	l->mode = mode;
	l->next_shared = n->worktree->shared;
	n->worktree->shared = l;
}

void links_forget_snapshots_locked(struct worktree *w)
{
	struct links *l;

	while ((l = w->shared)) {
		w->shared = STEAL(l->next_shared);
		contents_unref(STEAL(l->snapshot));
	}
}

/* ---- link(2) ---- */

struct linking {
	struct node *n, *dir;
	struct attributes *spare, *dir_spare;
	struct newcomer newcomer;
	struct node *name;
};

static void cleanup_linking(struct linking *linking)
{
	free(linking->spare);
	free(linking->dir_spare);
	newcomer_release(&linking->newcomer);
	node_discard(linking->name);
}

static int check_locked(const struct linking *linking, const char *name)
{
	const struct node *n = linking->n, *dir = linking->dir;
	int r;

	/* also of one that is open: the kernel refuses that itself */
	if (n->removed)
		return -ENOENT;
	if (directory_find_live(dir->directory, name))
		return -EEXIST;
	/* an element has one name, and a key */
	if (node_is_typed(dir) || node_is_typed(n->parent))
		return -EPERM;
	if (n->linked && links_count(n) >= LINKS_MAX)
		return -EMLINK;
	if (node_is_special(n))
		return 0;
	/* its bytes are in one place alone */
	r = node_is_own_name_locked(linking->dir, name);
	return r < 0 ? r : r == n->own ? 0 : -EXDEV;
}

static int prepare_locked(struct linking *linking, const char *name)
{
	struct node *n = linking->n, *dir = linking->dir;
	int r = node_open_for_change_locked(dir, 1, &linking->dir_spare);

	if (r == 0)
		r = attributes_reserve(n, &linking->spare);
	if (r == 0)
		r = check_locked(linking, name);
	if (r == 0)
		r = newcomer_init_locked(&linking->newcomer, dir, name, false);
	if (r == 0)
		r = node_prepare_name_locked(n, name);
	if (r < 0)
		return r;
	linking->name = links_new_name(n);
	if (!linking->name)
		return -ENOMEM;
	return n->linked ? 0 : links_make_locked(n, n->number,
						 new_id(n->worktree));
}

static void execute_locked(struct linking *linking)
{
	struct node *n = linking->n, *dir = linking->dir;
	struct node *name = STEAL(linking->name);
	bool all_marked = links_are_marked(n, NODE_ATTRIBUTES);
	struct timespec now;

	n->worktree->options.clock(&now);
	links_join_locked(name, dir, newcomer_put_locked(&linking->newcomer,
							 dir));
	attributes_touch_inode(n, &linking->spare, &now);
	attributes_touch(dir, &linking->dir_spare, &now);
	node_mark_name(name, n->flags & NODE_MODIFIED);
	if (all_marked)
		links_set_marked(n, NODE_ATTRIBUTES);
	node_mark_attributes(n);
	node_named_locked(n, node_entry(name)->name);
}

static int link_locked(struct linking *linking, const char *name)
{
	int r = prepare_locked(linking, name);

	if (r == 0)
		execute_locked(linking);
	return r;
}

int node_link(struct node *n, struct node *dir, const char *name)
{
	SCOPED_WRITE(&n->worktree->lock);
	scoped(cleanup_linking) struct linking linking = { .n = n, .dir = dir };
	int r = node_check_name(dir->worktree, name);

	if (r < 0)
		return r;
	if (n->worktree != dir->worktree)
		return -EXDEV;
	if (node_type(n) == S_IFDIR)
		return -EPERM;
	if (n->pending)
		return -ENOENT;
	if (n->nameless)
		return nameless_link_locked(n, dir, name);
	if (n->kind == KIND_SYMLINK)
		r = tree_check_symlink(name);
	return r < 0 ? r : link_locked(&linking, name);
}
