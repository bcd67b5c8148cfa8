/* SPDX-License-Identifier: ISC */
#ifndef STORE_ENGINE_PRIVATE_H
#define STORE_ENGINE_PRIVATE_H

#include "store/engine.h"
#include "store/engine_storage.h"
#include "store/journal.h"

/* Inside of engine.h, for engine*.c.
 *
 * Cuts move through these places, in order:
 *   queue    first ... last; up to `journaled` they have durable frames
 *   batch    the thread publishes them; nobody else sees them
 *   held     could not be applied, because what they build on is damaged; they
 *            are tried again with each batch, and stay listed meanwhile
 *
 * Frames are written by who waits for them: one at a time is the leader, and
 * takes all that are queued (engine_lead.c).  Publishing is done by the thread;
 * engine_open does it before the thread is there and engine_close when it has
 * gone.  "The thread" below means whichever of them.  A batch is
 *   1. folded; its records are applied to a copy of the table; objects are written
 *   2. the pin, if it has to change: what the new table names and no ref will
 *      hold for sure; it flushes all objects with its own
 *   3. odb_flush, if that did not do it; of the local faces' objects first
 *   4. stored(): from here on new frames may build on these objects
 *   5. the table file, with the sequence that it is of: from here on it is true,
 *      and frames up to there do not count
 *   6. refs, HEAD; what they became is noted in the table in memory, whose next
 *      write records it (a second later if there is no other reason)
 *   7. published(), then waits return
 *
 * A crash before 5 leaves unreferenced objects, after 5 refs that are behind,
 * which engine_reconcile writes.
 *
 * Cuts that have no frame are in a batch only together with all that is queued,
 * while no leader runs; and no frame of a later cut is written before the table
 * says that they are published. */

/* Objects that the pin keeps.  Both sorted, distinct, without zero ids. */
struct pin_set {
	struct oid *commits, *blobs;
	size_t commit_count, blob_count;
};

/* A branch whose ref could not be written. */
struct stuck {
	uint64_t branch;
	int error;
	struct report why;
};

struct engine {
	/* Fixed after engine_open. */
	struct odb *odb;
	struct odb *local;		/* NULL: none */
	struct engine_storage *storage;
	struct journal *journal;	/* NULL: none */
	struct pool *pool;
	bool own_storage, readonly, keep_all;
	clock_function *clock;
	struct engine_insider insider;	/* is_held NULL: none */
	pthread_t thread;

	/* The thread's. */
	struct pin_set pinned;		/* at least this is in the pin ... */
	bool pin_known;			/* ... and it is all, if this is set */
	bool pins_loose;		/* more may be in it than need be */
	bool resting;			/* closing: the journal is empty */
	bool unrecorded;		/* table differs from its file */
	bool refs_wait;			/* some ref is not as the table wants */
	size_t deletions_wait;		/* of them deletions; for the log, as */
	bool head_waits;
	unsigned int delay;		/* seconds to the next own retry */

	pthread_mutex_t lock;		/* leaf; guards what follows */
	pthread_cond_t work, done;
	struct follower *followers, **followers_end;	/* oldest first */
	struct engine_waiter *waiters;	/* oldest first */
	bool serving;			/* one of them waits for all */
	/* The thread alone takes any out.  The leader walks from next_frame on
	 * without the lock, the thread over its batch. */
	struct cut *first, *last;
	struct cut *next_frame;		/* the first without one, or NULL */
	struct cut *held;		/* by next_held, in order */
	uint64_t last_sequence;		/* given out */
	uint64_t journaled;		/* the last one with a durable frame */
	uint64_t published;		/* the last one in Git, or held */
	uint64_t blocked;		/* cannot have a frame; 0: none */
	uint64_t wanted;		/* somebody waits for it to be published */
	bool may_journal;		/* the table on disk has our epoch */
	bool leading, exclusive;	/* see above; exclusive keeps leaders out */
	bool busy;			/* the thread may be changing refs */
	uint64_t turns;			/* how often it was */
	uint64_t begun, attempts;	/* to publish: begun, finished */
	uint64_t tried;			/* the last cut of any of them */
	bool running, stop, retry;	/* retry: somebody waits for one */
	struct timespec due_at;		/* publishing; zero: nothing queued */
	struct timespec burst_at;	/* first cut by timer of a burst, or zero */
	struct timespec oldest_at;	/* about when the first one was queued */
	uint64_t pause_ns;		/* from a cut to publishing; constant */
	struct timespec rest_until;	/* no publishing before, unless wanted */
	struct timespec retry_at;	/* by itself, after a failure */
	struct timespec tend_at;	/* zero: nothing to tend */
	struct table *table;		/* published; the thread alone replaces it
					 * and reads it without the lock */
	uint64_t next_incarnation;
	struct stuck *stuck;		/* likewise */
	size_t stuck_count;
	int error;			/* of the last attempt as a whole */
	int dead;			/* nonzero: read-only, waits fail with it */
	struct report why;		/* words for error or dead */
	struct engine_stats stats;
};

#define ENGINE_PAUSE_NS ((uint64_t)50000000)	/* pause_ns if not given */

/* ---- engine_lead.c ---- */

/* Whether the caller can make the next cuts durable now. */
bool engine_can_lead_locked(const struct engine *e);
/* Does so; gives up the lock meanwhile. */
void engine_lead_locked(struct engine *e);
/* Waits, without the lock, until the leader or anybody else has news.  True: the
 * cut of that sequence is durable, and the lock is not taken again. */
bool engine_follow_locked(struct engine *e, uint64_t sequence);
/* Something that others may wait for has happened. */
void engine_wake_locked(struct engine *e);

