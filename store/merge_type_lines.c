/* SPDX-License-Identifier: ISC */
#include "store/merge_private.h"
#include "store/attribute_lines.h"
#include "store/directory_type.h"

#include <stdlib.h>
#include <string.h>

/* Each queue that is made, renamed or removed changes a line at the end of the
 * root's .gitattributes.  For Git's line merge two branches that do so are in
 * conflict, though their lines have nothing to do with each other.  So where
 * nothing but such lines differs they merge as a log; and where one side changed other
 * lines, it gets what the other did to such ones. */

#define MERGED_AS "log"
/* Bytes of a text whose lines are looked for in the others one by one. */
#define SEARCHED_MAX 65536

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

/* The line behind one, or the first; NULL: there is none. */
static const char *next_line(const struct text *text, const char *line,
			     size_t *length)
{
	const char *end = (const char *)text->data + text->size;
	const char *at = line ? line + *length + 1 : text->data, *newline;

	if (!at || at >= end)
		return NULL;
	newline = memchr(at, '\n', end - at);
	*length = (newline ? newline : end) - at;
	return at;
}

static int append_line(struct buffer *text, const char *line, size_t length)
{
	return buffer_append(text, line, length) ?: buffer_append(text, "\n", 1);
}

static int find_rest(struct text *text)
{
	const char *line = NULL;
	size_t length;
	int r = buffer_reserve(&text->rest, 1);

	while (r >= 0 && (line = next_line(text, line, &length))) {
		r = is_ours(line, length);
		if (r == 0)
			r = append_line(&text->rest, line, length);
	}
	return r < 0 ? r : 0;
}

static bool is_same_rest(const struct text *a, const struct text *b)
{
	return a->rest.length == b->rest.length &&
	       memcmp(a->rest.data, b->rest.data, a->rest.length) == 0;
}

static bool has_line(const struct text *text, const char *wanted, size_t size)
{
	const char *line = NULL;
	size_t length;

	while ((line = next_line(text, line, &length)))
		if (length == size && memcmp(line, wanted, size) == 0)
			return true;
	return false;
}

/* ---- what one side did to lines of ours, in the other's text ---- */

/* 1: what side took away is in text as it was. */
static int can_remove(const struct text *base, const struct text *side,
		      const struct text *text)
{
	const char *line = NULL;
	size_t length;
	int r = 0;

	while (r >= 0 && (line = next_line(base, line, &length))) {
		r = is_ours(line, length);
		if (r == 1 && !has_line(side, line, length) &&
		    !has_line(text, line, length))
			return 0;
	}
	return r < 0 ? r : 1;
}

static int copy_lines(const struct text *from, const struct text *base,
		      const struct text *other, bool added, struct buffer *ret)
{
	const char *line = NULL;
	size_t length;
	int r = 0;

	while (r >= 0 && (line = next_line(from, line, &length))) {
		bool in_base = has_line(base, line, length);
		bool in_other = has_line(other, line, length);

		r = is_ours(line, length);
		if (r == 1 ? (added ? !in_base && !in_other :
				      !in_base || in_other) : r == 0 && !added)
			r = append_line(ret, line, length);
	}
	return r < 0 ? r : 0;
}

/* 1: ret has text with it. */
static int carry_over(const struct text *base, const struct text *side,
		      const struct text *text, struct buffer *ret)
{
	int r = can_remove(base, side, text);

	if (r < 1)
		return r;
	r = copy_lines(text, base, side, false, ret);
	if (r == 0)
		r = copy_lines(side, base, text, true, ret);
	return r < 0 ? r : 1;
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
static int write_text(struct merge_state *state, const void *data, size_t size,
		      struct merge_object *ret)
{
	const struct merge_object like = { .mode = MODE_FILE };
	int r = 0;

	*ret = (struct merge_object){ 0 };
	if (size)
		r = merge_file_write(state, data, size, &like, ret);
	return r < 0 ? r : 1;
}

static int merge_texts(struct merge_state *state,
		       const struct text texts[SIDES], struct merge_object *ret)
{
	scoped(merge_output_release) struct merge_output output = { 0 };
	const struct merge_input input = {
		.path = ATTRIBUTES_NAME, .base = side_of(&texts[BASE]),
		.ours = side_of(&texts[OURS]), .theirs = side_of(&texts[THEIRS]),
	};
	int r = merge_type_find(MERGED_AS)->merge(&input, &output);

	return r < 0 ? r : write_text(state, output.data, output.size, ret);
}

/* The side `changed` alone has other lines that differ. */
static int merge_into(struct merge_state *state, const struct text texts[SIDES],
		      int changed, struct merge_object *ret)
{
	scoped_buffer struct buffer text = { 0 };
	int r;

	for (int i = 0; i < SIDES; i++)
		if (texts[i].size > SEARCHED_MAX)
			return 0;
	r = carry_over(&texts[BASE], &texts[OURS + THEIRS - changed],
		       &texts[changed], &text);
	return r < 1 ? r : write_text(state, text.data, text.length, ret);
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
	bool ours, theirs;
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
	ours = !is_same_rest(&texts[BASE], &texts[OURS]);
	theirs = !is_same_rest(&texts[BASE], &texts[THEIRS]);
	if (!ours && !theirs)
		return merge_texts(state, texts, ret);
	/* a file that was removed is changed against removed */
	if ((ours && theirs) || !objects[ours ? OURS : THEIRS]->mode)
		return 0;
	return merge_into(state, texts, ours ? OURS : THEIRS, ret);
}
