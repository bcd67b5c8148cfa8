/* SPDX-License-Identifier: ISC */
#include "store/checksum.h"
#include "store/journal_format.h"
#include "store/journal_record.h"

#include <errno.h>
#include <string.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Contents that an entry before has, and another one, too. */
struct shared {
	struct contents *contents;
	UT_hash_handle hh;
};

struct encoder {
	struct journal_frame frame;
	size_t most;
	unsigned int depth;
	struct shared *shared;	/* a hash */
	int error;		/* of the first failure; nothing is put after it */
};

/* ---- pieces ---- */

static void put(struct encoder *e, const void *data, size_t size)
{
	if (e->error)
		return;
	if (size > e->most - e->frame.bytes.length)
		e->error = -EFBIG;
	else
		e->error = buffer_append(&e->frame.bytes, data, size);
}

static void put_u8(struct encoder *e, uint8_t n)
{
	put(e, &n, 1);
}

static void put_u32(struct encoder *e, uint32_t n)
{
	char bytes[4];

	put_u32_at(bytes, n);
	put(e, bytes, sizeof(bytes));
}

static void put_u64(struct encoder *e, uint64_t n)
{
	char bytes[8];

	put_u64_at(bytes, n);
	put(e, bytes, sizeof(bytes));
}

static void put_text(struct encoder *e, const char *text)
{
	size_t length = text ? strlen(text) : 0;

	if (length >= UINT32_MAX && !e->error)
		e->error = -EFBIG;
	put_u32(e, text ? length : UINT32_MAX);
	put(e, text, length);
}

static void put_oid(struct encoder *e, const struct oid *oid)
{
	put(e, oid->id, OID_SIZE);
}

/* ---- contents ---- */

static void put_bytes(struct encoder *e, struct contents *c, uint64_t offset,
		      uint64_t length)
{
	struct buffer *b = &e->frame.bytes;
	ssize_t n;

	if (!e->error && length > e->most - b->length)
		e->error = -EFBIG;
	if (!e->error)
		e->error = buffer_reserve(b, length + 1);
	if (e->error)
		return;
	n = contents_read(c, b->data + b->length, length, offset);
	if (n != (ssize_t)length) {
		e->error = n < 0 ? (int)n : -EIO;
		return;
	}
	b->length += length;
	b->data[b->length] = '\0';
}

static void put_long(struct encoder *e, struct contents *c, uint64_t offset,
		     uint64_t length)
{
	struct journal_frame *f = &e->frame;
	struct journal_extent *more;

	if (e->error)
		return;
	more = reallocarray(f->extents, f->extent_count + 1, sizeof(*more));
	if (!more) {
		e->error = -ENOMEM;
		return;
	}
	f->extents = more;
	more[f->extent_count++] = (struct journal_extent){
		.contents = c, .offset = offset, .length = length,
		.place = f->bytes.length,
	};
	f->data_length += length;
	put_u64(e, 0);
	put_u64(e, 0);
}

static uint32_t put_range(struct encoder *e, struct contents *c,
			  uint64_t offset, uint64_t end)
{
	uint32_t count = 0;

	/* one extent a stretch that is all data or all hole */
	while (offset < end && !e->error) {
		bool data, is_long;
		uint64_t length;
		int r = contents_stretch(c, offset, end, &data, &length);

		if (r < 0) {
			e->error = r;
			break;
		}
		length -= offset;
		is_long = length >= JOURNAL_LONG;
		if (data && length > JOURNAL_PIECE)
			length = JOURNAL_PIECE;
		put_u64(e, offset);
		put_u64(e, length);
		put_u8(e, !data ? JOURNAL_ZEROS : is_long ? JOURNAL_DATA
							  : JOURNAL_BYTES);
		if (data && is_long)
			put_long(e, c, offset, length);
		else if (data)
			put_bytes(e, c, offset, length);
		offset += length;
		count++;
	}
	return count;
}

