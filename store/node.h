/* SPDX-License-Identifier: ISC */
#ifndef STORE_NODE_H
#define STORE_NODE_H

#include "store/directory_places.h"
#include "store/irmin_attribute.h"
#include "store/util.h"
#include "store/worktree.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

/* Inside of worktree.h, for node*.c and worktree*.c.
 *
 * Locks: worktree->lock guards everything here unless said otherwise.  Who holds
 * it shared and changes what is marked "state", or reads it, holds
 * worktree->state too; who holds it exclusively needs no other.  "State alone"
 * always needs worktree->state and no other.  Function names that end in _locked
 * mean worktree->lock, exclusively.
 *
 * References: refs counts references from outside (each of which also counts
 * in worktree->refs) and from inside: a child's on its parent, and one by
 * NODE_KEPT.  The last one is given up under the exclusive lock, and frees the
 * node at once; so a node that is found can be referenced under any lock.
 *
 * Numbers (st_ino): of an entry as loaded, a mix of its directory's number and
 * its name, so that it comes back after the node was forgotten, and after a
 * remount.  A new entry's is a mix with a number never used before.  A node that
 * moved to another directory keeps its number and is noted as displaced, since
 * its former directory, when it is loaded again, must not give it to another.
 */

enum node_kind {
	KIND_FILE,
	KIND_SYMLINK,
	KIND_DIRECTORY,
	KIND_SUBMODULE,
	KIND_LINK,		/* a name of another node: node_links.c */
	KIND_FIFO,
	KIND_SOCKET,
	KIND_CHARACTER,
	KIND_BLOCK,
};

/* State of a node and everything below it. */
#define NODE_CHANGED 1u		/* the next capture must look at it; it is in
				 * its parent's list, and its parent, too, is
				 * CHANGED and MODIFIED */
#define NODE_MODIFIED 2u	/* its contents differ from the last capture */
#define NODE_PENDING 4u		/* its contents were captured, number `stamp`,
				 * and are not known to be stored */
#define NODE_KEPT 8u		/* one reference: memory alone has all of it */
#define NODE_EMITTED 16u	/* capture: it is in the delta */
#define NODE_ENTRY 32u		/* its place or git mode differ from it */
#define NODE_ATTRIBUTES 64u	/* its attributes do */

/* Of nodes that differ from the defaults of their work tree, and of entries
 * without a node.  What is not known was the default when they were made. */
struct attributes {
	uid_t uid;
	gid_t gid;
	mode_t permissions;
	unsigned int known;	/* LOCAL_ATTRIBUTES: owner and permissions;
				 * LOCAL_TIMES */
	struct timespec atime, mtime, ctime;
	struct local *local;	/* other facts as stored; owned; or NULL */
};

void attributes_free(struct attributes *a);	/* accepts NULL */

/* A file of rules: node_rules_of_name. */
#define RULES_IGNORE 1u		/* IGNORE_NAME */
#define RULES_TYPES 2u		/* ATTRIBUTES_NAME */

#define SIZE_UNKNOWN UINT64_MAX

struct node {
	struct worktree *worktree;
	struct node *parent;		/* NULL: the root */
	struct attributes *attributes;	/* state; NULL: the defaults */
	union {
		void *slot;		/* the front end's */
		struct node *previous_name;	/* of KIND_LINK */
	};
	uint64_t number;
	union {
		struct contents *contents;	/* state; NULL: the blob oid */
		struct directory *directory;	/* NULL: the tree oid */
		struct node *target;		/* fixed; of KIND_LINK */
	};
	union {
		uint64_t size;		/* state; of the blob oid */
		struct node *changed;	/* state; list of CHANGED children */
		struct node *next_name;	/* of KIND_LINK: in its list */
	};
	union {
		struct {
			struct node *next, *previous;	/* state; in that list */
		};
		char *last_name;	/* of an unlinked one; owned */
	};
	/* The stored object that it equals if neither MODIFIED nor PENDING. */
	struct oid oid;
	_Atomic uint32_t refs;
	uint32_t position;		/* of its entry in its parent */
	uint32_t stamp;			/* of the last capture that emitted it */
	uint16_t kind : 4, epoch : 12;	/* fixed */
	/* state; NODE_*. It also keeps what is fixed and read without a lock in
	 * another memory location than the bits below. */
	uint8_t flags;
	uint8_t executable : 1;
	uint8_t removed : 1;		/* it or a directory above is gone */
	uint8_t unlinked : 1;		/* it has no entry any more */
	uint8_t displaced : 1;		/* its number is in worktree->displaced */
	uint8_t pending : 1;		/* unlinked, but to be pushed */
	uint8_t structured : 1;		/* oid is the tree of a stored rope */
	uint8_t rules : 2;		/* by its name: RULES_* */
	uint8_t own : 1;		/* as its entry's: oid is in the local
					 * face, unless its contents are open */
	uint8_t linked : 1;		/* it is in worktree->links */
	uint8_t nameless : 1;		/* unlinked, but link may name it */
};

