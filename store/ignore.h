/* SPDX-License-Identifier: ISC */
#ifndef STORE_IGNORE_H
#define STORE_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

/* The rules of .gitignore files (gitignore(5)), which libgit2 reads from work
 * trees on disk alone.
 *
 * Rules come, the last word first, from the .gitignore files of the folders
 * above a path, the lowest first, and then from the repository's info/exclude.
 * The user's own file, core.excludesFile, is NOT among them: what belongs to a
 * branch must not depend on who mounted it.
 *
 * Names are bytes, and case counts. */

#define IGNORE_NAME ".gitignore"

struct ignore_file;

/* -ENOMEM alone: what makes no sense never matches, as in Git. */
int ignore_file_parse(const char *text, size_t size,
		      struct ignore_file **ret_file);
void ignore_file_free(struct ignore_file *file);	/* accepts NULL */
bool ignore_file_has_rules(const struct ignore_file *file);

/* A file that is asked, and the path as it sees it: below its own folder. */
struct ignore_level {
	const struct ignore_file *file;
	const char *path;
};

/* Whether rules match a path of which no folder above is ignored (below one
 * that is everything is, whatever the rules say).  levels: that which is asked
 * first comes first. */
bool ignore_find(const struct ignore_level *levels, size_t count,
		 bool is_directory);

#endif
