/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/fuzz.h"
#include "structures/rope_store.h"
#include "structures/rope_tree.h"

#include <assert.h>
#include <stdlib.h>

/* Nodes of stored ropes.  Objects all have an id, so the input is a script: a
 * tree object is decoded as it is; then it is the source of a tree with a header
 * that fits, whose entries may be anything.  What is taken for a rope can be
 * read, cut, stored and merged, or says what is wrong. */

static void use(struct odb *odb, const struct oid *oid)
{
	unsigned char bytes[256];
	struct rope_header header;
	struct rope *rope, *tail;
	uint64_t n;
	const struct merge_marks marks = { .ours = "a", .theirs = "b" };
	struct oid stored, merged, none = { { 0 } };

	if (rope_read_header(odb, oid, &header) < 0)
		return;
	assert(header.newlines <= header.size && header.size <= ROPE_SIZE_MAX);
	if (rope_load(odb, oid, &rope) < 0)
		return;
	assert(rope_size(rope) == header.size);
	rope_read(rope, bytes, sizeof(bytes), header.size / 3);
	if (rope_newlines(rope, &n) == 0)
		assert(n == header.newlines);
	if (rope_line_start(rope, header.newlines / 2, &n) == 0)
		assert(n <= header.size);
	rope_line_of(rope, header.size / 2, &n);
	if (header.size < 1 << 20) {
		if (rope_insert(rope, header.size / 2, "\n", 1) == 0 &&
		    rope_store(rope, odb, false, &stored) == 0)
			rope_store_merge(odb, &none, oid, &stored, &marks,
					 &merged);
	}
	if (rope_split(rope, header.size / 2, &tail) == 0)
		rope_free(tail);
	rope_free(rope);
}

static void decode(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);
	struct rope_tree *tree;

	if (!copy)
		return;
	memcpy(copy, data, size);
	copy[size] = '\0';
	if (rope_tree_decode(copy, size, &tree) == 0) {
		assert(tree->count <= GROUP_MAX);
		free(tree);
	}
}

/* Entries of three bytes: which object, what size and newlines it is said to
 * have.  Each node becomes an object that later entries may name. */
static void build(struct odb *odb, const uint8_t *data, size_t size)
{
	struct oid objects[16];
	struct rope_entry entries[GROUP_MAX];
	unsigned int count = 0, known = 1;

	if (odb_write(odb, OBJECT_BLOB, "line\n", 5, &objects[0]) < 0)
		return;
	for (; size >= 3; data += 3, size -= 3) {
		if (data[0] < 0xf0 && count < GROUP_MAX) {
			entries[count++] = (struct rope_entry){
				.oid = objects[data[0] % known],
				.size = data[1] < 0x80 ? data[1] :
					(uint64_t)5 << (data[1] & 31),
				.newlines = data[2],
			};
			continue;
		}
		if (rope_tree_write(odb, data[1] % 4, data[2] & 1, entries,
				    count, &objects[known % 16]) < 0)
			return;
		use(odb, &objects[known % 16]);
		known += known < 15;
		count = data[2] & 2 ? count : 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct odb *kept;	/* what all share is made once */
	struct odb *odb;
	struct oid oid;

	if (!kept && memory_odb_new(&kept) < 0)
		return 0;
	decode(data, size);
	if (memory_odb_new(&odb) < 0)
		return 0;
	build(odb, data, size);
	if (size && odb_write(odb, OBJECT_TREE, data, size, &oid) == 0)
		use(odb, &oid);
	odb_free(odb);
	return 0;
}
