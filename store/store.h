/* SPDX-License-Identifier: ISC */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "store/engine.h"
#include "store/merge.h"
#include "store/worktree.h"

/* A branch-consistent store: branches by name, each with its work tree, over
 * one Git repository.
 *
 * Lock order, outermost first; none is held during flushes, network traffic,
 * kernel notifications, or the run of a merge driver:
 *   store->merging   one merge, rename, swap, drop at a time (a mutex that is
 *                    held while merging, taken by these operations alone)
 *   store->lock      names, branches, dropped ones, conflict reports in memory
 *   worktree lock    (two trees: lower incarnation first)
 *   contents, pool   leaf locks
 *   engine->lock     leaf
 *
 * All functions may be called from any thread.  Functions with a report put one
 * sentence into it when they fail (report may be NULL).  Names of branches are
 * those of Git without refs/heads/.
 */

struct store;
struct branch;

struct store_options {
	bool create;		/* make the repository if it is absent */
	bool force;		/* branches checked out elsewhere are writable */
	bool readonly;
	bool no_housekeeping;	/* packs are left as they are made */
	unsigned int commit_seconds;	/* timer; 0: 5 */
	unsigned int driver_seconds;	/* 0: 60 */
	size_t journal;		/* bytes of the journal; 0: 64 MiB */
	bool keep_all;		/* each cut is a commit of its own */
	bool track_ignored;	/* files that .gitignore names, too */
	bool follow;		/* what other programs do to refs meanwhile */
	size_t memory;		/* bytes for changed contents and cached blobs;
				 * 0: 128 MiB */
	clock_function *clock;	/* NULL: clock_real */
	uid_t uid;		/* owner of nodes as stored */
	gid_t gid;
	const char *mountpoint;	/* written into the lock file, or NULL */
};

/* Opens and locks a store and recovers it.  When the repository cannot be
 * written it is opened read-only, and the log says so.
 * -EBUSY: another process holds it (report has its pid and mount point); errors
 * of git_repo_open and engine_open. */
int store_open(const char *path, const struct store_options *options,
	       struct store **ret_store, struct report *report);

/* Commits everything, waits, unlocks.  All branches, views and nodes must have
 * been released.  Negative: something could not be made durable (report). */
int store_close(struct store *store, struct report *report);

const char *store_path(struct store *store);
bool store_is_readonly(struct store *store);
struct git_repo *store_repo(struct store *store);
struct pool *store_pool(struct store *store);
struct engine *store_engine(struct store *store);

/* Who holds the store at path: pid and mount point (empty: none) of the running
 * process.  -ENOENT: nobody. */
int store_holder(const char *path, pid_t *ret_pid, char *ret_mountpoint,
		 size_t size);

/* Blocks until nobody holds the store.  -ETIMEDOUT. */
int store_wait_unlocked(const char *path, unsigned int seconds);

/* The front end's wishes; set after opening, and to none before it goes: waits
 * until no hook of before runs, so the caller must not keep one from ending.  watch is called for the work
 * trees that merges change; flush_mappings before a fork or merge reads a tree:
 * dirty shared mappings of files open for writing must arrive before it
 * returns; branches_changed: the listing of the folder `space` ("" for the
 * root) changed. */
struct store_front {
	struct worktree_watch watch;
	void (*flush_mappings)(void *context, struct worktree *w);
	void (*branches_changed)(void *context, const char *space);
	/* A branch whose files were in use has this name now. */
	void (*branch_moved)(void *context, const char *name);
	void (*conflicts_changed)(void *context, struct branch *branch);
};
void store_set_front(struct store *store, const struct store_front *front);

/* ---- names ---- */

/* A live branch of exactly that name; a new reference.  -ENOENT. */
int store_branch(struct store *store, const char *name,
		 struct branch **ret_branch);
struct branch *branch_ref(struct branch *b);
void branch_unref(struct branch *b);

/* Looks, cheaply where there is none, for a branch of that name or below it which
 * another program has made and the store has not noticed yet; true: it looked, and
 * may have it now.  May wait for what is being published, and for a merge. */
bool store_find_outside(struct store *store, const char *name);

/* store_branch; where there is none, after store_find_outside. */
int store_branch_anew(struct store *store, const char *name,
		      struct branch **ret_branch);

/* Whether some branch's name begins with name + "/". */
bool store_is_space(struct store *store, const char *name);

/* Direct children of a name space ("" for all), in name order: folders of
 * further names once, and branches.  A name is never both. */
typedef int store_visit(void *context, const char *name, bool is_branch);
int store_list(struct store *store, const char *space, store_visit *visit,
	       void *context);

/* All live branches, or all dropped ones; visit gets a copy of the facts. */
struct branch_facts {
	const char *name;
	struct oid head;
	uint64_t incarnation;
	int64_t dropped;		/* 0: live */
	bool changed;			/* has changes not yet committed */
	const char *readonly;		/* why, or NULL */
	size_t conflicts;		/* open ones */
	const char *stuck;		/* why its ref cannot be written, or NULL */
};
int store_each(struct store *store, bool dropped,
	       int (*visit)(void *context, const struct branch_facts *facts),
	       void *context);

/* ---- a branch ---- */

