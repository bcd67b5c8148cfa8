/* SPDX-License-Identifier: ISC */
#include "structures/rope_contents_private.h"

#include <errno.h>

/* Bytes of ropes that are in contents of the pool: what a file was before it
 * became a rope, and the log that its new bytes go to. */

/* Bytes of memory that a rope may take before its bytes move to the log. */
#define MEMORY_MOST ((uint64_t)256 << 10)

/* Bytes that the log may have more than twice what the file has. */
#define LOG_SLACK ((uint64_t)4 << 20)

/* A step of moving bytes from one log to another. */
#define MOVE_SIZE ((size_t)64 << 10)

struct contents_source {
	struct rope_source source;
	struct contents *contents;
};

static int source_read(struct rope_source *source, void *data, size_t size,
		       uint64_t offset)
{
	struct contents_source *s = (struct contents_source *)source;
	char *p = data;

	while (size) {
		ssize_t n = contents_read(s->contents, p, size, offset);

		if (n <= 0)
			return n < 0 ? n : -EUCLEAN;
		p += n;
		offset += n;
		size -= n;
	}
	return 0;
}

static void source_free(struct rope_source *source)
{
	struct contents_source *s = (struct contents_source *)source;

	contents_unref(s->contents);
	free(s);
}

static const struct rope_source_ops contents_source_ops = {
	.read = source_read,
	.free = source_free,
};

int contents_source_new(struct contents *c, struct rope_source **ret)
{
	struct contents_source *s = malloc(sizeof(*s));

	if (!s) {
		contents_unref(c);
		return -ENOMEM;
	}
	s->source.ops = &contents_source_ops;
	atomic_init(&s->source.refs, 1);
	s->contents = c;
	*ret = &s->source;
	return 0;
}

struct contents *contents_source_of(struct rope_source *source)
{
	return source->ops == &contents_source_ops ?
			((struct contents_source *)source)->contents : NULL;
}

int rope_of_contents(struct contents *c, struct rope **ret)
{
	struct rope_source *source;
	struct rope *rope = NULL;
	int r = contents_source_new(contents_ref(c), &source);

	if (r < 0)
		return r;
	r = rope_new(&rope);
	if (r == 0)
		r = rope_insert_source(rope, 0, source, 0, contents_size(c),
				       ROPE_UNKNOWN);
	rope_source_unref(source);
	if (r < 0) {
		rope_free(rope);
		return r;
	}
	*ret = rope;
	return 0;
}

/* ---- the log ---- */

static int new_log(struct rope_contents *r)
{
	struct rope_source *log = NULL;
	struct contents *c;
	int error = overlay_new(r->pool, &c);

	if (error == 0)
		error = contents_source_new(c, &log);
	if (error < 0)
		return error;
	rope_source_unref(r->log);
	r->log = log;
	return 0;
}

/* Appends to the log: what is there does not change, so that it is a source. */
static int append(struct rope_contents *r, const void *data, size_t size,
		  uint64_t *ret_offset)
{
	struct contents *c = r->log ? contents_source_of(r->log) : NULL;
	uint64_t start;
	const char *p = data;

	if (!c || contents_size(c) + size > CONTENTS_SIZE_MAX) {
		int error = new_log(r);

		if (error < 0)
			return error;
		c = contents_source_of(r->log);
	}
	start = contents_size(c);
	for (uint64_t at = start; size;) {
		ssize_t n = contents_write(c, p, size, at);

		if (n <= 0)
			return n < 0 ? n : -EIO;
		p += n;
		at += n;
		size -= n;
	}
	*ret_offset = start;
	return 0;
}

int rope_contents_log(struct rope_contents *r, struct rope *rope,
		      uint64_t offset, const void *data, size_t size)
{
	uint64_t at = 0;
	int error = append(r, data, size, &at);

	if (error < 0)
		return error;
	return rope_insert_source(rope, offset, r->log, at, size,
				  rope_count_newlines(data, size));
}

/* ---- moving bytes out of memory ---- */

/* Bytes of leaves, as pieces of the log. */
struct moving {
	struct rope_contents *r;
	struct rope *to;
	struct rope_source *leaving;	/* a log; or NULL: it stays */
};

