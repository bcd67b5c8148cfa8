/* SPDX-License-Identifier: ISC */
#ifndef STORE_NODE_XATTR_H
#define STORE_NODE_XATTR_H

#include "store/acl.h"
#include "store/worktree.h"

/* Extended attributes of nodes.  Which names and callers are allowed is for the
 * caller to know.  A node without any costs nothing; many bytes are read when they
 * are asked for (local_format.h).  Errors besides those of worktree.h:
 *
 *   -ERANGE   the name is empty or longer than XATTR_NAME_MOST; or size is not 0,
 *             and less than what there is
 *   -ENODATA  there is none of that name
 *   -EEXIST   there is one, with XATTR_CREATE
 *   -E2BIG    the value is longer than XATTR_VALUE_MOST
 *   -ENOSPC   there are too many (store/xattrs.h)
 *   -EIO      they are damaged, or what holds them is gone */

bool node_has_xattrs(struct node *n);
/* The value, or with size 0 how long it is. */
ssize_t node_get_xattr(struct node *n, const char *name, void *value,
		       size_t size);
/* All names, each with a NUL, or with size 0 how long these are. */
ssize_t node_list_xattr(struct node *n, char *names, size_t size);
/* flags: 0, XATTR_CREATE or XATTR_REPLACE (sys/xattr.h).  ctime is now. */
int node_set_xattr(struct node *n, const char *name, const void *value,
		   size_t size, int flags);
int node_remove_xattr(struct node *n, const char *name);

/* As node_get_xattr, of ACL_ACCESS, which says what the mode says, or of
 * ACL_DEFAULT. */
ssize_t node_get_acl(struct node *n, const char *name, void *value, size_t size);
/* Sets a valid access list and what it says of the mode, in one; one that says
 * nothing else takes the list away.  Setgid goes, as with chmod(2), where rights
 * are neither root's nor have the group. */
int node_set_acl(struct node *n, const void *acl, size_t size,
		 const struct rights *rights);
/* The mode for those who see nothing else (acl_least_mode), of what st is of;
 * 0700 of it when the list cannot be read. */
mode_t node_least_mode(struct node *n, const struct stat *st);

/* Whether it may have XATTR_CAPABILITY, which changing a file takes away. */
bool node_may_have_capability(struct node *n);
/* Takes it away, if it is there.  No -EIO: what cannot be read gives no rights. */
int node_drop_capability(struct node *n);

#endif
