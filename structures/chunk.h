/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_CHUNK_H
#define STRUCTURES_CHUNK_H

#include "store/oid.h"

#include <stddef.h>

/* Where a stored rope is cut: FORMAT.md, "Chunks" and "Trees".  Content-defined
 * chunking by a gear hash (Xia et al.: "FastCDC", 2016), with a chance of a cut
 * that rises with the length instead of a hard maximum alone. */

#define CHUNK_MIN 512
#define CHUNK_MAX 16384
#define GROUP_MIN 8
#define GROUP_MAX 256

/* The length of the chunk that data begins with, or 0: it does not end within
 * size bytes (never if size >= CHUNK_MAX).  The first `known` bytes were looked
 * at in an earlier call that returned 0. */
size_t chunk_cut(const void *data, size_t size, size_t known);

/* Whether a group of children ends behind its child number `count` (from 1). */
bool chunk_group_ends(unsigned int count, const struct oid *child);

#endif
