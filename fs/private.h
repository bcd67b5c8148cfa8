/* SPDX-License-Identifier: ISC */
#ifndef FS_PRIVATE_H
#define FS_PRIVATE_H

#define FUSE_USE_VERSION 314

#include "fs/fs.h"
#include "store/acl.h"

#include <assert.h>
#include <fuse_lowlevel.h>
#include <stdatomic.h>
#include <sys/stat.h>

/* Inside of the front end.  Every operation translates its arguments, calls one
 * function of the store, and replies once.
 *
 * What the kernel locks: an operation that changes a directory holds that
 * directory (rename: both; rmdir and rename also the directory that goes away
 * or moves) until it is answered, a LOOKUP of an unknown name holds it shared.
 * A notification about a name waits for the directory.  Two rules keep that
 * from being a deadlock:
 *   1. Whoever waits for a notification (merges, forks) runs as a job or in a
 *      thread of the store, so that there is always a thread to serve what the
 *      kernel asks meanwhile; and an operation that holds a directory of a work
 *      tree never waits for such a job without a bound (store.h: the functions
 *      that wait for a running merge give up with -EBUSY).
 *   2. Names in the mount's root and in name spaces are notified by a notifier
 *      of their own, which nobody waits for without a bound: a rename that
 *      merges holds them for as long as it takes.  Notifications about pages
 *      wait for no directory; they have a notifier of their own as well, so
 *      that they do not wait behind those that do.
 *
 * Locks, all leaves except `replying`, which is held while a reply is written:
 * inodes->lock, notifier->lock, jobs->lock, handles_lock, handle->lock,
 * tolds->lock, pendings->lock (work trees are locked below it), helper->lock (held
 * while waiting for the helper process).
 */

#define TIMEOUT_FOREVER (86400.0 * 365)
#define CONTROL_NAME ".irmin"

/* How long whoever changed branches waits until the kernel knows. */
#define SPACES_MILLISECONDS 1000

struct jobs;
struct notifier;
struct guard;
struct helper;
struct rename_branch;
struct tolds;
struct pendings;
struct inodes;
struct inode;
struct handle;

struct fs {
	/* Fixed while it is mounted. */
	struct store *store;
	struct fuse_session *session;
	char *mountpoint;
	uid_t uid;			/* of the root and of name spaces */
	gid_t gid;
	bool mounted;
	char *device;			/* "MAJOR:MINOR", or NULL */
	uint32_t offered;		/* flags of the kernel's INIT, and */
	bool opens_directories;		/* the kernel insists on it */
	bool negotiated;		/* by the thread that answers it */
	_Atomic uint64_t told_failure;	/* inode that reply_failure told of last */
	bool no_xattr;			/* extended attributes are refused */
	bool has_acl;			/* the kernel asks for access lists */
	struct inodes *inodes;
	struct inode *root;
	struct inode *placeholder;	/* a file that is nothing */
	struct notifier *trees;		/* names in work trees */
	struct notifier *pages;		/* pages and attributes of inodes */
	struct notifier *spaces;	/* names of branches; see rule 2 */
	struct jobs *jobs;
	struct helper *helper;
	struct guard *guard;
	struct rename_branch *renames;
	struct tolds *tolds;
	struct pendings *pendings;

	int stop_fd;			/* wakes the thread stopper */
	pthread_t stopper;
	bool has_stopper;
	_Atomic bool stopping;		/* fs_stop was called */
	_Atomic size_t forgotten;	/* inodes since memory was given back */

	/* See answer_begin. */
	pthread_rwlock_t replying;
	_Atomic uint64_t begun, ended;

	pthread_mutex_t handles_lock;
	struct handle *handles;		/* open ones; handles_lock */
};

static inline struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* operation: static. */
static inline struct caller caller_of(fuse_req_t req, const char *operation)
{
	const struct fuse_ctx *context = fuse_req_ctx(req);

	return (struct caller){
		.uid = context->uid,
		.gid = context->gid,
		.umask = context->umask,
		.pid = context->pid,
		.operation = operation,
	};
}

/* Room for who asks. */
struct asking {
	struct rights rights;
	gid_t groups[256];
};

static inline const struct rights *rights_of(fuse_req_t req, struct asking *a)
{
	const struct fuse_ctx *context = fuse_req_ctx(req);
	const int most = sizeof(a->groups) / sizeof(*a->groups);
	int count = context->uid ? fuse_req_getgroups(req, most, a->groups) : 0;

	a->rights = (struct rights){
		.uid = context->uid, .gid = context->gid, .groups = a->groups,
		.count = count < 0 ? 0 : count > most ? most : count,
		.partial = count < 0 || count > most,
	};
	return &a->rights;
}

/* What libfuse says goes to the log from now on (libfuse_log.c). */
void libfuse_log_begin(void);

/* ---- inodes (inode.c) ---- */

enum inode_kind {
	INODE_SPACE,		/* the mount's root or a folder of branches */
	INODE_NODE,		/* an object of a branch or of a revision */
	INODE_CONTROL,		/* a control directory, or something below one */
	INODE_LINK,		/* a branch's name with an encoded slash */
	INODE_PLACEHOLDER,
};

