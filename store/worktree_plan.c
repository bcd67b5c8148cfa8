/* SPDX-License-Identifier: ISC */
#include "store/worktree_plan.h"

#include <errno.h>
#include <string.h>

/* ---- what goes ---- */

static bool is_changed(const struct entry *e)
{
	return e->node && (e->node->flags & NODE_CHANGED);
}

/* What is being made in a queue would be lost when it is closed. */
static int check_pending(struct plan *plan, const struct node *n)
{
	scoped_free char *path = NULL;

	if (!node_is_typed(n) || !n->directory->places->pending)
		return 0;
	path = node_make_path(n);
	plan->path.length = 0;
	if (!path || buffer_puts(&plan->path, path) < 0)
		return -ENOMEM;
	return -EBUSY;
}

/* All that is loaded below a directory that goes. */
static int vanish(struct plan *plan, struct node *n)
{
	struct directory *d = node_is_directory(n) ? n->directory : NULL;
	size_t at;
	int r = 0;

	if (!node_is_directory(n))
		return 0;
	r = check_pending(plan, n);
	if (r == 0)
		r = plan_touch(plan, n, &oid_empty_tree, true, &at);
	for (uint32_t i = 0; d && i < d->count && r == 0; i++)
		if (d->entries[i].node)
			r = plan_add_step(plan, &(struct step){
				.kind = STEP_VANISH, .dir = n,
				.name = d->entries[i].name,
			});
	for (uint32_t i = 0; d && i < d->count && r == 0; i++)
		if (d->entries[i].node)
			r = vanish(plan, d->entries[i].node);
	return r;
}

/* Whether a directory holds, at any depth, one that Git does not have since it
 * is empty.  Nothing in it is CHANGED. */
static bool has_unstored(const struct entry *within)
{
	const struct node *n = within->node;
	const struct directory *d = n && node_is_directory(n) ? n->directory :
								NULL;

	if (!d)
		return node_entry_has_own(within);
	for (uint32_t i = 0; d && i < d->count; i++) {
		const struct entry *e = &d->entries[i];

		if (e->live && (!e->stored || has_unstored(e)))
			return true;
	}
	return false;
}

/* Takes away what Git has in a directory, which itself stays. */
static int clear_loaded(struct plan *plan, struct node *n)
{
	struct directory *d;
	size_t at;
	int r = node_open_directory_locked(n);

	if (r == 0)
		r = plan_touch(plan, n, &oid_empty_tree, false, &at);
	d = n->directory;
	for (uint32_t i = 0; i < d->count && r == 0; i++)
		if (d->entries[i].live)
			r = plan_remove_entry(plan, at, &d->entries[i], false);
	return r;
}

static int clear(struct plan *plan, size_t at, struct entry *e)
{
	struct node *n;
	int r = node_load_locked(plan->touched[at].dir, e, &n);

	if (r < 0)
		return r;
	r = clear_loaded(plan, n);
	node_put_locked(n);
	return r;
}

static int make_tree(struct plan *plan, struct node *dir, const struct oid *oid);

/* The type that an entry of dir will have, by name. */
static int find_type(struct plan *plan, struct node *dir, const char *name,
		     const struct directory_type **ret)
{
	scoped_free char *folder = node_make_path(dir);
	scoped_buffer struct buffer path = { 0 };
	char type[IRMIN_TYPE_SIZE];
	int r;

	if (!plan->attributes)
		return node_directory_type(dir, name, ret);
	if (!folder)
		return -ENOMEM;
	r = buffer_printf(&path, "%s%s%s", folder, *folder ? "/" : "", name);
	if (r == 0)
		r = tree_irmin_type(plan->worktree->irmin,
				    plan->worktree->options.odb, &plan->tree,
				    path.data, type);
	if (r == 0)
		*ret = directory_type_find(type);
	return r;
}

/* 1: a queue became empty, and stays one. */
static int empty_queue(struct plan *plan, struct node *dir, struct entry *e)
{
	const struct directory_type *type = NULL;
	struct node *child;
	int r;

	if (e->mode != MODE_TREE || node_is_typed(dir))
		return 0;
	r = find_type(plan, dir, e->name, &type);
	if (r < 0 || !type)
		return r;
	r = node_load_locked(dir, e, &child);
	if (r < 0)
		return r;
	r = make_tree(plan, child, &oid_empty_tree);
	node_put_locked(child);
	return r < 0 ? r : 1;
}

