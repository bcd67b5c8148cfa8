/* SPDX-License-Identifier: ISC */
#include "store/engine_private.h"
#include "store/local_bases.h"
#include "store/local_merge.h"
#include "store/merge_local.h"

#include <errno.h>
#include <string.h>

/* Zero: it is not known. */
static int find_base(struct odb *odb, const struct branch_state *ours,
		     const struct branch_state *theirs,
		     const struct oid *commit, struct oid *ret)
{
	struct local_bases a, b;
	const struct oid *face;
	int r = local_bases_read(odb, &ours->face, &a);

	if (r == 0)
		r = local_bases_read(odb, &theirs->face, &b);
	if (r < 0)
		return r;
	face = oid_is_zero(commit) ? NULL :
	       local_bases_find(&a, ours->incarnation, &b, theirs->incarnation,
				commit);
	*ret = face ? *face : (struct oid){ 0 };
	return 0;
}

static int refuse(struct report *report, const char *path)
{
	return report_set(report, -ENOTEMPTY, "The merge would put a file at "
			  "\"%s\", where the target has one that Git does not "
			  "have: move it away, then try again.", path);
}

int merge_local(struct store *store, const struct branch_state *ours,
		const struct branch_state *theirs, const struct oid *base,
		struct delta **delta, struct report *report)
{
	struct local_merge merge = {
		.odb = store->odb, .local = store->local_odb,
		.ours = ours->face, .theirs = theirs->face,
		.ours_tree = ours->tree, .theirs_tree = theirs->tree,
	};
	scoped_delta struct delta *merged = NULL;
	scoped_free char *path = NULL;
	int r;

	if (!merge.local ||
	    (oid_is_zero(&merge.theirs) && oid_is_zero(&merge.ours)))
		return 0;
	r = delta_copy(*delta, &merged);
	if (r == 0)
		r = find_base(merge.local, ours, theirs, base, &merge.base);
	if (r == 0)
		r = local_merge(&merge, merged, &path);
	if (r == -EEXIST)
		return refuse(report, path);
	if (r == 0) {
		delta_free(*delta);
		*delta = STEAL(merged);
	} else if (!engine_is_transient(r)) {
		log_error("what Git does not hold of the merged branches (times, "
			  "owners and the like) cannot be read: %s; the merge "
			  "leaves it out", strerror(-r));
		r = 0;
	}
	return r;
}

void merge_local_note(struct record *record, const struct branch_state *theirs)
{
	if (oid_is_zero(&theirs->face))
		return;
	record->oid = theirs->commit;
	record->face = theirs->face;
	record->from = theirs->incarnation;
}
