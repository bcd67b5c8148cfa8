/* SPDX-License-Identifier: ISC */
#include "store/slab.h"
#include "store/util.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <utlist.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PLAIN 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PLAIN 1
#endif

#ifdef PLAIN

void *slab_new(struct slab *slab)
{
	return calloc(1, slab->size);
}

void slab_free(struct slab *slab, void *object)
{
	free(object);
}

#else

#define PAGE_SIZE ((size_t)65536)

/* At the start of each page; an object that is free begins with a pointer to the
 * next one.  Those behind `fresh` were never used. */
struct slab_page {
	struct slab_page *prev, *next;	/* while it is in the list */
	void *unused;
	size_t used, fresh;		/* objects */
};

/* Pages are aligned, so that an object leads to its own. */
static struct slab_page *page_of(void *object)
{
	return (struct slab_page *)((uintptr_t)object & ~(PAGE_SIZE - 1));
}

static size_t capacity(const struct slab *slab)
{
	return (PAGE_SIZE - sizeof(struct slab_page)) / slab->size;
}

static void *map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* The system puts one mapping next to the other, so that most are aligned. */
static struct slab_page *page_new(void)
{
	char *memory = map(PAGE_SIZE), *start;

	if (!memory || page_of(memory) == (void *)memory)
		return (void *)memory;
	munmap(memory, PAGE_SIZE);
	memory = map(2 * PAGE_SIZE);
	if (!memory)
		return NULL;
	start = (char *)page_of(memory + PAGE_SIZE - 1);
	if (start > memory)
		munmap(memory, start - memory);
	munmap(start + PAGE_SIZE, memory + PAGE_SIZE - start);
	return (void *)start;
}

static void *take(struct slab *slab, struct slab_page *page)
{
	void *object = page->unused;

	if (object)
		memcpy(&page->unused, object, sizeof(page->unused));
	else
		object = (char *)(page + 1) + page->fresh++ * slab->size;
	if (++page->used == capacity(slab))
		DL_DELETE(slab->partial, page);
	return object;
}

void *slab_new(struct slab *slab)
{
	void *object = NULL;

	pthread_mutex_lock(&slab->lock);
	if (!slab->partial) {
		struct slab_page *page = page_new();

		if (page)
			DL_APPEND(slab->partial, page);
	}
	if (slab->partial)
		object = take(slab, slab->partial);
	pthread_mutex_unlock(&slab->lock);
	return object ? memset(object, 0, slab->size) : NULL;
}

void slab_free(struct slab *slab, void *object)
{
	struct slab_page *page = page_of(object);

	if (!object)
		return;
	SCOPED_LOCK(&slab->lock);
	if (page->used == capacity(slab))
		DL_PREPEND(slab->partial, page);
	memcpy(object, &page->unused, sizeof(page->unused));
	page->unused = object;
	if (--page->used)
		return;
	/* the last one stays: who makes and frees one at a time needs it */
	if (slab->partial == page && !page->next)
		return;
	DL_DELETE(slab->partial, page);
	munmap(page, PAGE_SIZE);
}

#endif
