/* SPDX-License-Identifier: ISC */
#include "store/checksum.h"
#include "store/journal_private.h"

#include <errno.h>
#include <string.h>

#define SEGMENT_LEAST ((uint64_t)256 << 10)
#define ZEROS ((size_t)256 << 10)	/* bytes written at once in advance */
#define AHEAD ((uint64_t)1 << 20)	/* bytes to be ready at least */
#define FRAME_KEPT ((size_t)256 << 10)	/* bytes, for the next frame */
/* Room on the disk that is left to Git's objects: what does not fit beside it is
 * published instead, and nothing is prepared. */
#define RESERVE ((uint64_t)32 << 20)

int journal_new(struct journal_files *files, uint64_t size,
		struct journal **ret_journal)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (!j) {
		journal_files_free(files);
		return -ENOMEM;
	}
	j->files = files;
	j->segment_size = size / JOURNAL_SEGMENTS & ~(uint64_t)4095;
	if (j->segment_size < SEGMENT_LEAST)
		j->segment_size = SEGMENT_LEAST;
	pthread_mutex_init(&j->lock, NULL);
	*ret_journal = j;
	return 0;
}

void journal_free(struct journal *journal)
{
	if (!journal)
		return;
	buffer_release(&journal->pending);
	journal_frame_release(&journal->frame);
	journal_files_free(journal->files);
	pthread_mutex_destroy(&journal->lock);
	free(journal);
}

