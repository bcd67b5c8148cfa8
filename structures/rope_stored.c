/* SPDX-License-Identifier: ISC */
#include "structures/rope_stored.h"

#include "store/util.h"
#include "structures/rope_private.h"

#include <errno.h>

/* ---- nodes ---- */

/* Takes the tree. */
static int node_new(struct rope_tree *tree, struct stored_node **ret)
{
	unsigned int children = tree->level ? tree->count : 0;
	struct stored_node *n = calloc(1, sizeof(*n) +
					  children * sizeof(n->child[0]));

	if (!n) {
		free(tree);
		return -ENOMEM;
	}
	n->tree = tree;
	*ret = n;
	return 0;
}

static void node_free(struct stored_node *n)
{
	if (!n)
		return;
	for (unsigned int i = 0; n->tree->level && i < n->tree->count; i++)
		node_free(n->child[i]);
	free(n->tree);
	free(n);
}

/* Of threads that read the same node at once, one is first. */
static struct stored_node *publish(_Atomic(struct stored_node *) *slot,
				   struct stored_node *n)
{
	struct stored_node *first = NULL;

	if (atomic_compare_exchange_strong(slot, &first, n))
		return n;
	node_free(n);
	return first;
}

int stored_root(struct stored *s, struct stored_node **ret)
{
	struct stored_node *n = atomic_load(&s->root);
	struct rope_tree *tree;
	int r;

	if (!n) {
		r = rope_tree_read_root(s->odb, &s->oid, &tree);
		if (r == 0)
			r = node_new(tree, &n);
		if (r < 0)
			return r;
		n = publish(&s->root, n);
	}
	*ret = n;
	return 0;
}

int stored_child(struct stored *s, struct stored_node *node, unsigned int i,
		 struct stored_node **ret)
{
	struct stored_node *n = atomic_load(&node->child[i]);
	const struct rope_entry *entry = &node->tree->entries[i];
	struct rope_tree *tree;
	int r;

	if (n) {
		*ret = n;
		return 0;
	}
	r = rope_tree_read(s->odb, &entry->oid, &tree);
	if (r < 0)
		return r;
	r = rope_tree_check_child(node->tree, entry, tree);
	if (r < 0) {
		free(tree);
		return r;
	}
	r = node_new(tree, &n);
	if (r == 0)
		*ret = publish(&node->child[i], n);
	return r;
}

/* ---- chunks ---- */

static int load_chunk_locked(struct stored *s, const struct rope_entry *entry)
{
	void *data;
	size_t size;
	int r = odb_read(s->odb, &entry->oid, OBJECT_BLOB, &data, &size);

	if (r < 0)
		return r;
	r = rope_tree_check_chunk(entry, data, size);
	if (r < 0) {
		free(data);
		return r;
	}
	free(s->chunk);
	s->chunk = data;
	s->chunk_size = size;
	s->chunk_oid = entry->oid;
	return 0;
}

/* Makes the chunk of entry the one that was read last. */
static int need_chunk_locked(struct stored *s, const struct rope_entry *entry)
{
	if (!s->chunk || !oid_equal(&s->chunk_oid, &entry->oid))
		return load_chunk_locked(s, entry);
	return entry->size == s->chunk_size ? 0 : -EUCLEAN;
}

/* Reads a part of a chunk, or counts its newlines if data is NULL. */
static int use_chunk(struct stored *s, const struct rope_entry *entry,
		     uint64_t offset, uint64_t size, void *data,
		     uint64_t *newlines)
{
	const unsigned char *bytes;
	SCOPED_LOCK(&s->lock);
	int r = need_chunk_locked(s, entry);

	if (r < 0)
		return r;
	bytes = (unsigned char *)s->chunk + offset;
	if (data)
		memcpy(data, bytes, size);
	else
		*newlines += rope_count_newlines(bytes, size);
	return 0;
}

/* ---- where it may be cut ---- */

int stored_check_levels(struct stored *s)
{
	struct stored_node *root;
	int r = stored_root(s, &root);

	return r == 0 && root->tree->level > ROPE_LEVEL_MOST ? -EUCLEAN : r;
}