/* ---- engine_wait.c ---- */

/* A cut that keeps the branch (0: any) from being published up to sequence, or
 * NULL. */
const struct cut *engine_find_held_locked(const struct engine *e,
					  uint64_t branch, uint64_t sequence);

/* ---- engine.c ---- */

/* Nothing is believed any more: waits fail with error.  Takes the lock. */
void engine_die(struct engine *e, const char *what, int error);

/* ---- engine_records.c ---- */

/* Applies the records of a list of cuts, in order, to a copy of the table, writing
 * objects.  A cut whose records cannot be applied gets the reason in cut->held,
 * and so does each later one that names a branch of it; ret_applied counts the
 * others, ret_commits commits written.  -ENOSPC, -EDQUOT, -EROFS, -ENOMEM:
 * nothing can be stored at present. */
int engine_apply(struct engine *e, struct cut *cuts, struct table **ret_table,
		 size_t *ret_applied, uint64_t *ret_commits);

/* Whether the same may work later: resources, not damage. */
bool engine_is_transient(int error);

/* Whether the cut's records name the branch. */
bool engine_cut_names(const struct cut *cut, uint64_t branch);

/* ---- engine_fold.c ---- */

/* Joins commits of one branch in a list of cuts where that is allowed: without a
 * message of their own, and with no other record about the branch between them.
 * all: whatever their message (the disk is full; none was acknowledged).  Returns
 * a list of cuts to be freed. */
struct cut *engine_fold(struct cut **cuts, bool all);

/* ---- engine_contents.c ---- */

/* Notes in the table's journal what is known (made by batch, or by e->table's
 * journal) of the contents that cuts build on which are not published: those from
 * `queued` to `last` (or NULL), and the held ones of batch.  -ENOMEM. */
int engine_note_contents(struct engine *e, struct table *table,
			 const struct cut *batch, const struct cut *queued,
			 const struct cut *last);

/* Notes in newer, which is to stand for older's frame too, what that builds on.
 * -ENOMEM. */
int engine_note_needed(const struct cut *older, struct cut *newer);

/* ---- engine_replay.c ---- */

/* The cuts of the journal that e->table does not have; none if there is no
 * journal.  -EUCLEAN and others in words in report. */
int engine_replay(struct engine *e, struct cut **ret_cuts,
		  struct report *report);

/* ---- engine_batch.c ---- */

/* Publishes a list of cuts, the last of which is `through`, with all that comes
 * before it.  0, or why nothing could be; cuts that are done are freed, the others
 * are put back or held. */
int engine_publish_batch(struct engine *e, struct cut *batch, uint64_t through);

/* Begins a new epoch of the journal, in e->table too, when the cuts that it brought
 * back (or NULL) have been applied to that: frees them, or holds them and gives
 * them frames in the new one.  There is no thread yet.  Errors of journal_add. */
int engine_begin_epoch(struct engine *e, struct cut *replayed);

/* Makes all objects durable, and pins those that the table names and that no ref
 * will hold, or with unwritten none does yet: steps 2 and 3 above.  Errors that are
 * not transient make the engine read-only; the same of engine_record_table,
 * step 5. */
int engine_store_objects(struct engine *e, const struct table *table,
			 bool unwritten);
int engine_record_table(struct engine *e, const struct table *table);

/* After refs were written: pins branches whose refs could not be. */
void engine_pin_stuck(struct engine *e, const struct table *table);
/* The pin lets go of what the table does not need. */
void engine_narrow_pin(struct engine *e);

void engine_set_table_locked(struct engine *e, struct table *table);

/* ---- engine_thread.c ---- */

/* The cut was queued: sets when it is to be published. */
void engine_schedule_locked(struct engine *e, const struct cut *cut);

/* The thread's main function; argument and result as for pthread_create. */
void *engine_run(void *engine);

/* What is to be done besides cuts: refs that could not be written, a pin that
 * holds too much, a table that differs from its file. */
void engine_tend(struct engine *e);

/* Sets when the thread is to do so, if there is anything. */
void engine_tend_later(struct engine *e);

/* ---- engine_pins.c ---- */

/* Before table is written: makes the pin hold whatever it needs, too; with a journal
 * that is the head of every branch.  unwritten: without one also those that differ
 * from their refs.  Errors of pin_update. */
int engine_pin_more(struct engine *e, const struct table *table,
		    bool unwritten);
/* When table is durable and refs are as they can be: lets go of the rest, if
 * that is much or `all`. */
int engine_pin_less(struct engine *e, const struct table *table, bool all);
void pin_set_release(struct pin_set *set);

/* ---- engine_refs.c ---- */

/* Writes refs and HEAD as the table says, as far as that is possible, and notes
 * what they became in the table (e->unrecorded).  Sets e->stuck, e->refs_wait;
 * logs what is new.  patient: waits for locks of other programs, for a little. */
void engine_write_refs(struct engine *e, struct table *table, bool patient);

/* Whether the branch of that name has that commit in Git now. */
bool engine_ref_is(struct engine *e, const char *name, const struct oid *oid);

/* ---- engine_reconcile.c ---- */

/* Notes what was done to refs after the table was recorded: before the journal is
 * brought back, which may give names to other branches.  Errors as below. */
int engine_note_refs(struct engine *e, struct table *table);

/* Makes the table agree with the refs as engine_open says, in memory.
 * ret_changed: it differs from its file.  -ENOMEM, errors of git_refs_each. */
int engine_reconcile(struct engine *e, struct table *table, bool *ret_changed);

#endif