int plan_remove_entry(struct plan *plan, size_t at, struct entry *e, bool whole)
{
	int r;

	if (is_changed(e))
		return -EAGAIN;
	if (!e->stored && !whole)
		return 0;
	r = empty_queue(plan, plan->touched[at].dir, e);
	if (r)
		return r < 0 ? r : 0;
	if (!whole && has_unstored(e))
		return clear(plan, at, e);
	r = plan_add_change(plan, at, &(struct step){
		.kind = STEP_REMOVE, .dir = plan->touched[at].dir,
		.name = e->name,
	});
	return r == 0 && e->node ? vanish(plan, e->node) : r;
}

/* ---- what comes ---- */

int plan_put_entry(struct plan *plan, size_t at, const struct entry *e,
		   const char *name, const char *place,
		   const struct tree_entry *wanted,
		   const struct plan_facts *facts)
{
	struct step step = {
		.kind = STEP_PUT, .dir = plan->touched[at].dir,
		.name = (char *)name, .place = (char *)place,
		.mode = wanted->mode, .oid = wanted->oid,
		.unstored = mode_is_special(wanted->mode) ||
			    (wanted->mode == MODE_TREE &&
			     node_git_has_nothing(&wanted->oid)),
		.own = facts && facts->local &&
		       (facts->local->bits & LOCAL_OBJECT),
	};
	int r;

	if (e && is_changed(e))
		return -EAGAIN;
	r = plan_make_attributes(plan, e, facts, &step);
	if (r == 0)
		r = plan_add_change(plan, at, &step);
	if (r < 0) {
		attributes_free(step.attributes);
		return r;
	}
	return e && e->node ? vanish(plan, e->node) : 0;
}

int plan_set_facts(struct plan *plan, size_t at, struct entry *e,
		   const struct plan_facts *facts)
{
	struct step step = {
		.kind = STEP_FACTS, .dir = plan->touched[at].dir,
		.name = e->name, .mode = e->node ? node_git_mode(e->node) :
						   e->mode,
	};
	int r;

	if (is_changed(e))
		return -EAGAIN;
	r = plan_make_attributes(plan, e, facts, &step);
	if (r == 0)
		r = plan_add_step(plan, &step);
	if (r < 0)
		attributes_free(step.attributes);
	else if (e->node)
		plan->steps[plan->step_count - 1].node =
			node_ref(node_target(e->node));
	return r;
}

/* ---- comparing with a tree ---- */

/* Whether the types of directories are others than when this one was loaded: it
 * has to be loaded anew, so that another one takes its place.  1 or 0. */
static int is_loaded_otherwise(struct plan *plan, struct node *dir)
{
	const struct directory_type *type = NULL;
	int r;

	if (!dir->directory || !plan->attributes || !dir->parent)
		return 0;
	r = find_type(plan, dir->parent, node_entry(dir)->name, &type);
	if (r < 0)
		return r;
	return type != (dir->directory->places ? dir->directory->places->type :
						 NULL);
}

bool plan_is_same_entry(const struct entry *e, const struct tree_entry *wanted)
{
	const struct node *n = node_target(e->node);

	uint32_t mode = mode_stored(wanted->mode);

	if (!n)
		return mode_stored(e->mode) == mode &&
		       oid_equal(&e->oid, &wanted->oid);
	return !(n->flags & NODE_CHANGED) && node_is_clean(n) &&
	       mode_stored(node_git_mode(n)) == mode &&
	       oid_equal(&n->oid, &wanted->oid);
}

/* The name last added to plan->path becomes that entry of a tree.  facts: NULL if
 * none are known. */
