/* SPDX-License-Identifier: ISC */
#ifndef STORE_JOURNAL_PRIVATE_H
#define STORE_JOURNAL_PRIVATE_H

#include "store/journal.h"
#include "store/journal_format.h"
#include "store/journal_record.h"

/* Inside of journal.h, for journal.c and journal_read.c. */

struct segment {
	uint64_t last;		/* sequence of its last frame; 0: none in use */
	uint64_t written;	/* bytes of the file that were ever written */
	bool is_old;		/* has frames of the epoch before that count */
};

struct journal {
	struct journal_files *files;
	uint64_t segment_size;		/* constant, as files */
	uint64_t epoch, epoch_seen;	/* seen: the largest in a header */

	/* Of who adds and flushes: */
	uint64_t generation;		/* of the segment in use, or the last */
	uint64_t position;		/* where pending goes, a multiple of
					 * JOURNAL_BLOCK; 0: at the header, or nowhere */
	uint64_t data_position;
	uint64_t data_durable;		/* up to there flushed frames name it */
	/* It begins with `pending_old` bytes of frames that are durable: whole
	 * blocks are written, since the kernel would read what is left of one. */
	struct buffer pending;
	size_t pending_old;
	struct journal_frame frame;	/* the one that is being added */
	uint64_t pending_last;		/* sequence */
	uint64_t seed;			/* of that segment's frames */
	int dropped;			/* why journal_add dropped what was
					 * pending; journal_flush tells */
	bool data_dirty;

	pthread_mutex_t lock;		/* leaf; guards what follows, and is held
					 * over writes to the segment in use */
	struct segment segments[JOURNAL_SEGMENTS];
	bool settled;			/* no segment is old */
	uint64_t published, held;
	uint64_t ahead;			/* bytes to be zero-filled before they
					 * are needed */
	uint64_t bytes_prepared;	/* stats.bytes at the last journal_prepare */
	uint64_t frames_end;		/* of the segment in use: bytes */
	unsigned int current;		/* that segment */
	struct journal_stats stats;
};

#define JOURNAL_BLOCK 4096u		/* bytes; divides JOURNAL_HEADER */

static inline bool journal_has_pending(const struct journal *j)
{
	return j->pending.length > j->pending_old;
}

static inline unsigned int journal_file(uint64_t generation)
{
	return generation % JOURNAL_SEGMENTS;
}

static inline unsigned int journal_data_file(uint64_t generation)
{
	return JOURNAL_SEGMENTS + journal_file(generation);
}

#endif
