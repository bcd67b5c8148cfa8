/* SPDX-License-Identifier: ISC */
#include "store/engine_private.h"

#include <errno.h>

/* When a disk is full, a cut that does not fit would keep all later ones from
 * being stored, those too that take away what is too large.  None of them was
 * acknowledged, so cuts of one branch that follow each other become one. */

static bool is_plain_commit(const struct cut *cut)
{
	const struct record *record = cut->records;

	return cut->count == 1 && record->kind == RECORD_COMMIT &&
	       record->delta && record->commit->parent_count == 0;
}

static bool is_foldable(const struct cut *older, const struct cut *newer)
{
	return is_plain_commit(older) && is_plain_commit(newer) &&
	       older->records[0].branch == newer->records[0].branch;
}

struct cut *engine_fold_locked(struct engine *e)
{
	struct cut **link = &e->first, *folded = NULL;

	while (*link && (*link)->next) {
		struct cut *older = *link, *newer = older->next;

		if (!is_foldable(older, newer) ||
		    delta_fold(older->records[0].delta,
			       newer->records[0].delta) < 0) {
			link = &older->next;
			continue;
		}
		newer->first = older->first;
		newer->error = older->error;
		*link = newer;
		older->next = folded;
		folded = older;
		e->stats.queued--;
	}
	return folded;
}
