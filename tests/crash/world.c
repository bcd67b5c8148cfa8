/* SPDX-License-Identifier: ISC */
#include "tests/crash/world_private.h"
#include "store/commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Whether the next effect happens. */
bool machine_step_locked(struct machine *m)
{
	m->steps++;
	if (m->stop_at && m->steps >= m->stop_at)
		m->stopped = true;
	return !m->stopped;
}

static bool step(struct machine *m)
{
	SCOPED_LOCK(&m->lock);

	return machine_step_locked(m);
}

bool machine_toss_locked(struct machine *m)
{
	return rand_r(&m->seed) & 0x100;
}

/* ---- objects ---- */

static struct machine *machine_of(struct odb *odb)
{
	return (struct machine *)odb;
}

static struct odb *where(struct machine *m, const struct oid *oid)
{
	return staged_where(&m->staged, m->world->objects, oid);
}

static int read_object(struct odb *odb, const struct oid *oid,
		       enum object_type *ret_type, void **ret_data,
		       size_t *ret_size)
{
	struct odb *from = where(machine_of(odb), oid);

	return from->ops->read(from, oid, ret_type, ret_data, ret_size);
}

static int read_header(struct odb *odb, const struct oid *oid,
		       enum object_type *ret_type, uint64_t *ret_size)
{
	struct odb *from = where(machine_of(odb), oid);

	return from->ops->read_header(from, oid, ret_type, ret_size);
}

static int unpack(struct odb *odb, const struct oid *oid, int fd)
{
	return odb_unpack(where(machine_of(odb), oid), oid, fd);
}

static int write_object(struct odb *odb, enum object_type type,
			const void *data, size_t size, struct oid *ret_oid)
{
	struct machine *m = machine_of(odb);

	return step(m) ? staged_write(&m->staged, type, data, size, ret_oid) :
		-EIO;
}

static int write_blob(struct odb *odb, uint64_t size, odb_source *source,
		      void *context, struct oid *ret_oid)
{
	struct machine *m = machine_of(odb);

	return step(m) ? staged_write_blob(&m->staged, size, source, context,
					   ret_oid) : -EIO;
}

static int flush_objects(struct odb *odb)
{
	struct machine *m = machine_of(odb);
	bool happens;
	SCOPED_LOCK(&m->lock);
	SCOPED_LOCK(&m->staged.lock);

	happens = machine_step_locked(m);
	for (size_t i = 0; i < m->staged.count; i++)
		if (happens || machine_toss_locked(m))
			staged_keep_locked(&m->staged, i, m->world->objects);
	if (happens)
		m->staged.count = 0;
	return happens ? 0 : -EIO;
}

static const struct odb_ops odb_ops = {
	.read = read_object,
	.read_header = read_header,
	.unpack = unpack,
	.write = write_object,
	.write_blob = write_blob,
	.flush = flush_objects,
};

/* ---- table and refs ---- */

static struct machine *machine_over(struct engine_storage *s)
{
	return (struct machine *)((char *)s -
				  offsetof(struct machine, storage));
}

static int table_read(struct engine_storage *s, struct buffer *ret)
{
	struct world *w = machine_over(s)->world;

	return w->has_table ? buffer_append(ret, w->table.data,
					    w->table.length) : -ENOENT;
}

static int table_write(struct engine_storage *s, const void *text, size_t size)
{
	struct machine *m = machine_over(s);
	SCOPED_LOCK(&m->lock);

	if (!machine_step_locked(m))
		return -EIO;
	m->world->table.length = 0;
	m->world->has_table = true;
	return buffer_append(&m->world->table, text, size);
}

static int pin(struct engine_storage *s, const struct oid *commits,
	       size_t commit_count, const struct oid *blobs, size_t blob_count)
{
	struct machine *m = machine_over(s);
	int r = flush_objects(&m->odb);

	return r < 0 ? r : step(m) ? 0 : -EIO;
}

static struct ref *find_ref(struct world *w, const char *name)
{
	for (size_t i = 0; i < REFS; i++)
		if (!oid_is_zero(&w->refs[i].oid) &&
		    strcmp(w->refs[i].name, name) == 0)
			return &w->refs[i];
	return NULL;
}

static int refs_each(struct engine_storage *s, git_ref_visit *visit,
		     void *context)
{
	struct world *w = machine_over(s)->world;
	int r = 0;

	for (size_t i = 0; r == 0 && i < REFS; i++) {
		const struct ref *ref = &w->refs[i];
		char name[80] = "refs/heads/";

		if (oid_is_zero(&ref->oid))
			continue;
		strcat(name, ref->name);
		r = visit(context, name, &ref->oid, &ref->oid);
	}
	return r;
}

