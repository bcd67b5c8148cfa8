/* SPDX-License-Identifier: ISC */
#include "store/inside_private.h"
#include "store/git_index.h"
#include "store/ignore.h"
#include "store/tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Git committed in the folder of a branch, and the daemon died before it followed.
 * What files held that nobody had synced is lost, but what git committed of them is
 * not.  Of a path that both have, the later one counts: git's index says of which
 * state of the file its commit is (time of change), and the branch of which state the
 * last cut was. */

static void free_times(struct git_index_times **times)
{
	git_index_times_free(*times);
}

struct recovery {
	struct inside_following following;
	bool clean;			/* no cut came after what git began with */
	bool rules;			/* .gitignore alone is looked at */
	size_t refused;			/* paths that were not newer */
	struct oid base;		/* tree that it began with, or zero */
	struct git_index_times *times;	/* NULL: cannot be read */
};

/* ---- one path ---- */

/* Whether it is not there, or no such object, in a tree. */
static int differs(struct odb *odb, const struct oid *tree, const char *path,
		   const struct tree_entry *entry)
{
	struct tree_entry there;
	int r = oid_is_zero(tree) ? -ENOENT :
				    tree_resolve(odb, tree, path, &there);

	if (r == -ENOENT || r == -ENOTDIR)
		return entry->mode != 0;
	return r < 0 ? r : there.mode != entry->mode ||
			   !oid_equal(&there.oid, &entry->oid);
}

/* What is at the path, or the folder that is nearest to it: that has changed since it
 * is not there any more. */
static int find_nearest(struct worktree *w, const char *path, struct node **ret)
{
	scoped_free char *nearest = strdup(path);
	char *slash = nearest;
	int r = nearest ? -ENOENT : -ENOMEM;

	while (slash && (r == -ENOENT || r == -ENOTDIR)) {
		r = worktree_lookup(w, nearest, ret);
		slash = strrchr(nearest, '/');
		if (slash)
			*slash = '\0';
	}
	if (r != -ENOENT && r != -ENOTDIR)
		return r;
	*ret = worktree_root(w);
	return 0;
}

/* Whether git's is of a later state: more than 0; of an earlier one: less; 0: nobody
 * knows. */
static int compare_times(struct recovery *r, const char *path,
			 const struct delta_entry *theirs)
{
	struct timespec staged;
	struct node *n;
	struct stat st;
	bool known;

	if (theirs->kind != DELTA_OBJECT || !r->times ||
	    !git_index_times_find(r->times, path, &theirs->oid, &staged) ||
	    find_nearest(r->following.b->worktree, path, &n) < 0)
		return 0;
	known = node_stat(n, &st) == 0;
	node_unref(n);
	if (!known)
		return 0;
	if (staged.tv_sec != st.st_ctim.tv_sec)
		return staged.tv_sec > st.st_ctim.tv_sec ? 1 : -1;
	if (staged.tv_nsec != st.st_ctim.tv_nsec)
		return staged.tv_nsec > st.st_ctim.tv_nsec ? 1 : -1;
	return 0;
}

/* Whether we have something else there than git began with. */
static int differs_here(struct recovery *r, const char *path)
{
	struct odb *odb = r->following.b->store->odb;
	struct tree_entry ours = { 0 };
	int result = tree_resolve(odb, &r->following.ours.tree, path, &ours);

	if (result < 0 && result != -ENOENT && result != -ENOTDIR)
		return result;
	return differs(odb, &r->base, path, &ours);
}

/* As a merge does, but that what is synced wins where both changed it, unless it is
 * a removal.  1: git's; 0: ours. */
static int compare_base(struct recovery *r, const char *path,
			const struct delta_entry *entry)
{
	struct inside_following *f = &r->following;
	struct odb *odb = f->b->store->odb;
	struct tree_entry theirs = { 0 };
	int differ;

	if (entry->kind == DELTA_OBJECT) {
		theirs.mode = mode_is_rope(entry->mode) ? MODE_TREE
							: entry->mode;
		theirs.oid = entry->oid;
	}
	differ = differs(odb, &r->base, path, &theirs);
	if (differ <= 0)
		return differ;
	differ = differs(odb, &f->ours.tree, path, &(struct tree_entry){ 0 });
	if (differ == 1)
		differ = differs_here(r, path);
	return differ < 0 ? differ : !differ;
}

static int is_newer(struct recovery *r, const char *path,
		    const struct delta_entry *entry)
{
	int order;

	if (r->rules && strcmp(entry->name, IGNORE_NAME) != 0)
		return 0;
	order = r->clean ? differs_here(r, path) : 1;
	if (order <= 0)
		return order < 0 ? order : 1;
	order = compare_times(r, path, entry);
	return order ? order > 0 : compare_base(r, path, entry);
}

/* ---- all paths ---- */

static int choose(struct recovery *r, const char *folder,
		  const struct delta *delta, struct delta **ret);

