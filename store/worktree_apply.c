/* SPDX-License-Identifier: ISC */
#include "store/ignore.h"
#include "store/worktree_names.h"
#include "store/worktree_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS_MAX 8

/* ---- carrying out a plan ---- */

/* As worktree_epoch_locked, in two steps. */
static int reserve_time(struct worktree *w)
{
	struct timespec *times;

	if (w->time_count == EPOCHS_MAX)
		return 0;
	times = reallocarray(w->times, w->time_count + 1, sizeof(*times));
	if (!times)
		return -ENOMEM;
	w->times = times;
	return 0;
}

static unsigned int add_time(struct worktree *w, const struct timespec *now)
{
	if (w->time_count < EPOCHS_MAX)
		w->time_count++;
	w->times[w->time_count - 1] = *now;
	return w->time_count - 1;
}

/* -ENOMEM, -ENOSPC. */
static int reserve_locked(struct plan *plan)
{
	int r = reserve_time(plan->worktree);

	for (size_t i = 0; i < plan->touched_count && r == 0; i++) {
		struct touched *touched = &plan->touched[i];

		if (touched->gone)
			continue;
		if (touched->dir->directory)
			r = directory_reserve(touched->dir->directory,
					      touched->changes);
		if (r == 0)
			r = attributes_reserve(touched->dir, &touched->spare);
	}
	return r;
}

static void put(struct step *step, unsigned int epoch,
		const struct timespec *now)
{
	struct directory *d = step->dir->directory;
	struct entry *e = directory_find_live(d, step->name);
	struct attributes *a = step->attributes;

	if (e) {
		struct node *old = e->node;

		directory_supersede(d, e, false);
		if (old)
			node_detach_locked(old, STEAL(step->name));
	} else {
		e = directory_put(d, &step->name);
	}
	if (step->place)
		places_set(d, e, STEAL(step->place));
	directory_set_mode(d, e, step->mode);
	e->oid = step->oid;
	if (a && step->touched) {
		a->atime = a->mtime = a->ctime = *now;
		a->known |= LOCAL_TIMES;
	}
	/* it has a row, but for what only .gitattributes name */
	e->captured = step->dir->worktree->options.local &&
		      (a || !step->unstored);
	e->attributes = STEAL(step->attributes);
	e->epoch = step->dated ? step->epoch : epoch;
	directory_set_own(d, e, step->own);
	/* rules here may be others than where it comes from */
	if (step->own || node_entry_has_own(e))
		node_look_again(step->dir);
	directory_set_stored(d, e, !step->unstored && !step->own);
}

/* Replaces attributes of what stays, and stays one of several names. */
static void set(struct attributes **at, struct attributes *to,
		const struct timespec *now)
{
	const struct local *before = *at ? (*at)->local : NULL;

	if (*at)
		to->atime = (*at)->atime;
	if (before && to->local && (before->bits & LOCAL_GROUP)) {
		to->local->group = before->group;
		to->local->bits |= LOCAL_GROUP;
	}
	to->ctime = *now;
	attributes_free(*at);
	*at = to;
}

static void set_facts(struct step *step, const struct timespec *now)
{
	struct entry *e = directory_find_live(step->dir->directory, step->name);
	struct node *n = node_target(e->node);

	set(n ? &n->attributes : &e->attributes, STEAL(step->attributes), now);
	/* its other names have them too */
	if (n && n->linked)
		node_mark_attributes(n);
}

static void take_away(struct step *step)
{
	struct directory *d = step->dir->directory;
	struct entry *e = directory_find_live(d, step->name);
	struct node *old = e->node;

	directory_remove(d, e, false);
	if (old)
		node_detach_locked(old, STEAL(step->name));
}

/* What came into a directory of which Git had nothing has the time of what
 * surrounds it there: that of the directory, when it is captured. */
