/* SPDX-License-Identifier: ISC */
#include "tests/crash/world_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The journal's files: what is written is seen by the machine at once, and is on
 * the disk when it is flushed. */

#define SECTOR 512

struct machine_journal {
	struct journal_files files;
	struct machine *machine;
};

/* A write or a truncation takes effect on a file. */
static void put(struct buffer *file, const struct pending *p)
{
	uint64_t end = p->offset + p->size;

	if (p->cut) {
		if (file->length > p->offset)
			file->length = p->offset;
		return;
	}
	if (end > file->length) {
		if (buffer_reserve(file, end - file->length) < 0)
			abort();
		memset(file->data + file->length, 0, end - file->length);
		file->length = end;
	}
	memcpy(file->data + p->offset, p->data, p->size);
}

static void put_sectors(struct machine *m, const struct pending *p)
{
	struct buffer *file = &m->world->files[p->file];

	if (p->cut && machine_toss_locked(m))
		put(file, p);
	for (size_t at = 0; at < p->size;) {
		struct pending piece = *p;

		piece.offset += at;
		piece.data += at;
		piece.size = SECTOR - piece.offset % SECTOR;
		if (piece.size > p->size - at)
			piece.size = p->size - at;
		if (machine_toss_locked(m))
			put(file, &piece);
		at += piece.size;
	}
}

static void drop_pending(struct machine *m, size_t at)
{
	free(m->pending[at].data);
	memmove(&m->pending[at], &m->pending[at + 1],
		(--m->pending_count - at) * sizeof(*m->pending));
}

void machine_lose_locked(struct machine *m)
{
	for (size_t i = 0; i < m->pending_count; i++) {
		const struct pending *p = &m->pending[i];

		if (m->loss == LOSE_NONE ||
		    (m->loss == LOSE_EARLIER && i >= m->pending_count / 2))
			put(&m->world->files[p->file], p);
		if (m->loss == LOSE_SECTORS)
			put_sectors(m, p);
	}
	while (m->pending_count)
		drop_pending(m, 0);
}

static struct machine *machine_under(struct journal_files *f)
{
	return ((struct machine_journal *)f)->machine;
}

static ssize_t read_file_bytes(struct journal_files *f, unsigned int file,
			       void *data, size_t size, uint64_t offset)
{
	struct machine *m = machine_under(f);
	const struct buffer *b = &m->seen[file];
	SCOPED_LOCK(&m->lock);

	if (offset >= b->length)
		return 0;
	if (size > b->length - offset)
		size = b->length - offset;
	memcpy(data, b->data + offset, size);
	return size;
}

static int add_pending(struct machine *m, const struct pending *like)
{
	struct pending *more = realloc(m->pending, (m->pending_count + 1) *
							   sizeof(*more));
	struct pending *p;

	if (!more)
		return -ENOMEM;
	m->pending = more;
	p = &more[m->pending_count];
	*p = *like;
	if (!p->cut) {
		p->data = malloc(p->size);
		if (!p->data)
			return -ENOMEM;
		memcpy(p->data, like->data, p->size);
	}
	m->pending_count++;
	put(&m->seen[p->file], p);
	return 0;
}

/* One that is cut off by the stop may be there, like any that is not flushed. */
static int write_file_bytes(struct journal_files *f, unsigned int file,
			    const void *data, size_t size, uint64_t offset)
{
	struct machine *m = machine_under(f);
	struct pending p = {
		.file = file, .offset = offset, .size = size,
		.data = (char *)data,
	};
	SCOPED_LOCK(&m->lock);

	if (m->stopped)
		return -EIO;
	if (add_pending(m, &p) < 0)
		return -ENOMEM;
	return machine_step_locked(m) ? 0 : -EIO;
}

static int cut_file(struct journal_files *f, unsigned int file, uint64_t size)
{
	struct machine *m = machine_under(f);
	struct pending p = { .file = file, .offset = size, .cut = true };
	SCOPED_LOCK(&m->lock);

	return m->stopped ? -EIO : add_pending(m, &p);
}

static int flush_file(struct journal_files *f, unsigned int file)
{
	struct machine *m = machine_under(f);
	SCOPED_LOCK(&m->lock);

	if (!machine_step_locked(m))
		return -EIO;
	for (size_t i = 0; i < m->pending_count;) {
		if (m->pending[i].file != file) {
			i++;
			continue;
		}
		put(&m->world->files[file], &m->pending[i]);
		drop_pending(m, i);
	}
	return 0;
}

static uint64_t room(struct journal_files *f)
{
	return UINT64_MAX;
}

static void free_files(struct journal_files *f)
{
	free(f);
}

static const struct journal_files_ops journal_ops = {
	.read = read_file_bytes,
	.write = write_file_bytes,
	.cut = cut_file,
	.flush = flush_file,
	.flush_apart = flush_file,
	.room = room,
	.free = free_files,
};

struct journal_files *machine_journal(struct machine *m)
{
	struct machine_journal *j = calloc(1, sizeof(*j));

	if (!j)
		abort();
	j->files.ops = &journal_ops;
	j->machine = m;
	return &j->files;
}
