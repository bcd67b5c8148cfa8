/* SPDX-License-Identifier: ISC */
#include "store/checksum.h"
#include "store/journal_format.h"
#include "store/journal_record.h"
#include "store/overlay.h"
#include "store/tree.h"

#include <errno.h>
#include <string.h>

/* A full memory is an error of the caller: handle.tbl is NULL after HASH_ADD. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define RECORD_LEAST 42u	/* bytes: no damaged count takes much memory */

/* Contents as the last frame that names them left them. */
struct replayed {
	uint64_t id, version;
	struct contents *contents;
	UT_hash_handle hh;
};

struct journal_replay {
	struct pool *pool;
	const struct table *table;
	struct replayed *contents;
};

struct decoder {
	struct journal_replay *replay;
	const char *at, *end;
	journal_data *data;
	void *context;
	unsigned int depth;
};

int journal_replay_new(struct pool *pool, const struct table *table,
		       struct journal_replay **ret_replay)
{
	struct journal_replay *replay = calloc(1, sizeof(*replay));

	if (!replay)
		return -ENOMEM;
	replay->pool = pool;
	replay->table = table;
	*ret_replay = replay;
	return 0;
}

void journal_replay_free(struct journal_replay *replay)
{
	struct replayed *c, *next;

	if (!replay)
		return;
	HASH_ITER(hh, replay->contents, c, next) {
		HASH_DEL(replay->contents, c);
		contents_unref(c->contents);
		free(c);
	}
	free(replay);
}

/* ---- pieces ---- */

static size_t left(const struct decoder *d)
{
	return d->end - d->at;
}

/* size bytes, or NULL. */
static const char *get(struct decoder *d, size_t size)
{
	const char *at = d->at;

	if (size > left(d))
		return NULL;
	d->at += size;
	return at;
}

static int get_u8(struct decoder *d, uint8_t *ret)
{
	const char *at = get(d, 1);

	if (!at)
		return -EUCLEAN;
	*ret = *at;
	return 0;
}

static int get_u32(struct decoder *d, uint32_t *ret)
{
	const char *at = get(d, 4);

	if (!at)
		return -EUCLEAN;
	*ret = get_u32_at(at);
	return 0;
}

static int get_u64(struct decoder *d, uint64_t *ret)
{
	const char *at = get(d, 8);

	if (!at)
		return -EUCLEAN;
	*ret = get_u64_at(at);
	return 0;
}

static int get_oid(struct decoder *d, struct oid *ret)
{
	const char *at = get(d, OID_SIZE);

	if (!at)
		return -EUCLEAN;
	memcpy(ret->id, at, OID_SIZE);
	return 0;
}

/* NULL stays NULL. */
static int get_text(struct decoder *d, char **ret)
{
	uint32_t length;
	const char *at;
	int r = get_u32(d, &length);

	if (r < 0)
		return r;
	*ret = NULL;
	if (length == UINT32_MAX)
		return 0;
	at = get(d, length);
	if (!at || memchr(at, '\0', length))
		return -EUCLEAN;
	*ret = strndup(at, length);
	return *ret ? 0 : -ENOMEM;
}

/* ---- contents ---- */

struct wanted {
	uint64_t id, version, size, low, other;
	struct oid oid;
	uint8_t base;
};

static int open_stored(struct journal_replay *replay, const struct oid *oid,
		       uint64_t size, struct contents **ret)
{
	return overlay_new_stored(replay->pool, oid, size, ret);
}

/* What a frame before made, or else what the table says that it was. */
static int open_captured(struct journal_replay *replay, struct replayed *before,
			 const struct wanted *wanted, struct contents **ret)
{
	const struct table_journal *j = &replay->table->journal;

	if (before && before->version == wanted->other) {
		*ret = contents_ref(before->contents);
		return 0;
	}
	for (size_t i = 0; i < j->contents_count; i++) {
		const struct table_contents *c = &j->contents[i];

		if (c->id == wanted->id && c->version == wanted->other)
			return open_stored(replay, &c->oid, c->size, ret);
	}
	return -EUCLEAN;
}

