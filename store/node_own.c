/* SPDX-License-Identifier: ISC */
#include "store/ignore.h"
#include "store/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Files and symlinks that Git is not to have.  What one is is decided when it
 * gets its name.  When rules change, or the name of a directory, what is below is
 * looked at again, later and piece by piece: worktree_apply_rules. */

/* ---- repositories within ---- */

bool node_is_in_git(const struct node *dir)
{
	for (; dir->parent; dir = dir->parent)
		if (!dir->unlinked &&
		    strcmp(node_entry(dir)->name, GIT_NAME) == 0)
			return true;
	return false;
}

int node_check_into_git_locked(struct node *n, const struct node *dir,
			       const char *name)
{
	int r;

	if (node_is_in_git(n) ||
	    (strcmp(name, GIT_NAME) != 0 && !node_is_in_git(dir)))
		return 0;
	r = node_open_directory_locked(n);
	if (r < 0)
		return r;
	return n->directory->live ? -EXDEV : 0;
}

/* ---- one node ---- */

int node_prepare_own_locked(struct node *n, bool own)
{
	return n->own == own ? 0 : node_open_contents_locked(n);
}

static void set_own(struct node *n, bool own)
{
	n->own = own;
	if (n->parent && !n->unlinked)
		directory_set_own(n->parent->directory, node_entry(n), own);
}

bool node_set_own_locked(struct node *n, bool own)
{
	if (node_type(n) == S_IFDIR || node_is_special(n) || n->own == own)
		return false;
	set_own(n, own);
	for (struct node *m = links_others(n); m; m = m->next_name) {
		set_own(m, own);
		node_mark_name(m, true);
	}
	return true;
}

/* ---- where rules changed ---- */

static void add_stale(struct worktree *w, struct node *dir)
{
	for (unsigned int i = 0; i < w->stale_count; i++)
		if (w->stale[i] == dir || w->stale[i] == w->root)
			return;
	if (w->stale_count == STALE_MOST)
		dir = w->root;
	dir->refs++;
	w->stale[w->stale_count++] = dir;
}

void node_look_again(struct node *dir)
{
	if (dir->worktree->options.local && !dir->removed)
		add_stale(dir->worktree, dir);
}

unsigned int node_rules_of_name(const char *name)
{
	return strcmp(name, IGNORE_NAME) == 0 ? RULES_IGNORE :
	       strcmp(name, ATTRIBUTES_NAME) == 0 ? RULES_TYPES : 0;
}

void node_rules_changed(struct node *dir, unsigned int rules)
{
	struct worktree *w = dir->worktree;

	if (rules & RULES_TYPES)
		w->retype = true;
	if (!(rules & RULES_IGNORE) || !w->options.local || dir->removed)
		return;
	w->rules++;
	add_stale(w, dir);
}

/* A file that neither Git nor the local face has yet. */
static bool is_fresh(const struct entry *e)
{
	return !e->stored && !e->captured && e->node &&
	       (e->node->flags & NODE_CHANGED);
}

/* Its contents may be Git's, from the name that it had before. */
static int claim_locked(struct node *n)
{
	int r = node_prepare_own_locked(n, true);

	if (r == 0 && node_set_own_locked(n, true))
		node_mark(n, true);
	return r;
}

/* New files become own at once, while only memory has them. */
static int claim_fresh_locked(struct node *dir)
{
	int r = 0;

	for (struct node *n = dir->changed; n && r == 0; n = n->next) {
		const struct entry *e = node_entry(n);

		if (n->kind == KIND_DIRECTORY) {
			r = claim_fresh_locked(n);
		} else if (is_fresh(e) && !n->own && !n->linked &&
			   n->kind != KIND_LINK && !node_is_special(n)) {
			r = node_is_own_name_locked(dir, e->name);
			if (r == 1)
				r = claim_locked(n);
		}
	}
	return r;
}

void node_directory_moved_locked(struct node *dir)
{
	node_rules_changed(dir, RULES_IGNORE);
	/* what fails here is done with the rest */
	if (dir->worktree->options.local && dir->directory)
		claim_fresh_locked(dir);
}

void worktree_forget_stale_locked(struct worktree *w)
{
	while (w->stale_count)
		node_put_locked(w->stale[--w->stale_count]);
}

/* ---- applying rules ---- */

/* Directories to be looked at, with references from outside. */
struct todo {
	struct node **dir;
	size_t count, capacity;
};

