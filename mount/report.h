/* SPDX-License-Identifier: ISC */
#ifndef MOUNT_REPORT_H
#define MOUNT_REPORT_H

#include <jansson.h>
#include <stdio.h>

/* Replies of store/control.h as text for people, on standard output. */

/* String member or "". */
const char *reply_text(const json_t *object, const char *member);
/* Number member or 0. */
json_int_t reply_number(const json_t *object, const char *member);

/* A table whose columns are as wide as their widest cell; cells are copied. */
struct table_text;
struct table_text *table_text_new(unsigned int columns);	/* at most 8 */
/* Row after row, cell after cell; text NULL: empty.  A failure shows in
 * table_text_print. */
void table_text_add(struct table_text *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Prints and frees.  0 or -ENOMEM. */
int table_text_print(struct table_text *t);

/* Prints text with everything unprintable as in C strings, so that a name
 * cannot steer the terminal. */
void print_name(const char *text);

/* Commits as `git log` and `git log --oneline` print them. */
void print_commit(const json_t *commit);
void print_commit_line(const json_t *commit);

/* "  N conflicts" lists: the reply to {"do": "conflicts"}. */
int print_conflicts(const json_t *reply);

/* The first seven digits. */
#define SHORT_ID "%.7s"

#endif
