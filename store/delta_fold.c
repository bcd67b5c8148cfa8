/* SPDX-License-Identifier: ISC */
#include "store/delta.h"
#include "store/tree.h"
#include "store/util.h"

#include <errno.h>
#include <string.h>

/* In two passes, so that a failure changes nothing that counts: the first finds
 * out whether it can be done, makes room, and sorts newer's entries where they
 * are; the second only moves. */

static int compare_names(const void *a, const void *b)
{
	const struct delta_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Among the first count entries, which are sorted. */
static struct delta_entry *find(const struct delta *delta, size_t count,
				const struct delta_entry *like)
{
	return count ? bsearch(like, delta->entries, count, sizeof(*like),
			       compare_names) : NULL;
}

/* Whether newer only says what changes in a directory that older describes. */
static bool is_change_within(const struct delta_entry *newer)
{
	return newer && newer->kind == DELTA_DIRECTORY &&
	       !newer->directory->complete;
}

static int prepare(const struct delta *older, struct delta *newer)
{
	int r = delta_reserve(newer, older->count);

	if (r == 0 && newer->count)
		qsort(newer->entries, newer->count, sizeof(*newer->entries),
		      compare_names);
	for (size_t i = 0; r == 0 && i < older->count; i++) {
		const struct delta_entry *entry = &older->entries[i];
		struct delta_entry *over = find(newer, newer->count, entry);

		if (!is_change_within(over))
			continue;
		r = entry->kind == DELTA_DIRECTORY
			? prepare(entry->directory, over->directory) : -ENOTSUP;
	}
	return r;
}

static void move(struct delta *older, struct delta *newer)
{
	size_t count = newer->count, kept = 0;

	for (size_t i = 0; i < older->count; i++) {
		struct delta_entry *entry = &older->entries[i];
		struct delta_entry *over = find(newer, count, entry);

		if (!over) {
			newer->entries[newer->count++] = *entry;
			continue;
		}
		if (is_change_within(over)) {
			move(entry->directory, over->directory);
			if (!over->local)
				over->local = STEAL(entry->local);
		}
		over->same &= entry->same;
		older->entries[kept++] = *entry;
	}
	if (!newer->local)
		newer->local = STEAL(older->local);
	older->count = kept;
	newer->complete |= older->complete;
}

int delta_fold(struct delta *older, struct delta *newer)
{
	int r;

	if (newer->complete)
		return 0;
	r = prepare(older, newer);
	if (r == 0)
		move(older, newer);
	return r;
}