static uint32_t put_moves(struct encoder *e,
			  const struct contents_changes *changes)
{
	for (size_t i = 0; i < changes->move_count; i++) {
		put_u64(e, changes->moves[i].offset);
		put_u64(e, changes->moves[i].size);
		put_u8(e, JOURNAL_MOVED);
		put_u64(e, changes->moves[i].from);
	}
	return changes->move_count;
}

/* Whether the frame has these contents already, as those of another name of the
 * file.  Otherwise it is remembered, if there may be one. */
static bool is_again(struct encoder *e, struct contents *c)
{
	struct shared *shared;

	if (c->refs == 1)
		return false;
	HASH_FIND_PTR(e->shared, &c, shared);
	if (shared)
		return true;
	shared = calloc(1, sizeof(*shared));
	if (!shared)
		return false;
	shared->contents = c;
	HASH_ADD_PTR(e->shared, contents, shared);
	if (!shared->hh.tbl)
		free(shared);
	return false;
}

static void forget_shared(struct encoder *e)
{
	struct shared *shared, *next;

	HASH_ITER(hh, e->shared, shared, next) {
		HASH_DEL(e->shared, shared);
		free(shared);
	}
}

static void put_changes(struct encoder *e,
			const struct contents_changes *changes)
{
	put_u64(e, changes->id);
	put_u64(e, changes->version);
	put_u64(e, changes->size);
	put_u8(e, changes->base);
	put_oid(e, &changes->oid);
	put_u64(e, changes->base == CONTENTS_CAPTURED ? changes->since
						      : changes->base_size);
	put_u64(e, changes->low);
}

/* Nothing came to what the entry before made of it. */
static void put_again(struct encoder *e, const struct contents_changes *changes)
{
	const struct contents_changes again = {
		.id = changes->id, .version = changes->version,
		.size = changes->size, .base = CONTENTS_CAPTURED,
		.since = changes->version, .low = UINT64_MAX,
	};

	put_changes(e, &again);
	put_u32(e, 0);
}

static void put_contents(struct encoder *e, struct contents *c)
{
	struct contents_changes changes;
	const struct ranges *ranges;
	uint32_t count;
	size_t place;

	contents_changes(c, &changes);
	if (is_again(e, c)) {
		put_again(e, &changes);
		return;
	}
	ranges = changes.ranges;
	put_changes(e, &changes);
	place = e->frame.bytes.length;
	put_u32(e, 0);
	count = put_moves(e, &changes);
	if (ranges->all)
		count += put_range(e, c, 0, changes.size);
	for (size_t i = 0; !ranges->all && i < ranges->count; i++) {
		uint64_t end = ranges->at[i].end;

		count += put_range(e, c, ranges->at[i].offset,
				   end < changes.size ? end : changes.size);
	}
	if (!e->error)
		put_u32_at(e->frame.bytes.data + place, count);
}

/* ---- records ---- */

/* A tree from elsewhere may have what no decoder believes. */
static void check_entry(struct encoder *e, const struct delta_entry *entry)
{
	if (!e->error && delta_check_name(entry->name) < 0)
		e->error = -ENOTSUP;
}

/* Of NULL: nothing. */
static void put_facts(struct encoder *e, const struct local *local)
{
	scoped_buffer struct buffer bytes = { 0 };
	int r;

	if (!local)
		return;
	r = local_encode(local, &bytes);
	if (r < 0 && !e->error)
		e->error = r;
	put(e, bytes.data, bytes.length);
}

static void put_delta(struct encoder *e, const struct delta *delta)
{
	if (++e->depth > JOURNAL_DEPTH_MAX && !e->error)
		e->error = -ENOTSUP;
	put_u8(e, (delta->complete ? JOURNAL_DELTA_COMPLETE : 0) |
		  (delta->local ? JOURNAL_DELTA_FACTS : 0));
	put_facts(e, delta->local);
	put_u32(e, delta->count);
	for (size_t i = 0; i < delta->count && !e->error; i++) {
		const struct delta_entry *entry = &delta->entries[i];

		check_entry(e, entry);
		put_u8(e, entry->kind);
		put_u32(e, entry->mode);
		put_text(e, entry->name);
		put_u8(e, (entry->local ? JOURNAL_FACTS : 0) |
			  (entry->same ? JOURNAL_SAME : 0));
		put_facts(e, entry->local);
		if (entry->kind == DELTA_OBJECT)
			put_oid(e, &entry->oid);
		else if (entry->kind == DELTA_CONTENTS)
			put_contents(e, entry->contents);
		else if (entry->kind == DELTA_DIRECTORY)
			put_delta(e, entry->directory);
	}
	e->depth--;
}

