/* SPDX-License-Identifier: ISC */
#ifndef TESTS_MODEL_SMALL_POOL_H
#define TESTS_MODEL_SMALL_POOL_H

#include "tests/test.h"
#include "store/overlay.h"

#include <fcntl.h>

/* A pool over an odb in memory, with budgets of a few blocks. */

static inline void open_pool(struct odb **ret_odb, int *ret_fd,
			     struct pool **ret)
{
	struct pool_options options = {
		.block_budget = 300 << 10,
		.blob_budget = 200 << 10,
		.file_budget = 500 << 10,
		.blob_max = 150 << 10,
	};

	*ret_fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(*ret_fd >= 0);
	assert_int_equal(memory_odb_new(ret_odb), 0);
	options.odb = *ret_odb;
	options.dir_fd = *ret_fd;
	assert_int_equal(pool_new(&options, ret), 0);
}

/* All contents have given back what they had. */
static inline void close_pool(struct odb *odb, int fd, struct pool *pool)
{
	struct pool_stats stats;

	pool_get_stats(pool, &stats);
	assert_int_equal(stats.block_bytes, 0);
	assert_int_equal(stats.spill_bytes, 0);
	pool_free(pool);
	odb_free(odb);
	close(fd);
}

#endif
