/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_ENGINE_FAKE_H
#define TESTS_UNIT_ENGINE_FAKE_H

/* An engine over memory: objects in a memory_odb, refs, HEAD, table and pin in a
 * fake storage that can be told to fail and that keeps a log of what it did. */

#include "tests/test.h"
#include "store/engine.h"
#include "store/engine_storage.h"
#include "store/tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FAKE_REFS 64
#define FAKE_PINS 2048

struct fake_ref {
	char name[64];
	struct oid oid;		/* zero: unused */
	bool broken;
};

struct fake {
	struct engine_storage storage;
	struct odb *odb;
	pthread_mutex_t lock;		/* guards what follows */
	struct fake_ref refs[FAKE_REFS];
	char head[64];
	struct buffer table;
	bool has_table;
	struct oid pinned[FAKE_PINS];
	size_t pinned_count;
	struct buffer log;
	/* errors to give, until set to 0 */
	int table_error, pin_error, update_error;
	char update_name[64];		/* update_error for this one; "": all */
	unsigned int updates;
};

static struct fake_ref *fake_find(struct fake *f, const char *name)
{
	for (size_t i = 0; i < FAKE_REFS; i++)
		if (!oid_is_zero(&f->refs[i].oid) &&
		    strcmp(f->refs[i].name, name) == 0)
			return &f->refs[i];
	return NULL;
}

static void fake_put(struct fake *f, const char *name, const struct oid *oid)
{
	struct fake_ref *ref = fake_find(f, name);

	for (size_t i = 0; !ref; i++)
		if (oid_is_zero(&f->refs[i].oid))
			ref = &f->refs[i];
	snprintf(ref->name, sizeof(ref->name), "%s", name);
	ref->oid = *oid;
}

static int fake_table_read(struct engine_storage *s, struct buffer *ret)
{
	struct fake *f = (struct fake *)s;
	SCOPED_LOCK(&f->lock);

	if (!f->has_table)
		return -ENOENT;
	return buffer_append(ret, f->table.data, f->table.length);
}

static int fake_table_write(struct engine_storage *s, const void *text,
			    size_t size)
{
	struct fake *f = (struct fake *)s;
	SCOPED_LOCK(&f->lock);

	if (f->table_error)
		return f->table_error;
	f->table.length = 0;
	f->has_table = true;
	buffer_puts(&f->log, "table ");
	return buffer_append(&f->table, text, size);
}

static int fake_pin(struct engine_storage *s, const struct oid *commits,
		    size_t commit_count, const struct oid *blobs,
		    size_t blob_count)
{
	struct fake *f = (struct fake *)s;
	SCOPED_LOCK(&f->lock);

	if (f->pin_error)
		return f->pin_error;
	assert_true(commit_count + blob_count <= FAKE_PINS);
	buffer_puts(&f->log, "pin ");
	f->pinned_count = 0;
	for (size_t i = 0; i < commit_count; i++)
		f->pinned[f->pinned_count++] = commits[i];
	for (size_t i = 0; i < blob_count; i++)
		f->pinned[f->pinned_count++] = blobs[i];
	return 0;
}

static int fake_refs_each(struct engine_storage *s, git_ref_visit *visit,
			  void *context)
{
	static const struct oid none;
	struct fake *f = (struct fake *)s;
	int r = 0;
	SCOPED_LOCK(&f->lock);

	for (size_t i = 0; r == 0 && i < FAKE_REFS; i++) {
		const struct fake_ref *ref = &f->refs[i];
		const struct oid *oid = ref->broken ? &none : &ref->oid;
		char name[80];

		snprintf(name, sizeof(name), "refs/heads/%s", ref->name);
		if (!oid_is_zero(&ref->oid))
			r = visit(context, name, oid, oid);
	}
	return r;
}

static int fake_ref_read(struct engine_storage *s, const char *name,
			 struct oid *ret_oid)
{
	struct fake *f = (struct fake *)s;
	SCOPED_LOCK(&f->lock);
	const struct fake_ref *ref = fake_find(f, name);

	if (!ref)
		return -ENOENT;
	if (ref->broken)
		return -EUCLEAN;
	*ret_oid = ref->oid;
	return 0;
}