static_assert(sizeof(struct node) <= 112, "many nodes are in memory");

#define STALE_MOST 16u

struct worktree {
	pthread_rwlock_t lock;
	pthread_mutex_t state;		/* leaf; see above */
	pthread_mutex_t appending;	/* under lock shared: one at a time */
	struct worktree_options options;	/* fixed */
	_Atomic uint64_t refs;		/* from outside, to it or to a node */
	_Atomic int refusal;		/* error for changes, or 0 */
	struct node *root;		/* fixed; one reference */
	struct writer *writers;		/* state alone; a hash, by node */
	/* Times of nodes as stored: [0] of what nothing else is known,
	 * [head_epoch] of what was changed while nobody looked, then one an
	 * apply and one for each that the local face names. */
	struct timespec *times;
	unsigned int time_count, head_epoch;
	struct timespec apply_time;	/* of the apply that goes on */
	uint32_t number;		/* of captures and applies */
	uint64_t salts;			/* for new numbers of nodes */
	struct displaced *displaced;	/* a hash, by number */
	struct links *links;		/* the same: files of several names */
	struct links *shared;		/* those with a snapshot */
	bool links_loaded;		/* those that are stored are there */
	struct timespec changed_since;	/* state */
	_Atomic uint64_t changes;	/* counts them; raised under lock */
	struct irmin_cache *irmin;	/* fixed; locks itself */
	_Atomic uint32_t rules;		/* counts changes of what is ignored */
	/* state; below these they are to be applied; inner references */
	struct node *stale[STALE_MOST + 1];
	unsigned int stale_count;
	_Atomic bool rewritten;		/* the root's .gitattributes, by us */
	_Atomic bool retype;		/* .gitattributes files, by others */
};

#define EPOCHS_MAX 1024u

/* ---- node.c ---- */

static inline bool node_is_directory(const struct node *n)
{
	return n->kind == KIND_DIRECTORY;
}

/* A fifo, socket or device, which only the local face has: in the mode of an
 * entry, where MODE_* of Git have no such type, and of a node. */
static inline bool mode_is_special(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		return true;
	}
	return false;
}

static inline bool node_is_special(const struct node *n)
{
	return n->kind >= KIND_FIFO;
}

/* Files and symlinks. */
static inline bool node_has_contents(const struct node *n)
{
	return n->kind == KIND_FILE || n->kind == KIND_SYMLINK;
}

static inline bool node_is_clean(const struct node *n)
{
	return !(n->flags & (NODE_MODIFIED | NODE_PENDING));
}

/* The node that a name leads to: what an entry has, or what stands for it. */
static inline struct node *node_target(const struct node *n)
{
	return n && n->kind == KIND_LINK ? n->target : (struct node *)n;
}

/* Of a directory's tree: Git leaves it out then. */
static inline bool node_git_has_nothing(const struct oid *tree)
{
	return oid_is_zero(tree) || oid_equal(tree, &oid_empty_tree);
}

/* Where stored blobs are. */
static inline struct odb *node_odb(const struct worktree *w, bool own)
{
	return own ? w->options.local : w->options.odb;
}

uint32_t node_git_mode(const struct node *n);	/* MODE_*, or S_IF* of a special */
/* Of such modes. */
mode_t node_type_of(uint32_t mode);		/* S_IFMT */
enum node_kind node_kind_of(uint32_t mode);

