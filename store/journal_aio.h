/* SPDX-License-Identifier: ISC */
#ifndef STORE_JOURNAL_AIO_H
#define STORE_JOURNAL_AIO_H

#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One write at a time that goes on while its caller does other things: Linux's
 * io_submit(2), which does not wait if a file was opened with O_DIRECT and its
 * blocks are there.  io_uring can be switched off, and often is. */

#define AIO_ALIGNMENT 4096u		/* of offset and size, in bytes */
#define AIO_MOST ((size_t)64 << 10)	/* bytes */

/* Zeroed: nothing was written yet. */
struct journal_aio {
	aio_context_t context;	/* 0: none yet */
	bool refused;		/* there can be none */
	char *bytes;		/* what is being written: AIO_MOST, aligned */
	size_t size;		/* of it; 0: nothing is */
};

/* Copies data, which is aligned in the file and not too long.  False: it cannot
 * be done, and nothing has happened. */
bool journal_aio_begin(struct journal_aio *aio, int fd, const void *data,
		       size_t size, uint64_t offset);
/* Waits for the end of what was begun: whether all of it was written. */
bool journal_aio_finish(struct journal_aio *aio);
void journal_aio_release(struct journal_aio *aio);

#endif
