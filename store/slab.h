/* SPDX-License-Identifier: ISC */
#ifndef STORE_SLAB_H
#define STORE_SLAB_H

#include <pthread.h>
#include <stddef.h>

/* Memory for many objects of one size, of which the C library would waste 16
 * bytes each: packed into pages of 64 KiB, which go back to the system with their
 * last object, wherever they are.  With a sanitizer these are plain allocations,
 * so that it sees them.
 *
 * Locks: its own, a leaf. */

struct slab_page;

struct slab {
	size_t size;			/* of an object; constant */
	pthread_mutex_t lock;		/* guards the rest */
	struct slab_page *partial;	/* pages with room */
};

/* For a static variable; at least a pointer, a multiple of 8 bytes. */
#define SLAB(bytes) { .size = (bytes), .lock = PTHREAD_MUTEX_INITIALIZER }

/* Zeros; NULL: no memory. */
void *slab_new(struct slab *slab);
void slab_free(struct slab *slab, void *object);	/* accepts NULL */

#endif
