/* SPDX-License-Identifier: ISC */
#ifndef STORE_ATTRIBUTE_FILE_H
#define STORE_ATTRIBUTE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Files of gitattributes(5), parsed and asked. */

#define ATTRIBUTE_LINE_MAX 2048	/* longer lines are left out, as in Git */

struct attribute_file;

/* Splits the pattern off a line, unquoted, and terminates it; returns what
 * follows, or NULL when the quotes are wrong. */
char *attribute_take_pattern(char **line);

/* Lines that are no attribute lines are left out, as Git does; macros: whether
 * "[attr]" lines count (in the root and in info/attributes alone).  -ENOMEM. */
int attribute_file_parse(const char *text, size_t size, bool macros,
			 struct attribute_file **ret_file);
void attribute_file_free(struct attribute_file *file);	/* accepts NULL */

enum attribute_state {
	ATTRIBUTE_UNSPECIFIED,
	ATTRIBUTE_SET,
	ATTRIBUTE_UNSET,
	ATTRIBUTE_VALUE,
};

/* One file that applies to a path. */
struct attribute_level {
	const struct attribute_file *file;
	const char *path;	/* relative to the file's folder */
};

/* State of an attribute; levels in order of precedence, the highest first.
 * *ret_value is the text of ATTRIBUTE_VALUE, inside a file.  The macro "binary"
 * is built in. */
enum attribute_state attribute_find(const struct attribute_level *levels,
				    size_t count, const char *attribute,
				    const char **ret_value);

#endif
