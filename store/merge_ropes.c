/* SPDX-License-Identifier: ISC */
#include "store/merge_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Files of a merge as they are stored: blobs, and ropes, which are trees. */

/* Notes in state->report that a file's object cannot be read; returns r. */
static int unreadable(struct merge_state *state, const struct oid *oid, int r)
{
	char hex[OID_HEX_SIZE];

	return report_set(state->report, r,
			  "\"%s\" cannot be merged: object %s cannot be read: %s.",
			  state->path.data, oid_hex(oid, hex), strerror(-r));
}

int merge_file_size(struct merge_state *state,
		    const struct merge_object *object, uint64_t *ret_size)
{
	int r = contents_stored_size(state->context->odb, &object->oid,
				     object->mode, ret_size);

	return r < 0 ? unreadable(state, &object->oid, r) : 0;
}

static int read_rope(struct odb *odb, const struct oid *oid, uint64_t size,
		     void **ret_data, size_t *ret_size)
{
	scoped_free char *data = malloc(size + 1);
	ssize_t got;

	if (!data)
		return -ENOMEM;
	got = contents_kind()->read(odb, oid, data, size, 0);
	if (got < 0)
		return got;
	data[got] = '\0';
	*ret_data = STEAL(data);
	*ret_size = got;
	return 0;
}

int merge_file_read(struct merge_state *state,
		    const struct merge_object *object, void **ret_data,
		    size_t *ret_size)
{
	struct odb *odb = state->context->odb;
	uint64_t size;
	int r;

	if (!mode_is_rope(object->mode)) {
		r = odb_read(odb, &object->oid, OBJECT_BLOB, ret_data,
			     ret_size);
	} else {
		r = merge_file_size(state, object, &size);
		if (r == 0)
			r = read_rope(odb, &object->oid, size, ret_data,
				      ret_size);
	}
	return r < 0 ? unreadable(state, &object->oid, r) : 0;
}

int merge_file_write(struct merge_state *state, const void *data, size_t size,
		     const struct merge_object *like, struct merge_object *ret)
{
	struct odb *odb = state->context->odb;
	struct merge_object made = { .mode = like->mode };
	int r;

	if (mode_is_rope(like->mode))
		r = contents_kind()->write(odb, data, size,
					   mode_is_executable(like->mode),
					   &made.oid);
	else
		r = odb_write(odb, OBJECT_BLOB, data, size, &made.oid);
	if (r == 0)
		*ret = made;
	return r;
}

int merge_set_executable(struct merge_state *state, bool executable,
			 struct merge_object *file)
{
	struct oid oid = file->oid;
	int r = 0;

	if (mode_is_executable(file->mode) == executable)
		return 0;
	if (mode_is_rope(file->mode))
		r = contents_kind()->set_executable(state->context->odb, &oid,
						    executable, &file->oid);
	if (r < 0)
		return unreadable(state, &oid, r);
	if (mode_is_rope(file->mode))
		file->mode = executable ? MODE_ROPE_EXECUTABLE : MODE_ROPE;
	else
		file->mode = executable ? MODE_EXECUTABLE : MODE_FILE;
	return 0;
}

/* ---- merging ropes ---- */

bool merge_are_ropes(const struct merge_sides *sides)
{
	return mode_is_rope(sides->ours.mode) &&
	       mode_is_rope(sides->theirs.mode) &&
	       (!sides->base.mode || mode_is_rope(sides->base.mode));
}

/* 1: Git takes it for text. */
static int is_text(struct merge_state *state, const struct merge_object *object)
{
	char head[8000];
	ssize_t got;

	if (!object->mode)
		return 1;
	got = contents_kind()->read(state->context->odb, &object->oid, head,
				    sizeof(head), 0);
	if (got < 0)
		return unreadable(state, &object->oid, got);
	return contents_is_text(head, got);
}

static int all_text(struct merge_state *state, const struct merge_sides *sides)
{
	int r = is_text(state, &sides->base);

	if (r == 1)
		r = is_text(state, &sides->ours);
	if (r == 1)
		r = is_text(state, &sides->theirs);
	return r;
}

int merge_ropes(struct merge_state *state, const struct merge_sides *sides,
		const struct merge_rule *rule, struct merge_object *ret)
{
	static const struct oid none;
	const struct merge_context *context = state->context;
	const struct merge_marks marks = {
		.ours = context->ours_label, .theirs = context->theirs_label,
		.size = rule->marker_size,
	};
	struct merge_object made = { .mode = MODE_TREE };
	int r = all_text(state, sides), conflict;

	if (r < 1)
		return r < 0 ? r : 2;
	conflict = contents_kind()->merge(context->odb,
			sides->base.mode ? &sides->base.oid : &none,
			&sides->ours.oid, &sides->theirs.oid, &marks,
			&made.oid);
	if (conflict < 0)
		return report_set(state->report, conflict,
				  "Merging \"%s\" failed: %s.",
				  state->path.data, strerror(-conflict));
	r = contents_recognise(context->odb, &made.oid, &made.mode, NULL);
	if (r == 0 && !mode_is_rope(made.mode))
		r = unreadable(state, &made.oid, -EUCLEAN);
	if (r < 0)
		return r;
	*ret = made;
	return conflict;
}
