/* SPDX-License-Identifier: ISC */
#include "structures/chunk.h"

#include <stdint.h>

#define WINDOW 64

/* SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
 * generators", 2014). */
#define MIX0(i) (((uint64_t)(i) + 1) * 0x9e3779b97f4a7c15)
#define MIX1(z) (((z) ^ (z) >> 30) * 0xbf58476d1ce4e5b9)
#define MIX2(z) (((z) ^ (z) >> 27) * 0x94d049bb133111eb)
#define MIX3(z) ((z) ^ (z) >> 31)
#define GEAR(i) MIX3(MIX2(MIX1(MIX0(i))))
#define GEAR4(i) GEAR(i), GEAR((i) + 1), GEAR((i) + 2), GEAR((i) + 3)
#define GEAR16(i) GEAR4(i), GEAR4((i) + 4), GEAR4((i) + 8), GEAR4((i) + 12)
#define GEAR64(i)                                                              \
	GEAR16(i), GEAR16((i) + 16), GEAR16((i) + 32), GEAR16((i) + 48)

static const uint64_t gear[256] = {
	GEAR64(0), GEAR64(64), GEAR64(128), GEAR64(192),
};

size_t chunk_cut(const void *data, size_t size, size_t known)
{
	const unsigned char *p = data;
	size_t end = size < CHUNK_MAX ? size : CHUNK_MAX, at, first;
	uint64_t hash = 0;

	first = known < CHUNK_MIN ? CHUNK_MIN - 1 : known;
	if (end <= first)
		return 0;
	for (at = first - (WINDOW - 1); at < first; at++)
		hash = (hash << 1) + gear[p[at]];
	while (at < end) {
		hash = (hash << 1) + gear[p[at++]];
		if (hash >> 32 < (at - (CHUNK_MIN - 1)) << 9)
			return at;
	}
	return end == CHUNK_MAX ? CHUNK_MAX : 0;
}

bool chunk_group_ends(unsigned int count, const struct oid *child)
{
	const unsigned char *id = child->id;
	uint32_t hash = (uint32_t)id[0] << 24 | id[1] << 16 | id[2] << 8 | id[3];

	if (count < GROUP_MIN)
		return false;
	return count == GROUP_MAX || hash < (count - (GROUP_MIN - 1)) << 21;
}
