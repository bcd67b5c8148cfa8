/* SPDX-License-Identifier: ISC */
#ifndef TESTS_CRASH_WORLD_PRIVATE_H
#define TESTS_CRASH_WORLD_PRIVATE_H

#include "tests/crash/staged.h"
#include "tests/crash/world.h"
#include "store/journal_format.h"

/* Inside of world.h, for world.c and world_journal.c. */

#define FILES (2 * JOURNAL_SEGMENTS)
#define REFS 64

struct ref {
	char name[64];
	struct oid oid;			/* zero: unused */
};

struct world {
	struct odb *objects;
	struct buffer table, files[FILES];
	bool has_table;
	struct ref refs[REFS];
	char head[64];
};

/* A write to a file of the journal that is not flushed; or a truncation. */
struct pending {
	unsigned int file;
	uint64_t offset;
	size_t size;
	bool cut;
	char *data;
};

struct machine {
	struct odb odb;				/* first: see machine_of */
	struct engine_storage storage;
	struct world *world;
	struct staged staged;
	unsigned int stop_at;
	enum world_loss loss;
	pthread_mutex_t lock;			/* guards what follows */
	unsigned int steps, seed;
	bool stopped;
	struct pending *pending;
	size_t pending_count;
	struct buffer seen[FILES];		/* as the machine reads them */
};

/* Whether the next effect happens. */
bool machine_step_locked(struct machine *m);
bool machine_toss_locked(struct machine *m);

/* What of the writes to the journal that are not flushed reaches the disk. */
void machine_lose_locked(struct machine *m);

#endif
