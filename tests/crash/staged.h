/* SPDX-License-Identifier: ISC */
#ifndef TESTS_CRASH_STAGED_H
#define TESTS_CRASH_STAGED_H

#include "store/odb.h"
#include "store/util.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* Objects that are written and not flushed: in memory until they are. */

struct staged {
	struct odb *memory;
	pthread_mutex_t lock;		/* guards what follows */
	struct staged_object {
		struct oid oid;
		enum object_type type;
	} *objects;
	size_t count;
};

static inline int staged_init(struct staged *s)
{
	pthread_mutex_init(&s->lock, NULL);
	return memory_odb_new(&s->memory);
}

static inline void staged_release(struct staged *s)
{
	odb_free(s->memory);
	free(s->objects);
	pthread_mutex_destroy(&s->lock);
}

/* The odb that has the object: memory, or below. */
static inline struct odb *staged_where(struct staged *s, struct odb *below,
				       const struct oid *oid)
{
	SCOPED_LOCK(&s->lock);

	for (size_t i = 0; i < s->count; i++)
		if (oid_equal(&s->objects[i].oid, oid))
			return s->memory;
	return below;
}

static inline int staged_note(struct staged *s, enum object_type type,
			      const struct oid *oid)
{
	struct staged_object *more;
	SCOPED_LOCK(&s->lock);

	more = realloc(s->objects, (s->count + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->objects = more;
	more[s->count++] = (struct staged_object){ *oid, type };
	return 0;
}

static inline int staged_write(struct staged *s, enum object_type type,
			       const void *data, size_t size,
			       struct oid *ret_oid)
{
	int r = odb_write(s->memory, type, data, size, ret_oid);

	return r < 0 ? r : staged_note(s, type, ret_oid);
}

static inline int staged_write_blob(struct staged *s, uint64_t size,
				    odb_source *source, void *context,
				    struct oid *ret_oid)
{
	int r = odb_write_blob(s->memory, size, source, context, ret_oid);

	return r < 0 ? r : staged_note(s, OBJECT_BLOB, ret_oid);
}

/* Copies the object numbered i. */
static inline int staged_keep_locked(struct staged *s, size_t i,
				     struct odb *below)
{
	const struct staged_object *object = &s->objects[i];
	scoped_free void *data = NULL;
	struct oid oid;
	size_t size;
	int r = odb_read(s->memory, &object->oid, object->type, &data, &size);

	return r < 0 ? r : odb_write(below, object->type, data, size, &oid);
}

#endif
