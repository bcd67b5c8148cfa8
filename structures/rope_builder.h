/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_ROPE_BUILDER_H
#define STRUCTURES_ROPE_BUILDER_H

#include "structures/rope_memo.h"
#include "structures/rope_private.h"
#include "structures/rope_stored.h"

/* Stores a rope from its front to its end: bytes are cut into chunks, chunks are
 * grouped into nodes.  What comes as a range of a stored rope is taken over by id
 * where cuts fall as they did there. */

/* Children of the node of a level that is being filled. */
struct rope_group {
	struct rope_entry entries[GROUP_MAX];
	unsigned int count;
	uint64_t total;		/* children of all nodes of this level */
};

struct rope_builder {
	struct odb *odb;
	struct rope_node *root;		/* what is stored; kept by the caller */
	uint64_t at;			/* bytes of it that were taken */
	/* The end of those, in which no chunk ended yet. */
	unsigned char bytes[2 * CHUNK_MAX];
	size_t length, known;		/* chunk_cut's */
	struct rope_group *groups[ROPE_TREE_LEVELS];	/* NULL: no children */
	struct rope_memo memo;		/* writes */
};

void rope_builder_init(struct rope_builder *b, struct odb *odb,
		       struct rope_node *root);
void rope_builder_release(struct rope_builder *b);

/* Takes the next size bytes of the root.  Errors of sources, odb_write. */
int rope_builder_add(struct rope_builder *b, uint64_t size);

/* The same, of which is known that they are [offset, offset + size) of s. */
int rope_builder_add_stored(struct rope_builder *b, struct stored *s,
			    uint64_t offset, uint64_t size);

/* The end: stores what is left. */
int rope_builder_end(struct rope_builder *b, bool executable,
		     struct oid *ret_oid);

#endif
