/* SPDX-License-Identifier: ISC */
#include "structures/rope_tree.h"
#include "structures/rope_private.h"

#include "store/checksum.h"
#include "store/git_hash.h"
#include "store/tree.h"
#include "store/util.h"

#include <errno.h>

#define HEADER_NAME ".irmin-rope"
/* "100644 " and the name with its NUL */
#define HEADER_PREFIX (7 + sizeof(HEADER_NAME))
#define HEADER_ENTRY (HEADER_PREFIX + OID_SIZE)

/* The text of the header of a node whose other entries these bytes are. */
static int header_text(const struct rope_tree *t, const char *entries,
		       size_t size, struct buffer *ret)
{
	return buffer_printf(ret, "irmin rope 1\nlevel %u\nsize %llu\n"
			     "newlines %llu\nchecksum %016llx\n", t->level,
			     (unsigned long long)t->size,
			     (unsigned long long)t->newlines,
			     (unsigned long long)checksum64(entries, size, 0));
}

/* ---- decoding ---- */

/* A number without leading zeros, at most `most`, that ends with `end`; returns
 * what is behind that or NULL. */
static const char *parse_number(const char *p, char end, uint64_t most,
				uint64_t *ret)
{
	uint64_t n = 0;

	if (*p == '0' && p[1] != end)
		return NULL;
	do {
		if (*p < '0' || *p > '9')
			return NULL;
		n = n * 10 + (*p++ - '0');
		if (n > most)
			return NULL;
	} while (*p != end);
	*ret = n;
	return p + 1;
}

/* index is below GROUP_MAX. */
static bool parse_name(const char *name, unsigned int index,
		       struct rope_entry *ret)
{
	static const char digits[] = "0123456789abcdef";

	if (name[0] != digits[index >> 4] || name[1] != digits[index & 15] ||
	    name[2] != '-')
		return false;
	name = parse_number(name + 3, '-', ROPE_SIZE_MAX, &ret->size);
	return name && ret->size > 0 &&
	       parse_number(name, '\0', ret->size, &ret->newlines);
}

static int take_entries(const struct tree *tree, struct rope_tree *t)
{
	uint32_t mode = tree->count > 1 ? tree->entries[1].mode : MODE_FILE;

	if (mode != MODE_FILE && mode != MODE_TREE)
		return -EUCLEAN;
	for (unsigned int i = 0; i < t->count; i++) {
		const struct tree_entry *e = &tree->entries[i + 1];
		struct rope_entry *to = &t->entries[i];

		if (e->mode != mode || !parse_name(e->name, i, to) ||
		    (mode == MODE_FILE && to->size > CHUNK_MAX) ||
		    to->size > ROPE_SIZE_MAX - t->size)
			return -EUCLEAN;
		to->oid = e->oid;
		t->size += to->size;
		t->newlines += to->newlines;
	}
	return 0;
}

/* Whether the header follows from the rest at some level: that is not told
 * elsewhere. */
static int find_level(const struct tree *tree, size_t size,
		      struct rope_tree *t)
{
	bool is_leaf = tree->count == 1 || tree->entries[1].mode == MODE_FILE;
	const char *data = tree->data;
	struct oid oid;

	for (t->level = !is_leaf; t->level < ROPE_TREE_LEVELS; t->level++) {
		scoped_buffer struct buffer text = { 0 };
		int r = header_text(t, data + HEADER_ENTRY, size - HEADER_ENTRY,
				    &text);

		if (r == 0)
			r = git_hash(OBJECT_BLOB, text.data, text.length, &oid);
		if (r < 0)
			return r;
		if (oid_equal(&oid, &tree->entries[0].oid))
			return 0;
		if (is_leaf)
			break;
	}
	return -EUCLEAN;
}

/* Cheap, and true of no folder that has no such name in it. */
static bool begins_like_a_rope(const char *data, size_t size, bool *ret_mode)
{
	if (size < HEADER_ENTRY || memcmp(data + 7, HEADER_NAME,
					  sizeof(HEADER_NAME)) != 0)
		return false;
	*ret_mode = memcmp(data, "100755 ", 7) == 0;
	return *ret_mode || memcmp(data, "100644 ", 7) == 0;
}

