/* SPDX-License-Identifier: ISC */
#ifndef STORE_GIT_SPARE_H
#define STORE_GIT_SPARE_H

#include "store/oid.h"

#include <stdbool.h>
#include <time.h>

/* Second names of large objects: GIT_DIR/irminfs/large/ID is a link to the file of
 * the loose object.
 *
 * A large blob is a loose object from the moment when it is written, and only later
 * comes the pin or ref that leads to it.  `git gc --prune=now` of another program
 * removes it, when that looked at refs before, be it in the end or long after they
 * are there.  Packs are safe from that (store/git_packs.h), loose objects are not.
 * So the file has a second name until any such run must be over, by which it comes
 * back.  That goes for an object that was packed meanwhile, too: a run that began
 * after that, and before the pin or ref came, removes the pack, or the cruft pack;
 * but as it takes room twice then, it stays for a shorter time.  On a disk without
 * links there are none.
 *
 * objects_dir: the folder "objects", GIT_DIR/objects. */

#define SPARE_SECONDS 3600
#define SPARE_PACKED_SECONDS 600

/* Gives the file, which is to become the object, its second name. */
void git_spare_add(const char *objects_dir, const char *file,
		   const struct oid *oid);

/* Makes the loose object of its second name; false: it has none. */
bool git_spare_restore(const char *objects_dir, const struct oid *oid);

/* Whether the object is in a pack. */
typedef bool git_spare_is_packed(void *context, const struct oid *oid);

/* Makes objects again that are gone, and lets go of names older than SPARE_SECONDS,
 * of packed objects SPARE_PACKED_SECONDS.  How many are left. */
size_t git_spare_tend(const char *objects_dir, time_t now,
		      git_spare_is_packed *is_packed, void *context);

#endif
