/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_HANDLE_H
#define STORE_GIT_HANDLE_H

#include "store/git_repo.h"

#include <git2.h>

/* Private to store/git_*.c: how they share libgit2's handles.
 *
 * A git_repository is not made for several threads at once, so there are a few
 * of them, each behind its own lock; reads of different threads go parallel.
 * Who holds a handle waits for no other lock, except the one inside of
 * git_pending, and calls nobody back. */

#define HANDLE_COUNT 4

struct git_handle {
	pthread_mutex_t lock;		/* guards what follows */
	git_repository *repository;	/* opened as bare, in any case */
	git_odb *odb;
	unsigned int epoch;		/* of repo, when odb was opened */
};

struct git_repo {
	char *path;			/* absolute, common directory */
	char *work_tree;		/* of the repository itself; or NULL */
	int dir_fd;			/* of path */
	char *objects_path;		/* path/objects */
	int compression;		/* zlib level of objects */
	struct git_pending *pending;
	struct odb *odb;
	struct git_handle handles[HANDLE_COUNT];
	_Atomic unsigned int next_handle;	/* to wait for, all being busy */
	pthread_mutex_t watch_lock;	/* guards watch; held while it runs */
	git_pack_watch *watch;
	void *watch_context;
	_Atomic unsigned int epoch;	/* databases from before are opened anew */
	struct git_attributes *attributes;
};

/* Makes all handles open their databases again: libgit2 keeps packs that are
 * gone, and looks for the name of each new one among all that it has. */
static inline void git_handles_expire(struct git_repo *repo)
{
	repo->epoch++;
}

/* A handle that nobody else uses until it is released.  Never fails. */
struct git_handle *git_handle_acquire(struct git_repo *repo);
void git_handle_release(struct git_handle *handle);

static inline void git_handle_releasep(struct git_handle **handle)
{
	if (*handle)
		git_handle_release(*handle);
}

#define SCOPED_HANDLE(name, repo)                                              \
	scoped(git_handle_releasep) struct git_handle *name =                  \
		git_handle_acquire(repo)

/* The object database of repo (git_odb.c). */
int git_objects_new(struct git_repo *repo, struct odb **ret_odb);

/* The objects in memory, for libgit2 to find them (git_pending_backend.c).
 * pending must outlive it. */
int git_pending_backend(struct git_pending *pending, git_odb_backend **ret);

/* What is known of the attributes of one commit at a time (git_attributes.c). */
struct git_attributes *git_attributes_new(void);
void git_attributes_free(struct git_attributes *attributes);

/* What a repository's own configuration says of it (git_format.c). */
struct git_format {
	bool bare;		/* core.bare is true */
	char *work_tree;	/* core.worktree as written, or NULL; owned */
};

/* Reads path/config and refuses, in words, what we do not know: -EINVAL. */
int git_format_check(const char *path, struct git_format *ret_format,
		     struct report *report);

/* Makes an empty bare repository at path, durably (git_create.c). */
int git_create(const char *path, struct report *report);
/* Whether git_create may be asked for path: it is absent, empty but for a
 * folder irminfs, or was left unfinished by git_create. */
bool git_create_is_free(const char *path);

static inline const git_oid *to_git_oid(const struct oid *oid)
{
	return (const git_oid *)oid->id;
}

static inline struct oid from_git_oid(const git_oid *oid)
{
	struct oid result;

	memcpy(result.id, oid->id, OID_SIZE);
	return result;
}

#endif
