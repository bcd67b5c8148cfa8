/* SPDX-License-Identifier: ISC */
#ifndef STORE_INSIDE_PRIVATE_H
#define STORE_INSIDE_PRIVATE_H

#include "store/inside.h"
#include "store/branch_switch.h"

/* Inside of inside.h: what the store itself asks.  Context is the store. */

/* ---- inside_folder.c ---- */

/* Opens the branch's folder; the caller closes ret_fd.  -ENOENT: it was never
 * made, or the store cannot be written. */
int inside_folder(struct store *store, uint64_t branch, int *ret_fd);
/* The same; makes it, but HEAD, or what it lacks. */
int inside_make_folder(struct store *store, uint64_t branch, int *ret_fd);
bool inside_has(int fd, const char *name);
/* Replaces a file, which need not outlive a power cut. */
int inside_write(int fd, const char *name, const char *text);
/* HEAD names the branch, whatever it is called now and whoever wrote to it, but
 * while a rebase has it. */
int inside_set_head(int fd, const char *name);
/* A git has the index; git is between two commands of one operation. */
bool inside_is_locked(int fd);
bool inside_is_unfinished(int fd);
/* Removes the folders of branches that are not live. */
void inside_clean(struct store *store);

/* ---- inside_log.c ---- */

/* Whether what git did last led from `from`, directly or in steps, to *to; a zero
 * *to stands for wherever that is, and is set. */
bool inside_led(int fd, const struct oid *from, struct oid *to);

/* ---- inside.c, inside_follow.c, inside_compare.c, inside_program.c ---- */

/* Whether git is at work in the branch, so that its ref must stay; for the engine
 * (struct engine_holder). */
bool inside_is_held(void *context, uint64_t branch);

/* Whether git moved the branch's ref so from inside, in one step or several. */
bool inside_moved(void *context, uint64_t branch, const struct oid *before,
		  const struct oid *seen);

/* Whether git has gone on from `seen` meanwhile, or is about to: it notes a step
 * before the ref shows it. */
bool inside_went_on(void *context, uint64_t branch, const struct oid *seen);

/* Whether git, which is not at work in b, may have moved its ref, and b has not
 * followed yet.  Takes store->lock. */
bool inside_is_behind(struct branch *b);

/* Whether to wait for what follows: not longer than options.commit_seconds since
 * the ref of b was seen there first.  store->merging is held. */
bool inside_may_wait(struct branch *b, const struct oid *seen);

/* The ref of b was moved from inside: its head becomes that commit, its files stay
 * what they are; where they differ, that is a commit on top of it.  For a time of
 * options.commit_seconds it waits for a commit that has them.
 * 1: it waits; 0: done; -ENOTSUP: b has commits since that must not be lost (a
 * merge, a message): merge; -EAGAIN: it was changed meanwhile; errors of
 * branch_look and branch_switch.  store->merging is held. */
int inside_follow(struct branch *b, const struct outside_change *change,
		  const struct caller *caller,
		  const struct identity *identity, uint64_t *ret_sequence,
		  struct report *report);

/* The same of a branch whose ref git had moved when the daemon died (b->git_died):
 * its files are what was durable then.  Those that git has committed in a later
 * state, by the times in its index, become that.  Never waits. */
int inside_recover(struct branch *b, const struct outside_change *change,
		   const struct caller *caller,
		   const struct identity *identity, uint64_t *ret_sequence,
		   struct report *report);

/* When the store is opened, before anybody uses it: lets branches follow what git
 * did in their folders before the daemon died.  What fails is logged, and tried
 * again as other changes outside are.  Not when the store is read-only. */
void inside_recover_all(struct store *store);

/* ---- inside_follow.c, for inside_recover.c ---- */

struct inside_following {
	struct branch *b;
	const char *name;
	const struct identity *identity;
	const struct oid *before, *seen;
	struct oid tree;		/* of seen */
	struct branch_state ours;
	uint64_t sequence;
	uint64_t changes;		/* of the work tree, when compared */
	bool exact;			/* it had what seen has */
	struct report *report;
};

/* What git's commits do not have and rules ignore stays, beside Git. */
int inside_untrack(struct inside_following *f);

/* Whether the commits of ours since `before` are those of fsync and timer alone: 0;
 * -ENOTSUP: they are not. */
int inside_check_automatic(struct inside_following *f);

/* Makes seen the head.  changes, from ours.tree to tree, become those of the files,
 * and a commit on top of seen has what that lacks of tree. */
int inside_move(struct inside_following *f, const struct delta *changes,
		const struct oid *tree);

/* Whether delta, which a commit of git made, has all that the work tree has
 * changed and not captured, as it is now: paths, bytes and modes, as after
 * `git commit -a` when nobody wrote meanwhile.  Reads those files; in doubt, and
 * after errors, false. */
bool inside_has_all_changed(struct branch *b, const struct delta *delta);

/* Whether the process is a git that is about to make the work tree that of
 * another branch or commit: `git switch`, `git checkout` of what is no path,
 * `git bisect`.  A guess by its command line. */
bool inside_program_switches(struct store *store, pid_t pid);
/* The same of a command line with a NUL after each argument; is_revision tells
 * of a word that may also be a path. */
bool inside_line_switches(const char *line, size_t size,
			  bool (*is_revision)(void *context, const char *text),
			  void *context);

#endif
