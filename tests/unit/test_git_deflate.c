/* SPDX-License-Identifier: ISC */
#include "tests/shell.h"
#include "store/git_deflate.h"
#include "store/git_repo.h"

#include <sys/stat.h>

#define MIB ((size_t)1 << 20)

/* ---- bytes that shrink, and such that do not ---- */

static void fill_noise(unsigned char *data, size_t size)
{
	uint64_t x = 88172645463325252u;	/* xorshift64 (Marsaglia 2003) */

	for (size_t i = 0; i < size; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		data[i] = x >> 32;
	}
}

static void fill_text(unsigned char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] = "all of this line comes again\n"[i % 29];
}

/* Writes data as a blob in pieces, as a loose object of a new repository, whose
 * git reads it back; returns the bytes that the object takes. */
static uint64_t round_trip(const unsigned char *data, size_t size,
			   size_t piece)
{
	scoped_free char *dir = shell_begin(), *objects = NULL, *path = NULL,
			 *text = NULL;
	char hex[OID_HEX_SIZE];
	struct git_deflate *d;
	struct oid oid;
	struct stat st;
	FILE *file;

	shell_do(dir, "git init -q --bare r.git");
	assert_true(asprintf(&objects, "%s/r.git/objects", dir) > 0);
	assert_true(asprintf(&path, "%s/data", dir) > 0);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	fclose(file);
	assert_int_equal(shell_try(dir, &text, "git hash-object data"), 0);
	assert_int_equal(oid_parse(text, &oid), 0);
	assert_int_equal(git_deflate_new(objects, OBJECT_BLOB, size, 1, &d), 0);
	for (size_t at = 0; at < size; at += piece)
		assert_int_equal(git_deflate_add(d, data + at, size - at < piece ?
						 size - at : piece), 0);
	assert_int_equal(git_deflate_end(d, &oid), 0);
	git_deflate_free(d);
	oid_hex(&oid, hex);
	shell_do(dir, "cd r.git && git fsck --strict && "
		 "git cat-file blob %s | cmp - ../data", hex);
	free(path);
	assert_true(asprintf(&path, "%s/%.2s/%s", objects, hex, hex + 2) > 0);
	assert_int_equal(stat(path, &st), 0);
	shell_end(STEAL(dir));
	return st.st_size;
}

static void what_does_not_shrink_is_stored(void **state)
{
	scoped_free unsigned char *data = malloc(3 * MIB);
	uint64_t size;

	(void)state;
	fill_noise(data, 3 * MIB);
	size = round_trip(data, 3 * MIB, 65536);
	assert_in_range(size, 3 * MIB, 3 * MIB + 3 * MIB / 500);
	assert_in_range(round_trip(data, 3 * MIB, 3 * MIB), 3 * MIB,
			3 * MIB + 3 * MIB / 500);
	assert_in_range(round_trip(data, MIB / 2 + 1, 1001), MIB / 2,
			MIB / 2 + MIB / 500);
}

static void text_is_deflated(void **state)
{
	scoped_free unsigned char *data = malloc(3 * MIB);

	(void)state;
	fill_text(data, 3 * MIB);
	assert_in_range(round_trip(data, 3 * MIB, 65536), 1, MIB / 10);
	assert_in_range(round_trip(data, 3 * MIB, 70001), 1, MIB / 10);
	assert_in_range(round_trip(data, 1, 1), 1, 100);
	assert_in_range(round_trip(data, 0, 1), 1, 100);
}

static void text_behind_noise_is_deflated(void **state)
{
	scoped_free unsigned char *data = malloc(8 * MIB);

	(void)state;
	fill_noise(data, 2 * MIB);
	fill_text(data + 2 * MIB, 4 * MIB);
	fill_noise(data + 6 * MIB, 2 * MIB);
	/* of what is stored as it is, the last may be text */
	assert_in_range(round_trip(data, 8 * MIB, 65536), 4 * MIB, 5 * MIB + MIB / 5);
	assert_in_range(round_trip(data, 8 * MIB, 12345), 4 * MIB, 5 * MIB + MIB / 5);
}

/* As holes are read: in pieces of 64 KiB, wherever what else there is ends. */
static void zeros_take_almost_nothing(void **state)
{
	scoped_free unsigned char *data = calloc(64, MIB);

	(void)state;
	assert_in_range(round_trip(data, 64 * MIB, 65536), 1, 64 * MIB / 600);
	fill_text(data + 2 * MIB, MIB + 7);
	fill_noise(data + 4 * MIB - 7, MIB);
	fill_noise(data + 8 * MIB, 10);
	assert_in_range(round_trip(data, 16 * MIB, 65536), MIB, MIB + MIB / 8);
	assert_in_range(round_trip(data, 16 * MIB - 1, 65536), MIB,
			MIB + MIB / 8);
	assert_in_range(round_trip(data, 16 * MIB, 100000), MIB, MIB + MIB / 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_shrink_is_stored),
		cmocka_unit_test(text_is_deflated),
		cmocka_unit_test(text_behind_noise_is_deflated),
		cmocka_unit_test(zeros_take_almost_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
