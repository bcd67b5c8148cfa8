/* SPDX-License-Identifier: ISC */
#ifndef FS_IRMIN_H
#define FS_IRMIN_H

#include "fs/private.h"

/* The control directory `.irmin`: what is in it, by place. */

enum control {
	CONTROL_DIRECTORY,	/* .irmin itself */
	CONTROL_HEAD,
	CONTROL_LOG,
	CONTROL_STATUS,
	CONTROL_MESSAGE,
	CONTROL_COMMIT,
	CONTROL_MERGE,
	CONTROL_FORK,
	CONTROL_TAG,
	CONTROL_CONFLICTS,
	CONTROL_TYPE,
	CONTROL_VERSION,
	CONTROL_STATS,
	CONTROL_REQUEST,	/* "control": requests in JSON */
	CONTROL_GIT,		/* ".git" of a branch (store/inside.h) */
	CONTROL_CONFLICT,	/* a numbered folder in conflicts/ */
	CONTROL_PATH,		/* and what is in it; in this order */
	CONTROL_BASE,
	CONTROL_OURS,
	CONTROL_THEIRS,
	CONTROL_MERGED,
	CONTROL_WITH,
	CONTROL_SUGGESTED,
	CONTROL_MADE_DIRECTORY,	/* what mkdir in fork/ and tag/ answers with */
	CONTROL_MADE_FILE,
	CONTROL_COUNT
};

/* In the control directory of a queue: its first element. */
#define FIRST_NAME "first"

struct control_kind {
	const char *name;	/* NULL: has no fixed name */
	mode_t mode;		/* type, and who may at most do what */
	unsigned int places;	/* PLACE_* that have it in their .irmin */
};
extern const struct control_kind control_kinds[CONTROL_COUNT];

enum control irmin_id(struct inode *inode);
mode_t irmin_type(struct inode *inode);		/* S_IFDIR, S_IFREG */

/* What a control inode is about: the space or node whose .irmin it is in. */
struct inode *irmin_subject(struct inode *inode);
/* Whether the access control list of that is its own, too. */
bool irmin_has_acl(struct inode *inode);

/* The inode of name in a space, a node (".irmin" only) or a control directory;
 * a new reference.  ret_keep as for name_lookup.  -ENOENT. */
int irmin_lookup(struct fs *fs, struct inode *dir, const char *name,
		   struct inode **ret, bool *ret_keep);
int irmin_stat(struct fs *fs, struct inode *inode, struct stat *ret);
/* The file ".git" of a branch whose own tree has none of that name, and is not
 * empty: whether there is one; a new reference.  -ENOENT. */
bool irmin_has_git(struct fs *fs, struct inode *dir, const char *name);
int irmin_lookup_git(struct fs *fs, struct inode *dir, const char *name,
		     struct inode **ret);

/* Calls visit for each entry of a control directory but "." and "..". */
typedef int irmin_visit(void *context, const char *name, mode_t type);
int irmin_list(struct fs *fs, struct inode *dir, irmin_visit *visit,
		 void *context);

/* ---- files (irmin_file.c) ---- */

void irmin_open(fuse_req_t req, struct inode *inode,
		  struct fuse_file_info *info);
void irmin_read(fuse_req_t req, size_t size, off_t offset,
		       struct fuse_file_info *info);
void irmin_write(fuse_req_t req, struct inode *inode, const char *data,
			size_t size, off_t offset,
			struct fuse_file_info *info);

/* FS_REQUEST of fs.h. */
void irmin_ioctl(fuse_req_t req, struct inode *inode, const char *data,
		 size_t size, struct fuse_file_info *info);

/* Replies the creation and opening of a file that holds nothing; gives up the
 * reference to inode. */
void irmin_reply_made(fuse_req_t req, struct inode *inode,
			struct fuse_file_info *info);

/* ---- making and removing (irmin_make.c); both reply ---- */

/* mkdir in fork/ or tag/, or (mode is a file's, with `info`) create in tag/. */
void irmin_make(fuse_req_t req, struct inode *dir, const char *name,
		  mode_t mode, struct fuse_file_info *info);
void irmin_unlink(fuse_req_t req, struct inode *dir, const char *name);
/* Of `.irmin` itself: drops the branch. */
void irmin_rmdir(fuse_req_t req, struct inode *dir, const char *name);

/* ---- conflicts (conflict.c) ---- */

/* One conflict of a branch, copied. */
struct conflict_found {
	struct conflict_report **reports;
	size_t count;
	const struct conflict_report *report;	/* its report, of these */
	const struct conflict *conflict;
};
void conflict_found_release(struct conflict_found *found);
/* -ENOENT: none of that number is open. */
int conflict_find(struct branch *b, uint32_t number,
		  struct conflict_found *ret);

/* The one that a CONTROL_CONFLICT folder is. */
int conflict_find_in(struct inode *folder, struct conflict_found *ret);

/* Calls visit with the number of each open conflict. */
int conflict_list(struct branch *b, irmin_visit *visit, void *context);

/* Whether the conflict has that file; its size. */
bool conflict_has(const struct conflict_found *found, enum control file);
int conflict_size(struct fs *fs, const struct conflict_found *found,
		  enum control file, uint64_t *ret);

/* Puts owner and permissions of such a file into *st: those to read and to execute
 * that the branch's file at the path has, or the other branch's, if that is where
 * the file is.  The x bits are there if the side has them in Git.  What is in it
 * is nobody's to read who may not read that file. */
void conflict_stat(struct fs *fs, struct branch *b,
		   const struct conflict_found *found, enum control file,
		   struct stat *st);

/* What that file holds: a text, or (ret_contents, a reference) a blob. */
int conflict_read(struct fs *fs, const struct conflict_found *found,
		  enum control file, struct buffer *text,
		  struct contents **ret_contents);

#endif
