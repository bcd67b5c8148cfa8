/* SPDX-License-Identifier: ISC */
#ifndef STORE_STORE_PRIVATE_H
#define STORE_STORE_PRIVATE_H

#include "store/branch_gate.h"
#include "store/message.h"
#include "store/housekeeping.h"
#include "store/store.h"

#include <stdatomic.h>

/* A full memory is an error of the caller: handle.tbl is NULL after HASH_ADD. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Inside of store.h, for store.c, branch*.c, view.c, merge_branches.c,
 * resolve.c and their like.  Lock order: store.h; further leaf locks:
 * branch->message_lock, branch->gate.lock, store->timer_lock,
 * store->people.lock.
 *
 * A change of names or branches takes effect in memory at once, under
 * store->lock, and is queued as an engine cut before that lock is given up, so
 * that both have one order.  A change of a branch's files is captured and
 * queued under its work tree's lock (in worktree_capture's or worktree_apply's
 * take).  The wait for durability comes after all locks are given up.
 */

#define SECONDS_COMMIT 5
#define SECONDS_DRIVER 60
#define SECONDS_MERGING 2
#define SECONDS_DYING 1
#define PAUSE_MERGING_NS 5000000
#define STORE_MEMORY ((size_t)128 << 20)
#define JOURNAL_BYTES_DEFAULT ((size_t)64 << 20)
#define PRIVATE_FOLDER "irminfs"
#define MESSAGE_MAX ((size_t)64 << 10)	/* bytes of a commit's message */

/* A folder of names: how many live branches have a name below it. */
struct space {
	char *name;
	size_t branches;
	UT_hash_handle hh;
};

/* A live branch's name, or a dropped one's last name. */
struct name {
	char *text;
	struct branch *branch;
	UT_hash_handle hh;
};

/* Name and address of a user, as they were in this second of the clock with the
 * repository's own configuration in this state. */
struct person {
	uid_t uid;
	int64_t second;
	struct timespec config_time;
	ino_t config_file;
	char *name, *email;	/* NULL: no one */
};

/* The name of a program, as it was at a time. */
struct program {
	pid_t pid;		/* 0: none */
	int64_t milliseconds;	/* of CLOCK_MONOTONIC_COARSE */
	char name[16];		/* as in /proc/PID/comm */
};

#define PEOPLE 8
#define PROGRAMS 64

/* An fsync must not read configuration files, nor /proc each time: those who were
 * asked for lately (identity.c). */
struct people {
	pthread_mutex_t lock;	/* leaf; guards what follows */
	struct person at[PEOPLE];
	unsigned int next;	/* place to use again */
	struct program programs[PROGRAMS];	/* by pid, modulo PROGRAMS */
};

struct store_lock;

struct store {
	/* Fixed after store_open. */
	struct git_repo *repo;
	struct odb *odb;		/* repo's */
	struct git_repo *local;		/* of local faces; NULL: none, as */
	struct odb *local_odb;		/* its */
	struct pool *pool;
	struct engine *engine;
	struct housekeeping *housekeeping;	/* NULL: none, as of */
	struct housekeeping *local_housekeeping;	/* local */
	struct store_lock *lock_file;	/* NULL: read-only */
	int private_fd;			/* irminfs/; -1: read-only */
	int temporary_fd;		/* for files of this process */
	char *driver_dir;		/* absolute; for struct merge_context */
	struct store_options options;	/* defaults filled in */
	char *mountpoint;		/* options.mountpoint's copy, or NULL */
	char *readonly;			/* why, in words; NULL: writable */
	struct ignore_file *exclude;	/* info/exclude then; or NULL */

	pthread_mutex_t merging;
	pthread_mutex_t inside_lock;	/* held while a git directory of a branch
					 * is prepared; outside of store->lock */

	pthread_mutex_t lock;		/* guards from here ... */
	struct name *names;		/* of live branches */
	struct branch *branches;	/* live and dropped, by incarnation */
	struct space *spaces;
	struct view *views;		/* by commit; no references */
	struct store_front front;
	unsigned int front_users;	/* who may be calling hooks */
	pthread_cond_t front_unused;	/* ... to here */