/* A directory has one name at a time in the kernel, which moves it when it finds
 * it under another one, and cannot while directories are renamed.  So a name
 * with `%2F` is a symbolic link to the real one, and revisions have a tree of
 * inodes for each name that they are looked up by.
 *
 * What the kernel knows by number.  Lives as long as the kernel remembers it
 * (`lookups`) or we hold references.  The root of a tree holds the branch or the
 * view, every other inode of the tree holds the root. */
struct inode {
	enum inode_kind kind : 8;
	bool of_view;			/* NODE: part of a struct view_inode */
	uint32_t refs;			/* inodes->lock */
	uint64_t lookups;		/* inodes->lock */
	struct inode *previous, *next;	/* of all; inodes->lock */
	union {
		struct node *node;	/* NODE; referenced */
		char *name;		/* SPACE: "" is the mount's root;
					 * LINK: target */
	};
	/* NODE: the tree's root, NULL if it is itself.  CONTROL: the directory
	 * that it is in.  Referenced. */
	struct inode *parent;
	struct branch *branch;		/* root of a branch's tree; referenced */
};

static_assert(sizeof(struct inode) <= 56, "many inodes are in memory");

/* The number that the kernel knows it by, and back. */
fuse_ino_t inode_id(const struct fs *fs, const struct inode *inode);
struct inode *inode_of(struct fs *fs, fuse_ino_t id);

int inodes_init(struct fs *fs);		/* with root and placeholder */
void inodes_release(struct fs *fs);	/* forgets them all */
size_t inodes_count(struct fs *fs);

struct inode *inode_ref(struct fs *fs, struct inode *inode);
void inode_unref(struct fs *fs, struct inode *inode);	/* accepts NULL */
/* The kernel learns of it, or forgets `count` times. */
void inode_remember(struct fs *fs, struct inode *inode);
void inode_forget(struct fs *fs, struct inode *inode, uint64_t count);

/* All return a new reference.  -ENOMEM. */
int inode_for_space(struct fs *fs, const char *name, struct inode **ret);
/* Errors of branch_worktree. */
int inode_for_branch(struct fs *fs, struct branch *branch, struct inode **ret);
/* name: by which the revision was looked up.  Takes over the reference to view,
 * on failure too. */
int inode_for_view(struct fs *fs, const char *name, struct view *view,
		   struct inode **ret);
int inode_for_link(struct fs *fs, const char *target, struct inode **ret);
/* near: any inode of the same tree.  Takes over the reference to node, on
 * failure too. */
int inode_for_node(struct fs *fs, struct inode *near, struct node *node,
		   struct inode **ret);
/* The inode of a node if the kernel may know it, or NULL. */
struct inode *inode_find_node(struct fs *fs, struct node *node);
/* The inode of a name space if the kernel may know it, or NULL. */
struct inode *inode_find_space(struct fs *fs, const char *name);

static inline bool inode_is_space(const struct inode *inode)
{
	return inode->kind == INODE_SPACE;
}

static inline bool inode_is_tree_root(const struct inode *inode)
{
	return inode->kind == INODE_NODE && !inode->parent;
}

/* The root of the tree that a NODE is in. */
static inline struct inode *inode_tree(struct inode *inode)
{
	return inode->parent ? inode->parent : inode;
}

/* The branch that a NODE is in, NULL in a revision. */
static inline struct branch *inode_branch(struct inode *inode)
{
	return inode_tree(inode)->branch;
}

/* Calls visit for the root of each branch's tree that is known. */
void inodes_each_branch(struct fs *fs,
			void (*visit)(struct fs *fs, struct inode *root));

/* Names in a space that the kernel keeps without a limit of time: notes one;
 * calls visit for all noted and drops them from the list. */
int inode_note_name(struct fs *fs, struct inode *space, const char *name);
void inode_take_names(struct fs *fs, struct inode *space,
		      void (*visit)(struct fs *fs, struct inode *space,
				    const char *name));

/* ---- names in spaces (names.c) ---- */

/* Full name of a branch called name in a space, `%2F` read as a slash, in a new
 * allocation. -ENOMEM, -ENAMETOOLONG. */
int name_join(const struct inode *space, const char *name, char **ret);

/* Whether it has a slash in `%2F`. */
bool name_is_encoded(const char *name);

/* The live branch called name in a space: exactly so, or with `%2F` read as a
 * slash; a new reference.  -ENOENT, -ENAMETOOLONG, -ENOMEM. */
int name_branch(struct fs *fs, const struct inode *space, const char *name,
		struct branch **ret);

/* What name in a space stands for: a branch, a folder of branches, a link to one
 * of these, or a revision; a new reference.  ret_keep: the kernel may keep the answer until it is told
 * otherwise; the name is noted then.  -ENOENT and errors of reading. */
int name_lookup(struct fs *fs, struct inode *space, const char *name,
		struct inode **ret, bool *ret_keep);

/* ---- attributes (attributes.c) ---- */

