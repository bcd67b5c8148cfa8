/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_ROPE_STORED_H
#define STRUCTURES_ROPE_STORED_H

#include "structures/rope_tree.h"

#include <pthread.h>
#include <stdatomic.h>

/* A stored rope as a source of bytes.  Its nodes are read when they are first
 * needed and then stay: they are a hundredth of the bytes.  May be used from any
 * thread.  Errors: of store/odb.h; -EUCLEAN: a node or chunk is not what its
 * parent says. */

struct stored_node {
	struct rope_tree *tree;
	_Atomic(struct stored_node *) child[];	/* level > 0: NULL until read */
};

struct stored {
	struct rope_source source;
	struct odb *odb;
	struct oid oid;				/* of the root */
	_Atomic(struct stored_node *) root;
	/* The chunk that was read last: reads in order meet it again. */
	pthread_mutex_t lock;			/* guards all below */
	struct oid chunk_oid;
	void *chunk;
	size_t chunk_size;
};

/* O(1), reads nothing.  -ENOMEM. */
int stored_new(struct odb *odb, const struct oid *oid, struct stored **ret);

/* The stored rope that source is, or NULL: it is another kind. */
struct stored *stored_of(struct rope_source *source);

/* A node stays as long as s. */
int stored_root(struct stored *s, struct stored_node **ret);
int stored_child(struct stored *s, struct stored_node *node, unsigned int i,
		 struct stored_node **ret);

/* Whether what is on both sides of offset, which is between two bytes of s, can be
 * stored without the other: the nodes that lead there can be read, and so can the
 * chunk that it divides.  -EUCLEAN also if s has too many levels. */
int stored_check_cut(struct stored *s, uint64_t offset);
/* The latter alone. */
int stored_check_levels(struct stored *s);

/* A rope of all of s, which it refers to. */
int rope_open(struct stored *s, struct rope **ret_rope);

#endif
