/* SPDX-License-Identifier: ISC */
#ifndef FS_LOOP_H
#define FS_LOOP_H

#include "fs/private.h"

/* The threads that serve the kernel.  libfuse's own loop (fuse_session_loop_mt)
 * ends the session when a new thread finds no memory for its buffer, and its end
 * aborts the program where there is none for loading what pthread_cancel needs:
 * what was not saved is lost then. */

/* Serves requests until the session has ended, or a signal with a handler that
 * arrives after that; blocks.  With too little memory for more threads those that
 * run go on.  SIGUSR1 must have a handler: it wakes threads that wait for
 * requests.  started (or NULL) is called once they are being served; a negative
 * result ends it.  0, -ENOMEM, -EAGAIN (no thread at all), the error of reading, or
 * started's. */
int loop_run(struct fs *fs, int (*started)(void));

#endif
