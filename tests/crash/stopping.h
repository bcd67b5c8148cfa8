/* SPDX-License-Identifier: ISC */
#ifndef TESTS_CRASH_STOPPING_H
#define TESTS_CRASH_STOPPING_H

#include "store/engine_storage.h"
#include "store/odb.h"

/* A machine that stops: objects and storage over a real repository, of which the
 * N-th effect and all after it do not happen and fail with -EIO.  Objects that
 * were written but not flushed are lost; a flush that is cut off leaves some of
 * them, in either order; a table that is cut off leaves its temporary file. */

struct machine;

/* stop_at 0: never.  NULL: no memory. */
struct machine *machine_new(struct git_repo *repo, unsigned int stop_at);
void machine_free(struct machine *m);		/* accepts NULL */
struct odb *machine_odb(struct machine *m);
struct engine_storage *machine_storage(struct machine *m);
unsigned int machine_steps(struct machine *m);	/* effects asked for so far */
bool machine_has_stopped(struct machine *m);

#endif