static void todo_release(struct todo *todo)
{
	while (todo->count)
		node_unref(todo->dir[--todo->count]);
	free(todo->dir);
}

static int push(struct todo *todo, struct node *dir)
{
	size_t capacity = todo->capacity ? 2 * todo->capacity : 16;
	struct node **more;

	if (todo->count == todo->capacity) {
		more = reallocarray(todo->dir, capacity, sizeof(*more));
		if (!more)
			return -ENOMEM;
		todo->dir = more;
		todo->capacity = capacity;
	}
	todo->dir[todo->count++] = node_ref(dir);
	return 0;
}

static int take_stale(struct worktree *w, struct todo *todo)
{
	SCOPED_WRITE(&w->lock);
	int r = 0;

	for (unsigned int i = 0; i < w->stale_count && r == 0; i++)
		r = push(todo, w->stale[i]);
	if (r == 0)
		worktree_forget_stale_locked(w);
	return r;
}

/* A file with several names leaves the local face when none is ignored any more;
 * 1: it does.  -ENOMEM. */
static int may_leave_locked(struct node *n)
{
	int r = node_is_own_name_locked(n->parent, node_entry(n)->name);

	for (struct node *m = links_others(n); m && r == 0; m = m->next_name)
		r = node_is_own_name_locked(m->parent, node_entry(m)->name);
	return r < 0 ? r : !r;
}

static int apply_to_node_locked(struct node *n, bool own)
{
	int r = !n->linked ? 1 : own ? 0 : may_leave_locked(n);

	if (r == 1)
		r = node_prepare_own_locked(n, own);
	else
		return r;
	if (r == 0 && node_set_own_locked(n, own))
		node_mark(n, true);
	return r;
}

static int apply_to_file_locked(struct node *dir, struct entry *e)
{
	struct node *n;
	int r;

	if (mode_is_special(e->mode) || (!e->own && !is_fresh(e)))
		return 0;
	r = node_is_own_name_locked(dir, e->name);
	if (r < 0 || r == (int)e->own)
		return r < 0 ? r : 0;
	r = node_load_locked(dir, e, &n);
	if (r < 0)
		return r;
	r = apply_to_node_locked(n, !e->own);
	node_put_locked(n);
	return r;
}

/* Whether something below may become own, or be it and not stay so: 1 or 0.
 * -ENOMEM. */
static int is_concerned_locked(struct node *dir, const struct entry *e)
{
	const struct node *n = e->node;
	int r;

	if (n && ((n->flags & NODE_CHANGED) || !node_is_clean(n)))
		return 1;
	if (!node_entry_has_own(e))
		return 0;
	r = node_is_ignored_folder_locked(dir, e->name);
	return r < 0 ? r : !r;
}

static int apply_to_entry_locked(struct node *dir, struct entry *e,
				 struct todo *todo)
{
	struct node *n;
	int r;

	if (!e->live || e->mode == MODE_SUBMODULE)
		return 0;
	if (e->mode != MODE_TREE)
		return apply_to_file_locked(dir, e);
	r = is_concerned_locked(dir, e);
	if (r < 1)
		return r;
	r = node_load_locked(dir, e, &n);
	if (r < 0)
		return r;
	r = push(todo, n);
	node_put_locked(n);
	return r;
}

static int apply_to(struct node *dir, struct todo *todo)
{
	SCOPED_WRITE(&dir->worktree->lock);
	int r = worktree_check_writable(dir->worktree);

	/* there is nothing to be decided any more */
	if (r < 0 || dir->removed)
		return 0;
	r = node_open_directory_locked(dir);
	if (r < 0 || node_is_typed(dir))
		return r;
	for (uint32_t i = 0; i < dir->directory->count && r == 0; i++)
		r = apply_to_entry_locked(dir, &dir->directory->entries[i],
					  todo);
	return r;
}

static bool has_stale(struct worktree *w)
{
	SCOPED_READ(&w->lock);
	SCOPED_LOCK(&w->state);

	return w->stale_count;
}

int worktree_apply_rules(struct worktree *w)
{
	scoped(todo_release) struct todo todo = { 0 };
	int r = has_stale(w) ? take_stale(w, &todo) : 0;

	while (r == 0 && todo.count) {
		struct node *dir = todo.dir[--todo.count];

		r = apply_to(dir, &todo);
		node_unref(dir);
	}
	if (r == -ENOMEM) {
		SCOPED_WRITE(&w->lock);
		add_stale(w, w->root);
	}
	return r;
}
