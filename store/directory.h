/* SPDX-License-Identifier: ISC */
#ifndef STORE_DIRECTORY_H
#define STORE_DIRECTORY_H

#include "store/odb.h"
#include "store/tree.h"

/* The entries of a loaded directory: part of a work tree, guarded by its lock.
 *
 * Entries stand in an array in the order of their sequence numbers, which only
 * grow: first those of the stored tree in Git's order, then new ones.  A cookie
 * of a listing is a sequence number + 1, so it stays right while entries come
 * and go and while the array is compacted.  A name that is replaced keeps its
 * place, so that a listing shows it exactly once.  An index by name finds them.
 *
 * Facts about the last capture are kept with the entries:
 *   stored    Git has this very entry (Git does not have empty directories)
 *   captured  the local face has it, whether Git does or not
 *   replaced  either had the name, but for another entry, which is gone; a
 *             replaced entry that is not live stands for the missing name
 *   git_had   with replaced: Git had it
 *   git_file  with git_had: and it was no folder, nor was it untracked
 */

struct node;
struct attributes;
struct ignore_file;
struct directory_places;

struct entry {
	char *name;
	struct node *node;	/* while it is loaded; has oid and mode then */
	struct attributes *attributes;	/* owned; NULL: as stored in Git; a
					 * loaded node has them instead */
	uint64_t seq;
	uint64_t number;	/* st_ino while no node is loaded */
	struct oid oid;
	unsigned int mode : 16;		/* MODE_* */
	unsigned int epoch : 10;	/* of its time, see struct worktree */
	unsigned int live : 1;		/* else: replaced, or a hole */
	unsigned int stored : 1;
	unsigned int captured : 1;
	unsigned int replaced : 1;
	unsigned int git_had : 1;
	unsigned int git_file : 1;
	unsigned int owned : 1;		/* name is an allocation of its own */
	unsigned int own : 1;		/* a file or symlink that Git is not to
					 * have: oid is in the local face */
};

struct directory {
	struct entry *entries;
	uint32_t count, capacity;
	uint32_t live, stored;		/* how many entries are */
	uint32_t directories;		/* of the live ones */
	uint32_t own;			/* of the live ones, too */
	uint32_t holes;			/* neither live nor replaced */
	uint32_t *index;		/* positions + 2; 0 free, 1 was used */
	uint32_t index_size, index_used;	/* a power of two, or 0 */
	uint32_t *replaced;		/* positions of replaced entries */
	uint32_t replaced_count, replaced_capacity;
	uint64_t next_seq;
	uint64_t number;		/* of the directory's node */
	uint64_t *salts;		/* the work tree's; see new_number */
	char *names;			/* memory of the base's names */
	struct directory_places *places;	/* of a type; NULL: plain */
	/* node_ignore.c: */
	struct ignore_file *rules;	/* of its .gitignore, or NULL */
	uint32_t rules_seen;		/* the work tree's `rules` then */
	bool ignored;			/* all that is new in it is own */
	bool ruled;			/* there are rules for names in it */
};

#define DIRECTORY_ENTRIES_MAX ((uint32_t)1 << 30)
#define CONTROL_NAME ".irmin"		/* a tracked entry of it is hidden */

/* A well-spread number out of two. */
uint64_t directory_mix(uint64_t a, uint64_t b);

/* A directory without entries; number and salts are the caller's to set.  NULL:
 * no memory. */
struct directory *directory_new(void);

/* The entries of a stored tree, into a new directory; their numbers depend on
 * its number and their names alone.  epoch: of the entries.  Errors of
 * tree_read; -ENOSPC: too many entries. */
int directory_load(struct directory *d, struct odb *odb, const struct oid *oid,
		   unsigned int epoch);
void directory_free(struct directory *d);	/* accepts NULL; not nodes */

/* The entry that is live, or replaced, under a name; or NULL. */
struct entry *directory_find(const struct directory *d, const char *name);
/* Only if it is live. */
struct entry *directory_find_live(const struct directory *d, const char *name);

/* Nothing live that a user can see. */
bool directory_is_empty(const struct directory *d);

/* Makes sure that the next `more` calls of put, supersede and remove cannot
 * fail.  Moves entries: pointers to them end here.  -ENOMEM, -ENOSPC. */
int directory_reserve(struct directory *d, size_t more);

/* A live entry under a name that has none, with a number of its own and
 * everything else zero.  Takes over *name (from malloc) and sets it to NULL if
 * it needs it. */
struct entry *directory_put(struct directory *d, char **name);

/* The live entry becomes another one, with a new number and no node, in its old
 * place.  remember: it counts as replaced if it was stored (but of a directory
 * of a type: what is stored at its place will be overwritten). */
void directory_supersede(struct directory *d, struct entry *e, bool remember);

/* The live entry stays what it is, but counts as another one than is stored. */
void directory_renew(struct directory *d, struct entry *e);

/* The live entry stays what it is, and Git is to have it no more; nor will it have
 * what takes the name, if rules ignore that. */
void directory_untrack(struct directory *d, struct entry *e);

/* The live entry is gone. */
void directory_remove(struct directory *d, struct entry *e, bool remember);

/* Of a live entry. */
void directory_set_mode(struct directory *d, struct entry *e, uint32_t mode);
void directory_set_stored(struct directory *d, struct entry *e, bool stored);
void directory_set_own(struct directory *d, struct entry *e, bool own);

/* A capture has seen what was replaced. */
void directory_forget_replaced(struct directory *d);

/* A number that nothing in the work tree has had. */
uint64_t directory_new_number(struct directory *d, const char *name);

/* Position of the first entry whose cookie is greater. */
uint32_t directory_after(const struct directory *d, uint64_t cookie);

#endif
