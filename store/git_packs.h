/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_PACKS_H
#define STORE_GIT_PACKS_H

#include "store/git_pack.h"
#include "store/util.h"

/* Packs put into objects/pack, each kept from git gc until it is let go.
 *
 *   .irminfs-NAME.pack-new, .irminfs-NAME.idx-new   written and flushed
 *   pack-NAME.keep        a link to .irminfs-keep, whose text says whose it is
 *   pack-NAME.pack        renamed
 *   pack-NAME.idx         renamed: from here on readers see the pack
 *   flush of the folder
 *
 * NAME is random: `git repack` removes the packs that it began with by name,
 * kept or not, so that no name may come twice.  The names of temporary files
 * are such that `git prune` and readers leave them alone. */

struct kept_pack;

struct git_packs {
	int dir_fd;			/* objects/pack */
	struct kept_pack *kept;		/* of this process */
};

/* git_dir_fd: of the repository.  Errors of open(2). */
int git_packs_init(struct git_packs *p, int git_dir_fd);
void git_packs_release(struct git_packs *p);

/* Makes a kept pack of the objects and flushes it; changes their order.  *ret_sick
 * is set when the disk refused what cannot be tried again, and left alone
 * otherwise.  On failure nothing is there.  -ENOSPC, -EDQUOT, -EROFS, -ENOMEM,
 * -EIO. */
int git_packs_add(struct git_packs *p, struct pack_object *objects,
		  size_t count, int level, bool *ret_sick);

/* The list of kept packs taken out of p, put into it, and the end of their being
 * kept.  The last may block and needs only dir_fd of p. */
struct kept_pack *git_packs_take_kept(struct git_packs *p);
void git_packs_put_kept(struct git_packs *p, struct kept_pack *kept);
void git_packs_let_go(struct git_packs *p, struct kept_pack *kept);

/* Removes what a process that was killed left: temporary files, packs without
 * an index, .keep files.  The store's lock must be held.  Errors of
 * unlink(2). */
int git_packs_recover(struct git_packs *p);

#endif
