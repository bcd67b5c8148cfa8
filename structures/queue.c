/* SPDX-License-Identifier: ISC */
#include "structures/queue_private.h"

#include <errno.h>
#include <string.h>

struct queue {
	struct odb *odb;
	struct queue_node *root;
};

int queue_open(struct odb *odb, const struct oid *oid, struct queue **ret_queue)
{
	struct queue *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->odb = odb;
	r = queue_node_load(odb, oid, &q->root);
	if (r < 0) {
		free(q);
		return r;
	}
	*ret_queue = q;
	return 0;
}

void queue_close(struct queue *q)
{
	if (!q)
		return;
	queue_node_free(q->root);
	free(q);
}

static void queue_closep(struct queue **q)
{
	queue_close(*q);
}

int queue_write(struct queue *q, struct oid *ret_oid)
{
	return queue_node_write(q->odb, q->root,
				QUEUE_KEEP_FIRST | QUEUE_KEEP_LAST, ret_oid);
}

/* ---- changing ---- */

/* The slot of a directory, made if there is none.  A file of its name, which
 * plain Git put there, steps aside. */
static int make_directory(struct queue_node *node, const char *name,
			  struct queue_slot **ret)
{
	struct tree_entry entry = { .mode = MODE_TREE, .name = name };
	struct queue_slot *slot = queue_node_find(node, name, MODE_TREE);
	int r = 0;

	if (slot) {
		*ret = slot;
		return 0;
	}
	slot = queue_node_find(node, name, MODE_FILE);
	if (slot)
		r = queue_node_set_aside(node, slot - node->slots);
	if (r == 0)
		r = queue_node_insert(node, queue_node_place(node, name,
							     MODE_TREE),
				      &entry, true, &slot);
	if (r == 0)
		*ret = slot;
	return r;
}

static int make_path(struct queue *q, const struct queue_key *key,
		     struct queue_node **ret)
{
	struct queue_node *node = q->root;

	for (unsigned int level = 0; level < QUEUE_LEVELS; level++) {
		char name[QUEUE_TOP_DIGITS + 1];
		struct queue_slot *slot;
		int r;

		node->changed = true;
		queue_component(key, level, name);
		r = make_directory(node, name, &slot);
		if (r == 0)
			r = queue_node_descend(q->odb, slot, &node);
		if (r < 0)
			return r;
	}
	*ret = node;
	return 0;
}

/* Whatever begins with the key, at the place where it would be. */
static bool has_key(const struct queue_node *node, size_t at,
		    const struct queue_key *key)
{
	return at < node->count &&
	       strncmp(node->slots[at].entry.name, key->text,
		       QUEUE_KEY_LENGTH) == 0;
}

static bool is_stored_as_file(uint32_t mode)
{
	return mode == MODE_FILE || mode == MODE_EXECUTABLE ||
	       mode == MODE_SYMLINK;
}

int queue_put(struct queue *q, const struct queue_element *element)
{
	struct tree_entry entry = { .mode = element->mode,
				    .oid = element->oid };
	char path[QUEUE_PATH_MAX];
	struct queue_slot *slot;
	struct queue_node *node = NULL;
	size_t at;
	int r = is_stored_as_file(element->mode) ? 0 : -EINVAL;

	if (r == 0)
		r = queue_path(&element->key, element->name, path);
	if (r == 0)
		r = make_path(q, &element->key, &node);
	if (r < 0)
		return r;
	at = queue_node_place(node, element->key.text, MODE_FILE);
	if (has_key(node, at, &element->key))
		return -EEXIST;
	entry.name = strrchr(path, '/') + 1;
	return queue_node_insert(node, at, &entry, true, &slot);
}

