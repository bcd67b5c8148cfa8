/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_ROPE_TREE_H
#define STRUCTURES_ROPE_TREE_H

#include "structures/chunk.h"
#include "structures/rope.h"

/* Nodes of stored ropes as tree objects: FORMAT.md, "Trees".  One has at least
 * two children or is of level 0, and each child of a canonical tree has at least
 * GROUP_MIN, or is the last: levels are few. */

#define ROPE_TREE_LEVELS 16
/* Of the root of a canonical one: 512 * 8^11 bytes are more than it can have.  One
 * that others made may be higher: it can be read and not changed, so that there are
 * levels left for what cannot be in order.  Groups above end with GROUP_MAX. */
#define ROPE_LEVEL_MOST 10

struct rope_entry {
	struct oid oid;
	uint64_t size, newlines;
};

struct rope_tree {
	unsigned int level;
	bool executable;
	uint64_t size, newlines;
	unsigned int count;
	struct rope_entry entries[];
};

/* Decodes a tree object (size bytes and a NUL beyond, from malloc), which it
 * takes, on failure too; the caller frees ret.  -EUCLEAN: not a node; -ENOMEM. */
int rope_tree_decode(void *data, size_t size, struct rope_tree **ret);

/* Reads a node.  Errors of odb_read and rope_tree_decode. */
int rope_tree_read(struct odb *odb, const struct oid *oid,
		   struct rope_tree **ret);
/* The same of a root: -EUCLEAN if it has one child above level 0. */
int rope_tree_read_root(struct odb *odb, const struct oid *oid,
			struct rope_tree **ret);

/* Whether a child is what its parent says of it: -EUCLEAN if not. */
int rope_tree_check_child(const struct rope_tree *parent,
			  const struct rope_entry *entry,
			  const struct rope_tree *child);
int rope_tree_check_chunk(const struct rope_entry *entry, const void *data,
			  size_t size);

/* Stores a node and its header; sums and count of the tree follow from its
 * entries.  Errors of odb_write. */
int rope_tree_write(struct odb *odb, unsigned int level, bool executable,
		    const struct rope_entry *entries, unsigned int count,
		    struct oid *ret_oid);

#endif
