/* SPDX-License-Identifier: ISC */
#ifndef STORE_SHA1_FILE_H
#define STORE_SHA1_FILE_H

#include "store/sha1.h"

/* Buffered writing of a file that ends with the SHA-1 of what is before. */

#define SHA1_FILE_BUFFER 32768

struct sha1_file {
	struct sha1 sum;
	uint64_t length;		/* bytes added so far */
	uint32_t crc;			/* CRC-32 since whoever set it to 0 */
	int fd, error;
	size_t used;
	unsigned char buffer[SHA1_FILE_BUFFER];
};

/* fd: an empty file; stays the caller's. */
void sha1_file_init(struct sha1_file *f, int fd);

/* An error of writing is kept for the end. */
void sha1_file_add(struct sha1_file *f, const void *data, size_t size);

/* Adds the sum and writes what is left; nothing is flushed to the disk.
 * Errors of write(2). */
int sha1_file_end(struct sha1_file *f, unsigned char ret_sum[SHA1_SIZE]);

#endif
