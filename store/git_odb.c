/* SPDX-License-Identifier: ISC */
#include "store/git_deflate.h"
#include "store/git_error.h"
#include "store/git_flush.h"
#include "store/git_handle.h"
#include "store/git_hash.h"
#include "store/git_loose.h"
#include "store/git_pending.h"
#include "store/git_spare.h"
#include "store/git_unpack.h"

#include <errno.h>
#include <git2/sys/odb_backend.h>
#include <stdio.h>
#include <string.h>

/* Git's object database.  Reads go through the repository's handles.  Writes of
 * small objects go to git_pending, which packs them.  Large ones become loose
 * objects and need no handle: each has its own instance of libgit2's loose
 * backend, so that they run in parallel and a source that reads objects itself
 * cannot wait for us. */

#define SMALL_OBJECT ((uint64_t)1 << 20)
#define PACKS_AN_EPOCH 64
#define PIECE ((size_t)64 << 10)

struct git_objects {
	struct odb odb;
	struct git_repo *repo;
	struct git_flush flush;
	_Atomic uint64_t packs;		/* made, when it was last looked */
	_Atomic bool has_spares;	/* or may have: git_spare.h */
};

/* ---- reading ---- */

static int say(const struct oid *oid, int r, const char *reason)
{
	char hex[OID_HEX_SIZE];

	if (r == -EUCLEAN)
		log_error("object %s is damaged: %s", oid_hex(oid, hex), reason);
	else if (r == -EIO)
		log_error("object %s is missing or cannot be read: %s",
			  oid_hex(oid, hex), reason);
	return r;
}

static void free_object(git_odb_object **object)
{
	git_odb_object_free(*object);
}

static int copy_object(git_odb_object *object, enum object_type *ret_type,
		       void **ret_data, size_t *ret_size)
{
	size_t size = git_odb_object_size(object);
	char *data = malloc(size + 1);

	if (!data)
		return -ENOMEM;
	memcpy(data, git_odb_object_data(object), size);
	data[size] = '\0';
	*ret_type = (enum object_type)git_odb_object_type(object);
	*ret_data = data;
	*ret_size = size;
	return 0;
}

/* Whether it is worth while to look for what was missing once more. */
static int look_again(git_odb *odb)
{
	if (git_memory_check(GIT_MEMORY_TO_LOOK) == 0)
		return git_odb_refresh(odb);
	git_error_set_oom();
	return GIT_ERROR;
}

/* libgit2 looks again on disk when it misses an object, and checks the hash of
 * what it reads. */
static int read_object(struct git_objects *g, const struct oid *oid,
		       enum object_type *ret_type, void **ret_data,
		       size_t *ret_size)
{
	scoped(free_object) git_odb_object *object = NULL;
	SCOPED_HANDLE(handle, g->repo);
	int r = git_odb_read(&object, handle->odb, to_git_oid(oid));

	if (r == GIT_ENOTFOUND && (r = look_again(handle->odb)) == 0)
		r = git_odb_read(&object, handle->odb, to_git_oid(oid));
	if (r == GIT_ENOTFOUND && git_spare_restore(g->repo->objects_path, oid))
		r = git_odb_read(&object, handle->odb, to_git_oid(oid));
	if (r < 0)
		return git_error_of_read(r);
	return copy_object(object, ret_type, ret_data, ret_size);
}

static void free_odb(git_odb **odb)
{
	git_odb_free(*odb);
}

/* Reads from a part of the database, after the whole has failed. */
static int read_part(git_odb *odb, const struct oid *oid,
		     enum object_type *ret_type, void **ret_data,
		     size_t *ret_size)
{
	scoped(free_object) git_odb_object *object = NULL;
	int r = git_odb_read(&object, odb, to_git_oid(oid));

	if (r < 0)
		return git_error_of_read(r);
	return copy_object(object, ret_type, ret_data, ret_size);
}

