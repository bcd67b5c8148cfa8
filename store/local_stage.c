/* SPDX-License-Identifier: ISC */
#include "store/local_stage.h"
#include "store/tree.h"
#include "store/util.h"

#include <errno.h>

#define DEPTH_MOST (64 * TREE_DEPTH_MAX)	/* trees in trees */

struct stage {
	struct odb odb;
	struct odb *memory, *under;
};

static struct stage *stage_of(struct odb *odb)
{
	return (struct stage *)odb;
}

static bool is_staged(const struct stage *s, const struct oid *oid)
{
	enum object_type type;

	return odb_read_header(s->memory, oid, &type, NULL) == 0;
}

/* Whichever has it. */
static struct odb *home(struct odb *odb, const struct oid *oid)
{
	struct stage *s = stage_of(odb);

	return is_staged(s, oid) ? s->memory : s->under;
}

static int stage_read(struct odb *odb, const struct oid *oid,
		      enum object_type *ret_type, void **ret_data,
		      size_t *ret_size)
{
	struct odb *from = home(odb, oid);

	return from->ops->read(from, oid, ret_type, ret_data, ret_size);
}

static int stage_read_header(struct odb *odb, const struct oid *oid,
			     enum object_type *ret_type, uint64_t *ret_size)
{
	return odb_read_header(home(odb, oid), oid, ret_type, ret_size);
}

static int stage_unpack(struct odb *odb, const struct oid *oid, int fd)
{
	return odb_unpack(home(odb, oid), oid, fd);
}

static int stage_write(struct odb *odb, enum object_type type,
		       const void *data, size_t size, struct oid *ret_oid)
{
	return odb_write(stage_of(odb)->memory, type, data, size, ret_oid);
}

/* What comes in pieces may not fit into memory. */
static int stage_write_blob(struct odb *odb, uint64_t size,
			    odb_source *source, void *context,
			    struct oid *ret_oid)
{
	return odb_write_blob(stage_of(odb)->under, size, source, context,
			      ret_oid);
}

static int stage_flush(struct odb *odb)
{
	return 0;
}

static void stage_free(struct odb *odb)
{
	odb_free(stage_of(odb)->memory);
	free(odb);
}

static const struct odb_ops stage_ops = {
	.read = stage_read,
	.read_header = stage_read_header,
	.unpack = stage_unpack,
	.write = stage_write,
	.write_blob = stage_write_blob,
	.flush = stage_flush,
	.free = stage_free,
};

int local_stage_new(struct odb *under, struct odb **ret_stage)
{
	struct stage *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	*s = (struct stage){ .odb.ops = &stage_ops, .under = under };
	r = memory_odb_new(&s->memory);
	if (r < 0) {
		free(s);
		return r;
	}
	*ret_stage = &s->odb;
	return 0;
}

/* ---- keeping ---- */

static int copy(struct stage *s, const struct oid *oid, enum object_type type)
{
	scoped_free void *data = NULL;
	struct oid same;
	size_t size;
	int r = odb_read(s->memory, oid, type, &data, &size);

	return r < 0 ? r : odb_write(s->under, type, data, size, &same);
}

/* Below a tree that is not staged nothing is: its ids were known when it was
 * written. */
static int keep(struct stage *s, const struct oid *oid, uint32_t mode,
		unsigned int depth)
{
	scoped_tree struct tree *tree = NULL;
	int r;

	if (!is_staged(s, oid))
		return 0;
	if (mode != MODE_TREE)
		return copy(s, oid, OBJECT_BLOB);
	if (depth > DEPTH_MOST)
		return -EUCLEAN;
	r = tree_read(s->memory, oid, &tree);
	for (size_t i = 0; r == 0 && i < tree->count; i++)
		r = keep(s, &tree->entries[i].oid, tree->entries[i].mode,
			 depth + 1);
	return r < 0 ? r : copy(s, oid, OBJECT_TREE);
}

int local_stage_keep(struct odb *stage, const struct oid *root)
{
	return keep(stage_of(stage), root, MODE_TREE, 0);
}
