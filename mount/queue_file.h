/* SPDX-License-Identifier: ISC */
#ifndef MOUNT_QUEUE_FILE_H
#define MOUNT_QUEUE_FILE_H

#include <stdbool.h>

/* What commands about queues share: they act on a queue in a mount by its path,
 * with the system calls that every program has. */

/* Path of the queue's first element, in a new allocation.  NULL: no memory. */
char *queue_file_first(const char *queue);

/* STATUS_OK, or what was said: the path is no queue of a mount. */
int queue_file_check(const char *command, const char *queue);

/* Copies all that is left; 0, or negative errno of reading (*ret_writing false)
 * or writing. */
int queue_file_copy(int from, int to, bool *ret_writing);

/* Takes the element that fd has open out of the queue.  -ENOENT: somebody else has;
 * negative errno. */
int queue_file_claim(const char *queue, int fd);

/* Pushes what can be read from fd as an element called name, durably; reports
 * failures.  Returns the exit status. */
int queue_file_push(const char *command, const char *queue, const char *name,
		    int fd);

/* Puts the element that fd reads back to the end of the queue, where it stays even
 * if it cannot be made durable now.  False: it is lost, and why was reported. */
bool queue_file_put_back(const char *command, const char *queue, int fd);

#endif
