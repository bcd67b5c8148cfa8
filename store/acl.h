/* SPDX-License-Identifier: ISC */
#ifndef STORE_ACL_H
#define STORE_ACL_H

#include "store/util.h"

#include <sys/stat.h>

/* Access control lists, acl(5), as the kernel gives and takes them, and as they are
 * kept among an entry's extended attributes: u32 version (2), then for each entry
 * u16 tag, u16 permissions, u32 id, by rising tag; little-endian.
 *
 * A file's mode and its list say the same three things: owner, others, and between
 * them the mask, or without a mask the group.  The mode alone is right about these;
 * what is kept of them in an access list counts for nothing, so that chmod need not
 * change lists.  One that says nothing else is not kept.
 *
 * All but acl_is_valid want a valid one. */

#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

/* Who asks, where no kernel has checked it. */
struct rights {
	uid_t uid;
	gid_t gid;
	const gid_t *groups;		/* besides gid */
	size_t count;
	bool partial;			/* there may be more of them */
};

bool rights_have_group(const struct rights *rights, gid_t group);

/* As far as the functions here rely on it: of known form, with the three entries
 * that a mode has. */
bool acl_is_valid(const void *acl, size_t size);

/* What it says of owner, mask or group, and others (bits of 0777). */
mode_t acl_mode(const void *acl, size_t size);
bool acl_is_mode(const void *acl, size_t size);

/* Makes it say what the mode says. */
void acl_set_mode(void *acl, size_t size, mode_t mode);

/* A mode for those who do not know of the list, that gives nobody more than the
 * list with `mode` does. */
mode_t acl_least_mode(const void *acl, size_t size, mode_t mode);

/* Whether it, with the mode of st, allows all of `wanted` (bits 4, 2, 1); size 0:
 * there is none.  Root is not asked about. */
bool acl_allows(const void *acl, size_t size, const struct stat *st,
		const struct rights *rights, mode_t wanted);

#endif
