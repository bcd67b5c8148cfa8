/* SPDX-License-Identifier: ISC */
#ifndef STORE_TABLE_H
#define STORE_TABLE_H

#include "store/oid.h"
#include "store/util.h"

/* The branch table: what is true of the branches of a store.  A plain value;
 * no locks inside. */

/* One path that the merge of a branch into another could not settle.  Sides
 * that are absent have mode 0. */
struct conflict {
	uint32_t number;	/* name of its folder in .irmin/conflicts */
	char *path;		/* owned */
	char *reason;		/* "both sides changed it", ...; owned */
	struct {
		uint32_t mode;
		struct oid oid;
	} base, ours, theirs, merged, suggested;
	bool resolved;		/* take theirs' side as the source has it then */
};

/* Report of merging one branch into another, kept until it is resolved. */
struct conflict_report {
	uint64_t source, target;	/* incarnations */
	char *target_name;		/* owned */
	struct oid ours;		/* commit of the target */
	struct oid theirs;		/* commit of the source */
	size_t count;
	struct conflict *conflicts;
};

struct conflict_report *conflict_report_new(void);
struct conflict_report *conflict_report_copy(const struct conflict_report *r);
void conflict_report_free(struct conflict_report *report);
/* Appends a zeroed conflict; NULL: no memory. */
struct conflict *conflict_report_add(struct conflict_report *report);

struct table_branch {
	uint64_t incarnation;
	char *name;		/* owned; without refs/heads/ */
	struct oid head;	/* commit */
	struct oid outside;	/* value its ref had when we last saw or wrote it;
				 * zero: no ref */
	struct oid local;	/* root of its local face (local_format.h); zero:
				 * none yet */
	int64_t dropped;	/* when it was dropped, seconds; 0: it is live */
};

/* A ref that no live branch has any more and that is still to be deleted. */
struct table_ref {
	char *name;		/* owned; without refs/heads/ */
	struct oid outside;	/* its value when we last saw or wrote it */
};

/* A version of contents that a frame which is not yet in Git builds on. */
struct table_contents {
	uint64_t id, version;	/* struct contents_changes */
	struct oid oid;		/* the blob that it is, */
	bool is_local;		/* in irminfs/local */
	uint64_t size;		/* of that, bytes */
};

/* What of the journal is in the table (journal_format.h). */
struct table_journal {
	uint64_t epoch;		/* 0: there is no journal */
	uint64_t published;	/* sequence up to which all cuts are applied ... */
	size_t held_count;
	uint64_t *held;		/* ... but these */
	size_t contents_count;
	struct table_contents *contents;
};

struct table {
	uint64_t next_incarnation;
	size_t branch_count;
	struct table_branch *branches;	/* live and dropped, by incarnation */
	size_t gone_count;
	struct table_ref *gone;		/* names distinct, and no live branch's */
	/* Set when HEAD named a branch that was renamed and is still to follow:
	 * if it names head_from, it shall name head_to.  Owned; both or none. */
	char *head_from, *head_to;
	size_t report_count;
	struct conflict_report **reports;
	struct table_journal journal;
};

struct table *table_new(void);			/* NULL: no memory */
struct table *table_copy(const struct table *table);	/* NULL: no memory */
void table_free(struct table *table);		/* accepts NULL */

/* Live or dropped; NULL: there is none.  Pointers to branches are valid until
 * the next table_add or table_remove. */
struct table_branch *table_find(struct table *table, uint64_t incarnation);
/* The live branch of that name, or NULL; O(branches). */
struct table_branch *table_find_name(struct table *table, const char *name);
/* Adds a branch of a new incarnation; NULL: no memory. */
struct table_branch *table_add(struct table *table, uint64_t incarnation,
			       const char *name, const struct oid *head);
/* Forgets a branch and the reports that it is a side of. */
void table_remove(struct table *table, uint64_t incarnation);
/* Replaces or (report NULL) removes the report of that pair; owns report, on
 * failure too.  -ENOMEM. */
int table_set_report(struct table *table, uint64_t source, uint64_t target,
		     struct conflict_report *report);

/* The ref of that name among the gone ones, or NULL. */
struct table_ref *table_find_gone(struct table *table, const char *name);
/* Notes that a ref is to be deleted; its name must not be there.  -ENOMEM. */
int table_add_gone(struct table *table, const char *name,
		   const struct oid *outside);
void table_remove_gone(struct table *table, struct table_ref *ref);

int table_add_held(struct table *table, uint64_t sequence);	/* -ENOMEM */
int table_add_contents(struct table *table,
		       const struct table_contents *contents);	/* -ENOMEM */
bool table_is_held(const struct table *table, uint64_t sequence);
/* Forgets held cuts and contents. */
void table_clear_journal(struct table *table);

/* Whether refs of both names cannot be there at once: one is a folder of the
 * other ("a" and "a/b"). */
bool table_names_clash(const char *a, const char *b);

/* Text form, JSON and a checksum (format in table_text.h).  ret is appended to.
 * decode: -EUCLEAN: not such a text, or damaged; -ENOTSUP: of a newer version;
 * -ENOMEM. */
int table_encode(const struct table *table, struct buffer *ret);
int table_decode(const char *text, size_t size, struct table **ret_table);

#define DROPPED_KEPT_SECONDS (30 * 86400)

#endif