static int match_entry(struct plan *plan, size_t at,
		       const struct tree_entry *wanted,
		       const struct plan_facts *facts)
{
	struct node *dir = plan->touched[at].dir, *child;
	struct entry *e = directory_find(dir->directory, wanted->name);
	struct tree_entry known = *wanted;
	bool own = facts && facts->local && (facts->local->bits & LOCAL_OBJECT);
	int r;

	/* A name that changed hands since, or a directory that is not where it
	 * was: what is stored of it says nothing about this place. */
	if (e && (e->replaced || (!e->stored && is_changed(e))))
		return -EAGAIN;
	if (facts && (facts->merged & DELTA_SET))
		return e && plan_is_same_entry(e, wanted) ?
			plan_set_facts(plan, at, e, facts) : -EAGAIN;
	if (e && plan_is_same_entry(e, wanted) && e->stored && !own)
		return 0;
	r = contents_recognise(plan->worktree->options.odb, &wanted->oid,
			       &known.mode, NULL);
	if (r < 0)
		return r;
	r = plan_check_own(plan, at, e, &known);
	if (r < 0)
		return r;
	if (!e || e->mode != MODE_TREE || known.mode != MODE_TREE)
		return plan_put_entry(plan, at, e, wanted->name, NULL, &known,
				      facts);
	r = node_load_locked(dir, e, &child);
	if (r < 0)
		return r;
	r = is_loaded_otherwise(plan, child);
	if (r == 1)
		r = plan_put_entry(plan, at, e, wanted->name, NULL, wanted,
				   facts);
	else if (r == 0)
		r = make_tree(plan, child, &wanted->oid);
	node_put_locked(child);
	return r;
}

/* Appends a name to plan->path; undone by plan->path.length = *ret_length,
 * unless there was an error, which is about this path. */
static int enter(struct plan *plan, const char *name, size_t *ret_length)
{
	int r = 0;

	*ret_length = plan->path.length;
	if (plan->path.length)
		r = buffer_puts(&plan->path, "/");
	return r < 0 ? r : buffer_puts(&plan->path, name);
}

static void leave(struct plan *plan, size_t length)
{
	plan->path.length = length;
	plan->path.data[length] = '\0';
}

/* Opens a directory; 1: it is a queue that is not loaded, which may be long, and
 * there is no need to. */
static int open_typed(struct plan *plan, struct node *dir, const struct oid *oid)
{
	const struct directory_type *type = NULL;
	size_t at;
	int r = 0;

	if (!dir->directory && dir->parent && !dir->removed)
		r = node_directory_type(dir->parent, node_entry(dir)->name,
					&type);
	if (r < 0)
		return r;
	if (!type)
		return node_open_directory_locked(dir);
	r = plan_touch(plan, dir, oid, false, &at);
	if (r < 0)
		return r;
	plan->touched[at].unread = true;
	return 1;
}

static int match_entries(struct plan *plan, size_t at, const struct tree *tree)
{
	struct directory *d = plan->touched[at].dir->directory;
	size_t length;
	int r;

	for (size_t i = 0; i < tree->count; i++) {
		r = enter(plan, tree->entries[i].name, &length);
		if (r == 0)
			r = match_entry(plan, at, &tree->entries[i], NULL);
		if (r < 0)
			return r;
		leave(plan, length);
	}
	for (uint32_t i = 0; i < d->count; i++) {
		struct entry *e = &d->entries[i];

		if (!e->live || !e->stored || tree_find(tree, e->name))
			continue;
		r = enter(plan, e->name, &length);
		if (r == 0)
			r = plan_remove_entry(plan, at, e, false);
		if (r < 0)
			return r;
		leave(plan, length);
	}
	return 0;
}

/* A directory that stays becomes that tree, but for empty directories. */
static int make_tree(struct plan *plan, struct node *dir, const struct oid *oid)
{
	struct tree *tree;
	size_t at;
	int r = open_typed(plan, dir, oid);

	if (r == 0 && dir->directory->places)
		return plan_follow_places(plan, dir, NULL, oid);
	if (r == 1)
		return 0;
	if (r == 0)
		r = plan_touch(plan, dir, oid, false, &at);
	if (r == 0)
		r = tree_read(plan->worktree->options.odb, oid, &tree);
	if (r < 0)
		return r;
	r = match_entries(plan, at, tree);
	tree_free(tree);
	return r;
}

/* ---- following a delta ---- */

static int follow(struct plan *plan, struct node *dir, const struct delta *delta,
		  const struct oid *oid);

const struct oid *plan_oid_of(const struct delta_entry *entry)
{
	return entry->kind == DELTA_DIRECTORY && oid_is_zero(&entry->oid) ?
			&entry->directory->oid : &entry->oid;
}

static int become(struct plan *plan, size_t at, const struct delta_entry *entry)
{
	const struct plan_facts facts = { entry->local, entry->merged };
	struct tree_entry wanted = {
		.name = entry->name, .oid = *plan_oid_of(entry),
		.mode = entry->kind == DELTA_DIRECTORY ? MODE_TREE :
							 entry->mode,
	};

	return match_entry(plan, at, &wanted,
			   entry->kind == DELTA_OBJECT && entry->merged ?
				   &facts : NULL);
}

