/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_ROPE_CONTENTS_H
#define STRUCTURES_ROPE_CONTENTS_H

#include "store/overlay.h"

/* Contents of files as ropes: the kind that inserts and deletes in the middle.
 *
 * A file becomes one when it is spliced, or when it is to be stored as a rope;
 * what it was made of stays where it is and is named by the rope.  Memory is
 * bounded: new bytes, but for a little, go to an overlay of the pool, which the
 * pool spills to disk; and when a version is in Git, what did not change since is
 * read back from there.
 */

extern const struct contents_kind rope_contents_kind;

/* Of a new, empty file. */
int rope_contents_new(struct pool *pool, struct contents **ret);

/* Bytes of memory that it holds outside the pool; for tests. */
uint64_t rope_contents_memory(struct contents *c);

#endif