	_Atomic uint64_t sequence;	/* the last one queued */
	_Atomic bool closing;		/* nothing waits for git any more */
	struct people people;

	struct outside *outside;	/* by open and close alone */

	pthread_mutex_t timer_lock;	/* guards timer_end */
	pthread_cond_t timer_wake;
	pthread_t timer;
	bool timer_running;		/* by open and close alone */
	bool timer_end;
};

/* The store's hashes hold one reference, as long as the branch is in them. */
struct branch {
	struct store *store;
	uint64_t incarnation;
	_Atomic unsigned int users;
	_Atomic(struct worktree *) worktree;	/* NULL: not loaded; set once */
	_Atomic uint64_t sequence;	/* of the last cut about this branch */
	_Atomic int64_t time;		/* of its last commit, seconds */
	struct branch_gate gate;	/* for cuts by fsync and the like */
	struct branch_tries *tries;	/* store->merging: at switching it, that
					 * go on, or NULL */

	/* `git` inside of it (store/inside_private.h). */
	_Atomic int64_t git_opened;	/* `.git` was, by CLOCK_MONOTONIC in ms */
	_Atomic int64_t git_starting;	/* since when that was so all the time */
	_Atomic bool git_hidden;	/* `.git` was taken away */
	_Atomic bool git_waits;		/* the ref was moved; not followed yet: */
	_Atomic unsigned int git_hurries; /* somebody wants it followed now */
	bool git_died;			/* ... before the daemon died; merging */
	struct oid git_seen;		/* to where; these two under merging */
	int64_t git_since;		/* when that was seen, in seconds */
	bool git_known;			/* inside_lock: the folder is there, */
	struct oid git_index;		/* and what its index was brought to; */
	bool git_index_hides;		/* that has ropes or queues */

	pthread_mutex_t message_lock;	/* leaf */
	char *message;			/* for the next commit, or NULL */

	/* store->lock: */
	struct name *entry;		/* owned, also while it is in no hash */
	const char *name;		/* entry->text */
	struct oid head;		/* as last stored; zero: not yet */
	struct oid local;		/* root of its local face then */
	int64_t dropped;		/* when, seconds; 0: live */
	bool gone;			/* expired or merged away: in no hash */
	bool loaded;			/* is of an earlier mount, which may have
					 * been killed */
	bool checked;			/* `readonly` is known */
	_Atomic(char *) readonly;	/* set once; NULL: writable */
	struct conflict_report **reports;	/* of its merges into others */
	size_t report_count;
	UT_hash_handle hh;
};

/* ---- store_first.c ---- */

/* Before a repository is made at path: leaves a mark there, if there is nothing yet.
 * Where it cannot, making the repository fails too. */
void store_mark_new(const char *path);

/* Makes the first branch where the mark says so, and removes the mark.  Takes locks of
 * the store, and waits until the branch is durable; errors of store_make. */
int store_make_first(struct store *store, struct report *report);

/* ---- store_local.c ---- */

/* Opens or makes the repository of local faces. */
int store_open_local(struct store *store, struct report *report);

/* Reads rules of info/exclude, if there are any.  -ENOMEM. */
int store_read_exclude(struct store *store);

/* Of both repositories. */
void store_start_housekeeping(struct store *store);
void store_stop_housekeeping(struct store *store);

/* ---- store.c ---- */

/* A copy of what the front end asked for, which stays valid until the same thread
 * gives it up; both take store->lock. */
struct store_front store_begin_front(struct store *store);
void store_end_front(struct store *store);
/* Calls the front end's hooks; no lock may be held. */
void store_flush_mappings(struct store *store, struct branch *b);
void store_conflicts_changed(struct store *store, struct branch *b);
/* The branch got that name. */
void store_branch_moved(struct store *store, struct branch *b, const char *name);
/* The listing of every folder above name changed. */
void store_names_changed(struct store *store, const char *name);

