/* SPDX-License-Identifier: ISC */
#ifndef STORE_CONTENTS_H
#define STORE_CONTENTS_H

#include "store/odb.h"
#include "store/ranges.h"
#include "store/util.h"

/* Contents of files, and the registry of their types.
 *
 * A `struct contents` is one file's bytes: what is stored (a blob of the odb)
 * plus what was changed since.  It is reference counted and locks itself; every
 * function may be called from any thread.  Reading or writing may block on the
 * object database or the disk.  Offsets and sizes are bytes.
 *
 * Kinds implement `struct contents_ops`; the built-in kind is the overlay
 * (store/overlay.h).  structures/ adds others.
 */

#define CONTENTS_SIZE_MAX ((uint64_t)16 << 30)	/* beyond: -EFBIG */

struct contents;
struct contents_changes;

struct contents_ops {
	const char *name;
	ssize_t (*read)(struct contents *c, void *data, size_t size,
			uint64_t offset);
	ssize_t (*write)(struct contents *c, const void *data, size_t size,
			 uint64_t offset);
	int (*truncate)(struct contents *c, uint64_t size);
	int (*zero)(struct contents *c, uint64_t offset, uint64_t length);
	ssize_t (*share)(struct contents *from, uint64_t from_offset,
			 struct contents *to, uint64_t to_offset, size_t length);
	uint64_t (*size)(struct contents *c);
	off_t (*seek)(struct contents *c, uint64_t offset, int whence);
	int (*snapshot)(struct contents *c, struct contents **ret);
	int (*store)(struct contents *c, struct odb *odb, struct oid *ret_oid);
	void (*stored)(struct contents *c, const struct contents *snapshot,
		       const struct oid *oid);
	void (*captured)(struct contents *c);
	void (*changes)(struct contents *snapshot,
			struct contents_changes *ret);
	void (*free)(struct contents *c);
};

/* First member of every kind. */
struct contents {
	const struct contents_ops *ops;
	_Atomic unsigned int refs;
};

struct contents *contents_ref(struct contents *c);
void contents_unref(struct contents *c);	/* accepts NULL */

/* Up to size bytes at offset; fewer at the end only, 0 at or past it.  -EIO,
 * -EUCLEAN (damaged store), -ENOMEM; -ENOSPC, -EDQUOT: no room to unpack a large
 * stored file. */
ssize_t contents_read(struct contents *c, void *data, size_t size,
		      uint64_t offset);

/* Writes size bytes or fails with nothing written: -ENOSPC, -EDQUOT (the disk
 * that takes what does not fit in memory is full), -EFBIG, -EIO, -ENOMEM, errors
 * of contents_read, -EROFS (a snapshot).  Fewer bytes than size are written and
 * returned only if size is above 4 MiB or the disk fails half way. */
ssize_t contents_write(struct contents *c, const void *data, size_t size,
		       uint64_t offset);

/* Shrinks or extends with zeros.  Errors of contents_write. */
int contents_truncate(struct contents *c, uint64_t size);

/* Makes [offset, offset + length) read as zeros without changing the size; the
 * part past the end is ignored.  Errors of contents_write. */
int contents_zero(struct contents *c, uint64_t offset, uint64_t length);

/* Copies bytes from one contents to another (or the same, ranges not
 * overlapping), sharing memory where offsets allow it: copying a whole file
 * costs O(1) a block group.  Returns bytes copied (short at the end of from, or
 * when it fails half way).  -EINVAL: overlapping; errors of contents_write. */
ssize_t contents_share(struct contents *from, uint64_t from_offset,
		       struct contents *to, uint64_t to_offset, size_t length);

uint64_t contents_size(struct contents *c);

/* SEEK_DATA and SEEK_HOLE as lseek(2); -ENXIO at or past the end, or when no
 * data follows; -EINVAL: another whence. */
off_t contents_seek(struct contents *c, uint64_t offset, int whence);

