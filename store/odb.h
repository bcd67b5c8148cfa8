/* SPDX-License-Identifier: ISC */
#ifndef STORE_ODB_H
#define STORE_ODB_H

#include "store/oid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Object access: Git's object database or one in memory, behind one interface.
 *
 * All functions may be called from any thread at once.  Errors of all:
 * -EIO      the object is missing or cannot be read
 * -EUCLEAN  it is damaged: does not match its id or its type
 * -ENOMEM
 * and of those that write: -ENOSPC, -EDQUOT, -EROFS, -EIO.
 */

enum object_type {
	OBJECT_COMMIT = 1,
	OBJECT_TREE = 2,
	OBJECT_BLOB = 3,
	OBJECT_TAG = 4,
};

/* Fills buffer with the next bytes of an object being written; returns how
 * many (0: no more) or a negative errno, which ends the write. */
typedef ssize_t odb_source(void *context, void *buffer, size_t size);

struct odb;

struct odb_ops {
	int (*read)(struct odb *odb, const struct oid *oid,
		    enum object_type *ret_type, void **ret_data,
		    size_t *ret_size);
	int (*read_header)(struct odb *odb, const struct oid *oid,
			   enum object_type *ret_type, uint64_t *ret_size);
	int (*unpack)(struct odb *odb, const struct oid *oid, int fd);
	int (*write)(struct odb *odb, enum object_type type, const void *data,
		     size_t size, struct oid *ret_oid);
	int (*write_blob)(struct odb *odb, uint64_t size, odb_source *source,
			  void *context, struct oid *ret_oid);
	int (*flush)(struct odb *odb);
	/* may be NULL: nothing to do */
	void (*settle)(struct odb *odb);
	void (*hold)(struct odb *odb, bool begin);
	void (*free)(struct odb *odb);
};

/* First member of every implementation. */
struct odb {
	const struct odb_ops *ops;
};

/* Whole object of the wanted type in a new allocation that ends with a NUL byte
 * beyond ret_size; the caller frees it.  -EUCLEAN: another type. */
int odb_read(struct odb *odb, const struct oid *oid, enum object_type type,
	     void **ret_data, size_t *ret_size);

/* Type and size in bytes without unpacking, as far as the storage allows.
 * ret_size may be NULL. */
int odb_read_header(struct odb *odb, const struct oid *oid,
		    enum object_type *ret_type, uint64_t *ret_size);

/* Writes the bytes of a blob to fd at its current position, without holding it
 * whole in this process.  Blocks for as long as that takes. */
int odb_unpack(struct odb *odb, const struct oid *oid, int fd);

/* Stores an object; nothing is durable before odb_flush. */
int odb_write(struct odb *odb, enum object_type type, const void *data,
	      size_t size, struct oid *ret_oid);

/* Stores a blob of exactly size bytes that source hands out in pieces.
 * -EIO: source ended before size bytes. */
int odb_write_blob(struct odb *odb, uint64_t size, odb_source *source,
		   void *context, struct oid *ret_oid);

/* What any thread wrote before this call is durable when it returns, and safe
 * from `git gc` until odb_settle (blobs above 1 MiB excepted).  After -ENOSPC,
 * -EDQUOT, -EROFS, -ENOMEM nothing is lost, and it may be tried again; after
 * -EIO all flushes fail. */
int odb_flush(struct odb *odb);

/* Refs or the pin now hold what earlier flushes made durable: `git gc` may deal
 * with it as it likes.  An object that is needed later without being held must be
 * written again.  Does nothing between odb_hold and odb_release of others. */
void odb_settle(struct odb *odb);

/* Who writes objects that a thread other than the one that settles is to refer
 * to, holds from before the first write until they are referred to.  May be
 * nested. */
void odb_hold(struct odb *odb);
void odb_release(struct odb *odb);

static inline void odb_releasep(struct odb **odb)
{
	odb_release(*odb);
}

/* Holds until the end of the block. */
#define SCOPED_HOLD(which)                                                     \
	__attribute__((cleanup(odb_releasep), unused))                         \
		struct odb *scope_hold = (odb_hold(which), which)

void odb_free(struct odb *odb);

/* An empty object database in memory, for tests and for structures without a
 * repository.  The empty tree is always there, as in Git. */
int memory_odb_new(struct odb **ret_odb);

#endif
