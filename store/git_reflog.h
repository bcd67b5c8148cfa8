/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_REFLOG_H
#define STORE_GIT_REFLOG_H

#include "store/git_repo.h"

/* Reflogs, where core.logAllRefUpdates (git-config(1)) or a log that is there
 * asks for them: the files logs/NAME.  A log is a help to people; when it cannot
 * be written, that is logged and nothing fails. */

/* The caller holds the ref's lock. */
void reflog_append(struct git_repo *repo, const char *name,
		   const struct oid *old, const struct oid *new,
		   const char *message);
void reflog_remove(struct git_repo *repo, const char *name);

#endif
