/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_REPO_H
#define STORE_GIT_REPO_H

#include "store/odb.h"
#include "store/util.h"

/* The Git repository under a store.  Everything that libgit2 does for us is
 * behind store/git_*.h; nothing of libgit2 shows in these headers.  All
 * functions may be called from any thread. */

struct git_repo;

/* Opens a bare repository or a `.git` folder (a folder that holds a `.git`
 * folder works too); makes a bare one with HEAD -> refs/heads/main if path does
 * not exist or is an empty folder, unless create is false.
 * -ENOENT, -ENOTDIR, -EACCES; -EINVAL: not a repository, SHA-256, reftable, or
 * another extension that we do not know; report says which, in words. */
int git_repo_open(const char *path, bool create, struct git_repo **ret_repo,
		  struct report *report);
void git_repo_free(struct git_repo *repo);

const char *git_repo_path(const struct git_repo *repo);	/* absolute, common dir */
int git_repo_dir_fd(const struct git_repo *repo);	/* of that folder */

/* Its object database.  Writes stay in memory until odb_flush makes a pack of
 * them; blobs above 1 MiB become loose objects at once.  Belongs to repo. */
struct odb *git_repo_odb(struct git_repo *repo);

/* Removes temporary files, unfinished packs and .keep files that a killed
 * process of ours left among the packs.  Who calls must hold the store's lock,
 * and do it before any write.  Errors of unlink(2). */
int git_objects_recover(struct git_repo *repo);

/* Calls watch whenever odb_flush has made a pack, from any thread; it must not
 * use repo.  NULL: no more; it does not run when this returns. */
typedef void git_pack_watch(void *context);
void git_repo_watch_packs(struct git_repo *repo, git_pack_watch *watch,
			  void *context);

/* Second names of large objects, which may have been pruned (git_spare.h): whether
 * there may be any, and git_spare_tend.  The last may block. */
bool git_objects_has_spares(struct git_repo *repo);
void git_objects_tend_spares(struct git_repo *repo);

/* Opens the object database anew, so that files of packs that are gone are
 * closed.  May block while others read. */
void git_objects_refresh(struct git_repo *repo);

/* ---- refs (git_refs.c) ---- */

/* Calls visit for each ref below prefix ("refs/heads/") that names a commit (a
 * tag is peeled; peeled is the commit).  A broken ref is logged and reported
 * with a zero oid.  Nonzero from visit ends the walk and is returned. */
typedef int git_ref_visit(void *context, const char *name,
			  const struct oid *oid, const struct oid *peeled);
int git_refs_each(struct git_repo *repo, const char *prefix,
		  git_ref_visit *visit, void *context);

/* Full name.  -ENOENT; -EUCLEAN: the ref is broken. */
int git_ref_read(struct git_repo *repo, const char *name, struct oid *ret_oid);

/* What packed-refs is, to see whether it is another file or was changed. */
struct git_packed_mark {
	uint64_t inode, size;
	struct timespec mtime;
};

/* Zero if there is none. */
void git_packed_mark(struct git_repo *repo, struct git_packed_mark *ret);

/* Calls visit with each branch of that name or below it (without refs/heads/) that
 * has a file, or is in a packed-refs other than `known`; maybe twice.  For a name
 * that none has it takes two system calls.  Nonzero from visit ends it and is
 * returned.  Errors of reading. */
typedef int git_branch_visit(void *context, const char *name);
int git_branch_peek(struct git_repo *repo, const char *name,
		    const struct git_packed_mark *known,
		    git_branch_visit *visit, void *context);

/* Compare and set, durably: old zero: must not exist; new zero: delete (from
 * packed-refs too).  -ESTALE: it is not old; -EBUSY: locked by another program;
 * -EEXIST: clashes with a ref that is a prefix of it, or the reverse;
 * -EINVAL: not a valid name; -ENOSPC, -EROFS, -EIO. */
int git_ref_update(struct git_repo *repo, const char *name,
		   const struct oid *old, const struct oid *new,
		   const char *message);

/* Removes locks that a killed process of ours left in place of refs.  Who calls
 * must hold the store's lock, and do it before any update.  Errors of
 * unlink(2). */
int git_refs_recover(struct git_repo *repo);

/* Whether refs/heads/NAME is a valid name: 0, -EINVAL, -ENAMETOOLONG. */
int git_branch_check_name(const char *name);

/* The branch that HEAD names (without refs/heads/), in a new allocation;
 * -ENOENT: detached.  It need not exist. */
int git_head_read(struct git_repo *repo, char **ret_name);
int git_head_set(struct git_repo *repo, const char *name);

/* Where the branch is checked out outside: folder of the work tree in a new
 * allocation, or NULL.  (The store's own folder if it is not bare, and linked
 * work trees.) */
char *git_branch_checked_out(struct git_repo *repo, const char *name);

/* ---- revisions (git_revision.c) ---- */

/* Resolves what rev-parse would: "main~3", "v1.0", "4f2a91c", "main@{2026-11-01}"
 * is resolved along first parents by commit time.  Peels to a commit.
 * -ENOENT, -EINVAL (ambiguous or bad syntax). */
int git_revision_resolve(struct git_repo *repo, const char *revision,
			 struct oid *ret_commit);

/* ---- history (git_merge.c) ---- */

/* All best common ancestors, as `git merge-base --all`; ret is a new
 * allocation (NULL when there is none). -ENOTSUP: the history is cut off by a
 * shallow boundary, so that the answer would not be right. */
int git_find_merge_bases(struct git_repo *repo, const struct oid *a,
			 const struct oid *b, struct oid **ret,
			 size_t *ret_count);
/* 1, 0 or negative errno.  A commit is its own ancestor. */
int git_is_ancestor(struct git_repo *repo, const struct oid *ancestor,
		    const struct oid *commit);

/* ---- configuration and attributes (git_config.c, git_attributes.c) ---- */

/* Value of the store's Git configuration (system, global, repository) in a new
 * allocation.  -ENOENT. */
int git_config_read(struct git_repo *repo, const char *key, char **ret_value);

/* Value of an attribute of path in the .gitattributes of a commit and in
 * info/attributes: "" for set, NULL for unset or unspecified (unset also sets
 * ret_unset), a new allocation otherwise. */
int git_attribute(struct git_repo *repo, const struct oid *commit,
		  const char *path, const char *attribute, char **ret_value,
		  bool *ret_unset);

/* Commits that tip has and none of hidden has, the latest first, at most `most`;
 * a new allocation (git_commits.c).  -ENOTSUP: a shallow repository; -ENOENT: a
 * commit is missing; -EUCLEAN, -EIO, -ENOMEM. */
int git_commits_since(struct git_repo *repo, const struct oid *tip,
		      const struct oid *hidden, size_t hidden_count,
		      size_t most, struct oid **ret, size_t *ret_count);

/* ---- line merge (git_lines.c) ---- */

/* Git's line merge of files, no repository needed; favor 0: markers, 'b' markers
 * with the base between them (and conflicts not split where lines agree), 'o'
 * ours, 't' theirs, 'u' union.  0 clean, 1 conflict with markers in ret_data
 * (from malloc), negative errno. */
struct merge_input;
int git_merge_lines(const struct merge_input *input, char favor,
		    void **ret_data, size_t *ret_size);

#endif
