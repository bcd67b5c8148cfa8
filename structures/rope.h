/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_ROPE_H
#define STRUCTURES_ROPE_H

#include "store/odb.h"

/* A rope: a sequence of bytes in a balanced tree (Boehm, Atkinson, Plass: "Ropes:
 * an alternative to strings", 1995; the tree is a B+ tree with bytes and
 * newlines counted in its inner nodes).
 *
 * Nodes are reference counted and shared between ropes; one that is shared is
 * copied when it is changed, so that rope_clone costs O(1), and a clone keeps
 * what it was.  Costs below are in n, the bytes, and k, the bytes given or
 * taken.  Offsets and sizes are bytes, lines and newlines are counted from 0.
 *
 * A rope is not locked: one thread at a time for each struct rope; clones may be
 * used by different threads at once.
 *
 * Errors of all: -ENOMEM; and of those that read bytes which are elsewhere
 * (struct rope_source): whatever the source's read returns.  After an error the
 * rope is what it was before.
 */

#define ROPE_SIZE_MAX ((uint64_t)1 << 40)

struct rope;

int rope_new(struct rope **ret_rope);			/* empty */
void rope_free(struct rope *rope);			/* accepts NULL */
/* Equal contents, from then on independent.  O(1). */
int rope_clone(struct rope *rope, struct rope **ret_clone);

uint64_t rope_size(const struct rope *rope);		/* O(1) */

/* Up to size bytes at offset; fewer at the end only.  O(log n + k). */
ssize_t rope_read(struct rope *rope, void *data, size_t size, uint64_t offset);

/* -EINVAL: offset is behind the end (rope_insert: of it); -EFBIG: larger than
 * ROPE_SIZE_MAX.  O(log n + k). */
int rope_insert(struct rope *rope, uint64_t offset, const void *data,
		size_t size);
int rope_append(struct rope *rope, const void *data, size_t size);
int rope_get(struct rope *rope, uint64_t offset, unsigned char *ret_byte);
int rope_set(struct rope *rope, uint64_t offset, unsigned char byte);
/* Overwrites what is there and goes on behind the end, which offset is not
 * beyond.  O(log n + k). */
int rope_write(struct rope *rope, uint64_t offset, const void *data,
	       size_t size);

/* O(log n + nodes given up); what is behind the end is left out. */
int rope_delete(struct rope *rope, uint64_t offset, uint64_t size);

/* rope keeps [0, offset), the rest becomes a new rope.  O(log n). */
int rope_split(struct rope *rope, uint64_t offset, struct rope **ret_tail);

/* Appends all of tail and leaves tail empty.  O(log n). */
int rope_concat(struct rope *rope, struct rope *tail);

/* Inserts [from_offset, from_offset + size) of another rope, sharing its nodes.
 * -EINVAL: not within from.  O(log n). */
int rope_insert_rope(struct rope *rope, uint64_t offset, struct rope *from,
		     uint64_t from_offset, uint64_t size);

/* Zeros, which take no memory until they are overwritten.  O(log n). */
int rope_insert_zeros(struct rope *rope, uint64_t offset, uint64_t size);

/* ---- lines ---- */

/* Number of newlines.  O(1) unless bytes of a source were never read. */
int rope_newlines(struct rope *rope, uint64_t *ret_newlines);
/* Offset of the first byte of a line; -ENOENT: fewer lines.  O(log n). */
int rope_line_start(struct rope *rope, uint64_t line, uint64_t *ret_offset);
/* The line that offset is in: newlines before it.  O(log n). */
int rope_line_of(struct rope *rope, uint64_t offset, uint64_t *ret_line);

/* ---- bytes that are elsewhere ---- */

/* Reference counted and immutable; read may be called from any thread. */
struct rope_source {
	const struct rope_source_ops *ops;
	_Atomic unsigned int refs;
};

struct rope_source_ops {
	/* Exactly size bytes at offset; 0 or a negative errno. */
	int (*read)(struct rope_source *source, void *data, size_t size,
		    uint64_t offset);
	void (*free)(struct rope_source *source);
	/* Newlines in size bytes at offset; may be NULL: they are read. */
	int (*count)(struct rope_source *source, uint64_t offset,
		     uint64_t size, uint64_t *ret_newlines);
	/* The offset behind newline number nth (from 0), which the source has;
	 * may be NULL, and must be if count is. */
	int (*find)(struct rope_source *source, uint64_t nth,
		    uint64_t *ret_offset);
};

struct rope_source *rope_source_ref(struct rope_source *source);
void rope_source_unref(struct rope_source *source);	/* accepts NULL */

/* Inserts size bytes of source at source_offset without reading them; newlines
 * in them, or ROPE_UNKNOWN.  The rope takes a reference.  O(log n). */
#define ROPE_UNKNOWN UINT64_MAX
int rope_insert_source(struct rope *rope, uint64_t offset,
		       struct rope_source *source, uint64_t source_offset,
		       uint64_t size, uint64_t newlines);

/* Bytes of memory that the rope holds, what it shares with others included;
 * bytes of sources excluded.  O(1). */
uint64_t rope_memory(const struct rope *rope);

/* ---- comparing versions ---- */

/* Tells how newer is made of older: pieces of newer in order, [offset, offset +
 * size), which stand in older at `from`, or are new (from ROPE_UNKNOWN).  Pieces
 * of older come in order too, each at most once.  Finds what both share as nodes
 * or sources, not equal bytes; adjoining pieces are joined.  O(d log n) for d
 * changes since older was a clone of newer.  A nonzero return of visit ends the
 * walk and is returned. */
typedef int rope_piece_visit(void *context, uint64_t offset, uint64_t size,
			     uint64_t from);
int rope_compare(const struct rope *older, const struct rope *newer,
		 rope_piece_visit *visit, void *context);

#endif
