/* SPDX-License-Identifier: ISC */
#include "store/node.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdlib.h>

/* ---- opening ---- */

/* What a file is that is not open. */
struct stored {
	struct oid oid;
	uint64_t size;
	bool structured, own;
};

/* What is known without reading: a reference to open contents, or NULL and what
 * is stored.  That does not change as long as its contents are not open. */
static struct contents *known(struct node *n, struct stored *ret)
{
	SCOPED_READ(&n->worktree->lock);
	SCOPED_LOCK(&n->worktree->state);

	if (n->contents)
		return contents_ref(n->contents);
	*ret = (struct stored){ n->oid, n->size, n->structured, n->own };
	return NULL;
}

static int stored_size(const struct node *n, const struct stored *stored,
		       uint64_t *ret_size)
{
	return contents_stored_size(node_odb(n->worktree, stored->own),
				    &stored->oid, stored->structured ?
				    MODE_ROPE : MODE_FILE, ret_size);
}

static int read_size(struct node *n, const struct stored *stored,
		     uint64_t *ret_size)
{
	uint64_t size;
	int r = stored_size(n, stored, &size);

	if (r < 0)
		return r;
	SCOPED_READ(&n->worktree->lock);
	SCOPED_LOCK(&n->worktree->state);
	if (!n->contents)
		n->size = size;
	*ret_size = size;
	return 0;
}

int node_size(struct node *n, uint64_t *ret_size, uint64_t *ret_data)
{
	struct stored stored;
	scoped_contents struct contents *c = known(n, &stored);
	uint64_t size = c ? contents_size(c) : stored.size;
	int r = 0;

	if (size == SIZE_UNKNOWN)
		r = read_size(n, &stored, &size);
	if (r < 0)
		return r;
	*ret_size = size;
	*ret_data = c ? contents_data_size(c) : size;
	return 0;
}

static int open_stored(struct node *n, struct stored *stored,
		       struct contents **ret)
{
	struct pool *pool = n->worktree->options.pool;
	int r = 0;

	if (stored->structured)
		return contents_kind()->open(pool, &stored->oid, ret);
	if (stored->size == SIZE_UNKNOWN)
		r = stored_size(n, stored, &stored->size);
	if (r < 0)
		return r;
	return stored->own ?
		overlay_new_local(pool, &stored->oid, stored->size, ret) :
		overlay_new_stored(pool, &stored->oid, stored->size, ret);
}

int node_open_contents_locked(struct node *n)
{
	struct stored stored = { n->oid, n->size, n->structured, n->own };

	return n->contents ? 0 : open_stored(n, &stored, &n->contents);
}

int node_contents(struct node *n, struct contents **ret)
{
	struct contents *c;
	struct stored stored;
	int r;

	if (!node_has_contents(n))
		return node_type(n) == S_IFDIR ? -EISDIR : -EINVAL;
	c = known(n, &stored);
	if (c) {
		*ret = c;
		return 0;
	}
	r = open_stored(n, &stored, &c);
	if (r < 0)
		return r;
	SCOPED_READ(&n->worktree->lock);
	SCOPED_LOCK(&n->worktree->state);
	if (n->contents)
		contents_unref(c);	/* someone was faster */
	else
		n->contents = c;
	*ret = contents_ref(n->contents);
	return 0;
}

bool node_is_structured(struct node *n)
{
	SCOPED_READ(&n->worktree->lock);

	return n->kind == KIND_FILE && n->structured;
}

static int file_contents(struct node *n, struct contents **ret)
{
	return n->kind == KIND_SYMLINK ? -EINVAL : node_contents(n, ret);
}

/* ---- reading ---- */

ssize_t node_read(struct node *n, void *data, size_t size, uint64_t offset)
{
	scoped_contents struct contents *c = NULL;
	int r = file_contents(n, &c);

	return r < 0 ? r : contents_read(c, data, size, offset);
}

off_t node_seek(struct node *n, uint64_t offset, int whence)
{
	scoped_contents struct contents *c = NULL;
	int r = file_contents(n, &c);

	return r < 0 ? r : contents_seek(c, offset, whence);
}

int node_readlink(struct node *n, char **ret_target)
{
	scoped_contents struct contents *c = NULL;
	scoped_free char *target = NULL;
	uint64_t size;
	ssize_t got;
	int r;

	if (n->kind != KIND_SYMLINK)
		return -EINVAL;
	r = node_contents(n, &c);
	if (r < 0)
		return r;
	size = contents_size(c);
	if (size >= PATH_MAX)
		return -ENAMETOOLONG;
	target = malloc(size + 1);
	if (!target)
		return -ENOMEM;
	got = contents_read(c, target, size, 0);
	if (got < 0)
		return got;
	target[got] = '\0';
	*ret_target = STEAL(target);
	return 0;
}

/* ---- changing ---- */

/* A change of a file's contents: begun without locks, made while the tree's
 * lock is held shared, so that a capture has all of it or nothing. */
