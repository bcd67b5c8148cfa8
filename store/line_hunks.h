/* SPDX-License-Identifier: ISC */
#ifndef STORE_LINE_HUNKS_H
#define STORE_LINE_HUNKS_H

#include "store/contents.h"

/* The line merge taken apart: what it settles, and in between the three versions
 * of each place in conflict, for merges that look closer. */

struct line_span {
	const char *data;
	size_t size;
};

struct line_hunk {
	struct line_span ours, base, theirs;	/* whole lines, each with its end */
};

/* texts[0] hunks[0] texts[1] ... hunks[count - 1] texts[count].  Git gives the
 * last line of a hunk a newline that it may not have had. */
struct line_hunks {
	size_t count;
	struct line_span *texts;
	struct line_hunk *hunks;
	void *data;			/* that all spans point into */
};

/* Takes three texts apart: all sides are there, and text (contents_is_text).
 * 0: clean (texts[0] is the merge, the same as by git_merge_lines); 1: conflicts.
 * -E2BIG: a line begins with so many '<', '|', '=' or '>' that no marker
 * can be told from it, or the texts are too large for Git; -ENOMEM.  ret is to be released unless it failed. */
int line_hunks_make(const struct merge_input *input, struct line_hunks *ret);
void line_hunks_release(struct line_hunks *hunks);

#endif
