/* SPDX-License-Identifier: ISC */
#ifndef STORE_CONTROL_PRIVATE_H
#define STORE_CONTROL_PRIVATE_H

#include "store/control.h"
#include "store/store_private.h"

#include <jansson.h>

/* One request while it is executed. */
struct control {
	struct store *store;
	const struct caller *caller;
	const json_t *request;
	struct report report;		/* why it failed */
};

/* Fills in the reply; negative errno: the request failed. */
typedef int control_function(struct control *c, json_t *reply);

/* ---- control_json.c ---- */

/* Bytes as a JSON string; what is not UTF-8 in them becomes U+FFFD.  NULL: no
 * memory. */
json_t *json_text(const char *bytes);
/* Whether text is what json_text makes of bytes. */
bool json_is_text(const char *text, const char *bytes);
/* json_text for an id; a zero id is null. */
json_t *json_oid(const struct oid *oid);

/* Puts or appends a value, which may be NULL for no memory, and takes it.
 * 0 or -ENOMEM. */
int reply_set(json_t *object, const char *key, json_t *value);
int reply_append(json_t *array, json_t *value);

/* A text member of the request, valid as long as that is.  Missing or of
 * another type: -EINVAL with a report, or NULL if it may be absent. */
int request_text(struct control *c, const char *key, const char **ret);
int request_optional(struct control *c, const char *key, const char **ret);
/* The live branch that a member names; a new reference.  -ENOENT. */
int request_branch(struct control *c, const char *key, struct branch **ret);

/* Sets reply's `key` to an array that add fills for the branch which the request
 * names in "branch", or for each live one if it names none.  Errors of add and
 * request_branch. */
typedef int add_branch_function(struct branch *b, json_t *array);
int reply_branches(struct control *c, add_branch_function *add,
		   const char *key, json_t *reply);

/* The commit that a branch, a revision as names of the mount write it, or as
 * Git writes it, means. */
int control_resolve(struct control *c, const char *revision, struct oid *ret);

/* ---- control_fsck_local.c ---- */

/* Appends to problems, sentences, what is wrong with the local faces of all
 * branches, live and dropped: with branch and path.  -ENOMEM. */
int control_fsck_local(struct store *store, json_t *problems);

/* ---- requests ---- */

control_function control_branches, control_dropped, control_make, control_fork,
	control_rename, control_swap, control_drop, control_restore,
	control_merge;				/* control_branches.c */
control_function control_conflicts, control_resolve_conflicts;
						/* control_conflicts.c */
control_function control_status, control_commit; /* control_status.c */
control_function control_log;			/* control_log.c */
control_function control_stats, control_publish; /* control_stats.c */
control_function control_fsck;			/* control_fsck.c */

/* ---- control_history.c ---- */

/* A set of object ids; zero-initialise to make. */
struct oid_set {
	struct oid *slots;		/* zero: free */
	size_t count, capacity;
};
/* 1: added, 0: it was there; -ENOMEM. */
int oid_set_add(struct oid_set *set, const struct oid *oid);
bool oid_set_has(const struct oid_set *set, const struct oid *oid);
void oid_set_release(struct oid_set *set);

/* The commits whose parents are cut off: the repository's file "shallow". */
int shallow_read(struct git_repo *repo, struct oid_set *ret);

/* Calls visit for the newest most commits that are reachable from start, later
 * committer time first, children before parents where times tell.  A nonzero
 * return ends the walk and is returned.  Errors of commit_read. */
typedef int history_visit(void *context, const struct oid *oid,
			  const struct commit *commit);
int history_walk(struct store *store, const struct oid *start, size_t most,
		 history_visit *visit, void *context);

/* As `git log` prints them. */
int history_text(struct store *store, const struct oid *start, size_t most,
		 struct buffer *ret);

#endif
