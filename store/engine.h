/* SPDX-License-Identifier: ISC */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include "store/commit.h"
#include "store/delta.h"
#include "store/table.h"

/* The commit engine: all that is known above of durability.
 *
 *   cut      queues records of any branches: cheap, in order, atomic
 *   wait     returns when they are durable
 *   publish  returns when they are in Git
 *   open     the branch table as the last mount left it
 *
 * Order: records take effect in the order of engine_cut calls; all records of
 * one cut take effect together or, after a crash, not at all.
 *
 * A cut is durable when its frame in the journal is flushed, which who waits for
 * it does (for all that wait at that moment), or when it is published: turned
 * into Git objects and refs, which a thread does in the background.  What cannot
 * be journaled, or where there is no journal, is published at once.
 */

struct engine;
struct engine_storage;
struct journal_files;
struct pool;

enum record_kind {
	RECORD_COMMIT,		/* delta over the branch's state, a new commit */
	RECORD_MOVE,		/* the branch's head becomes commit `oid` */
	RECORD_MAKE,		/* new branch name with an empty root commit */
	RECORD_FORK,		/* new branch name at `from`'s state, or at `oid`
				 * when from is 0 */
	RECORD_RENAME,		/* the branch gets name */
	RECORD_SWAP,		/* the branch and `from` swap names */
	RECORD_DROP,		/* the branch goes to the dropped ones */
	RECORD_RESTORE,		/* a dropped branch comes back as name */
	RECORD_EXPIRE,		/* a dropped branch is forgotten */
	RECORD_OUTSIDE,		/* the ref was moved to commit `oid` by another
				 * program, which need not stay there */
	RECORD_CONFLICTS,	/* `conflicts` replaces the report of the branch's
				 * merge into `from`; NULL removes it */
};

/* Pointers are owned by the cut. */
struct record {
	enum record_kind kind;
	uint64_t branch;		/* incarnation; of the new one for MAKE
					 * and FORK (table_new_incarnation) */
	uint64_t from;			/* another incarnation, see above */
	char *name;
	struct oid oid;
	struct delta *delta;
	/* COMMIT: tree is ignored; parents are those after the head.  Without a
	 * message one is made of the delta and the trailers when it is
	 * published; such a commit may become part of the branch's next one. */
	struct commit *commit;
	char *trailers;
	bool last;		/* nothing later may become part of this commit */
	/* It names objects that are not in Git yet, so it has to be published. */
	bool direct;
	struct conflict_report *conflicts;
	/* COMMIT and MOVE that merge another branch: the root of its local face,
	 * or zero; the branch is `from`, and its commit `oid`, of COMMIT too.
	 * MOVE has a delta then: what changes in the branch. */
	struct oid face;
	/* When what it brings from elsewhere came into the work tree (COMMIT that
	 * is direct, MOVE); zero: the commit's time, or now. */
	struct timespec time;
	/* Results: the branch's head after this record, and the root of its
	 * local face. */
	struct oid head, local;
};

struct cut {
	struct record *records;
	size_t count;
	uint64_t sequence;	/* set by engine_cut */
	/* Made by a timer: publishing waits for the end of a burst of those. */
	bool timer;
	/* Both are called once, from the engine's thread, without locks, and must
	 * not wait for the engine; they may be NULL.  stored: the objects of all
	 * records are stored and safe and their oids set; published: they are in
	 * Git, heads are set, before waits for the cut return.  The engine frees
	 * the cut afterwards.  Neither is called for a cut that became part of
	 * the branch's next one, which has its delta then. */
	void (*stored)(void *context, struct cut *cut);
	void (*published)(void *context, struct cut *cut);
	void *context;
	struct cut *next;	/* private to the engine, as are: */
	struct cut *next_held;
	int held, error;
	bool journaled;
	bool unframed;		/* of several without frames: can have none */
	bool doubled;		/* folding: it has taken one over already */
	uint64_t first;		/* it stands for this cut and its branch's others
				 * up to sequence: all, if it has no frame */
	uint64_t *folded;	/* those of them that have frames of their own */
	size_t folded_count;
	struct table_contents *needed;	/* what these frames build on */
	size_t needed_count;
};

