/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "structures/queue.h"
#include "store/util.h"

#include <stdio.h>

/* What a push writes: the bytes of the trees on the element's path.  With -v
 * spread elements are a million too, and the figures of FORMAT.md are printed. */

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define DENSE 30000
#else
#define DENSE 1000000
#endif
#define SPREAD (verbose ? DENSE : 30000)

#define START UINT64_C(1700000000123456)
#define NAME "ten--bytes"
#define TREES 10
#define ENTRY(name_length) (27 + (name_length))		/* of a directory */
#define BOUND (128 * ENTRY(3) + 8 * 32 * ENTRY(1) + 32 * (48 + 10))

static bool verbose;

static struct queue_key key_at(uint64_t microseconds)
{
	struct timespec now = { .tv_sec = microseconds / 1000000,
				.tv_nsec = microseconds % 1000000 * 1000 };
	struct queue_key key;

	queue_key_next(NULL, &now, microseconds * 2654435761u, &key);
	return key;
}

static void put(struct queue *q, uint64_t microseconds)
{
	struct queue_element element = { .key = key_at(microseconds),
					 .name = NAME, .mode = MODE_FILE };

	memset(&element.oid, 1, sizeof(element.oid));
	assert_int_equal(queue_put(q, &element), 0);
}

/* Of all trees on the path of the element pushed last, which a push writes. */
static uint64_t path_bytes(struct odb *odb, struct queue *q,
			   uint64_t microseconds)
{
	struct queue_key key = key_at(microseconds);
	char path[QUEUE_PATH_MAX];
	uint64_t all = 0, size;
	unsigned int trees = 0;
	struct oid queue;

	assert_int_equal(queue_write(q, &queue), 0);
	assert_int_equal(queue_path(&key, NAME, path), 0);
	for (char *slash; (slash = strrchr(path, '/')); trees++) {
		struct tree_entry entry;

		*slash = '\0';
		assert_int_equal(tree_resolve(odb, &queue, path, &entry), 0);
		assert_int_equal(entry.mode, MODE_TREE);
		assert_int_equal(odb_read_header(odb, &entry.oid,
						 &(enum object_type){ 0 },
						 &size), 0);
		all += size;
	}
	assert_int_equal(odb_read_header(odb, &queue,
					 &(enum object_type){ 0 }, &size), 0);
	assert_int_equal(trees + 1, TREES);
	return all + size;
}

static void measure(uint64_t distance, unsigned int count)
{
	uint64_t all = 0, most = 0, samples = 0;
	struct odb *odb;
	struct queue *q;
	unsigned int step = count > 1000 ? 1009 : 1;

	assert_int_equal(memory_odb_new(&odb), 0);
	assert_int_equal(queue_open(odb, &(struct oid){ 0 }, &q), 0);
	for (unsigned int i = 0; i < count; i++) {
		uint64_t bytes;

		put(q, START + i * distance);
		if (i < count / 2 || i % step)
			continue;
		bytes = path_bytes(odb, q, START + i * distance);
		all += bytes;
		most = bytes > most ? bytes : most;
		samples++;
	}
	if (verbose)
		printf("# %lu us, %u: mean %lu, largest %lu\n", distance, count,
		       all / samples, most);
	assert_true(most <= BOUND);
	/* no level is full but where elements are dense */
	assert_true(all / samples < 6000);
	queue_close(q);
	odb_free(odb);
}

static void measure_distance(uint64_t distance, unsigned int most)
{
	measure(distance, 1);
	measure(distance, 1000);
	measure(distance, most);
}

static void bursts_write_little(void **state)
{
	measure_distance(1, DENSE);
	measure_distance(100, SPREAD);
}

static void spread_elements_write_little(void **state)
{
	measure_distance(1000000, SPREAD);
	measure_distance(60000000, SPREAD);
	measure_distance(UINT64_C(3600000000), SPREAD);
}

/* Every directory on a path is full: 128 of 407 days, then 32 of each. */
static void the_bound_is_reached_and_not_passed(void **state)
{
	uint64_t at = START;
	struct odb *odb;
	struct queue *q;

	assert_int_equal(memory_odb_new(&odb), 0);
	assert_int_equal(queue_open(odb, &(struct oid){ 0 }, &q), 0);
	for (unsigned int i = 0; i < 128; i++)
		if (i != at >> 45)
			put(q, (uint64_t)i << 45);
	for (unsigned int level = 0; level < 9; level++)
		for (uint64_t i = 0; i < 32; i++) {
			unsigned int shift = 5 * level;
			uint64_t other = (at & ~(UINT64_C(31) << shift)) |
					 i << shift;

			if (other != at)
				put(q, other);
		}
	put(q, at);
	assert_int_equal(path_bytes(odb, q, at), BOUND);
	queue_close(q);
	odb_free(odb);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bursts_write_little),
		cmocka_unit_test(spread_elements_write_little),
		cmocka_unit_test(the_bound_is_reached_and_not_passed),
	};

	verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
	return cmocka_run_group_tests_name("queue_bytes", tests, NULL, NULL);
}
