/* SPDX-License-Identifier: ISC */
#include "store/odb.h"

#include <errno.h>
#include <stdlib.h>

int odb_read(struct odb *odb, const struct oid *oid, enum object_type type,
	     void **ret_data, size_t *ret_size)
{
	enum object_type found;
	void *data;
	size_t size;
	int r = odb->ops->read(odb, oid, &found, &data, &size);

	if (r < 0)
		return r;
	if (found != type) {
		free(data);
		return -EUCLEAN;
	}
	*ret_data = data;
	*ret_size = size;
	return 0;
}

int odb_read_header(struct odb *odb, const struct oid *oid,
		    enum object_type *ret_type, uint64_t *ret_size)
{
	uint64_t size;
	int r = odb->ops->read_header(odb, oid, ret_type, &size);

	if (r == 0 && ret_size)
		*ret_size = size;
	return r;
}

int odb_unpack(struct odb *odb, const struct oid *oid, int fd)
{
	return odb->ops->unpack(odb, oid, fd);
}

int odb_write(struct odb *odb, enum object_type type, const void *data,
	      size_t size, struct oid *ret_oid)
{
	return odb->ops->write(odb, type, data, size, ret_oid);
}

int odb_write_blob(struct odb *odb, uint64_t size, odb_source *source,
		   void *context, struct oid *ret_oid)
{
	return odb->ops->write_blob(odb, size, source, context, ret_oid);
}

int odb_flush(struct odb *odb)
{
	return odb->ops->flush(odb);
}

void odb_settle(struct odb *odb)
{
	if (odb->ops->settle)
		odb->ops->settle(odb);
}

void odb_hold(struct odb *odb)
{
	if (odb->ops->hold)
		odb->ops->hold(odb, true);
}

void odb_release(struct odb *odb)
{
	if (odb->ops->hold)
		odb->ops->hold(odb, false);
}

void odb_free(struct odb *odb)
{
	if (odb)
		odb->ops->free(odb);
}
