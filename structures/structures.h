/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_STRUCTURES_H
#define STRUCTURES_STRUCTURES_H

/* Registers all types of structures/ with store/contents.h.  Once a process,
 * before a store is opened and before merge types are looked for.  -EEXIST:
 * called twice; -ENOSPC. */
int structures_register(void);

/* Of these only the types that merge single files, for a program that does nothing
 * else; they need no more of store/ than contents.h and line_hunks.h. */
int structures_register_file_types(void);

#endif
