/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_ROPE_STORE_H
#define STRUCTURES_ROPE_STORE_H

#include "store/contents.h"
#include "structures/rope.h"

/* Ropes as objects: history-independent trees of chunks, whose format is in
 * FORMAT.md.  Equal bytes have equal ids, whatever edits led to them.
 *
 * Errors: of store/odb.h; -EUCLEAN: the tree is no valid rope.
 */

/* What the header of a stored rope says. */
struct rope_header {
	uint64_t size, newlines;
	bool executable;
};

/* Reads the header of the tree oid and checks the tree itself, nothing below
 * it.  -EUCLEAN: not a rope. */
int rope_read_header(struct odb *odb, const struct oid *oid,
		     struct rope_header *ret_header);

/* Stores all of a rope.  What it still has from a stored one (rope_load of the
 * same odb), and that cut points of chunks do not move into, is neither read nor
 * written again: O(d log n) for d changes. */
int rope_store(struct rope *rope, struct odb *odb, bool executable,
	       struct oid *ret_oid);

/* rope_store lets a rope remember what it was and where that is stored; the next
 * one then writes only what changed since.  The odb must keep those objects
 * meanwhile (odb_settle).  rope_memory does not count what it was where that
 * differs.
 * rope_remember: from is a clone of rope that was stored; rope remembers what it
 * does.  rope_forget: nothing. */
void rope_remember(struct rope *rope, const struct rope *from);
void rope_forget(struct rope *rope);

/* A rope whose bytes and inner nodes stay in odb, which outlives it, until they
 * are needed; O(1). */
int rope_load(struct odb *odb, const struct oid *oid, struct rope **ret_rope);

/* Three-way merge of stored ropes by lines; reads only what differs, and 4 KiB
 * around.  A zero base: none.  0: clean, 1: conflict
 * (ret_oid has markers, as the line merge makes them; what is no text, as Git
 * tells, is ours).  As the type `text` merges the whole files, but that it may be
 * clean where that conflicts over lines of a large insertion that repeat, and
 * above 1 MiB may divide a conflict of large changes otherwise.  Changes on both
 * sides next to a NUL behind the first 8,000 bytes may conflict.  The mode is that
 * of the side that changed it.  O(d log n). */
int rope_store_merge(struct odb *odb, const struct oid *base,
		     const struct oid *ours, const struct oid *theirs,
		     const struct merge_marks *marks, struct oid *ret_oid);

#endif
