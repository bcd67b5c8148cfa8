/* SPDX-License-Identifier: ISC */
#ifndef STORE_MERGE_LOCAL_H
#define STORE_MERGE_LOCAL_H

#include "store/branch_switch.h"

/* Adds to *delta, which leads from ours to the merge of ours and theirs over
 * commit base (zero: none, or several), what becomes of the local face of ours
 * (local_merge.h).  A face that cannot be read is left out, and logged: files are
 * worth more.  May replace *delta.
 * -ENOTEMPTY with report: it would put a file where ours has one that Git does not
 * have; -ENOMEM and other errors that are transient. */
int merge_local(struct store *store, const struct branch_state *ours,
		const struct branch_state *theirs, const struct oid *base,
		struct delta **delta, struct report *report);

/* Notes in a record that makes the merge which face it is of. */
void merge_local_note(struct record *record, const struct branch_state *theirs);

#endif
