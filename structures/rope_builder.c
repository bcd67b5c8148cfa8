/* SPDX-License-Identifier: ISC */
#include "structures/rope_builder.h"

#include <errno.h>

void rope_builder_init(struct rope_builder *b, struct odb *odb,
		       struct rope_node *root)
{
	*b = (struct rope_builder){ .odb = odb, .root = root };
	rope_memo_init(&b->memo, odb);
}

void rope_builder_release(struct rope_builder *b)
{
	for (unsigned int i = 0; i < ROPE_TREE_LEVELS; i++)
		free(b->groups[i]);
}

/* ---- nodes ---- */

static int push(struct rope_builder *b, unsigned int level,
		const struct rope_entry *entry);

/* Stores the group of a level as a node, which is a child of the next one. */
static int close_group(struct rope_builder *b, unsigned int level)
{
	struct rope_group *g = b->groups[level];
	struct rope_entry entry = { .size = 0 };
	int r;

	for (unsigned int i = 0; i < g->count; i++) {
		entry.size += g->entries[i].size;
		entry.newlines += g->entries[i].newlines;
	}
	r = rope_tree_write(&b->memo.odb, level, false, g->entries, g->count,
			    &entry.oid);
	if (r < 0)
		return r;
	g->count = 0;
	return push(b, level + 1, &entry);
}

/* Adds a child to the group of a level. */
static int push(struct rope_builder *b, unsigned int level,
		const struct rope_entry *entry)
{
	struct rope_group *g;
	bool ends;

	if (level == ROPE_TREE_LEVELS)
		return -EFBIG;
	if (!b->groups[level])
		b->groups[level] = calloc(1, sizeof(*g));
	g = b->groups[level];
	if (!g)
		return -ENOMEM;
	g->entries[g->count++] = *entry;
	g->total++;
	ends = level <= ROPE_LEVEL_MOST ?
			chunk_group_ends(g->count, &entry->oid) :
			g->count == GROUP_MAX;
	return ends ? close_group(b, level) : 0;
}

/* ---- chunks ---- */

/* Stores the first size bytes of those that wait. */
static int cut(struct rope_builder *b, size_t size)
{
	struct rope_entry entry = {
		.size = size,
		.newlines = rope_count_newlines(b->bytes, size),
	};
	int r = odb_write(&b->memo.odb, OBJECT_BLOB, b->bytes, size,
			  &entry.oid);

	if (r < 0)
		return r;
	b->length -= size;
	b->known = 0;
	memmove(b->bytes, b->bytes + size, b->length);
	return push(b, 0, &entry);
}

int rope_builder_add(struct rope_builder *b, uint64_t size)
{
	while (size) {
		size_t space = sizeof(b->bytes) - b->length,
		       part = size < space ? size : space, end;
		int r = rope_node_read(b->root, b->bytes + b->length, part,
				       b->at);

		if (r < 0)
			return r;
		b->at += part;
		b->length += part;
		size -= part;
		while ((end = chunk_cut(b->bytes, b->length, b->known)) > 0) {
			r = cut(b, end);
			if (r < 0)
				return r;
		}
		b->known = b->length;
	}
	return 0;
}

/* ---- what is stored ---- */

static int add_node(struct rope_builder *b, struct stored *s,
		    struct stored_node *n, uint64_t offset, uint64_t size,
		    bool is_last_node);

/* Whether all that came is in whole nodes of a level, or whole chunks: cuts
 * behind this place are then as if it were the front. */
static bool is_aligned(const struct rope_builder *b, unsigned int levels)
{
	if (b->length)
		return false;
	for (unsigned int i = 0; i < levels; i++)
		if (b->groups[i] && b->groups[i]->count)
			return false;
	return true;
}

/* Whether the child of a node ends where it did there.  The last ones of a rope
 * end because it did. */
static bool ends_here(const struct rope_builder *b, unsigned int level,
		      const struct rope_entry *entry, bool is_last_child)
{
	return !is_last_child ||
	       (level == 0 && b->at + entry->size == b->root->sum.bytes);
}

/* A child that cannot be read stays what it is, by id, and as bad as it was: what
 * is around it is stored all the same.  All that came before ends in front of it. */
