/* SPDX-License-Identifier: ISC */
#ifndef TESTS_CRASH_WORLD_H
#define TESTS_CRASH_WORLD_H

#include "store/engine_storage.h"
#include "store/journal_files.h"
#include "store/odb.h"

#include <stdbool.h>

/* A disk in memory under an engine, and machines that run on it and stop: the
 * N-th effect of a machine and all after it do not happen and fail with -EIO.
 *
 * Objects, and bytes of the journal, are on the disk when they are flushed.  What
 * is not is lost when the machine stops, or in part: any of the writes to the
 * journal's files since the last flush, in any order, in pieces of 512 bytes; any
 * of the objects.  The table and each ref are replaced at once. */

struct world;
struct machine;

struct world *world_new(void);
void world_free(struct world *world);

enum world_loss {
	LOSE_ALL,
	LOSE_NONE,
	LOSE_EARLIER,		/* the later half of the writes is there */
	LOSE_SECTORS,		/* each 512 bytes are there or not */
	WORLD_LOSSES
};

/* A machine; the last one's journal and storage must not be in use any more.
 * stop_at 0: never. */
struct machine *machine_new(struct world *world, unsigned int stop_at,
			    enum world_loss loss, unsigned int seed);
/* Ends it: what was not flushed is lost as said.  Before the engine is freed, so
 * that what that does then has no effect. */
void machine_stop(struct machine *m);
void machine_free(struct machine *m);		/* accepts NULL */

struct odb *machine_odb(struct machine *m);
struct engine_storage *machine_storage(struct machine *m);
/* A new one each time: engines own theirs. */
struct journal_files *machine_journal(struct machine *m);

unsigned int machine_steps(struct machine *m);	/* effects asked for so far */
bool machine_has_stopped(struct machine *m);

/* A ref of the disk; zero: there is none.  Sets it as another program would. */
struct oid world_ref(struct world *world, const char *name);
void world_set_ref(struct world *world, const char *name,
		   const struct oid *oid);
size_t world_ref_count(struct world *world);

#endif