/* Room for count zeroed records; NULL: no memory. */
struct cut *cut_new(size_t count);
void cut_free(struct cut *cut);

/* Others than other programs that move refs: git, at work in the folder of a
 * branch (store/inside.h).  Called without locks. */
struct engine_insider {
	/* Whether the branch's ref shall not be written at present. */
	bool (*is_held)(void *context, uint64_t branch);
	/* Whether the ref was moved so in there. */
	bool (*moved)(void *context, uint64_t branch, const struct oid *before,
		      const struct oid *seen);
	void *context;
};

struct engine_options {
	struct git_repo *repo;	/* outlives the engine */
	struct odb *odb;	/* outlives it */
	struct odb *local;	/* for local faces (local_format.h), or NULL: what
				 * Git cannot hold is forgotten; outlives it */
	bool readonly;		/* cuts fail with -EROFS */
	clock_function *clock;	/* NULL: clock_real */
	bool keep_all;		/* each cut is a commit of its own */
	uint64_t pause_ns;	/* between a cut and its publishing at least;
				 * 0: 50 ms */
	/* Where the journal is, or NULL: there is none.  The engine owns it. */
	struct journal_files *journal;
	uint64_t journal_size;	/* bytes */
	const struct engine_insider *insider;	/* copied; NULL: none */
	struct pool *pool;	/* for contents that the journal brings back;
				 * outlives the engine; needed with a journal */
	/* For tests (store/engine_storage.h); outlives the engine.  NULL: repo
	 * and its folder irminfs. */
	struct engine_storage *storage;
};

/* Reads the table, brings back and publishes what the journal has beyond it (a
 * read-only engine leaves that alone and warns), reconciles it with the refs (what
 * moved outside while nobody had the store is adopted; where both sides moved
 * apart, or it would cover something that Git does not have, or git inside moved
 * the ref, branch and ref are left alone: engine_look_outside tells of it.  If
 * history is damaged or the engine read-only, it is adopted, and commits of ours
 * are kept as branch NAME.mine-N, and the log says so), starts the engine's
 * thread.
 * A read-only engine does so in memory, writes nothing and has no thread.
 * Messages go to report.  -EUCLEAN: the table is damaged; -ENOTSUP: a newer
 * version wrote it; -ENOSPC, -EROFS, -EIO, -ENOMEM.  A damaged journal is
 * -EUCLEAN too: nothing is thrown away. */
int engine_open(const struct engine_options *options,
		struct engine **ret_engine, struct report *report);

/* Publishes what is queued, ends the thread.  0 or the error that kept
 * something from being durable; engine_free after it loses that.  No other
 * function may be running or waiting, nor called afterwards but engine_table,
 * engine_state, engine_get_stats and engine_free. */
int engine_close(struct engine *engine);
void engine_free(struct engine *engine);	/* accepts NULL; closes if need be */

/* A copy of the table as of the last durable cut; the caller frees it. */
int engine_table(struct engine *engine, struct table **ret_table);

/* A number for a new branch, never used again. */
uint64_t engine_new_incarnation(struct engine *engine);

/* Queues a cut and takes ownership of it.  Does not block.  ret_sequence counts
 * from 1.  -EROFS: the store is read-only (why is in engine_state); the cut is
 * freed. */
int engine_cut(struct engine *engine, struct cut *cut, uint64_t *ret_sequence);

/* Whether everything up to sequence is published, and the branch's head then; does
 * not block. */
bool engine_is_published(struct engine *engine, uint64_t branch,
			 uint64_t sequence, struct oid *ret_head);