/* Bytes of a segment's file, as far as it may be used. */
static uint64_t file_size(struct journal *j, unsigned int file)
{
	uint64_t low = 0, high = j->segment_size;
	char byte;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (j->files->ops->read(j->files, file, &byte, 1, middle) == 1)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t journal_begin(struct journal *j, uint64_t epoch)
{
	SCOPED_LOCK(&j->lock);

	j->epoch = 1 + (epoch > j->epoch_seen ? epoch : j->epoch_seen);
	j->position = j->data_position = j->data_durable = 0;
	j->pending.length = j->pending_old = 0;
	/* not all are old: one was left free */
	for (unsigned int i = 1; i < JOURNAL_SEGMENTS; i++)
		if (j->segments[journal_file(j->generation + 1)].is_old)
			j->generation++;
	j->current = journal_file(j->generation + 1);
	for (unsigned int i = 0; i < JOURNAL_SEGMENTS; i++)
		j->segments[i].written = file_size(j, i);
	j->published = j->held = j->frames_end = 0;
	j->settled = false;
	return j->epoch;
}

void journal_settle(struct journal *j)
{
	SCOPED_LOCK(&j->lock);

	for (unsigned int i = 0; i < JOURNAL_SEGMENTS; i++)
		j->segments[i].is_old = false;
	j->settled = true;
}

/* ---- segments ---- */

static bool is_free_locked(const struct journal *j, unsigned int file)
{
	uint64_t last = j->segments[file].last;

	return !j->segments[file].is_old && last <= j->published &&
	       (!j->held || last < j->held);
}

/* Whether the segment can be used, and leaves one to who opens the journal next:
 * what is held then gets new frames while all others are needed still. */
static bool can_begin(struct journal *j, uint64_t generation)
{
	SCOPED_LOCK(&j->lock);

	return is_free_locked(j, journal_file(generation)) &&
	       (!j->settled || is_free_locked(j, journal_file(generation + 1)));
}

/* Frames to come go to the next segment, which begins with its header. */
static int next_segment(struct journal *j)
{
	uint64_t generation = j->generation + 1;
	unsigned int file = journal_file(generation);
	char header[JOURNAL_HEADER] = JOURNAL_MAGIC;
	int r;

	if (!can_begin(j, generation))
		return -EAGAIN;
	r = j->files->ops->cut(j->files, journal_data_file(generation), 0);
	if (r < 0)
		return r;
	put_u32_at(header + 8, JOURNAL_VERSION);
	put_u64_at(header + 16, j->epoch);
	put_u64_at(header + 24, generation);
	put_u64_at(header + 32, checksum64(header, 32, 0));
	j->pending.length = j->pending_old = 0;
	r = buffer_append(&j->pending, header, sizeof(header));
	if (r < 0)
		return r;
	j->generation = generation;
	j->seed = get_u64_at(header + 32);
	j->position = j->data_position = j->data_durable = 0;
	j->pending_last = 0;
	SCOPED_LOCK(&j->lock);
	j->current = file;
	j->segments[file].last = 0;
	j->frames_end = 0;
	return 0;
}

static bool has_segment(const struct journal *j)
{
	return j->position || j->pending.length;
}

static bool fits(const struct journal *j, const struct journal_frame *frame)
{
	return j->position + j->pending.length + frame->bytes.length <=
		       j->segment_size &&
	       j->data_position + frame->data_length <=
		       JOURNAL_SEGMENTS * j->segment_size;
}

/* A segment with room for the frame.  What is pending is for the old one. */
static int make_room(struct journal *j, const struct journal_frame *frame,
		     bool *ret_sick)
{
	int r = 0;

	if (frame->data_length > JOURNAL_SEGMENTS * j->segment_size)
		return -EFBIG;
	if (has_segment(j) && fits(j, frame))
		return 0;
	if (journal_has_pending(j))
		r = j->dropped = journal_flush(j, ret_sick);
	return r < 0 ? r : next_segment(j);
}

/* ---- adding ---- */

static int write_extent(struct journal *j, struct journal_frame *frame,
			const struct journal_extent *extent)
{
	scoped_free char *bytes = malloc(extent->length);
	ssize_t n;
	int r;

	if (!bytes)
		return -ENOMEM;
	n = contents_read(extent->contents, bytes, extent->length,
			  extent->offset);
	if (n != (ssize_t)extent->length)
		return n < 0 ? (int)n : -EIO;
	r = j->files->ops->write(j->files, journal_data_file(j->generation),
				 bytes, n, j->data_position);
	if (r < 0)
		return r;
	journal_frame_place(frame, extent, j->data_position,
			    checksum64(bytes, n, 0));
	j->data_position += n;
	j->data_dirty = true;
	return 0;
}

/* The disk may be full: leaves no bytes behind. */
static void drop_data(struct journal *j, uint64_t from)
{
	j->files->ops->cut(j->files, journal_data_file(j->generation), from);
	j->data_position = from;
}

static int write_extents(struct journal *j, struct journal_frame *frame)
{
	uint64_t before = j->data_position;
	int r = 0;

	if (!frame->extent_count)
		return 0;
	if (j->files->ops->room(j->files) < RESERVE + 2 * frame->data_length)
		return -ENOSPC;
	for (size_t i = 0; r == 0 && i < frame->extent_count; i++)
		r = write_extent(j, frame, &frame->extents[i]);
	if (r < 0)
		drop_data(j, before);
	return r;
}

static int add_frame(struct journal *j, const struct cut *cut,
		     struct journal_frame *frame)
{
	int r = write_extents(j, frame);

	if (r < 0)
		return r;
	journal_frame_seal(frame, j->seed);
	r = buffer_append(&j->pending, frame->bytes.data, frame->bytes.length);
	if (r == 0)
		j->pending_last = cut->sequence;
	return r;
}

int journal_add(struct journal *j, const struct cut *cut, bool *ret_sick)
{
	int r;

	if (!journal_can_hold(cut))
		return -ENOTSUP;
	r = journal_encode(cut, j->segment_size - JOURNAL_HEADER, &j->frame);
	if (r == 0)
		r = make_room(j, &j->frame, ret_sick);
	if (r == 0)
		r = add_frame(j, cut, &j->frame);
	if (j->frame.bytes.capacity > FRAME_KEPT)
		journal_frame_release(&j->frame);
	return r;
}

/* ---- flushing ---- */

static bool is_want_of_room(int r)
{
	return r == -ENOSPC || r == -EDQUOT;
}

/* Zeros up to the end of the last block: *ret_size is what to write. */
static int pad(struct journal *j, size_t *ret_size)
{
	size_t more = -j->pending.length % JOURNAL_BLOCK;
	int r = buffer_reserve(&j->pending, more);

	if (r < 0)
		return r;
	memset(j->pending.data + j->pending.length, 0, more);
	*ret_size = j->pending.length + more;
	return 0;
}

static int write_pending(struct journal *j, bool *ret_sick)
{
	struct segment *s = &j->segments[journal_file(j->generation)];
	size_t size;
	int r = pad(j, &size);

	if (r < 0)
		return r;
	SCOPED_LOCK(&j->lock);
	r = j->files->ops->write(j->files, journal_file(j->generation),
				 j->pending.data, size, j->position);
	if (r < 0) {
		*ret_sick = !is_want_of_room(r);
		return r;
	}
	if (s->written < j->position + size)
		s->written = j->position + size;
	s->last = j->pending_last;
	j->frames_end = j->position + j->pending.length;
	return 0;
}

/* What was written, but for the frames that could not be; data: bytes of it. */
static void note_flushed(struct journal *j, uint64_t data)
{
	uint64_t bytes = j->pending.length - j->pending_old;
	size_t rest = j->pending.length % JOURNAL_BLOCK;
	size_t whole = j->pending.length - rest;

	memmove(j->pending.data, j->pending.data + whole, rest);
	j->position += whole;
	j->pending.length = j->pending_old = rest;
	SCOPED_LOCK(&j->lock);
	j->stats.bytes += bytes + data;
	j->stats.data_bytes += data;
}

int journal_flush(struct journal *j, bool *ret_sick)
{
	struct journal_files *f = j->files;
	uint64_t data = j->data_position - j->data_durable;
	int r = j->dropped;

	j->dropped = 0;
	if (r < 0 || !journal_has_pending(j))
		return r;
	if (j->data_dirty) {
		r = f->ops->flush(f, journal_data_file(j->generation));
		*ret_sick = r < 0;
	}
	if (r == 0) {
		j->data_dirty = false;
		/* frames that name it may be there, whole, if this fails */
		j->data_durable = j->data_position;
		r = write_pending(j, ret_sick);
	}
	if (r == 0) {
		r = f->ops->flush(f, journal_file(j->generation));
		*ret_sick = r < 0;
	}
	if (r == 0) {
		note_flushed(j, data);
		return 0;
	}
	drop_data(j, j->data_durable);
	j->pending.length = j->pending_old;
	return r;
}

/* ---- from another thread ---- */

void journal_release(struct journal *j, uint64_t published, uint64_t held)
{
	SCOPED_LOCK(&j->lock);

	j->published = published;
	j->held = held;
}

/* The segment in use or the next one, whose file is to be longer; false: there is
 * enough. */
static bool find_short_locked(const struct journal *j, unsigned int *ret_file)
{
	uint64_t wanted = j->frames_end + j->ahead, size = j->segment_size;
	unsigned int next = (j->current + 1) % JOURNAL_SEGMENTS;
	uint64_t rest = wanted > size ? wanted - size : 0;

	*ret_file = j->current;
	if (j->segments[j->current].written < (rest ? size : wanted))
		return true;
	*ret_file = next;
	/* if its frames are still needed it has been written */
	return j->segments[next].written < (rest < size ? rest : size) &&
	       is_free_locked(j, next);
}

/* One piece of zeros at the end of such a file. */
static bool prepare_step(struct journal *j, const char *zeros,
			 unsigned int *ret_file)
{
	struct segment *s;
	SCOPED_LOCK(&j->lock);

	if (!find_short_locked(j, ret_file))
		return false;
	s = &j->segments[*ret_file];
	if (j->files->ops->write(j->files, *ret_file, zeros, ZEROS,
				 s->written) < 0)
		return false;
	s->written += ZEROS;
	return true;
}

/* Several times what was written since the last call, which may come late. */
static void set_ahead(struct journal *j)
{
	SCOPED_LOCK(&j->lock);

	j->ahead = AHEAD + 4 * (j->stats.bytes - j->bytes_prepared);
	j->bytes_prepared = j->stats.bytes;
}

void journal_prepare(struct journal *j)
{
	scoped_free char *zeros = calloc(1, ZEROS);
	bool dirty[JOURNAL_SEGMENTS] = { false };
	unsigned int file;

	set_ahead(j);
	while (zeros && j->files->ops->room(j->files) > RESERVE &&
	       prepare_step(j, zeros, &file))
		dirty[file] = true;
	for (file = 0; file < JOURNAL_SEGMENTS; file++)
		if (dirty[file])
			j->files->ops->flush_apart(j->files, file);
}

void journal_get_stats(struct journal *j, struct journal_stats *ret)
{
	SCOPED_LOCK(&j->lock);

	*ret = j->stats;
	ret->segments_used = 0;
	for (unsigned int i = 0; i < JOURNAL_SEGMENTS; i++)
		if (!is_free_locked(j, i))
			ret->segments_used++;
}
