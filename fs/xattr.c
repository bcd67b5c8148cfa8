/* SPDX-License-Identifier: ISC */
#include "fs/irmin.h"
#include "fs/operations.h"
#include "fs/queue.h"
#include "store/irmin_attribute.h"
#include "store/node_xattr.h"
#include "store/xattrs.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

/* The kernel checks who may have which.  Kept are names of three of its
 * namespaces, and of the fourth, "system.", access control lists (store/acl.h).
 *
 * TYPE_ATTRIBUTE is no attribute but what a directory is, in the root's
 * .gitattributes.  It can be asked for and set by name, and is not listed, so that
 * programs that copy all attributes neither make a queue of a copy nor take away
 * what the directory is that they copy to. */

#define TYPE_ATTRIBUTE "user.irmin.type"
#define TRUSTED "trusted."

static bool is_type(const char *name)
{
	return strcmp(name, TYPE_ATTRIBUTE) == 0;
}

static int check_name(const char *name)
{
	static const char *const spaces[] = { "user.", TRUSTED, "security." };

	for (size_t i = 0; i < sizeof(spaces) / sizeof(*spaces); i++) {
		size_t length = strlen(spaces[i]);

		if (strncmp(name, spaces[i], length) == 0)
			return name[length] ? 0 : -EINVAL;
	}
	return -EOPNOTSUPP;
}

static bool is_acl(const char *name)
{
	return strcmp(name, ACL_ACCESS) == 0 || strcmp(name, ACL_DEFAULT) == 0;
}

/* ---- reading ---- */

static ssize_t get_type(struct inode *inode, char *value, size_t size)
{
	char type[IRMIN_TYPE_SIZE];
	int r = node_type_name(inode->node, type);
	size_t length;

	if (r < 0)
		return r;
	length = strlen(type);
	if (!length)
		return -ENODATA;
	if (size && length > size)
		return -ERANGE;
	if (size)
		memcpy(value, type, length);
	return length;
}

/* Control files have that of the directory whose they are, with modes of their
 * own. */
static ssize_t get_acl(struct fs *fs, struct inode *inode, const char *name,
		       char *value, size_t size)
{
	const struct inode *subject = inode->kind == INODE_CONTROL ?
					      irmin_subject(inode) : inode;
	struct stat st;
	ssize_t done;
	int r;

	if (!fs->has_acl)
		return -EOPNOTSUPP;
	if (subject->kind != INODE_NODE ||
	    (subject != inode && (strcmp(name, ACL_ACCESS) != 0 ||
				  !irmin_has_acl(inode))))
		return -ENODATA;
	done = node_get_acl(subject->node, name, value, size);
	if (done < 0 || !size || subject == inode)
		return done;
	r = irmin_stat(fs, inode, &st);
	if (r < 0)
		return r;
	acl_set_mode(value, done, st.st_mode);
	return done;
}

static ssize_t get(struct fs *fs, struct inode *inode, const char *name,
		   char *value, size_t size)
{
	int r = check_name(name);

	if (is_acl(name))
		return get_acl(fs, inode, name, value, size);
	if (r < 0)
		return r;
	if (inode->kind != INODE_NODE)
		return -ENODATA;
	return is_type(name) ? get_type(inode, value, size) :
			       node_get_xattr(inode->node, name, value, size);
}

static void reply(fuse_req_t req, const char *data, size_t size, ssize_t done)
{
	if (done < 0)
		reply_error(req, done);
	else if (size)
		fuse_reply_buf(req, data, done);
	else
		fuse_reply_xattr(req, done);
}

/* -ENOSYS: the kernel does not ask again. */
void op_getxattr(fuse_req_t req, fuse_ino_t id, const char *name, size_t size)
{
	scoped_free char *value = size ? malloc(size) : NULL;
	struct fs *fs = fs_of(req);
	ssize_t done = -ENOMEM;

	if (fs->no_xattr)
		done = -ENOSYS;
	else if (value || !size)
		done = get(fs, inode_of(fs, id), name, value, size);
	reply(req, value, size, done);
}

/* The kernel shows names of this space to its administrators alone, and leaves it
 * to us. */
