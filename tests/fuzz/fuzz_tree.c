/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/fuzz.h"
#include "store/tree.h"

#include <assert.h>
#include <stdlib.h>

/* Tree objects: whatever decodes can be searched, checked and written. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);
	struct tree *tree;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	copy[size] = '\0';
	if (tree_decode(copy, size, &tree) < 0)
		return 0;
	for (size_t i = 0; i < tree->count; i++) {
		const struct tree_entry *entry = &tree->entries[i];

		assert(tree_find(tree, entry->name) == entry);
		tree_check_name(entry->name);
	}
	tree_free(tree);
	return 0;
}