/* Blocks until everything up to sequence is durable.  An error (-ENOSPC, -EIO,
 * ...) means that it is not, and that it stays queued: the next wait tries
 * again, and a timer.
 *
 * A cut that cannot be stored because what it builds on is damaged is held back
 * alone, with all later cuts of the branches that it names; waits for those fail
 * with its error, others go on without it.  After a failed flush nothing can be
 * believed: the engine is read-only until it is opened again, and waits for what
 * was queued fail with -EIO. */
int engine_wait(struct engine *engine, uint64_t sequence);

/* As engine_wait, for many at once without a thread for each: done of each in the
 * list (utlist.h, by next and prev), which may be empty, is called once with its
 * result, without locks, before this returns or from another thread that is in a
 * call of this; so some calls last until what others wait for is over.  The
 * caller's memory, until done. */
struct engine_waiter {
	void (*done)(struct engine_waiter *waiter, int result);
	/* private: */
	uint64_t sequence;
	uint64_t begun;		/* attempts to publish: what mended it came before */
	struct engine_waiter *prev, *next;
};
void engine_wait_later(struct engine *engine, struct engine_waiter *waiters,
		       uint64_t sequence);

/* Blocks until the branch's cuts up to sequence are in Git; ret_oid is its head
 * then (or later).  It may be that only the pin keeps it yet (a stuck branch).
 * -ENOENT: no such branch, live or dropped.  Errors of engine_wait. */
int engine_publish(struct engine *engine, uint64_t branch, uint64_t sequence,
		   struct oid *ret_oid);

/* Blocks until all cuts queued so far are in Git.  Errors of engine_publish; of
 * one that is held back its own. */
int engine_publish_all(struct engine *engine);

/* A ref below refs/heads/ that is not as the engine last saw or wrote it. */
struct outside_change {
	const char *name;	/* without refs/heads/ */
	uint64_t branch;	/* that has this name in Git; 0: none */
	struct oid seen;	/* what the ref is now; zero: it is gone */
	struct oid before;	/* what it was; zero: it was not there */
};

/* Calls visit, without locks, for each ref that another program changed: of that
 * name, or (NULL) of all.  Waits until nothing is being published.  What is told
 * is told again until a record settles it.  -EAGAIN: more is published all the
 * time; a negative result of visit; -ENOMEM, errors of git_refs_each. */
typedef int engine_outside_visit(void *context,
				 const struct outside_change *change);
int engine_look_outside(struct engine *engine, const char *name,
			engine_outside_visit *visit, void *context);

/* Whether engine_look_outside may have to tell of a ref of that name, which is there:
 * that it is new, or moved.  Reads that ref and does not wait. */
bool engine_may_have_news(struct engine *engine, const char *name);

/* Makes the thread try now to write refs that it could not write; returns when it
 * was tried, or after a second. */
void engine_settle_refs(struct engine *engine);

/* Outcome so far, in words in report: 0; -EROFS: the engine is read-only; the
 * error that the last attempt to store cuts failed with, until one succeeds.
 * With branch nonzero also what concerns that branch alone: the error that its
 * cuts are held back with; -ESTALE: its ref was moved outside and is not ours to
 * overwrite; -EBUSY, -EEXIST, ...: its ref cannot be written (stuck). */
int engine_state(struct engine *engine, uint64_t branch, struct report *report);

struct engine_stats {
	uint64_t cuts;		/* queued since opening */
	uint64_t journaled;	/* of them made durable by a frame */
	uint64_t flushes;	/* of the journal */
	uint64_t journal_bytes;	/* written to it */
	uint64_t published;	/* cuts in Git */
	uint64_t publishes;	/* attempts that brought some there */
	uint64_t commits;	/* made */
	uint64_t queued;	/* cuts not yet in Git */
	uint64_t held;		/* of them held back */
	uint64_t failures;	/* attempts in which some cut failed */
	uint64_t lag_us, lag_most_us;	/* of the last publish, of all: from its
					 * oldest cut to its end */
	uint64_t publish_us;	/* time spent on publishing */
};
void engine_get_stats(struct engine *engine, struct engine_stats *ret);

#endif