/* A node of no place yet with one reference; NULL: no memory. */
struct node *node_new(struct worktree *w, uint32_t mode, unsigned int epoch);
/* Frees a node that node_new made and that never got a place. */
void node_discard(struct node *n);
/* Makes n, which is new or was elsewhere, the node of a live entry of dir. */
void node_place_locked(struct node *n, struct node *dir, struct entry *e);

/* Notes that n is about to move to another directory, unless it has several names,
 * which is noted as well.  -ENOMEM. */
int node_displace_locked(struct node *n);

/* Gives up an inner reference. */
void node_put_locked(struct node *n);

/* Its entry; not for the root and unlinked nodes.  Any lock. */
struct entry *node_entry(const struct node *n);

/* Entries of a directory of that number: none.  NULL: no memory. */
struct directory *node_new_directory(struct worktree *w, uint64_t number);
/* Loads dir's entries if need be.  -ENOTDIR, -ENOENT: it was removed. */
int node_open_directory_locked(struct node *dir);
/* The loaded node of a live entry; it has an inner reference for the caller.
 * Entries do not move. */
int node_load_locked(struct node *dir, struct entry *e, struct node **ret);

/* Times of nodes as stored: the epoch of that one.  -ENOMEM.  When there is no
 * room, the last one moves on: what it was for looks changed again, which costs
 * a reading and no more. */
int worktree_epoch_locked(struct worktree *w, const struct timespec *time);

/* node_path under any lock. */
char *node_make_path(const struct node *n);

/* Levels above n.  Any lock. */
unsigned int node_depth(const struct node *n);
/* Whether n is a or below it. */
bool node_is_within(const struct node *n, const struct node *a);

/* 0, or the error with which changes fail. */
int worktree_check_writable(struct worktree *w);

/* ---- node_ignore.c, node_own.c: what Git is not to have ---- */

/* Whether a file or symlink that gets that name in the loaded directory dir is to
 * be in the local face alone: 1 or 0.  -ENOMEM. */
int node_is_own_name_locked(struct node *dir, const char *name);

/* Whether a folder of that name in the loaded directory dir is ignored with all
 * that is in it: 1 or 0.  -ENOMEM. */
int node_is_ignored_folder_locked(struct node *dir, const char *name);

/* Whether rules ignore a file of that name in the loaded directory dir, also one that
 * Git has: 1 or 0.  -ENOMEM. */
int node_is_ignored_name_locked(struct node *dir, const char *name);

unsigned int node_rules_of_name(const char *name);	/* 0: none */
/* Rules of that kind of dir, or dir's own name, are other ones.  "state". */
void node_rules_changed(struct node *dir, unsigned int rules);
/* What is in dir may be ignored, or not any more, for another reason.  "state". */
void node_look_again(struct node *dir);
/* dir has another path: new files in it, of which memory alone knows, are as
 * their names ask for at once. */
void node_directory_moved_locked(struct node *dir);
void worktree_forget_stale_locked(struct worktree *w);

/* Whether dir is called GIT_NAME, or is below such a one.  Any lock. */
bool node_is_in_git(const struct node *dir);

/* The directory n is about to be called name in dir: -EXDEV if that is within a
 * GIT_NAME, which Git does not have, and n is not, and has something in it: it
 * must be copied then.  Errors of loading. */
int node_check_into_git_locked(struct node *n, const struct node *dir,
			       const char *name);

/* The node n, a file or symlink, is about to be own or not (as an entry that is
 * not stored): opens its contents if need be, for the two that follow. */
int node_prepare_own_locked(struct node *n, bool own);
/* It is; its entry, too, if it has one.  True: it is to be stored anew. */
bool node_set_own_locked(struct node *n, bool own);

/* ---- node_shelf.c: elements of queues that are being made and were synced ---- */

/* The pending, unlinked n of queue gets its place there.  Errors of
 * node_keep_pending. */
int shelf_put_locked(struct node *n, struct node *queue);
/* It is there; max: bytes of an element's name. */
int shelf_rename_locked(struct node *n, const char *name, size_t max);
int shelf_drop_locked(struct node *n);
/* Its path as it was meant to be; the caller frees it.  NULL: no memory. */
char *shelf_path(const struct node *n);
/* Something left that folder of the shelf.  Takes the lock. */
void shelf_tidy(struct node *folder);