static size_t hide_trusted(char *names, size_t size)
{
	size_t kept = 0;

	for (size_t i = 0, length; i < size; i += length) {
		length = strlen(names + i) + 1;
		if (strncmp(names + i, TRUSTED, strlen(TRUSTED)) == 0)
			continue;
		memmove(names + kept, names + i, length);
		kept += length;
	}
	return kept;
}

/* All names, for the caller to free. */
static ssize_t list(struct inode *inode, bool trusted, char **ret)
{
	scoped_free char *names = malloc(XATTR_LIST_MOST);
	ssize_t done;

	if (!names)
		return -ENOMEM;
	done = node_list_xattr(inode->node, names, XATTR_LIST_MOST);
	if (done > 0 && !trusted)
		done = hide_trusted(names, done);
	*ret = STEAL(names);
	return done;
}

void op_listxattr(fuse_req_t req, fuse_ino_t id, size_t size)
{
	struct fs *fs = fs_of(req);
	struct inode *inode = inode_of(fs, id);
	scoped_free char *names = NULL;
	ssize_t done = fs->no_xattr ? -ENOSYS : 0;

	if (done == 0 && inode->kind == INODE_NODE && node_has_xattrs(inode->node))
		done = list(inode, fuse_req_ctx(req)->uid == 0, &names);
	if (size && done > (ssize_t)size)
		done = -ERANGE;
	reply(req, names, size, done);
}

/* ---- access control lists ---- */

/* The kernel has checked what is given and by whom, and asks for the mode
 * again. */
static int set_acl(fuse_req_t req, struct inode *inode, const char *name,
		   const char *value, size_t size)
{
	struct asking asking;

	if (!fs_of(req)->has_acl)
		return -EOPNOTSUPP;
	if (!acl_is_valid(value, size))
		return -EINVAL;
	if (strcmp(name, ACL_DEFAULT) == 0)
		return node_set_xattr(inode->node, name, value, size, 0);
	return node_set_acl(inode->node, value, size, rights_of(req, &asking));
}

/* ---- changing ---- */

static int check_change(struct fs *fs, const struct inode *inode,
			const char *name)
{
	if (inode->kind != INODE_NODE || (fs->no_xattr && !is_type(name)))
		return -EOPNOTSUPP;
	return is_acl(name) ? 0 : check_name(name);
}

static int set_type(fuse_req_t req, struct inode *inode, const char *value,
		    size_t size, int flags)
{
	ssize_t r = flags ? get_type(inode, NULL, 0) : 0;

	if ((flags & XATTR_CREATE) && r > 0)
		return -EEXIST;
	if ((flags & XATTR_REPLACE) && r < 0)
		return r;
	return queue_convert(fs_of(req), inode, value, size);
}

void op_setxattr(fuse_req_t req, fuse_ino_t id, const char *name,
		 const char *value, size_t size, int flags)
{
	struct fs *fs = fs_of(req);
	struct inode *inode = inode_of(fs, id);
	int r = check_change(fs, inode, name);

	enter(req);
	if (r == 0 && is_acl(name))
		r = set_acl(req, inode, name, value, size);
	else if (r == 0)
		r = is_type(name) ?
			set_type(req, inode, value, size, flags) :
			node_set_xattr(inode->node, name, value, size, flags);
	reply_error(req, r);
}

/* What a directory is stays so: what is in it may have no other place. */
static int remove_type(struct inode *inode)
{
	ssize_t r = get_type(inode, NULL, 0);

	return r < 0 ? r : -EPERM;
}

void op_removexattr(fuse_req_t req, fuse_ino_t id, const char *name)
{
	struct fs *fs = fs_of(req);
	struct inode *inode = inode_of(fs, id);
	int r = check_change(fs, inode, name);

	enter(req);
	if (r == 0)
		r = is_type(name) ? remove_type(inode) :
				    node_remove_xattr(inode->node, name);
	/* there is no list, and that is no error */
	if (r == -ENODATA && is_acl(name))
		r = 0;
	reply_error(req, r);
}

/* The kernel asks whether there is one at the first change of a file alone. */
int xattr_drop_capability(struct inode *inode)
{
	return node_may_have_capability(inode->node) ?
		node_drop_capability(inode->node) : 0;
}
