/* SPDX-License-Identifier: ISC */
#include "store/attribute_lines.h"
#include "store/attribute_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLANK " \t\r"
#define ASSIGNMENT "irmin="

/* A line taken apart. */
struct line {
	char *copy;		/* memory of the rest */
	char *path;		/* literal, without a slash in front */
	char *rest;		/* the assignments */
	const char *type;	/* the last one that irmin= gives */
};

static void line_release(struct line *line)
{
	free(line->copy);
}

/* The pattern as a path, in place; false: it has wildcards, or is of one name
 * in all folders. */
static bool make_literal(char *pattern)
{
	char *to = pattern;

	if (*pattern == '!' || !strchr(pattern, '/'))
		return false;
	for (const char *p = pattern + (*pattern == '/'); *p; p++) {
		if (strchr("*?[", *p) || (*p == '\\' && !*++p))
			return false;
		*to++ = *p;
	}
	*to = '\0';
	return *pattern;
}

/* The type in the assignments, copied behind it all; NULL: none. */
static const char *find_type(const char *rest, char *copy)
{
	const char *type = NULL;

	while (*rest) {
		size_t length = strcspn(rest, BLANK);
		size_t prefix = strlen(ASSIGNMENT);

		if (length > prefix && strncmp(rest, ASSIGNMENT, prefix) == 0) {
			memcpy(copy, rest + prefix, length - prefix);
			copy[length - prefix] = '\0';
			type = copy;
		}
		rest += length;
		rest += strspn(rest, BLANK);
	}
	return type;
}

/* 1: it is one of ours; 0: not. */
static int take_apart(const char *text, size_t size, struct line *line)
{
	char *at;

	if (size >= ATTRIBUTE_LINE_MAX || memchr(text, '\0', size))
		return 0;
	line->copy = malloc(2 * size + 2);
	if (!line->copy)
		return -ENOMEM;
	memcpy(line->copy, text, size);
	line->copy[size] = '\0';
	at = line->copy + strspn(line->copy, BLANK);
	if (!*at || *at == '#' || *at == '[')
		return 0;
	line->rest = attribute_take_pattern(&at);
	if (!line->rest || !make_literal(at))
		return 0;
	line->path = at;
	line->rest += strspn(line->rest, BLANK);
	line->type = find_type(line->rest, line->copy + size + 1);
	return line->type ? 1 : 0;
}

static size_t line_length(const char *text, size_t size)
{
	const char *end = size ? memchr(text, '\n', size) : NULL;

	return end ? (size_t)(end - text) : size;
}

int attribute_lines_each(const char *text, size_t size,
			 attribute_line_visit *visit, void *context)
{
	int r = 0;

	for (size_t at = 0; at < size && r == 0;) {
		scoped(line_release) struct line line = { 0 };
		size_t length = line_length(text + at, size - at);

		r = take_apart(text + at, length, &line);
		if (r == 1)
			r = visit(context, line.path, line.type);
		at += length + 1;
	}
	return r;
}

/* ---- writing ---- */

static bool needs_quotes(const char *path)
{
	return path[strcspn(path, BLANK "\n\"\v\f")] != '\0';
}

static int put_byte(struct buffer *b, char c, bool quoted)
{
	if (strchr("*?[\\", c) && buffer_puts(b, quoted ? "\\\\" : "\\") < 0)
		return -ENOMEM;
	if (quoted && (c == '"' || c == '\\') && buffer_puts(b, "\\") < 0)
		return -ENOMEM;
	if (quoted && c == '\n')
		return buffer_puts(b, "\\n");
	if (quoted && c == '\r')
		return buffer_puts(b, "\\r");
	return buffer_append(b, &c, 1);
}

static int put_pattern(struct buffer *b, const char *path)
{
	bool quoted = needs_quotes(path);
	int r = buffer_puts(b, quoted ? "\"/" : "/");

	for (; *path && r == 0; path++)
		r = put_byte(b, *path, quoted);
	return r == 0 && quoted ? buffer_puts(b, "\"") : r;
}

static int put_line(struct buffer *b, const char *path, const char *below,
		    const char *rest)
{
	scoped_buffer struct buffer whole = { 0 };
	size_t begin = b->length;
	int r = buffer_printf(&whole, "%s%s", path, below);

	if (r == 0)
		r = put_pattern(b, whole.data);
	if (r == 0)
		r = buffer_printf(b, " %s\n", rest);
	if (r == 0 && b->length - begin >= ATTRIBUTE_LINE_MAX)
		r = -ENAMETOOLONG;
	return r;
}

int attribute_lines_add(struct buffer *text, const char *path,
			const char *type)
{
	scoped_buffer struct buffer rest = { 0 };
	int r = buffer_printf(&rest, ASSIGNMENT "%s", type);

	if (r == 0 && text->length && text->data[text->length - 1] != '\n')
		r = buffer_puts(text, "\n");
	return r < 0 ? r : put_line(text, path, "", rest.data);
}

/* The assignments but those of irmin. */
static int put_others(struct buffer *b, const struct line *line)
{
	scoped_buffer struct buffer others = { 0 };
	const char *p = line->rest;
	int r = 0;

	while (*p && r == 0) {
		size_t length = strcspn(p, BLANK);

		if (strncmp(p, ASSIGNMENT, strlen(ASSIGNMENT)) != 0) {
			if (others.length)
				r = buffer_puts(&others, " ");
			if (r == 0)
				r = buffer_append(&others, p, length);
		}
		p += length;
		p += strspn(p, BLANK);
	}
	return r == 0 && others.length ?
		put_line(b, line->path, "", others.data) : r;
}

/* What follows path in a path that is it, or below it; or NULL. */
static const char *below(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	if (strncmp(path, folder, length) != 0)
		return NULL;
	return path[length] == '\0' || path[length] == '/' ? path + length :
							      NULL;
}

int attribute_lines_change(const char *text, size_t size, const char *path,
			   const char *to, struct buffer *ret)
{
	int changed = 0, r = 0;

	for (size_t at = 0; at < size && r == 0;) {
		scoped(line_release) struct line line = { 0 };
		size_t length = line_length(text + at, size - at);
		size_t end = at + length < size ? length + 1 : length;
		const char *rest = NULL;

		r = take_apart(text + at, length, &line);
		if (r == 1)
			rest = below(line.path, path);
		changed += rest != NULL;
		if (r >= 0)
			r = !rest ? buffer_append(ret, text + at, end) :
			    to ? put_line(ret, to, rest, line.rest) :
				 put_others(ret, &line);
		at += end;
	}
	return r < 0 ? r : changed;
}
