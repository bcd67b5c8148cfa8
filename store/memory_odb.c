/* SPDX-License-Identifier: ISC */
#include "store/git_hash.h"
#include "store/odb.h"
#include "store/util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
/* A full memory is an error of the caller: handle.tbl is NULL after HASH_ADD. */
#define HASH_NONFATAL_OOM 1
/* An id is as good as any hash of it. */
#define HASH_FUNCTION(key, length, hash) memcpy(&(hash), key, sizeof(hash))
#include <uthash.h>

struct memory_object {
	struct oid oid;
	enum object_type type;
	size_t size;
	UT_hash_handle hh;
	char data[];			/* and a NUL */
};

struct memory_odb {
	struct odb odb;
	pthread_mutex_t lock;
	struct memory_object *objects;	/* by oid; guarded by lock */
};

static struct memory_object *find(struct memory_odb *m, const struct oid *oid)
{
	struct memory_object *object;
	SCOPED_LOCK(&m->lock);

	/* Objects are never removed, so the pointer outlives the lock. */
	HASH_FIND(hh, m->objects, oid, sizeof(*oid), object);
	return object;
}

static int memory_read(struct odb *odb, const struct oid *oid,
		       enum object_type *ret_type, void **ret_data,
		       size_t *ret_size)
{
	struct memory_object *object = find((struct memory_odb *)odb, oid);
	void *data;

	if (!object)
		return -EIO;
	data = malloc(object->size + 1);
	if (!data)
		return -ENOMEM;
	memcpy(data, object->data, object->size + 1);
	*ret_type = object->type;
	*ret_data = data;
	*ret_size = object->size;
	return 0;
}

static int memory_read_header(struct odb *odb, const struct oid *oid,
			      enum object_type *ret_type, uint64_t *ret_size)
{
	struct memory_object *object = find((struct memory_odb *)odb, oid);

	if (!object)
		return -EIO;
	*ret_type = object->type;
	*ret_size = object->size;
	return 0;
}

static int memory_unpack(struct odb *odb, const struct oid *oid, int fd)
{
	struct memory_object *object = find((struct memory_odb *)odb, oid);
	size_t done = 0;

	if (!object)
		return -EIO;
	while (done < object->size) {
		ssize_t n = write(fd, object->data + done, object->size - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += n;
	}
	return 0;
}

static int insert(struct memory_odb *m, struct memory_object *object)
{
	struct memory_object *present;
	SCOPED_LOCK(&m->lock);

	HASH_FIND(hh, m->objects, &object->oid, sizeof(object->oid), present);
	if (!present) {
		HASH_ADD(hh, m->objects, oid, sizeof(object->oid), object);
		if (object->hh.tbl)
			return 0;
	}
	free(object);
	return present ? 0 : -ENOMEM;
}

static int memory_write(struct odb *odb, enum object_type type,
			const void *data, size_t size, struct oid *ret_oid)
{
	struct memory_object *object = calloc(1, sizeof(*object) + size + 1);
	int r;

	if (!object)
		return -ENOMEM;
	object->type = type;
	object->size = size;
	memcpy(object->data, data, size);
	r = git_hash(type, data, size, &object->oid);
	if (r < 0) {
		free(object);
		return r;
	}
	*ret_oid = object->oid;
	return insert((struct memory_odb *)odb, object);
}

static int memory_write_blob(struct odb *odb, uint64_t size,
			     odb_source *source, void *context,
			     struct oid *ret_oid)
{
	scoped_free char *data = malloc(size + 1);
	uint64_t done = 0;

	if (!data)
		return -ENOMEM;
	while (done < size) {
		ssize_t n = source(context, data + done, size - done);

		if (n < 0)
			return n;
		if (n == 0)
			return -EIO;
		done += n;
	}
	return memory_write(odb, OBJECT_BLOB, data, size, ret_oid);
}

static int memory_flush(struct odb *odb)
{
	return 0;
}

static void memory_free(struct odb *odb)
{
	struct memory_odb *m = (struct memory_odb *)odb;
	struct memory_object *object, *next;

	HASH_ITER(hh, m->objects, object, next) {
		HASH_DEL(m->objects, object);
		free(object);
	}
	pthread_mutex_destroy(&m->lock);
	free(m);
	git_library_end();
}

static const struct odb_ops memory_ops = {
	.read = memory_read,
	.read_header = memory_read_header,
	.unpack = memory_unpack,
	.write = memory_write,
	.write_blob = memory_write_blob,
	.flush = memory_flush,
	.free = memory_free,
};

int memory_odb_new(struct odb **ret_odb)
{
	struct memory_odb *m = calloc(1, sizeof(*m));
	struct oid oid;
	int r;

	if (!m)
		return -ENOMEM;
	git_library_begin();
	m->odb.ops = &memory_ops;
	pthread_mutex_init(&m->lock, NULL);
	r = memory_write(&m->odb, OBJECT_TREE, "", 0, &oid);
	if (r < 0) {
		memory_free(&m->odb);
		return r;
	}
	*ret_odb = &m->odb;
	return 0;
}
