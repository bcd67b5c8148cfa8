/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/fuzz.h"
#include "store/checksum.h"
#include "store/engine.h"
#include "store/journal.h"
#include "store/journal_format.h"
#include "store/local_store.h"
#include "store/overlay.h"
#include "structures/structures.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* The journal's files.  The first byte of the input says what follows:
 *   even  frames without checksums, which are made, behind a right header; so
 *         that the decoder sees them
 *   odd   a segment as it is
 * The last 1,024 bytes are its data file too.  A cut that decodes can be stored,
 * or says why not, and encodes again. */

#define FILES (2 * JOURNAL_SEGMENTS)
#define FILE_USED 1u		/* of generation 1 */

struct input {
	struct journal_files files;
	struct buffer segment, data;
};

static const struct buffer *file_of(struct journal_files *f, unsigned int file)
{
	static const struct buffer none;
	const struct input *input = (struct input *)f;

	if (file == FILE_USED)
		return &input->segment;
	return file == JOURNAL_SEGMENTS + FILE_USED ? &input->data : &none;
}

static ssize_t read_input(struct journal_files *f, unsigned int file,
			  void *data, size_t size, uint64_t offset)
{
	const struct buffer *b = file_of(f, file);

	if (offset >= b->length)
		return 0;
	if (size > b->length - offset)
		size = b->length - offset;
	memcpy(data, b->data + offset, size);
	return size;
}

static void keep(struct journal_files *f)
{
}

static const struct journal_files_ops ops = {
	.read = read_input,
	.free = keep,
};

/* ---- making ---- */

static uint64_t put_header(struct buffer *b)
{
	char header[JOURNAL_HEADER] = JOURNAL_MAGIC;
	uint64_t seed;

	put_u32_at(header + 8, JOURNAL_VERSION);
	put_u64_at(header + 16, 1);
	put_u64_at(header + 24, FILE_USED);
	seed = checksum64(header, 32, 0);
	put_u64_at(header + 32, seed);
	assert(buffer_append(b, header, sizeof(header)) == 0);
	return seed;
}

/* Each frame of the length that it says, or the rest, with a right checksum. */
static void seal_frames(struct buffer *b, uint64_t seed)
{
	size_t at = JOURNAL_HEADER;

	while (b->length - at >= JOURNAL_FRAME) {
		char *frame = b->data + at;
		size_t length = get_u32_at(frame + 8), left = b->length - at;

		if (length < JOURNAL_FRAME || length > left) {
			length = left;
			put_u32_at(frame + 8, length);
		}
		put_u64_at(frame, checksum64(frame + 8, length - 8, seed));
		at += length;
	}
}

static void make_files(struct input *input, const uint8_t *data, size_t size)
{
	size_t tail = size < 1024 ? size : 1024;
	uint64_t seed;

	input->files.ops = &ops;
	assert(buffer_append(&input->data, data + size - tail, tail) == 0);
	if (size && data[0] % 2) {
		assert(buffer_append(&input->segment, data + 1, size - 1) == 0);
		return;
	}
	seed = put_header(&input->segment);
	if (size > 1)
		assert(buffer_append(&input->segment, data + 1, size - 1) == 0);
	seal_frames(&input->segment, seed);
}

/* ---- using ---- */

struct use {
	struct odb *odb;
	struct pool *pool;
	struct journal_replay *replay;
};

static bool is_small(const struct delta *delta)
{
	for (size_t i = 0; i < delta->count; i++) {
		const struct delta_entry *e = &delta->entries[i];

		if (e->contents && contents_size(e->contents) > 1 << 20)
			return false;
		if (e->directory && !is_small(e->directory))
			return false;
	}
	return true;
}

static int take(void *context, const void *frame, size_t length,
		uint64_t sequence, journal_data *data, void *source)
{
	struct use *use = context;
	struct timespec time = { 0 };
	struct journal_frame again = { 0 };
	struct oid root = { 0 };
	struct cut *cut;
	int r = journal_decode(use->replay, frame, length, data, source, &cut);

	if (r < 0)
		return r;
	assert(journal_can_hold(cut));
	for (size_t i = 0; i < cut->count; i++) {
		struct delta *delta = cut->records[i].delta;

		if (delta && is_small(delta)) {
			r = delta_store(delta, use->odb, &oid_empty_tree);
			if (r == 0)
				local_store(delta, use->odb, &root,
					    length % 2, &time, &time,
					    &root);
			r = journal_encode(cut, 1 << 20, &again);
			assert(r == 0 || r == -EFBIG || r == -EIO);
			if (r == 0)
				journal_frame_release(&again);
		}
	}
	cut_free(cut);
	return 0;
}

static void read_all(struct use *use, struct input *input)
{
	struct table *table = table_new();
	struct table_contents known = { .id = 3, .version = 1, .size = 3 };
	struct journal *journal;

	assert(table);
	assert(odb_write(use->odb, OBJECT_BLOB, "abc", 3, &known.oid) == 0);
	table->journal.epoch = 1;
	assert(table_add_contents(table, &known) == 0);
	assert(table_add_held(table, 1) == 0);
	assert(journal_new(&input->files, 0, &journal) == 0);
	assert(journal_replay_new(use->pool, table, &use->replay) == 0);
	journal_read(journal, table, take, use);
	journal_begin(journal, 1);
	journal_replay_free(use->replay);
	journal_free(journal);
	table_free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct odb *first;	/* keeps libgit2 from starting anew */
	static int folder = -1;
	struct pool_options options = {
		.block_budget = 4 << 20, .blob_budget = 1 << 20,
	};
	struct input input = { 0 };
	struct use use = { 0 };

	if (!first) {
		assert(memory_odb_new(&first) == 0);
		assert(structures_register() == 0);
	}
	if (folder < 0)
		folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(memory_odb_new(&use.odb) == 0);
	options.odb = use.odb;
	options.dir_fd = folder;
	assert(pool_new(&options, &use.pool) == 0);
	make_files(&input, data, size);
	read_all(&use, &input);
	buffer_release(&input.segment);
	buffer_release(&input.data);
	pool_free(use.pool);
	odb_free(use.odb);
	return 0;
}