/* Seconds of options.clock. */
int64_t store_now(struct store *store);

/* Takes store->merging, but waits for a running merge two seconds at most: the
 * kernel may hold directories for the caller that the merge has to wait for.
 * -EBUSY. */
int store_lock_merging(struct store *store, struct report *report);

/* 0, or -EROFS with the reason in report. */
int store_check_writable(struct store *store, struct report *report);

/* ---- store_engine.c ---- */

/* Opens the engine, with its journal, and loads the branch table.  Errors of
 * engine_open. */
int store_open_engine(struct store *store, struct report *report);

/* ---- branch_cut.c ---- */

/* Queues count records as one cut.  It takes over what the records own, on
 * failure too, and zeroes them.  Remembers the sequence for the store and for
 * the branches `about` (about_count of them), so that a later branch_sync of
 * them waits for this cut.  When the objects are stored, heads are noted and
 * deltas of RECORD_COMMIT adopted by the work trees.
 * Does not block; needs no lock (the caller's give the order); may be called in
 * take.  -EROFS, -ENOMEM. */
int store_queue(struct store *store, struct record *records, size_t count,
		struct branch *const *about, size_t about_count,
		uint64_t *ret_sequence);
/* Frees what records own and zeroes them. */
void records_release(struct record *records, size_t count);

/* One cut of the changes of b's work tree (if it is loaded and there are any),
 * followed by at most one extra record (or NULL), which is taken over as by
 * store_queue and queued even if nothing changed.  message: NULL for the one
 * set or the default.  other: a branch that the extra record is about too, or
 * NULL.  ret_sequence: what to wait for, the branch's last cut if nothing was
 * queued.  ret_captured (or NULL): whether there were changes.  Takes the work tree's lock; may be called under store->lock. */
struct identity;
int branch_cut(struct branch *b, const struct identity *identity,
	       const char *message, struct record *extra, struct branch *other,
	       uint64_t *ret_sequence, bool *ret_captured);

/* Rules of .gitignore that changed since.  Not for fsync; done by branch_cut. */
void branch_apply_rules(struct branch *b);

/* Captures what is changed and returns b's head once that is in Git.  -EAGAIN:
 * changes is not NULL and differs from worktree_changes at that moment. */
int branch_publish(struct branch *b, const struct caller *caller,
		   const uint64_t *changes, struct oid *ret_head);

/* Whether all that is queued about b is in Git, and its head then.  Does not
 * block; may be called under store->lock. */
bool branch_is_published(struct branch *b, struct oid *ret_head);

/* The head as far as cuts are queued, in Git; captures nothing. */
int branch_head(struct branch *b, struct oid *ret_head);

/* Waits for the last cut about b. */
int branch_wait(struct branch *b);

/* After a failure: if the engine has become read-only for good, no branch takes
 * changes any more, since they could not be saved. */
void store_notice_death(struct store *store);

/* ---- branch_each.c ---- */

/* References to all live branches, or to all dropped ones.  -ENOMEM. */
struct branch_list {
	struct branch **branch;
	size_t count;
};
int branch_list_get(struct store *store, bool dropped, struct branch_list *ret);
void branch_list_release(struct branch_list *list);

/* ---- branch.c ---- */

/* A branch that is in no hash yet; one reference. NULL: no memory. */
struct branch *branch_new(struct store *store, uint64_t incarnation,
			  const char *name);

/* ---- branch_names.c ---- */

/* A name's memory; NULL: no memory. */
struct name *name_new(const char *text);
void name_free(struct name *name);
/* Makes it the live name of b, or no name; it stays the caller's.  -ENOMEM. */
int name_insert_locked(struct store *store, struct name *name,
		       struct branch *b);
void name_remove_locked(struct store *store, struct name *name);

/* Live branch by name, live or dropped by incarnation, the last dropped one of a
 * name; no new reference. */
