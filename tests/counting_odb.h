/* SPDX-License-Identifier: ISC */
#ifndef TESTS_COUNTING_ODB_H
#define TESTS_COUNTING_ODB_H

#include "store/odb.h"

#include <errno.h>

/* An object database over another that counts what passes, and fails when
 * told. */

struct counting_odb {
	struct odb odb;
	struct odb *below;
	uint64_t reads, read_bytes, writes, written_bytes;
	uint64_t fail_in;	/* 0: never; n: the nth read or write from now */
};

static inline int counting_fails(struct counting_odb *c)
{
	return c->fail_in && --c->fail_in == 0 ? -EIO : 0;
}

static inline int counting_read(struct odb *odb, const struct oid *oid,
				enum object_type *ret_type, void **ret_data,
				size_t *ret_size)
{
	struct counting_odb *c = (struct counting_odb *)odb;
	int r = counting_fails(c);

	if (r == 0)
		r = c->below->ops->read(c->below, oid, ret_type, ret_data,
					ret_size);
	if (r == 0) {
		c->reads++;
		c->read_bytes += *ret_size;
	}
	return r;
}

static inline int counting_read_header(struct odb *odb, const struct oid *oid,
				       enum object_type *ret_type,
				       uint64_t *ret_size)
{
	struct counting_odb *c = (struct counting_odb *)odb;

	return c->below->ops->read_header(c->below, oid, ret_type, ret_size);
}

static inline int counting_write(struct odb *odb, enum object_type type,
				 const void *data, size_t size,
				 struct oid *ret_oid)
{
	struct counting_odb *c = (struct counting_odb *)odb;
	int r = counting_fails(c);

	if (r < 0)
		return r;
	c->writes++;
	c->written_bytes += size;
	return c->below->ops->write(c->below, type, data, size, ret_oid);
}

static inline struct odb *counting_odb_init(struct counting_odb *c,
					    struct odb *below)
{
	static const struct odb_ops ops = {
		.read = counting_read,
		.read_header = counting_read_header,
		.write = counting_write,
	};

	*c = (struct counting_odb){ .odb.ops = &ops, .below = below };
	return &c->odb;
}

static inline void counting_odb_reset(struct counting_odb *c)
{
	c->reads = c->read_bytes = c->writes = c->written_bytes = 0;
}

#endif
