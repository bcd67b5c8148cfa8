/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_PACKED_REFS_H
#define STORE_GIT_PACKED_REFS_H

#include "store/oid.h"
#include "store/util.h"

/* The file packed-refs (gitrepository-layout(5), git-pack-refs(1)): a header
 * line "# pack-refs with: ...", then lines "ID SP NAME", each followed by a line
 * "^ID" if the ref names a tag: the peeled id. */

struct packed_refs {
	struct buffer text;
};

struct packed_ref {
	const char *name;	/* inside the text, not terminated */
	size_t length;
	struct oid oid;
	size_t begin, end;	/* offsets of its lines in the text */
};

/* No file: no refs.  Errors of read_file. */
int packed_refs_read(int git_dir_fd, struct packed_refs *ret);
void packed_refs_release(struct packed_refs *refs);

/* The ref at *position (0: the first), which moves behind it.  1: found, 0: no
 * more, -EUCLEAN: damaged. */
int packed_refs_next(const struct packed_refs *refs, size_t *position,
		     struct packed_ref *ret);

/* -ENOENT, -EUCLEAN. */
int packed_refs_find(const struct packed_refs *refs, const char *name,
		     struct packed_ref *ret);

/* Whether a ref is there that cannot exist beside one of that name: one is a
 * folder of the other.  1, 0, -EUCLEAN. */
int packed_refs_clash(const struct packed_refs *refs, const char *name);

/* Removes a ref durably, under packed-refs.lock; no such ref is success.
 * -EBUSY: locked for longer than a second; errors of writing. */
int packed_refs_remove(int git_dir_fd, const char *name);

#endif
