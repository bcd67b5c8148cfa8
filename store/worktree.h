/* SPDX-License-Identifier: ISC */
#ifndef STORE_WORKTREE_H
#define STORE_WORKTREE_H

#include "store/acl.h"
#include "store/delta.h"
#include "store/overlay.h"
#include "store/tree.h"

#include <sys/stat.h>

/* The work tree of a branch: its head's tree plus what was changed since.
 *
 * Nodes (files, directories, symlinks, submodules, fifos ...) are loaded from the odb when
 * they are looked up, are mutable, and keep their identity over changes and
 * renames inside the tree.  Files may have several names.  Changed ones are linked to the root, so that taking
 * a cut costs O(changes).  A node that nobody refers to, that equals what is
 * stored and has default attributes is forgotten.
 *
 * Three states of a node, each including everything below it:
 *   CHANGED  differs from the last capture; linked in its parent's list
 *   PENDING  captured, but not known to be stored yet (or CHANGED)
 *   clean    equals the object node->oid
 * capture() makes CHANGED ones PENDING, adopt() makes PENDING ones clean if
 * they were not changed meanwhile.
 *
 * Locking: each work tree has one rwlock for its structure, attributes and
 * states; functions take it themselves.  Reading and writing contents hold it
 * shared, so that a capture (exclusive) is atomic over the branch.  Contents
 * lock themselves below it.  Loading a directory reads objects while the lock
 * is held.
 *
 * Errors, besides those listed: -EIO and -EUCLEAN (damaged store), -ENOMEM, and
 * for all that change: -EROFS (read-only tree), -ENOENT (the branch is gone).
 */

struct worktree;
struct node;
struct ignore_file;

struct worktree_options {
	struct odb *odb;
	struct pool *pool;
	clock_function *clock;
	uint64_t incarnation;	/* mixed into inode numbers */
	struct oid tree;	/* zero: empty */
	struct timespec time;	/* of nodes as stored: the commit's */
	struct odb *local;	/* where the local face is, or NULL: none */
	struct oid face;	/* its root (local_format.h); zero: none yet */
	bool track_ignored;	/* .gitignore files say nothing */
	bool rules_unsure;	/* maybe some were not applied yet: look */
	const struct ignore_file *exclude;	/* rules for all; or NULL */
	uid_t uid;		/* owner of nodes as stored */
	gid_t gid;
	bool readonly;
	bool owner_only;	/* mode & 0700 for nodes as stored */
	uint32_t (*random)(void);	/* of keys; NULL: the kernel's */
};

int worktree_new(const struct worktree_options *options,
		 struct worktree **ret_worktree);
struct worktree *worktree_ref(struct worktree *w);
/* The tree lives as long as a reference to it or to one of its nodes. */
void worktree_unref(struct worktree *w);

/* From now on every change fails with error (-EROFS, or -ENOENT when the branch
 * is gone); 0 allows changes again. */
void worktree_refuse(struct worktree *w, int error);

/* ---- nodes ---- */

/* Never fails; a new reference. */
struct node *worktree_root(struct worktree *w);
struct node *node_ref(struct node *n);
void node_unref(struct node *n);		/* accepts NULL */
struct worktree *node_worktree(struct node *n);	/* no new reference */
/* S_IFMT; a submodule is an empty read-only folder. */
mode_t node_type(const struct node *n);

/* A slot for the front end: its inode for this node.  Read and written by the
 * front end only, under its own lock. */
void **node_slot(struct node *n);

/* Path below the root ("" for the root), of where the node is or last was; the
 * caller frees it.  NULL: no memory. */
char *node_path(struct node *n);

/* The node of that name in dir; a new reference.  -ENOENT, -ENOTDIR.
 * A tracked entry named ".irmin" is not found. */
int node_lookup(struct node *dir, const char *name, struct node **ret);

/* By path below the root, symlinks not followed. */
int worktree_lookup(struct worktree *w, const char *path, struct node **ret);

int node_stat(struct node *n, struct stat *ret);
/* Whether a file or symlink holds what the blob oid does and was not changed since
 * that is known; its attributes if so.  Errors of node_stat count as no. */
bool node_is_stored(struct node *n, const struct oid *oid, struct stat *ret);

/* For each entry after cookie in a fixed order that changes of the directory
 * do not disturb; cookies are at least 1.  Name and type only: node is the
 * loaded node or NULL, not referenced.  visit returns nonzero to end (which is
 * not an error).  The tree's lock is held shared during visits: visit must not
 * call functions of this tree. */
struct listed {
	const char *name;
	uint64_t cookie, number;
	mode_t type;
};
typedef int node_visit(void *context, const struct listed *entry);
int node_list(struct node *dir, uint64_t cookie, node_visit *visit,
	      void *context);