int inode_stat(struct fs *fs, struct inode *inode, struct stat *ret);
/* How long the kernel may keep them. */
double attributes_timeout(const struct inode *inode);

/* ---- replies (reply.c) ---- */

/* Entries are cached by the kernel for ever, unless a merge or a change of
 * branches began after the state was read that the reply shows: answer_begin
 * before reading it, and give the result to the reply. */
uint64_t answer_begin(struct fs *fs);
/* From now until answers_resume replies are not cached; replies written before
 * that have arrived in the kernel. */
void answers_suspend(struct fs *fs);
void answers_resume(struct fs *fs);
/* While fs->replying is held: nothing changed since. */
bool answer_is_current(struct fs *fs, uint64_t answer);

/* error: 0 or a negative errno. */
void reply_error(fuse_req_t req, int error);
/* The same; when it is damaged or the disk fails, the log says of what in which
 * branch, where a NODE could not be read, changed, ...: action; once, as
 * long as no other fails. */
void reply_failure(fuse_req_t req, struct inode *inode, const char *action,
		   int error);

/* Reply an entry and give up the reference to inode.  keep: as answer_begin
 * says, otherwise the kernel asks again each time. */
void reply_entry(fuse_req_t req, struct inode *inode, uint64_t answer,
		 bool keep);
/* The same with a given time to live. */
void reply_entry_for(fuse_req_t req, struct inode *inode, double timeout);
/* For CREATE; returns false when the caller is gone: undo what open did. */
bool reply_create(fuse_req_t req, struct inode *inode, uint64_t answer,
		  bool keep, const struct fuse_file_info *file);
/* The name does not exist, and the kernel may remember that. */
void reply_missing(fuse_req_t req, uint64_t answer);

/* Fills in an entry that is written as part of a listing, counts it as known by
 * the kernel; timeouts are 0 when the kernel must not keep it. */
int entry_fill(struct fs *fs, struct inode *inode, double timeout,
	       struct fuse_entry_param *ret);

/* ---- notifications (notify.c) ---- */

/* A thread that sends what is queued, in order, and holds no lock. */
int notifier_new(struct fs *fs, struct notifier **ret);
/* Ends the thread after what is queued; NULL is accepted. */
void notifier_free(struct notifier *n);

/* Queue a notification; waits while there is no memory for it.
 * The kernel drops the name from its cache; */
void notify_drop_name(struct notifier *n, struct inode *dir, const char *name);
/* it asks again when the name is used next, nobody inside is disturbed; */
void notify_expire_name(struct notifier *n, struct inode *dir,
			const char *name);
/* The helper process looks at a path below the mount's root, after what was
 * queued before. */
void notify_look(struct notifier *n, const char *path);
/* The kernel drops attributes and cached pages or listing; dirty pages of shared
 * mappings are written back first. */
void notify_inode(struct notifier *n, struct inode *inode);

/* Blocks until all that was queued before the call has been sent, at most so
 * many milliseconds (-1: no bound). */
void notify_wait(struct notifier *n, int milliseconds);

/* ---- jobs (jobs.c) ---- */

/* Threads for operations that take long or wait for notifications, so
 * that they do not use up the threads that serve the kernel. */
int jobs_new(struct jobs **ret);
/* Finishes all jobs first. */
void jobs_free(struct jobs *jobs);
/* Runs run(context) soon.  -ENOMEM; -EAGAIN: no thread can be started. */
int jobs_add(struct jobs *jobs, void (*run)(void *context), void *context);

/* ---- helper process (helper.c) ---- */

/* A process of ours that makes system calls on the mount: a thread that did
 * would make the daemon impossible to kill. */
int helper_new(const char *mountpoint, struct helper **ret);
void helper_free(struct helper *h);		/* ends the process */
pid_t helper_pid(const struct helper *h);
/* It stats path (below the mount's root) soon.  Never blocks; dropped when more
 * wait than its socket holds. */
void helper_look(struct helper *h, const char *path);
/* The same; waits until it has, and until it has looked at what it was told to
 * before, at most so many milliseconds: it cannot while a directory is locked. */
#define LOOK_MILLISECONDS 200
void helper_look_wait(struct helper *h, const char *path, int milliseconds);

/* ---- branches that threads were told of (told.c) ---- */

/* Makes rename(2) of branches find those that the kernel has under another name;
 * see there. -ENOMEM. */
int tolds_new(struct tolds **ret);
void tolds_free(struct tolds *t);
/* The answer to the LOOKUP of name in a space will be a branch. */
void told_branch(struct fs *fs, fuse_req_t req, const struct inode *space,
		 const char *name);
/* The answer to a LOOKUP will be a space; may block for a little. */
void told_space(struct fs *fs, fuse_req_t req);

/* ---- elements of queues that are being made (pending.c) ---- */

int pendings_new(struct pendings **ret);	/* -ENOMEM */
void pendings_free(struct fs *fs, struct pendings *all);

/* ---- the store's wishes (front.c) ---- */

void front_install(struct fs *fs);
void front_remove(struct fs *fs);
/* Queues the writing back of what shared mappings of files of w hold. */
void front_flush(struct fs *fs, struct worktree *w);

#endif
