/* SPDX-License-Identifier: ISC */
#ifndef STORE_TABLE_TEXT_H
#define STORE_TABLE_TEXT_H

/* The table as text, version 2:
 *
 *   one JSON object and a newline
 *   "xxh3 ", 16 hexadecimal digits, a newline: checksum64 (seed 0) of the bytes
 *   before this line
 *
 *   {"version": 2,
 *    "next_incarnation": N,             larger than every incarnation
 *    "branches": [                      by rising incarnation
 *      {"incarnation": N, "name": TEXT, "head": OID, "outside": OID?,
 *       "local": OID?, "dropped": SECONDS?}],          live ones have distinct names
 *    "gone": [{"name": TEXT, "outside": OID?}],
 *    "head": {"from": TEXT, "to": TEXT}?,
 *    "reports": [                       one a pair
 *      {"source": N, "target": N, "target_name": TEXT, "ours": OID?,
 *       "theirs": OID?,
 *       "conflicts": [{"number": N, "path": TEXT, "reason": TEXT,
 *                      "resolved": true?,
 *                      "base", "ours", "theirs", "merged", "suggested":
 *                      {"mode": N, "oid": OID}?}]}],
 *    "journal": {"epoch": N, "published": N,
 *      "held": [{"sequence": N}],
 *      "contents": [{"id": N, "version": N, "oid": OID, "size": N,
 *                    "local": true?}]}?}
 *
 * OID is 40 hexadecimal digits; what is zero, false or absent is left out.  TEXT
 * is a string with '%' as %25; one that is not UTF-8 (Git's names are bytes) has
 * all its bytes from 0x80 as %XX too.  Valid is a text whose checksum is right
 * and whose object is as above, with no further keys.  It is replaced whole
 * (replace_file), never changed in place.
 *
 * Version 1 had no "local", and frames of the journal no facts and no moves; it is
 * read as this one is.  Version 2 had no "local" in "contents", frames no blobs in
 * irminfs/local, and faces no contents.  The table is read before the journal, so that its version
 * keeps older programs from both. */

#define TABLE_VERSION 3
#define TABLE_VERSION_OLDEST 1
#define TABLE_TRAILER "xxh3 "
#define TABLE_TRAILER_LENGTH (sizeof(TABLE_TRAILER) - 1 + 16 + 1)

#endif
