/* SPDX-License-Identifier: ISC */
#ifndef STORE_BRANCH_SWITCH_H
#define STORE_BRANCH_SWITCH_H

#include "store/store_private.h"
#include "store/worktree_names.h"

/* What merge_branches.c and resolve.c share: looking at a branch, computing
 * from that for as long as it takes, and switching the branch to the outcome
 * only if nothing was committed to it meanwhile. */

/* Attempts at it while others commit to the branch all the time:
 *
 *	struct branch_tries tries = { .b = b, .caller = caller };
 *	int r = -EAGAIN;
 *
 *	while (r == -EAGAIN && branch_try(&tries))
 *		r = look, compute, switch;
 *	branch_tries_end(&tries);
 *
 * After the first ones the front end stays begun, so that names that were
 * announced once stay announced, and then cuts by fsync, the timer and commits
 * are held back for some seconds during each attempt; names are announced
 * between attempts alone, since the kernel has locked what such an fsync waits
 * in.  store->merging is held all the time. */

struct branch_tries {
	struct branch *b;
	const struct caller *caller;	/* NULL: what is changed may not be
					 * committed before the attempt does */
	/* private: */
	int count;
	bool begun;
	struct store_front front;
	struct worktree_names names;
};

/* False: that were enough of them. */
bool branch_try(struct branch_tries *t);
void branch_tries_end(struct branch_tries *t);
/* Whether what is cut meanwhile is held back. */
bool branch_tries_hold(const struct branch_tries *t);

/* Conflicts that one merge adds to a report at most: it is part of the branch
 * table.  More of them come up when these are resolved. */
#define CONFLICTS_MAX 1000

/* A branch as it was at one cut. */
struct branch_state {
	struct oid commit;
	struct oid tree;
	struct oid face;	/* root of its local face then, or zero */
	uint64_t incarnation;	/* of the branch; 0: it is none */
	uint64_t sequence;	/* b->sequence as long as nobody cut again */
};

/* Commits what is changed, waits until it is in Git, and says what is there.
 * Loads the work tree.  -EAGAIN: more was published meanwhile.  Errors of
 * branch_publish, with report. */
int branch_look(struct branch *b, const struct caller *caller,
		struct branch_state *ret, struct report *report);
/* The same if *changes is still what worktree_changes says (or NULL); -EAGAIN: it
 * is not, and nothing was committed. */
int branch_look_unchanged(struct branch *b, const struct caller *caller,
			  const uint64_t *changes, struct branch_state *ret,
			  struct report *report);

/* What the last cut has; commits nothing.  -EAGAIN: there was another one
 * meanwhile; errors of loading and reading. */
int branch_peek(struct branch *b, struct branch_state *ret);

/* Applies delta, which was computed from `state`, to b's work tree, and queues
 * records as one cut at that moment.  Takes over what the records own when it
 * succeeds; they may be about b and the branches `about`.
 * -EAGAIN: there was another cut, or a path in question has changed: look and
 * compute again; -EBUSY with report: a path is open for writing; errors of
 * store_queue and worktree_apply. */
int branch_switch(struct branch *b, const struct branch_state *state,
		  const struct delta *delta, struct record *records,
		  size_t count, struct branch *const *about, size_t about_count,
		  uint64_t *ret_sequence, struct report *report);

/* What the attempts end with. */
int branch_switch_gave_up(const char *name, struct report *report);

/* A RECORD_COMMIT for b with a copy of delta and (NULL: none) another parent.
 * -ENOMEM. */
int branch_commit_record(struct branch *b, const struct identity *identity,
			 const char *text, const struct delta *delta,
			 const struct oid *parent, struct record *ret);

/* "Merge branch 'A' into B" and the notes of the result. */
int branch_merge_text(const char *from, const char *into,
		      const struct merge_result *result, struct buffer *ret);

/* Paths of a report that are resolved, sorted; they belong to the report. */
int report_resolved(const struct conflict_report *report,
		    const char ***ret_paths, size_t *ret_count);

/* Moves a conflict into a report.  -ENOMEM. */
int report_add(struct conflict_report *report, struct conflict *conflict);
void report_sort(struct conflict_report *report);

/* The largest number of a conflict of b. */
uint32_t branch_last_conflict(struct branch *b);

/* Replaces (report NULL: removes) b's report about its merge into target, in
 * memory and by a cut; takes over report, on failure too. */
int branch_save_report(struct branch *b, uint64_t target,
		       struct conflict_report *report, uint64_t *ret_sequence);

/* Waits until sequence is durable. */
int store_wait(struct store *store, uint64_t sequence, struct report *report);

#endif
