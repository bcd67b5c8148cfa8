/* SPDX-License-Identifier: ISC */
#ifndef STORE_ENGINE_STORAGE_H
#define STORE_ENGINE_STORAGE_H

#include "store/git_repo.h"

/* All that the engine does besides objects: its table, the pin, refs.  Tests put
 * their own in its place, to stop it at any point or to do without Git.
 *
 * Names are those of branches, without refs/heads/. */

struct engine_storage;

struct engine_storage_ops {
	/* -ENOENT: none; -EFBIG */
	int (*table_read)(struct engine_storage *s, struct buffer *ret);
	/* Durable when it returns; as replace_file. */
	int (*table_write)(struct engine_storage *s, const void *text,
			   size_t size);
	/* As pin_update (which flushes all objects first), git_refs_each below
	 * refs/heads/ (with whole names), git_ref_read, git_ref_update,
	 * git_head_read, git_head_set, git_is_ancestor. */
	int (*pin)(struct engine_storage *s, const struct oid *commits,
		   size_t commit_count, const struct oid *blobs,
		   size_t blob_count);
	/* As pin_extend.  Or NULL. */
	int (*pin_extend)(struct engine_storage *s, const struct oid *commits,
			  size_t commit_count, const struct oid *blobs,
			  size_t blob_count);
	int (*refs_each)(struct engine_storage *s, git_ref_visit *visit,
			 void *context);
	int (*ref_read)(struct engine_storage *s, const char *name,
			struct oid *ret_oid);
	int (*ref_update)(struct engine_storage *s, const char *name,
			  const struct oid *old, const struct oid *new);
	int (*head_read)(struct engine_storage *s, char **ret_name);
	int (*head_set)(struct engine_storage *s, const char *name);
	int (*is_ancestor)(struct engine_storage *s, const struct oid *ancestor,
			   const struct oid *commit);
	/* Refs and the pin hold all that the engine needs, and nothing is being
	 * written: what a killed process kept for itself may go.  Or NULL. */
	void (*recovered)(struct engine_storage *s);
	void (*free)(struct engine_storage *s);
};

/* First member of every implementation. */
struct engine_storage {
	const struct engine_storage_ops *ops;
};

/* The repository and the file irminfs/table in it; create: make the folder.
 * repo outlives it.  Errors of lock_open_folder, but an absent folder is none. */
int engine_storage_new(struct git_repo *repo, bool create,
		       struct engine_storage **ret_storage);
void engine_storage_free(struct engine_storage *storage);	/* accepts NULL */

#endif