/* ---- node_writers.c ---- */

/* Whether somebody has a .gitattributes open for writing. */
bool worktree_writes_types_locked(struct worktree *w);
/* The nodes that are open for writing, each with the reference that refer takes;
 * the caller frees the array.  -ENOMEM. */
int worktree_collect_writers(struct worktree *w,
			     struct node *(*refer)(struct node *n),
			     struct node ***ret, size_t *ret_count);
/* Whoever had opened them is gone without a word. */
void worktree_forget_writers(struct worktree *w);

/* ---- node_state.c: CHANGED, MODIFIED, KEPT ---- */

/* Something of n differs from the last capture: its contents (modified), or
 * only its git mode.  With all its names.  "state". */
void node_mark(struct node *n, bool modified);
/* The same of one name: contents, or only its place.  "state". */
void node_mark_name(struct node *n, bool modified);
/* Its attributes differ, and nothing that Git sees.  "state". */
void node_mark_attributes(struct node *n);
/* Takes it out of its parent's list of CHANGED children.  "state". */
void node_unmark(struct node *n);
/* Gives it the reference of NODE_KEPT.  "state". */
void node_keep(struct node *n);
/* Keeps or lets go n as its state asks for; may free it. */
void node_settle_locked(struct node *n);
/* n is gone from the tree: with its own entry (last_name is taken over) or with
 * that of a directory above (NULL).  Its own entry must be changed by the
 * caller first.  May free it.  One that has other names, or stands for one, gives
 * up that one. */
void node_detach_locked(struct node *n, char *last_name);

/* ---- node_attributes.c ---- */

/* Attributes of n: its own or the defaults.  "state". */
struct attributes node_attributes(const struct node *n);

/* Of what is as stored: by git mode and epoch. */
struct attributes attributes_default(const struct worktree *w, uint32_t mode,
				     unsigned int epoch);

/* Memory for attributes, if n has none: before a change that will need it.  Any
 * lock, without "state".  -ENOMEM. */
int attributes_reserve(const struct node *n, struct attributes **spare);
/* n's own attributes to be changed, made of *spare if it has none. "state". */
struct attributes *attributes_own(struct node *n, struct attributes **spare);
/* Its contents changed now: mtime and ctime.  "state". */
void attributes_touch(struct node *n, struct attributes **spare,
		      const struct timespec *now);
/* Something else of it changed now: ctime.  "state". */
void attributes_touch_inode(struct node *n, struct attributes **spare,
			    const struct timespec *now);

/* ---- node_names.c ---- */

/* Of a file that plain Git itself reads, which is never stored as a rope. */
static inline bool node_is_git_name(const char *name)
{
	return strncmp(name, ".git", 4) == 0;
}

/* The same of any name of the file n. */
bool node_has_git_name(const struct node *n);
/* n is about to get that name: if it is stored as a rope its contents are opened,
 * for what follows. */
int node_prepare_name_locked(struct node *n, const char *name);
/* It has it: if need be it is to be stored anew, with all its names. */
void node_named_locked(struct node *n, const char *name);

/* Errors of tree_check_name; -EPERM also for CONTROL_NAME. */
int node_check_new_name(const char *name);
/* The same, but with a local face GIT_NAME may be. */
int node_check_name(const struct worktree *w, const char *name);

/* Loads a directory of which that many entries are to be changed, and makes
 * room in it; entries may move.  Errors of changes. */
int node_open_for_change_locked(struct node *dir, size_t changes,
				struct attributes **spare);

/* A node that leaves its entry, and what that takes.  Zero-initialise. */
struct leaving {
	struct node *node;		/* an inner reference, or NULL */
	struct node *at;		/* what the entry has: it, or a name of
					 * it; no reference */
	char *name;
	struct attributes *spare;
};
int leaving_init_locked(struct leaving *leaving, struct node *dir,
			struct entry *e);
/* It is to be removed: a directory must be empty. */
int leaving_check_locked(struct leaving *leaving, const struct entry *e);
/* Its entry is given up: it is detached. */
void leaving_done_locked(struct leaving *leaving, const struct timespec *now);
void leaving_release_locked(struct leaving *leaving);

