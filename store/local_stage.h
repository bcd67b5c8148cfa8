/* SPDX-License-Identifier: ISC */
#ifndef STORE_LOCAL_STAGE_H
#define STORE_LOCAL_STAGE_H

#include "store/odb.h"

/* An object database over another one: what is written stays in memory until it
 * is known which roots are wanted, so that of a hundred states of a face, one
 * after the other, the last alone gets onto the disk. */

/* under outlives it; odb_free frees the stage alone.  -ENOMEM. */
int local_stage_new(struct odb *under, struct odb **ret_stage);

/* Writes into `under` what is staged of a root (a tree) and below.  Errors of
 * odb_read, tree_decode and odb_write. */
int local_stage_keep(struct odb *stage, const struct oid *root);

#endif