static int add(struct delta *to, const struct delta_entry *entry,
	       struct delta **below)
{
	struct delta_entry *added = delta_add(to, below && *below ?
			DELTA_DIRECTORY : entry->kind, entry->mode, entry->name);

	if (!added)
		return -ENOMEM;
	added->oid = entry->oid;
	if (below)
		added->directory = STEAL(*below);
	return 0;
}

static bool is_directory(struct recovery *r, const char *path)
{
	struct node *n;
	bool is;

	if (worktree_lookup(r->following.b->worktree, path, &n) < 0)
		return false;
	is = S_ISDIR(node_type(n));
	node_unref(n);
	return is;
}

/* A directory that is here no more, as all in it may have been removed: whole, or
 * what is newer. */
static int choose_tree(struct recovery *r, const char *path,
		       const struct delta_entry *entry, struct delta *to)
{
	scoped_delta struct delta *all = NULL, *below = NULL;
	size_t refused = r->refused;
	int result = delta_between(r->following.b->store->odb, &oid_empty_tree,
				   &entry->oid, &all);

	if (result == 0)
		result = choose(r, path, all, &below);
	if (result < 0 || !below->count)
		return result;
	if (r->refused == refused)
		return add(to, entry, NULL);
	below->complete = !is_directory(r, path);
	return add(to, entry, &below);
}

static int choose_entry(struct recovery *r, const char *path,
			const struct delta_entry *entry, struct delta *to)
{
	scoped_delta struct delta *below = NULL;
	int newer;

	if (entry->kind == DELTA_OBJECT && entry->mode == MODE_TREE)
		return choose_tree(r, path, entry, to);
	if (entry->kind == DELTA_DIRECTORY) {
		newer = choose(r, path, entry->directory, &below);
		return newer < 0 || !below->count ? newer :
						    add(to, entry, &below);
	}
	newer = is_newer(r, path, entry);
	r->refused += newer == 0;
	return newer > 0 ? add(to, entry, NULL) : newer;
}

/* What of delta, which leads to git's commit, is newer than what is here. */
static int choose(struct recovery *r, const char *folder,
		  const struct delta *delta, struct delta **ret)
{
	scoped_delta struct delta *chosen = delta_new(false);
	int result = chosen ? 0 : -ENOMEM;

	for (size_t i = 0; result == 0 && i < delta->count; i++) {
		const struct delta_entry *entry = &delta->entries[i];
		scoped_buffer struct buffer path = { 0 };

		result = buffer_printf(&path, "%s%s%s", folder,
				       *folder ? "/" : "", entry->name);
		if (result == 0)
			result = choose_entry(r, path.data, entry, chosen);
	}
	if (result == 0)
		*ret = STEAL(chosen);
	return result;
}

/* ---- one branch ---- */