/* ---- node_links.c: files of several names ----
 *
 * n: a node with `linked`, unless said otherwise. */

#define LINKS_MAX 65000u		/* names of a file, as on ext4 */

bool links_have_number(const struct worktree *w, uint64_t number);
uint32_t links_count(const struct node *n);
uint64_t links_id(const struct node *n);
/* The names but its own, by next_name; NULL also for a node without others. */
struct node *links_others(const struct node *n);

/* Whether all names are known to be CHANGED and to have these flags since the last
 * capture, so that changing one of 65,000 names need not touch all. */
bool links_are_marked(const struct node *n, unsigned int flags);
void links_set_marked(const struct node *n, unsigned int flags);

/* For node_links_load.c. */
struct node *links_new_name(struct node *target);
int links_make_locked(struct node *n, uint64_t number, uint64_t id);
void links_join_locked(struct node *name, struct node *dir, struct entry *e);

/* Gives up one name, whose entry is changed already: n's own, or of KIND_LINK.
 * false: it was the last; n has to be detached. */
bool links_leave_locked(struct node *name);
void links_release(struct worktree *w);

/* What all names have in a capture, and as what mode it is stored.  The first one
 * shares it; the others get a reference, or NULL before that. */
struct contents *links_shared_locked(const struct node *n, uint32_t *ret_mode);
void links_share_locked(struct node *n, uint32_t mode,
			struct contents *snapshot);
void links_forget_snapshots_locked(struct worktree *w);

/* ---- node_links_load.c ---- */

/* Whether an entry has no node and is stored as one of several names. */
bool node_entry_has_group(const struct entry *e);
/* The live entry of dir is one of these: afterwards it has a node, or is the only
 * name of its file.  -ENOMEM. */
int links_load_locked(struct node *dir, struct entry *e);

/* ---- node_local.c: the local face ---- */

/* Facts of a live entry of dir as they are now, for a delta; the caller frees
 * them.  NULL: no memory. */
struct local *node_facts(const struct node *dir, const struct entry *e);
struct local *node_root_facts(const struct node *root);

/* Room for where the facts below a directory will be stored.  -ENOMEM. */
int node_reserve_table(struct node *dir);
/* They are stored. */
void node_set_table(struct node *dir, const struct delta *delta);

/* Attributes of what has that git mode and, if it has no times, epoch, as facts
 * say.  -ENOMEM. */
int node_make_attributes(struct worktree *w, uint32_t mode, unsigned int epoch,
			 const struct local *facts, struct attributes **ret);

/* Brings the facts of d's entries, which directory_load has just made for dir,
 * and the entries that Git does not have.  Errors of local_table_each. */
int node_load_local(struct node *dir, struct directory *d);
/* Whether below the entry, a directory that is not loaded, is something that Git
 * does not have. */
bool node_entry_has_own(const struct entry *e);

/* Of a new tree: its root's facts, and the time of all that has no other. */
int worktree_load_root(struct worktree *w);

/* A node without a place: a directory without entries, or a file or symlink
 * that takes over *contents.  mode as of node_make. */
int node_prepare(struct worktree *w, mode_t mode, struct contents **contents,
		 struct node **ret);
/* Attributes of what caller makes in dir. */
struct attributes node_new_attributes(const struct node *dir, mode_t mode,
				      const struct caller *caller);
/* n, new and without a place, gets the access control lists that what is made in
 * dir has; *mode is what these, or else the caller's mask, leave of it.
 * (node_xattr.c) */
int node_inherit_locked(struct node *n, struct node *dir,
			const struct caller *caller, mode_t *mode);
/* The two halves of node_set_attributes: what is done without the lock where
 * `which` has NODE_SET_MODE, and the rest, with the lock and reserved memory. */
int node_open_for_mode(struct node *n);
void node_change_attributes_locked(struct node *n, const struct stat *values,
				   unsigned int which,
				   struct attributes **spare);
/* -EACCES, -EIO.  For who is not root; st: of n. */
int node_check_access_locked(struct node *n, const struct stat *st,
			     const struct rights *rights, mode_t wanted);