static int fake_ref_update(struct engine_storage *s, const char *name,
			   const struct oid *old, const struct oid *new)
{
	static const struct oid none;
	struct fake *f = (struct fake *)s;
	SCOPED_LOCK(&f->lock);
	struct fake_ref *ref = fake_find(f, name);

	f->updates++;
	if (f->update_error &&
	    (!*f->update_name || strcmp(name, f->update_name) == 0))
		return f->update_error;
	if (ref && ref->broken)
		return -EUCLEAN;
	for (size_t i = 0; !ref && i < FAKE_REFS; i++)
		if (!oid_is_zero(&f->refs[i].oid) &&
		    table_names_clash(f->refs[i].name, name))
			return -EEXIST;
	if (!oid_equal(ref ? &ref->oid : &none, old))
		return -ESTALE;
	buffer_printf(&f->log, "%c%s ", oid_is_zero(new) ? '-' : '+', name);
	if (!oid_is_zero(new))
		fake_put(f, name, new);
	else if (ref)
		ref->oid = none;
	return 0;
}

static int fake_head_read(struct engine_storage *s, char **ret_name)
{
	struct fake *f = (struct fake *)s;
	SCOPED_LOCK(&f->lock);

	if (!*f->head)
		return -ENOENT;
	*ret_name = strdup(f->head);
	return 0;
}

static int fake_head_set(struct engine_storage *s, const char *name)
{
	struct fake *f = (struct fake *)s;
	SCOPED_LOCK(&f->lock);

	snprintf(f->head, sizeof(f->head), "%s", name);
	buffer_printf(&f->log, "HEAD=%s ", name);
	return 0;
}

static int fake_is_ancestor(struct engine_storage *s,
			    const struct oid *ancestor,
			    const struct oid *commit)
{
	struct fake *f = (struct fake *)s;
	struct commit *read = NULL;
	int r;

	if (oid_equal(ancestor, commit))
		return 1;
	r = commit_read(f->odb, commit, &read);
	for (size_t i = 0; r == 0 && i < read->parent_count; i++) {
		r = fake_is_ancestor(s, ancestor, &read->parents[i]);
		if (r)
			break;
	}
	commit_free(read);
	return r;
}

static const struct engine_storage_ops fake_ops = {
	.table_read = fake_table_read,
	.table_write = fake_table_write,
	.pin = fake_pin,
	.refs_each = fake_refs_each,
	.ref_read = fake_ref_read,
	.ref_update = fake_ref_update,
	.head_read = fake_head_read,
	.head_set = fake_head_set,
	.is_ancestor = fake_is_ancestor,
};

/* ---- a fixture ---- */

static struct fake fake;
static struct odb *odb;
static struct engine *engine;
static int64_t now = 1000;

static void fake_clock(struct timespec *ret_now)
{
	*ret_now = (struct timespec){ .tv_sec = now };
}

static void no_log(enum log_level level, const char *text)
{
}

static int set_up(void **state)
{
	log_set_sink(no_log, LOG_LEVEL_DEBUG);
	fake = (struct fake){ .storage.ops = &fake_ops, .head = "main" };
	pthread_mutex_init(&fake.lock, NULL);
	if (memory_odb_new(&odb) < 0)
		return -1;
	fake.odb = odb;
	return 0;
}

static int tear_down(void **state)
{
	engine_free(engine);
	engine = NULL;
	buffer_release(&fake.table);
	buffer_release(&fake.log);
	odb_free(odb);
	pthread_mutex_destroy(&fake.lock);
	return 0;
}

static int try_open(struct odb *with, bool readonly, struct report *report)
{
	const struct engine_options options = {
		.odb = with, .storage = &fake.storage, .readonly = readonly,
		.clock = fake_clock,
	};

	return engine_open(&options, &engine, report);
}

static inline void open_engine(void)
{
	struct report report = { "" };

	assert_int_equal(try_open(odb, false, &report), 0);
	assert_string_equal(report.text, "");
}

static inline void close_engine(void)
{
	assert_int_equal(engine_close(engine), 0);
	engine_free(engine);
	engine = NULL;
}

/* What the storage was asked for since the last call. */
static inline const char *logged(void)
{
	static char text[1024];
	SCOPED_LOCK(&fake.lock);

	snprintf(text, sizeof(text), "%s",
		 fake.log.length ? fake.log.data : "");
	fake.log.length = 0;
	return text;
}