static int open_base(struct journal_replay *replay, struct replayed *before,
		     const struct wanted *wanted, struct contents **ret)
{
	switch (wanted->base) {
	case CONTENTS_EMPTY:
		return overlay_new(replay->pool, ret);
	case CONTENTS_STORED:
		return open_stored(replay, &wanted->oid, wanted->other, ret);
	case CONTENTS_CAPTURED:
		return open_captured(replay, before, wanted, ret);
	default:
		return -EUCLEAN;
	}
}

static int put_bytes(struct contents *c, const char *bytes, uint64_t length,
		     uint64_t offset)
{
	while (length) {
		ssize_t n = contents_write(c, bytes, length, offset);

		if (n <= 0)
			return n < 0 ? n : -EIO;
		bytes += n;
		offset += n;
		length -= n;
	}
	return 0;
}

static int put_data(struct decoder *d, struct contents *c, uint64_t offset,
		    uint64_t length)
{
	scoped_free char *bytes = NULL;
	uint64_t position, checksum = 0;
	int r = get_u64(d, &position);

	if (r == 0)
		r = get_u64(d, &checksum);
	if (r < 0 || length > JOURNAL_PIECE)
		return -EUCLEAN;
	bytes = malloc(length + 1);
	if (!bytes)
		return -ENOMEM;
	if (d->data(d->context, bytes, length, position) != (ssize_t)length ||
	    checksum64(bytes, length, 0) != checksum)
		return -EUCLEAN;
	return put_bytes(c, bytes, length, offset);
}

static int put_extent(struct decoder *d, struct contents *c, uint64_t size)
{
	uint64_t offset, length = 0;
	const char *bytes;
	uint8_t kind = 0;
	int r = get_u64(d, &offset);

	if (r == 0)
		r = get_u64(d, &length);
	if (r == 0)
		r = get_u8(d, &kind);
	if (r < 0 || offset > size || length > size - offset)
		return -EUCLEAN;
	switch (kind) {
	case JOURNAL_ZEROS:
		return contents_zero(c, offset, length);
	case JOURNAL_DATA:
		return put_data(d, c, offset, length);
	case JOURNAL_BYTES:
		bytes = get(d, length);
		return bytes ? put_bytes(c, bytes, length, offset) : -EUCLEAN;
	default:
		return -EUCLEAN;
	}
}

static int change(struct decoder *d, struct contents *c,
		  const struct wanted *wanted)
{
	uint32_t count = 0;
	int r = 0;

	if (wanted->low < contents_size(c))
		r = contents_truncate(c, wanted->low);
	if (r == 0)
		r = contents_truncate(c, wanted->size);
	if (r == 0)
		r = get_u32(d, &count);
	for (uint32_t i = 0; r == 0 && i < count; i++)
		r = put_extent(d, c, wanted->size);
	return r;
}

/* c is what the contents of that id is now; takes the reference on success. */
static int remember(struct journal_replay *replay, struct replayed *before,
		    const struct wanted *wanted, struct contents *c)
{
	if (!before) {
		before = calloc(1, sizeof(*before));
		if (!before)
			return -ENOMEM;
		before->id = wanted->id;
		HASH_ADD(hh, replay->contents, id, sizeof(before->id), before);
		if (!before->hh.tbl) {
			free(before);
			return -ENOMEM;
		}
	}
	contents_unref(before->contents);
	before->contents = c;
	before->version = wanted->version;
	return 0;
}

static int get_wanted(struct decoder *d, struct wanted *ret)
{
	int r = get_u64(d, &ret->id);

	if (r == 0)
		r = get_u64(d, &ret->version);
	if (r == 0)
		r = get_u64(d, &ret->size);
	if (r == 0)
		r = get_u8(d, &ret->base);
	if (r == 0)
		r = get_oid(d, &ret->oid);
	if (r == 0)
		r = get_u64(d, &ret->other);
	if (r == 0)
		r = get_u64(d, &ret->low);
	return r == 0 && ret->size > CONTENTS_SIZE_MAX ? -EUCLEAN : r;
}

