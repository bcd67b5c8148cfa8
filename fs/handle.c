/* SPDX-License-Identifier: ISC */
#include "fs/handle.h"

#include <errno.h>
#include <string.h>

struct handle *handle_new(struct fs *fs)
{
	struct handle *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	pthread_mutex_init(&h->lock, NULL);
	SCOPED_LOCK(&fs->handles_lock);
	h->next = fs->handles;
	if (fs->handles)
		fs->handles->previous = h;
	fs->handles = h;
	return h;
}

static void unlink_handle(struct fs *fs, struct handle *h)
{
	SCOPED_LOCK(&fs->handles_lock);
	if (h->previous)
		h->previous->next = h->next;
	else
		fs->handles = h->next;
	if (h->next)
		h->next->previous = h->previous;
}

void handle_free(struct fs *fs, struct handle *h)
{
	if (!h)
		return;
	unlink_handle(fs, h);
	handle_clear_list(h);
	free(h->entries);
	contents_unref(h->contents);
	buffer_release(&h->text);
	buffer_release(&h->written);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

void handles_release(struct fs *fs)
{
	while (fs->handles)
		handle_free(fs, fs->handles);
}

int handle_list(struct handle *h, const char *name, mode_t type)
{
	struct listing_entry *more;
	size_t capacity;

	if (h->count == h->capacity) {
		capacity = h->capacity ? 2 * h->capacity : 16;
		more = reallocarray(h->entries, capacity, sizeof(*more));
		if (!more)
			return -ENOMEM;
		h->entries = more;
		h->capacity = capacity;
	}
	h->entries[h->count].name = strdup(name);
	h->entries[h->count].type = type;
	if (!h->entries[h->count].name)
		return -ENOMEM;
	h->count++;
	return 0;
}

void handle_clear_list(struct handle *h)
{
	while (h->count > 0)
		free(h->entries[--h->count].name);
}
