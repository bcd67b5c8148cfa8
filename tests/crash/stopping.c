/* SPDX-License-Identifier: ISC */
#include "tests/crash/staged.h"
#include "tests/crash/stopping.h"

struct machine {
	struct odb odb;				/* first: see machine_of */
	struct engine_storage storage;
	struct git_repo *repo;
	struct staged staged;
	struct engine_storage *real;
	_Atomic unsigned int steps;
	unsigned int stop_at;
};

/* Whether the next effect happens. */
static bool step(struct machine *m)
{
	return ++m->steps < m->stop_at || !m->stop_at;
}

unsigned int machine_steps(struct machine *m)
{
	return m->steps;
}

bool machine_has_stopped(struct machine *m)
{
	return m->stop_at && m->steps >= m->stop_at;
}

/* ---- objects ---- */

static struct machine *machine_of(struct odb *odb)
{
	return (struct machine *)odb;
}

static struct odb *where(struct machine *m, const struct oid *oid)
{
	return staged_where(&m->staged, git_repo_odb(m->repo), oid);
}

static int stopping_read(struct odb *odb, const struct oid *oid,
			 enum object_type *ret_type, void **ret_data,
			 size_t *ret_size)
{
	struct odb *from = where(machine_of(odb), oid);

	return from->ops->read(from, oid, ret_type, ret_data, ret_size);
}

static int stopping_read_header(struct odb *odb, const struct oid *oid,
				enum object_type *ret_type, uint64_t *ret_size)
{
	struct odb *from = where(machine_of(odb), oid);

	return from->ops->read_header(from, oid, ret_type, ret_size);
}

static int stopping_unpack(struct odb *odb, const struct oid *oid, int fd)
{
	return odb_unpack(where(machine_of(odb), oid), oid, fd);
}

static int stopping_write(struct odb *odb, enum object_type type,
			  const void *data, size_t size, struct oid *ret_oid)
{
	struct machine *m = machine_of(odb);

	return step(m) ? staged_write(&m->staged, type, data, size, ret_oid) :
		-EIO;
}

static int stopping_write_blob(struct odb *odb, uint64_t size,
			       odb_source *source, void *context,
			       struct oid *ret_oid)
{
	struct machine *m = machine_of(odb);

	return step(m) ? staged_write_blob(&m->staged, size, source, context,
					   ret_oid) : -EIO;
}

/* Fewer or more of the objects reach the disk, the first or the last ones. */
static int write_some_locked(struct machine *m)
{
	struct staged *s = &m->staged;

	for (size_t i = 0; i < s->count; i++) {
		size_t j = m->stop_at % 2 ? i : s->count - 1 - i;
		int r = step(m) ? staged_keep_locked(s, j,
						     git_repo_odb(m->repo)) :
			-EIO;

		if (r < 0)
			return r;
	}
	return 0;
}

/* What is written before the stop must be flushed, or nobody would see it. */
static int stopping_flush(struct odb *odb)
{
	struct machine *m = machine_of(odb);
	SCOPED_LOCK(&m->staged.lock);
	int r = write_some_locked(m);
	int flushed = odb_flush(git_repo_odb(m->repo));

	if (r < 0 || flushed < 0 || !step(m))
		return -EIO;
	m->staged.count = 0;
	return 0;
}

static const struct odb_ops odb_ops = {
	.read = stopping_read,
	.read_header = stopping_read_header,
	.unpack = stopping_unpack,
	.write = stopping_write,
	.write_blob = stopping_write_blob,
	.flush = stopping_flush,
};

/* ---- storage ---- */

static struct machine *machine_over(struct engine_storage *s)
{
	return (struct machine *)((char *)s -
				  offsetof(struct machine, storage));
}

static int stopping_table_read(struct engine_storage *s, struct buffer *ret)
{
	struct engine_storage *real = machine_over(s)->real;

	return real->ops->table_read(real, ret);
}

static int stopping_table_write(struct engine_storage *s, const void *text,
				size_t size)
{
	struct machine *m = machine_over(s);

	if (step(m))
		return m->real->ops->table_write(m->real, text, size);
	replace_file(git_repo_dir_fd(m->repo), "irminfs/table.tmp", text,
		     size / 2, 0600);
	return -EIO;
}

static int stopping_pin(struct engine_storage *s, const struct oid *commits,
			size_t commit_count, const struct oid *blobs,
			size_t blob_count)
{
	struct machine *m = machine_over(s);

	if (stopping_flush(&m->odb) < 0 || !step(m))
		return -EIO;
	return m->real->ops->pin(m->real, commits, commit_count, blobs,
				 blob_count);
}

static int stopping_extend(struct engine_storage *s, const struct oid *commits,
			   size_t commit_count, const struct oid *blobs,
			   size_t blob_count)
{
	struct machine *m = machine_over(s);

	if (stopping_flush(&m->odb) < 0 || !step(m))
		return -EIO;
	return m->real->ops->pin_extend(m->real, commits, commit_count,
					blobs, blob_count);
}

static int stopping_refs_each(struct engine_storage *s, git_ref_visit *visit,
			      void *context)
{
	struct engine_storage *real = machine_over(s)->real;

	return real->ops->refs_each(real, visit, context);
}

static int stopping_ref_read(struct engine_storage *s, const char *name,
			     struct oid *ret_oid)
{
	struct engine_storage *real = machine_over(s)->real;

	return real->ops->ref_read(real, name, ret_oid);
}

static int stopping_ref_update(struct engine_storage *s, const char *name,
			       const struct oid *old, const struct oid *new)
{
	struct machine *m = machine_over(s);

	if (!step(m))
		return -EIO;
	return m->real->ops->ref_update(m->real, name, old, new);
}

static int stopping_head_read(struct engine_storage *s, char **ret_name)
{
	struct engine_storage *real = machine_over(s)->real;

	return real->ops->head_read(real, ret_name);
}

static int stopping_head_set(struct engine_storage *s, const char *name)
{
	struct machine *m = machine_over(s);

	return step(m) ? m->real->ops->head_set(m->real, name) : -EIO;
}

static int stopping_is_ancestor(struct engine_storage *s,
				const struct oid *ancestor,
				const struct oid *commit)
{
	struct engine_storage *real = machine_over(s)->real;

	return real->ops->is_ancestor(real, ancestor, commit);
}

static const struct engine_storage_ops storage_ops = {
	.table_read = stopping_table_read,
	.table_write = stopping_table_write,
	.pin = stopping_pin,
	.pin_extend = stopping_extend,
	.refs_each = stopping_refs_each,
	.ref_read = stopping_ref_read,
	.ref_update = stopping_ref_update,
	.head_read = stopping_head_read,
	.head_set = stopping_head_set,
	.is_ancestor = stopping_is_ancestor,
};

/* ---- machines ---- */

struct machine *machine_new(struct git_repo *repo, unsigned int stop_at)
{
	struct machine *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->odb.ops = &odb_ops;
	m->storage.ops = &storage_ops;
	m->repo = repo;
	m->stop_at = stop_at;
	if (staged_init(&m->staged) < 0 ||
	    engine_storage_new(repo, true, &m->real) < 0) {
		machine_free(m);
		return NULL;
	}
	return m;
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	engine_storage_free(m->real);
	staged_release(&m->staged);
	free(m);
}

struct odb *machine_odb(struct machine *m)
{
	return &m->odb;
}

struct engine_storage *machine_storage(struct machine *m)
{
	return &m->storage;
}
