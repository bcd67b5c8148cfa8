/* SPDX-License-Identifier: ISC */
#ifndef STORE_JOURNAL_FORMAT_H
#define STORE_JOURNAL_FORMAT_H

/* The journal: a logical redo log of the cuts that are not yet in Git, version 1.
 *
 * Numbers are little-endian.  A "text" is a u32 length and that many bytes (no
 * NUL among them); length ffffffff is a NULL.  An "oid" is 20 bytes.
 *
 * Files, in irminfs/journal/: segments "0", "1", ... of SEGMENT_SIZE bytes at
 * most, zero-filled in advance as far as that has come, and for each a data file
 * "0.data", ... for long extents.  They are used in turn: generation g is in file
 * g modulo their number.
 *
 * A segment:
 *   0   8  "irminjnl"
 *   8   4  version, 1
 *   12  4  zero
 *   16  8  epoch
 *   24  8  generation, from 1, rises by one from segment to segment, over epochs
 *   32  8  checksum64 of bytes 0 ... 31, seed 0
 *   4096   frames, without gaps
 *
 * A frame is one cut:
 *   0   8  checksum64 of bytes 8 ... length - 1; seed: the checksum in the
 *          segment's header, so that what is left of an older generation, or
 *          came without its header, is no frame
 *   8   4  length of the frame, 48 at least
 *   12  4  flags, zero
 *   16  8  sequence of the cut in its epoch, from 1
 *   24  8  first: the cut stands for sequences first ... sequence
 *   32  8  time, seconds since 1970, of the cut
 *   40  4  number of records
 *   44  4  zero
 *   48     records
 *
 * A record:
 *   u8 kind (enum record_kind), u64 branch, u64 from, text name, oid,
 *   u8 parts (bits of JOURNAL_PART_*), then the parts that are there:
 *   commit     u32 number of parents, their oids; author and committer, each
 *              text name, text email, i64 seconds, i32 minutes east;
 *              text message (NULL: made of the delta), text trailers
 *   delta      u8 flags (1: complete, 2: facts), facts if there are (of the
 *              root directory itself), u32 number of entries, the entries
 * A cut whose records have more than that (conflicts), or that refers to objects
 * made for it (merges), has no frame: it is durable when it is published.
 *
 * An entry of a delta:
 *   u8 kind (enum delta_kind), u32 git mode (a file that is stored as a rope,
 *   or is to be: 110644 or 110755), text name, u8 extras (1: facts, 2: same, as
 *   in struct delta_entry), facts if there are, then
 *   OBJECT     oid; it is published and pinned or reached from a ref
 *   CONTENTS   u64 id, u64 version, u64 size, u8 base (enum contents_base),
 *              oid (STORED: of a blob or, of a rope, a tree; STORED_LOCAL: of a
 *              blob in irminfs/local), u64 base size or
 *              since, u64 low, u32 number of extents, first the moves by rising
 *              offset, then the others by rising offset
 *   DIRECTORY  a delta
 * Contents are named by id within an epoch.  Those of a file with several names
 * stand in full where the first of them is; the others have them as CAPTURED, since
 * the version that this very frame made.  They are made as contents.h says of
 * struct contents_changes: extents of kind 3 are its moves, the others the
 * ranges.
 *
 * An extent:
 *   u64 offset, u64 length, u8 kind:
 *   0  its bytes follow
 *   1  zeros
 *   2  in the data file of the segment: u64 position, u64 checksum64 (seed 0)
 *   3  u64 from: the bytes that the base has there.  Not below low, not in what
 *      another of kind 3 has, and from within the base
 *
 * Facts are what Git does not hold of an entry: local_format.h has their bytes.
 * An OBJECT or CONTENTS with LOCAL_OBJECT in its facts is one that Git is not to
 * have at all: the object is in irminfs/local, or the contents are to be stored
 * there, and then the id in the facts says nothing.  A name may be ".git".
 * Objects that they name are in irminfs/local, published.
 *
 * Valid is a frame in a segment of the table's epoch whose length is within the
 * segment and checksum right.  A segment ends at the first frame that is not; the
 * segments are read by generation.  The first of a frame's sequences is at most
 * one more than the larger of the frame's before and the table's `published`:
 * cuts that were published at once have no frame.  A larger one means that
 * acknowledged frames are missing.  Frames of sequences up to the one before came
 * twice and count for nothing; so do those up to `published`, but for the ones
 * that the table says are held.
 *
 * Order of writes:
 *   data file, flush; then frames (with the segment's header, if they are its
 *   first), flush; then the cut is acknowledged.
 *   Objects, flush; pin; table with `published`, flush; then segments may be used
 *   again whose frames are published and not held.
 * A new epoch is larger than any in the table or a segment's header: an opening
 * that was cut off may have left frames of the one it began.  It counts from the
 * table that names it on, which is durable before any frame is acknowledged.
 */

#define JOURNAL_MAGIC "irminjnl"
#define JOURNAL_VERSION 1u
#define JOURNAL_HEADER 4096u		/* bytes before the first frame */
#define JOURNAL_HEADER_USED 40u
#define JOURNAL_FRAME 48u		/* bytes before the records */
#define JOURNAL_SEGMENTS 4u
#define JOURNAL_LONG 65536u		/* extents from here go to a data file */
#define JOURNAL_PIECE (1u << 20)	/* bytes of an extent at most, but zeros */

#define JOURNAL_PART_COMMIT 1u
#define JOURNAL_PART_DELTA 2u

#define JOURNAL_FACTS 1u		/* extras of an entry */
#define JOURNAL_SAME 2u
#define JOURNAL_DELTA_COMPLETE 1u	/* flags of a delta */
#define JOURNAL_DELTA_FACTS 2u

#define JOURNAL_BYTES 0u		/* kinds of extents */
#define JOURNAL_ZEROS 1u
#define JOURNAL_DATA 2u
#define JOURNAL_MOVED 3u

#endif
