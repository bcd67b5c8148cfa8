/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_PACK_H
#define STORE_GIT_PACK_H

#include "store/odb.h"
#include "store/sha1.h"

/* Git's packs and their indexes, version 2 of both (gitformat-pack(5)). */

struct pack_object {
	struct oid oid;
	enum object_type type;
	const void *data;
	size_t size;

	/* Set by git_pack_write. */
	uint32_t offset, crc;
	unsigned int depth;		/* deltas down to a whole object */
};

/* Writes a pack of count different objects, in this order, to the empty file
 * fd; level: zlib's.  Trees and blobs become deltas of ones before them where
 * these are alike.  -EFBIG: 2 GiB and more; -ENOMEM, errors of write(2). */
int git_pack_write(int fd, struct pack_object *objects, size_t count,
		   int level, unsigned char ret_sum[SHA1_SIZE]);

/* Writes the index of that pack to the empty file fd.  Sorts objects by id.
 * -ENOMEM, errors of write(2). */
int git_pack_write_index(int fd, struct pack_object *objects, size_t count,
			 const unsigned char sum[SHA1_SIZE]);

#endif
