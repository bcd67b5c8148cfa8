/* SPDX-License-Identifier: ISC */
#include "structures/rope_contents_private.h"
#include "structures/rope_tree.h"

#include <errno.h>

/* The kind for store/contents.h. */

/* Contents around a rope, which they take; it is freed on failure. */
static int wrap(struct pool *pool, uint64_t id, struct rope *rope,
		struct rope_contents **ret)
{
	int r = rope_contents_make(pool, id, ret);

	if (r < 0) {
		rope_free(rope);
		return r;
	}
	(*ret)->rope = rope;
	(*ret)->size = rope_size(rope);
	return 0;
}

/* ---- conversion ---- */

/* Bytes that differ from the base are named by nothing. */
static int insert_changed(struct rope *older, uint64_t end)
{
	uint64_t size = rope_size(older);

	return size < end ? rope_insert_zeros(older, size, end - size) : 0;
}

static int insert_same(struct rope *older, struct rope *rope, uint64_t end)
{
	uint64_t size = rope_size(older);

	return size < end ? rope_insert_rope(older, size, rope, size,
					     end - size) : 0;
}

/* The base of an overlay, as far as the overlay still has it in its place. */
static int make_older(const struct contents_changes *changes, struct rope *rope,
		      struct rope **ret)
{
	scoped_rope struct rope *older = NULL;
	const struct ranges *ranges = changes->ranges;
	uint64_t end = changes->low < changes->size ? changes->low :
						      changes->size;
	int r = rope_new(&older);

	if (end > changes->base_size)
		end = changes->base_size;
	if (ranges->all)
		end = 0;
	for (size_t i = 0; r == 0 && i < ranges->count; i++) {
		const struct range *range = &ranges->at[i];

		if (range->offset >= end)
			break;
		r = insert_same(older, rope, range->offset);
		if (r == 0)
			r = insert_changed(older, range->end < end ? range->end
								   : end);
	}
	if (r == 0)
		r = insert_same(older, rope, end);
	if (r == 0)
		*ret = STEAL(older);
	return r;
}

static bool is_base(const struct contents_changes *changes)
{
	return (changes->base == CONTENTS_STORED ||
		changes->base == CONTENTS_STORED_LOCAL) &&
	       !changes->ranges->count && !changes->ranges->all && changes->low >= changes->size &&
	       changes->base_size == changes->size;
}

static int convert(struct pool *pool, struct contents *from,
		   struct contents **ret)
{
	scoped_contents struct contents *snapshot = NULL;
	struct contents_changes changes;
	struct rope_contents *c;
	struct rope *rope;
	int r = contents_snapshot(from, &snapshot);

	if (r < 0)
		return r;
	contents_changes(snapshot, &changes);
	r = rope_of_contents(snapshot, &rope);
	if (r == 0)
		r = wrap(pool, changes.id, rope, &c);
	if (r < 0)
		return r;
	r = make_older(&changes, rope, &c->older);
	if (r < 0) {
		contents_unref(&c->contents);
		return r;
	}
	c->version = changes.version;
	c->captured = changes.since;
	c->base_is_local = changes.base == CONTENTS_STORED_LOCAL;
	c->has_base = changes.base == CONTENTS_STORED || c->base_is_local;
	c->base = changes.oid;
	c->base_size = changes.base_size;
	if (is_base(&changes)) {
		c->captured = c->version;
		c->stored = (struct stored_version){
			.known = true, .version = c->version,
			.oid = changes.oid, .is_local = c->base_is_local,
		};
	}
	*ret = &c->contents;
	return 0;
}

/* ---- stored ones ---- */

static int open_stored(struct pool *pool, const struct oid *oid,
		       struct contents **ret)
{
	struct rope_header header;
	struct rope_contents *c;
	struct rope *rope;
	int r = rope_read_header(pool_odb(pool), oid, &header);

	if (r == 0 && header.size > CONTENTS_SIZE_MAX)
		r = -EFBIG;
	if (r == 0)
		r = rope_load(pool_odb(pool), oid, &rope);
	if (r == 0)
		r = wrap(pool, pool_new_id(pool), rope, &c);
	if (r < 0)
		return r;
	r = rope_clone(rope, &c->older);
	if (r < 0) {
		contents_unref(&c->contents);
		return r;
	}
	c->stored = (struct stored_version){
		.known = true, .is_rope = true, .oid = *oid,
		.executable = header.executable,
	};
	c->has_base = true;
	c->base = *oid;
	c->base_size = header.size;
	*ret = &c->contents;
	return 0;
}

/* ---- rearranging ---- */

