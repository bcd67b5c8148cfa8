/* SPDX-License-Identifier: ISC */
#ifndef TESTS_FACES_H
#define TESTS_FACES_H

#include "tests/test.h"
#include "store/pool.h"

#include <fcntl.h>

/* Both object databases of work trees, in memory, and a pool over them: the group
 * fixture of models of the local face. */

static struct odb *odb, *local;
static struct pool *pool;

static int set_up(void **state)
{
	static int folder;
	struct pool_options options = {
		.block_budget = 4 << 20, .blob_budget = 1 << 20,
	};

	folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (memory_odb_new(&odb) < 0 || memory_odb_new(&local) < 0)
		return -1;
	options.odb = odb;
	options.local = local;
	options.dir_fd = folder;
	return pool_new(&options, &pool);
}

static int tear_down(void **state)
{
	pool_free(pool);
	odb_free(odb);
	odb_free(local);
	return 0;
}

#endif
