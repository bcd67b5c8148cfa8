/* SPDX-License-Identifier: ISC */
#ifndef STORE_BLOBS_H
#define STORE_BLOBS_H

#include "store/odb.h"

#include <stdbool.h>

/* A cache of stored blobs: small ones whole in memory, larger ones unpacked to
 * files without a name.  A blob is loaded by its first reader while others
 * wait; it stays loaded after use, up to the budgets, the least recently used
 * going first.  No lock is held while the odb or the disk is read. */

struct blobs;
struct blob;

struct blobs_options {
	struct odb *odb;	/* outlives the cache, as does */
	struct odb *local;	/* where those of the local face are; or NULL */
	int dir_fd;		/* folder of the files; outlives it */
	uint64_t memory_budget, file_budget;	/* bytes */
	uint64_t memory_max;	/* bytes of the largest blob kept in memory */
};

/* Cache files that some contents refers to are kept beyond the budget if they
 * are among that many used last: a program that reads two large files in turn
 * must not have each of them unpacked again and again. */
#define BLOB_FILES_KEPT 8

int blobs_new(const struct blobs_options *options, struct blobs **ret_blobs);
void blobs_free(struct blobs *blobs);	/* no blob may be referenced */

/* Takes what is cached and not being read out of memory. */
void blobs_give_way(struct blobs *blobs);

/* A reference to the blob, which nothing is read of yet; the second is of one in
 * `local`.  -ENOMEM. */
int blobs_get(struct blobs *blobs, const struct oid *oid, uint64_t size,
	      struct blob **ret_blob);
int blobs_get_local(struct blobs *blobs, const struct oid *oid, uint64_t size,
		    struct blob **ret_blob);
struct blob *blob_ref(struct blob *blob);	/* accepts NULL */
void blob_unref(struct blob *blob);		/* accepts NULL */

const struct oid *blob_oid(const struct blob *blob);
bool blob_is_local(const struct blob *blob);

/* Whether a read needs no unpacking of a whole file: the blob is small, or its
 * file is there. */
bool blob_is_near(struct blob *blob);

/* The bytes [offset, offset + size), which must lie within the blob.  -EUCLEAN:
 * it has another size than announced; -ENOSPC, -EDQUOT: no room for its file;
 * errors of odb_read. */
int blob_read(struct blob *blob, void *data, size_t size, uint64_t offset);

/* As blob_read, if the blob is loaded; otherwise -EAGAIN. */
int blob_read_loaded(struct blob *blob, void *data, size_t size,
		     uint64_t offset);

struct blobs_stats {
	uint64_t memory_bytes, file_bytes, hits, misses;
};
void blobs_get_stats(struct blobs *blobs, struct blobs_stats *ret);

#endif