/* A piece of the log that is left, as one of the new one. */
static int move_piece(struct moving *m, uint64_t offset, uint64_t size)
{
	scoped_free char *data = malloc(MOVE_SIZE);
	int r = data ? 0 : -ENOMEM;

	while (r == 0 && size) {
		size_t part = size < MOVE_SIZE ? size : MOVE_SIZE;

		r = source_read(m->leaving, data, part, offset);
		if (r == 0)
			r = rope_contents_log(m->r, m->to, rope_size(m->to),
					      data, part);
		offset += part;
		size -= part;
	}
	return r;
}

static int move_leaf(void *context, struct rope_node *leaf, uint64_t offset,
		     uint64_t size)
{
	struct moving *m = context;
	struct rope_piece *piece = rope_piece(leaf);
	uint64_t end = rope_size(m->to);

	if (!leaf->is_piece)
		return rope_contents_log(m->r, m->to, end,
					 rope_leaf(leaf)->data + offset, size);
	if (piece->source == m->leaving)
		return move_piece(m, piece->offset + offset, size);
	return rope_insert_source(m->to, end, piece->source,
				  piece->offset + offset, size,
				  leaf->sum.unknown ? ROPE_UNKNOWN
						    : leaf->sum.newlines);
}

/* All bytes to the log, which becomes another one if the present one leaves.
 * When it fails all stays as it is. */
static int move_all(struct rope_contents *r, bool leave)
{
	struct moving moving = { .r = r };
	int error = rope_new(&moving.to);

	if (error < 0)
		return error;
	if (leave)
		moving.leaving = STEAL(r->log);
	rope_settle(r->rope);
	error = rope_node_each(r->rope->root, 0, r->size, move_leaf, &moving);
	if (error < 0 && leave) {
		rope_source_unref(r->log);
		r->log = STEAL(moving.leaving);
	}
	if (error < 0) {
		rope_free(moving.to);
		return error;
	}
	rope_source_unref(moving.leaving);
	rope_free(r->rope);
	r->rope = moving.to;
	return 0;
}

/* Mostly of bytes that are overwritten since, which nothing refers to. */
static bool is_log_wasteful(const struct rope_contents *r)
{
	return r->log && contents_size(contents_source_of(r->log)) >
				 LOG_SLACK + 2 * r->size;
}

/* Nothing is lost when it fails: it is tried again when there are more. */
void rope_contents_trim(struct rope_contents *r)
{
	uint64_t memory = rope_memory(r->rope);
	bool wasteful = is_log_wasteful(r);

	if (!wasteful && (memory < MEMORY_MOST || memory < 2 * r->spilled))
		return;
	r->spilled = memory;
	if (move_all(r, wasteful) == 0)
		r->spilled = rope_memory(r->rope);
}

/* ---- holes ---- */

struct finding {
	uint64_t offset;		/* where the walk is */
	bool known, data;		/* what it began with */
};

/* What a piece begins with at offset, and how long that is. */
static uint64_t stretch(const struct rope_node *leaf, uint64_t offset,
			uint64_t size, bool *ret_data)
{
	const struct rope_piece *piece = (const struct rope_piece *)leaf;
	struct contents *c;
	uint64_t at, end;

	*ret_data = true;
	if (!leaf->is_piece)
		return size;
	if (rope_source_is_zeros(piece->source)) {
		*ret_data = false;
		return size;
	}
	c = contents_source_of(piece->source);
	at = piece->offset + offset;
	if (!c || contents_stretch(c, at, at + size, ret_data, &end) < 0)
		return size;
	return end - at;
}

/* 1: it ends here. */
static int find_in_leaf(void *context, struct rope_node *leaf, uint64_t offset,
			uint64_t size)
{
	struct finding *f = context;

	while (size) {
		bool data;
		uint64_t length = stretch(leaf, offset, size, &data);

		if (f->known && data != f->data)
			return 1;
		f->known = true;
		f->data = data;
		f->offset += length;
		offset += length;
		size -= length;
	}
	return 0;
}

int rope_contents_find(struct rope *rope, uint64_t offset, uint64_t end,
		       bool *ret_data, uint64_t *ret_end)
{
	struct finding f = { .offset = offset };
	int r;

	rope_settle(rope);
	r = rope_node_each(rope->root, offset, end - offset, find_in_leaf, &f);
	if (r < 0)
		return r;
	*ret_data = f.data;
	*ret_end = f.offset;
	return 0;
}
