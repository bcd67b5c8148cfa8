/* SPDX-License-Identifier: ISC */
#ifndef STORE_POOL_SPILL_H
#define STORE_POOL_SPILL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The spill file: slots of one block each in a file without a name, for changed
 * blocks that do not fit in memory.  Nothing in it outlives the process. */

#define SPILL_NONE UINT32_MAX

struct spill {
	int dir_fd;
	pthread_mutex_t lock;	/* leaf; guards what follows */
	int fd;			/* -1: none; constant while a slot is in use */
	uint32_t *unused;	/* stack of free slots below `slots` */
	uint32_t unused_count, slots, capacity;
	uint32_t hollow;	/* unused slots, from the bottom of the stack,
				 * that take no space on the disk */
};

/* An open file without a name in the folder (O_TMPFILE, where the file system
 * lacks it a file unlinked at once), or a negative errno of open(2). */
int spill_open_file(int dir_fd);

/* Opens the file, so that errors of open(2) show early. */
int spill_init(struct spill *spill, int dir_fd);
void spill_release(struct spill *spill);

/* A slot that nobody else uses; its bytes are undefined.  -ENOMEM, and errors
 * of open(2) when a new file is needed. */
int spill_take(struct spill *spill, uint32_t *ret_slot);

/* Returns a slot.  With the last one the disk space is given back.  true: many
 * are unused, and somebody should look whether the disk needs their space. */
bool spill_drop(struct spill *spill, uint32_t slot);

/* Gives the space of unused slots back, if there is more of it than `room`; true:
 * some was.  Otherwise it is kept, since on some disks giving back takes long. */
bool spill_trim(struct spill *spill, uint64_t room);

/* Bytes [from, from + size) of a slot; 0, -ENOSPC, -EIO. */
int spill_read(struct spill *spill, uint32_t slot, void *data, uint32_t from,
	       uint32_t size);
int spill_write(struct spill *spill, uint32_t slot, const void *data,
		uint32_t from, uint32_t size);

/* Moves bytes [from, to) of a slot out of a pipe that holds as many; how far that
 * went is *ret_end, also where it fails: -ENOSPC, -EIO, and -EINVAL where the file
 * system cannot (nothing is moved then). */
int spill_move(struct spill *spill, uint32_t slot, int pipe, uint32_t from,
	       uint32_t to, uint32_t *ret_end);

uint64_t spill_bytes(struct spill *spill);

#endif
