/* SPDX-License-Identifier: ISC */
#include "structures/queue_private.h"

#include <errno.h>
#include <string.h>

struct queue_node *queue_node_new(void)
{
	return calloc(1, sizeof(struct queue_node));
}

int queue_node_reserve(struct queue_node *node, size_t capacity)
{
	struct queue_slot *more;

	if (capacity <= node->capacity)
		return 0;
	if (capacity < node->capacity * 2)
		capacity = node->capacity * 2;
	more = reallocarray(node->slots, capacity, sizeof(*more));
	if (!more)
		return -ENOMEM;
	node->slots = more;
	node->capacity = capacity;
	return 0;
}

int queue_node_load(struct odb *odb, const struct oid *oid,
		    struct queue_node **ret)
{
	scoped(queue_node_freep) struct queue_node *node = queue_node_new();
	int r = node ? tree_read(odb, oid, &node->tree) : -ENOMEM;

	if (r == 0)
		r = queue_node_reserve(node, node->tree->count + 1);
	if (r < 0)
		return r;
	node->count = node->tree->count;
	for (size_t i = 0; i < node->count; i++)
		node->slots[i] = (struct queue_slot){
			.entry = node->tree->entries[i],
		};
	*ret = STEAL(node);
	return 0;
}

static void slot_release(struct queue_slot *slot)
{
	queue_node_free(slot->below);
	if (slot->owns_name)
		free((char *)slot->entry.name);
}

void queue_node_release(struct queue_node *node)
{
	for (size_t i = 0; i < node->count; i++)
		slot_release(&node->slots[i]);
	free(node->slots);
	tree_free(node->tree);
}

void queue_node_free(struct queue_node *node)
{
	if (!node)
		return;
	queue_node_release(node);
	free(node);
}

/* ---- entries ---- */

static int compare(const struct queue_node *node, size_t at, const char *name,
		   uint32_t mode)
{
	const struct tree_entry *entry = &node->slots[at].entry;

	return tree_compare(entry->name, entry->mode, name, mode);
}

