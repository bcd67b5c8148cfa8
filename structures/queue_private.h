/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_QUEUE_PRIVATE_H
#define STRUCTURES_QUEUE_PRIVATE_H

#include "structures/queue.h"
#include "store/util.h"

/* Inside of queues: where in the fan-out a directory stands, and directories in
 * memory.  FORMAT.md has the format. */

#define QUEUE_TIME_DIGITS 12
#define QUEUE_TOP_DIGITS 3	/* of the first component; then one each */
#define QUEUE_LEVELS 9		/* directories above an element */

/* A directory of a queue's tree.  `keyed`: it is in the fan-out, that is, all
 * components of its path are digits of keys, `level` of them; its elements'
 * keys begin with `digits`.  Otherwise plain Git put it there. */
struct queue_place {
	unsigned int level;
	bool keyed;
	char digits[QUEUE_TIME_DIGITS + 1];
};

extern const struct queue_place queue_root_place;

/* The place of a subdirectory; false: none, nested too deep. */
bool queue_place_enter(const struct queue_place *place, const char *name,
		       struct queue_place *ret);

/* Whether elements are there. */
static inline bool queue_place_is_leaf(const struct queue_place *place)
{
	return place->keyed && place->level == QUEUE_LEVELS;
}

/* Whether an entry there is an element; ret_key, ret_name as queue_parse. */
bool queue_place_has(const struct queue_place *place, const char *name,
		     uint32_t mode, struct queue_key *ret_key,
		     const char **ret_name);

/* The component at a level of a key's path. */
void queue_component(const struct queue_key *key, unsigned int level,
		     char ret[QUEUE_TOP_DIGITS + 1]);

/* ---- a directory in memory ---- */

struct queue_node;

struct queue_slot {
	struct tree_entry entry;	/* oid: not while below is changed */
	struct queue_node *below;	/* loaded, or NULL */
	bool owns_name;
};

struct queue_node {
	struct tree *tree;		/* memory of the names; may be NULL */
	struct queue_slot *slots;	/* in Git's order */
	size_t count, capacity;
	bool changed;			/* since it was loaded or written */
};

/* NULL: no memory. */
struct queue_node *queue_node_new(void);
/* The zero id: empty.  Errors of tree_read. */
int queue_node_load(struct odb *odb, const struct oid *oid,
		    struct queue_node **ret);
void queue_node_free(struct queue_node *node);	/* accepts NULL */
/* Of one that is not on the heap; all zero is an empty one. */
void queue_node_release(struct queue_node *node);

static inline void queue_node_freep(struct queue_node **node)
{
	queue_node_free(*node);
}

/* Room for so many slots in all.  -ENOMEM. */
int queue_node_reserve(struct queue_node *node, size_t capacity);

/* Position of the first slot that is not before (name, mode) in Git's order;
 * fast at both ends. */
size_t queue_node_place(const struct queue_node *node, const char *name,
			uint32_t mode);
/* The slot of exactly that name and kind (directory or not), or NULL. */
struct queue_slot *queue_node_find(const struct queue_node *node,
				   const char *name, uint32_t mode);

/* Puts a slot in at a position.  The name is the caller's to keep, unless
 * copy_name.  -ENOMEM. */
int queue_node_insert(struct queue_node *node, size_t at,
		      const struct tree_entry *entry, bool copy_name,
		      struct queue_slot **ret);
void queue_node_remove(struct queue_node *node, size_t at);

/* Loads what is below a slot that is a directory. */
int queue_node_descend(struct odb *odb, struct queue_slot *slot,
		       struct queue_node **ret);

/* Renames the file at a position to NAME~ID, since a directory needs its name. */
int queue_node_set_aside(struct queue_node *node, size_t at);
/* Sorts the slots and does the same for all files whose name a directory has
 * too. */
int queue_node_settle(struct queue_node *node);

/* Which of the loaded directories to keep in memory. */
enum queue_keep {
	QUEUE_KEEP_NONE = 0, QUEUE_KEEP_FIRST = 1, QUEUE_KEEP_LAST = 2,
};

/* Stores what changed.  No entries: the zero id, nothing is stored. */
int queue_node_write(struct odb *odb, struct queue_node *node,
		     unsigned int keep, struct oid *ret);

#endif