/* ---- node_types.c: directories of a type ---- */

static inline bool node_is_typed(const struct node *dir)
{
	return node_is_directory(dir) && dir->directory &&
	       dir->directory->places;
}

/* The registered type of an entry called name in the loaded directory dir, if it
 * is a directory; NULL: plain.  Any lock, without "state". */
int node_directory_type(struct node *dir, const char *name,
			const struct directory_type **ret);

/* Adds directories to dir, just loaded, which the root's .gitattributes names as
 * being of a type, or as being above such ones, and which Git does not have since
 * they are empty. */
int node_add_empty_locked(struct node *dir);

/* How a new entry is called, and where it is stored.  Zero-initialise. */
struct newcomer {
	char *name;
	char *place;			/* NULL in a plain directory */
};
/* In a directory of a type another name is taken if that one is in use and
 * `number`; otherwise -EEXIST.  Errors of make_place. */
int newcomer_init_locked(struct newcomer *newcomer, struct node *dir,
			 const char *name, bool number);
/* For the entry e of dir, which stays in dir.  It keeps its key. */
int newcomer_rename_locked(struct newcomer *newcomer, struct node *dir,
			   const struct entry *e, const char *name);
void newcomer_release(struct newcomer *newcomer);
/* Its entry, as directory_put. */
struct entry *newcomer_put_locked(struct newcomer *newcomer, struct node *dir);

/* Whether the entry keeps its key when it is renamed in its directory. */
bool node_entry_has_key(const struct node *dir, const struct entry *e);

/* The first element of a loaded queue, or NULL. */
struct entry *node_first_entry_locked(struct node *dir);

/* Path of n as it is stored; the caller frees it.  NULL: no memory. */
char *node_make_stored_path(const struct node *n);

/* ---- node_attribute_lines.c ---- */

/* A change of the root's .gitattributes by this program.  Zero-initialise. */
struct attribute_edit {
	struct node *fresh;		/* the file that it will be, or NULL */
	bool needed;
	struct leaving old;
	struct attributes *spare;
};
/* Makes room in the root for an edit and what else is changed with it; entries
 * move.  The same room is wanted in every directory that may be the root. */
#define CHANGES_WITH_EDIT 4
int attribute_edit_reserve_locked(struct worktree *w);
/* Prepares one; it may turn out not to be needed. */
int attribute_edit_add_locked(struct attribute_edit *edit, struct worktree *w,
			      const char *path, const char *type);
int attribute_edit_remove_locked(struct attribute_edit *edit,
				 struct worktree *w, const char *path);
/* The directory at path `from` moves to `to`, or both change places.  type: what
 * it is to stay, or NULL. */
int attribute_edit_move_locked(struct attribute_edit *edit, struct worktree *w,
			       const char *from, const char *to,
			       const char *type, bool exchange);
void attribute_edit_execute_locked(struct attribute_edit *edit,
				   struct worktree *w,
				   const struct timespec *now);
void attribute_edit_release_locked(struct attribute_edit *edit);
/* The bytes of a file called name in the loaded directory dir.  -EFBIG: more than
 * ATTRIBUTES_MAX; -EUCLEAN: it is stored as a rope; errors of contents_read. */
int node_text_locked(struct node *dir, const char *name, struct buffer *ret);
/* The root's .gitattributes; empty if there is none, or none that Git reads. */
int attribute_text_locked(struct worktree *w, struct buffer *ret);

/* ---- node_contents.c ---- */

/* Contents of a file or symlink, opened if need be; one reference.  No lock may
 * be held.  -EISDIR. */
int node_contents(struct node *n, struct contents **ret);
/* Opens them, so that they can be stored again. */
int node_open_contents_locked(struct node *n);
/* Without the lock: its file is stored as a structure. */
bool node_is_structured(struct node *n);
/* Makes its contents, which are open, of the kind that can splice.  -EOPNOTSUPP:
 * there is none; -ENOMEM. */
int node_convert_locked(struct node *n);
/* Size in bytes, and how many of them are not in holes.  No lock may be held. */
int node_size(struct node *n, uint64_t *ret_size, uint64_t *ret_data);

#endif