static int get_contents(struct decoder *d, struct delta_entry *entry)
{
	struct replayed *before;
	struct contents *c;
	struct wanted wanted;
	int r = get_wanted(d, &wanted);

	if (r < 0)
		return r;
	HASH_FIND(hh, d->replay->contents, &wanted.id, sizeof(wanted.id),
		  before);
	r = open_base(d->replay, before, &wanted, &c);
	if (r < 0)
		return r;
	r = change(d, c, &wanted);
	if (r == 0)
		r = contents_snapshot(c, &entry->contents);
	if (r == 0)
		r = remember(d->replay, before, &wanted, c);
	if (r < 0)
		contents_unref(c);
	return r;
}

/* ---- deltas ---- */

static int get_delta(struct decoder *d, struct delta **ret);

static bool is_mode(uint8_t kind, uint32_t mode)
{
	bool file = mode == MODE_FILE || mode == MODE_EXECUTABLE ||
		    mode == MODE_SYMLINK;

	switch (kind) {
	case DELTA_REMOVED:
		return true;
	case DELTA_OBJECT:
		return file || mode == MODE_TREE || mode == MODE_SUBMODULE;
	case DELTA_CONTENTS:
		return file;
	case DELTA_DIRECTORY:
		return mode == MODE_TREE;
	default:
		return false;
	}
}