/* A damaged copy of an object hides a good one elsewhere from libgit2. */
static int read_other_copy(struct git_objects *g, const struct oid *oid,
			   enum object_type *ret_type, void **ret_data,
			   size_t *ret_size)
{
	scoped(free_odb) git_odb *loose = NULL, *packs = NULL;
	git_odb_backend *backend;
	int r = git_loose_only(g->repo->objects_path, g->repo->compression,
			       &loose, &backend);

	if (r == 0 && read_part(loose, oid, ret_type, ret_data, ret_size) == 0)
		return 0;
	r = git_packs_only(g->repo->objects_path, &packs);
	if (r == 0 && read_part(packs, oid, ret_type, ret_data, ret_size) == 0)
		return 0;
	return -EUCLEAN;
}

static int objects_read(struct odb *odb, const struct oid *oid,
			enum object_type *ret_type, void **ret_data,
			size_t *ret_size)
{
	struct git_objects *g = (struct git_objects *)odb;
	char reason[256];
	int r = git_pending_read(g->repo->pending, oid, ret_type, ret_data,
				 ret_size);

	if (r != -ENOENT)
		return r;
	r = read_object(g, oid, ret_type, ret_data, ret_size);
	if (r == 0)
		return 0;
	snprintf(reason, sizeof(reason), "%s", git_error_text());
	if (r == -EUCLEAN &&
	    read_other_copy(g, oid, ret_type, ret_data, ret_size) == 0)
		return 0;
	return say(oid, r, reason);
}

/* A code of libgit2. */
static int find_header(struct git_objects *g, const struct oid *oid,
		       enum object_type *ret_type, uint64_t *ret_size)
{
	SCOPED_HANDLE(handle, g->repo);
	git_object_t type;
	size_t size;
	int r = git_odb_read_header(&size, &type, handle->odb, to_git_oid(oid));

	if (r == GIT_ENOTFOUND && (r = look_again(handle->odb)) == 0)
		r = git_odb_read_header(&size, &type, handle->odb,
					to_git_oid(oid));
	if (r < 0)
		return r;
	*ret_type = (enum object_type)type;
	*ret_size = size;
	return 0;
}

static int read_header(struct git_objects *g, const struct oid *oid,
		       enum object_type *ret_type, uint64_t *ret_size)
{
	int r = find_header(g, oid, ret_type, ret_size);

	if (r == GIT_ENOTFOUND && git_spare_restore(g->repo->objects_path, oid))
		r = find_header(g, oid, ret_type, ret_size);
	return r < 0 ? git_error_of_read(r) : 0;
}

static int objects_read_header(struct odb *odb, const struct oid *oid,
			       enum object_type *ret_type, uint64_t *ret_size)
{
	struct git_objects *g = (struct git_objects *)odb;
	scoped_free void *data = NULL;
	char reason[256];
	size_t size;
	int r = git_pending_read(g->repo->pending, oid, ret_type, NULL, &size);

	if (r == 0) {
		*ret_size = size;
		return 0;
	}
	r = read_header(g, oid, ret_type, ret_size);
	if (r == 0)
		return 0;
	snprintf(reason, sizeof(reason), "%s", git_error_text());
	if (r == -EUCLEAN &&
	    read_other_copy(g, oid, ret_type, &data, &size) == 0) {
		*ret_size = size;
		return 0;
	}
	return say(oid, r, reason);
}

static int write_whole(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			size -= n;
		}
	}
	return 0;
}

static int objects_unpack(struct odb *odb, const struct oid *oid, int fd)
{
	struct git_objects *g = (struct git_objects *)odb;
	scoped_free void *data = NULL;
	enum object_type type;
	uint64_t header;
	size_t size;
	int r = git_pending_read(g->repo->pending, oid, &type, &data, &size);

	if (r != -ENOENT)
		return r < 0 ? r : write_whole(fd, data, size);
	/* makes it again where it is gone */
	r = read_header(g, oid, &type, &header);
	return r == -ENOMEM ? r : git_unpack(g->repo->path, oid, fd);
}

/* ---- writing ---- */

/* An object database of loose objects alone, whose writes always write: libgit2
 * would take an object that is there for good, be it damaged or not. */
