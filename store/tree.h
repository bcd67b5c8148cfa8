/* SPDX-License-Identifier: ISC */
#ifndef STORE_TREE_H
#define STORE_TREE_H

#include "store/odb.h"
#include "store/util.h"

#include <stdbool.h>

/* Git tree objects, decoded.  Source of the format: gitformat-pack(5) and
 * Git's fsck: entries "MODE SP NAME NUL OID", sorted as if directories' names
 * ended in '/'. */

#define MODE_TREE 0040000u
#define MODE_FILE 0100644u
#define MODE_EXECUTABLE 0100755u
#define MODE_SYMLINK 0120000u
#define MODE_SUBMODULE 0160000u
/* Never in a tree object, where it is MODE_TREE: a file that is stored as a
 * structure (contents_recognise tells these from folders). */
#define MODE_ROPE 0110644u
#define MODE_ROPE_EXECUTABLE 0110755u

#define NAME_LENGTH_MAX 255
/* Levels of folders: as in Git, which bounds its recursion so. */
#define TREE_DEPTH_MAX 2048

struct tree_entry {
	uint32_t mode;		/* one of MODE_*, normalised; as decoded
				 * never a rope's */
	struct oid oid;
	const char *name;	/* inside the tree's memory */
};

static inline bool mode_is_rope(uint32_t mode)
{
	return mode == MODE_ROPE || mode == MODE_ROPE_EXECUTABLE;
}

/* What stands in the tree object. */
static inline uint32_t mode_stored(uint32_t mode)
{
	return mode_is_rope(mode) ? MODE_TREE : mode;
}

static inline bool mode_is_file(uint32_t mode)
{
	return mode == MODE_FILE || mode == MODE_EXECUTABLE ||
	       mode_is_rope(mode);
}

static inline bool mode_is_executable(uint32_t mode)
{
	return mode == MODE_EXECUTABLE || mode == MODE_ROPE_EXECUTABLE;
}

/* Immutable; the memory belongs to the tree. */
struct tree {
	size_t count;
	struct tree_entry *entries;	/* in Git's order */
	void *data;
};

/* Decodes data (size bytes and a NUL beyond, from malloc), which the tree owns
 * from then on, on failure too.
 * -EUCLEAN: not a tree: bad mode, empty or too long name, '/' in a name,
 * duplicate or unsorted entries, cut off. -ENOMEM. */
int tree_decode(void *data, size_t size, struct tree **ret_tree);
void tree_free(struct tree *tree);		/* accepts NULL */

static inline void tree_freep(struct tree **tree)
{
	tree_free(*tree);
}

#define scoped_tree scoped(tree_freep)

/* Reads and decodes; the zero id and oid_empty_tree give a tree without
 * entries.  Errors of odb_read and tree_decode. */
int tree_read(struct odb *odb, const struct oid *oid, struct tree **ret_tree);

/* The entry of that name or NULL; O(log n). */
const struct tree_entry *tree_find(const struct tree *tree, const char *name);

/* Order of two entries in a tree object: <0, 0, >0. */
int tree_compare(const char *a, uint32_t a_mode, const char *b, uint32_t b_mode);

/* Sorts entries (count of them, distinct names) in place and stores them as a
 * tree.  No entries: ret_oid is oid_empty_tree and it is stored too. */
int tree_write(struct odb *odb, struct tree_entry *entries, size_t count,
	       struct oid *ret_oid);

/* The entry at path ("a/b/c", no leading or double slash) below a tree; path ""
 * is the tree itself.  ret_entry->name is NULL.
 * -ENOENT, -ENOTDIR and the errors of tree_read. */
int tree_resolve(struct odb *odb, const struct oid *root, const char *path,
		 struct tree_entry *ret_entry);

/* Whether Git can store a file or directory of that name, on any system:
 * 0, -ENAMETOOLONG (over 255 bytes), -EINVAL (empty, ".", "..", '/' inside) or
 * -EPERM (".git" and its disguises: case, trailing dots and spaces, NTFS short
 * names "git~1", NTFS streams and folders, HFS+ ignorable characters, as `git
 * fsck` says). */
int tree_check_name(const char *name);

/* The same of what may not be a symbolic link: -EPERM for ".gitmodules" and its
 * disguises, with which git refuses to check out the tree. */
int tree_check_symlink(const char *name);

#endif