/* Queues are changed at their ends, so these are looked at first. */
size_t queue_node_place(const struct queue_node *node, const char *name,
			uint32_t mode)
{
	size_t low = 0, high = node->count;

	if (!high || compare(node, 0, name, mode) >= 0)
		return 0;
	low = high - 1;
	if (compare(node, low, name, mode) < 0)
		return high;
	high = low;
	low = 1;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(node, middle, name, mode) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct queue_slot *queue_node_find(const struct queue_node *node,
				   const char *name, uint32_t mode)
{
	size_t at = queue_node_place(node, name, mode);

	if (at == node->count || compare(node, at, name, mode) != 0)
		return NULL;
	return &node->slots[at];
}

int queue_node_insert(struct queue_node *node, size_t at,
		      const struct tree_entry *entry, bool copy_name,
		      struct queue_slot **ret)
{
	char *name = NULL;
	struct queue_slot *slot;
	int r = queue_node_reserve(node, node->count + 1);

	if (r == 0 && copy_name) {
		name = strdup(entry->name);
		r = name ? 0 : -ENOMEM;
	}
	if (r < 0)
		return r;
	slot = &node->slots[at];
	memmove(slot + 1, slot, (node->count - at) * sizeof(*slot));
	*slot = (struct queue_slot){ .entry = *entry, .owns_name = copy_name };
	if (copy_name)
		slot->entry.name = name;
	node->count++;
	node->changed = true;
	*ret = slot;
	return 0;
}

void queue_node_remove(struct queue_node *node, size_t at)
{
	struct queue_slot *slot = &node->slots[at];

	slot_release(slot);
	node->count--;
	memmove(slot, slot + 1, (node->count - at) * sizeof(*slot));
	node->changed = true;
}

int queue_node_descend(struct odb *odb, struct queue_slot *slot,
		       struct queue_node **ret)
{
	int r = slot->below ? 0 :
		queue_node_load(odb, &slot->entry.oid, &slot->below);

	if (r == 0)
		*ret = slot->below;
	return r;
}

/* ---- a file where a directory must be ---- */

static bool has_name(const struct queue_node *node, const char *name)
{
	return queue_node_find(node, name, MODE_FILE) ||
	       queue_node_find(node, name, MODE_TREE);
}

/* NAME~ID with so many tildes, NAME shortened where it would be too long. */
static void write_aside(const struct tree_entry *entry, size_t tildes,
			char ret[NAME_LENGTH_MAX + 1])
{
	size_t most = NAME_LENGTH_MAX - tildes - (OID_HEX_SIZE - 1);
	size_t length = strnlen(entry->name, most);

	memcpy(ret, entry->name, length);
	memset(ret + length, '~', tildes);
	oid_hex(&entry->oid, ret + length + tildes);
}

static bool is_element_name(const char *name)
{
	struct queue_key key;

	return queue_parse(name, &key, &name) == 0;
}

/* What is no element must not become one: "KEY-" or "KEY-.git" gets a tilde in
 * front. */
static bool needs_front(const struct tree_entry *entry)
{
	char name[NAME_LENGTH_MAX + 1];

	write_aside(entry, 1, name);
	return is_element_name(name) && !is_element_name(entry->name);
}

/* One more tilde for each that another file has. */
static int find_aside(const struct queue_node *node,
		      const struct tree_entry *from,
		      char ret[NAME_LENGTH_MAX + 1])
{
	char marked[NAME_LENGTH_MAX + 2];
	struct tree_entry entry = *from;

	if (needs_front(from)) {
		marked[0] = '~';
		memcpy(marked + 1, from->name, strlen(from->name) + 1);
		entry.name = marked;
	}
	for (size_t tildes = 1; tildes < NAME_LENGTH_MAX / 2; tildes++) {
		write_aside(&entry, tildes, ret);
		if (!has_name(node, ret))
			return 0;
	}
	return -EEXIST;
}

int queue_node_set_aside(struct queue_node *node, size_t at)
{
	struct tree_entry entry = node->slots[at].entry;
	char name[NAME_LENGTH_MAX + 1];
	struct queue_slot *slot;
	int r = find_aside(node, &entry, name);

	if (r < 0)
		return r;
	entry.name = name;
	r = queue_node_insert(node, queue_node_place(node, name, entry.mode),
			      &entry, true, &slot);
	if (r < 0)
		return r;
	/* NAME~... may stand before NAME only if NAME was shortened */
	queue_node_remove(node, at + (slot <= &node->slots[at]));
	return 0;
}

static int compare_slots(const void *a, const void *b)
{
	const struct tree_entry *x = &((const struct queue_slot *)a)->entry;
	const struct tree_entry *y = &((const struct queue_slot *)b)->entry;

	return tree_compare(x->name, x->mode, y->name, y->mode);
}

static bool are_sorted(const struct queue_node *node)
{
	for (size_t i = 1; i < node->count; i++)
		if (compare_slots(&node->slots[i - 1], &node->slots[i]) > 0)
			return false;
	return true;
}

/* A position of a file whose name a directory has too; the count: none. */
static size_t find_clash(const struct queue_node *node, size_t directories)
{
	for (size_t i = 0; directories && i < node->count; i++) {
		const struct tree_entry *entry = &node->slots[i].entry;

		if (entry->mode != MODE_TREE &&
		    queue_node_find(node, entry->name, MODE_TREE))
			return i;
	}
	return node->count;
}

int queue_node_settle(struct queue_node *node)
{
	size_t directories = 0, at;
	int r = 0;

	if (!are_sorted(node))
		qsort(node->slots, node->count, sizeof(*node->slots),
		      compare_slots);
	for (size_t i = 0; i < node->count; i++)
		directories += node->slots[i].entry.mode == MODE_TREE;
	while (r == 0 &&
	       (at = find_clash(node, directories)) < node->count)
		r = queue_node_set_aside(node, at);
	return r;
}

/* ---- storing ---- */

static int write_below(struct odb *odb, struct queue_node *node, size_t at,
		       unsigned int keep)
{
	struct queue_slot *slot = &node->slots[at];
	unsigned int kept = QUEUE_KEEP_NONE;
	struct oid oid;
	int r;

	if (at == 0)
		kept |= keep & QUEUE_KEEP_FIRST;
	if (at == node->count - 1)
		kept |= keep & QUEUE_KEEP_LAST;
	if (slot->below->changed) {
		r = queue_node_write(odb, slot->below, kept, &oid);
		if (r < 0)
			return r;
		/* it lost all it had, or was made in vain */
		if (oid_is_zero(&oid)) {
			queue_node_remove(node, at);
			return 0;
		}
		slot->entry.oid = oid;
	}
	if (!kept) {
		queue_node_free(slot->below);
		slot->below = NULL;
	}
	return 0;
}

static int write_slots(struct odb *odb, const struct queue_node *node,
		       struct oid *ret)
{
	struct tree_entry few[64];
	scoped_free struct tree_entry *many = NULL;
	struct tree_entry *entries = few;

	if (node->count > sizeof(few) / sizeof(*few)) {
		many = reallocarray(NULL, node->count, sizeof(*many));
		if (!many)
			return -ENOMEM;
		entries = many;
	}
	for (size_t i = 0; i < node->count; i++)
		entries[i] = node->slots[i].entry;
	return tree_write(odb, entries, node->count, ret);
}

int queue_node_write(struct odb *odb, struct queue_node *node,
		     unsigned int keep, struct oid *ret)
{
	struct oid oid = { 0 };
	int r = 0;

	for (size_t i = node->count; r == 0 && i-- > 0;)
		if (node->slots[i].below)
			r = write_below(odb, node, i, keep);
	if (r == 0 && node->count)
		r = write_slots(odb, node, &oid);
	if (r < 0)
		return r;
	node->changed = false;
	*ret = oid;
	return 0;
}