static int ref_read(struct engine_storage *s, const char *name,
		    struct oid *ret_oid)
{
	*ret_oid = world_ref(machine_over(s)->world, name);
	return oid_is_zero(ret_oid) ? -ENOENT : 0;
}

static int ref_update(struct engine_storage *s, const char *name,
		      const struct oid *old, const struct oid *new)
{
	struct machine *m = machine_over(s);
	struct oid seen = world_ref(m->world, name);

	if (!oid_equal(&seen, old))
		return -ESTALE;
	if (!step(m))
		return -EIO;
	world_set_ref(m->world, name, new);
	return 0;
}

static int head_read(struct engine_storage *s, char **ret_name)
{
	*ret_name = strdup(machine_over(s)->world->head);
	return *ret_name ? 0 : -ENOMEM;
}

static int head_set(struct engine_storage *s, const char *name)
{
	struct machine *m = machine_over(s);

	if (!step(m))
		return -EIO;
	strncpy(m->world->head, name, sizeof(m->world->head) - 1);
	return 0;
}

static int is_ancestor(struct engine_storage *s, const struct oid *ancestor,
		       const struct oid *commit)
{
	struct commit *read;
	int r;

	if (oid_equal(ancestor, commit))
		return 1;
	r = commit_read(&machine_over(s)->odb, commit, &read);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < read->parent_count; i++)
		r = is_ancestor(s, ancestor, &read->parents[i]);
	commit_free(read);
	return r;
}

static const struct engine_storage_ops storage_ops = {
	.table_read = table_read,
	.table_write = table_write,
	.pin = pin,
	.refs_each = refs_each,
	.ref_read = ref_read,
	.ref_update = ref_update,
	.head_read = head_read,
	.head_set = head_set,
	.is_ancestor = is_ancestor,
};

/* ---- machines ---- */

struct machine *machine_new(struct world *world, unsigned int stop_at,
			    enum world_loss loss, unsigned int seed)
{
	struct machine *m = calloc(1, sizeof(*m));

	if (!m || staged_init(&m->staged) < 0)
		abort();
	m->odb.ops = &odb_ops;
	m->storage.ops = &storage_ops;
	m->world = world;
	m->stop_at = stop_at;
	m->loss = loss;
	m->seed = seed;
	pthread_mutex_init(&m->lock, NULL);
	for (size_t i = 0; i < FILES; i++)
		if (buffer_append(&m->seen[i], world->files[i].data,
				  world->files[i].length) < 0)
			abort();
	return m;
}

void machine_stop(struct machine *m)
{
	SCOPED_LOCK(&m->lock);

	m->stopped = true;
	machine_lose_locked(m);
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	machine_stop(m);
	for (size_t i = 0; i < FILES; i++)
		buffer_release(&m->seen[i]);
	staged_release(&m->staged);
	free(m->pending);
	pthread_mutex_destroy(&m->lock);
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

unsigned int machine_steps(struct machine *m)
{
	SCOPED_LOCK(&m->lock);

	return m->steps;
}

bool machine_has_stopped(struct machine *m)
{
	SCOPED_LOCK(&m->lock);

	return m->stopped;
}

/* ---- worlds ---- */

struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w || memory_odb_new(&w->objects) < 0)
		abort();
	strcpy(w->head, "main");
	return w;
}

void world_free(struct world *w)
{
	odb_free(w->objects);
	buffer_release(&w->table);
	for (size_t i = 0; i < FILES; i++)
		buffer_release(&w->files[i]);
	free(w);
}

struct oid world_ref(struct world *w, const char *name)
{
	static const struct oid none;
	const struct ref *ref = find_ref(w, name);

	return ref ? ref->oid : none;
}

void world_set_ref(struct world *w, const char *name, const struct oid *oid)
{
	struct ref *ref = find_ref(w, name);

	for (size_t i = 0; !ref && i < REFS; i++)
		if (oid_is_zero(&w->refs[i].oid))
			ref = &w->refs[i];
	if (!ref)
		abort();
	strncpy(ref->name, name, sizeof(ref->name) - 1);
	ref->oid = *oid;
}

size_t world_ref_count(struct world *w)
{
	size_t count = 0;

	for (size_t i = 0; i < REFS; i++)
		count += !oid_is_zero(&w->refs[i].oid);
	return count;
}
