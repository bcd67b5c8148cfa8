/* SPDX-License-Identifier: ISC */
#include "store/git_delta.h"

#include <errno.h>
#include <string.h>

/* What both have in common at the begin and the end is copied.  Between, the
 * base is indexed by every eighth byte's next eight; the target is looked up
 * there at each byte, and what is found grows in both directions (as LZ4 and
 * Git's diff-delta.c do). */

#define STEP 8
#define COPY_MOST 65536
#define INSERT_MOST 127
#define INDEX_BITS_MOST 16
#define SAMPLES 16
#define SAMPLE 16

struct delta {
	const unsigned char *base, *target;
	size_t base_end, target_end;	/* of the part that is looked through */
	size_t done;			/* of target, encoded */
	size_t most;
	struct buffer *out;
	uint32_t *index;		/* offset + 1 in base, by hash */
	unsigned int bits;
};

/* ---- what is in common ---- */

static size_t common_begin(const unsigned char *a, const unsigned char *b,
			   size_t size)
{
	size_t n = 0;

	while (n + 64 <= size && memcmp(a + n, b + n, 64) == 0)
		n += 64;
	while (n < size && a[n] == b[n])
		n++;
	return n;
}

/* Of what ends before a_end and b_end. */
static size_t common_end(const unsigned char *a_end,
			 const unsigned char *b_end, size_t size)
{
	size_t n = 0;

	while (n + 64 <= size && memcmp(a_end - n - 64, b_end - n - 64, 64) == 0)
		n += 64;
	while (n < size && a_end[-1 - (ptrdiff_t)n] == b_end[-1 - (ptrdiff_t)n])
		n++;
	return n;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void find_ends(const unsigned char *base, size_t base_size,
		      const unsigned char *target, size_t size,
		      size_t *ret_begin, size_t *ret_end)
{
	size_t shorter = smaller(base_size, size);

	*ret_begin = common_begin(base, target, shorter);
	*ret_end = common_end(base + base_size, target + size,
			      shorter - *ret_begin);
}

/* How many of some pieces, spread over the shorter one, are at the same place,
 * from the begin or from the end; as bytes. */
static size_t sample(const unsigned char *base, size_t base_size,
		     const unsigned char *target, size_t size)
{
	size_t shorter = smaller(base_size, size), hits = 0;
	size_t base_shift = base_size - shorter, shift = size - shorter;

	if (shorter < SAMPLES * SAMPLE)
		return 0;
	for (size_t i = 0; i < SAMPLES; i++) {
		size_t at = i * (shorter - SAMPLE) / (SAMPLES - 1);

		if (memcmp(base + at, target + at, SAMPLE) == 0 ||
		    memcmp(base + base_shift + at, target + shift + at,
			   SAMPLE) == 0)
			hits++;
	}
	return shorter / SAMPLES * hits;
}

size_t git_delta_likeness(const void *base, size_t base_size,
			  const void *target, size_t size)
{
	size_t begin, end, sampled = sample(base, base_size, target, size);

	find_ends(base, base_size, target, size, &begin, &end);
	return begin + end > sampled ? begin + end : sampled;
}

/* ---- encoding ---- */

static int append_size(struct buffer *out, size_t size)
{
	unsigned char bytes[10];
	size_t n = 0;

	do {
		bytes[n] = size & 0x7f;
		size >>= 7;
		if (size)
			bytes[n] |= 0x80;
		n++;
	} while (size);
	return buffer_append(out, bytes, n);
}

/* New bytes of target up to end. */
static int insert(struct delta *d, size_t end)
{
	int r = 0;

	while (r == 0 && d->done < end) {
		unsigned char n = smaller(end - d->done, INSERT_MOST);

		if (d->out->length + 1 + n > d->most)
			return 1;
		r = buffer_append(d->out, &n, 1);
		if (r == 0)
			r = buffer_append(d->out, d->target + d->done, n);
		d->done += n;
	}
	return r;
}

static int append_copy(struct buffer *out, size_t offset, size_t size)
{
	unsigned char bytes[8] = { 0x80 };
	size_t n = 1;

	for (int i = 0; i < 4; i++)
		if (offset >> (8 * i) & 0xff) {
			bytes[0] |= 1 << i;
			bytes[n++] = offset >> (8 * i);
		}
	/* COPY_MOST is what no size at all says */
	for (int i = 0; i < 2; i++)
		if (size >> (8 * i) & 0xff) {
			bytes[0] |= 0x10 << i;
			bytes[n++] = size >> (8 * i);
		}
	return buffer_append(out, bytes, n);
}

static int copy(struct delta *d, size_t offset, size_t size)
{
	int r = 0;

	while (r == 0 && size > 0) {
		size_t n = smaller(size, COPY_MOST);

		r = append_copy(d->out, offset, n);
		offset += n;
		size -= n;
		d->done += n;
	}
	return r;
}

/* ---- looking through the rest ---- */

static uint32_t hash(const struct delta *d, const unsigned char *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return (x * 0x9e3779b97f4a7c15u) >> (64 - d->bits);
}

static int make_index(struct delta *d)
{
	size_t begin = d->done, length = d->base_end - begin;

	d->bits = 6;
	while (d->bits < INDEX_BITS_MOST &&
	       (size_t)STEP << d->bits < length)
		d->bits++;
	d->index = calloc((size_t)1 << d->bits, sizeof(*d->index));
	if (!d->index)
		return -ENOMEM;
	for (size_t at = begin; at + STEP <= d->base_end; at += STEP)
		d->index[hash(d, d->base + at)] = at + 1;
	return 0;
}

/* A piece of base that equals the target at at: grown in both directions.
 * Moves *at back to where it begins.  Returns its length, 0: none. */
static size_t find_piece(const struct delta *d, size_t first, size_t *at,
			 size_t *ret_offset)
{
	uint32_t found = d->index[hash(d, d->target + *at)];
	size_t offset = found - 1, before, after;

	if (!found || memcmp(d->base + offset, d->target + *at, STEP) != 0)
		return 0;
	after = common_begin(d->base + offset, d->target + *at,
			     smaller(d->base_end - offset,
				     d->target_end - *at));
	before = common_end(d->base + offset, d->target + *at,
			    smaller(offset - first, *at - d->done));
	*at -= before;
	*ret_offset = offset - before;
	return before + after;
}

static int encode_middle(struct delta *d)
{
	size_t first = d->done, at = d->done, offset;
	int r = 0;

	while (r == 0 && at + STEP <= d->target_end) {
		size_t length = find_piece(d, first, &at, &offset);

		if (length == 0) {
			at++;
			continue;
		}
		r = insert(d, at);
		if (r == 0)
			r = copy(d, offset, length);
		at += length;
	}
	return r == 0 ? insert(d, d->target_end) : r;
}

static int encode(struct delta *d, size_t begin, size_t end)
{
	int r = copy(d, 0, begin);

	if (r == 0 && d->base_end - begin >= STEP &&
	    d->target_end - begin >= STEP) {
		r = make_index(d);
		if (r == 0)
			r = encode_middle(d);
		free(d->index);
	} else if (r == 0) {
		r = insert(d, d->target_end);
	}
	return r == 0 ? copy(d, d->base_end, end) : r;
}

int git_delta_make(const void *base, size_t base_size, const void *target,
		   size_t size, size_t most, struct buffer *ret)
{
	struct delta d = { .base = base, .target = target, .most = most,
			   .out = ret };
	size_t begin, end;
	int r = append_size(ret, base_size);

	if (r == 0)
		r = append_size(ret, size);
	if (r < 0)
		return r;
	find_ends(base, base_size, target, size, &begin, &end);
	d.base_end = base_size - end;
	d.target_end = size - end;
	r = encode(&d, begin, end);
	return r == 0 && ret->length > most ? 1 : r;
}
