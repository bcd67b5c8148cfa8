/* SPDX-License-Identifier: ISC */
#ifndef STORE_JOURNAL_RECORD_H
#define STORE_JOURNAL_RECORD_H

#include "store/engine.h"
#include "store/tree.h"

/* Cuts as bytes of frames and back (journal_format.h). */

/* Deltas within each other; as deep as delta_store goes. */
#define JOURNAL_DEPTH_MAX (TREE_DEPTH_MAX + 1)

/* A range of contents that goes to a data file. */
struct journal_extent {
	struct contents *contents;	/* not owned */
	uint64_t offset, length;	/* bytes */
	size_t place;			/* in the frame: of its position, which
					 * its checksum follows */
};

struct journal_frame {
	struct buffer bytes;	/* whole, but for what the two below fill in */
	struct journal_extent *extents;
	size_t extent_count;
	uint64_t data_length;	/* of all extents together */
};

/* Whether a frame can stand for the cut at all; see journal_format.h. */
bool journal_can_hold(const struct cut *cut);

/* Encodes a cut that journal_can_hold; its contents are read.  Places of extents
 * and the checksum are left zero.  -EFBIG: it does not fit into `most` bytes;
 * -ENOTSUP: it has names or depths that journal_decode would refuse; errors of
 * contents_read.  frame: zeroed, or of another cut, whose memory is used again;
 * zeroed after an error. */
int journal_encode(const struct cut *cut, size_t most,
		   struct journal_frame *frame);
void journal_frame_release(struct journal_frame *frame);

/* Fills in where an extent is, and what its bytes' checksum64 is. */
void journal_frame_place(struct journal_frame *frame,
			 const struct journal_extent *extent, uint64_t position,
			 uint64_t checksum);

/* Fills in the checksum, when all else is.  seed: the segment's. */
void journal_frame_seal(struct journal_frame *frame, uint64_t seed);

/* ---- decoding ---- */

/* What a decoder needs: contents by id, as far as they came. */
struct journal_replay;

/* Bytes of the data file that belongs to the frame's segment; fewer: its end. */
typedef ssize_t journal_data(void *context, void *data, size_t size,
			     uint64_t position);

/* contents: what the table knows of them.  Pool and table outlive it.  While there is
 * one the pool does not ask the disk (pool_begin_replay). */
int journal_replay_new(struct pool *pool, const struct table *table,
		       struct journal_replay **ret_replay);
void journal_replay_free(struct journal_replay *replay);	/* accepts NULL */

/* Makes the cut of a valid frame.  -EUCLEAN: not a frame of ours, or its
 * contents' bytes or what they build on are not there; -ENOTSUP: of a newer
 * version; -ENOMEM, -ENOSPC, errors of contents_write. */
int journal_decode(struct journal_replay *replay, const void *frame,
		   size_t length, journal_data *data, void *context,
		   struct cut **ret_cut);

/* ---- numbers, little-endian ---- */

static inline void put_u32_at(char *at, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		at[i] = (char)(n >> 8 * i);
}

static inline void put_u64_at(char *at, uint64_t n)
{
	for (int i = 0; i < 8; i++)
		at[i] = (char)(n >> 8 * i);
}

static inline uint32_t get_u32_at(const void *at)
{
	const unsigned char *p = at;

	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t get_u64_at(const void *at)
{
	const unsigned char *p = at;

	return get_u32_at(p) | (uint64_t)get_u32_at(p + 4) << 32;
}

#endif
