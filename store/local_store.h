/* SPDX-License-Identifier: ISC */
#ifndef STORE_LOCAL_STORE_H
#define STORE_LOCAL_STORE_H

#include "store/delta.h"
#include "store/local_table.h"

/* Brings the local face of a branch from `root` (zero: none yet) to what it is
 * after delta, which delta_store has stored or delta_between has made; sets the
 * result `table` of delta and all directories in it, and `far` of facts.
 *
 * foreign: the delta comes from a merge, or another program.  What it removes
 * leaves behind what Git does not have.
 *
 * Entries without facts come from there:
 * their times become `now`, mode and owner and extended attributes stay if the
 * kind does, and hard links end.  What such an entry brings as a whole directory
 * has times of now, too.
 *
 * base: of a face that begins, the time of what has no row.
 * Errors of local_table_change. */
int local_store(struct delta *delta, struct odb *odb, const struct oid *root,
		bool foreign, const struct timespec *base,
		const struct timespec *now, struct oid *ret_root);

#endif