static int take_below(struct queue *q, struct queue_node *node,
		      unsigned int level, const struct queue_key *key,
		      const char *stored)
{
	char name[QUEUE_TOP_DIGITS + 1];
	struct queue_slot *slot;
	struct queue_node *below;
	int r;

	if (level == QUEUE_LEVELS) {
		slot = queue_node_find(node, stored, MODE_FILE);
		if (slot)
			queue_node_remove(node, slot - node->slots);
		return slot ? 0 : -ENOENT;
	}
	queue_component(key, level, name);
	slot = queue_node_find(node, name, MODE_TREE);
	if (!slot)
		return -ENOENT;
	r = queue_node_descend(q->odb, slot, &below);
	if (r == 0)
		r = take_below(q, below, level + 1, key, stored);
	if (r < 0)
		return r;
	node->changed = true;
	if (!below->count)
		queue_node_remove(node, slot - node->slots);
	return 0;
}

int queue_take(struct queue *q, const struct queue_key *key, const char *name)
{
	char path[QUEUE_PATH_MAX];

	if (queue_path(key, name, path) < 0)
		return -ENOENT;
	return take_below(q, q->root, 0, key, strrchr(path, '/') + 1);
}

/* ---- looking ---- */

static bool is_element(const struct queue_place *place,
		       const struct tree_entry *entry,
		       struct queue_element *ret)
{
	struct queue_element element = { .mode = entry->mode,
					 .oid = entry->oid };

	if (!queue_place_has(place, entry->name, entry->mode, &element.key,
			     &element.name))
		return false;
	*ret = element;
	return true;
}

static int look_below(struct queue *q, struct queue_node *node,
		      const struct queue_place *place, bool backwards,
		      struct queue_element *ret)
{
	struct queue_node *below;
	struct queue_place inner;

	for (size_t i = 0; i < node->count; i++) {
		struct queue_slot *slot =
			&node->slots[backwards ? node->count - 1 - i : i];
		int r;

		if (is_element(place, &slot->entry, ret))
			return 0;
		if (slot->entry.mode != MODE_TREE ||
		    !queue_place_enter(place, slot->entry.name, &inner) ||
		    !inner.keyed)
			continue;
		r = queue_node_descend(q->odb, slot, &below);
		if (r == 0)
			r = look_below(q, below, &inner, backwards, ret);
		if (r != -ENOENT)
			return r;
	}
	return -ENOENT;
}

int queue_peek(struct queue *q, struct queue_element *ret_element)
{
	return look_below(q, q->root, &queue_root_place, false, ret_element);
}

int queue_peek_last(struct queue *q, struct queue_element *ret_element)
{
	return look_below(q, q->root, &queue_root_place, true, ret_element);
}

/* ---- one change, one look ---- */

int queue_push(struct odb *odb, const struct oid *queue,
	       const struct queue_element *element, struct oid *ret_queue)
{
	scoped(queue_closep) struct queue *q = NULL;
	int r = queue_open(odb, queue, &q);

	if (r == 0)
		r = queue_put(q, element);
	return r < 0 ? r : queue_write(q, ret_queue);
}

int queue_remove(struct odb *odb, const struct oid *queue,
		 const struct queue_key *key, const char *name,
		 struct oid *ret_queue)
{
	scoped(queue_closep) struct queue *q = NULL;
	int r = queue_open(odb, queue, &q);

	if (r == 0)
		r = queue_take(q, key, name);
	return r < 0 ? r : queue_write(q, ret_queue);
}

static int look(struct odb *odb, const struct oid *queue, bool last,
		struct queue_element *ret_element, char **ret_name)
{
	scoped(queue_closep) struct queue *q = NULL;
	struct queue_element element;
	char *name;
	int r = queue_open(odb, queue, &q);

	if (r == 0)
		r = last ? queue_peek_last(q, &element) :
			   queue_peek(q, &element);
	if (r < 0)
		return r;
	name = strdup(element.name);
	if (!name)
		return -ENOMEM;
	element.name = name;
	*ret_element = element;
	*ret_name = name;
	return 0;
}

int queue_first(struct odb *odb, const struct oid *queue,
		struct queue_element *ret_element, char **ret_name)
{
	return look(odb, queue, false, ret_element, ret_name);
}

int queue_last(struct odb *odb, const struct oid *queue,
	       struct queue_element *ret_element, char **ret_name)
{
	return look(odb, queue, true, ret_element, ret_name);
}
