/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_REF_MARK_H
#define STORE_GIT_REF_MARK_H

/* Marks of the lock files that we hold.
 *
 * A lock file tells nobody whose it is, so one that a killed process left
 * behind would lock its ref for ever.  While we hold one, a symbolic link in
 * irminfs/ names it; who has the store's lock may remove what such links name
 * (git_refs_recover).  The link is made before the lock and goes after it: a lock
 * that is older than its mark is another program's, which kept us from taking it.
 */

/* Link that names lock_name, in a new allocation; NULL: there is none, since
 * the store's folder is not there or cannot be written. */
char *ref_mark_set(int git_dir_fd, const char *lock_name);

/* Removes the link and frees its name; accepts NULL. */
void ref_mark_remove(int git_dir_fd, char *mark);

#endif
