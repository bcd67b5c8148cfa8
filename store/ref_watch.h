/* SPDX-License-Identifier: ISC */
#ifndef STORE_REF_WATCH_H
#define STORE_REF_WATCH_H

#include <stdbool.h>
#include <stddef.h>

/* Tells when files of refs below refs/heads/, or packed-refs, change: inotify(7).
 * For one thread. */

struct ref_watch;

/* repo_fd: the repository's folder; outlives it.  Errors of inotify_init(2), such
 * as -EMFILE. */
int ref_watch_new(int repo_fd, struct ref_watch **ret_watch);
void ref_watch_free(struct ref_watch *watch);	/* accepts NULL */

/* Readable when something has changed. */
int ref_watch_fd(const struct ref_watch *watch);

/* Names of refs (without refs/heads/) that may have changed since the last call;
 * ret_all: any may have, and the names do not count.  Does not block.  The caller
 * frees the array and each. */
int ref_watch_read(struct ref_watch *watch, char ***ret_names,
		   size_t *ret_count, bool *ret_all);

#endif
