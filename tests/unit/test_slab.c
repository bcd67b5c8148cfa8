/* SPDX-License-Identifier: ISC */
#include "store/slab.h"
#include "tests/test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 5000

struct thing {
	size_t number, more[12];
};

static bool is_zero(const struct thing *t)
{
	static const struct thing zero;

	return memcmp(t, &zero, sizeof(zero)) == 0;
}

static void objects_are_zero_and_apart(void **state)
{
	struct slab slab = SLAB(sizeof(struct thing));
	struct thing **things = calloc(COUNT, sizeof(*things));
	unsigned int seed = 1;

	for (size_t step = 0; step < 20 * COUNT; step++) {
		size_t i = rand_r(&seed) % COUNT;

		if (things[i]) {
			assert_int_equal(things[i]->number, i);
			assert_int_equal(things[i]->more[11], ~i);
			slab_free(&slab, things[i]);
			things[i] = NULL;
			continue;
		}
		things[i] = slab_new(&slab);
		assert_non_null(things[i]);
		assert_true(is_zero(things[i]));
		things[i]->number = i;
		things[i]->more[11] = ~i;
	}
	for (size_t i = 0; i < COUNT; i++)
		slab_free(&slab, things[i]);
	slab_free(&slab, NULL);
	free(things);
}

static void *churn(void *context)
{
	struct slab *slab = context;
	size_t *mine[300] = { NULL };

	for (size_t step = 0; step < 60000; step++) {
		size_t **at = &mine[step * 7919 % 300];

		if (*at) {
			assert_int_equal(**at, (size_t)at);
			slab_free(slab, *at);
			*at = NULL;
		} else {
			*at = slab_new(slab);
			**at = (size_t)at;
		}
	}
	for (size_t i = 0; i < 300; i++)
		slab_free(slab, mine[i]);
	return NULL;
}

static void threads_share_it(void **state)
{
	struct slab slab = SLAB(512);
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn,
						&slab), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_zero_and_apart),
		cmocka_unit_test(threads_share_it),
	};

	return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
