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
	       oid_is_zero(&record->face) && !cut->held &&
	       (all || !record->commit->message);
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

/* newer stands for both.  Those without frames may do so if they follow each
 * other, as what is between them would count as published too early. */
static bool can_follow(const struct cut *older, const struct cut *newer)
{
	return older->journaled ? newer->journaled
				: !newer->journaled && older->next == newer;
}

/* Room to say that newer stands for the frames of older. */
static int reserve(const struct cut *older, struct cut *newer)
{
	size_t count = newer->folded_count + older->folded_count + 1;
	uint64_t *more;

	if (!newer->journaled)
		return 0;
	more = reallocarray(newer->folded, count, sizeof(*more));
	if (!more)
		return -ENOMEM;
	newer->folded = more;
	return engine_note_needed(older, newer);
}

static void take_frames(const struct cut *older, struct cut *newer)
{
	if (!newer->journaled)
		return;
	for (size_t i = 0; i < older->folded_count; i++)
		newer->folded[newer->folded_count++] = older->folded[i];
	newer->folded[newer->folded_count++] = older->sequence;
}

static bool fold(struct cut *older, bool all)
{
	struct cut **link = next_about(older);
	struct cut *newer = link ? *link : NULL;

	if (!newer || !is_foldable(newer, all) || !can_follow(older, newer) ||
	    reserve(older, newer) < 0 ||
	    delta_fold(older->records[0].delta, newer->records[0].delta) < 0)
		return false;
	newer->records[0].direct |= older->records[0].direct;
	take_frames(older, newer);
	newer->first = older->first;
	newer->error = older->error;
	newer->doubled = true;
	/* what it says of contents may build on what older said of them */
	newer->unframed = !newer->journaled;
	return true;
}

/* Adds to *folded what becomes part of a later one; false: nothing did. */
static bool fold_pairs(struct cut **cuts, bool all, struct cut **folded)
{
	struct cut **link = cuts;
	bool any = false;

	while (*link) {
		struct cut *older = *link;

		if (older->doubled || !is_foldable(older, all) ||
		    (older->records[0].last && !all) || !fold(older, all)) {
			older->doubled = false;
			link = &older->next;
			continue;
		}
		any = true;
		*link = older->next;
		older->next = *folded;
		*folded = older;
	}
	return any;
}

/* Two by two, then these two by two: one after the other each would copy all that
 * the ones before it had, and there may be thousands. */
struct cut *engine_fold(struct cut **cuts, bool all)
{
	struct cut *folded = NULL;

	while (fold_pairs(cuts, all, &folded))
		;
	return folded;
}