/* Makes an entry.  mode: type (S_IFREG, S_IFDIR) and permissions; the owner is
 * caller's, or the group dir's when dir has the setgid bit.
 * -EEXIST, -ENOTDIR, -ENOENT (dir was removed), errors of tree_check_name,
 * -EPERM also for ".irmin"; of a symlink, errors of tree_check_symlink too. */
int node_make(struct node *dir, const char *name, mode_t mode,
	      const struct caller *caller, struct node **ret);
/* A file without a name, as O_TMPFILE makes it: gone with its last reference, unless
 * node_link gives it one before; in a queue, too, which pushes it under just that
 * name.  Errors of node_make. */
int node_make_nameless(struct node *dir, mode_t mode,
		       const struct caller *caller, struct node **ret);
/* A fifo, socket or device: the local face alone has it.  device: of 32 bits, as
 * the kernel has it.  -EINVAL; -EPERM also in a queue; errors of node_make. */
int node_make_special(struct node *dir, const char *name, mode_t mode,
		      dev_t device, const struct caller *caller,
		      struct node **ret);
int node_symlink(struct node *dir, const char *name, const char *target,
		 const struct caller *caller, struct node **ret);
/* Target of a symlink in a new allocation.  -EINVAL: not a symlink. */
int node_readlink(struct node *n, char **ret_target);

/* Another name of n, of any kind but a directory: link(2).  Each is the same node.
 * -EXDEV: in another tree; -EPERM: n is a directory, or an element of a queue, or
 * dir is a queue; -ENOENT: n has no name any more; -EMLINK; errors of node_make. */
int node_link(struct node *n, struct node *dir, const char *name);

/* Removing a node leaves its references usable, as unlink(2) does.
 * -ENOENT, -EISDIR / -ENOTDIR, -ENOTEMPTY, -EBUSY (root). */
int node_unlink(struct node *dir, const char *name);
int node_rmdir(struct node *dir, const char *name);

/* renameat2(2) inside one tree: flags 0, RENAME_NOREPLACE or RENAME_EXCHANGE.
 * -EXDEV: another tree, or a directory that is not empty to or into a ".git",
 * what is in it must be copied.  -EINVAL: into itself, or other flags; and the errors
 * of rename(2). */
int node_rename(struct node *from_dir, const char *from, struct node *to_dir,
		const char *to, unsigned int flags);

/* The same; *ret_name (the caller frees it) is another name that the file got in
 * a queue, where none replaces another, or NULL. */
int node_rename_named(struct node *from_dir, const char *from,
		      struct node *to_dir, const char *to, unsigned int flags,
		      char **ret_name);

/* ---- queues: directories with irmin=TYPE (store/directory_type.h) ----
 *
 * Making and renaming files there pushes: the new name gets a number when it is
 * in use by another element.  Renaming out claims.  Directories cannot be
 * elements: -EPERM.  RENAME_EXCHANGE: -EINVAL. */

/* Whether dir is loaded as one.  What is not loaded is none. */
bool node_is_queue(struct node *n);
/* Name of the type, "" for what has none; loads it.  Errors of loading. */
int node_type_name(struct node *n, char ret_type[32]);

/* Makes a directory one of a type, with a line in the root's .gitattributes; what
 * is in it becomes elements in the order of names.  -EINVAL: no such type, or it
 * has another one; -ENOTDIR; -ENOTEMPTY: there is more in it than files that Git
 * has; -EPERM: the root, in a queue, or in a GIT_NAME; -EEXIST: the root's
 * .gitattributes is no file;
 * -ENAMETOOLONG. */
int node_set_type(struct node *n, const char *type);

/* What is told of directories, without locks. */
typedef void worktree_tell(void *context, struct node *dir);

/* Whether .gitattributes files were changed, but by this program, so that the next
 * function has something to do. */
bool worktree_has_new_types(struct worktree *w);

/* Directories that are loaded follow .gitattributes files that were changed since: one
 * that node_set_type would make a queue becomes that as there, and an empty queue
 * with nothing pending becomes a plain directory; others stay what they are until
 * they are loaded again.  tell (or NULL) is called of those that became something
 * else.  While somebody has such a file open for writing, who may have written half of
 * it, nothing is done unless `closed`: it is being closed.  Without memory it is done
 * the next time. */
void worktree_apply_types(struct worktree *w, bool closed, worktree_tell *tell,
			  void *context);

/* Whether this program has rewritten the root's .gitattributes since this was
 * asked last: it is another file then. */
bool worktree_took_attributes(struct worktree *w);

/* Begins an element: a file that only who has it knows, until it is pushed.
 * -ENOTSUP: dir is no queue; -EEXIST; errors of node_make. */
int node_make_pending(struct node *dir, const char *name, mode_t mode,
		      const struct caller *caller, struct node **ret);
