/* SPDX-License-Identifier: ISC */
#ifndef STORE_INSIDE_H
#define STORE_INSIDE_H

#include "store/store.h"

/* `git` in the folder of a branch.  The root of each branch has a file `.git`
 * that names a git directory of its own, irminfs/git/INCARNATION in the store:
 *
 *   commondir      the store: objects, refs and configuration are those
 *   HEAD           ref: refs/heads/NAME, written anew when it is not that
 *   index          brought along when irminfs commits, see below
 *   logs/HEAD      what git did to the branch from there (Git appends to it)
 *   irminfs-head   id NEWLINE: the commit that the index was brought to last
 *   and whatever git puts there
 *
 * The file gives way to an entry `.git` that the user has made (it is in the local
 * face), can be removed to make one, and an empty branch has none.
 *
 * It is no linked work tree (git-worktree(1)), so that pushes into the branch
 * stay allowed, and nothing in it is part of what is cloned.  The folders of
 * branches that are gone are removed.
 *
 * Ropes and queues are stored at other paths than they are shown.  Entries of the
 * index below those have Git's skip-worktree bit, lest git takes them for deleted;
 * where there are some, each opening of `.git` looks whether they are still the
 * same.  What became of them is left to our commits.
 *
 * The same branch has two who commit to it.  What keeps them apart:
 *   - While git is at work (index.lock, or a merge, rebase or the like is not
 *     finished, or `.git` was opened just now) our commits are not written to
 *     the ref.  They are durable all the same.
 *   - A ref that moved from what we wrote to what git noted last in logs/HEAD
 *     was moved from inside: the files stay as they are, and the commits that
 *     fsync or the timer made meanwhile give way (inside_follow).
 *   - When `.git` is opened what was committed so far is published, and the
 *     index is brought to it.  Paths that our commits changed are what those
 *     have; other staged changes stay staged.
 *   - When the daemon died before it followed, that is done when the store is
 *     opened; the files are what was durable then, so those that git committed
 *     in a later state become that (inside_recover.c). */

/* Text of `.git` for b: always inside_text_size bytes, filled up with newlines,
 * which Git ignores; for a git that is about to switch branches (by its command
 * line), one that names no repository but tells why.  Publishes what was cut,
 * brings the index along.
 * -ENOENT: the store cannot be written, so that there is none; errors of
 * branch_publish and of making files. */
int inside_open(struct branch *b, const struct caller *caller,
		struct buffer *ret);
/* After branch_publish: waits, for a second at most, until the branch's head and
 * its ref are one, if git was used in its folder and is not at work there. */
void inside_settle(struct branch *b);

/* Takes it away until the store is mounted again, so that the user can have a
 * repository there. */
void inside_hide(struct branch *b);
bool inside_is_hidden(struct branch *b);

/* Bytes in it; 0: there is no such file. */
size_t inside_text_size(struct store *store);

#endif
