/* SPDX-License-Identifier: ISC */
#include "structures/rope_store.h"

#include "structures/rope_builder.h"

#include <errno.h>

/* Storing and loading.  A loaded rope is one piece of a stored one.  A rope that
 * was stored remembers its tree of then beside the stored rope: what both trees
 * share next time is a range of it. */

int rope_read_header(struct odb *odb, const struct oid *oid,
		     struct rope_header *ret_header)
{
	struct rope_tree *t;
	int r = rope_tree_read_root(odb, oid, &t);

	if (r < 0)
		return r;
	*ret_header = (struct rope_header){
		.size = t->size, .newlines = t->newlines,
		.executable = t->executable,
	};
	free(t);
	return 0;
}

/* ---- loading ---- */

int rope_open(struct stored *s, struct rope **ret_rope)
{
	struct stored_node *root;
	struct rope *rope;
	int r = stored_root(s, &root);

	if (r == 0)
		r = rope_new(&rope);
	if (r < 0)
		return r;
	if (root->tree->size)
		r = rope_node_piece(&s->source, 0, root->tree->size,
				    root->tree->newlines, &rope->root);
	if (r < 0)
		rope_free(rope);
	else
		*ret_rope = rope;
	return r;
}

int rope_load(struct odb *odb, const struct oid *oid, struct rope **ret_rope)
{
	struct stored *s;
	int r = stored_new(odb, oid, &s);

	if (r < 0)
		return r;
	r = rope_open(s, ret_rope);
	rope_source_unref(&s->source);
	return r;
}

/* ---- remembering ---- */

void rope_forget(struct rope *rope)
{
	rope_node_unref(STEAL(rope->stored));
	rope_source_unref(STEAL(rope->source));
}

void rope_remember(struct rope *rope, const struct rope *from)
{
	struct rope_node *stored = rope_node_ref(from->stored);
	struct rope_source *source = rope_source_ref(from->source);

	rope_forget(rope);
	rope->stored = stored;
	rope->source = source;
}

static int remember(struct rope *rope, struct odb *odb, const struct oid *oid)
{
	struct stored *s;
	int r = stored_new(odb, oid, &s);

	if (r < 0)
		return r;
	rope_lift(rope);
	rope_forget(rope);
	rope->stored = rope_node_ref(rope->root);
	rope->source = &s->source;
	return 0;
}

/* ---- storing ---- */

static int add_leaf(void *context, struct rope_node *leaf, uint64_t offset,
		    uint64_t size)
{
	struct rope_builder *b = context;
	struct stored *s = leaf->is_piece ?
		stored_of(rope_piece(leaf)->source) : NULL;

	return s ? rope_builder_add_stored(b, s, rope_piece(leaf)->offset +
						 offset, size) :
		   rope_builder_add(b, size);
}

struct storing {
	struct rope_builder builder;
	struct stored *stored;		/* what the rope remembers */
};

static int add_piece(void *context, uint64_t offset, uint64_t size,
		     uint64_t from)
{
	struct storing *storing = context;
	struct rope_builder *b = &storing->builder;

	if (from == ROPE_UNKNOWN)
		return rope_node_each(b->root, offset, size, add_leaf, b);
	return rope_builder_add_stored(b, storing->stored, from, size);
}

/* The stored rope that all of the rope is, or NULL. */
static struct stored *whole(struct rope *rope, struct odb *odb)
{
	struct rope_node *n = rope->root;
	struct stored *s = stored_of(rope->source);
	struct stored_node *root;

	if (n && n == rope->stored)
		return s->odb == odb ? s : NULL;
	if (!n || !n->is_piece || rope_piece(n)->offset)
		return NULL;
	s = stored_of(rope_piece(n)->source);
	if (!s || s->odb != odb || stored_root(s, &root) < 0 ||
	    root->tree->size != n->sum.bytes)
		return NULL;
	return s;
}

static int store_whole(struct stored *s, bool executable, struct oid *ret_oid)
{
	struct stored_node *root;
	int r = stored_root(s, &root);

	if (r < 0)
		return r;
	if (root->tree->executable == executable) {
		*ret_oid = s->oid;
		return 0;
	}
	return rope_tree_write(s->odb, root->tree->level, executable,
			       root->tree->entries, root->tree->count, ret_oid);
}

static int store(struct rope *rope, struct odb *odb, bool executable,
		 struct oid *ret_oid)
{
	scoped_free struct storing *storing = malloc(sizeof(*storing));
	int r = 0;

	if (!storing)
		return -ENOMEM;
	rope_builder_init(&storing->builder, odb, rope->root);
	storing->stored = stored_of(rope->source);
	if (rope->root && rope->stored && storing->stored->odb == odb)
		r = rope_node_compare(rope->stored, rope->root, add_piece,
				      storing);
	else if (rope->root)
		r = rope_node_each(rope->root, 0, rope->root->sum.bytes,
				   add_leaf, &storing->builder);
	if (r == 0)
		r = rope_builder_end(&storing->builder, executable, ret_oid);
	rope_builder_release(&storing->builder);
	return r;
}

int rope_store(struct rope *rope, struct odb *odb, bool executable,
	       struct oid *ret_oid)
{
	struct stored *s;
	struct oid oid;
	int r;

	rope_settle(rope);
	s = whole(rope, odb);
	if (s)
		return store_whole(s, executable, ret_oid);
	r = store(rope, odb, executable, &oid);
	if (r == 0)
		r = remember(rope, odb, &oid);
	if (r == 0)
		*ret_oid = oid;
	return r;
}
