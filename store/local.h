/* SPDX-License-Identifier: ISC */
#ifndef STORE_LOCAL_H
#define STORE_LOCAL_H

#include "store/local_format.h"
#include "store/odb.h"
#include "store/util.h"

#include <sys/stat.h>

/* Facts of an entry that Git does not hold (local_format.h): values without
 * locks. */

/* Reference to a table; a zero id: it has no rows. */
struct local_ref {
	struct oid oid;
	bool is_tree;
};

struct local {
	unsigned int bits;	/* LOCAL_*: which of these are known */
	mode_t mode;		/* type and permissions */
	uid_t uid;
	gid_t gid;
	uint32_t device;
	struct timespec mtime, ctime, below;
	uint8_t git[LOCAL_GIT_SIZE];
	uint64_t group;
	struct local_ref table;
	uint32_t object_mode;	/* MODE_* */
	struct oid object;	/* with LOCAL_OBJECT; */
	struct oid far;		/* with LOCAL_FAR; or the result of local_store,
				 * which has stored xattrs there */
	uint32_t xattrs_size;
	char *xattrs;		/* owned; as stored; NULL with LOCAL_FAR */
	/* Private to work trees: the last capture that had the xattrs as they
	 * are here, and whether they are known not to have XATTR_CAPABILITY,
	 * which is asked of those that are far, and ACL_DEFAULT. */
	uint32_t stamp;
	bool harmless;
	bool no_default_acl;
};

/* All zero: nothing is known.  NULL: no memory. */
struct local *local_new(void);
struct local *local_copy(const struct local *local);
void local_free(struct local *local);		/* accepts NULL */

static inline void local_freep(struct local **local)
{
	local_free(*local);
}

#define scoped_local scoped(local_freep)

/* Whether the entry is there although Git does not know it. */
bool local_is_own(const struct local *local);

/* Sets or clears table and LOCAL_TABLE. */
void local_set_table(struct local *local, const struct local_ref *table);

/* Whether there are so many xattrs that they are to be stored as an object of
 * their own; from then on, once `far` is known, that stands for them. */
bool local_wants_far(const struct local *local);
void local_set_far(struct local *local, const struct oid *far);

/* Whether the facts are of that Git object. */
bool local_is_of(const struct local *local, const struct oid *git);
void local_set_git(struct local *local, const struct oid *git);

/* ---- as bytes ---- */

/* Appends facts.  -ENOMEM. */
int local_encode(const struct local *local, struct buffer *ret);

/* Decodes facts at *at, and moves it behind them.  -EUCLEAN: they are not valid
 * or cut off; -ENOTSUP: of a newer version; -ENOMEM. */
int local_decode(const char **at, const char *end, struct local **ret_local);

/* Whether these are valid extended attributes as stored. */
bool local_is_xattrs(const char *data, size_t size);

#endif
