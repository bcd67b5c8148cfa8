/* SPDX-License-Identifier: ISC */
#include "store/attribute_file.h"
#include "store/glob.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MOST ATTRIBUTE_LINE_MAX
#define MACROS_MOST 256		/* in one file */
#define BLANK " \t\r\n"
#define MACRO_PREFIX "[attr]"

struct assignment {
	const char *name, *value;
	enum attribute_state state;
};

struct rule {
	const char *pattern;	/* or the name of a macro */
	bool is_macro;
	bool by_name;		/* against the last component alone */
	size_t first, count;	/* of its assignments */
};

struct attribute_file {
	char *text;		/* all strings point here */
	struct rule *rules;
	size_t rule_count, rule_capacity;
	size_t macro_count, macros[MACROS_MOST];	/* indices of rules */
	struct assignment *assignments;
	size_t assignment_count, assignment_capacity;
};

/* ---- parsing ---- */

static bool is_name(const char *name, size_t length)
{
	static const char reserved[] = "builtin_";

	if (length == 0 || *name == '-' ||
	    strncmp(name, reserved, strlen(reserved)) == 0)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("-._", name[i]))
			return false;
	return true;
}

static int grow(void **array, size_t count, size_t *capacity, size_t size)
{
	size_t more = *capacity ? 2 * *capacity : 16;
	void *grown;

	if (count < *capacity)
		return 0;
	grown = reallocarray(*array, more, size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*capacity = more;
	return 0;
}

/* "name", "-name", "!name" or "name=value", terminated. */
static int parse_assignment(struct attribute_file *f, char *text)
{
	struct assignment a = { .state = ATTRIBUTE_SET };
	char *equals = strchr(text, '=');
	int r;

	if (*text == '-' || *text == '!') {
		a.state = *text == '-' ? ATTRIBUTE_UNSET : ATTRIBUTE_UNSPECIFIED;
		text++;
	} else if (equals) {
		a.state = ATTRIBUTE_VALUE;
		a.value = equals + 1;
	}
	if (equals)
		*equals = '\0';
	if (!is_name(text, strlen(text)))
		return -EINVAL;
	a.name = text;
	r = grow((void **)&f->assignments, f->assignment_count,
		 &f->assignment_capacity, sizeof(a));
	if (r == 0)
		f->assignments[f->assignment_count++] = a;
	return r;
}

static int parse_assignments(struct attribute_file *f, char *text)
{
	char *token;

	while ((token = strsep(&text, BLANK))) {
		int r = *token ? parse_assignment(f, token) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* Byte that an escape in quotes stands for; *p is behind the backslash and is
 * moved behind the escape.  Negative: no such escape. */
static int unescape(const char **p)
{
	static const char letters[] = "abfnrtv\\\"", bytes[] = "\a\b\f\n\r\t\v\\\"";
	const char *letter = **p ? strchr(letters, **p) : NULL;
	int value = 0;

	if (letter) {
		++*p;
		return (unsigned char)bytes[letter - letters];
	}
	if (**p < '0' || **p > '3')
		return -EINVAL;
	for (int i = 0; i < 3; i++, ++*p) {
		if (**p < '0' || **p > '7')
			return -EINVAL;
		value = value * 8 + (**p - '0');
	}
	return value;
}

/* The quoted text at line, unquoted in place; returns what is behind it or
 * NULL. */
static char *unquote(char *line)
{
	const char *from = line + 1;
	char *to = line;

	while (*from != '"') {
		int c = (unsigned char)*from++;

		if (c == '\\')
			c = unescape(&from);
		if (c <= 0)
			return NULL;
		*to++ = c;
	}
	*to = '\0';
	return (char *)from + 1;
}

char *attribute_take_pattern(char **line)
{
	char *rest;

	if (**line == '"')
		return unquote(*line);
	rest = *line + strcspn(*line, BLANK);
	if (*rest)
		*rest++ = '\0';
	return rest;
}

/* 0: fine; 1: the line says nothing. */
static int set_pattern(struct attribute_file *f, struct rule *rule,
		       char *pattern, bool macros)
{
	size_t length = strlen(pattern);

	if (strncmp(pattern, MACRO_PREFIX, strlen(MACRO_PREFIX)) == 0) {
		rule->is_macro = true;
		rule->pattern = pattern + strlen(MACRO_PREFIX);
		rule->pattern += strspn(rule->pattern, BLANK);
		return !macros || f->macro_count >= MACROS_MOST ||
		       !is_name(rule->pattern, strlen(rule->pattern));
	}
	/* negative patterns are not allowed; patterns for folders match none of
	 * the files that we are asked about */
	if (*pattern == '!' || length == 0 || pattern[length - 1] == '/')
		return 1;
	rule->by_name = !strchr(pattern, '/');
	rule->pattern = pattern + (*pattern == '/');
	return 0;
}

/* "[attr] name" has a blank before the name. */
static char *join_macro(char *line)
{
	size_t prefix = strlen(MACRO_PREFIX), blank;

	if (strncmp(line, MACRO_PREFIX, prefix) != 0)
		return line;
	blank = strspn(line + prefix, BLANK);
	memmove(line + blank, line, prefix);
	return line + blank;
}

static int parse_line(struct attribute_file *f, char *line, bool macros)
{
	struct rule rule = { .first = f->assignment_count };
	char *rest;
	int r;

	line += strspn(line, BLANK);
	if (!*line || *line == '#')
		return 0;
	line = join_macro(line);
	rest = attribute_take_pattern(&line);
	if (!rest || set_pattern(f, &rule, line, macros))
		return 0;
	r = parse_assignments(f, rest);
	rule.count = f->assignment_count - rule.first;
	if (r == 0)
		r = grow((void **)&f->rules, f->rule_count, &f->rule_capacity,
			 sizeof(rule));
	if (r < 0) {
		f->assignment_count = rule.first;
		return r == -EINVAL ? 0 : r;
	}
	if (rule.is_macro)
		f->macros[f->macro_count++] = f->rule_count;
	f->rules[f->rule_count++] = rule;
	return 0;
}

static int parse(struct attribute_file *f, bool macros)
{
	char *text = f->text, *line;

	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while ((line = strsep(&text, "\n"))) {
		int r = strlen(line) < LINE_MOST ?
			parse_line(f, line, macros) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

int attribute_file_parse(const char *text, size_t size, bool macros,
			 struct attribute_file **ret_file)
{
	struct attribute_file *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->text = strndup(text, size);
	r = f->text ? parse(f, macros) : -ENOMEM;
	if (r < 0) {
		attribute_file_free(f);
		return r;
	}
	*ret_file = f;
	return 0;
}

void attribute_file_free(struct attribute_file *file)
{
	if (!file)
		return;
	free(file->assignments);
	free(file->rules);
	free(file->text);
	free(file);
}

/* ---- asking ---- */

/* Git's way (attr.c, fill and macroexpand_one): from the highest level and the
 * last line on, what is said first about an attribute stands; a macro is
 * expanded when it is set, and its contents are said at that moment. */

struct query {
	const struct attribute_level *levels;
	size_t count;
	const char *attribute;
	bool found;
	enum attribute_state state;
	const char *value;
	size_t decided_count;
	const char *decided[MACROS_MOST];	/* names of macros */
};

static const struct assignment binary[] = {
	{ "diff", NULL, ATTRIBUTE_UNSET },
	{ "merge", NULL, ATTRIBUTE_UNSET },
	{ "text", NULL, ATTRIBUTE_UNSET },
};

/* Assignments of the macro of that name; NULL: it is none. */
static const struct assignment *find_macro(const struct query *q,
					   const char *name, size_t *ret_count)
{
	for (size_t i = 0; i < q->count; i++) {
		const struct attribute_file *f = q->levels[i].file;

		for (size_t j = f->macro_count; j-- > 0;) {
			const struct rule *rule = &f->rules[f->macros[j]];

			if (strcmp(rule->pattern, name) != 0)
				continue;
			*ret_count = rule->count;
			/* without assignments the array may not exist */
			return rule->count ? f->assignments + rule->first :
					     binary;
		}
	}
	if (strcmp(name, "binary") != 0)
		return NULL;
	*ret_count = sizeof(binary) / sizeof(*binary);
	return binary;
}

/* Whether this is the first word about that macro. */
static bool decide(struct query *q, const char *name)
{
	for (size_t i = 0; i < q->decided_count; i++)
		if (strcmp(q->decided[i], name) == 0)
			return false;
	if (q->decided_count == MACROS_MOST)
		return false;
	q->decided[q->decided_count++] = name;
	return true;
}

static void apply(struct query *q, const struct assignment *assignments,
		  size_t count)
{
	while (count-- > 0 && !q->found) {
		const struct assignment *a = &assignments[count];
		const struct assignment *inner;
		size_t inner_count;

		if (strcmp(a->name, q->attribute) == 0) {
			q->found = true;
			q->state = a->state;
			q->value = a->value;
			return;
		}
		inner = find_macro(q, a->name, &inner_count);
		if (inner && decide(q, a->name) && a->state == ATTRIBUTE_SET)
			apply(q, inner, inner_count);
	}
}

static bool matches(const struct rule *rule, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (rule->is_macro)
		return false;
	if (rule->by_name)
		return glob_match_name(rule->pattern, slash ? slash + 1 : path);
	return glob_match_path(rule->pattern, path);
}

static void ask_level(struct query *q, const struct attribute_level *level)
{
	const struct attribute_file *f = level->file;

	for (size_t i = f->rule_count; i-- > 0 && !q->found;)
		if (matches(&f->rules[i], level->path))
			apply(q, f->assignments + f->rules[i].first,
			      f->rules[i].count);
}

enum attribute_state attribute_find(const struct attribute_level *levels,
				    size_t count, const char *attribute,
				    const char **ret_value)
{
	struct query q = { .levels = levels, .count = count,
			   .attribute = attribute };

	for (size_t i = 0; i < count && !q.found; i++)
		ask_level(&q, &levels[i]);
	*ret_value = q.value;
	return q.state;
}
