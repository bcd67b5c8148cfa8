/* SPDX-License-Identifier: ISC */
#include "store/overlay_private.h"

void tracking_init(struct tracking *t, struct pool *pool)
{
	t->id = pool_new_id(pool);
	t->low = UINT64_MAX;
}

void tracking_set_base(struct tracking *t, const struct blob *blob,
		       uint64_t size)
{
	t->has_base = true;
	t->is_local = blob_is_local(blob);
	t->base = *blob_oid(blob);
	t->base_size = size;
}

static void drop_base(struct tracking *t, uint64_t size)
{
	t->has_base = false;
	t->base_size = size;
}

int tracking_copy(const struct tracking *t, struct tracking *ret_copy)
{
	struct tracking copy = *t;
	int r = ranges_copy(&t->ranges, &copy.ranges);

	if (r == 0)
		*ret_copy = copy;
	return r;
}

void tracking_clear(struct tracking *t)
{
	t->low = UINT64_MAX;
	ranges_release(&t->ranges);
}

void overlay_changes(struct contents *snapshot, struct contents_changes *ret)
{
	struct overlay *o = (struct overlay *)snapshot;
	const struct tracking *t = &o->tracking;

	*ret = (struct contents_changes){
		.id = t->id, .version = o->version, .size = o->size,
		.low = t->low, .ranges = &t->ranges,
		.base_size = t->base_size,
	};
	if (t->has_base) {
		ret->base = t->is_local ? CONTENTS_STORED_LOCAL :
					  CONTENTS_STORED;
		ret->oid = t->base;
	} else if (t->captured) {
		ret->base = CONTENTS_CAPTURED;
		ret->since = t->captured;
	}
}

/* Whether nothing but zeros at the end came to the base. */
static bool is_base(const struct tracking *t)
{
	return t->has_base && !t->ranges.count && !t->ranges.all &&
	       t->low == UINT64_MAX;
}

void overlay_captured(struct contents *c)
{
	struct overlay *o = (struct overlay *)c;
	struct tracking *t = &o->tracking;
	SCOPED_WRITE(&o->lock);

	t->captured = o->version;
	if (overlay_is_stored(o))
		tracking_set_base(t, o->stored, o->size);
	else if (!is_base(t))
		drop_base(t, o->size);
	tracking_clear(t);
}
