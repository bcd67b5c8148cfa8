/* SPDX-License-Identifier: ISC */
#ifndef STORE_ENGINE_PRIVATE_H
#define STORE_ENGINE_PRIVATE_H

#include "store/engine.h"
#include "store/engine_storage.h"

/* Inside of engine.h, for engine*.c.
 *
 * One thread does all the work; engine_open does it before the thread is there
 * and engine_close when it has gone.  "The thread" below means whichever of
 * them.  A batch is all cuts queued when it starts:
 *
 *   1. its records are applied to a copy of the table; objects are written
 *   2. odb_flush
 *   3. the pin: what the new table names and no ref holds
 *   4. the table file: from here on it is true
 *   5. refs, HEAD; what they became is noted in the table in memory, whose next
 *      write records it (a second later if there is no other reason)
 *   6. published(), then waits return
 *
 * A crash before 4 leaves unreferenced objects, after 4 refs that are behind,
 * which engine_reconcile writes. */

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
	struct engine_storage *storage;
	bool own_storage, readonly;
	clock_function *clock;
	pthread_t thread;

	/* The thread's. */
	struct pin_set pinned;		/* at least this is in the pin ... */
	bool pin_known;			/* ... and it is all, if this is set */
	bool pins_loose;		/* more may be in it than need be */
	bool unrecorded;		/* table differs from its file */
	bool refs_wait;			/* some ref is not as the table wants */
	size_t deletions_wait;		/* of them deletions; for the log, as */
	bool head_waits;
	unsigned int delay;		/* seconds to the next own retry */

	pthread_mutex_t lock;		/* leaf; guards what follows */
	pthread_cond_t work, done;
	/* Cuts not yet durable, in order.  The thread alone takes any out, and
	 * walks over those of its batch without the lock. */
	struct cut *first, *last;
	uint64_t last_sequence;		/* given out */
	uint64_t tried;			/* the last one of a finished attempt */
	uint64_t attempts;		/* finished */
	bool running, stop, retry;	/* retry: somebody waits for one */
	struct timespec retry_at;	/* by itself, if cuts up to tried wait */
	struct timespec tend_at;	/* zero: nothing to tend */
	struct table *table;		/* durable; the thread alone replaces it
					 * and reads it without the lock */
	uint64_t next_incarnation;
	struct stuck *stuck;		/* likewise */
	size_t stuck_count;
	int error;			/* of the last attempt as a whole */
	int dead;			/* nonzero: read-only, waits fail with it */
	struct report why;		/* words for error or dead */
	struct engine_stats stats;
};

/* ---- engine_records.c ---- */

/* Applies the records of cuts first ... through, in order, to a copy of the
 * table, writing objects.  A cut whose records cannot be applied gets the reason
 * in cut->held, and so does each later one that names a branch of it; ret_applied
 * counts the others, ret_commits commits written.  -ENOSPC, -EDQUOT, -EROFS,
 * -ENOMEM: nothing can be stored at present. */
int engine_apply(struct engine *e, struct cut *first, uint64_t through,
		 struct table **ret_table, size_t *ret_applied,
		 uint64_t *ret_commits);

/* Whether the same may work later: resources, not damage. */
bool engine_is_transient(int error);

/* Whether the cut's records name the branch. */
bool engine_cut_names(const struct cut *cut, uint64_t branch);

/* ---- engine_fold.c ---- */

/* Makes one cut of waiting commits of one branch that follow each other.  The
 * thread calls it, between attempts.  Returns a list of cuts to be freed without
 * the lock: a delta can hold the last reference to a node. */
struct cut *engine_fold_locked(struct engine *e);

/* ---- engine_thread.c ---- */

/* The thread's main function; argument and result as for pthread_create. */
void *engine_run(void *engine);

/* What is to be done besides cuts: refs that could not be written, a pin that
 * holds too much, a table that differs from its file. */
void engine_tend(struct engine *e);

/* Sets when the thread is to do so, if there is anything. */
void engine_tend_later(struct engine *e);

/* Makes the table and all that it names durable: steps 2 to 4 above.  An error
 * that is not transient makes the engine read-only. */
int engine_store_table(struct engine *e, const struct table *table,
		       bool unwritten);

/* ---- engine_pins.c ---- */

/* Before table is written: makes the pin hold whatever it needs, too.  unwritten:
 * also the heads of live branches that differ from their refs.  Errors of
 * pin_update. */
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

/* ---- engine_reconcile.c ---- */

/* Makes the table agree with the refs as engine_open says, in memory.
 * ret_changed: it differs from its file.  -ENOMEM, errors of git_refs_each. */
int engine_reconcile(struct engine *e, struct table *table, bool *ret_changed);

#endif