struct change {
	struct node *n;
	struct contents *c;
	struct attributes *spare;
};

static void cleanup_change(struct change *change)
{
	contents_unref(change->c);
	free(change->spare);
}

static int change_begin(struct change *change, struct node *n)
{
	change->n = n;
	return file_contents(n, &change->c);
}

/* They may have been converted meanwhile; under the lock they are not. */
static void refresh(struct change *change)
{
	struct node *n = change->n;
	struct contents *old = change->c;
	SCOPED_LOCK(&n->worktree->state);

	if (n->contents == old)
		return;
	change->c = contents_ref(n->contents);
	contents_unref(old);
}

/* The lock is held shared: whether the change may be made. */
static int change_allowed(struct change *change)
{
	int r = worktree_check_writable(change->n->worktree);

	refresh(change);
	return r < 0 ? r : attributes_reserve(change->n, &change->spare);
}

/* The same, of a change that replaces [offset, offset + size).  What replay or the
 * engine does with contents is not asked: there is no caller to be told. */
static int change_allowed_at(struct change *change, uint64_t offset,
			     uint64_t size)
{
	int r = change_allowed(change);

	return r < 0 ? r : contents_check_cut(change->c, offset, size);
}

/* Of one that makes it as long as that. */
static int change_allowed_to(struct change *change, uint64_t size)
{
	int r = change_allowed(change);
	uint64_t old;

	if (r < 0)
		return r;
	old = contents_size(change->c);
	return size < old ? contents_check_cut(change->c, size, old - size) :
			    contents_check_cut(change->c, old, 0);
}

static void change_done(struct change *change)
{
	struct node *n = change->n;
	struct timespec now;
	SCOPED_LOCK(&n->worktree->state);

	n->worktree->options.clock(&now);
	attributes_touch(n, &change->spare, &now);
	node_mark(n, true);
	if (n->rules && n->parent)
		node_rules_changed(n->parent, n->rules);
}

/* ---- contents that can splice ---- */

/* Copying less than this, in bytes, is as good as sharing it. */
#define CONVERT_LEAST 65536u

/* Nobody writes to the old ones: whoever does holds the lock, and has looked
 * under it which are n's (refresh).  Who reads them sees what was before. */
int node_convert_locked(struct node *n)
{
	const struct contents_kind *kind = contents_kind();
	struct contents *c, *old = n->contents;
	int r;

	if (contents_can_splice(old))
		return 0;
	if (!kind)
		return -EOPNOTSUPP;
	r = kind->convert(n->worktree->options.pool, old, &c);
	if (r < 0)
		return r;
	{
		SCOPED_LOCK(&n->worktree->state);
		n->contents = c;
	}
	contents_unref(old);
	return 0;
}

/* Git has n as it is. */
static bool is_unchanged(struct node *n)
{
	SCOPED_READ(&n->worktree->lock);
	SCOPED_LOCK(&n->worktree->state);

	return node_is_clean(n) && !(n->flags & NODE_CHANGED);
}

/* n is open. */
static int convert(struct node *n)
{
	SCOPED_WRITE(&n->worktree->lock);
	int r = worktree_check_writable(n->worktree);

	return r < 0 ? r : node_convert_locked(n);
}

/* Sizes in bytes: of files, and of changes. */
#define SPARSE_LEAST ((uint64_t)1 << 20)
#define SPARSE_MOST 4096u
#define HEAD_SIZE 8000u

/* 1: Git takes what is in c for text. */
static int is_text(struct contents *c)
{
	char head[HEAD_SIZE];
	ssize_t got = contents_read(c, head, 512, 0);

	/* most of what is none tells soon */
	if (got < 0 || !contents_is_text(head, got))
		return got < 0 ? got : 0;
	got = contents_read(c, head, sizeof(head), 0);
	return got < 0 ? got : contents_is_text(head, got);
}

/* Whether a change is the first one of a long text that is stored, and small: a
 * block of an overlay would have to be read and copied for it.  All else costs
 * less in an overlay. */
static bool is_sparse(const struct change *change, uint64_t offset, size_t size)
{
	struct contents *c = change->c;
	uint64_t end = contents_size(c);

	return contents_kind() && !contents_can_splice(c) &&
	       size < SPARSE_MOST && end >= SPARSE_LEAST && offset < end &&
	       size <= end - offset && is_unchanged(change->n) &&
	       is_text(c) == 1;
}

int node_splice(struct node *n, uint64_t offset, uint64_t delete_size,
		const void *data, size_t insert_size)
{
	scoped(cleanup_change) struct change change = { 0 };
	int r = change_begin(&change, n);

	if (r == 0 && !contents_can_splice(change.c))
		r = convert(n);
	if (r < 0)
		return r;
	SCOPED_READ(&n->worktree->lock);
	/* What is appended meanwhile goes behind the end that there is then. */
	SCOPED_LOCK(&n->worktree->appending);
	r = change_allowed_at(&change, offset, delete_size);
	if (r == 0)
		r = contents_splice(change.c, offset, delete_size, data,
				    insert_size);
	if (r == 0)
		change_done(&change);
	return r;
}

