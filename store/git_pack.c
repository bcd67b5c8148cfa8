/* SPDX-License-Identifier: ISC */
#include "store/git_pack.h"
#include "store/git_delta.h"
#include "store/sha1_file.h"
#include "store/util.h"

#include <endian.h>
#include <errno.h>
#include <zlib.h>

#define OFS_DELTA 6
#define PACK_MOST ((uint64_t)INT32_MAX)
/* Of the same type before an object: the versions of a few files and folders
 * that change by turns. */
#define WINDOW 16
#define DEPTH_MOST 32
#define DELTA_LEAST 32		/* bytes of an object that becomes a delta */
#define TYPES 8

struct pack {
	struct sha1_file file;
	z_stream zlib;
	unsigned char output[16384];
	/* The last objects of each type, as a ring. */
	struct pack_object *window[TYPES][WINDOW];
	size_t seen[TYPES];
};

/* ---- bytes ---- */

static void add_header(struct pack *p, unsigned int type, size_t size)
{
	unsigned char bytes[10];
	size_t n = 0;

	bytes[0] = type << 4 | (size & 15);
	for (size >>= 4; size; size >>= 7) {
		bytes[n++] |= 0x80;
		bytes[n] = size & 0x7f;
	}
	sha1_file_add(&p->file, bytes, n + 1);
}

/* Of the base of a delta, so many bytes before it. */
static void add_distance(struct pack *p, uint64_t distance)
{
	unsigned char bytes[10];
	size_t at = sizeof(bytes) - 1;

	bytes[at] = distance & 0x7f;
	while (distance >>= 7)
		bytes[--at] = 0x80 | (--distance & 0x7f);
	sha1_file_add(&p->file, bytes + at, sizeof(bytes) - at);
}

static int add_deflated(struct pack *p, const void *data, size_t size)
{
	int z;

	if (deflateReset(&p->zlib) != Z_OK)
		return -EIO;
	p->zlib.next_in = (unsigned char *)(uintptr_t)data;
	p->zlib.avail_in = size;
	do {
		p->zlib.next_out = p->output;
		p->zlib.avail_out = sizeof(p->output);
		z = deflate(&p->zlib, Z_FINISH);
		sha1_file_add(&p->file, p->output,
			      sizeof(p->output) - p->zlib.avail_out);
	} while (z == Z_OK || z == Z_BUF_ERROR);
	return z == Z_STREAM_END ? 0 : -EIO;
}

/* ---- objects ---- */

static bool may_be_delta(const struct pack_object *object)
{
	return (object->type == OBJECT_TREE || object->type == OBJECT_BLOB) &&
	       object->size >= DELTA_LEAST;
}

/* The one that most of the object could be copied from, if that is enough. */
static struct pack_object *find_base(const struct pack *p,
				     const struct pack_object *object)
{
	size_t seen = p->seen[object->type], best = object->size / 4;
	struct pack_object *result = NULL;

	for (size_t i = 1; i <= WINDOW && i <= seen; i++) {
		struct pack_object *base =
			p->window[object->type][(seen - i) % WINDOW];
		size_t like;

		if (base->depth >= DEPTH_MOST)
			continue;
		like = git_delta_likeness(base->data, base->size, object->data,
					  object->size);
		if (like > best) {
			best = like;
			result = base;
		}
	}
	return result;
}

/* 1: it is no delta. */
static int add_as_delta(struct pack *p, struct pack_object *object)
{
	struct pack_object *base = may_be_delta(object) ?
		find_base(p, object) : NULL;
	scoped_buffer struct buffer delta = { 0 };
	int r;

	if (!base)
		return 1;
	r = git_delta_make(base->data, base->size, object->data, object->size,
			   object->size / 2, &delta);
	if (r != 0)
		return r;
	object->depth = base->depth + 1;
	add_header(p, OFS_DELTA, delta.length);
	add_distance(p, object->offset - base->offset);
	return add_deflated(p, delta.data, delta.length);
}

static int add_object(struct pack *p, struct pack_object *object)
{
	int r;

	if (p->file.length > PACK_MOST)
		return -EFBIG;
	object->offset = p->file.length;
	object->depth = 0;
	p->file.crc = 0;
	r = add_as_delta(p, object);
	if (r == 1) {
		add_header(p, object->type, object->size);
		r = add_deflated(p, object->data, object->size);
	}
	object->crc = p->file.crc;
	p->window[object->type][p->seen[object->type]++ % WINDOW] = object;
	return r;
}

static int add_objects(struct pack *p, struct pack_object *objects,
		       size_t count)
{
	uint32_t header[3] = { htobe32(0x5041434b), htobe32(2), htobe32(count) };
	int r = 0;

	sha1_file_add(&p->file, header, sizeof(header));
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_object(p, &objects[i]);
	return r;
}

int git_pack_write(int fd, struct pack_object *objects, size_t count,
		   int level, unsigned char ret_sum[SHA1_SIZE])
{
	struct pack *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	if (deflateInit(&p->zlib, level) != Z_OK) {
		free(p);
		return -ENOMEM;
	}
	sha1_file_init(&p->file, fd);
	r = add_objects(p, objects, count);
	if (r == 0)
		r = sha1_file_end(&p->file, ret_sum);
	deflateEnd(&p->zlib);
	free(p);
	return r;
}
