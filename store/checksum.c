/* SPDX-License-Identifier: ISC */
#include "store/checksum.h"

#include <xxhash.h>

uint64_t checksum64(const void *data, size_t size, uint64_t seed)
{
	return XXH3_64bits_withSeed(data, size, seed);
}
