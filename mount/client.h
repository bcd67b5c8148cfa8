/* SPDX-License-Identifier: ISC */
#ifndef MOUNT_CLIENT_H
#define MOUNT_CLIENT_H

#include "mount/flags.h"
#include "store/util.h"

#include <jansson.h>

/* Where a command acts: the mount that the working directory (-C) is in, the
 * mount that holds the store of --store, or that store itself, opened for as
 * long as the command runs.  In each case requests are those of
 * store/control.h. */

struct client;

/* What a command does with its operands; returns the exit status. */
typedef int client_action(struct client *c, const struct operands *operands,
			  void *options);

/* Runs a whole command: parses argv against own flags (may be NULL) and those
 * that all commands of this kind share, finds the place, acts, closes.  Returns
 * the exit status; every failure has been reported. */
int client_command(const struct command *self, const struct flag *own,
		   int argc, char **argv, int least, int most,
		   client_action *action, void *options);

/* Opens the mount at point, for a command of another kind; client_close ends
 * it.  0 or negative errno with report. */
int client_open_mount(const char *point, struct client **ret,
		      struct report *report);
int client_close(struct client *c, struct report *report);

/* Asks, and takes the request (NULL: it could not be made, because an operand
 * is not UTF-8).  0; the error of the reply as negative errno, or another; then
 * report has a sentence.  ret_reply may be NULL; the caller owns it. */
int client_ask(struct client *c, json_t *request, json_t **ret_reply,
	       struct report *report);

/* The branches, without their commits, which would have to be waited for. */
int client_ask_names(struct client *c, json_t **ret_reply, struct report *report);

/* client_ask that reports failures on standard error and, with --json, prints
 * the reply, failures too.  Returns the exit status. */
int client_do(struct client *c, json_t *request, json_t **ret_reply);

/* Whether the reply has been printed as it is (--json). */
bool client_is_json(const struct client *c);
const char *client_name(const struct client *c);

/* The branch or, as BRANCH~N, v1.0, ..., the revision that the working directory
 * shows; NULL: it is in neither.  Path of the working directory below it, "" or
 * with a slash at the end. */
const char *client_branch(const struct client *c);
const char *client_revision(const struct client *c);
const char *client_prefix(const struct client *c);

/* The operand as a name: without slashes at the end, which completion leaves
 * there.  Changes it in place. */
const char *client_operand(char *operand);

/* The operand at index, or the branch of the working directory; reports on
 * standard error when there is neither and returns NULL. */
const char *client_branch_or(struct client *c, const struct operands *operands,
			     int index);

#endif
