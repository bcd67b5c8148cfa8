/* SPDX-License-Identifier: ISC */
#ifndef STORE_CONTENTS_H
#define STORE_CONTENTS_H

#include "store/odb.h"
#include "store/ranges.h"
#include "store/util.h"

/* Contents of files, and the registry of their types.
 *
 * A `struct contents` is one file's bytes: what is stored (a blob of the odb, or
 * a structure made of several objects) plus what was changed since.  It is
 * reference counted and locks itself; every function may be called from any
 * thread.  Reading or writing may block on the object database or the disk.
 * Offsets and sizes are bytes.
 *
 * Kinds implement `struct contents_ops`; the built-in kind is the overlay
 * (store/overlay.h), which files begin as.  structures/ adds the one that can
 * insert and delete in the middle (struct contents_kind below); contents become
 * of that kind when they need it, and stay so.
 */

#define CONTENTS_SIZE_MAX ((uint64_t)16 << 30)	/* beyond: -EFBIG */

struct contents;
struct contents_changes;

/* As what contents were stored, and where. */
enum contents_place {
	CONTENTS_AS_BLOB,
	CONTENTS_AS_ROPE,	/* a structure; both in the odb of the pool */
	CONTENTS_AS_LOCAL,	/* a blob in its `local` */
};

struct contents_ops {
	const char *name;
	ssize_t (*read)(struct contents *c, void *data, size_t size,
			uint64_t offset);
	ssize_t (*write)(struct contents *c, const void *data, size_t size,
			 uint64_t offset);
	/* NULL: takes nothing */
	ssize_t (*move)(struct contents *c, int pipe, size_t size,
			uint64_t offset);
	int (*truncate)(struct contents *c, uint64_t size);
	int (*zero)(struct contents *c, uint64_t offset, uint64_t length);
	/* NULL: has to be converted first */
	int (*splice)(struct contents *c, uint64_t offset, uint64_t delete_size,
		      const void *data, size_t insert_size);
	ssize_t (*share)(struct contents *from, uint64_t from_offset,
			 struct contents *to, uint64_t to_offset, size_t length);
	uint64_t (*size)(struct contents *c);
	uint64_t (*data_size)(struct contents *c);	/* NULL: the size */
	int (*stretch)(struct contents *c, uint64_t offset, uint64_t end,
		       bool *ret_data, uint64_t *ret_end);
	/* NULL: whatever is left can be stored if it can be read */
	int (*check_cut)(struct contents *c, uint64_t offset, uint64_t size);
	int (*snapshot)(struct contents *c, struct contents **ret);
	int (*store)(struct contents *c, struct odb *odb, struct oid *ret_oid);
	void (*stored)(struct contents *c, struct contents *snapshot,
		       const struct oid *oid, enum contents_place place);
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

static inline void contents_unrefp(struct contents **contents)
{
	contents_unref(*contents);
}

#define scoped_contents scoped(contents_unrefp)

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

/* The same with bytes that are in a pipe whose end for reading does not block, not
 * copied where they go to the disk.  0: none were taken, as they are not whole
 * blocks of it or more than 4 MiB.  Where fewer are written, what is left in the
 * pipe is undefined. */
ssize_t contents_move(struct contents *c, int pipe, size_t size,
		      uint64_t offset);

/* Shrinks or extends with zeros.  Errors of contents_write. */
int contents_truncate(struct contents *c, uint64_t size);

/* Makes [offset, offset + length) read as zeros without changing the size; the
 * part past the end is ignored.  Errors of contents_write. */
int contents_zero(struct contents *c, uint64_t offset, uint64_t length);

/* Replaces delete_size bytes at offset (what is behind the end is left out) by
 * insert_size others; what follows moves.  All or nothing.  -EINVAL: offset is
 * behind the end; -EOPNOTSUPP: c must be converted first (contents_can_splice);
 * errors of contents_write. */
int contents_splice(struct contents *c, uint64_t offset, uint64_t delete_size,
		    const void *data, size_t insert_size);
bool contents_can_splice(const struct contents *c);

/* Copies bytes from one contents to another (or the same, ranges not
 * overlapping), sharing memory where offsets allow it: copying a whole file
 * costs O(1) a block group.  Returns bytes copied (short at the end of from, or
 * when it fails half way).  -EINVAL: overlapping; errors of contents_write. */
ssize_t contents_share(struct contents *from, uint64_t from_offset,
		       struct contents *to, uint64_t to_offset, size_t length);

uint64_t contents_size(struct contents *c);

/* Bytes that are not in holes; what is stored has none.  May visit each block of a
 * file with holes, once after each change. */
uint64_t contents_data_size(struct contents *c);

/* Whether there is data or a hole at offset, and where that ends: at `end` or at the
 * end of the contents at the latest, and no more than that is looked at.  -ENXIO:
 * offset is at or past the end; errors of contents_read. */
int contents_stretch(struct contents *c, uint64_t offset, uint64_t end,
		     bool *ret_data, uint64_t *ret_end);

/* SEEK_DATA and SEEK_HOLE as lseek(2); -ENXIO at or past the end, or when no
 * data follows; -EINVAL: another whence. */
off_t contents_seek(struct contents *c, uint64_t offset, int whence);

/* Before [offset, offset + size) is replaced by anything: whether what is left of
 * the stored structure at both ends can be stored again, as far as one has to look
 * there to know.  -EUCLEAN, -EIO: it is damaged; errors of contents_read. */
int contents_check_cut(struct contents *c, uint64_t offset, uint64_t size);

/* An immutable copy of the present state, in O(size / 32 MiB): what c gets
 * written afterwards does not show in it, and writing to it fails with -EROFS.
 * The caller owns ret_snapshot. */
int contents_snapshot(struct contents *c, struct contents **ret_snapshot);

/* Stores the bytes of a snapshot as a blob, never holding a large file whole.
 * Unchanged stored contents cost nothing.  Errors of contents_read and
 * odb_write. */
int contents_store(struct contents *snapshot, struct odb *odb,
		   struct oid *ret_oid);

/* Stores them as MODE_* says: as a blob, or as the tree of a structure, for
 * which the kind of the snapshot does not matter.  -EOPNOTSUPP: structures are
 * not there. */
int contents_store_as(struct contents *snapshot, struct odb *odb, uint32_t mode,
		      struct oid *ret_oid);

/* Tells c that snapshot, which was taken of it or of what it was converted from,
 * is now stored as oid, with MODE_*, in the odb of its pool: what did not change
 * since may be dropped from memory and read back from there. */
void contents_stored_as(struct contents *c, struct contents *snapshot,
			uint32_t mode, const struct oid *oid);
/* As a blob in the pool's local odb. */
void contents_stored_local(struct contents *c, struct contents *snapshot,
			   const struct oid *oid);

/* ---- what changed between captures: for the journal ---- */

enum contents_base {
	CONTENTS_EMPTY,		/* no bytes */
	CONTENTS_STORED,	/* blob or structure `oid` of `base_size` bytes */
	CONTENTS_CAPTURED,	/* the same contents (id) at version `since` */
	CONTENTS_STORED_LOCAL,	/* as STORED, a blob in the pool's local odb */
};

/* Bytes of the base that are elsewhere now. */
struct contents_move {
	uint64_t offset, size, from;	/* from: in the base */
};

/* A snapshot is: the base's bytes below `low`, zeros behind them up to the size;
 * put over that the moved ones, and over all its own bytes in `ranges`. */
struct contents_changes {
	uint64_t id;		/* of the contents; its pool gives it once */
	uint64_t version;	/* of the snapshot */
	uint64_t size;
	enum contents_base base;
	struct oid oid;
	uint64_t base_size;		/* 0 if it is EMPTY */
	uint64_t since;
	uint64_t low;
	/* Owned by the snapshot: moves that begin at or behind low and end at
	 * or before the size, by rising offset, without overlaps ... */
	const struct contents_move *moves;
	size_t move_count;
	/* ... and ranges below the size. */
	const struct ranges *ranges;
};

/* What a snapshot differs in from the capture before it. */
void contents_changes(struct contents *snapshot, struct contents_changes *ret);

/* A snapshot of c's present state was captured: changes count from here. */
void contents_captured(struct contents *c);

/* ---- the kind that can splice ---- */

struct pool;

/* How conflicts are marked. */
struct merge_marks {
	const char *ours, *theirs;	/* labels */
	int size;			/* of a marker; 0: 7 */
};

struct contents_kind {
	const char *name;
	const char *first_entry;	/* of the tree of a stored one */
	/* Contents that are the same as `from`, a kind that cannot splice, to
	 * journal and stored() too; nobody may change `from` any more. */
	int (*convert)(struct pool *pool, struct contents *from,
		       struct contents **ret);
	/* Those of a stored structure. */
	int (*open)(struct pool *pool, const struct oid *oid,
		    struct contents **ret);
	/* New ones of what struct contents_changes says, without the ranges. */
	int (*rearrange)(struct pool *pool, struct contents *base,
			 const struct contents_changes *changes,
			 struct contents **ret);
	/* Of a snapshot of any kind. */
	int (*store)(struct contents *snapshot, struct odb *odb,
		     bool executable, struct oid *ret_oid);
	/* Whether a tree is a stored structure: -EUCLEAN if not; and errors of
	 * odb_read. */
	int (*recognise)(struct odb *odb, const struct oid *oid,
			 uint64_t *ret_size, bool *ret_executable);
	/* Whether the children of a node are what it says of them; nothing below
	 * these is read.  -EUCLEAN: one is not; 0: yes, or the tree is no node;
	 * errors of odb_read. */
	int (*check)(struct odb *odb, const struct oid *oid);
	/* Up to size bytes at offset of a stored one; fewer at the end only. */
	ssize_t (*read)(struct odb *odb, const struct oid *oid, void *data,
			size_t size, uint64_t offset);
	/* Stores bytes that are in memory. */
	int (*write)(struct odb *odb, const void *data, size_t size,
		     bool executable, struct oid *ret_oid);
	/* Stores the same one with that bit. */
	int (*set_executable)(struct odb *odb, const struct oid *oid,
			      bool executable, struct oid *ret_oid);
	/* Merges stored ones by lines, reading only what differs; base: zero if
	 * there is none.  1: conflict, with markers.  The executable bit of the
	 * result is any. */
	int (*merge)(struct odb *odb, const struct oid *base,
		     const struct oid *ours, const struct oid *theirs,
		     const struct merge_marks *marks, struct oid *ret_oid);
};

/* Once a process, before a store is opened.  -EEXIST. */
int contents_kind_register(const struct contents_kind *kind);
/* NULL: none, all files are overlays. */
const struct contents_kind *contents_kind(void);

/* Makes MODE_TREE of a tree that is a stored structure MODE_ROPE or
 * MODE_ROPE_EXECUTABLE; every other mode stays.  What cannot be read stays a
 * folder too, and says so when it is opened.  ret_size: of its bytes; may be
 * NULL.  -ENOMEM. */
int contents_recognise(struct odb *odb, const struct oid *oid, uint32_t *mode,
		       uint64_t *ret_size);

/* false: contents_recognise need not be asked about a tree that has been read. */
struct tree;
bool contents_may_be_rope(const struct tree *tree);

/* Bytes of a file that is stored with MODE_*.  -EUCLEAN: it is none; errors of
 * odb_read_header. */
int contents_stored_size(struct odb *odb, const struct oid *oid, uint32_t mode,
			 uint64_t *ret_size);

/* Contents of a stored blob or structure, whichever oid is; of a blob in the
 * pool's local odb take overlay_new_local.  Errors of
 * odb_read_header; -EUCLEAN: neither. */
int contents_open(struct pool *pool, const struct oid *oid, uint64_t size,
		  struct contents **ret);

/* What the changes say without their ranges, of that base, which is used up; an
 * overlay if there are no other kinds.  The caller has checked moves and sizes.
 * Errors of contents_write. */
int contents_rearrange(struct pool *pool, struct contents *base,
		       const struct contents_changes *changes,
		       struct contents **ret);

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

/* That type, or binary where it wants text and some side is none. */
const struct merge_type *merge_type_fit(const struct merge_type *type,
					const struct merge_input *input);

/* The type to suggest with where text is in conflict: its clean result is good
 * enough to be shown to a person, not to be taken unseen.  Registered once, like
 * a type, but found by no name.  -EEXIST. */
int merge_suggestion_register(const struct merge_type *type);
const struct merge_type *merge_suggestion(void);	/* NULL: none */

/* Whether Git takes it for text: no NUL in the first 8,000 bytes. */
bool contents_is_text(const void *data, size_t size);

void merge_output_release(struct merge_output *output);

#endif
