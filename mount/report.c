/* SPDX-License-Identifier: ISC */
#include "mount/report.h"

#include "store/util.h"

#include <errno.h>
#include <string.h>

#define COLUMNS_MAX 8

const char *reply_text(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "";
}

json_int_t reply_number(const json_t *object, const char *member)
{
	return json_integer_value(json_object_get(object, member));
}

/* ---- names ---- */

/* Control characters alone: the rest of a name is the user's own writing. */
static int quote(struct buffer *to, const char *text)
{
	int r = buffer_append(to, "", 0);

	for (; r == 0 && *text; text++) {
		unsigned char c = *text;

		if (c < 0x20 || c == 0x7f)
			r = buffer_printf(to, "\\%03o", c);
		else
			r = buffer_append(to, text, 1);
	}
	return r;
}

void print_name(const char *text)
{
	scoped_buffer struct buffer quoted = { 0 };

	if (quote(&quoted, text) == 0)
		fputs(quoted.data, stdout);
}

/* ---- tables ---- */

struct table_text {
	unsigned int columns;
	size_t count;
	char **cells;
	bool failed;
};

struct table_text *table_text_new(unsigned int columns)
{
	struct table_text *t = calloc(1, sizeof(*t));

	if (t)
		t->columns = columns < COLUMNS_MAX ? columns : COLUMNS_MAX;
	return t;
}

static char *format_cell(const char *format, va_list args)
{
	scoped_buffer struct buffer quoted = { 0 };
	scoped_free char *text = NULL;

	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		return NULL;
	}
	return quote(&quoted, text) < 0 ? NULL : STEAL(quoted.data);
}

void table_text_add(struct table_text *t, const char *format, ...)
{
	va_list args;
	char **cells;

	if (!t || t->failed)
		return;
	cells = reallocarray(t->cells, t->count + 1, sizeof(*cells));
	if (!cells) {
		t->failed = true;
		return;
	}
	t->cells = cells;
	va_start(args, format);
	cells[t->count] = format_cell(format, args);
	va_end(args);
	if (cells[t->count])
		t->count++;
	else
		t->failed = true;
}

/* Characters, as far as UTF-8 tells: bytes that do not continue one. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

static void print_row(const struct table_text *t, size_t first,
		      const size_t *widths)
{
	size_t gap = 0, width;

	for (unsigned int i = 0; i < t->columns && first + i < t->count; i++) {
		const char *cell = t->cells[first + i];

		/* blanks only before something, so that no line ends in them */
		width = text_width(cell);
		if (width) {
			printf("%*s%s", (int)gap, "", cell);
			gap = 0;
		}
		gap += widths[i] - width + (widths[i] ? 2 : 0);
	}
	putchar('\n');
}

int table_text_print(struct table_text *t)
{
	size_t widths[COLUMNS_MAX] = { 0 };
	int r;

	if (!t)
		return -ENOMEM;
	for (size_t i = 0; i < t->count; i++) {
		size_t width = text_width(t->cells[i]);

		if (width > widths[i % t->columns])
			widths[i % t->columns] = width;
	}
	for (size_t i = 0; !t->failed && i < t->count; i += t->columns)
		print_row(t, i, widths);
	for (size_t i = 0; i < t->count; i++)
		free(t->cells[i]);
	r = t->failed ? -ENOMEM : 0;
	free(t->cells);
	free(t);
	return r;
}

/* ---- commits ---- */

static void print_message(const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		printf("    %.*s\n", (int)length, text);
		text += length;
		text += *text == '\n';
	}
}

static void print_time(json_int_t seconds)
{
	time_t t = seconds;
	char text[64] = "";
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y %z", &tm);
	printf("Date:   %s\n", text);
}

void print_commit(const json_t *commit)
{
	const json_t *parents = json_object_get(commit, "parents"), *parent;
	size_t i;

	printf("commit %s\n", reply_text(commit, "id"));
	if (json_array_size(parents) > 1) {
		fputs("Merge:", stdout);
		json_array_foreach(parents, i, parent)
			printf(" " SHORT_ID, json_string_value(parent));
		putchar('\n');
	}
	fputs("Author: ", stdout);
	print_name(reply_text(commit, "author"));
	fputs(" <", stdout);
	print_name(reply_text(commit, "email"));
	puts(">");
	print_time(reply_number(commit, "time"));
	putchar('\n');
	print_message(reply_text(commit, "message"));
}

void print_commit_line(const json_t *commit)
{
	const char *message = reply_text(commit, "message");
	scoped_free char *subject = strndup(message, strcspn(message, "\n"));

	printf(SHORT_ID " ", reply_text(commit, "id"));
	print_name(subject ? subject : "");
	putchar('\n');
}

/* ---- conflicts ---- */

int print_conflicts(const json_t *reply)
{
	const json_t *list = json_object_get(reply, "conflicts"), *c;
	struct table_text *t = table_text_new(5);
	size_t i;

	json_array_foreach(list, i, c) {
		table_text_add(t, "%s", reply_text(c, "branch"));
		table_text_add(t, "%lld", (long long)reply_number(c, "number"));
		table_text_add(t, "%s", reply_text(c, "path"));
		table_text_add(t, "%s", reply_text(c, "reason"));
		table_text_add(t, "into %s%s", reply_text(c, "into"),
			       json_is_true(json_object_get(c, "suggested")) ?
			       "; there is a suggestion" : "");
	}
	return table_text_print(t);
}