/* Of such ones; dir: as they were made.  Makes it the last element, once.
 * *ret_name: as what, the caller frees it; NULL: it was not pending any more.
 * -ENOENT: the queue is gone. */
int node_push_pending(struct node *n, struct node *dir, char **ret_name);
/* The next capture has it, and all that follow until it is pushed or cancelled:
 * what is left then is pushed by worktree_empty_shelf.  -ENOTSUP: there is no local
 * face; -ENOTDIR: Git has a file of the name; -ENAMETOOLONG; errors of changes. */
int node_keep_pending(struct node *n, struct node *dir);
int node_rename_pending(struct node *n, struct node *dir, const char *name);
/* It is never pushed, and gone. */
int node_cancel_pending(struct node *n, struct node *dir);
/* It could not be pushed: one that is kept stays what it is. */
void node_end_pending(struct node *n, struct node *dir);
/* Of a new tree that may be changed: pushes what was kept when the program was
 * stopped, in the order of the last writes.  Reports errors itself; what could not
 * be pushed stays kept. */
void worktree_empty_shelf(struct worktree *w);
bool node_is_pending(struct node *n);

/* The first element and its name (the caller frees it).  -ENOENT: none,
 * -ENOTSUP: no queue. */
int node_first(struct node *dir, struct node **ret, char **ret_name);
/* Renames whichever element is the first.  -ENOENT: there is none; errors of
 * node_rename. */
int node_rename_first(struct node *queue, struct node *to_dir, const char *to,
		      unsigned int flags, char **ret_name);
/* Takes exactly this element out of the queue of that number (st_ino), as unlink
 * does, for one who has the rights (NULL: all).  Of any number of callers one gets 0,
 * and where it was; the others -ENOENT, also when it was put elsewhere, and into
 * another queue.  -ENOTSUP: that is no queue.  -EACCES, -EPERM. */
int node_claim(struct node *n, uint64_t queue, const struct rights *rights,
	       struct node **ret_dir, char **ret_name);

#define NODE_SET_MODE 1u
#define NODE_SET_UID 2u
#define NODE_SET_GID 4u
#define NODE_SET_ATIME 8u
#define NODE_SET_MTIME 16u
#define NODE_SET_CTIME 32u
#define NODE_DROP_PRIVILEGES 64u	/* setuid, and setgid of what the group may
					 * execute */
#define NODE_DROP_SETGID 128u		/* also of what the group cannot execute */
/* Sets what `which` names of values; ctime is now unless set. */
int node_set_attributes(struct node *n, const struct stat *values,
			unsigned int which);

/* Which of setuid and setgid a file has. */
mode_t node_privileges(struct node *n);

/* Files.  Changing contents updates mtime and ctime.  Errors of store/contents.h;
 * -EISDIR. */
ssize_t node_read(struct node *n, void *data, size_t size, uint64_t offset);
ssize_t node_write(struct node *n, const void *data, size_t size,
		   uint64_t offset, bool append);
/* contents_move: 0 where node_write has to do it. */
ssize_t node_move(struct node *n, int pipe, size_t size, uint64_t offset);
int node_truncate(struct node *n, uint64_t size);
/* contents_splice: inserts and deletes in the middle, in a time that does not
 * depend on the size.  -EOPNOTSUPP: no kind of contents can. */
int node_splice(struct node *n, uint64_t offset, uint64_t delete_size,
		const void *data, size_t insert_size);
/* fallocate(2) modes 0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE with and
 * without KEEP_SIZE; -EOPNOTSUPP otherwise. */
int node_allocate(struct node *n, int mode, uint64_t offset, uint64_t length);
off_t node_seek(struct node *n, uint64_t offset, int whence);
/* Between any two trees of one store. */
ssize_t node_copy_range(struct node *from, uint64_t from_offset,
			struct node *to, uint64_t to_offset, size_t length);

/* Counts opens for writing, so that merges leave such files alone.  -ENOMEM. */
int node_writer_begin(struct node *n);
void node_writer_end(struct node *n);
bool node_has_writers(struct node *n);
/* Whether it is a .gitattributes file, so that worktree_apply_types has something to
 * do when a writer closes it. */
bool node_tells_types(struct node *n);
/* Calls visit for each node with writers, with a reference held during it and
 * no lock.  -ENOMEM: for none. */
int worktree_each_writer(struct worktree *w,
			 void (*visit)(void *context, struct node *n),
			 void *context);

/* ---- cuts ---- */

/* Whether anything is CHANGED; when that began (zero if not). */
bool worktree_is_changed(struct worktree *w, struct timespec *ret_since);
/* A number that each change raises, and nothing else does. */
uint64_t worktree_changes(struct worktree *w);

