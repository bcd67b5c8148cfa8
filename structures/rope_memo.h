/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_ROPE_MEMO_H
#define STRUCTURES_ROPE_MEMO_H

#include "store/odb.h"

/* An object database for writing alone, over another, that does not write again
 * what it wrote lately: bytes with a period are the same few chunks and nodes
 * over and over.  One thread at a time. */

#define MEMO_SLOTS 1024

struct rope_memo {
	struct odb odb;
	struct odb *below;
	struct {
		uint64_t sum;
		struct oid oid;
		size_t size;
	} slots[MEMO_SLOTS];
};

void rope_memo_init(struct rope_memo *memo, struct odb *below);

#endif
