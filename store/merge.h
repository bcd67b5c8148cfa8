/* SPDX-License-Identifier: ISC */
#ifndef STORE_MERGE_H
#define STORE_MERGE_H

#include "store/delta.h"
#include "store/git_repo.h"
#include "store/table.h"

/* Three-way merge of trees, structure by structure; ours is the target.
 *
 * Costs O(changes x width of their directories): subtrees that one side left as
 * they were are never read.  Nothing here knows work trees or branches.
 *
 * Paths are compared by name alone, without Git's detection of renames: a file
 * renamed on one side and changed on the other is "changed against deleted" at
 * the old name, a conflict, and nothing is lost.  So no merge depends on how
 * similar two files look.
 */

/* How one path is merged: by type NAME of contents.h, or by a driver. */
struct merge_rule {
	char *name;		/* "text", "binary", "union", ...; owned */
	char *driver;		/* command line of merge.NAME.driver, or NULL */
	int marker_size;	/* 0: 7 */
};
void merge_rule_release(struct merge_rule *rule);

struct merge_context {
	struct odb *odb;
	/* The rule for a path, as the target's attributes say; name NULL: text
	 * when all sides are text, binary otherwise.  May be NULL: such for all
	 * paths (merge_trees), as merge_rule_read says (merge_commits). */
	int (*rule)(void *context, const char *path, struct merge_rule *ret);
	void *rule_context;
	/* When ours and theirs last changed a path, seconds.  NULL: not known
	 * (merge_trees), found in the history (merge_commits). */
	int (*times)(void *context, const char *path, int64_t *ret_ours,
		     int64_t *ret_theirs);
	void *times_context;
	/* Labels for markers. */
	const char *ours_label, *theirs_label;
	/* Folder for a driver's files, outside any mount; seconds it may take
	 * (NULL: /tmp, 0: 60). */
	const char *driver_dir;
	unsigned int driver_seconds;
	/* Paths already resolved, sorted by strcmp: they take theirs' side,
	 * whatever the other two are.  May be NULL. */
	const char *const *resolved;
	size_t resolved_count;
	/* The trees whose .gitattributes give the types of directories, those of
	 * the second where the first side has nothing; NULL: ours and theirs.
	 * Directories of a type merge as that says. */
	const struct oid *types[2];
	/* 0: the merge itself; n: a virtual base of that level, where conflicts
	 * become markers, or the base's side, instead of being reported. */
	unsigned int depth;
};

struct merge_result {
	struct delta *changes;		/* from ours to tree, oids set */
	struct oid tree;		/* the merged tree, stored */
	struct oid base;		/* merge_commits: the common ancestor, if
					 * it is one commit; otherwise zero */
	size_t conflict_count;
	struct conflict *conflicts;	/* in path order; merged and suggested
					 * stored as blobs */
	char **notes;			/* lines for the commit's message */
	size_t note_count;
};
void merge_result_release(struct merge_result *result);

/* Merges tree theirs into tree ours over tree base (zero: empty).  0: clean or
 * with conflicts (conflict_count; tree is then ours' side at those paths).
 * Errors of odb_read and odb_write; -ETIMEDOUT, -ECHILD: a driver hung or died
 * (report names it and the path): nothing is merged. */
int merge_trees(const struct merge_context *context, const struct oid *base,
		const struct oid *ours, const struct oid *theirs,
		struct merge_result *ret, struct report *report);

/* Merges commit theirs into commit ours: finds merge bases, merges several
 * recursively into a virtual one, and uses the attributes of ours.  Errors of
 * merge_trees and git_find_merge_bases.
 * ret->tree equals ours' tree when there is nothing to merge. */
int merge_commits(struct git_repo *repo, const struct merge_context *context,
		  const struct oid *ours, const struct oid *theirs,
		  struct merge_result *ret, struct report *report);

/* The rule for path of the attributes of a commit and of the configuration, as
 * Git finds it, except that a type of contents.h goes before a driver of that
 * name: "merge" unset: binary; set: text; NAME: that type, or merge.NAME.driver
 * (merge.NAME.recursive at depth > 0), or text when neither is known;
 * unspecified: merge.default.  Errors of git_attribute, git_config_read. */
int merge_rule_read(struct git_repo *repo, const struct oid *commit,
		    const char *path, unsigned int depth,
		    struct merge_rule *ret);

/* What is merged in memory; with a larger side the binary rule stands. */
#define MERGE_FILE_MAX ((uint64_t)64 << 20)

/* Merges one file by a rule.  0, 1 (conflict), or negative errno with report.
 * External drivers get files in context->driver_dir (%O %A %B), %P path, %L
 * marker size; they run in their own process group, without the mount as
 * working directory, and are killed after driver_seconds.  Of context only the
 * driver_* members are used; no repository is needed.  A name of no type is
 * merged as text, and text that is none (NUL bytes) by the binary rule. */
int merge_file(const struct merge_context *context,
	       const struct merge_rule *rule, const struct merge_input *input,
	       struct merge_output *ret, struct report *report);

#endif
