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

/* What is not a class is a set of bytes; what names no class never matches. */
static bool is_class(const char *name, size_t length)
{
	static const unsigned char some[] = "a0 \x01.Z\t";

	for (size_t i = 0; i < sizeof(some) - 1; i++)
		if (is_in_class(name, length, some[i]))
			return true;
	return false;
}

/* "[:NAME:]" at p; returns the byte behind it, or NULL. */
static const char *match_class(struct span at, unsigned char c, bool *matches,
			       bool *never)
{
	const char *name = at.p + 2, *end;

	if (at.end - at.p < 4 || at.p[1] != ':')
		return NULL;
	end = memchr(name, ']', at.end - name);
	if (!end || end == name || end[-1] != ':')
		return NULL;
	*never |= !is_class(name, end - 1 - name);
	*matches |= is_in_class(name, end - 1 - name, c);
	return end + 1;
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
	/* as in Git, the first byte of a range that is none counts */
	*matches |= c == low || (low <= c && c <= high);
	return at.p;
}

/* The bracket at p ('['); returns the byte behind the ']', or NULL when it has
 * no end.  ret_matches: whether it stands for c. */
static const char *take_bracket(struct span at, unsigned char c,
				bool *ret_matches)
{
	bool matches = false, never = false, negated, is_first = true;

	at.p++;
	negated = at.p < at.end && (*at.p == '!' || *at.p == '^');
	at.p += negated;
	while (at.p && at.p < at.end && (is_first || *at.p != ']')) {
		const char *behind = NULL;

		if (*at.p == '[')
			behind = match_class(at, c, &matches, &never);
		at.p = behind ? behind : match_range(at, c, &matches);
		is_first = false;
	}
	if (!at.p || at.p >= at.end)
		return NULL;
	*ret_matches = !never && matches != negated;
	return at.p + 1;
}

/* ---- names ---- */

/* What stands at p, other than '*', against c; the byte behind it or NULL. */
static const char *match_one(struct span at, unsigned char c)
{
	const char *behind;
	bool matches;

	if (at.p >= at.end)
		return NULL;
	if (*at.p == '?')
		return at.p + 1;
	if (*at.p == '[') {
		behind = take_bracket(at, c, &matches);
		return behind && matches ? behind : NULL;
	}
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

/* Of a pattern: a slash in brackets does not end it. */
static struct span pattern_component(const char *p)
{
	struct span rest = whole(p);
	bool matches;

	while (rest.p < rest.end && *rest.p != '/') {
		const char *behind = NULL;

		if (*rest.p == '[')
			behind = take_bracket(rest, '/', &matches);
		if (!behind)
			behind = rest.p + 1 + (rest.p[0] == '\\' && rest.p[1] &&
					       rest.p[1] != '/');
		rest.p = behind;
	}
	return (struct span){ p, rest.p };
}

/* Behind the component and its slash; NULL: that was the last. */
static const char *next(struct span span)
{
	return *span.end ? span.end + 1 : NULL;
}

/* More than two are no less. */
static bool is_star_star(struct span span)
{
	size_t length = span.end - span.p;

	return length >= 2 && strspn(span.p, "*") >= length;
}

/* The same method as for names, with "**" as the star. */
bool glob_match_path(const char *pattern, const char *path)
{
	const char *star = NULL, *from = NULL;

	while (path) {
		struct span wanted = pattern ? pattern_component(pattern) :
					       (struct span){ NULL, NULL };

		if (pattern && is_star_star(wanted)) {
			star = next(wanted);
			if (!star)
				return true;
			pattern = star;
			from = path;
			continue;
		}
		if (pattern && match_name(wanted, component(path))) {
			pattern = next(wanted);
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
