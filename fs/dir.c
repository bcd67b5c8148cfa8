/* SPDX-License-Identifier: ISC */
#include "fs/operations.h"

#include "fs/listing.h"
#include "fs/pending.h"
#include "fs/queue.h"

#include <errno.h>
#include <string.h>

/* Offsets of a listing: after "." is 1, after ".." is 2, after an entry of a
 * node's directory its cookie + DOTS, of other directories its cookie + 1 + DOTS. */
#define DOTS 2

/* What a listing with attributes asks the store for at once. */
#define BATCH_MAX 128

/* Entries of spaces and control directories: programs ask for the attributes. */
#define NUMBER_UNKNOWN 0xffffffffu

/* One reply to READDIR or READDIRPLUS. */
struct page {
	fuse_req_t req;
	char *data;
	size_t size, used;
	bool plus;
};

/* Returns false when there is no room. */
static bool add(struct page *page, const char *name,
		const struct fuse_entry_param *entry, off_t next)
{
	char *at = page->data + page->used;
	size_t room = page->size - page->used;
	size_t need = page->plus ?
		fuse_add_direntry_plus(page->req, at, room, name, entry, next) :
		fuse_add_direntry(page->req, at, room, name, &entry->attr, next);

	if (need > room)
		return false;
	page->used += need;
	return true;
}

/* An entry that the kernel takes no inode from. */
static bool add_plain(struct page *page, const char *name, ino_t number,
		      mode_t type, off_t next)
{
	const struct fuse_entry_param entry = {
		.attr = { .st_ino = number, .st_mode = type },
	};

	return add(page, name, &entry, next);
}

static bool add_dots(struct page *page, struct fs *fs, struct inode *inode,
		     off_t offset)
{
	struct stat st = { .st_ino = FUSE_ROOT_ID };

	inode_stat(fs, inode, &st);
	if (offset < 1 && !add_plain(page, ".", st.st_ino, S_IFDIR, 1))
		return false;
	return offset >= 2 || add_plain(page, "..", st.st_ino, S_IFDIR, 2);
}

/* ---- nodes: names only ---- */

static int add_listed(void *context, const struct listed *entry)
{
	return !add_plain(context, entry->name, entry->number, entry->type,
			  entry->cookie + DOTS);
}

/* ---- nodes: with attributes ---- */

struct batch_entry {
	char *name;
	ino_t number;
	mode_t type;
	off_t next;
	struct inode *inode;		/* NULL: damaged, name only */
	struct fuse_entry_param entry;
};

struct batch {
	struct batch_entry entries[BATCH_MAX];
	size_t count;
	size_t room;			/* for names, about */
	int error;
};

static void batch_free(struct fs *fs, struct batch *batch)
{
	for (size_t i = 0; batch && i < batch->count; i++) {
		inode_unref(fs, batch->entries[i].inode);
		free(batch->entries[i].name);
	}
	free(batch);
}

static int batch_add(void *context, const struct listed *entry)
{
	struct batch *batch = context;
	struct batch_entry *e = &batch->entries[batch->count];
	size_t need = strlen(entry->name) + sizeof(struct fuse_entry_param);

	if (batch->count == BATCH_MAX || need > batch->room)
		return 1;
	*e = (struct batch_entry){
		.name = strdup(entry->name),
		.number = entry->number,
		.type = entry->type,
		.next = entry->cookie + DOTS,
	};
	if (!e->name) {
		batch->error = -ENOMEM;
		return 1;
	}
	batch->room -= need;
	batch->count++;
	return 0;
}

/* The tree is not locked any more.  An entry that cannot be read is listed, and
 * the error comes when it is used. */
static void batch_load(struct fs *fs, struct inode *dir, struct batch *batch)
{
	double timeout = queue_is(dir) ? 0 : TIMEOUT_FOREVER;
	struct batch_entry *e;
	struct node *node;

	for (size_t i = 0; i < batch->count; i++) {
		e = &batch->entries[i];
		if (node_lookup(dir->node, e->name, &node) < 0 ||
		    inode_for_node(fs, dir, node, &e->inode) < 0)
			continue;
		if (entry_fill(fs, e->inode, timeout, &e->entry) < 0) {
			inode_unref(fs, e->inode);
			e->inode = NULL;
		}
	}
}