/* An immutable copy of the present state, in O(size / 32 MiB): what c gets
 * written afterwards does not show in it, and writing to it fails with -EROFS.
 * The caller owns ret_snapshot. */
int contents_snapshot(struct contents *c, struct contents **ret_snapshot);

/* Stores the bytes of a snapshot as a blob, never holding a large file whole.
 * Unchanged stored contents cost nothing.  Errors of contents_read and
 * odb_write. */
int contents_store(struct contents *snapshot, struct odb *odb,
		   struct oid *ret_oid);

/* Tells c that snapshot, which was taken of it, is now stored as oid in the odb
 * of its pool: what did not change since may be dropped from memory and read
 * back from there. */
void contents_stored(struct contents *c, const struct contents *snapshot,
		     const struct oid *oid);

/* ---- what changed between captures: for the journal ---- */

enum contents_base {
	CONTENTS_EMPTY,		/* no bytes */
	CONTENTS_STORED,	/* blob `oid` of `base_size` bytes */
	CONTENTS_CAPTURED,	/* the same contents (id) at version `since` */
};

/* A snapshot is: the base's bytes below `low`, zeros behind them up to the size,
 * and, put over that, its own bytes in `ranges`. */
struct contents_changes {
	uint64_t id;		/* of the contents; its pool gives it once */
	uint64_t version;	/* of the snapshot */
	uint64_t size;
	enum contents_base base;
	struct oid oid;
	uint64_t base_size, since;
	uint64_t low;
	/* Below the size; owned by the snapshot. */
	const struct ranges *ranges;
};

/* What a snapshot differs in from the capture before it. */
void contents_changes(struct contents *snapshot, struct contents_changes *ret);

/* A snapshot of c's present state was captured: changes count from here. */
void contents_captured(struct contents *c);

/* ---- merging files ---- */

/* One file in a three-way merge.  Each side is bytes or absent (data NULL);
 * kept by the caller during the call. */
struct merge_side {
	const void *data;
	size_t size;
	const char *label;	/* for conflict markers: branch name or "base" */
	/* For types that want them (merge_type.wants_times), else NULL and 0. */
	const struct oid *oid;	/* of the blob */
	int64_t time;		/* of the last commit that changed it, seconds */
};

struct merge_input {
	struct merge_side base, ours, theirs;
	const char *path;
	int marker_size;	/* conflict-marker-size attribute, 0: 7 */
};

struct merge_output {
	void *data;		/* from malloc; the caller frees it */
	size_t size;
	char *note;		/* one line for the commit message, or NULL; owned */
};

/* A way to merge files.  0: clean; 1: conflict (data has the best attempt, with
 * markers where the type knows them); negative: error, no output. */
struct merge_type {
	const char *name;
	int (*merge)(const struct merge_input *input, struct merge_output *ret);
	/* What is no text on all sides is merged by the binary rule. */
	bool wants_text;
	/* Needs the sides' times: only commits can be merged so. */
	bool wants_times;
	/* What both sides changed alike is to be merged too, instead of taking
	 * it as it is. */
	bool wants_equal;
};

/* Adds a type for merge=NAME.  Call before a store is opened.  -EEXIST, -ENOSPC
 * (more than 64 types). */
int merge_type_register(const struct merge_type *type);

/* The type of that name or NULL.  Built in: text, union, binary, ours, theirs. */
const struct merge_type *merge_type_find(const char *name);

/* The type to suggest with where text is in conflict: its clean result is good
 * enough to be shown to a person, not to be taken unseen.  Registered once, like
 * a type, but found by no name.  -EEXIST. */
int merge_suggestion_register(const struct merge_type *type);
const struct merge_type *merge_suggestion(void);	/* NULL: none */

/* Whether Git takes it for text: no NUL in the first 8,000 bytes. */
bool contents_is_text(const void *data, size_t size);

void merge_output_release(struct merge_output *output);

#endif
