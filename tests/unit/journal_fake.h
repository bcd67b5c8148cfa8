/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_JOURNAL_FAKE_H
#define TESTS_UNIT_JOURNAL_FAKE_H

/* The journal's files in memory: what was written and what is flushed, with
 * failures on demand.  The disk outlives the files that journals own. */

#include "store/journal_files.h"
#include "store/journal_format.h"
#include "store/util.h"

#include <string.h>

#define DISK_FILES (2 * JOURNAL_SEGMENTS)

struct disk {
	pthread_mutex_t lock;		/* guards what follows */
	struct buffer seen[DISK_FILES], durable[DISK_FILES];
	/* errors to give, until set to 0; writes fail half way */
	int write_error, flush_error;
	unsigned int writes_before;	/* that still succeed */
	int error_file;			/* only there; -1: anywhere */
	unsigned int writes, flushes;
	uint64_t last_offset, last_size;	/* of a write that succeeded */
	uint64_t room;
	bool shut, shut_apart;		/* flushes wait until it is not */
	unsigned int waiting;
	pthread_cond_t opened;
};

struct disk_under {
	struct journal_files files;
	struct disk *disk;
};

static struct disk *disk_under(struct journal_files *f)
{
	return ((struct disk_under *)f)->disk;
}

static inline void disk_init(struct disk *d)
{
	*d = (struct disk){ .room = UINT64_MAX, .error_file = -1 };
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->opened, NULL);
}

static inline void disk_release(struct disk *d)
{
	for (size_t i = 0; i < DISK_FILES; i++) {
		buffer_release(&d->seen[i]);
		buffer_release(&d->durable[i]);
	}
	pthread_cond_destroy(&d->opened);
	pthread_mutex_destroy(&d->lock);
}

static inline void disk_put(struct buffer *b, const void *data, size_t size,
			    uint64_t offset)
{
	uint64_t end = offset + size;

	if (end > b->length) {
		if (buffer_reserve(b, end - b->length + 1) < 0)
			abort();
		memset(b->data + b->length, 0, end - b->length);
		b->length = end;
	}
	if (size)
		memcpy(b->data + offset, data, size);
}

static bool disk_fails(const struct disk *d, int error, unsigned int file)
{
	return error && (d->error_file < 0 || d->error_file == (int)file);
}

static ssize_t disk_read(struct journal_files *f, unsigned int file, void *data,
			 size_t size, uint64_t offset)
{
	struct disk *d = disk_under(f);
	const struct buffer *b = &d->seen[file];
	SCOPED_LOCK(&d->lock);

	if (offset >= b->length)
		return 0;
	if (size > b->length - offset)
		size = b->length - offset;
	memcpy(data, b->data + offset, size);
	return size;
}

static int disk_write(struct journal_files *f, unsigned int file,
		      const void *data, size_t size, uint64_t offset)
{
	struct disk *d = disk_under(f);
	SCOPED_LOCK(&d->lock);

	if (disk_fails(d, d->write_error, file) && !d->writes_before) {
		disk_put(&d->seen[file], data, size / 2, offset);
		return d->write_error;
	}
	if (d->write_error && d->writes_before)
		d->writes_before--;
	d->writes++;
	d->last_offset = offset;
	d->last_size = size;
	disk_put(&d->seen[file], data, size, offset);
	return 0;
}

static int disk_flush(struct journal_files *f, unsigned int file)
{
	struct disk *d = disk_under(f);
	SCOPED_LOCK(&d->lock);

	d->waiting++;
	while (d->shut)
		pthread_cond_wait(&d->opened, &d->lock);
	d->waiting--;
	if (disk_fails(d, d->flush_error, file))
		return d->flush_error;
	d->flushes++;
	d->durable[file].length = 0;
	return buffer_append(&d->durable[file], d->seen[file].data,
			     d->seen[file].length);
}

static int disk_flush_apart(struct journal_files *f, unsigned int file)
{
	struct disk *d = disk_under(f);
	SCOPED_LOCK(&d->lock);

	while (d->shut_apart)
		pthread_cond_wait(&d->opened, &d->lock);
	d->durable[file].length = 0;
	return buffer_append(&d->durable[file], d->seen[file].data,
			     d->seen[file].length);
}

static int disk_cut(struct journal_files *f, unsigned int file, uint64_t size)
{
	struct disk *d = disk_under(f);
	SCOPED_LOCK(&d->lock);

	if (d->seen[file].length > size)
		d->seen[file].length = size;
	return 0;
}

static uint64_t disk_room(struct journal_files *f)
{
	struct disk *d = disk_under(f);
	SCOPED_LOCK(&d->lock);

	return d->room;
}

static void disk_free(struct journal_files *f)
{
	free(f);
}

static const struct journal_files_ops disk_ops = {
	.read = disk_read,
	.write = disk_write,
	.flush = disk_flush,
	.flush_apart = disk_flush_apart,
	.cut = disk_cut,
	.room = disk_room,
	.free = disk_free,
};

static inline struct journal_files *disk_files(struct disk *d)
{
	struct disk_under *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	f->files.ops = &disk_ops;
	f->disk = d;
	return &f->files;
}

/* What was not flushed is lost. */
static inline void disk_lose(struct disk *d)
{
	SCOPED_LOCK(&d->lock);

	for (size_t i = 0; i < DISK_FILES; i++) {
		d->seen[i].length = 0;
		if (buffer_append(&d->seen[i], d->durable[i].data,
				  d->durable[i].length) < 0)
			abort();
	}
}

static inline void disk_fail(struct disk *d, int write_error, int flush_error)
{
	SCOPED_LOCK(&d->lock);

	d->write_error = write_error;
	d->flush_error = flush_error;
}

static inline void disk_shut(struct disk *d, bool *which, bool shut)
{
	SCOPED_LOCK(&d->lock);

	*which = shut;
	pthread_cond_broadcast(&d->opened);
}

static inline unsigned int disk_waiting(struct disk *d)
{
	SCOPED_LOCK(&d->lock);

	return d->waiting;
}

static inline unsigned int disk_flushes(struct disk *d)
{
	SCOPED_LOCK(&d->lock);

	return d->flushes;
}

#endif