/* fs->replying is held. */
static void batch_write(struct fs *fs, struct page *page, struct batch *batch,
			bool current)
{
	struct batch_entry *e;

	for (size_t i = 0; i < batch->count; i++) {
		e = &batch->entries[i];
		if (!current)
			e->entry.entry_timeout = e->entry.attr_timeout = 0;
		if (!e->inode) {
			if (!add_plain(page, e->name, e->number, e->type,
				       e->next))
				return;
			continue;
		}
		inode_remember(fs, e->inode);
		if (!add(page, e->name, &e->entry, e->next)) {
			inode_forget(fs, e->inode, 1);
			return;
		}
	}
}

static int list_plus(struct page *page, struct inode *dir, off_t offset)
{
	struct fs *fs = fs_of(page->req);
	uint64_t answer = answer_begin(fs);
	struct batch *batch = calloc(1, sizeof(*batch));
	int r;

	if (!batch)
		return -ENOMEM;
	batch->room = page->size - page->used;
	r = node_list(dir->node, offset > DOTS ? offset - DOTS : 0, batch_add,
		      batch);
	if (r == 0)
		r = batch->error;
	if (r == 0)
		batch_load(fs, dir, batch);
	if (r < 0) {
		batch_free(fs, batch);
		return r;
	}
	pthread_rwlock_rdlock(&fs->replying);
	batch_write(fs, page, batch, answer_is_current(fs, answer));
	/* If this fails the mount is gone, and all inodes with it. */
	fuse_reply_buf(page->req, page->data, page->used);
	pthread_rwlock_unlock(&fs->replying);
	batch_free(fs, batch);
	return 0;
}

/* ---- spaces and control directories ---- */

static int list_other(struct page *page, struct inode *inode, off_t offset)
{
	scoped(listing_release) struct listing listing = { 0 };
	int r = listing_read(fs_of(page->req), inode, &listing);

	if (r < 0)
		return r;
	for (size_t i = 0; i < listing.count; i++) {
		const struct listing_entry *e = &listing.entries[i];
		off_t next = e->cookie + 1 + DOTS;

		if (next > offset &&
		    !add_plain(page, e->name, NUMBER_UNKNOWN, e->type, next))
			break;
	}
	return 0;
}

/* ---- operations ---- */

/* Told so once, the kernel opens directories without asking: it keeps listings
 * of all until it is told that one changed, or finds another time of change. */
void op_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);

	enter(req);
	if (fs->opens_directories) {
		info->cache_readdir = info->keep_cache =
			inode_of(fs, id)->kind == INODE_NODE;
		fuse_reply_open(req, info);
	} else {
		reply_error(req, -ENOSYS);
	}
}

void op_releasedir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info)
{
	reply_error(req, 0);
}

/* Returns 1 when it has replied. */
static int fill(struct page *page, struct inode *inode, off_t offset)
{
	if (offset < DOTS && !add_dots(page, fs_of(page->req), inode, offset))
		return 0;
	if (inode->kind != INODE_NODE)
		return list_other(page, inode, offset);
	if (queue_is(inode))
		pending_settle(fs_of(page->req), inode);
	if (!page->plus)
		return node_list(inode->node, offset > DOTS ? offset - DOTS : 0,
				 add_listed, page);
	return list_plus(page, inode, offset) ?: 1;
}

static void read_dir(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		     bool plus)
{
	scoped_free char *data = malloc(size);
	struct inode *inode = inode_of(fs_of(req), id);
	struct page page = {
		.req = req,
		.data = data,
		.size = size,
		.plus = plus,
	};
	int r = -ENOMEM;

	if (data)
		r = fill(&page, inode, offset);
	if (r < 0)
		reply_failure(req, inode, "listed", r);
	else if (r == 0)
		fuse_reply_buf(req, page.data, page.used);
}

void op_readdir(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		struct fuse_file_info *info)
{
	read_dir(req, id, size, offset, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	read_dir(req, id, size, offset, true);
}
