/* SPDX-License-Identifier: ISC */
#include "store/engine_storage.h"
#include "store/lock.h"
#include "store/pin.h"

#include <errno.h>
#include <stdio.h>

#define HEADS "refs/heads/"
#define TABLE "table"
#define TABLE_SIZE_MAX ((size_t)256 << 20)

struct repo_storage {
	struct engine_storage storage;
	struct git_repo *repo;
	int folder;		/* irminfs/; -1: there is none */
};

static struct git_repo *repo_of(struct engine_storage *s)
{
	return ((struct repo_storage *)s)->repo;
}

static int table_read(struct engine_storage *s, struct buffer *ret)
{
	const struct repo_storage *storage = (struct repo_storage *)s;

	if (storage->folder < 0)
		return -ENOENT;
	return read_file(storage->folder, TABLE, TABLE_SIZE_MAX, ret);
}

static int table_write(struct engine_storage *s, const void *text, size_t size)
{
	const struct repo_storage *storage = (struct repo_storage *)s;

	if (storage->folder < 0)
		return -EROFS;
	return replace_file(storage->folder, TABLE, text, size, 0600);
}

static int pin(struct engine_storage *s, const struct oid *commits,
	       size_t commit_count, const struct oid *blobs, size_t blob_count)
{
	return pin_update(repo_of(s), commits, commit_count, blobs, blob_count);
}

static int extend_pin(struct engine_storage *s, const struct oid *commits,
		      size_t commit_count, const struct oid *blobs,
		      size_t blob_count)
{
	return pin_extend(repo_of(s), commits, commit_count, blobs, blob_count);
}

static int refs_each(struct engine_storage *s, git_ref_visit *visit,
		     void *context)
{
	return git_refs_each(repo_of(s), HEADS, visit, context);
}

/* NULL: no memory. */
static char *whole_name(const char *name)
{
	char *whole;

	return asprintf(&whole, HEADS "%s", name) < 0 ? NULL : whole;
}

static int ref_read(struct engine_storage *s, const char *name,
		    struct oid *ret_oid)
{
	scoped_free char *whole = whole_name(name);

	return whole ? git_ref_read(repo_of(s), whole, ret_oid) : -ENOMEM;
}

static int ref_update(struct engine_storage *s, const char *name,
		      const struct oid *old, const struct oid *new)
{
	scoped_free char *whole = whole_name(name);

	if (!whole)
		return -ENOMEM;
	return git_ref_update(repo_of(s), whole, old, new, "irminfs");
}

static int head_read(struct engine_storage *s, char **ret_name)
{
	return git_head_read(repo_of(s), ret_name);
}

static int head_set(struct engine_storage *s, const char *name)
{
	return git_head_set(repo_of(s), name);
}

static int is_ancestor(struct engine_storage *s, const struct oid *ancestor,
		       const struct oid *commit)
{
	return git_is_ancestor(repo_of(s), ancestor, commit);
}

static void recovered(struct engine_storage *s)
{
	git_objects_recover(repo_of(s));
}

static void free_storage(struct engine_storage *s)
{
	struct repo_storage *storage = (struct repo_storage *)s;

	if (storage->folder >= 0)
		close(storage->folder);
	free(storage);
}

static const struct engine_storage_ops repo_ops = {
	.table_read = table_read,
	.table_write = table_write,
	.pin = pin,
	.pin_extend = extend_pin,
	.refs_each = refs_each,
	.ref_read = ref_read,
	.ref_update = ref_update,
	.head_read = head_read,
	.head_set = head_set,
	.is_ancestor = is_ancestor,
	.recovered = recovered,
	.free = free_storage,
};

int engine_storage_new(struct git_repo *repo, bool create,
		       struct engine_storage **ret_storage)
{
	struct repo_storage *storage = calloc(1, sizeof(*storage));
	int r;

	if (!storage)
		return -ENOMEM;
	*storage = (struct repo_storage){
		.storage.ops = &repo_ops, .repo = repo, .folder = -1,
	};
	r = lock_open_folder(git_repo_dir_fd(repo), create, &storage->folder);
	/* Who may only read the repository sees its refs alone: the folder is
	 * its owner's. */
	if (r < 0 && r != -ENOENT && (create || r != -EACCES)) {
		free(storage);
		return r;
	}
	/* what it cannot remove shows as a branch that is stuck */
	if (create)
		git_refs_recover(repo);
	*ret_storage = &storage->storage;
	return 0;
}

void engine_storage_free(struct engine_storage *storage)
{
	if (storage)
		storage->ops->free(storage);
}
