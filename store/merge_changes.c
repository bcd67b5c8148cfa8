/* SPDX-License-Identifier: ISC */
#include "store/merge_private.h"

/* Directories that a merge takes from theirs whole, without a look inside, are
 * told change by change where ours has them too: the rest of such a directory
 * stays what it is, with all that Git does not know of it. */

static bool is_of_interest(const struct delta_entry *entry)
{
	return entry->kind == DELTA_DIRECTORY ||
	       (entry->kind == DELTA_OBJECT && entry->mode == MODE_TREE);
}

/* 1: neither is a file that is stored as a tree. */
static int are_folders(struct odb *odb, const struct oid *a, const struct oid *b)
{
	uint32_t x = MODE_TREE, y = MODE_TREE;
	int r = contents_recognise(odb, a, &x, NULL);

	if (r == 0)
		r = contents_recognise(odb, b, &y, NULL);
	return r < 0 ? r : x == MODE_TREE && y == MODE_TREE;
}

static int open_entry(struct odb *odb, const struct tree_entry *ours,
		      struct delta_entry *entry)
{
	int r;

	if (!ours || ours->mode != MODE_TREE)
		return 0;
	if (entry->kind == DELTA_DIRECTORY)
		return merge_open_changes(odb, &ours->oid, entry->directory);
	r = are_folders(odb, &ours->oid, &entry->oid);
	if (r < 1)
		return r;
	r = delta_between(odb, &ours->oid, &entry->oid, &entry->directory);
	if (r == 0)
		entry->kind = DELTA_DIRECTORY;
	return r;
}

int merge_open_changes(struct odb *odb, const struct oid *ours,
		       struct delta *changes)
{
	scoped_tree struct tree *tree = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < changes->count; i++) {
		struct delta_entry *entry = &changes->entries[i];

		if (!is_of_interest(entry) || changes->complete)
			continue;
		if (!tree)
			r = tree_read(odb, ours, &tree);
		if (r == 0)
			r = open_entry(odb, tree_find(tree, entry->name),
				       entry);
	}
	return r;
}
