/* SPDX-License-Identifier: ISC */
#include "store/acl.h"
#include "store/local_merge.h"
#include "store/xattrs.h"

#include <errno.h>
#include <string.h>

#define PRIVILEGES ((mode_t)(S_ISUID | S_ISGID))

/* ---- parts of facts ---- */

static unsigned int has(const struct local *local, unsigned int bits)
{
	return local ? local->bits & bits : 0;
}

static bool same_attributes(const struct local *a, const struct local *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid;
}

static bool same_xattrs(const struct local *a, const struct local *b)
{
	if (a->bits & LOCAL_FAR)
		return oid_equal(&a->far, &b->far);
	return a->xattrs_size == b->xattrs_size &&
	       (!a->xattrs_size ||
		memcmp(a->xattrs, b->xattrs, a->xattrs_size) == 0);
}

static bool same_mtime(const struct local *a, const struct local *b)
{
	return a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec;
}

static int copy_attributes(struct local *to, const struct local *from)
{
	to->mode = from->mode;
	to->uid = from->uid;
	to->gid = from->gid;
	return 0;
}

static int copy_xattrs(struct local *to, const struct local *from)
{
	char *copy = NULL;

	if (from->xattrs) {
		copy = malloc(from->xattrs_size + 1);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, from->xattrs, from->xattrs_size);
	}
	free(to->xattrs);
	to->xattrs = copy;
	to->xattrs_size = from->xattrs_size;
	to->far = from->far;
	return 0;
}

static int copy_mtime(struct local *to, const struct local *from)
{
	to->mtime = from->mtime;
	return 0;
}

struct part {
	unsigned int bits;
	bool (*same)(const struct local *a, const struct local *b);
	int (*copy)(struct local *to, const struct local *from);
};

static const struct part attributes = {
	LOCAL_ATTRIBUTES, same_attributes, copy_attributes,
};
static const struct part xattrs = {
	LOCAL_XATTRS | LOCAL_FAR, same_xattrs, copy_xattrs,
};
static const struct part mtime = { LOCAL_TIMES, same_mtime, copy_mtime };

static bool same(const struct part *part, const struct local *a,
		 const struct local *b)
{
	unsigned int bits = has(a, part->bits);

	return bits == has(b, part->bits) && (!bits || part->same(a, b));
}

/* An access control list and a mode are right together alone.  What is far may have
 * one. */
static bool has_acl(const struct local *local)
{
	struct xattr x;

	return has(local, LOCAL_XATTRS) &&
	       (!local->xattrs || xattrs_find(local->xattrs, local->xattrs_size,
					      ACL_ACCESS, &x));
}

static bool same_both(const struct local *a, const struct local *b)
{
	return (!(a->bits & LOCAL_ATTRIBUTES) || same_attributes(a, b)) &&
	       (!(a->bits & LOCAL_XATTRS) || same_xattrs(a, b));
}

static int copy_both(struct local *to, const struct local *from)
{
	int r = copy_xattrs(to, from);

	return r < 0 ? r : copy_attributes(to, from);
}

static const struct part both = {
	LOCAL_ATTRIBUTES | LOCAL_XATTRS | LOCAL_FAR, same_both, copy_both,
};

/* ---- three ways ---- */

/* A side of which nothing is known has changed nothing: it may have removed what
 * lives on as ours. */
static bool is_wanted(const struct local_sides *sides, const struct part *part)
{
	if (!sides->theirs || same(part, sides->ours, sides->theirs))
		return false;
	if (!sides->has_base)
		return !has(sides->ours, part->bits);
	return same(part, sides->ours, sides->base) &&
	       !same(part, sides->theirs, sides->base);
}

static int take(const struct local_sides *sides, const struct part *part,
		struct local *to, bool *changed)
{
	unsigned int bits = has(sides->theirs, part->bits);

	if (!is_wanted(sides, part))
		return 0;
	*changed = true;
	to->bits = (to->bits & ~part->bits) | bits;
	return bits ? part->copy(to, sides->theirs) : 0;
}

/* Times that are those of a directory above say nothing here. */
static bool are_times_known(const struct local_sides *sides)
{
	return sides->has_base && !sides->replaced &&
	       has(sides->base, LOCAL_TIMES) && has(sides->ours, LOCAL_TIMES) &&
	       has(sides->theirs, LOCAL_TIMES);
}

/* Who wrote it gave them, to these contents and to no others. */
static void drop_privileges(const struct local_sides *sides, struct local *to)
{
	mode_t kept = sides->is_theirs && has(sides->theirs, LOCAL_ATTRIBUTES) ?
			      sides->theirs->mode & PRIVILEGES : 0;

	if ((to->bits & LOCAL_ATTRIBUTES) && S_ISREG(to->mode))
		to->mode &= ~PRIVILEGES | kept;
}

int local_merge_facts(const struct local_sides *sides, struct local **ret,
		      bool *ret_changed)
{
	scoped_local struct local *to = sides->ours ? local_copy(sides->ours) :
						      local_new();
	bool changed = false, owner;
	bool one = has_acl(sides->base) || has_acl(sides->ours) ||
		   has_acl(sides->theirs);
	int r = to ? take(sides, one ? &both : &attributes, to, &changed) :
		     -ENOMEM;

	owner = changed && !same(&attributes, to, sides->ours);
	if (r == 0 && !one)
		r = take(sides, &xattrs, to, &changed);
	if (r == 0 && are_times_known(sides))
		r = take(sides, &mtime, to, &changed);
	if (r < 0)
		return r;
	if (sides->replaced)
		to->bits &= ~LOCAL_GROUP;
	if (sides->replaced || (owner && !sides->is_theirs))
		drop_privileges(sides, to);
	*ret = STEAL(to);
	*ret_changed = changed;
	return 0;
}
