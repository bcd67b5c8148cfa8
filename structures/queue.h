/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_QUEUE_H
#define STRUCTURES_QUEUE_H

#include "store/odb.h"
#include "store/tree.h"

#include <time.h>

/* Queues of files as Git trees; the format is in FORMAT.md.
 *
 * An element is a KEY, a NAME and an object.  It is stored at a path that depends
 * on KEY and NAME alone, so that clones agree on it, and such that Git's order of
 * paths is the order of keys.  Keys are never used twice: they are the element's
 * identity.  Here a queue is the id of its tree (zero: none); nothing is changed
 * in place.  Costs are in n, the elements.
 *
 * Errors: of store/odb.h and store/tree.h.
 */

#define QUEUE_KEY_LENGTH 19		/* digits; see FORMAT.md */
#define QUEUE_NAME_MAX (NAME_LENGTH_MAX - QUEUE_KEY_LENGTH - 1)

/* Ordered as strcmp does. */
struct queue_key {
	char text[QUEUE_KEY_LENGTH + 1];
};

/* The key after `last` (NULL or "": none) at time now, made with 32 random
 * bits. */
void queue_key_next(const struct queue_key *last, const struct timespec *now,
		    uint32_t random, struct queue_key *ret_key);

/* The path below the queue's tree, "PREFIX/.../KEY-NAME"; at most
 * QUEUE_PATH_MAX - 1 bytes.  -ENAMETOOLONG (over QUEUE_NAME_MAX), and errors of
 * tree_check_name, for the name alone and with the key. */
#define QUEUE_PATH_MAX (NAME_LENGTH_MAX + 64)
int queue_path(const struct queue_key *key, const char *name,
	       char ret_path[QUEUE_PATH_MAX]);

/* Takes a stored path (or its last component alone) apart; ret_name points into
 * it.  -ENOENT: it is none of a queue's, but something plain Git put there. */
int queue_parse(const char *path, struct queue_key *ret_key,
		const char **ret_name);

struct queue_element {
	struct queue_key key;	/* "" if `foreign` */
	const char *name;	/* of a foreign entry: its path */
	uint32_t mode;
	struct oid oid;
	bool foreign;		/* without a key, added by plain Git; it
				 * may be a directory */
};

/* Stores the queue with one more or one less (the zero id when none is left).
 * -EEXIST: the key is used; -ENOENT: no such element; -EINVAL: a mode other than
 * of files and symbolic links; errors of queue_path.
 * O(log n). */
int queue_push(struct odb *odb, const struct oid *queue,
	       const struct queue_element *element, struct oid *ret_queue);
int queue_remove(struct odb *odb, const struct oid *queue,
		 const struct queue_key *key, const char *name,
		 struct oid *ret_queue);

/* The first and last element with a key; *ret_name is the caller's to free.
 * -ENOENT: none.  O(log n). */
int queue_first(struct odb *odb, const struct oid *queue,
		struct queue_element *ret_element, char **ret_name);
int queue_last(struct odb *odb, const struct oid *queue,
	       struct queue_element *ret_element, char **ret_name);

/* All in order, foreign ones last.  A nonzero return ends the walk and is
 * returned.  O(n). */
typedef int queue_visit(void *context, const struct queue_element *element);
int queue_each(struct odb *odb, const struct oid *queue, queue_visit *visit,
	       void *context);

/* Three-way merge (DESIGN: presence by key): a base element that either side
 * removed is gone; new ones of both sides are in; never a conflict among elements
 * with keys.  Of an element that both changed or renamed differently, the one
 * with the smaller name, then the smaller id, wins.  Foreign entries merge like
 * elements whose path is their key; a file whose name the other side has as a
 * directory becomes NAME~ID.  Symmetric.  Skips subtrees that are equal:
 * O(d log n). */
int queue_merge(struct odb *odb, const struct oid *base, const struct oid *ours,
		const struct oid *theirs, struct oid *ret_queue);

/* ---- a queue in memory ----
 *
 * For many changes in a row: directories are read when they are needed, changes
 * stay in memory, and queue_write stores the directories that changed, once
 * each.  After it what is not at either end is read again when it is needed.
 * Not for several threads at once. */

struct queue;

/* The odb must outlive it.  The zero id: empty. */
int queue_open(struct odb *odb, const struct oid *oid, struct queue **ret_queue);
void queue_close(struct queue *queue);	/* accepts NULL; drops changes */

/* As queue_push and queue_remove, without storing.  After an error the queue
 * has the elements that it had. */
int queue_put(struct queue *queue, const struct queue_element *element);
int queue_take(struct queue *queue, const struct queue_key *key,
	       const char *name);

/* The first and last; ret_element->name is good until the queue changes.
 * -ENOENT: none. */
int queue_peek(struct queue *queue, struct queue_element *ret_element);
int queue_peek_last(struct queue *queue, struct queue_element *ret_element);

/* The same tree as the changes one by one would have made. */
int queue_write(struct queue *queue, struct oid *ret_oid);

#endif