/* Whether what stands there follows the changes in a directory.  Of one that Git
 * does not have those are said that knew of it. */
static bool can_follow(const struct entry *e, const struct delta_entry *entry)
{
	if (entry->kind != DELTA_DIRECTORY || !e || !e->live ||
	    e->mode != MODE_TREE || e->replaced)
		return false;
	return e->stored || (entry->merged && !is_changed(e));
}

static int set_facts(struct plan *plan, size_t at, const struct local *local,
		     unsigned int merged)
{
	struct touched *touched = &plan->touched[at];

	return (merged & DELTA_SET) && local ?
		node_make_attributes(plan->worktree, MODE_TREE,
				     touched->dir->epoch, local,
				     &touched->facts) : 0;
}

static int follow_directory(struct plan *plan, size_t at, struct entry *e,
			    const struct delta_entry *entry)
{
	struct node *dir = plan->touched[at].dir, *child;
	const struct tree_entry wanted = {
		.mode = MODE_TREE, .oid = *plan_oid_of(entry),
	};
	size_t below;
	int r = node_load_locked(dir, e, &child);

	if (r < 0)
		return r;
	r = is_loaded_otherwise(plan, child);
	below = plan->touched_count;
	if (r == 1)
		r = plan_put_entry(plan, at, e, entry->name, NULL, &wanted,
				   NULL);
	else if (r == 0)
		r = follow(plan, child, entry->directory, &wanted.oid);
	/* the first that it touches is itself */
	if (r == 0 && below < plan->touched_count &&
	    plan->touched[below].dir == child)
		r = set_facts(plan, below, entry->local, entry->merged);
	node_put_locked(child);
	return r;
}

/* A fifo and the like, which a merge brings. */
static int become_special(struct plan *plan, size_t at,
			  const struct delta_entry *entry)
{
	struct node *dir = plan->touched[at].dir;
	const struct tree_entry wanted = { .mode = entry->local->mode & S_IFMT };
	const struct plan_facts facts = { entry->local, entry->merged };

	return plan_put_entry(plan, at,
			      directory_find(dir->directory, entry->name),
			      entry->name, NULL, &wanted, &facts);
}

static int follow_entry(struct plan *plan, size_t at,
			const struct delta_entry *entry)
{
	struct node *dir = plan->touched[at].dir;
	struct entry *e = directory_find(dir->directory, entry->name);

	if (entry->kind == DELTA_REMOVED && entry->merged && entry->local &&
	    mode_is_special(entry->local->mode))
		return become_special(plan, at, entry);
	if (entry->kind == DELTA_REMOVED && !e)
		return 0;
	if (entry->kind == DELTA_REMOVED)
		return e->replaced ? -EAGAIN :
		       plan_remove_entry(plan, at, e, entry->merged);
	return can_follow(e, entry) ? follow_directory(plan, at, e, entry) :
				      become(plan, at, entry);
}

static bool has_attributes(const struct delta *delta)
{
	for (size_t i = 0; i < delta->count; i++)
		if (strcmp(delta->entries[i].name, ATTRIBUTES_NAME) == 0)
			return true;
	return false;
}

static int follow(struct plan *plan, struct node *dir, const struct delta *delta,
		  const struct oid *oid)
{
	size_t at, length;
	int r;

	plan->attributes |= has_attributes(delta);
	if (delta->complete)
		return make_tree(plan, dir, oid);
	r = open_typed(plan, dir, oid);
	if (r == 0 && dir->directory->places)
		return plan_follow_places(plan, dir, delta, oid);
	if (r == 1)
		return 0;
	if (r == 0)
		r = plan_touch(plan, dir, oid, false, &at);
	for (size_t i = 0; i < delta->count && r == 0; i++) {
		r = enter(plan, delta->entries[i].name, &length);
		if (r == 0)
			r = follow_entry(plan, at, &delta->entries[i]);
		if (r == 0)
			leave(plan, length);
	}
	return r;
}

int plan_make_locked(struct plan *plan, struct worktree *w,
		     const struct delta *delta)
{
	int r;

	plan->worktree = w;
	plan->tree = delta->oid;
	r = follow(plan, w->root, delta, &delta->oid);
	if (r == 0)
		r = set_facts(plan, 0, delta->local, delta->merged);
	return r < 0 ? r : plan_add_empty(plan);
}
