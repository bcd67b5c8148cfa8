/* SPDX-License-Identifier: ISC */
#ifndef STORE_IRMIN_ATTRIBUTE_H
#define STORE_IRMIN_ATTRIBUTE_H

#include "store/odb.h"

/* The attribute `irmin=TYPE` of gitattributes(5): how a path is stored.  In a
 * work tree its own .gitattributes files count, root and nested, as they are
 * now, committed or not; elsewhere those of a stored tree.  (info/attributes
 * does not: how a path is stored must not depend on the repository it is in.)
 */

#define ATTRIBUTES_NAME ".gitattributes"
#define ATTRIBUTES_MAX ((size_t)4 << 20)	/* bytes of one file; as git_attributes.c */
#define IRMIN_TYPE_SIZE 32

struct node;
struct irmin_cache;

/* Parsed files, by the ids of their bytes.  Locks itself, a leaf lock that is
 * held while objects are read.  NULL: no memory. */
struct irmin_cache *irmin_cache_new(void);
void irmin_cache_free(struct irmin_cache *cache);	/* accepts NULL */

/* TYPE of the entry called name (there or not) in the loaded directory dir; ""
 * when it has none, as in queues.  The tree's lock is held, shared or not, without "state".
 * One look-up for each folder above where there is no .gitattributes.
 * Errors of contents_read and odb_read; -ENOMEM. */
int node_irmin_type(struct node *dir, const char *name,
		    char ret_type[IRMIN_TYPE_SIZE]);

/* The same of a path below the stored tree root.  Errors of tree_read too. */
int tree_irmin_type(struct irmin_cache *cache, struct odb *odb,
		    const struct oid *root, const char *path,
		    char ret_type[IRMIN_TYPE_SIZE]);

#endif
