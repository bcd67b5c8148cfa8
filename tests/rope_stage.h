/* SPDX-License-Identifier: ISC */
#ifndef TESTS_ROPE_STAGE_H
#define TESTS_ROPE_STAGE_H

#include "tests/test.h"
#include "tests/counting_odb.h"
#include "tests/rope_test.h"

/* Stored ropes in an odb in memory that counts. */

struct stage {
	struct odb *memory;
	struct counting_odb counting;
	struct odb *odb;		/* counts */
};

static inline int set_up(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	if (!s || memory_odb_new(&s->memory) < 0)
		return -1;
	s->odb = counting_odb_init(&s->counting, s->memory);
	*state = s;
	return 0;
}

static inline int tear_down(void **state)
{
	struct stage *s = *state;

	odb_free(s->memory);
	free(s);
	return 0;
}

#define stage_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
