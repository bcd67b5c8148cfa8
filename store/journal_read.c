/* SPDX-License-Identifier: ISC */
#include "store/checksum.h"
#include "store/journal_private.h"

#include <errno.h>
#include <string.h>

#define NUMBER_MAX (INT64_MAX / 2)	/* beyond: damage */

struct header {
	uint64_t generation;
	uint64_t seed;		/* of the segment's frames */
};

/* One reading of the journal. */
struct reading {
	struct journal *journal;
	const struct table *table;
	journal_visit *visit;
	void *context;
	struct header headers[JOURNAL_SEGMENTS];	/* of the epoch; rising */
	unsigned int count;
	uint64_t seed;		/* of the segment being read */
	uint64_t last;		/* sequence of the frame before; 0: none yet */
	unsigned int file, data_file;	/* of the segment being read */
	struct buffer frame;
};

/* ---- headers ---- */

/* Of the segment in a file; generation 0: it has none of that epoch.  Segments of
 * other epochs count only for what the next numbers are. */
static int read_header(struct journal *j, unsigned int file, uint64_t wanted,
		       struct header *ret)
{
	char header[JOURNAL_HEADER_USED];
	uint64_t epoch, generation;
	ssize_t n = j->files->ops->read(j->files, file, header, sizeof(header),
					0);

	*ret = (struct header){ 0 };
	if (n < 0)
		return n;
	if (n < (ssize_t)sizeof(header) ||
	    memcmp(header, JOURNAL_MAGIC, 8) != 0 ||
	    get_u64_at(header + 32) != checksum64(header, 32, 0))
		return 0;
	epoch = get_u64_at(header + 16);
	generation = get_u64_at(header + 24);
	if (journal_file(generation) != file || generation > NUMBER_MAX ||
	    !epoch || epoch > NUMBER_MAX)
		return 0;
	if (generation > j->generation)
		j->generation = generation;
	if (epoch > j->epoch_seen)
		j->epoch_seen = epoch;
	if (epoch != wanted)
		return 0;
	if (get_u32_at(header + 8) != JOURNAL_VERSION)
		return -ENOTSUP;
	*ret = (struct header){ generation, get_u64_at(header + 32) };
	return 0;
}

static int by_generation(const void *a, const void *b)
{
	const struct header *x = a, *y = b;

	return x->generation < y->generation ? -1
					     : x->generation > y->generation;
}

static int read_headers(struct reading *reading)
{
	for (unsigned int i = 0; i < JOURNAL_SEGMENTS; i++) {
		struct header header;
		int r = read_header(reading->journal, i,
				    reading->table->journal.epoch, &header);

		if (r < 0)
			return r;
		if (header.generation)
			reading->headers[reading->count++] = header;
	}
	qsort(reading->headers, reading->count, sizeof(*reading->headers),
	      by_generation);
	return 0;
}

/* ---- frames ---- */

static ssize_t read_data(void *context, void *data, size_t size,
			 uint64_t position)
{
	struct reading *reading = context;
	struct journal_files *f = reading->journal->files;

	return f->ops->read(f, reading->data_file, data, size, position);
}

/* The frame at position into reading->frame.  1: it is valid; 0: it is not. */
static int read_frame(struct reading *reading, uint64_t position)
{
	unsigned int file = reading->file;
	struct journal_files *f = reading->journal->files;
	struct buffer *b = &reading->frame;
	char head[JOURNAL_FRAME];
	uint32_t length;
	ssize_t n = f->ops->read(f, file, head, sizeof(head), position);
	int r;

	if (n < (ssize_t)sizeof(head))
		return n < 0 ? n : 0;
	length = get_u32_at(head + 8);
	if (length < JOURNAL_FRAME)
		return 0;
	/* a damaged length does not take memory for what is not there */
	n = f->ops->read(f, file, head, 1, position + length - 1);
	if (n < 1)
		return n < 0 ? n : 0;
	b->length = 0;
	r = buffer_reserve(b, (size_t)length + 1);
	if (r < 0)
		return r;
	n = f->ops->read(f, file, b->data, length, position);
	if (n < (ssize_t)length)
		return n < 0 ? n : 0;
	b->length = length;
	return get_u64_at(b->data) ==
	       checksum64(b->data + 8, length - 8, reading->seed);
}

static bool is_wanted(const struct reading *reading, uint64_t sequence)
{
	return sequence > reading->table->journal.published ||
	       table_is_held(reading->table, sequence);
}

/* 0: go on; 1: it does not follow the frame before.  One that comes again, since
 * its flush had failed, is passed over. */
static int take_frame(struct reading *reading)
{
	const char *frame = reading->frame.data;
	uint64_t sequence = get_u64_at(frame + 16);
	uint64_t first = get_u64_at(frame + 24);
	uint64_t known = reading->table->journal.published;

	if (sequence <= reading->last)
		return 0;
	if (known < reading->last)
		known = reading->last;
	/* what is published may be missing: not all of it had a frame */
	if (first > sequence || first > known + 1)
		return 1;
	reading->last = sequence;
	if (!is_wanted(reading, sequence))
		return 0;
	reading->journal->segments[reading->file].is_old = true;
	return reading->visit(reading->context, frame, reading->frame.length,
			      sequence, read_data, reading);
}

static int read_segment(struct reading *reading, const struct header *header)
{
	uint64_t position = JOURNAL_HEADER;
	int r;

	reading->file = journal_file(header->generation);
	reading->data_file = journal_data_file(header->generation);
	reading->seed = header->seed;
	for (;;) {
		r = read_frame(reading, position);
		if (r <= 0)
			return r;
		r = take_frame(reading);
		if (r)
			return r;
		position += reading->frame.length;
	}
}

/* A segment is begun only when all frames before it are on the disk: where one
 * follows, what it has must follow too. */
static int read_segments(struct reading *reading)
{
	for (unsigned int i = 0; i < reading->count; i++) {
		int r = read_segment(reading, &reading->headers[i]);

		if (r == 1)
			return -EUCLEAN;
		if (r < 0)
			return r;
	}
	return 0;
}

int journal_read(struct journal *j, const struct table *table,
		 journal_visit *visit, void *context)
{
	struct reading reading = {
		.journal = j, .table = table, .visit = visit,
		.context = context,
	};
	int r = read_headers(&reading);

	if (r == 0)
		r = read_segments(&reading);
	buffer_release(&reading.frame);
	return r;
}