/* Whether the storage was asked for just that; around it there may be what the
 * engine does by itself after a second. */
static inline bool has_logged(const char *text)
{
	return strstr(logged(), text) != NULL;
}

static inline bool is_pinned(const struct oid *oid)
{
	SCOPED_LOCK(&fake.lock);

	for (size_t i = 0; i < fake.pinned_count; i++)
		if (oid_equal(&fake.pinned[i], oid))
			return true;
	return false;
}

static inline void set_error(int *error, int value)
{
	SCOPED_LOCK(&fake.lock);

	*error = value;
}

/* ---- records ---- */

static struct commit *commit_wanted(int64_t time, const struct oid *parent)
{
	struct commit *commit = calloc(1, sizeof(*commit));

	signature_init(&commit->author, "A", "a@b", time, 60);
	signature_init(&commit->committer, "C", "c@d", time, 0);
	commit->message = strdup("message\n");
	if (parent) {
		commit->parents = malloc(sizeof(*parent));
		commit->parents[0] = *parent;
		commit->parent_count = 1;
	}
	return commit;
}

/* A delta that sets file name to text. */
static inline struct delta *delta_of(const char *name, const char *text)
{
	struct delta *delta = delta_new(false);
	struct delta_entry *entry =
		delta_add(delta, DELTA_OBJECT, MODE_FILE, name);

	assert_int_equal(odb_write(odb, OBJECT_BLOB, text, strlen(text),
				   &entry->oid), 0);
	return delta;
}

static inline struct record record_of(enum record_kind kind, uint64_t branch,
				      uint64_t from, const char *name)
{
	struct record record = { .kind = kind, .branch = branch, .from = from };

	record.name = name ? strdup(name) : NULL;
	if (kind == RECORD_MAKE)
		record.commit = commit_wanted(now, NULL);
	return record;
}

static inline struct record commit_of(uint64_t branch, const char *name,
				      const char *text)
{
	struct record record = record_of(RECORD_COMMIT, branch, 0, NULL);

	record.delta = name ? delta_of(name, text) : NULL;
	record.commit = commit_wanted(now, NULL);
	return record;
}

static inline uint64_t queue(const struct record *records, size_t count)
{
	struct cut *cut = cut_new(count);
	uint64_t sequence;

	memcpy(cut->records, records, count * sizeof(*records));
	assert_int_equal(engine_cut(engine, cut, &sequence), 0);
	return sequence;
}

static inline int run(struct record record)
{
	return engine_wait(engine, queue(&record, 1));
}

/* Makes a branch; returns its incarnation. */
static inline uint64_t make(const char *name)
{
	uint64_t branch = engine_new_incarnation(engine);

	assert_int_equal(run(record_of(RECORD_MAKE, branch, 0, name)), 0);
	return branch;
}

static inline struct oid head_of(uint64_t branch)
{
	struct oid oid = { { 0 } };

	assert_int_equal(engine_publish(engine, branch, 0, &oid), 0);
	return oid;
}

static inline bool ref_is(const char *name, const struct oid *oid)
{
	SCOPED_LOCK(&fake.lock);
	const struct fake_ref *ref = fake_find(&fake, name);

	return ref ? oid_equal(&ref->oid, oid) : oid_is_zero(oid);
}

static inline void set_ref(const char *name, const struct oid *oid)
{
	SCOPED_LOCK(&fake.lock);

	fake_put(&fake, name, oid);
}

/* The blob of file name in the head of a branch, or zero. */
static inline struct oid file_of(uint64_t branch, const char *name)
{
	struct oid head = head_of(branch);
	struct tree_entry entry = { 0 };
	struct commit *commit;

	assert_int_equal(commit_read(odb, &head, &commit), 0);
	tree_resolve(odb, &commit->tree, name, &entry);
	commit_free(commit);
	return entry.oid;
}

/* A commit made outside, on top of parent (NULL: a root). */
static inline struct oid outside_commit(const struct oid *parent)
{
	static int64_t number = 500;
	struct commit *commit = commit_wanted(number++, parent);
	struct oid oid;

	commit->tree = oid_empty_tree;
	assert_int_equal(commit_write(odb, commit, &oid), 0);
	commit_free(commit);
	return oid;
}

#endif