struct branch *store_find_locked(struct store *store, const char *name);
struct branch *store_find_incarnation_locked(struct store *store,
					     uint64_t incarnation);
struct branch *store_last_dropped_locked(struct store *store, const char *name);

/* Whether a new branch may have that name: 0, -EINVAL, -ENAMETOOLONG, -EEXIST;
 * `except` does not count (or NULL). */
int store_check_name_locked(struct store *store, const char *name,
			    struct branch *except, struct report *report);

/* Puts a live branch into the hashes, which take over the caller's reference;
 * -ENOMEM. */
int store_insert_locked(struct store *store, struct branch *b);

/* Takes b from the live names (dropped: seconds, it stays a dropped one), or,
 * with dropped 0, from everything: the caller then owns the reference of the
 * hashes and gives it up after store->lock.  Neither refuses changes of the
 * work tree: see branch_refuse. */
void store_remove_locked(struct store *store, struct branch *b,
			 int64_t dropped);

/* Changes of b's files fail with error from now on; 0: as branch_readonly says.
 * Nothing to do if the work tree is not loaded. */
void branch_refuse(struct branch *b, int error);

/* Replaces, or removes with report NULL, in memory, b's report of its merge
 * into target; takes ownership on success.  -ENOMEM. */
int branch_set_report_locked(struct branch *b, uint64_t target,
			     struct conflict_report *report);
struct conflict_report *branch_report_locked(struct branch *b, uint64_t target);

/* -EROFS with the reason in report, or 0. */
int branch_check_writable(struct branch *b, struct report *report);

/* ---- identity.c ---- */

/* Who makes a commit and when; made before any lock is taken, since it reads
 * files.  A change of the repository's own configuration shows at once, of
 * others and of passwd within a second, of a program's name (exec) within a
 * tenth of one. */
struct identity {
	struct signature author;
	char *trailers;		/* "Irmin-Operation: ...\n..." */
	bool timer;		/* the operation is the timer's */
};
int identity_init(struct identity *ret, struct store *store,
		  const struct caller *caller);
void identity_release(struct identity *identity);
void people_init(struct people *people);
void people_release(struct people *people);

/* ---- message.c ---- */

/* A commit for RECORD_COMMIT or RECORD_MAKE in b (NULL: a new branch): by
 * identity, not before b's last one; message as message_compose. */
int commit_compose(struct branch *b, const struct identity *identity,
		   const char *text, const struct delta *delta,
		   struct commit **ret_commit);
/* The same for a RECORD_COMMIT whose message is made when it is published. */
int commit_compose_later(struct branch *b, const struct identity *identity,
			 struct record *record);

/* ---- view.c ---- */

/* Commit that a name means: a branch's (published), or as store_view. */
int store_resolve(struct store *store, const char *name, struct oid *ret_commit,
		  bool *ret_fixed);

/* ---- branch_change.c ---- */

/* A branch at a commit that another program gave that name to, or that is to get
 * it; also a name that is checked out.  Errors of store_fork_commit. */
int store_adopt_commit(struct store *store, const struct oid *commit,
		       const char *name, struct report *report);

/* store_merge of what the branches are, without outside_catch_up. */
int store_merge_seen(struct store *store, struct branch *source,
		     struct branch *target, bool consume,
		     const struct caller *caller, struct report *report);

/* ---- outside.c ---- */

struct outside;
/* Follows what other programs do to refs, until it is stopped. */
int outside_start(struct store *store);
void outside_stop(struct store *store);
/* Before b is forked or merged: when another program has moved its ref, b follows
 * now, so that what was fetched is in it, and that there is no second commit of
 * what git in its folder has committed.  Takes store->merging and store->lock;
 * blocks as store_merge. */
void outside_catch_up(struct store *store, struct branch *b);

/* ---- timer.c ---- */

int timer_start(struct store *store);
void timer_stop(struct store *store);
/* Forgets branches dropped more than DROPPED_KEPT_SECONDS ago. */
void store_expire(struct store *store);

#endif
