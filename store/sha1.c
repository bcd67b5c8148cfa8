/* SPDX-License-Identifier: ISC */
#include "store/sha1.h"

#include <endian.h>
#include <string.h>

static uint32_t rotate(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static uint32_t load(const unsigned char *p)
{
	uint32_t x;

	memcpy(&x, p, sizeof(x));
	return be32toh(x);
}

/* FIPS 180-4, 4.1.1: the function of each twenty rounds, its constant added. */
static uint32_t mix(int round, uint32_t b, uint32_t c, uint32_t d)
{
	if (round < 20)
		return ((b & c) | (~b & d)) + 0x5a827999;
	if (round < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (round < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

static void add_block(struct sha1 *s, const unsigned char *p)
{
	uint32_t w[80], a = s->state[0], b = s->state[1], c = s->state[2],
		 d = s->state[3], e = s->state[4];

	for (int i = 0; i < 16; i++)
		w[i] = load(p + 4 * i);
	for (int i = 16; i < 80; i++)
		w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (int i = 0; i < 80; i++) {
		uint32_t t = rotate(a, 5) + mix(i, b, c, d) + e + w[i];

		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = t;
	}
	s->state[0] += a;
	s->state[1] += b;
	s->state[2] += c;
	s->state[3] += d;
	s->state[4] += e;
}

void sha1_init(struct sha1 *s)
{
	static const uint32_t begin[5] = { 0x67452301, 0xefcdab89, 0x98badcfe,
					   0x10325476, 0xc3d2e1f0 };

	memcpy(s->state, begin, sizeof(begin));
	s->length = 0;
}

void sha1_add(struct sha1 *s, const void *data, size_t size)
{
	const unsigned char *p = data;
	size_t used = s->length % 64;

	s->length += size;
	if (used && size >= 64 - used) {
		memcpy(s->block + used, p, 64 - used);
		add_block(s, s->block);
		p += 64 - used;
		size -= 64 - used;
		used = 0;
	}
	for (; size >= 64; p += 64, size -= 64)
		add_block(s, p);
	if (size)
		memcpy(s->block + used, p, size);
}

void sha1_end(struct sha1 *s, unsigned char ret_sum[SHA1_SIZE])
{
	static const unsigned char padding[64] = { 0x80 };
	uint64_t bits = htobe64(s->length * 8);

	sha1_add(s, padding, 1 + (119 - s->length % 64) % 64);
	sha1_add(s, &bits, sizeof(bits));
	for (int i = 0; i < 5; i++) {
		uint32_t word = htobe32(s->state[i]);

		memcpy(ret_sum + 4 * i, &word, sizeof(word));
	}
}