/* The chunk with the byte at *offset, which becomes the offset in it. */
static int find_chunk(struct stored *s, uint64_t *offset,
		      const struct rope_entry **ret)
{
	struct stored_node *n;
	const struct rope_entry *e;
	int r = stored_root(s, &n);

	while (r == 0) {
		for (e = n->tree->entries; *offset >= e->size; e++)
			*offset -= e->size;
		if (n->tree->level == 0) {
			*ret = e;
			break;
		}
		r = stored_child(s, n, e - n->tree->entries, &n);
	}
	return r;
}

int stored_check_cut(struct stored *s, uint64_t offset)
{
	const struct rope_entry *e;
	uint64_t before = offset - 1;
	int r = stored_check_levels(s);

	if (r == 0)
		r = find_chunk(s, &before, &e);
	if (r == 0)
		r = find_chunk(s, &offset, &e);
	if (r < 0 || offset == 0)
		return r;
	SCOPED_LOCK(&s->lock);
	return need_chunk_locked(s, e);
}

/* ---- as a source ---- */

static int use(struct stored *s, struct stored_node *n, uint64_t offset,
	       uint64_t size, unsigned char *data, uint64_t *newlines)
{
	const struct rope_entry *e = n->tree->entries;
	struct stored_node *child;
	uint64_t part;
	int r = 0;

	for (; size && offset >= e->size; e++)
		offset -= e->size;
	for (; r == 0 && size; e++, size -= part, offset = 0) {
		part = size < e->size - offset ? size : e->size - offset;
		if (!data && part == e->size) {
			*newlines += e->newlines;
			continue;
		}
		if (n->tree->level == 0) {
			r = use_chunk(s, e, offset, part, data, newlines);
		} else {
			r = stored_child(s, n, e - n->tree->entries, &child);
			if (r == 0)
				r = use(s, child, offset, part, data, newlines);
		}
		if (data)
			data += part;
	}
	return r;
}

static int stored_read(struct rope_source *source, void *data, size_t size,
		       uint64_t offset)
{
	struct stored *s = (struct stored *)source;
	struct stored_node *root;
	int r = stored_root(s, &root);

	return r < 0 ? r : use(s, root, offset, size, data, NULL);
}

static int stored_count(struct rope_source *source, uint64_t offset,
			uint64_t size, uint64_t *ret_newlines)
{
	struct stored *s = (struct stored *)source;
	struct stored_node *root;
	uint64_t newlines = 0;
	int r = stored_root(s, &root);

	if (r == 0)
		r = use(s, root, offset, size, NULL, &newlines);
	if (r == 0)
		*ret_newlines = newlines;
	return r;
}

/* Adds the offset in the chunk to *offset. */
static int find_in_chunk(struct stored *s, const struct rope_entry *entry,
			 uint64_t nth, uint64_t *offset)
{
	SCOPED_LOCK(&s->lock);
	int r = need_chunk_locked(s, entry);

	if (r < 0)
		return r;
	if (nth >= rope_count_newlines(s->chunk, s->chunk_size))
		return -EUCLEAN;
	*offset += rope_behind_newline(s->chunk, s->chunk_size, nth);
	return 0;
}

static int stored_find(struct rope_source *source, uint64_t nth,
		       uint64_t *ret_offset)
{
	struct stored *s = (struct stored *)source;
	struct stored_node *n;
	uint64_t offset = 0;
	int r = stored_root(s, &n);

	while (r == 0) {
		const struct rope_entry *e = n->tree->entries;

		for (; nth >= e->newlines; e++) {
			nth -= e->newlines;
			offset += e->size;
		}
		if (n->tree->level == 0) {
			r = find_in_chunk(s, e, nth, &offset);
			break;
		}
		r = stored_child(s, n, e - n->tree->entries, &n);
	}
	if (r == 0)
		*ret_offset = offset;
	return r;
}

static void stored_free(struct rope_source *source)
{
	struct stored *s = (struct stored *)source;

	node_free(s->root);
	free(s->chunk);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct rope_source_ops stored_ops = {
	.read = stored_read,
	.free = stored_free,
	.count = stored_count,
	.find = stored_find,
};

struct stored *stored_of(struct rope_source *source)
{
	return source && source->ops == &stored_ops ? (struct stored *)source :
						      NULL;
}

int stored_new(struct odb *odb, const struct oid *oid, struct stored **ret)
{
	struct stored *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->source.ops = &stored_ops;
	s->source.refs = 1;
	s->odb = odb;
	s->oid = *oid;
	pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return 0;
}
