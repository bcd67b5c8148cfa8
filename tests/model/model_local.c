/* SPDX-License-Identifier: ISC */
#include "tests/random.h"
#include "tests/test.h"
#include "store/local_table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Random changes of a table of facts against a plain array; and whatever way led
 * there, the same rows are the same object. */

#define NAMES 3000
#define ROUNDS 400

static struct odb *odb;

static struct local *rows[NAMES];	/* NULL: none */

static const char *name_of(unsigned int i)
{
	static char names[NAMES][16];

	snprintf(names[i], sizeof(names[i]), "%x%s", i * 7919, i % 3 ? "" : "-n");
	return names[i];
}

static struct local *some_facts(unsigned int i)
{
	struct local *local = local_new();

	local->bits = LOCAL_ATTRIBUTES | (roll(2) ? LOCAL_TIMES : 0);
	local->mode = (roll(9) ? S_IFREG : S_IFIFO) | roll(07777);
	local->uid = roll(3);
	local->mtime.tv_sec = (int64_t)roll(1000) - 500;
	local->mtime.tv_nsec = roll(1000000000);
	if (roll(10) == 0) {
		struct oid blob;

		assert_int_equal(odb_write(odb, OBJECT_BLOB, &i, sizeof(i),
					   &blob), 0);
		local_set_table(local, &(struct local_ref){ blob, false });
	}
	return local;
}

static bool is_equal(const struct local *a, const struct local *b)
{
	scoped_buffer struct buffer x = { 0 }, y = { 0 };

	assert_int_equal(local_encode(a, &x), 0);
	assert_int_equal(local_encode(b, &y), 0);
	return x.length == y.length && memcmp(x.data, y.data, x.length) == 0;
}

static int check_row(void *context, const char *name, struct local *local)
{
	size_t *count = context;
	unsigned int i = 0;

	while (i < NAMES && strcmp(name_of(i), name) != 0)
		i++;
	assert_true(i < NAMES && rows[i] && is_equal(rows[i], local));
	local_free(local);
	++*count;
	return 0;
}

static void check(const struct local_ref *table, uint64_t own)
{
	struct local_change *all = calloc(NAMES, sizeof(*all));
	struct local_ref fresh, none = { 0 };
	size_t count = 0, seen = 0;
	uint64_t expected = 0, fresh_own;

	for (unsigned int i = 0; i < NAMES; i++) {
		struct local *found = NULL;
		int r = local_table_find(odb, table, name_of(i), &found);

		assert_int_equal(r, rows[i] ? 0 : -ENOENT);
		local_free(found);
		if (!rows[i])
			continue;
		expected += local_is_own(rows[i]);
		all[count++] = (struct local_change){ name_of(i), rows[i] };
	}
	assert_true(own == expected);
	assert_int_equal(local_table_each(odb, table, check_row, &seen), 0);
	assert_int_equal(seen, count);
	assert_int_equal(local_table_change(odb, &none, all, count, &fresh,
					    &fresh_own), 0);
	assert_true(fresh_own == own);
	assert_memory_equal(&fresh.oid, &table->oid, sizeof(fresh.oid));
	free(all);
}

/* Grows for a while, then shrinks. */
static void tables_follow_changes(void **state)
{
	struct local_ref table = { 0 };
	uint64_t own = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct local_change changes[40];
		unsigned int n = roll(40);
		size_t count = 0;
		bool growing = round < ROUNDS / 2;

		for (unsigned int j = 0; j < n; j++) {
			unsigned int i = roll(NAMES);
			bool twice = false;

			for (size_t k = 0; k < count; k++)
				twice |= changes[k].name == name_of(i);
			if (twice)
				continue;
			local_free(rows[i]);
			rows[i] = roll(8) < (growing ? 7 : 1) ?
				  some_facts(i) : NULL;
			changes[count++] = (struct local_change){
				name_of(i), rows[i],
			};
		}
		assert_int_equal(local_table_change(odb, &table, changes, count,
						    &table, &own), 0);
		if (round % 40 == 39)
			check(&table, own);
	}
	for (unsigned int i = 0; i < NAMES; i++) {
		struct local_change gone = { name_of(i), NULL };

		local_free(rows[i]);
		rows[i] = NULL;
		assert_int_equal(local_table_change(odb, &table, &gone, 1,
						    &table, &own), 0);
	}
	assert_true(oid_is_zero(&table.oid));
}

static int set_up(void **state)
{
	return memory_odb_new(&odb);
}

static int tear_down(void **state)
{
	odb_free(odb);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_follow_changes),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