int rope_tree_decode(void *data, size_t size, struct rope_tree **ret)
{
	scoped_tree struct tree *tree = NULL;
	scoped_free struct rope_tree *t = NULL;
	bool executable;
	int r;

	if (!begins_like_a_rope(data, size, &executable)) {
		free(data);
		return -EUCLEAN;
	}
	r = tree_decode(data, size, &tree);
	if (r < 0)
		return r;
	if (tree->count > GROUP_MAX + 1)
		return -EUCLEAN;
	t = calloc(1, sizeof(*t) + (tree->count - 1) * sizeof(*t->entries));
	if (!t)
		return -ENOMEM;
	t->executable = executable;
	t->count = tree->count - 1;
	r = take_entries(tree, t);
	if (r == 0)
		r = find_level(tree, size, t);
	if (r == 0)
		*ret = STEAL(t);
	return r;
}

int rope_tree_read(struct odb *odb, const struct oid *oid,
		   struct rope_tree **ret)
{
	void *data;
	size_t size;
	int r = odb_read(odb, oid, OBJECT_TREE, &data, &size);

	return r < 0 ? r : rope_tree_decode(data, size, ret);
}

int rope_tree_read_root(struct odb *odb, const struct oid *oid,
			struct rope_tree **ret)
{
	struct rope_tree *t;
	int r = rope_tree_read(odb, oid, &t);

	if (r == 0 && t->level && t->count < 2) {
		free(t);
		return -EUCLEAN;
	}
	if (r == 0)
		*ret = t;
	return r;
}

int rope_tree_check_child(const struct rope_tree *parent,
			  const struct rope_entry *entry,
			  const struct rope_tree *child)
{
	return child->executable || child->level != parent->level - 1 ||
	       child->size != entry->size ||
	       child->newlines != entry->newlines ? -EUCLEAN : 0;
}

int rope_tree_check_chunk(const struct rope_entry *entry, const void *data,
			  size_t size)
{
	return size != entry->size ||
	       rope_count_newlines(data, size) != entry->newlines ?
		-EUCLEAN : 0;
}

/* ---- encoding ---- */

static int print_entry(struct buffer *b, unsigned int level, unsigned int index,
		       const struct rope_entry *entry)
{
	int r = buffer_printf(b, "%s %02x-%llu-%llu", level ? "40000" : "100644",
			      index, (unsigned long long)entry->size,
			      (unsigned long long)entry->newlines);

	if (r == 0)
		r = buffer_append(b, "", 1);
	return r < 0 ? r : buffer_append(b, entry->oid.id, OID_SIZE);
}

int rope_tree_write(struct odb *odb, unsigned int level, bool executable,
		    const struct rope_entry *entries, unsigned int count,
		    struct oid *ret_oid)
{
	scoped_buffer struct buffer tree = { 0 }, header = { 0 };
	struct rope_tree t = { .level = level };
	struct oid oid;
	int r = buffer_printf(&tree, "%s " HEADER_NAME,
			      executable ? "100755" : "100644");

	if (r == 0)
		r = buffer_append(&tree, "\0ffffffffffffffffffff", 1 + OID_SIZE);
	for (unsigned int i = 0; r == 0 && i < count; i++) {
		r = print_entry(&tree, level, i, &entries[i]);
		t.size += entries[i].size;
		t.newlines += entries[i].newlines;
	}
	if (r == 0)
		r = header_text(&t, tree.data + HEADER_ENTRY,
				tree.length - HEADER_ENTRY, &header);
	if (r == 0)
		r = odb_write(odb, OBJECT_BLOB, header.data, header.length,
			      &oid);
	if (r < 0)
		return r;
	memcpy(tree.data + HEADER_PREFIX, oid.id, OID_SIZE);
	return odb_write(odb, OBJECT_TREE, tree.data, tree.length, ret_oid);
}
