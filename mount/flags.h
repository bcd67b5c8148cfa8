/* SPDX-License-Identifier: ISC */
#ifndef MOUNT_FLAGS_H
#define MOUNT_FLAGS_H

#include <stdbool.h>

/* Subcommands and their command lines. */

/* Exit statuses, as git's. */
enum {
	STATUS_OK = 0,
	STATUS_NEGATIVE = 1,	/* a conflict, or the answer is no */
	STATUS_ERROR = 128,
	STATUS_USAGE = 129,
};

struct command {
	const char *name;
	const char *operands;	/* for the usage line */
	const char *summary;
	/* argv[0] is the name.  Returns the exit status. */
	int (*run)(const struct command *self, int argc, char **argv);
};

/* All of them, in the order of the help; ends with NULL. */
extern const struct command *const commands[];
/* NULL: no such subcommand. */
const struct command *command_find(const char *name);

#define FLAG_LIST_MAX 4
struct flag_list {
	const char *values[FLAG_LIST_MAX];
	unsigned int count;
};

/* One flag; an array of them ends with a zeroed one.  Exactly one of set, text
 * and list says where it goes. */
struct flag {
	char letter;		/* 0: none */
	const char *name;
	const char *argument;	/* its name in the help; NULL: takes none */
	const char *help;
	bool *set;
	const char **text;
	const char *value;	/* what text becomes if there is no argument */
	struct flag_list *list;
};

struct operands {
	int count;
	char **values;
};

/* Parses argv against two arrays of flags (either may be NULL) and a number of
 * operands; --help (-h) prints what it knows.  Returns -1 to go on, or the exit
 * status when the command is already over (help, wrong usage). */
int flags_parse(const struct command *self, const struct flag *own,
		const struct flag *common, int argc, char **argv, int least,
		int most, struct operands *ret_operands);

/* "irminfs NAME: SENTENCE" on standard error; returns status, so: return
 * say(...). */
int say(const char *name, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Flushes standard output: status, or STATUS_ERROR in words when it could not
 * be written. */
int output_finish(const char *name, int status);

/* Digits only, least to most.  0 or -EINVAL. */
int parse_number(const char *text, unsigned long least, unsigned long most,
		 unsigned long *ret);

#endif
