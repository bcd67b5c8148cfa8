/* SPDX-License-Identifier: ISC */
#ifndef STORE_LOCAL_MERGE_PRIVATE_H
#define STORE_LOCAL_MERGE_PRIVATE_H

#include "store/local_merge.h"

/* Shared by store/local_merge*.c.  Errors of all are those of local_merge. */

struct merging {
	const struct local_merge *merge;
	bool has_base, has_theirs;
	bool has_written;		/* something, to local */
	struct buffer path;
};

/* A directory: where its rows are, and what Git has of it. */
struct place {
	struct local_ref base, ours, theirs;
	struct oid ours_tree, theirs_tree;
	struct timespec theirs_below;	/* times of what has no others */
	struct timespec ours_below;
	unsigned int depth;
};

/* What Git has of a name; mode 0: nothing. */
struct object {
	uint32_t mode;
	struct oid oid;
};

/* The rows of a name. */
struct rows {
	char *name;
	struct local *base, *ours, *theirs;	/* owned; or NULL */
	bool done;
};

/* One directory at work. */
struct work {
	struct merging *m;
	const struct place *place;
	struct delta *delta;
	struct rows *rows;		/* that differ; by name */
	size_t count, capacity;
	struct tree *ours, *theirs;
};

static inline bool local_is_own_row(const struct local *row)
{
	return row && local_is_own(row);
}

/* ---- local_merge_rows.c: what rows say ---- */

bool local_is_own_directory(const struct local *row);
/* Never NULL; a zero id if it has none. */
const struct local_ref *local_table_of(const struct local *row);
mode_t local_type_of(uint32_t git_mode);

/* Forgets what a row says of another object than the one that Git has; all, if
 * that is of another kind: *row is NULL then. */
void local_check_row(struct local **row, const struct object *object);

/* Whether all that a directory has and Git has not are directories, and empty but
 * for each other.  1 or 0. */
int local_has_only_empty(const struct merging *m,
			       const struct local *row);
/* The same, and the ancestor had them. */
int local_has_only_known(const struct merging *m,
			       const struct local *row,
			       const struct local *base);

/* ---- local_merge.c ---- */

/* What Git has of a name, of a file that is stored as a tree as such. */
int local_look(struct work *w, const struct tree *tree, const char *name,
		     struct object *ret);
bool local_is_same_object(const struct object *a, const struct object *b);

/* Facts of what comes from theirs, with the times that it had there. */
int local_new_facts(const struct work *w, const struct local *row,
			  bool is_directory, struct local **ret);
/* Facts of what both have; see struct local_sides. */
int local_both_facts(const struct work *w, const struct rows *rows,
			   bool replaced, bool is_theirs, struct local **ret,
			   bool *ret_changed);
/* The facts of a directory that both have go into *to, if theirs changed them or
 * they are needed. */
int local_set_directory(struct work *w, const struct rows *rows,
			      bool needed, struct local **to, uint8_t *merged);
/* Merges what is in it. */
int local_descend(struct work *w, const struct rows *rows,
			const struct object *ours, const struct object *theirs,
			struct delta *delta);

/* ---- local_merge_unseen.c ---- */

/* Makes entry one for a file that theirs has, and Git has not. */
int local_bring_own(struct work *w, struct delta_entry *entry,
		    const struct local *row);

/* Merges rows that differ where Git sees no change. */
int local_merge_unseen(struct work *w, struct rows *rows);

#endif
