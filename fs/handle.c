/* SPDX-License-Identifier: ISC */
#include "fs/handle.h"

#include <stdlib.h>

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