static void date_contents(struct touched *touched, unsigned int epoch)
{
	struct node *dir = touched->dir;

	if (!dir->parent || !node_git_has_nothing(&dir->oid) ||
	    node_git_has_nothing(&touched->oid))
		return;
	dir->epoch = node_entry(dir)->epoch = epoch;
}

/* The directory now equals its tree, but for what is CHANGED in it.  What is
 * adopted of captures before this does not concern it any more. */
static void finish(struct touched *touched, unsigned int epoch,
		   const struct timespec *now)
{
	struct node *dir = touched->dir;

	/* without memory for that they are in order when they are loaded again */
	if (node_is_typed(dir) && touched->changes)
		places_sort(dir->directory);
	if (touched->facts)
		set(&dir->attributes, STEAL(touched->facts), now);
	if (touched->changes || touched->unread)
		attributes_touch(dir, &touched->spare, now);
	if (touched->aside)
		return;
	date_contents(touched, epoch);
	dir->oid = touched->oid;
	dir->flags &= ~NODE_PENDING;
	dir->stamp = dir->worktree->number;
	if (dir->parent)
		directory_set_stored(dir->parent->directory, node_entry(dir),
				     !node_git_has_nothing(&dir->oid));
	/* the table of its facts is not known yet: a capture will tell */
	if (dir->worktree->options.local) {
		node_mark(dir, true);
		if (dir->parent)
			node_entry(dir)->captured = 1;
	}
	node_settle_locked(dir);
}

static void execute_locked(struct plan *plan)
{
	struct worktree *w = plan->worktree;
	struct timespec now = w->apply_time;
	unsigned int epoch;

	w->number++;
	epoch = add_time(w, &now);
	for (size_t i = 0; i < plan->step_count; i++) {
		node_rules_changed(plan->steps[i].dir,
				   node_rules_of_name(plan->steps[i].name));
		if (plan->steps[i].kind == STEP_PUT)
			put(&plan->steps[i], epoch, &now);
		else if (plan->steps[i].kind == STEP_REMOVE)
			take_away(&plan->steps[i]);
		else if (plan->steps[i].kind == STEP_FACTS)
			set_facts(&plan->steps[i], &now);
	}
	for (size_t i = plan->touched_count; i-- > 0;)
		if (!plan->touched[i].gone)
			finish(&plan->touched[i], epoch, &now);
}

struct timespec worktree_apply_time(struct worktree *w)
{
	return w->apply_time;
}

int worktree_epoch_locked(struct worktree *w, const struct timespec *time)
{
	int r;

	for (unsigned int i = 0; i < w->time_count; i++)
		if (w->times[i].tv_sec == time->tv_sec &&
		    w->times[i].tv_nsec == time->tv_nsec)
			return i;
	r = reserve_time(w);
	return r < 0 ? r : (int)add_time(w, time);
}

/* ---- files that are being written ---- */

static const struct delta_entry *find(const struct delta *delta,
				      const char *name, size_t length)
{
	for (size_t i = 0; i < delta->count; i++)
		if (strncmp(delta->entries[i].name, name, length) == 0 &&
		    delta->entries[i].name[length] == '\0')
			return &delta->entries[i];
	return NULL;
}

/* Whether a tree's entry at a path is not n as it is stored. */
static bool differs(const struct node *n, const struct oid *tree,
		    const char *path)
{
	struct tree_entry entry;

	if ((n->flags & NODE_CHANGED) || !node_is_clean(n) ||
	    tree_resolve(n->worktree->options.odb, tree, path, &entry) < 0)
		return true;
	return entry.mode != mode_stored(node_git_mode(n)) ||
	       !oid_equal(&entry.oid, &n->oid);
}