static void put_signature(struct encoder *e, const struct signature *s)
{
	put_text(e, s->name);
	put_text(e, s->email);
	put_u64(e, s->time);
	put_u32(e, s->offset);
}

static void put_commit(struct encoder *e, const struct record *record)
{
	const struct commit *commit = record->commit;

	put_u32(e, commit->parent_count);
	for (size_t i = 0; i < commit->parent_count; i++)
		put_oid(e, &commit->parents[i]);
	put_signature(e, &commit->author);
	put_signature(e, &commit->committer);
	put_text(e, commit->message);
	put_text(e, record->trailers);
}

static void put_record(struct encoder *e, const struct record *record)
{
	put_u8(e, record->kind);
	put_u64(e, record->branch);
	put_u64(e, record->from);
	put_text(e, record->name);
	put_oid(e, &record->oid);
	put_u8(e, (record->commit ? JOURNAL_PART_COMMIT : 0) |
		  (record->delta ? JOURNAL_PART_DELTA : 0));
	if (record->commit)
		put_commit(e, record);
	if (record->delta)
		put_delta(e, record->delta);
}

bool journal_can_hold(const struct cut *cut)
{
	for (size_t i = 0; i < cut->count; i++) {
		const struct record *record = &cut->records[i];

		if (record->direct || record->kind == RECORD_MOVE ||
		    record->kind == RECORD_OUTSIDE ||
		    record->kind == RECORD_CONFLICTS ||
		    (record->kind == RECORD_FORK && !record->from) ||
		    (record->commit && record->commit->parent_count))
			return false;
	}
	return !cut->unframed;
}

static int64_t time_of(const struct cut *cut)
{
	return cut->count && cut->records[0].commit
		? cut->records[0].commit->committer.time : 0;
}

static void put_cut(struct encoder *e, const struct cut *cut)
{
	put_u64(e, 0);
	put_u32(e, 0);
	put_u32(e, 0);
	put_u64(e, cut->sequence);
	put_u64(e, cut->first);
	put_u64(e, time_of(cut));
	put_u32(e, cut->count);
	put_u32(e, 0);
	for (size_t i = 0; i < cut->count && !e->error; i++)
		put_record(e, &cut->records[i]);
	if (!e->error)
		put_u32_at(e->frame.bytes.data + 8, e->frame.bytes.length);
}

int journal_encode(const struct cut *cut, size_t most,
		   struct journal_frame *frame)
{
	struct encoder e = {
		.frame = *frame,
		.most = most < UINT32_MAX ? most : UINT32_MAX,
	};

	e.frame.bytes.length = e.frame.extent_count = e.frame.data_length = 0;
	*frame = (struct journal_frame){ 0 };
	put_cut(&e, cut);
	forget_shared(&e);
	if (e.error) {
		journal_frame_release(&e.frame);
		return e.error;
	}
	*frame = e.frame;
	return 0;
}

void journal_frame_release(struct journal_frame *frame)
{
	buffer_release(&frame->bytes);
	free(frame->extents);
	*frame = (struct journal_frame){ 0 };
}

void journal_frame_place(struct journal_frame *frame,
			 const struct journal_extent *extent, uint64_t position,
			 uint64_t checksum)
{
	put_u64_at(frame->bytes.data + extent->place, position);
	put_u64_at(frame->bytes.data + extent->place + 8, checksum);
}

void journal_frame_seal(struct journal_frame *frame, uint64_t seed)
{
	struct buffer *b = &frame->bytes;

	put_u64_at(b->data, checksum64(b->data + 8, b->length - 8, seed));
}
