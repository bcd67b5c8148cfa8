/* SPDX-License-Identifier: ISC */
#ifndef STORE_CHECKSUM_H
#define STORE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* XXH3, 64 bits: tells torn and flipped bytes from what was written, not an
 * attacker's from ours.  The only user of xxHash. */
uint64_t checksum64(const void *data, size_t size, uint64_t seed);

#endif
