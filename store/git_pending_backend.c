/* SPDX-License-Identifier: ISC */
#include "store/git_handle.h"
#include "store/git_pending.h"

#include <errno.h>
#include <git2/sys/odb_backend.h>
#include <string.h>

/* What libgit2 reads by itself (merge bases, attributes of commits) it reads
 * before the flush too. */

struct pending_backend {
	git_odb_backend backend;
	struct git_pending *pending;
};

static int code(int r)
{
	if (r == -ENOENT)
		return GIT_ENOTFOUND;
	if (r < 0)
		git_error_set_oom();
	return r < 0 ? -1 : 0;
}

static int find(git_odb_backend *backend, const git_oid *oid,
		git_object_t *ret_type, void **ret_data, size_t *ret_size)
{
	struct pending_backend *b = (struct pending_backend *)backend;
	struct oid own = from_git_oid(oid);
	enum object_type type;
	int r = git_pending_read(b->pending, &own, &type, ret_data, ret_size);

	if (r == 0)
		*ret_type = (git_object_t)type;
	return code(r);
}

static int backend_read(void **ret_data, size_t *ret_size,
			git_object_t *ret_type, git_odb_backend *backend,
			const git_oid *oid)
{
	scoped_free void *data = NULL;
	size_t size;
	int r = find(backend, oid, ret_type, &data, &size);

	if (r < 0)
		return r;
	*ret_data = git_odb_backend_data_alloc(backend, size + 1);
	if (!*ret_data)
		return code(-ENOMEM);
	memcpy(*ret_data, data, size + 1);
	*ret_size = size;
	return 0;
}

static int backend_read_header(size_t *ret_size, git_object_t *ret_type,
			       git_odb_backend *backend, const git_oid *oid)
{
	return find(backend, oid, ret_type, NULL, ret_size);
}

static int backend_exists(git_odb_backend *backend, const git_oid *oid)
{
	git_object_t type;
	size_t size;

	return find(backend, oid, &type, NULL, &size) == 0;
}

static int backend_foreach(git_odb_backend *backend, git_odb_foreach_cb visit,
			   void *context)
{
	return 0;
}

static void backend_free(git_odb_backend *backend)
{
	free(backend);
}

int git_pending_backend(struct git_pending *pending, git_odb_backend **ret)
{
	struct pending_backend *b = calloc(1, sizeof(*b));

	if (!b)
		return code(-ENOMEM);
	git_odb_init_backend(&b->backend, GIT_ODB_BACKEND_VERSION);
	b->pending = pending;
	b->backend.read = backend_read;
	b->backend.read_header = backend_read_header;
	b->backend.exists = backend_exists;
	b->backend.foreach = backend_foreach;
	b->backend.free = backend_free;
	*ret = &b->backend;
	return 0;
}