/* Paths not yet captured (names of new directories stand for what is below
 * only where they are empty), in order, with 'A', 'M' or 'D'; visit as for
 * delta_walk.  Holds the lock: visit must not call functions of this tree. */
int worktree_each_changed(struct worktree *w,
			  int (*visit)(void *context, char status,
				       const char *path),
			  void *context);

/* Applies rules of .gitignore that changed since: files that are new and ignored
 * are to be in the local face alone, and those that are not ignored any more to be
 * in Git with the next capture.  What Git has stays.  Takes the lock for one
 * directory at a time.  When it fails, which is seldom, some files may stay what
 * they were. */
int worktree_apply_rules(struct worktree *w);

/* What a delta between stored trees brings is to be in Git here too, where the
 * local face alone has it.  Errors of changes. */
int worktree_track(struct worktree *w, const struct delta *delta);

/* What a delta between stored trees takes away, and is here though rules ignore it,
 * is to be in the local face alone from now on: `git rm --cached`.  What has several
 * names stays Git's.  changes: NULL, or what worktree_changes said, and says then.
 * -EAGAIN: it says something else already; errors of changes. */
int worktree_untrack(struct worktree *w, const struct delta *delta,
		     uint64_t *changes);

/* Whether rules ignore the file or folder at a path, and what is below, also where
 * Git has it. */
bool worktree_is_ignored(struct worktree *w, const char *path);

/* Takes everything CHANGED, atomically: calls take once with the delta (NULL
 * when nothing changed) while the tree is locked exclusively, so that what take
 * queues has the order of captures; take owns the delta and must not call
 * functions of this tree nor block.  Returns what take returns; if that is
 * negative the changes stay CHANGED (take must not have kept the delta). */
typedef int worktree_take(void *context, struct delta *delta);
int worktree_capture(struct worktree *w, worktree_take *take, void *context);

/* A captured delta has been stored (all oids set, delta_store, and with a local
 * face all tables, local_store). */
void worktree_adopt(struct worktree *w, const struct delta *delta);

/* ---- changes from below: merges, outside heads ---- */

/* What the front end wants to know.  Called without locks. */
struct worktree_watch {
	/* Names in dir that are about to change: the kernel must not have them
	 * cached when this returns, nor cache them before .changed.  dir and
	 * name are valid during the call. */
	void (*changing)(void *context, struct node *dir, const char *name);
	/* The listing and times of a directory, or attributes of any node,
	 * changed. */
	void (*changed)(void *context, struct node *n);
	/* A directory became one of a type, or a plain one (worktree_apply_types):
	 * nothing of the names in it may stay cached.  Or NULL. */
	worktree_tell *retyped;
	/* Before the first .changing, and after everything, failed or not. */
	void (*begin)(void *context);
	void (*end)(void *context);
	void *context;
};

/* Applies a delta between stored trees (delta_between, merge) to the tree: all
 * of it at one moment for whoever reads, or nothing.  Entries that change their
 * object get new nodes, new files with the old ones' owner and permissions;
 * directories keep theirs, and empty ones stay.  What changes has the time of
 * now.  All that holds but for what a merge of local faces (local_merge.h) has
 * added to the delta.  take as for worktree_capture is called at that moment with a NULL delta.
 * The delta is relative to the state of the last capture: take must see to it
 * (-EAGAIN) that none came after the one that the delta was made for.  The delta
 * is not used any more once take is called.  watch may be NULL.  A tree that is
 * read-only follows too; not one whose branch is gone.
 * Without a local face nothing is CHANGED by it; with one, directories are whose
 * times it changed.
 * -EBUSY: a path that would be replaced or taken away is open for writing, or an
 * element is being made in a queue that would be;
 * -EAGAIN: it was changed since the last capture: capture and merge again.
 * -ENOTEMPTY: there would be lost what Git does not have (local_merge.h looks
 * before).
 * All put its path in ret_path (the caller frees it). */
int worktree_apply(struct worktree *w, const struct delta *delta,
		   const struct worktree_watch *watch, worktree_take *take,
		   void *context, char **ret_path);

/* The same as one of several attempts: watch is not NULL, .begin was called
 * before the first, and .end will be after the last.  Notes in names what is
 * announced.  -EAGAIN also: names->silent, and there is more to announce. */
struct worktree_names;
int worktree_apply_again(struct worktree *w, const struct delta *delta,
			 const struct worktree_watch *watch,
			 struct worktree_names *names, worktree_take *take,
			 void *context, char **ret_path);

/* When what is being applied changes the tree; for take. */
struct timespec worktree_apply_time(struct worktree *w);

/* First path of delta that is open for writing here, or NULL; the caller frees
 * it. */
char *worktree_busy_path(struct worktree *w, const struct delta *delta);

#endif
