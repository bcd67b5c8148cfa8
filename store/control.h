/* SPDX-License-Identifier: ISC */
#ifndef STORE_CONTROL_H
#define STORE_CONTROL_H

#include "store/store.h"

/* Requests in text: what the control files of a mount and the commands for
 * people ask of a store, so that both do the same with and without a mount. */

/* Executes one request and appends the reply, both one JSON object without
 * newline inside.
 *
 *   {"do": "branches", "heads"?: bool}      {"branches": [{"name", "head"?,
 *                                            "changed", "conflicts",
 *                                            "readonly"?, "stuck"?}]}
 *                                           publishes, unless heads is false
 *   {"do": "dropped"}                       {"branches": [{"name", "head",
 *                                            "dropped": seconds}]}
 *   {"do": "make", "branch"}                {}
 *   {"do": "fork", "from", "branch"}        {}       from: branch or revision
 *   {"do": "rename", "branch", "to"}        {}
 *   {"do": "swap", "branch", "with"}        {}
 *   {"do": "drop", "branch"}                {}
 *   {"do": "restore", "branch", "as"?}      {}
 *   {"do": "merge", "from", "into",         {"head"}
 *    "keep": bool}
 *   {"do": "conflicts", "branch"?}          {"conflicts": [{"branch", "number",
 *                                            "path", "reason", "into",
 *                                            "suggested": bool}]}
 *   {"do": "resolve", "branch", "choice":   {"resolved": N, "left": N}
 *    "edited|as-is|ours|theirs|suggested",
 *    "paths"?: [..]}
 *   {"do": "log", "revision", "count"?}     {"commits": [{"id", "parents",
 *                                            "author", "email", "time",
 *                                            "message"}]}
 *   {"do": "status", "branch"?}             {"branches": [{"name", "head",
 *                                            "paths": [{"status", "path"}]}]}
 *                                           head is null while the store
 *                                           cannot save
 *   {"do": "commit", "branch", "message"?}  {"head"}
 *   {"do": "publish"}                       {}
 *   {"do": "stats"}                         {"cuts": N, ...}
 *   {"do": "fsck"}                          {"branches": N, "problems": [".."]}
 *
 * A failure replies {"error": "EBUSY", "message": "sentence"}.
 * Returns 0 when there is a reply (failures included), -ENOMEM otherwise. */
int control_execute(struct store *store, const struct caller *caller,
		    const char *request, size_t size, struct buffer *reply);

/* Texts of control files of a branch (or, with branch NULL, of a view's
 * commit): "head" (publishes), "log" (as `git log`, the newest 1,000), "status"
 * ("M path" lines), "message".  -ENOENT: no such file. */
int control_read(struct store *store, struct branch *branch,
		 const struct oid *commit, const char *file,
		 const struct caller *caller, struct buffer *ret);

/* Numbers about the store, "name N" lines; those of {"do": "stats"}.  -ENOMEM. */
int control_stats_text(struct store *store, struct buffer *ret);

/* Writes to "message", "commit", "merge" of a branch; a trailing newline is
 * dropped.  Errors of what they do, -EINVAL: not writable. */
int control_write(struct store *store, struct branch *branch, const char *file,
		  const char *text, size_t size, const struct caller *caller);

#endif
