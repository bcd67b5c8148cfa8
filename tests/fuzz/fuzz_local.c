/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/fuzz.h"
#include "store/local_bases.h"
#include "store/local_table.h"
#include "store/xattrs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Leaves of the local face, and what its roots remember: whatever can be read is
 * written again as it was, and extended attributes stay valid when they change. */

static void change_xattrs(const struct local *local)
{
	static const char *const names[] = { "user.a", "a", "user.long.name" };
	struct xattr found;
	char *more, *fewer;
	size_t size;

	if (!local->xattrs)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (xattrs_set(local->xattrs, local->xattrs_size, names[i],
			       names, i, &more, &size) < 0)
			continue;
		assert(local_is_xattrs(more, size));
		assert(xattrs_find(more, size, names[i], &found));
		assert(found.size == i && memcmp(found.value, names, i) == 0);
		assert(xattrs_set(more, size, names[i], NULL, 0, &fewer,
				  &size) == 0);
		assert(local_is_xattrs(fewer, size));
		assert(!xattrs_find(fewer, size, names[i], &found));
		free(more);
		free(fewer);
	}
}

struct rows {
	struct local_change *changes;
	size_t count;
};

static int take(void *context, const char *name, struct local *local)
{
	struct rows *rows = context;

	rows->changes = reallocarray(rows->changes, rows->count + 1,
				     sizeof(*rows->changes));
	assert(rows->changes);
	rows->changes[rows->count].name = strdup(name);
	rows->changes[rows->count++].local = local;
	change_xattrs(local);
	return 0;
}

static void try_bases(struct odb *odb, const uint8_t *data, size_t size)
{
	struct local_bases bases, again;
	struct oid root, same;

	assert(odb_write(odb, OBJECT_TREE, data, size, &root) == 0);
	if (local_bases_read(odb, &root, &bases) < 0)
		return;
	assert(local_bases_write(odb, &root, &bases, &same) == 0);
	assert(local_bases_read(odb, &same, &again) == 0);
	assert(bases.count == again.count);
	for (size_t i = 0; i < bases.count; i++)
		assert(bases.base[i].number == again.base[i].number &&
		       oid_equal(&bases.base[i].commit, &again.base[i].commit) &&
		       oid_equal(&bases.base[i].face, &again.base[i].face));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct odb *first;	/* keeps libgit2 from starting anew */
	struct local_ref table = { 0 }, again, none = { 0 };
	struct rows rows = { 0 };
	struct odb *odb;
	uint64_t own, same_own;

	if (!first)
		assert(memory_odb_new(&first) == 0);
	assert(memory_odb_new(&odb) == 0);
	assert(odb_write(odb, OBJECT_BLOB, data, size, &table.oid) == 0);
	if (local_table_each(odb, &table, take, &rows) == 0 && rows.count) {
		assert(local_table_change(odb, &table, NULL, 0, &again,
					  &own) == 0);
		assert(local_table_change(odb, &none, rows.changes, rows.count,
					  &again, &same_own) == 0);
		assert(own == same_own);
		if (rows.count <= LOCAL_LEAF_MOST && !again.is_tree)
			assert(oid_equal(&again.oid, &table.oid));
	}
	for (size_t i = 0; i < rows.count; i++) {
		free((char *)rows.changes[i].name);
		local_free((struct local *)rows.changes[i].local);
	}
	free(rows.changes);
	try_bases(odb, data, size);
	odb_free(odb);
	return 0;
}