static int open_loose(struct git_objects *g, git_odb **ret_odb,
		      git_odb_backend **ret_backend)
{
	int r = git_loose_only(g->repo->objects_path, g->repo->compression,
			       ret_odb, ret_backend);

	if (r < 0)
		return git_error_to_errno(r);
	(*ret_backend)->exists = NULL;
	(*ret_backend)->freshen = NULL;
	return 0;
}

static int failed_write(int code)
{
	int r = git_error_to_errno(code);

	switch (r) {
	case -ENOSPC:
	case -EDQUOT:
	case -EROFS:
	case -ENOMEM:
		break;
	case -EACCES:
	case -EPERM:
		r = -EROFS;
		break;
	default:
		r = -EIO;
	}
	log_error("an object cannot be stored: %s", git_error_text());
	return r;
}

static void note_loose(struct git_objects *g, const struct oid *oid)
{
	git_flush_note(&g->flush, oid);
	g->has_spares = true;
}

static int write_loose(struct git_objects *g, enum object_type type,
		       const void *data, size_t size, const struct oid *oid)
{
	scoped(free_odb) git_odb *loose = NULL;
	git_odb_backend *backend;
	int r = open_loose(g, &loose, &backend);

	if (r < 0)
		return r;
	r = backend->write(backend, to_git_oid(oid), data, size,
			   (git_object_t)type);
	if (r < 0)
		return failed_write(r);
	note_loose(g, oid);
	return 0;
}

static void tell_watch(struct git_repo *repo)
{
	SCOPED_LOCK(&repo->watch_lock);

	if (repo->watch)
		repo->watch(repo->watch_context);
}

/* Trees name blobs, so the loose ones go first. */
static int objects_flush(struct odb *odb)
{
	struct git_objects *g = (struct git_objects *)odb;
	uint64_t packs = 0;
	int r = git_flush_run(&g->flush);

	if (r == 0)
		r = git_pending_flush(g->repo->pending, &packs);
	if (r == 0 && packs / PACKS_AN_EPOCH != g->packs / PACKS_AN_EPOCH)
		git_handles_expire(g->repo);
	if (r == 0 && packs != g->packs)
		tell_watch(g->repo);
	if (r == 0)
		g->packs = packs;
	return r;
}

/* An object that is on the disk already is written all the same: another
 * program's `git gc` may be about to remove it, unless we have kept it. */
static int write_pending(struct git_objects *g, enum object_type type,
			 void *data, size_t size, struct oid *ret_oid)
{
	struct git_pending *pending = g->repo->pending;
	struct oid oid;
	int r = git_hash(type, data, size, &oid);

	if (r == 0 && git_pending_has(pending, &oid)) {
		free(data);
		*ret_oid = oid;
		return 0;
	}
	if (r == 0 && git_pending_is_full(pending))
		r = objects_flush(&g->odb);
	if (r < 0) {
		free(data);
		return r;
	}
	r = git_pending_add(pending, &oid, type, data, size);
	if (r == 0)
		*ret_oid = oid;
	return r;
}

static int objects_write(struct odb *odb, enum object_type type,
			 const void *data, size_t size, struct oid *ret_oid)
{
	struct git_objects *g = (struct git_objects *)odb;
	char *copy;
	struct oid oid;
	int r;

	if (size <= SMALL_OBJECT) {
		copy = malloc(size + 1);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, data, size);
		return write_pending(g, type, copy, size, ret_oid);
	}
	r = git_hash(type, data, size, &oid);
	if (r == 0)
		r = write_loose(g, type, data, size, &oid);
	if (r == 0)
		*ret_oid = oid;
	return r;
}

static void free_stream(git_odb_stream **stream)
{
	git_odb_stream_free(*stream);
}

/* Passes size bytes from source on to stream. */
static int pump(git_odb_stream *stream, uint64_t size, odb_source *source,
		void *context)
{
	scoped_free char *piece = malloc(PIECE);

	if (!piece)
		return -ENOMEM;
	while (size > 0) {
		size_t wanted = size < PIECE ? size : PIECE;
		ssize_t n = source(context, piece, wanted);
		int r;

		if (n <= 0)
			return n < 0 ? n : -EIO;
		if ((size_t)n > wanted)
			return -EIO;
		r = git_odb_stream_write(stream, piece, n);
		if (r < 0)
			return failed_write(r);
		size -= n;
	}
	return 0;
}

