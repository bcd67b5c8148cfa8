/* SPDX-License-Identifier: ISC */
#ifndef STORE_SHA1_H
#define STORE_SHA1_H

#include <stddef.h>
#include <stdint.h>

/* SHA-1 (FIPS 180-4) as the checksum at the end of Git's packs and indexes.
 * Not for ids of objects: those come from git_hash, which detects collisions. */

#define SHA1_SIZE 20

struct sha1 {
	uint32_t state[5];
	uint64_t length;		/* bytes so far */
	unsigned char block[64];	/* the last length % 64 of them */
};

void sha1_init(struct sha1 *s);
void sha1_add(struct sha1 *s, const void *data, size_t size);
/* Afterwards only sha1_init may follow. */
void sha1_end(struct sha1 *s, unsigned char ret_sum[SHA1_SIZE]);

#endif
