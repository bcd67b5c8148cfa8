/* SPDX-License-Identifier: ISC */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "store/journal_files.h"
#include "store/journal_record.h"

/* The journal's segments (journal_format.h): appending to them, using them again,
 * reading them.
 *
 * One thread at a time calls journal_add, journal_flush; another one may call
 * journal_prepare and journal_release at the same time. */

struct journal;

/* Takes over files, on failure too.  size: bytes of all segments together. */
int journal_new(struct journal_files *files, uint64_t size,
		struct journal **ret_journal);
void journal_free(struct journal *journal);	/* accepts NULL */

/* Reads the frames of the epoch that the table says are not in Git, in order.
 * visit's data gives bytes of the data file of the frame's segment; a negative
 * return ends the reading and is returned.
 * -EUCLEAN: frames that were acknowledged are missing or damaged; errors of
 * visit, -EIO, -ENOMEM. */
typedef int journal_visit(void *context, const void *frame, size_t length,
			  uint64_t sequence, journal_data *data, void *source);
int journal_read(struct journal *journal, const struct table *table,
		 journal_visit *visit, void *context);

/* Begins a new epoch and returns it: larger than the table's and than any that
 * journal_read met.  Segments that had frames for its visit are not used before
 * journal_settle, which is to be called when a table that names the epoch is
 * durable. */
uint64_t journal_begin(struct journal *journal, uint64_t epoch);
void journal_settle(struct journal *journal);

/* Takes a cut; nothing of it is durable before journal_flush.
 * -EAGAIN: the next segment is still needed, or would be the last free one, which
 * is for the next opening: something must be published first;
 * -EFBIG: it does not fit into any segment; -ENOTSUP: a frame cannot say it.
 * -ENOSPC, -EDQUOT: no room on the disk.  In these cases nothing has happened.
 * Other errors: -ENOMEM, -EIO, errors of contents_read, and of journal_flush,
 * after which what was added before is dropped too, as the next journal_flush
 * will tell. */
int journal_add(struct journal *journal, const struct cut *cut,
		bool *ret_sick);

/* Writes and flushes what was added; it is durable when this returns.  On an
 * error it is dropped; ret_sick (may be set before) tells that the disk refused
 * a flush or a write other than for want of room, so that nobody knows what is
 * on it. */
int journal_flush(struct journal *journal, bool *ret_sick);

/* All frames up to sequence are published but those from `held` on (0: none):
 * segments without others may be used again. */
void journal_release(struct journal *journal, uint64_t published,
		     uint64_t held);

/* Fills the space ahead with zeros, so that flushes of frames need not write
 * metadata too.  Blocks; for a background thread. Errors are of no consequence. */
void journal_prepare(struct journal *journal);

struct journal_stats {
	uint64_t bytes;		/* of frames and data written */
	uint64_t data_bytes;	/* of them in data files */
	uint64_t segments_used;	/* that cannot be used again yet */
};
void journal_get_stats(struct journal *journal, struct journal_stats *ret);

#endif
