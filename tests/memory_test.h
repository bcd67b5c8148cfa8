/* SPDX-License-Identifier: ISC */
#ifndef TESTS_MEMORY_TEST_H
#define TESTS_MEMORY_TEST_H

#include "tests/test.h"
#include "store/odb.h"

/* Tests of what objects in memory are enough for; each has its own. */

static struct odb *odb;

static inline int set_up(void **state)
{
	return memory_odb_new(&odb);
}

static inline int tear_down(void **state)
{
	odb_free(odb);
	return 0;
}

#endif