/* Copy of its present name; the caller frees it. */
char *branch_name(struct branch *b);
/* Its work tree, loaded on first use; no new reference: it lives as long as the
 * branch.  -EIO, -EUCLEAN: the commit or tree is damaged. */
int branch_worktree(struct branch *b, struct worktree **ret);
/* Why it cannot be written, in words, or NULL; static or owned by b. */
const char *branch_readonly(struct branch *b);

/* Makes the whole present state durable: a cut if anything changed, and waits.
 * Errors of engine_wait. */
int branch_sync(struct branch *b, const struct caller *caller);
/* The same, but does not wait where another call does: done is called once with
 * the result, before this returns or from that other's thread. */
void branch_sync_later(struct branch *b, const struct caller *caller,
		       void (*done)(void *context, int result), void *context);

/* As branch_sync and waits until it is in Git.  message: text of the commit, or
 * NULL for the one set before or the default.  ret_head may be NULL. */
int branch_commit(struct branch *b, const struct caller *caller,
		  const char *message, struct oid *ret_head);

/* Text for the next commit; "" removes it.  Copy of it; NULL: none. */
int branch_set_message(struct branch *b, const char *message);
char *branch_message(struct branch *b);

/* Commits all that has changes: unmounting, the timer. First error. */
int store_sync(struct store *store, const struct caller *caller);

/* Waits until all that was committed is in Git; commits nothing. */
int store_publish(struct store *store);

/* ---- branches as a whole ---- */

/* New empty branch.  -EEXIST (also when the name clashes with a name space or a
 * branch that is a prefix), -EINVAL, -ENAMETOOLONG, -EROFS. */
int store_make(struct store *store, const char *name,
	       const struct caller *caller, struct report *report);

/* New branch at the branch's present state, or at a commit.  O(changes). */
int store_fork(struct store *store, struct branch *from, const char *name,
	       const struct caller *caller, struct report *report);
int store_fork_commit(struct store *store, const struct oid *commit,
		      const char *name, const struct caller *caller,
		      struct report *report);

/* -EEXIST, -EINVAL as store_make; -EROFS: checked out elsewhere; -EBUSY: a merge
 * runs for longer than two seconds (also of store_swap and store_drop). */
int store_rename(struct store *store, struct branch *b, const char *name,
		 const struct caller *caller, struct report *report);
int store_swap(struct store *store, struct branch *a, struct branch *b,
	       const struct caller *caller, struct report *report);

/* The branch is gone at once; restore brings it back for 30 days.
 * -EBUSY: it is what HEAD of a work tree outside names. */
int store_drop(struct store *store, struct branch *b,
	       const struct caller *caller, struct report *report);
/* The branch of that name dropped last.  -ENOENT, -EEXIST. */
int store_restore(struct store *store, const char *name, const char *as,
		  const struct caller *caller, struct report *report);

/* Merges source into target.  With `consume` the source is dropped in the same
 * cut, for good: its history is in the target's.
 * 0; -ENOTEMPTY: conflicts, recorded under the source (report counts them);
 * -EBUSY: a path that would change is open for writing (report names it);
 * -EINVAL: same branch; -EROFS; -ETIMEDOUT, -ECHILD: a driver failed;
 * on failure both are as they were. */
int store_merge(struct store *store, struct branch *source,
		struct branch *target, bool consume,
		const struct caller *caller, struct report *report);

/* ---- conflicts of a branch (as the source) ---- */

/* Copies of the reports of all merges of b, oldest number first; numbers are
 * unique over a branch.  Free the array and each. */
int branch_conflicts(struct branch *b, struct conflict_report ***ret,
		     size_t *ret_count);

enum resolve_choice {
	RESOLVE_EDITED,		/* what the file holds, if it was changed */
	RESOLVE_AS_IS,		/* what the file holds */
	RESOLVE_OURS,		/* the target's side */
	RESOLVE_THEIRS,		/* the branch's own side as it was */
	RESOLVE_SUGGESTED,
};
/* Whether the branch's file is not any more what the branch had in the merge,
 * so that RESOLVE_EDITED takes it: 1 or 0; -ENOENT: no such number. */
int branch_conflict_is_touched(struct branch *b, uint32_t number,
			       const struct caller *caller);
/* Settles one conflict.  When it was the last of its report the merge is
 * finished in b (section 1 of the design): then, or when new conflicts came up,
 * report says so.  -ENOENT: no such number; -EPERM: EDITED and the file is
 * untouched; -ENODATA: nothing is suggested. */
int branch_resolve(struct branch *b, uint32_t number, enum resolve_choice choice,
		   const struct caller *caller, struct report *report);

/* ---- revisions ---- */

/* A read-only view: one per commit at a time, shared. */
struct view;

/* name: a branch's name and suffix as "main@~3" in the mount, "@v1.0", "@4f2a91c".
 * ret_fixed: names the same commit for ever (a full commit id).  Publishes the
 * branch first.  -ENOENT. */
int store_view(struct store *store, const char *name, struct view **ret_view,
	       bool *ret_fixed);
void view_unref(struct view *v);
struct worktree *view_worktree(struct view *v);
const struct oid *view_commit(struct view *v);

/* Makes refs/tags/NAME at a commit.  -EEXIST, -EINVAL. */
int store_tag(struct store *store, const struct oid *commit, const char *name,
	      struct report *report);

#endif
