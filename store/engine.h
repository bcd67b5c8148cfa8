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
 */

struct engine;
struct engine_storage;

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
	/* COMMIT: tree is ignored; parents are those after the head */
	struct commit *commit;
	struct conflict_report *conflicts;
	/* Result: the branch's head after this record. */
	struct oid head;
};

struct cut {
	struct record *records;
	size_t count;
	uint64_t sequence;	/* set by engine_cut */
	/* Called once when the objects of all records are stored and their oids
	 * set; from the engine's thread, without locks, before waits for the cut
	 * return.  Must not wait for the engine.  May be NULL.  The engine frees
	 * the cut afterwards.  A cut that did not fit on the disk may become
	 * part of the branch's next one, which is then published for both. */
	void (*published)(void *context, struct cut *cut);
	void *context;
	struct cut *next;	/* private to the engine, as are: */
	int held, error;
	uint64_t first;		/* it stands for cuts first ... sequence */
};

/* Room for count zeroed records; NULL: no memory. */
struct cut *cut_new(size_t count);
void cut_free(struct cut *cut);

struct engine_options {
	struct git_repo *repo;	/* outlives the engine */
	struct odb *odb;	/* outlives it */
	bool readonly;		/* cuts fail with -EROFS */
	clock_function *clock;	/* NULL: clock_real */
	/* For tests (store/engine_storage.h); outlives the engine.  NULL: repo
	 * and its folder irminfs. */
	struct engine_storage *storage;
};

/* Reads the table, reconciles it with the refs (what moved outside while
 * nobody had the store is adopted; where both sides moved apart, ours is kept
 * as branch NAME.mine-N and the log says so), starts the engine's thread.
 * A read-only engine does so in memory, writes nothing and has no thread.
 * Messages go to report.  -EUCLEAN: the table is damaged; -ENOTSUP: a newer
 * version wrote it; -ENOSPC, -EROFS, -EIO, -ENOMEM. */
int engine_open(const struct engine_options *options,
		struct engine **ret_engine, struct report *report);

/* Processes what is queued, ends the thread.  0 or the error that kept
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

/* Blocks until the branch's cuts up to sequence are in Git; ret_oid is its head
 * then (or later).  It may be that only the pin keeps it yet (a stuck branch).
 * -ENOENT: no such branch, live or dropped.  Errors of engine_wait. */
int engine_publish(struct engine *engine, uint64_t branch, uint64_t sequence,
		   struct oid *ret_oid);

/* Outcome so far, in words in report: 0; -EROFS: the engine is read-only; the
 * error that the last attempt to store cuts failed with, until one succeeds.
 * With branch nonzero also what concerns that branch alone: the error that its
 * cuts are held back with; -ESTALE: its ref was moved outside and is not ours to
 * overwrite; -EBUSY, -EEXIST, ...: its ref cannot be written (stuck). */
int engine_state(struct engine *engine, uint64_t branch, struct report *report);

struct engine_stats {
	uint64_t cuts;		/* durable */
	uint64_t flushes;	/* batches of cuts made durable */
	uint64_t commits;	/* made */
	uint64_t queued;	/* cuts not yet durable */
	uint64_t failures;	/* attempts in which some cut failed */
};
void engine_get_stats(struct engine *engine, struct engine_stats *ret);

#endif
