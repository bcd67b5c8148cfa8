/* SPDX-License-Identifier: ISC */
#include "store/local_leaf.h"
#include "store/tree.h"

#include <errno.h>
#include <string.h>

/* ---- rows ---- */

void local_rows_release(struct local_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		free(rows->row[i].name);
		local_free(rows->row[i].local);
	}
	free(rows->row);
	*rows = (struct local_rows){ 0 };
}

int local_rows_add(struct local_rows *rows, char *name, struct local *local)
{
	size_t more = rows->capacity ? 2 * rows->capacity : LOCAL_LEAF_MOST;
	struct local_row *row = rows->row;

	if (name && local && rows->count == rows->capacity) {
		row = reallocarray(rows->row, more, sizeof(*row));
		if (row) {
			rows->row = row;
			rows->capacity = more;
		}
	}
	if (!name || !local || !row) {
		free(name);
		local_free(local);
		return -ENOMEM;
	}
	rows->row[rows->count++] = (struct local_row){ name, local };
	return 0;
}

/* ---- reading ---- */

static int decode_row(const char **at, const char *end, struct local_rows *rows)
{
	const char *p = *at;
	size_t length = (unsigned char)*p++;
	struct local *local;
	char *name;
	int r;

	if (length > (size_t)(end - p) || memchr(p, '\0', length) ||
	    memchr(p, '/', length))
		return -EUCLEAN;
	name = strndup(p, length);
	p += length;
	r = name ? local_decode(&p, end, &local) : -ENOMEM;
	if (r < 0) {
		free(name);
		return r;
	}
	*at = p;
	if (rows->count &&
	    strcmp(rows->row[rows->count - 1].name, name) >= 0) {
		free(name);
		local_free(local);
		return -EUCLEAN;
	}
	return local_rows_add(rows, name, local);
}

static int decode_leaf(const char *data, size_t size, struct local_rows *rows)
{
	const char *end = data + size;
	int r = 0;

	if (size < LOCAL_MAGIC_SIZE)
		return -EUCLEAN;
	if (memcmp(data, LOCAL_MAGIC, LOCAL_MAGIC_SIZE) != 0)
		return memcmp(data, LOCAL_MAGIC, LOCAL_MAGIC_SIZE - 1) == 0 ?
		       -ENOTSUP : -EUCLEAN;
	data += LOCAL_MAGIC_SIZE;
	while (r == 0 && data < end)
		r = decode_row(&data, end, rows);
	return r;
}

int local_leaf_read(struct odb *odb, const struct oid *oid, struct local_rows *rows)
{
	scoped_free void *data = NULL;
	size_t size;
	int r = odb_read(odb, oid, OBJECT_BLOB, &data, &size);

	return r < 0 ? r : decode_leaf(data, size, rows);
}

/* ---- writing ---- */

static int encode_leaf(const struct local_row *row, size_t count,
		       struct buffer *ret)
{
	int r = buffer_puts(ret, LOCAL_MAGIC);

	for (size_t i = 0; r == 0 && i < count; i++) {
		uint8_t length = strlen(row[i].name);

		r = buffer_append(ret, &length, 1);
		if (r == 0)
			r = buffer_puts(ret, row[i].name);
		if (r == 0)
			r = local_encode(row[i].local, ret);
	}
	return r;
}

struct reference {
	struct oid oid;
	uint32_t mode;
	char name[OID_HEX_SIZE];
};

static void add_reference(struct reference *to, size_t *count, uint32_t mode,
			  const struct oid *oid)
{
	struct reference *added = &to[(*count)++];

	*added = (struct reference){ .oid = *oid, .mode = mode };
	oid_hex(oid, added->name);
}

static int compare_references(const void *a, const void *b)
{
	const struct reference *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* What the rows name, each once. */
static size_t collect(const struct local_row *row, size_t rows,
		      struct reference *references)
{
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < rows; i++) {
		const struct local *local = row[i].local;

		if (local->bits & LOCAL_TABLE)
			add_reference(references, &count, local->table.is_tree ?
				      MODE_TREE : MODE_FILE, &local->table.oid);
		if (local->bits & LOCAL_OBJECT)
			add_reference(references, &count, MODE_FILE,
				      &local->object);
		if (local->bits & LOCAL_FAR)
			add_reference(references, &count, MODE_FILE,
				      &local->far);
	}
	qsort(references, count, sizeof(*references), compare_references);
	for (size_t i = 0; i < count; i++)
		if (!kept || strcmp(references[kept - 1].name,
				    references[i].name) != 0)
			references[kept++] = references[i];
	return kept;
}

int local_leaf_write(struct odb *odb, const struct local_row *row, size_t count,
		      bool as_tree, struct local_ref *ret)
{
	scoped_buffer struct buffer bytes = { 0 };
	scoped_free struct reference *references =
		calloc(3 * count + 1, sizeof(*references));
	scoped_free struct tree_entry *entries =
		calloc(3 * count + 1, sizeof(*entries));
	struct oid leaf;
	size_t n;
	int r;

	if (!references || !entries)
		return -ENOMEM;
	r = encode_leaf(row, count, &bytes);
	if (r == 0)
		r = odb_write(odb, OBJECT_BLOB, bytes.data, bytes.length, &leaf);
	if (r < 0)
		return r;
	n = collect(row, count, references);
	*ret = (struct local_ref){ .oid = leaf, .is_tree = n || as_tree };
	if (!ret->is_tree)
		return 0;
	for (size_t i = 0; i < n; i++)
		entries[i] = (struct tree_entry){
			.mode = references[i].mode, .oid = references[i].oid,
			.name = references[i].name,
		};
	entries[n] = (struct tree_entry){
		.mode = MODE_FILE, .oid = leaf, .name = LOCAL_LEAF,
	};
	return tree_write(odb, entries, n + 1, &ret->oid);
}