static int get_entry(struct decoder *d, struct delta *delta)
{
	scoped_free char *name = NULL;
	struct delta_entry *entry;
	uint8_t kind, extras = 0;
	uint32_t mode;
	int r = get_u8(d, &kind);

	if (r == 0)
		r = get_u32(d, &mode);
	if (r == 0)
		r = get_text(d, &name);
	if (r == 0)
		r = get_u8(d, &extras);
	if (r < 0)
		return r;
	if (extras & ~(JOURNAL_FACTS | JOURNAL_SAME))
		return -ENOTSUP;
	if (!name || tree_check_name(name) < 0 || !is_mode(kind, mode))
		return -EUCLEAN;
	entry = delta_add(delta, kind, mode, name);
	if (!entry)
		return -ENOMEM;
	entry->same = extras & JOURNAL_SAME;
	if (extras & JOURNAL_FACTS)
		r = local_decode(&d->at, d->end, &entry->local);
	if (r < 0)
		return r;
	if (kind == DELTA_OBJECT)
		return get_oid(d, &entry->oid);
	if (kind == DELTA_CONTENTS)
		return get_contents(d, entry);
	return kind == DELTA_DIRECTORY ? get_delta(d, &entry->directory) : 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int check_distinct(const struct delta *delta)
{
	scoped_free char **names = calloc(delta->count + 1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < delta->count; i++)
		names[i] = delta->entries[i].name;
	qsort(names, delta->count, sizeof(*names), by_text);
	for (size_t i = 1; i < delta->count; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			return -EUCLEAN;
	return 0;
}

static int get_delta(struct decoder *d, struct delta **ret)
{
	struct delta *delta = NULL;
	uint32_t count = 0;
	uint8_t flags;
	int r = get_u8(d, &flags);

	if (r < 0 || ++d->depth > JOURNAL_DEPTH_MAX)
		return -EUCLEAN;
	if (flags & ~(JOURNAL_DELTA_COMPLETE | JOURNAL_DELTA_FACTS))
		return -ENOTSUP;
	delta = delta_new(flags & JOURNAL_DELTA_COMPLETE);
	if (!delta)
		return -ENOMEM;
	if (flags & JOURNAL_DELTA_FACTS)
		r = local_decode(&d->at, d->end, &delta->local);
	if (r == 0)
		r = get_u32(d, &count);
	for (uint32_t i = 0; r == 0 && i < count; i++)
		r = get_entry(d, delta);
	if (r == 0)
		r = check_distinct(delta);
	d->depth--;
	if (r < 0) {
		delta_free(delta);
		return r;
	}
	*ret = delta;
	return 0;
}

/* ---- records ---- */

static int get_signature(struct decoder *d, struct signature *s)
{
	uint64_t time = 0;
	uint32_t offset = 0;
	int r = get_text(d, &s->name);

	if (r == 0)
		r = get_text(d, &s->email);
	if (r == 0)
		r = get_u64(d, &time);
	if (r == 0)
		r = get_u32(d, &offset);
	if (r < 0)
		return r;
	s->time = (int64_t)time;
	s->offset = (int32_t)offset;
	return s->name && s->email ? 0 : -EUCLEAN;
}

static int get_commit(struct decoder *d, struct record *record)
{
	struct commit *commit = calloc(1, sizeof(*commit));
	uint32_t parents;
	int r = get_u32(d, &parents);

	if (!commit)
		return -ENOMEM;
	record->commit = commit;
	if (r == 0 && parents)	/* see journal_can_hold */
		r = -EUCLEAN;
	if (r == 0)
		r = get_signature(d, &commit->author);
	if (r == 0)
		r = get_signature(d, &commit->committer);
	if (r == 0)
		r = get_text(d, &commit->message);
	if (r == 0)
		r = get_text(d, &record->trailers);
	return r;
}

/* Whether it has what its kind needs. */
static bool is_whole(const struct record *record)
{
	switch (record->kind) {
	case RECORD_COMMIT:
		return record->commit;
	case RECORD_MAKE:
		return record->commit && record->name;
	case RECORD_FORK:
	case RECORD_RENAME:
		return record->name;
	default:
		return true;
	}
}

static int get_record(struct decoder *d, struct record *record)
{
	uint8_t kind, parts = 0;
	int r = get_u8(d, &kind);

	if (r == 0)
		r = get_u64(d, &record->branch);
	if (r == 0)
		r = get_u64(d, &record->from);
	if (r == 0)
		r = get_text(d, &record->name);
	if (r == 0)
		r = get_oid(d, &record->oid);
	if (r == 0)
		r = get_u8(d, &parts);
	if (r < 0)
		return r;
	if (kind > RECORD_CONFLICTS ||
	    parts & ~(JOURNAL_PART_COMMIT | JOURNAL_PART_DELTA))
		return -ENOTSUP;
	record->kind = kind;
	if (parts & JOURNAL_PART_COMMIT)
		r = get_commit(d, record);
	if (r == 0 && (parts & JOURNAL_PART_DELTA))
		r = get_delta(d, &record->delta);
	return r == 0 && !is_whole(record) ? -EUCLEAN : r;
}

int journal_decode(struct journal_replay *replay, const void *frame,
		   size_t length, journal_data *data, void *context,
		   struct cut **ret_cut)
{
	const char *bytes = frame;
	struct decoder d = {
		.replay = replay, .data = data, .context = context,
		.at = bytes + JOURNAL_FRAME, .end = bytes + length,
	};
	struct cut *cut;
	uint32_t count;
	int r = 0;

	if (length < JOURNAL_FRAME)
		return -EUCLEAN;
	count = get_u32_at(bytes + 40);
	if (count > left(&d) / RECORD_LEAST)
		return -EUCLEAN;
	cut = cut_new(count);
	if (!cut)
		return -ENOMEM;
	cut->sequence = get_u64_at(bytes + 16);
	cut->first = get_u64_at(bytes + 24);
	for (uint32_t i = 0; r == 0 && i < count; i++)
		r = get_record(&d, &cut->records[i]);
	if (r == 0 && (left(&d) || !journal_can_hold(cut)))
		r = -EUCLEAN;
	if (r < 0) {
		cut_free(cut);
		return r;
	}
	*ret_cut = cut;
	return 0;
}
