/* SPDX-License-Identifier: ISC */
#include "store/engine_private.h"

#include <errno.h>

/* Cuts that nobody asked for as commits of their own become one, so that a
 * database's fsyncs do not become that many commits.  And when a disk is full, a
 * cut that does not fit would keep all later ones from being stored, those too
 * that take away what is too large. */

static bool is_foldable(const struct cut *cut, bool all)
{
	const struct record *record = cut->records;

	return cut->count == 1 && record->kind == RECORD_COMMIT &&
	       record->delta && record->commit->parent_count == 0 &&
	       !cut->held && (all || !record->commit->message);
}

/* The link to the next cut that names the branch of older; NULL: none. */
static struct cut **next_about(struct cut *older)
{
	uint64_t branch = older->records[0].branch;

	for (struct cut **link = &older->next; *link; link = &(*link)->next)
		if (engine_cut_names(*link, branch))
			return link;
	return NULL;
}

/* newer stands for both.  Only cuts that follow each other may say so of their
 * sequences, for a frame; others have had theirs. */
static bool can_follow(const struct cut *older, const struct cut *newer)
{
	return older->journaled ? newer->journaled
				: !newer->journaled && older->next == newer;
}

static bool fold(struct cut *older, bool all)
{
	struct cut **link = next_about(older);
	struct cut *newer = link ? *link : NULL;

	if (!newer || !is_foldable(newer, all) || !can_follow(older, newer) ||
	    delta_fold(older->records[0].delta, newer->records[0].delta) < 0)
		return false;
	newer->records[0].direct |= older->records[0].direct;
	if (!newer->journaled)
		newer->first = older->first;
	newer->error = older->error;
	return true;
}

struct cut *engine_fold(struct cut **cuts, bool all)
{
	struct cut **link = cuts, *folded = NULL;

	while (*link) {
		struct cut *older = *link;

		if (!is_foldable(older, all) ||
		    (older->records[0].last && !all) || !fold(older, all)) {
			link = &older->next;
			continue;
		}
		*link = older->next;
		older->next = folded;
		folded = older;
	}
	return folded;
}
