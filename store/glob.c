/* SPDX-License-Identifier: ISC */
#include "store/glob.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

/* A stretch of bytes: a component of a pattern or of a path. */
struct span {
	const char *p, *end;
};

/* ---- brackets ---- */

static bool is_in_class(const char *name, size_t length, unsigned char c)
{
	static const struct {
		const char *name;
		int (*is)(int c);
	} classes[] = {
		{ "alnum", isalnum }, { "alpha", isalpha }, { "blank", isblank },
		{ "cntrl", iscntrl }, { "digit", isdigit }, { "graph", isgraph },
		{ "lower", islower }, { "print", isprint }, { "punct", ispunct },
		{ "space", isspace }, { "upper", isupper },
		{ "xdigit", isxdigit },
	};

	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (strlen(classes[i].name) == length &&
		    memcmp(classes[i].name, name, length) == 0)
			return c < 128 && classes[i].is(c);
	return false;
}

/* "[:NAME:]" at p; returns the byte behind it, or NULL. */
static const char *match_class(struct span at, unsigned char c, bool *matches)
{
	const char *name = at.p + 2, *end = name;

	if (at.end - at.p < 4 || at.p[1] != ':')
		return NULL;
	while (end < at.end && *end != ':')
		end++;
	if (at.end - end < 2 || end[1] != ']')
		return NULL;
	*matches |= is_in_class(name, end - name, c);
	return end + 2;
}

/* One byte of a bracket, maybe escaped; NULL: cut off. */
static const char *take_byte(struct span at, unsigned char *ret)
{
	if (at.p < at.end && *at.p == '\\')
		at.p++;
	if (at.p >= at.end)
		return NULL;
	*ret = *at.p;
	return at.p + 1;
}

/* A byte or a range at p; returns the byte behind it, or NULL. */
static const char *match_range(struct span at, unsigned char c, bool *matches)
{
	unsigned char low, high;

	at.p = take_byte(at, &low);
	if (!at.p)
		return NULL;
	high = low;
	if (at.end - at.p >= 2 && at.p[0] == '-' && at.p[1] != ']') {
		at.p++;
		at.p = take_byte(at, &high);
	}
	*matches |= low <= c && c <= high;
	return at.p;
}

/* The bracket at p ('[') against c; returns the byte behind the ']', or NULL
 * when it does not match or has no end. */
static const char *match_bracket(struct span at, unsigned char c)
{
	bool matches = false, negated, is_first = true;

	at.p++;
	negated = at.p < at.end && (*at.p == '!' || *at.p == '^');
	at.p += negated;
	while (at.p && at.p < at.end && (is_first || *at.p != ']')) {
		const char *behind = NULL;

		if (*at.p == '[')
			behind = match_class(at, c, &matches);
		at.p = behind ? behind : match_range(at, c, &matches);
		is_first = false;
	}
	if (!at.p || at.p >= at.end || matches == negated)
		return NULL;
	return at.p + 1;
}

/* ---- names ---- */

/* What stands at p, other than '*', against c; the byte behind it or NULL. */
static const char *match_one(struct span at, unsigned char c)
{
	if (at.p >= at.end)
		return NULL;
	if (*at.p == '?')
		return at.p + 1;
	if (*at.p == '[')
		return match_bracket(at, c);
	if (*at.p == '\\' && at.end - at.p > 1)
		at.p++;
	return (unsigned char)*at.p == c ? at.p + 1 : NULL;
}

/* Only the last '*' need be tried again: what stands before it took the fewest
 * bytes possible. */
static bool match_name(struct span pattern, struct span name)
{
	const char *star = NULL, *from = NULL;

	while (name.p < name.end) {
		const char *behind;

		if (pattern.p < pattern.end && *pattern.p == '*') {
			star = ++pattern.p;
			from = name.p;
			continue;
		}
		behind = match_one(pattern, *name.p);
		if (behind) {
			pattern.p = behind;
			name.p++;
		} else if (star) {
			pattern.p = star;
			name.p = ++from;
		} else {
			return false;
		}
	}
	while (pattern.p < pattern.end && *pattern.p == '*')
		pattern.p++;
	return pattern.p == pattern.end;
}

static struct span whole(const char *text)
{
	return (struct span){ text, text + strlen(text) };
}

bool glob_match_name(const char *pattern, const char *name)
{
	return match_name(whole(pattern), whole(name));
}

/* ---- paths ---- */

static struct span component(const char *p)
{
	return (struct span){ p, p + strcspn(p, "/") };
}

/* Behind the component and its slash; NULL: that was the last. */
static const char *next(struct span span)
{
	return *span.end ? span.end + 1 : NULL;
}

static bool is_star_star(struct span span)
{
	return span.end - span.p == 2 && span.p[0] == '*' && span.p[1] == '*';
}

/* The same method as for names, with "**" as the star. */
bool glob_match_path(const char *pattern, const char *path)
{
	const char *star = NULL, *from = NULL;

	while (path) {
		if (pattern && is_star_star(component(pattern))) {
			star = next(component(pattern));
			if (!star)
				return true;
			pattern = star;
			from = path;
			continue;
		}
		if (pattern && match_name(component(pattern), component(path))) {
			pattern = next(component(pattern));
			path = next(component(path));
		} else if (star) {
			pattern = star;
			from = path = next(component(from));
		} else {
			return false;
		}
	}
	return !pattern;
}
