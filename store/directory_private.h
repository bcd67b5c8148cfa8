/* SPDX-License-Identifier: ISC */
#ifndef STORE_DIRECTORY_PRIVATE_H
#define STORE_DIRECTORY_PRIVATE_H

#include "store/directory.h"

/* Shared by directory.c, directory_places.c and directory_order.c. */

uint64_t directory_hash(const char *text);

/* The number of an entry as loaded, which depends on the text alone. */
uint64_t directory_number_of(const struct directory *d, const char *text);

/* The entry behind the last one, all of it filled in, live and stored, becomes
 * one. */
void directory_add_loaded(struct directory *d);

/* The live entry is called name from now on, which it takes over.  Room as for
 * directory_put must be there. */
void directory_set_name(struct directory *d, struct entry *e, char *name);

/* While the live entry moves, or gets another name, the index does not have it. */
void directory_index_drop(struct directory *d, const struct entry *e);
void directory_index_add(struct directory *d, const struct entry *e);

#endif