/* ---- the other changes ---- */

static ssize_t append(struct change *change, const void *data, size_t size)
{
	SCOPED_LOCK(&change->n->worktree->appending);

	return contents_write(change->c, data, size, contents_size(change->c));
}

ssize_t node_write(struct node *n, const void *data, size_t size,
		   uint64_t offset, bool at_end)
{
	scoped(cleanup_change) struct change change = { 0 };
	ssize_t r = change_begin(&change, n);

	if (r < 0)
		return r;
	/* where that fails it stays what it is */
	if (!at_end && is_sparse(&change, offset, size))
		convert(n);
	SCOPED_READ(&n->worktree->lock);
	r = at_end ? change_allowed_to(&change, UINT64_MAX) :
		     change_allowed_at(&change, offset, size);
	if (r < 0)
		return r;
	r = at_end ? append(&change, data, size) :
		     contents_write(change.c, data, size, offset);
	if (r > 0)
		change_done(&change);
	return r;
}

ssize_t node_move(struct node *n, int pipe, size_t size, uint64_t offset)
{
	scoped(cleanup_change) struct change change = { 0 };
	ssize_t r = change_begin(&change, n);

	if (r < 0)
		return r;
	SCOPED_READ(&n->worktree->lock);
	r = change_allowed_at(&change, offset, size);
	if (r == 0)
		r = contents_move(change.c, pipe, size, offset);
	if (r > 0)
		change_done(&change);
	return r;
}

int node_truncate(struct node *n, uint64_t size)
{
	scoped(cleanup_change) struct change change = { 0 };
	int r = change_begin(&change, n);

	if (r < 0)
		return r;
	SCOPED_READ(&n->worktree->lock);
	r = change_allowed_to(&change, size);
	if (r == 0)
		r = contents_truncate(change.c, size);
	if (r == 0)
		change_done(&change);
	return r;
}

static int check_range(int mode, uint64_t offset, uint64_t length)
{
	switch (mode) {
	case 0:
	case FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (length == 0)
		return -EINVAL;
	if (length > CONTENTS_SIZE_MAX || offset > CONTENTS_SIZE_MAX - length)
		return -EFBIG;
	return 0;
}

/* There are no blocks to set aside: what is allocated reads as zeros, and takes
 * its room when it is written. */
static int allocate(struct contents *c, int mode, uint64_t offset,
		    uint64_t length)
{
	int r = 0;

	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		r = contents_zero(c, offset, length);
	if (r == 0 && !(mode & FALLOC_FL_KEEP_SIZE) &&
	    contents_size(c) < offset + length)
		r = contents_truncate(c, offset + length);
	return r;
}

int node_allocate(struct node *n, int mode, uint64_t offset, uint64_t length)
{
	scoped(cleanup_change) struct change change = { 0 };
	int r = change_begin(&change, n);

	if (r == 0)
		r = check_range(mode, offset, length);
	if (r < 0)
		return r;
	SCOPED_READ(&n->worktree->lock);
	r = change_allowed_at(&change, offset, length);
	if (r < 0 || mode == FALLOC_FL_KEEP_SIZE)
		return r;
	SCOPED_LOCK(&n->worktree->appending);
	r = allocate(change.c, mode, offset, length);
	if (r == 0)
		change_done(&change);
	return r;
}

static bool ranges_overlap(uint64_t a, uint64_t b, size_t length)
{
	return a < b ? b - a < length : a - b < length;
}

ssize_t node_copy_range(struct node *from, uint64_t from_offset,
			struct node *to, uint64_t to_offset, size_t length)
{
	scoped(cleanup_change) struct change change = { 0 };
	scoped_contents struct contents *source = NULL;
	ssize_t r = file_contents(from, &source);

	if (r == 0)
		r = change_begin(&change, to);
	if (r == 0 && from == to && ranges_overlap(from_offset, to_offset, length))
		r = -EINVAL;
	if (r < 0)
		return r;
	/* Then bytes can be shared wherever they go. */
	if (contents_can_splice(source) && !contents_can_splice(change.c) &&
	    length >= CONVERT_LEAST)
		r = convert(to);
	if (r < 0)
		return r;
	/* A write to the source meanwhile is as good before as after, so that
	 * its tree need not be locked, too. */
	SCOPED_READ(&to->worktree->lock);
	r = change_allowed_at(&change, to_offset, length);
	if (r == 0)
		r = contents_check_cut(source, from_offset, 0);
	if (r == 0)
		r = contents_check_cut(source, from_offset + length, 0);
	if (r < 0)
		return r;
	r = contents_share(source, from_offset, change.c, to_offset, length);
	if (r > 0)
		change_done(&change);
	return r;
}
