/* SPDX-License-Identifier: ISC */
#ifndef TESTS_PIPES_H
#define TESTS_PIPES_H

#include "tests/test.h"
#include "store/contents.h"

#include <fcntl.h>

#define PIPE_MOST ((size_t)1 << 20)

/* What contents_move returns for a pipe that holds the bytes; then the rest of them
 * is counted and thrown away. */
static inline ssize_t move_bytes(struct contents *c, const void *data,
				 size_t size, uint64_t offset, size_t *ret_left)
{
	char rest[4096];
	ssize_t moved, n;
	int ends[2];

	assert_true(size <= PIPE_MOST);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, PIPE_MOST) >= (int)size);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(write(ends[1], data, size), size);
	moved = contents_move(c, ends[0], size, offset);
	*ret_left = 0;
	while ((n = read(ends[0], rest, sizeof(rest))) > 0)
		*ret_left += n;
	close(ends[0]);
	close(ends[1]);
	return moved;
}

#endif