/* Whether a delta replaces or takes away n, a file at path. */
static bool concerns(const struct delta *delta, const char *path,
		     const struct node *n)
{
	for (;;) {
		size_t length = strcspn(path, "/");
		const struct delta_entry *entry = find(delta, path, length);
		bool last = !path[length];

		if (!entry)
			return delta->complete;
		path += length + !last;
		switch (entry->kind) {
		case DELTA_REMOVED:
		case DELTA_CONTENTS:
			return true;
		case DELTA_OBJECT:
			if (last && entry->same)
				return false;
			if (last)
				return (n->flags & NODE_CHANGED) ||
				       !node_is_clean(n) ||
				       mode_stored(entry->mode) !=
					       mode_stored(node_git_mode(n)) ||
				       !oid_equal(&entry->oid, &n->oid);
			return entry->mode != MODE_TREE ||
			       differs(n, &entry->oid, path);
		case DELTA_DIRECTORY:
			if (last)
				return true;
			delta = entry->directory;
			break;
		}
	}
}

static struct node *refer(struct node *n)
{
	n->refs++;
	return n;
}

/* Puts the path of one name in *first if the delta concerns it and no smaller one
 * is there. */
static int note_busy(struct node *name, const struct delta *delta, char **first)
{
	scoped_free char *path = node_make_path(name);
	scoped_free char *stored = node_make_stored_path(name);

	if (!path || !stored)
		return -ENOMEM;
	if (name->removed || !concerns(delta, stored, node_target(name)) ||
	    (*first && strcmp(path, *first) >= 0))
		return 0;
	free(*first);
	*first = STEAL(path);
	return 0;
}

/* The first path that is open for writing and that the delta concerns, or
 * NULL. */
static int busy_path_locked(struct worktree *w, const struct delta *delta,
			    char **ret_path)
{
	scoped_free struct node **nodes = NULL;
	scoped_free char *first = NULL;
	size_t count;
	int r = worktree_collect_writers(w, refer, &nodes, &count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		struct node *name = links_others(nodes[i]);

		r = r < 0 ? r : note_busy(nodes[i], delta, &first);
		for (; r == 0 && name; name = name->next_name)
			r = note_busy(name, delta, &first);
		node_put_locked(nodes[i]);
	}
	if (r == 0)
		*ret_path = STEAL(first);
	return r;
}

char *worktree_busy_path(struct worktree *w, const struct delta *delta)
{
	SCOPED_WRITE(&w->lock);
	char *path = NULL;

	busy_path_locked(w, delta, &path);
	return path;
}

/* The path of n if it is an element that is being made in the queue at a path. */
static char *pending_path(const struct node *n, const char *queue)
{
	char *path = !n->pending ? NULL : n->unlinked ? node_make_path(n) :
							shelf_path(n);
	size_t length = strlen(queue);

	if (path && strncmp(path, queue, length) == 0 && path[length] == '/')
		return path;
	free(path);
	return NULL;
}

/* *path is a queue's: makes it that of an element that is being made there, where
 * it is known. */
static void name_pending_locked(struct worktree *w, char **path)
{
	scoped_free struct node **nodes = NULL;
	scoped_free char *found = NULL;
	size_t count;

	if (worktree_collect_writers(w, refer, &nodes, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		if (!found)
			found = pending_path(nodes[i], *path);
		node_put_locked(nodes[i]);
	}
	if (!found)
		return;
	free(*path);
	*path = STEAL(found);
}

/* ---- applying ---- */

static int check_locked(struct plan *plan, struct worktree *w,
			const struct delta *delta, char **ret_path)
{
	int r;

	if (w->refusal == -ENOENT)
		return -ENOENT;
	r = busy_path_locked(w, delta, ret_path);
	if (r < 0)
		return r;
	if (*ret_path)
		return -EBUSY;
	r = plan_make_locked(plan, w, delta);
	if (r == -EAGAIN || r == -ENOTEMPTY || r == -EBUSY) {
		*ret_path = strdup(plan->path.data);
		if (!*ret_path)
			return -ENOMEM;
	}
	if (r == -EBUSY)
		name_pending_locked(w, ret_path);
	return r;
}

static int check(struct plan *plan, struct worktree *w,
		 const struct delta *delta, char **ret_path)
{
	SCOPED_WRITE(&w->lock);

	return check_locked(plan, w, delta, ret_path);
}

struct applying {
	struct worktree *w;
	const struct delta *delta;
	const struct worktree_watch *watch;
	struct worktree_names *names;	/* or NULL */
	worktree_take *take;
	void *context;
};

static int announce(const struct applying *a, const struct plan *plan)
{
	const struct worktree_watch *watch = a->watch;
	int r = a->names ? names_add_plan(a->names, plan) : 0;

	if (r < 0)
		return r;
	if (r && a->names->silent)
		return -EAGAIN;
	if (a->names)
		worktree_names_announce(a->names, watch);
	for (size_t i = 0; !a->names && watch && i < plan->step_count; i++)
		watch->changing(watch->context, plan->steps[i].dir,
				plan->steps[i].name);
	return 0;
}

static void tell_changed(const struct plan *plan,
			 const struct worktree_watch *watch)
{
	for (size_t i = 0; i < plan->touched_count; i++)
		watch->changed(watch->context, plan->touched[i].dir);
	for (size_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].node)
			watch->changed(watch->context, plan->steps[i].node);
	for (size_t i = 0; i < plan->linked_count; i++)
		watch->changed(watch->context, plan->linked[i]);
}

