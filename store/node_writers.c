/* SPDX-License-Identifier: ISC */
#include "store/node.h"

#include <errno.h>
#include <stdlib.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Files that are open for writing: few of many, so nodes have no room for it. */

struct writer {
	struct node *node;		/* not referenced: who opened it has */
	unsigned int opens;
	UT_hash_handle hh;
};

static struct writer *find(struct worktree *w, struct node *n)
{
	struct writer *found;

	HASH_FIND_PTR(w->writers, &n, found);
	return found;
}

int node_writer_begin(struct node *n)
{
	struct worktree *w = n->worktree;
	SCOPED_LOCK(&w->state);
	struct writer *writer = find(w, n);

	if (writer) {
		writer->opens++;
		return 0;
	}
	writer = calloc(1, sizeof(*writer));
	if (!writer)
		return -ENOMEM;
	*writer = (struct writer){ .node = n, .opens = 1 };
	HASH_ADD_PTR(w->writers, node, writer);
	if (!writer->hh.tbl) {
		free(writer);
		return -ENOMEM;
	}
	return 0;
}

void node_writer_end(struct node *n)
{
	struct worktree *w = n->worktree;
	SCOPED_LOCK(&w->state);
	struct writer *writer = find(w, n);

	if (--writer->opens)
		return;
	HASH_DEL(w->writers, writer);
	free(writer);
}

bool node_has_writers(struct node *n)
{
	SCOPED_LOCK(&n->worktree->state);

	return find(n->worktree, n);
}

bool node_tells_types(struct node *n)
{
	SCOPED_READ(&n->worktree->lock);

	return n->rules & RULES_TYPES;
}

bool worktree_writes_types_locked(struct worktree *w)
{
	SCOPED_LOCK(&w->state);

	for (struct writer *at = w->writers; at; at = at->hh.next)
		if (at->node->rules & RULES_TYPES)
			return true;
	return false;
}

int worktree_collect_writers(struct worktree *w,
			     struct node *(*refer)(struct node *n),
			     struct node ***ret, size_t *ret_count)
{
	SCOPED_LOCK(&w->state);
	size_t count = 0;
	struct node **nodes = calloc(HASH_COUNT(w->writers) + 1,
				     sizeof(*nodes));

	if (!nodes)
		return -ENOMEM;
	for (struct writer *at = w->writers; at; at = at->hh.next)
		nodes[count++] = refer(at->node);
	*ret = nodes;
	*ret_count = count;
	return 0;
}

int worktree_each_writer(struct worktree *w,
			 void (*visit)(void *context, struct node *n),
			 void *context)
{
	scoped_free struct node **nodes = NULL;
	size_t count;
	int r = worktree_collect_writers(w, node_ref, &nodes, &count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		visit(context, nodes[i]);
		node_unref(nodes[i]);
	}
	return 0;
}

void worktree_forget_writers(struct worktree *w)
{
	struct writer *writer, *next;

	HASH_ITER(hh, w->writers, writer, next) {
		HASH_DEL(w->writers, writer);
		free(writer);
	}
}
