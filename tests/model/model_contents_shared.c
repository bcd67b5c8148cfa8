/* SPDX-License-Identifier: ISC */
#include "tests/model/small_pool.h"
#include "tests/random.h"
#include "tests/sanitized.h"
#include "tests/test.h"
#include "store/overlay.h"
#include "store/tree.h"

/* Threads that use the same contents at once, within budgets of a few blocks.
 * What must hold whatever their order: nothing fails, and no page is torn.
 * IRMINFS_MODEL_ROUNDS multiplies the number of operations. */

#define CHAOS_FILES 2
#define CHAOS_SIZE 300000

struct chaos {
	struct odb *odb;
	struct contents *c[CHAOS_FILES];
	_Atomic unsigned int seed;
};

/* A page holds one byte over and over, whoever wrote it last. */
static void check_pages(struct contents *c)
{
	unsigned char page[4096];
	size_t at = 4096;

	for (; contents_read(c, page, 4096, at) == 4096; at += 5 * 4096)
		for (int i = 1; i < 4096; i++)
			assert_int_equal(page[i], page[0]);
}

static void chaos_store(struct chaos *chaos, struct contents *c)
{
	struct contents *snapshot;
	struct oid oid;

	assert_int_equal(contents_snapshot(c, &snapshot), 0);
	check_pages(snapshot);
	assert_int_equal(contents_store(snapshot, chaos->odb, &oid), 0);
	contents_stored_as(c, snapshot, MODE_FILE, &oid);
	contents_unref(snapshot);
}

static void *run_chaos(void *argument)
{
	struct chaos *chaos = argument;
	uint64_t random = ++chaos->seed * 7919;
	unsigned char bytes[16384];

	for (unsigned int i = 0; i < rounds(500); i++) {
		struct contents *c = chaos->c[draw(&random, CHAOS_FILES)];
		struct contents *other = chaos->c[draw(&random, CHAOS_FILES)];
		uint64_t at = draw(&random, CHAOS_SIZE / 4096) * 4096;

		memset(bytes, draw(&random, 256), sizeof(bytes));
		switch (draw(&random, 6)) {
		case 0:
			if (draw(&random, 8) == 0)
				contents_truncate(c, at);
			break;
		case 1:
			contents_zero(c, at, 8192);
			break;
		case 2:
			if (c != other)
				contents_share(other, at, c, at, 100 * 4096);
			break;
		case 3:
			chaos_store(chaos, c);
			break;
		case 4:
			check_pages(c);
			break;
		default:
			contents_write(c, bytes, 4096 << draw(&random, 3), at);
		}
	}
	return NULL;
}

static void threads_may_use_the_same_files(void **state)
{
	struct chaos chaos = { 0 };
	pthread_t threads[4];
	struct pool *pool;
	int fd;

	open_pool(&chaos.odb, &fd, &pool);
	for (int i = 0; i < CHAOS_FILES; i++)
		assert_int_equal(overlay_new(pool, &chaos.c[i]), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_chaos,
						&chaos), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < CHAOS_FILES; i++) {
		check_pages(chaos.c[i]);
		contents_unref(chaos.c[i]);
	}
	close_pool(chaos.odb, fd, pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_may_use_the_same_files),
	};

	return cmocka_run_group_tests_name("contents_shared", tests, NULL,
					   NULL);
}
