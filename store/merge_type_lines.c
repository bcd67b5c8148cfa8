/* SPDX-License-Identifier: ISC */
#include "store/merge_private.h"
#include "store/attribute_lines.h"
#include "store/directory_type.h"

#include <stdlib.h>
#include <string.h>

/* Each queue that is made, renamed or removed changes a line at the end of the
 * root's .gitattributes.  For Git's line merge two branches that do so are in
 * conflict, though their lines have nothing to do with each other.  So where
 * nothing but such lines differs they merge as a log. */

#define MERGED_AS "log"

enum { BASE, OURS, THEIRS, SIDES };

struct text {
	void *data;
	size_t size;
	struct buffer rest;		/* lines that are not ours */
};

static void texts_release(struct text (*texts)[SIDES])
{
	for (int i = 0; i < SIDES; i++) {
		free((*texts)[i].data);
		buffer_release(&(*texts)[i].rest);
	}
}

/* ---- which lines are ours ---- */

static int write_again(void *context, const char *path, const char *type)
{
	return directory_type_find(type) ?
		attribute_lines_add(context, path, type) : 0;
}

/* 1: it is what we would write, and says nothing else. */
static int is_ours(const char *line, size_t length)
{
	scoped_buffer struct buffer again = { 0 };
	int r = attribute_lines_each(line, length, write_again, &again);

	return r < 0 ? r : again.length == length + 1 &&
			   memcmp(again.data, line, length) == 0;
}

static int find_rest(struct text *text)
{
	const char *at = text->data, *end = at + text->size;
	int r = buffer_reserve(&text->rest, 1);

	while (r >= 0 && at && at < end) {
		const char *newline = memchr(at, '\n', end - at);
		size_t length = newline ? newline - at : end - at;

		r = is_ours(at, length);
		if (r == 0)
			r = buffer_append(&text->rest, at, length) ?:
			    buffer_append(&text->rest, "\n", 1);
		at += length + 1;
	}
	return r < 0 ? r : 0;
}

static bool is_same_rest(const struct text *a, const struct text *b)
{
	return a->rest.length == b->rest.length &&
	       memcmp(a->rest.data, b->rest.data, a->rest.length) == 0;
}

/* ---- merging ---- */

static int read_text(struct merge_state *state,
		     const struct merge_object *object, struct text *ret)
{
	int r = object->mode ? merge_file_read(state, object, &ret->data,
					       &ret->size) : 0;

	return r < 0 ? r : find_rest(ret);
}

static struct merge_side side_of(const struct text *text)
{
	return (struct merge_side){
		.data = text->data ? text->data : "", .size = text->size,
	};
}

/* As of our own changes, no file is left where no line is. */
static int merge_texts(struct merge_state *state,
		       const struct text texts[SIDES], uint32_t mode,
		       struct merge_object *ret)
{
	scoped(merge_output_release) struct merge_output output = { 0 };
	const struct merge_input input = {
		.path = ATTRIBUTES_NAME, .base = side_of(&texts[BASE]),
		.ours = side_of(&texts[OURS]), .theirs = side_of(&texts[THEIRS]),
	};
	const struct merge_object like = { .mode = mode };
	int r = merge_type_find(MERGED_AS)->merge(&input, &output);

	*ret = (struct merge_object){ 0 };
	if (r == 0 && output.size)
		r = merge_file_write(state, output.data, output.size, &like,
				     ret);
	return r < 0 ? r : 1;
}

static bool is_fit(const struct merge_object *object)
{
	return !object->mode || object->mode == MODE_FILE;
}

/* 1: none is larger than a file of lines. */
static int are_small(struct merge_state *state,
		     const struct merge_object *const sides[SIDES])
{
	for (int i = 0; i < SIDES; i++) {
		uint64_t size = 0;
		int r = sides[i]->mode ?
			merge_file_size(state, sides[i], &size) : 0;

		if (r < 0 || size > ATTRIBUTES_MAX)
			return r;
	}
	return 1;
}

int merge_type_lines(struct merge_state *state, const struct merge_sides *sides,
		     struct merge_object *ret)
{
	scoped(texts_release) struct text texts[SIDES] = { 0 };
	const struct merge_object *const objects[SIDES] = {
		&sides->base, &sides->ours, &sides->theirs,
	};
	int r;

	if (!merge_type_find(MERGED_AS) || !is_fit(&sides->base) ||
	    !is_fit(&sides->ours) || !is_fit(&sides->theirs))
		return 0;
	r = are_small(state, objects);
	if (r < 1)
		return r;
	for (int i = 0; r >= 0 && i < SIDES; i++)
		r = read_text(state, objects[i], &texts[i]);
	if (r < 0)
		return r;
	if (!is_same_rest(&texts[BASE], &texts[OURS]) ||
	    !is_same_rest(&texts[BASE], &texts[THEIRS]))
		return 0;
	return merge_texts(state, texts, MODE_FILE, ret);
}