/* 1: other names would change than were announced, which `known` has; *plan has
 * them. */
static int commit(const struct applying *a, struct plan *plan,
		  const struct plan *known, char **ret_path)
{
	struct worktree *w = a->w;
	SCOPED_WRITE(&w->lock);
	int r = check_locked(plan, w, a->delta, ret_path);

	if (r < 0)
		return r;
	if (a->names ? !names_have_plan(a->names, plan) :
		       !plan_is_same(plan, known))
		return 1;
	r = reserve_locked(plan);
	w->options.clock(&w->apply_time);
	if (r == 0)
		r = a->take(a->context, NULL);
	if (r < 0)
		return r;
	execute_locked(plan);
	return 0;
}

/* Names are announced without locks, so other ones may be due when the lock is
 * there again; then those are announced. */
static int announce_and_commit(const struct applying *a, struct plan *plan,
			       char **ret_path)
{
	for (int i = 0; i < ATTEMPTS_MAX; i++) {
		struct plan next = { 0 };
		int r = announce(a, plan);

		if (r < 0)
			return r;
		r = commit(a, &next, plan, ret_path);
		plan_release(plan);
		*plan = next;
		if (r <= 0)
			return r;
	}
	return -EAGAIN;
}

static int apply(const struct applying *a, char **ret_path)
{
	scoped(plan_release) struct plan plan = { 0 };
	const struct worktree_watch *watch = a->watch;
	char *path = NULL;
	int r = check(&plan, a->w, a->delta, &path);

	if (r == 0) {
		if (watch && !a->names)
			watch->begin(watch->context);
		r = announce_and_commit(a, &plan, &path);
		if (r == -EAGAIN && !path)
			path = strdup("");
		if (watch && r == 0)
			tell_changed(&plan, watch);
		if (r == 0)
			worktree_apply_types(a->w, false,
					     watch ? watch->retyped : NULL,
					     watch ? watch->context : NULL);
		if (watch && !a->names)
			watch->end(watch->context);
	}
	if (path)
		*ret_path = path;
	return r;
}

int worktree_apply(struct worktree *w, const struct delta *delta,
		   const struct worktree_watch *watch, worktree_take *take,
		   void *context, char **ret_path)
{
	const struct applying a = {
		.w = w, .delta = delta, .watch = watch, .take = take,
		.context = context,
	};

	return apply(&a, ret_path);
}

int worktree_apply_again(struct worktree *w, const struct delta *delta,
			 const struct worktree_watch *watch,
			 struct worktree_names *names, worktree_take *take,
			 void *context, char **ret_path)
{
	const struct applying a = {
		.w = w, .delta = delta, .watch = watch, .names = names,
		.take = take, .context = context,
	};

	return apply(&a, ret_path);
}
