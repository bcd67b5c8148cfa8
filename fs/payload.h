/* SPDX-License-Identifier: ISC */
#ifndef FS_PAYLOAD_H
#define FS_PAYLOAD_H

#include <stddef.h>
#include <sys/types.h>

/* Requests as they come from the kernel.  The data of large writes need not be
 * copied into memory by a thread that met one before: the kernel moves their pages
 * into a pipe (splice(2)), and on from there to where they are kept.  One request
 * at a time for each thread. */

/* As read(2) of a request.  What is in the pipe is not in data yet. */
ssize_t payload_receive(int fd, void *data, size_t size);

/* The end for reading of a pipe with all data of the write that this thread has
 * received last; it does not block.  -1: they are in memory. */
int payload_pipe(void);

/* Puts them into memory, where the request said that they are; nothing was taken out
 * of the pipe.  0, -EIO. */
int payload_fetch(void);

/* Before the thread ends. */
void payload_release(void);

#endif
