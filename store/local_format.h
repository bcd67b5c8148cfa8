/* SPDX-License-Identifier: ISC */
#ifndef STORE_LOCAL_FORMAT_H
#define STORE_LOCAL_FORMAT_H

/* The local face of a branch, version 1: what Git cannot hold of it.
 *
 * It is a tree of objects in a repository of its own, irminfs/local, which
 * nobody clones, pushes or fetches, and whose objects nothing in the store's
 * repository names.  The branch table has the id of each branch's root; so a fork
 * copies an id.  Objects are never changed.
 *
 * Numbers are little-endian, ids are 20 bytes, "time" is i64 seconds since 1970
 * and u32 nanoseconds.
 *
 * ROOT is a leaf, as a tree, with one row of an empty name: the facts of the
 * branch's root directory.  LOCAL_BELOW of it is the time of all that has no
 * other: that of the branch's head when the face was begun.
 *
 * Beside "leaf" and that row's table the root has up to LOCAL_BASES_MOST faces of
 * other branches: of the one that it was made of, and of those that were merged
 * into it, which are common ancestors of merges to come.  Each is a root without
 * such entries, as a tree called
 *   base-NUMBER-ORIGIN-COMMIT
 * NUMBER (16 hexadecimal digits) rises with time, ORIGIN (the same) is the branch's
 * incarnation, and COMMIT the one that it was at.  Of one branch at one commit
 * there is the last; the oldest goes when there are too many.
 *
 * TABLE of a directory, in which each name has a row of facts:
 *   leaf   up to LOCAL_LEAF_MOST rows (any number at level LOCAL_LEVEL_MOST).  A
 *          blob; or, if rows name objects, a tree of that blob as "leaf" and
 *          those objects, each under its id in hexadecimal, so that Git knows
 *          what is needed
 *   inner  more rows.  A tree of up to 16 tables of the next level, which are
 *          not empty: a row belongs to the one of digit
 *            checksum64(name, seed 0) >> 4 * level & 15        (the top: level 0)
 *          and its entry is called DIGIT-COUNT-OWN, in hexadecimal: COUNT rows,
 *          OWN of them that Git knows nothing of (below)
 *   none   no rows
 * So equal rows give equal objects, and a change costs a leaf and the inner ones
 * above it, whatever the width.
 *
 * A leaf's blob:
 *   4      "ilt1"
 *   rows by rising name (as bytes), to the end:
 *     u8 length of name (0 in ROOT alone), name, facts
 *
 * Facts:
 *   u16 bits (LOCAL_*), then the parts whose bits are set, in this order:
 *   LOCAL_ATTRIBUTES  u32 mode (type and permissions), u32 uid, u32 gid
 *   LOCAL_TIMES       time of modification, time of change
 *   LOCAL_BELOW       time: what is below a directory and has no times has these
 *   LOCAL_GIT         8 bytes: the beginning of the id of the Git object that
 *                     had these facts.  When the entry is another one now, times
 *                     and hard links are void; and all is, when it is of another
 *                     kind (LOCAL_ATTRIBUTES)
 *   LOCAL_DEVICE      u32 number of a device
 *   LOCAL_GROUP       u64, random: entries of one group are hard links of each
 *                     other, if they are the same object with the same mode in
 *                     Git, or special files of one type; of several such sets
 *                     one, and of one entry it says nothing.  Nothing else says
 *                     how many there are: the count of links is that of the rows
 *   LOCAL_XATTRS      extended attributes: u32 length, then that many bytes of:
 *                     u8 length of name, name, u32 length of value, value, by
 *                     rising name; the id of a blob of these bytes instead
 *                     with LOCAL_FAR.  In a table more than LOCAL_NEAR_MOST
 *                     bytes are always far, and fewer never
 *   LOCAL_TABLE       u8: 1 if it is a tree, else 0; id: the table of a directory
 *   LOCAL_OBJECT      u32 Git mode, id: contents that Git does not have
 * and these have no part:
 *   LOCAL_FAR         see LOCAL_XATTRS
 *   LOCAL_EMPTY       a directory that Git does not have, because it has nothing
 *                     of what is in it
 *   LOCAL_OWN_BELOW   in the directory, at any depth, is something that Git does
 *                     not have
 *   LOCAL_LINKS_BELOW in the directory, at any depth, a row has LOCAL_GROUP; or
 *                     had one: it may stay when there are none any more
 * Rows with LOCAL_EMPTY, LOCAL_OWN_BELOW or LOCAL_OBJECT, and those of a mode
 * that Git has not (fifos, sockets, devices), are OWN.
 *
 * A row whose name Git does not have counts only if it is OWN.
 *
 * The row ".irmin" in the table of ROOT is a directory of queue elements that are
 * being made: see node_shelf.c. */

#define LOCAL_MAGIC "ilt1"
#define LOCAL_MAGIC_SIZE 4u
#define LOCAL_LEAF "leaf"
#define LOCAL_LEAF_MOST 64u
#define LOCAL_LEVEL_MOST 16u
#define LOCAL_DIGITS 16u
#define LOCAL_BASES_MOST 16u

#define LOCAL_ATTRIBUTES 1u
#define LOCAL_TIMES 2u
#define LOCAL_BELOW 4u
#define LOCAL_GIT 8u
#define LOCAL_DEVICE 16u
#define LOCAL_GROUP 32u
#define LOCAL_XATTRS 64u
#define LOCAL_TABLE 128u
#define LOCAL_OBJECT 256u
#define LOCAL_FAR 512u
#define LOCAL_EMPTY 1024u
#define LOCAL_OWN_BELOW 2048u
#define LOCAL_LINKS_BELOW 4096u
#define LOCAL_ALL 8191u

#define LOCAL_GIT_SIZE 8u
#define LOCAL_XATTRS_MOST (1u << 20)	/* bytes of all of an entry's */
#define LOCAL_NEAR_MOST 256u		/* as many are with the other facts */

#endif
