/* SPDX-License-Identifier: ISC */
#ifndef STORE_DIRECTORY_PLACES_H
#define STORE_DIRECTORY_PLACES_H

#include "store/directory.h"
#include "store/directory_type.h"

/* What a loaded directory of a type has besides its entries: where each of them
 * is stored.  Entries stand in the order of their keys, foreign ones behind
 * those that were loaded with them.  An entry is never `replaced`: what is to be
 * taken away at the next capture are places, which are kept in `gone`. */
struct directory_places {
	const struct directory_type *type;
	char **at;			/* by position; NULL: a hole */
	uint32_t capacity;
	uint32_t *index;		/* positions + 2, by place; as directory's */
	uint32_t index_size, index_used;
	char **gone;			/* stored places that were given up */
	uint32_t gone_count, gone_capacity;
	char *text;			/* places as loaded are in here */
	size_t text_size;
	char last[DIRECTORY_KEY_SIZE];	/* the largest key so far, or "" */
	uint32_t first;			/* before it are holes only */
	uint32_t ordered;		/* before it all are in order */
	uint32_t ordered_left;		/* while entries move together: of it */
	uint32_t foreign;		/* entries without a key */
	uint32_t pending;		/* elements that are being made */
	bool hidden;			/* what Git does not have, from before it was
					 * a queue, is not shown */
};

/* Makes an empty directory one of a type, or one whose places are to be set
 * then for each entry.  -ENOMEM. */
int places_new(struct directory *d, const struct directory_type *type);
void places_free(struct directory *d);

/* directory_load for a directory of a type.  Errors of directory_load and of
 * places_walk. */
int places_load(struct directory *d, const struct directory_type *type,
		struct odb *odb, const struct oid *oid, unsigned int epoch);

/* Calls visit for each file, link or submodule below a stored tree, in Git's
 * order; prefix: put before their paths.  A nonzero return ends the walk and is
 * returned.  -EUCLEAN: folders are too deep; -EFBIG: besides elements of the type
 * there is more than would fit in memory. */
typedef int place_visit(void *context, const char *place,
			const struct tree_entry *entry);
int places_walk(const struct directory_type *type, struct odb *odb,
		const struct oid *oid, const char *prefix, place_visit *visit,
		void *context);

/* The live entry that is stored, or to be stored, at a place; or NULL. */
struct entry *places_find(const struct directory *d, const char *place);
const char *places_of(const struct directory *d, const struct entry *e);
bool places_is_gone(const struct directory *d, const char *place);

/* A name that no live entry has: that one or NAME~2, NAME~3 and so on.  Slashes
 * become %2F.  A numbered one has at most max bytes, cut where the number would not
 * fit; ret has NAME_LENGTH_MAX + 1. */
void places_free_name(const struct directory *d, const char *name, size_t max,
		      char *ret);
/* The same with another word on which names are free. */
typedef bool places_name_free(const void *context, const char *name);
void places_free_name_by(places_name_free *is_free, const void *context,
			 const char *name, size_t max, char *ret);
/* Whether that name is free as it is. */
bool places_is_free(const struct directory *d, const char *name);

/* The place of a new element. */
int places_next(const struct directory *d, const char *name,
		const struct timespec *now, uint32_t random,
		char ret_place[DIRECTORY_PLACE_SIZE]);
/* The place of an element after it is called name; a foreign one gets a key. */
int places_rename(const struct directory *d, const struct entry *e,
		  const char *name, const struct timespec *now, uint32_t random,
		  char ret_place[DIRECTORY_PLACE_SIZE]);

/* An entry, which has none or another one, gets a place, which it takes over
 * (from malloc).  Room as for directory_put must be there.  What was stored at
 * the old place is gone. */
void places_set(struct directory *d, struct entry *e, char *place);

/* The live entry gets another name and place in the same position; takes both
 * over.  Room as for directory_put and directory_remove must be there. */
void places_move(struct directory *d, struct entry *e, char *name, char *place);

/* ---- directory_order.c ---- */

/* Puts entries that came behind others in the order of keys. -ENOMEM: they stay
 * where they are until the next load.  O(k log k + log n) for k entries from the
 * first one that moves. */
int places_sort(struct directory *d);
/* What was pushed behind foreign entries comes before them, as it will when it is
 * loaded again. */
bool places_wait_for_sort(const struct directory *d);
void places_sort_foreign(struct directory *d);

/* Calls visit for the live entries whose places are in a folder; stops at an
 * error, which is returned.  O(log n), and O(1) for each of those and for each
 * entry that came since the last places_sort. */
typedef int entry_visit(void *context, struct entry *e);
int places_each_in(struct directory *d, const char *folder, entry_visit *visit,
		   void *context);

/* An entry at that position is about to get the place. */
void places_note_order(struct directory *d, uint32_t position,
		       const char *place);

/* Moves `first` on. */
void places_skip_holes(const struct directory *d);

/* ---- for directory.c ---- */

int places_reserve(struct directory *d, size_t more);
void places_put(struct directory *d, struct entry *e);
/* The entry leaves, or is a hole already. */
void places_remove(struct directory *d, struct entry *e, bool remember);
/* Entries moved closer together: position `from` to `to`; then all did. */
void places_move_position(struct directory *d, uint32_t from, uint32_t to);
void places_index_again(struct directory *d);
void places_forget_gone(struct directory *d);

/* ---- for directory_load.c and directory_order.c ---- */

/* Whether a place has no key. */
bool places_is_foreign(const struct directory_places *p, const char *place);

/* There is room. */
void places_index_add(struct directory_places *p, uint32_t position);
void places_index_drop(struct directory_places *p, uint32_t position);
/* Of an entry that gets this place. */
void places_note_key(struct directory_places *p, const char *place);

#endif