/* The rope of contents of any kind, as they are now. */
static int rope_of(struct contents *contents, struct rope **ret)
{
	struct rope_contents *c = rope_contents_of(contents);
	scoped_contents struct contents *snapshot = NULL;
	int r;

	if (c) {
		SCOPED_LOCK(&c->lock);
		return rope_clone(c->rope, ret);
	}
	r = contents_snapshot(contents, &snapshot);
	return r < 0 ? r : rope_of_contents(snapshot, ret);
}

static int put(struct rope *to, uint64_t offset, struct rope *base,
	       uint64_t from, uint64_t size)
{
	uint64_t end = rope_size(to);
	int r = 0;

	if (offset > end)
		r = rope_insert_zeros(to, end, offset - end);
	return r < 0 ? r : rope_insert_rope(to, offset, base, from, size);
}

static int arrange(struct rope *base, const struct contents_changes *changes,
		   struct rope *to)
{
	uint64_t head = changes->low, size = rope_size(base);
	int r;

	if (head > size)
		head = size;
	if (head > changes->size)
		head = changes->size;
	r = head ? put(to, 0, base, 0, head) : 0;
	for (size_t i = 0; r == 0 && i < changes->move_count; i++)
		r = put(to, changes->moves[i].offset, base,
			changes->moves[i].from, changes->moves[i].size);
	size = rope_size(to);
	if (r == 0 && size < changes->size)
		r = rope_insert_zeros(to, size, changes->size - size);
	return r;
}

static int rearrange(struct pool *pool, struct contents *from,
		     const struct contents_changes *changes,
		     struct contents **ret)
{
	scoped_rope struct rope *base = NULL, *to = NULL;
	struct rope_contents *c;
	int r = rope_of(from, &base);

	if (r == 0)
		r = rope_new(&to);
	if (r == 0)
		r = arrange(base, changes, to);
	if (r == 0)
		r = wrap(pool, pool_new_id(pool), STEAL(to), &c);
	if (r == 0)
		*ret = &c->contents;
	return r;
}

/* ---- objects ---- */

static int recognise(struct odb *odb, const struct oid *oid, uint64_t *ret_size,
		     bool *ret_executable)
{
	struct rope_header header;
	int r = rope_read_header(odb, oid, &header);

	if (r < 0)
		return r;
	*ret_size = header.size;
	*ret_executable = header.executable;
	return 0;
}

static int check_child(struct odb *odb, const struct rope_tree *tree,
		       const struct rope_entry *entry)
{
	scoped_free struct rope_tree *child = NULL;
	scoped_free void *data = NULL;
	size_t size;
	int r;

	if (tree->level) {
		r = rope_tree_read(odb, &entry->oid, &child);
		return r < 0 ? r : rope_tree_check_child(tree, entry, child);
	}
	r = odb_read(odb, &entry->oid, OBJECT_BLOB, &data, &size);
	return r < 0 ? r : rope_tree_check_chunk(entry, data, size);
}

static int check(struct odb *odb, const struct oid *oid)
{
	struct rope_tree *tree;
	int r = rope_tree_read(odb, oid, &tree);

	if (r < 0)
		return r == -EUCLEAN ? 0 : r;
	for (unsigned int i = 0; r == 0 && i < tree->count; i++)
		r = check_child(odb, tree, &tree->entries[i]);
	free(tree);
	return r;
}

static ssize_t read_stored(struct odb *odb, const struct oid *oid, void *data,
			   size_t size, uint64_t offset)
{
	scoped_rope struct rope *rope = NULL;
	int r = rope_load(odb, oid, &rope);

	return r < 0 ? r : rope_read(rope, data, size, offset);
}

static int write_stored(struct odb *odb, const void *data, size_t size,
			bool executable, struct oid *ret_oid)
{
	scoped_rope struct rope *rope = NULL;
	int r = rope_new(&rope);

	if (r == 0 && size)
		r = rope_insert(rope, 0, data, size);
	return r < 0 ? r : rope_store(rope, odb, executable, ret_oid);
}

static int set_executable(struct odb *odb, const struct oid *oid,
			  bool executable, struct oid *ret_oid)
{
	scoped_rope struct rope *rope = NULL;
	int r = rope_load(odb, oid, &rope);

	return r < 0 ? r : rope_store(rope, odb, executable, ret_oid);
}

const struct contents_kind rope_contents_kind = {
	.name = "rope",
	.first_entry = ".irmin-rope",
	.convert = convert,
	.open = open_stored,
	.rearrange = rearrange,
	.store = rope_contents_store_rope,
	.recognise = recognise,
	.check = check,
	.read = read_stored,
	.write = write_stored,
	.set_executable = set_executable,
	.merge = rope_store_merge,
};