static int keep(struct rope_builder *b, unsigned int level,
		const struct rope_entry *entry)
{
	int r = b->length ? cut(b, b->length) : 0;

	for (unsigned int i = 0; r == 0 && i < level; i++)
		if (b->groups[i] && b->groups[i]->count)
			r = close_group(b, i);
	if (r < 0)
		return r;
	b->at += entry->size;
	return push(b, level, entry);
}

/* Reads the child of n that cannot be taken over as it is; size bytes of it at
 * offset are wanted. */
static int add_child(struct rope_builder *b, struct stored *s,
		     struct stored_node *n, unsigned int i, uint64_t offset,
		     uint64_t size, bool is_last)
{
	const struct rope_entry *e = &n->tree->entries[i];
	unsigned int level = n->tree->level;
	uint64_t at = b->at;
	struct stored_node *child;
	int r = level ? stored_child(s, n, i, &child) :
			rope_builder_add(b, size);

	/* not where it was read, and what it made could not be written */
	if ((r == -EUCLEAN || r == -EIO) && size == e->size && b->at == at)
		return keep(b, level, e);
	return r < 0 || !level ? r :
	       add_node(b, s, child, offset, size, is_last);
}

/* n is of level `level`, its children of the one below; is_last: it is at the end
 * of its rope. */
static int add_node(struct rope_builder *b, struct stored *s,
		    struct stored_node *n, uint64_t offset, uint64_t size,
		    bool is_last_node)
{
	unsigned int level = n->tree->level;
	int r = 0;

	for (unsigned int i = 0; r == 0 && size; i++) {
		const struct rope_entry *e = &n->tree->entries[i];
		bool is_last_child = is_last_node && i + 1 == n->tree->count;
		uint64_t part;

		if (offset >= e->size) {
			offset -= e->size;
			continue;
		}
		part = size < e->size - offset ? size : e->size - offset;
		if (part == e->size && is_aligned(b, level) &&
		    ends_here(b, level, e, is_last_child)) {
			b->at += part;
			r = push(b, level, e);
		} else {
			r = add_child(b, s, n, i, offset, part, is_last_child);
		}
		size -= part;
		offset = 0;
	}
	return r;
}

int rope_builder_add_stored(struct rope_builder *b, struct stored *s,
			    uint64_t offset, uint64_t size)
{
	struct stored_node *root;
	int r;

	if (s->odb != b->odb)
		return rope_builder_add(b, size);
	r = stored_root(s, &root);
	return r < 0 ? r : add_node(b, s, root, offset, size, true);
}

/* ---- the end ---- */

static bool is_top(const struct rope_builder *b, unsigned int level)
{
	for (level++; level < ROPE_TREE_LEVELS; level++)
		if (b->groups[level])
			return false;
	return true;
}

/* The only node of a level is the root, unless it has one child: then others made
 * it.  It was stored as if it were no root. */
static int find_root(struct odb *odb, const struct oid *oid, bool executable,
		     struct oid *ret_oid)
{
	scoped_free struct rope_tree *t = NULL;
	struct oid root = *oid;
	int r = rope_tree_read(odb, &root, &t);

	while (r == 0 && t->level && t->count == 1) {
		root = t->entries[0].oid;
		free(STEAL(t));
		r = rope_tree_read(odb, &root, &t);
	}
	if (r < 0)
		return r;
	if (executable)
		return rope_tree_write(odb, t->level, true, t->entries,
				       t->count, ret_oid);
	*ret_oid = root;
	return 0;
}

int rope_builder_end(struct rope_builder *b, bool executable,
		     struct oid *ret_oid)
{
	int r = b->length ? cut(b, b->length) : 0;

	if (r == 0 && b->at == 0)
		return rope_tree_write(b->odb, 0, executable, NULL, 0, ret_oid);
	for (unsigned int level = 0; r == 0; level++) {
		struct rope_group *g = b->groups[level];

		if (level && g && g->total == 1 && is_top(b, level))
			return find_root(b->odb, &g->entries[0].oid,
					 executable, ret_oid);
		if (g && g->count)
			r = close_group(b, level);
	}
	return r;
}
