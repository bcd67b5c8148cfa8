/* SPDX-License-Identifier: ISC */
#include "store/contents.h"
#include "store/overlay.h"
#include "store/tree.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static const struct contents_kind *registered;

int contents_kind_register(const struct contents_kind *kind)
{
	if (registered)
		return -EEXIST;
	registered = kind;
	return 0;
}

const struct contents_kind *contents_kind(void)
{
	return registered;
}

/* ---- stored ones ---- */

int contents_recognise(struct odb *odb, const struct oid *oid, uint32_t *mode,
		       uint64_t *ret_size)
{
	bool executable;
	uint64_t size;
	int r;

	if (*mode != MODE_TREE || !registered || oid_is_zero(oid) ||
	    oid_equal(oid, &oid_empty_tree))
		return 0;
	r = registered->recognise(odb, oid, &size, &executable);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	*mode = executable ? MODE_ROPE_EXECUTABLE : MODE_ROPE;
	if (ret_size)
		*ret_size = size;
	return 0;
}

bool contents_may_be_rope(const struct tree *tree)
{
	return registered && tree->count &&
	       strcmp(tree->entries[0].name, registered->first_entry) == 0;
}

int contents_stored_size(struct odb *odb, const struct oid *oid, uint32_t mode,
			 uint64_t *ret_size)
{
	uint32_t found = MODE_TREE;
	enum object_type type;
	uint64_t size = 0;
	int r;

	if (mode_is_rope(mode)) {
		r = contents_recognise(odb, oid, &found, &size);
		if (r == 0 && !mode_is_rope(found))
			r = -EUCLEAN;
	} else {
		r = odb_read_header(odb, oid, &type, &size);
		if (r == 0 && type != OBJECT_BLOB)
			r = -EUCLEAN;
	}
	if (r == 0)
		*ret_size = size;
	return r;
}

int contents_open(struct pool *pool, const struct oid *oid, uint64_t size,
		  struct contents **ret)
{
	enum object_type type;
	struct contents *c;
	int r = registered ? odb_read_header(pool_odb(pool), oid, &type, NULL) :
			     0;

	if (r < 0)
		return r;
	if (!registered || type != OBJECT_TREE)
		return overlay_new_stored(pool, oid, size, ret);
	r = registered->open(pool, oid, &c);
	if (r < 0)
		return r;
	if (contents_size(c) != size) {
		contents_unref(c);
		return -EUCLEAN;
	}
	*ret = c;
	return 0;
}

/* ---- rearranging without structures: by copying ---- */

static int move(struct contents *base, const struct contents_move *m,
		struct contents *to)
{
	for (uint64_t done = 0; done < m->size;) {
		uint64_t left = m->size - done;
		ssize_t n = contents_share(base, m->from + done, to,
					   m->offset + done,
					   left < SSIZE_MAX ? left : SSIZE_MAX);

		if (n <= 0)
			return n < 0 ? n : -EIO;
		done += n;
	}
	return 0;
}

static int copy_moved(struct contents *base,
		      const struct contents_changes *changes,
		      struct contents *to)
{
	uint64_t size = contents_size(base);
	struct contents_move head = {
		.size = changes->low < size ? changes->low : size,
	};
	int r = head.size ? move(base, &head, to) : 0;

	if (r == 0)
		r = contents_truncate(to, changes->size);
	for (size_t i = 0; r == 0 && i < changes->move_count; i++)
		r = move(base, &changes->moves[i], to);
	return r;
}

static int copy(struct pool *pool, struct contents *base,
		const struct contents_changes *changes, struct contents **ret)
{
	struct contents *to;
	int r = overlay_new(pool, &to);

	if (r < 0)
		return r;
	r = copy_moved(base, changes, to);
	if (r < 0) {
		contents_unref(to);
		return r;
	}
	*ret = to;
	return 0;
}

static int cut(struct contents *base, const struct contents_changes *changes)
{
	int r = 0;

	if (changes->low < contents_size(base))
		r = contents_truncate(base, changes->low);
	return r < 0 ? r : contents_truncate(base, changes->size);
}

int contents_rearrange(struct pool *pool, struct contents *base,
		       const struct contents_changes *changes,
		       struct contents **ret)
{
	struct contents *made;
	int r;

	if (!changes->move_count) {
		r = cut(base, changes);
		if (r == 0)
			*ret = base;
		return r;
	}
	r = registered ? registered->rearrange(pool, base, changes, &made) :
			 copy(pool, base, changes, &made);
	if (r < 0)
		return r;
	contents_unref(base);
	*ret = made;
	return 0;
}
