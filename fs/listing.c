/* SPDX-License-Identifier: ISC */
#include "fs/listing.h"

#include "fs/irmin.h"
#include "store/checksum.h"

#include <errno.h>
#include <string.h>

static int add(struct listing *listing, const char *name, mode_t type)
{
	struct listing_entry *more;
	size_t capacity;

	if (listing->count == listing->capacity) {
		capacity = listing->capacity ? 2 * listing->capacity : 16;
		more = reallocarray(listing->entries, capacity, sizeof(*more));
		if (!more)
			return -ENOMEM;
		listing->entries = more;
		listing->capacity = capacity;
	}
	listing->entries[listing->count] = (struct listing_entry){
		.name = strdup(name),
		.type = type,
		.cookie = checksum64(name, strlen(name), 0) >> 2,
	};
	if (!listing->entries[listing->count].name)
		return -ENOMEM;
	listing->count++;
	return 0;
}

static int add_branch(void *context, const char *name, bool is_branch)
{
	return add(context, name, S_IFDIR);
}

static int add_control(void *context, const char *name, mode_t type)
{
	return add(context, name, type);
}

static int by_cookie(const void *a, const void *b)
{
	const struct listing_entry *x = a, *y = b;

	return x->cookie < y->cookie ? -1 : x->cookie > y->cookie;
}

int listing_read(struct fs *fs, struct inode *inode, struct listing *ret)
{
	struct listing listing = { 0 };
	int r = inode->kind == INODE_SPACE ?
		store_list(fs->store, inode->name, add_branch, &listing) :
		irmin_list(fs, inode, add_control, &listing);

	if (r < 0) {
		listing_release(&listing);
		return r;
	}
	if (listing.count)
		qsort(listing.entries, listing.count, sizeof(*listing.entries),
		      by_cookie);
	*ret = listing;
	return 0;
}

void listing_release(struct listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		free(listing->entries[i].name);
	free(listing->entries);
	*listing = (struct listing){ 0 };
}