static int write_stream(struct git_objects *g, uint64_t size,
			odb_source *source, void *context, struct oid *ret_oid)
{
	scoped(free_odb) git_odb *loose = NULL;
	scoped(free_stream) git_odb_stream *stream = NULL;
	git_odb_backend *backend;
	git_oid oid;
	int r = open_loose(g, &loose, &backend);

	if (r < 0)
		return r;
	r = git_odb_open_wstream(&stream, loose, size, GIT_OBJECT_BLOB);
	if (r < 0)
		return failed_write(r);
	r = pump(stream, size, source, context);
	if (r < 0)
		return r;
	r = git_odb_stream_finalize_write(&oid, stream);
	if (r < 0)
		return failed_write(r);
	*ret_oid = from_git_oid(&oid);
	note_loose(g, ret_oid);
	return 0;
}

/* Small blobs are collected. */
static int write_small(struct git_objects *g, size_t size, odb_source *source,
		       void *context, struct oid *ret_oid)
{
	scoped_free char *data = malloc(size + 1);
	size_t done = 0;

	if (!data)
		return -ENOMEM;
	while (done < size) {
		ssize_t n = source(context, data + done, size - done);

		if (n <= 0)
			return n < 0 ? n : -EIO;
		if ((size_t)n > size - done)
			return -EIO;
		done += n;
	}
	return write_pending(g, OBJECT_BLOB, STEAL(data), size, ret_oid);
}

static int objects_write_blob(struct odb *odb, uint64_t size,
			      odb_source *source, void *context,
			      struct oid *ret_oid)
{
	struct git_objects *g = (struct git_objects *)odb;

	if (size <= SMALL_OBJECT)
		return write_small(g, size, source, context, ret_oid);
	return write_stream(g, size, source, context, ret_oid);
}

static void objects_settle(struct odb *odb)
{
	git_pending_settle(((struct git_objects *)odb)->repo->pending);
}

static void objects_hold(struct odb *odb, bool begin)
{
	struct git_pending *pending = ((struct git_objects *)odb)->repo->pending;

	if (begin)
		git_pending_hold(pending);
	else
		git_pending_release(pending);
}

/* ---- making ---- */

static void objects_free(struct odb *odb)
{
	struct git_objects *g = (struct git_objects *)odb;

	git_flush_release(&g->flush);
	free(g);
}

static const struct odb_ops objects_ops = {
	.read = objects_read,
	.read_header = objects_read_header,
	.unpack = objects_unpack,
	.write = objects_write,
	.write_blob = objects_write_blob,
	.flush = objects_flush,
	.settle = objects_settle,
	.hold = objects_hold,
	.free = objects_free,
};

int git_objects_new(struct git_repo *repo, struct odb **ret_odb)
{
	struct git_objects *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	g->odb.ops = &objects_ops;
	g->repo = repo;
	/* of before */
	g->has_spares = true;
	r = git_flush_init(&g->flush, repo->objects_path);
	if (r < 0) {
		free(g);
		return r;
	}
	*ret_odb = &g->odb;
	return 0;
}

int git_objects_recover(struct git_repo *repo)
{
	git_deflate_recover(repo->objects_path);
	return git_pending_recover(repo->pending);
}

/* ---- large objects that are pruned ---- */

static bool is_packed(void *context, const struct oid *oid)
{
	enum object_type type;
	uint64_t size;

	return find_header(context, oid, &type, &size) == 0;
}

bool git_objects_has_spares(struct git_repo *repo)
{
	return ((struct git_objects *)repo->odb)->has_spares;
}

void git_objects_tend_spares(struct git_repo *repo)
{
	struct git_objects *g = (struct git_objects *)repo->odb;

	g->has_spares = false;
	if (git_spare_tend(repo->objects_path, time(NULL), is_packed, g))
		g->has_spares = true;
}