static int open_times(struct recovery *r)
{
	struct branch *b = r->following.b;
	scoped_free char *path = NULL;

	if (asprintf(&path, "%s/" PRIVATE_FOLDER "/git/%llu/index",
		     git_repo_path(b->store->repo),
		     (unsigned long long)b->incarnation) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (git_index_times_read(path, &r->times) < 0)
		r->times = NULL;
	return 0;
}

static int tree_of(struct odb *odb, const struct oid *commit, struct oid *ret)
{
	scoped_commit struct commit *c = NULL;
	int r = commit_read(odb, commit, &c);

	if (r == 0)
		*ret = c->tree;
	return r;
}

/* A commit on top of ours. */
static int commit(struct inside_following *f, const struct delta *delta,
		  const char *text, const struct oid *parent)
{
	struct branch *const about[] = { f->b };
	struct record record;
	int r = branch_commit_record(f->b, f->identity, text, delta, parent,
				     &record);

	if (r < 0)
		return r;
	r = branch_switch(f->b, &f->ours, delta, &record, 1, about, 1,
			  &f->sequence, f->report);
	records_release(&record, 1);
	return r;
}

/* Our commits stay, beside git's. */
static int join(struct inside_following *f, const struct delta *delta)
{
	const struct merge_result nothing = { 0 };
	scoped_buffer struct buffer text = { 0 };
	int r = branch_merge_text("outside", f->name, &nothing, &text);

	return r < 0 ? r : commit(f, delta, text.data, f->seen);
}

/* What leads to git's commit, where that is newer. */
static int choose_all(struct recovery *r, struct delta **ret)
{
	struct inside_following *f = &r->following;
	scoped_delta struct delta *delta = NULL;
	int result = delta_between(f->b->store->odb, &f->ours.tree, &f->tree,
				   &delta);

	return result < 0 ? result : choose(r, "", delta, ret);
}

/* Rules of git's commit, so that it is known what they ignore. */
static int bring_rules(struct recovery *r)
{
	struct inside_following *f = &r->following;
	scoped_delta struct delta *rules = NULL;
	int result;

	r->rules = true;
	result = choose_all(r, &rules);
	r->rules = false;
	if (result < 0 || !rules->count)
		return result;
	result = delta_store(rules, f->b->store->odb, &f->ours.tree);
	if (result == 0)
		result = commit(f, rules, NULL, NULL);
	return result == -ENOTEMPTY ? 0 : result;
}

/* What is ignored, but git committed, is Git's, and the reverse. */
static int bring_ignored(struct recovery *r)
{
	struct inside_following *f = &r->following;
	scoped_delta struct delta *delta = NULL;
	int result = delta_between(f->b->store->odb, &f->ours.tree, &f->tree,
				   &delta);

	if (result < 0)
		return result;
	branch_apply_rules(f->b);
	result = worktree_track(f->b->worktree, delta);
	return result < 0 ? result : inside_untrack(f);
}

static int look(struct recovery *r, const struct caller *caller)
{
	struct inside_following *f = &r->following;
	int result = branch_look(f->b, caller, &f->ours, f->report);

	r->clean = result == 0 && oid_equal(&f->ours.commit, f->before);
	if (result == 0)
		result = bring_rules(r);
	if (result == 0)
		result = bring_ignored(r);
	return result < 0 ? result :
			    branch_look(f->b, caller, &f->ours, f->report);
}

static int switch_to(struct recovery *r, struct delta *delta)
{
	struct inside_following *f = &r->following;
	int result = delta_store(delta, f->b->store->odb, &f->ours.tree);

	if (result == 0)
		result = inside_check_automatic(f);
	if (result == -ENOTSUP)
		return join(f, delta);
	return result < 0 ? result : inside_move(f, delta, &delta->oid);
}

static int recover(struct recovery *r, const struct caller *caller)
{
	struct inside_following *f = &r->following;
	scoped_delta struct delta *nothing = delta_new(false);
	scoped_delta struct delta *newer = NULL;
	struct odb *odb = f->b->store->odb;
	int result = nothing ? tree_of(odb, f->seen, &f->tree) : -ENOMEM;

	if (result == 0 && !oid_is_zero(f->before))
		result = tree_of(odb, f->before, &r->base);
	if (result == 0)
		result = open_times(r);
	if (result == 0)
		result = look(r, caller);
	if (result == 0)
		result = choose_all(r, &newer);
	if (result < 0)
		return result;
	result = switch_to(r, newer);
	/* something that Git cannot hold stands there */
	return result == -ENOTEMPTY ? switch_to(r, nothing) : result;
}

int inside_recover(struct branch *b, const struct outside_change *change,
		   const struct caller *caller,
		   const struct identity *identity, uint64_t *ret_sequence,
		   struct report *report)
{
	scoped(free_times) struct git_index_times *times = NULL;
	struct recovery recovery = {
		.following = {
			.b = b, .name = change->name, .identity = identity,
			.before = &change->before, .seen = &change->seen,
			.report = report,
		},
	};
	int r;

	b->git_waits = true;
	r = recover(&recovery, caller);
	times = recovery.times;
	if (r < 0)
		return r;
	b->git_waits = b->git_died = false;
	*ret_sequence = recovery.following.sequence;
	return 0;
}

/* ---- all branches ---- */

static struct branch *find(struct store *store, uint64_t incarnation)
{
	SCOPED_LOCK(&store->lock);
	struct branch *b = store_find_incarnation_locked(store, incarnation);

	return b ? branch_ref(b) : NULL;
}

static int settle(struct branch *b, const struct outside_change *change,
		  struct report *report)
{
	struct store *store = b->store;
	struct caller caller = {
		.uid = store->options.uid, .gid = store->options.gid,
		.operation = "outside",
	};
	struct branch_tries tries = { .b = b };
	struct identity identity;
	uint64_t sequence;
	int r = identity_init(&identity, store, &caller);
	SCOPED_HOLD(store->odb);

	if (r < 0)
		return r;
	pthread_mutex_lock(&store->merging);
	b->git_died = true;
	r = -EAGAIN;
	while (r == -EAGAIN && branch_try(&tries))
		r = inside_recover(b, change, &caller, &identity, &sequence,
				   report);
	branch_tries_end(&tries);
	pthread_mutex_unlock(&store->merging);
	identity_release(&identity);
	return r < 0 ? r : store_wait(store, sequence, report);
}

static int visit(void *context, const struct outside_change *change)
{
	struct store *store = context;
	struct report report = { "" };
	struct branch *b;
	int r;

	if (!change->branch || !inside_moved(store, change->branch,
					     &change->before, &change->seen))
		return 0;
	b = find(store, change->branch);
	r = b ? settle(b, change, &report) : 0;
	branch_unref(b);
	if (r < 0)
		log_warning("branch %s does not follow yet what git committed in "
			    "its folder: %s", change->name,
			    *report.text ? report.text : strerror(-r));
	return 0;
}

void inside_recover_all(struct store *store)
{
	int r = 0;

	if (inside_has(store->private_fd, "git"))
		r = engine_look_outside(store->engine, NULL, visit, store);
	if (r < 0)
		log_error("refs of the repository cannot be read: %s",
			  strerror(-r));
}
