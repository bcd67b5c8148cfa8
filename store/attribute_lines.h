/* SPDX-License-Identifier: ISC */
#ifndef STORE_ATTRIBUTE_LINES_H
#define STORE_ATTRIBUTE_LINES_H

#include "store/util.h"

/* Lines of the root's .gitattributes that give irmin=TYPE to one path and no
 * other, "/PATH irmin=TYPE": those that this program writes.  Patterns with
 * wildcards are none of them.  Paths have no slash in front.  -ENOMEM. */

/* A nonzero return of visit ends it and is returned. */
typedef int attribute_line_visit(void *context, const char *path,
				 const char *type);
int attribute_lines_each(const char *text, size_t size,
			 attribute_line_visit *visit, void *context);

/* Appends a line.  -ENAMETOOLONG: Git would not read it. */
int attribute_lines_add(struct buffer *text, const char *path,
			const char *type);

/* Copies text; lines about path or what is below it are about `to` then (and
 * what is below that), or, with NULL, give no type any more and are left out when
 * nothing else is said in them.  Returns how many were changed; -ENAMETOOLONG. */
int attribute_lines_change(const char *text, size_t size, const char *path,
			   const char *to, struct buffer *ret);

#endif
