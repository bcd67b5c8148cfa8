/* SPDX-License-Identifier: ISC */
#ifndef STORE_DELTA_H
#define STORE_DELTA_H

#include "store/contents.h"
#include "store/local.h"
#include "store/oid.h"

/* What changed in a directory and below, relative to a state that both sides
 * know (the branch at the cut before, the older of two trees): what work trees
 * hand to the engine, and merges to work trees. */

enum delta_kind {
	DELTA_REMOVED,		/* the name is gone, from Git: with facts of an
				 * entry that is OWN (local_format.h) that
				 * is there instead */
	DELTA_OBJECT,		/* it is now the object oid with mode */
	DELTA_CONTENTS,		/* it is now a file or symlink with contents */
	DELTA_DIRECTORY,	/* it is a directory; its changes are below */
};

struct node;

/* What a merge of local faces (local_merge.h) has found out about an entry. */
#define DELTA_MERGED 1u		/* `local` is all that is known of it; a name that
				 * is REMOVED goes with what Git has not */
#define DELTA_TOUCHED 2u	/* it is changed when the delta is applied: that
				 * is the time of its contents ... */
#define DELTA_SET 4u		/* ... or of a change of `local` alone */

struct delta_entry {
	enum delta_kind kind;
	uint32_t mode;			/* MODE_* of store/tree.h */
	char *name;			/* owned */
	struct oid oid;			/* see delta.oid */
	uint32_t number;		/* private to work trees */
	struct contents *contents;	/* snapshot, owned; CONTENTS only */
	struct delta *directory;	/* owned; DIRECTORY only */
	struct node *node;		/* private to work trees; or NULL */
	/* What Git does not hold of it, as it is now (local.h), without
	 * LOCAL_GIT; owned.  NULL: of a DIRECTORY that is not complete, as it
	 * was; of others, unknown (local_store). */
	struct local *local;
	struct local_ref table;		/* see delta.table */
	/* Git has of the name what it had: local alone says what changed. */
	bool same;
	uint8_t merged;			/* DELTA_MERGED and the like, or 0 */
};

/* Invariant: names are distinct.  An entry whose kind of object differs from
 * what stood there replaces it whole; DIRECTORY over a file does too, with
 * complete set. */
struct delta {
	bool complete;		/* entries are all there is, nothing is inherited */
	size_t count, capacity;
	struct delta_entry *entries;
	/* Result: id of a CONTENTS' blob, of a DIRECTORY's tree.  Set by who
	 * stores it (delta_store), or by who made the delta from trees. */
	struct oid oid;
	uint64_t number;	/* private to work trees */
	/* Of a root that is not the entry of another delta, as in delta_entry. */
	struct local *local;
	uint8_t merged;
	/* Result: where the facts of the directory's entries are.  Set by
	 * local_store. */
	struct local_ref table;
	bool own;		/* something in it Git does not have; */
	bool links;		/* LOCAL_LINKS_BELOW */
};

/* Whether its contents are in, or are to go to, the local face alone: Git has
 * nothing of the name then. */
static inline bool delta_entry_is_own(const struct delta_entry *entry)
{
	return (entry->kind == DELTA_OBJECT || entry->kind == DELTA_CONTENTS) &&
	       entry->local && (entry->local->bits & LOCAL_OBJECT);
}

/* What may be called so: as tree_check_name, and GIT_NAME. */
#define GIT_NAME ".git"			/* never in a tree of Git */
int delta_check_name(const char *name);

/* An empty delta; NULL: no memory. */
struct delta *delta_new(bool complete);
void delta_free(struct delta *delta);		/* accepts NULL */

static inline void delta_freep(struct delta **delta)
{
	delta_free(*delta);
}

#define scoped_delta scoped(delta_freep)

/* A copy that shares the contents; private members are left out.  -ENOMEM. */
int delta_copy(const struct delta *delta, struct delta **ret_copy);

/* Makes newer, which is relative to the outcome of older, stand for both: moves
 * what it does not change itself over from older, which is of no use but to be
 * freed then.  -ENOTSUP: newer changes what is in a directory that older only
 * names by its object; -ENOMEM.  Both stand for what they did then. */
int delta_fold(struct delta *older, struct delta *newer);

/* Makes room for that many more entries.  -ENOMEM. */
int delta_reserve(struct delta *delta, size_t more);

/* Appends an entry with a copy of name; NULL: no memory.  The pointer is valid
 * until the next add. */
struct delta_entry *delta_add(struct delta *delta, enum delta_kind kind,
			      uint32_t mode, const char *name);

/* Takes out the entry of that name, if there is one.  O(n). */
void delta_remove(struct delta *delta, const char *name);

/* Stores all contents and the resulting trees in odb, given the tree that the
 * delta is relative to; fills in every oid, and the mode of a damaged structure that
 * cannot be stored as the blob that it was to be.  A directory without entries is
 * left out of its parent, as Git does.  delta->oid is the new root tree.
 * O(changes x width of their directories).  May be repeated after an error.
 * Errors of odb_read, tree_decode and odb_write; -EUCLEAN also for more than
 * TREE_DEPTH_MAX levels, here and in delta_between. */
int delta_store(struct delta *delta, struct odb *odb, const struct oid *base);

/* Stores the contents that Git is not to have in local, and fills in their ids.
 * Before delta_store and local_store.  Errors of contents_store. */
int delta_store_own(struct delta *delta, struct odb *local);

/* The changes that lead from tree `from` to tree `to`, with all oids set
 * (kinds REMOVED, OBJECT and DIRECTORY, the latter where both sides have a
 * directory).  O(changes x width). */
int delta_between(struct odb *odb, const struct oid *from, const struct oid *to,
		  struct delta **ret_delta);

/* Calls visit for each path that Git sees changed (files, symlinks, submodules;
 * directories only where removed, or as an OBJECT, or complete without entries;
 * none that are the same; what is own is REMOVED), in the order of paths.  A nonzero return ends
 * the walk and is returned.  base as for delta_store is not needed. */
typedef int delta_visit(void *context, const char *path,
			const struct delta_entry *entry);
int delta_walk(const struct delta *delta, delta_visit *visit, void *context);

#endif
