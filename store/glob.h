/* SPDX-License-Identifier: ISC */
#ifndef STORE_GLOB_H
#define STORE_GLOB_H

#include <stdbool.h>

/* Patterns of .gitattributes and .gitignore (gitignore(5), "PATTERN FORMAT"),
 * on bytes.  Both cost at most the product of the lengths. */

/* One component of a path: '?', '*', "[a-z]", "[!a]", "[[:digit:]]", '\'. */
bool glob_match_name(const char *pattern, const char *name);

/* A whole path; '*' stays inside a component.  A component "**" stands for any
 * number of folders, at the end for anything below. */
bool glob_match_path(const char *pattern, const char *path);

#endif
