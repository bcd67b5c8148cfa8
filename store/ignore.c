/* SPDX-License-Identifier: ISC */
#include "store/glob.h"
#include "store/ignore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rule {
	const char *pattern;
	size_t literal;		/* bytes of it before the first wildcard */
	bool negative;		/* not ignored */
	bool directories;	/* matches no others */
	bool by_name;		/* against the last component alone */
};

struct ignore_file {
	char *text;		/* all patterns point here */
	struct rule *rules;
	size_t count, capacity;
};

/* ---- parsing ---- */

static int add_rule(struct ignore_file *f, const struct rule *rule)
{
	size_t more = f->capacity ? 2 * f->capacity : 16;
	struct rule *rules;

	if (f->count == f->capacity) {
		rules = reallocarray(f->rules, more, sizeof(*rules));
		if (!rules)
			return -ENOMEM;
		f->rules = rules;
		f->capacity = more;
	}
	f->rules[f->count++] = *rule;
	return 0;
}

/* Blanks at the end count only behind a backslash. */
static void trim(char *line)
{
	char *end = line;

	for (char *p = line; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == ' ')
			continue;
		end = p + 1;
	}
	*end = '\0';
}

/* An escaped slash is a slash.  False: the last backslash escapes nothing, and
 * such a pattern never matches. */
static bool unescape_slashes(char *pattern)
{
	char *to = pattern;

	for (const char *p = pattern; *p; p++) {
		if (*p == '\\' && p[1] == '/')
			continue;
		if (*p == '\\') {
			*to++ = *p++;
			if (!*p)
				return false;
		}
		*to++ = *p;
	}
	*to = '\0';
	return true;
}

static int parse_line(struct ignore_file *f, char *line)
{
	struct rule rule = { 0 };
	size_t length;

	if (*line == '#')
		return 0;
	trim(line);
	rule.negative = *line == '!';
	line += rule.negative;
	length = strlen(line);
	if (length && line[length - 1] == '/') {
		rule.directories = true;
		line[length - 1] = '\0';
	}
	if (!unescape_slashes(line))
		return 0;
	rule.by_name = !strchr(line, '/');
	line += *line == '/';
	if (!*line)
		return 0;
	rule.pattern = line;
	rule.literal = strcspn(line, "*?[\\");
	return add_rule(f, &rule);
}

/* Lines as Git finds them: a NUL ends one early, a carriage return before its
 * end is no part of it. */
static int parse(struct ignore_file *f, size_t size)
{
	char *line = f->text, *end = f->text + size;
	int r = 0;

	if (size >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0)
		line += 3;
	while (r == 0 && line < end) {
		char *newline = memchr(line, '\n', end - line);

		if (!newline)
			newline = end;
		*newline = '\0';
		if (newline > line && newline[-1] == '\r')
			newline[-1] = '\0';
		r = parse_line(f, line);
		line = newline + 1;
	}
	return r;
}

int ignore_file_parse(const char *text, size_t size,
		      struct ignore_file **ret_file)
{
	struct ignore_file *f = calloc(1, sizeof(*f));
	int r = -ENOMEM;

	if (!f)
		return r;
	f->text = malloc(size + 1);
	if (f->text) {
		memcpy(f->text, text, size);
		f->text[size] = '\0';
		r = parse(f, size);
	}
	if (r < 0) {
		ignore_file_free(f);
		return r;
	}
	*ret_file = f;
	return 0;
}

void ignore_file_free(struct ignore_file *file)
{
	if (!file)
		return;
	free(file->rules);
	free(file->text);
	free(file);
}

bool ignore_file_has_rules(const struct ignore_file *file)
{
	return file->count;
}

/* ---- asking ---- */

/* What stands before the first wildcard is compared byte for byte, and only the
 * rest as components: so, as in Git, "a**" followed by a slash or by nothing
 * goes into folders, too. */
static bool matches_path(const struct rule *rule, const char *path)
{
	const char *rest = rule->pattern + rule->literal;

	if (strncmp(rule->pattern, path, rule->literal) != 0)
		return false;
	path += rule->literal;
	return *rest ? glob_match_path(rest, path) : !*path;
}

static bool matches(const struct rule *rule, const char *path,
		    bool is_directory)
{
	const char *slash;

	if (rule->directories && !is_directory)
		return false;
	if (!rule->by_name)
		return matches_path(rule, path);
	slash = strrchr(path, '/');
	return glob_match_name(rule->pattern, slash ? slash + 1 : path);
}

bool ignore_find(const struct ignore_level *levels, size_t count,
		 bool is_directory)
{
	for (size_t i = 0; i < count; i++) {
		const struct ignore_file *f = levels[i].file;

		for (size_t j = f->count; j-- > 0;)
			if (matches(&f->rules[j], levels[i].path, is_directory))
				return !f->rules[j].negative;
	}
	return false;
}
