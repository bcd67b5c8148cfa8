/* SPDX-License-Identifier: ISC */
#include "tests/shell.h"
#include "store/git_hash.h"
#include "store/git_pack.h"

#include <fcntl.h>

#define VERSIONS 200

struct fixture {
	char *dir;
	struct pack_object objects[3 * VERSIONS];
	size_t count;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	git_library_begin();
	f->dir = shell_begin();
	shell_do(f->dir, "git init -q --bare .");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < f->count; i++)
		free((void *)(uintptr_t)f->objects[i].data);
	shell_end(f->dir);
	free(f);
	git_library_end();
	return 0;
}

static const struct oid *add(struct fixture *f, enum object_type type,
			     const void *data, size_t size)
{
	struct pack_object *object = &f->objects[f->count++];
	char *copy = malloc(size + 1);

	memcpy(copy, data, size);
	*object = (struct pack_object){ .type = type, .data = copy,
					.size = size };
	assert_int_equal(git_hash(type, data, size, &object->oid), 0);
	return &object->oid;
}

/* Versions of a file of 5,000 lines, and their trees. */
static void add_versions(struct fixture *f)
{
	char *text = malloc(60000), tree[4000];
	size_t size = 0;

	for (int i = 0; i < 5000; i++)
		size += snprintf(text + size, 60000 - size, "line %d\n", i);
	for (int i = 0; i < VERSIONS; i++) {
		const struct oid *blob;
		size_t n = 0;

		memcpy(text + 37 * i, "changed", 7);
		text[size - 1 - i] = '#';
		blob = add(f, OBJECT_BLOB, text, size);
		for (int k = 0; k < 50; k++) {
			n += snprintf(tree + n, sizeof(tree) - n,
				      "100644 %02d", k) + 1;
			memset(tree + n, 'x', OID_SIZE);
			if (k == 20)
				memcpy(tree + n, blob->id, OID_SIZE);
			n += OID_SIZE;
		}
		add(f, OBJECT_TREE, tree, n);
	}
	free(text);
}

static int create(struct fixture *f, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/objects/pack/%s", f->dir, name);
	return open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
}

static void write_pack(struct fixture *f)
{
	int pack = create(f, "pack-x.pack"), index = create(f, "pack-x.idx");
	unsigned char sum[SHA1_SIZE];

	assert_int_equal(git_pack_write(pack, f->objects, f->count, 1, sum), 0);
	assert_int_equal(git_pack_write_index(index, f->objects, f->count, sum),
			 0);
	close(pack);
	close(index);
}

static void git_reads_the_pack(void **state)
{
	struct fixture *f = *state;
	char hex[OID_HEX_SIZE];

	add_versions(f);
	write_pack(f);
	shell_do(f->dir, "git verify-pack objects/pack/pack-x.pack && "
		 "git fsck --full 2>&1 | grep -v '^dangling\\|^missing\\|^notice' "
		 "| grep . && exit 1 || true");
	for (size_t i = 0; i < f->count; i += 17)
		shell_do(f->dir, "git cat-file -e %s",
			 oid_hex(&f->objects[i].oid, hex));
}

static void the_index_is_that_of_git(void **state)
{
	struct fixture *f = *state;

	add_versions(f);
	write_pack(f);
	shell_do(f->dir, "git index-pack -o other.idx objects/pack/pack-x.pack "
		 ">/dev/null && cmp other.idx objects/pack/pack-x.idx");
}

static void versions_become_deltas(void **state)
{
	struct fixture *f = *state;

	add_versions(f);
	write_pack(f);
	/* a whole object every so often, where chains would be too long */
	shell_do(f->dir, "git verify-pack -v objects/pack/pack-x.pack | "
		 "awk '$6 > 0 && $6 <= 32' | wc -l >n; "
		 "test $(cat n) -ge %d && "
		 "test $(stat -c %%s objects/pack/pack-x.pack) -lt 300000",
		 2 * VERSIONS * 9 / 10);
}

static void sizes_of_all_lengths_are_written(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 127, 128, 2047, 2048,
					70000, 300000 };
	struct fixture *f = *state;
	char *noise = malloc(300100);

	srandom(2);
	for (size_t i = 0; i < 300100; i++)
		noise[i] = random();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		add(f, OBJECT_BLOB, noise + i, sizes[i]);
	/* bases of deltas, near and far */
	noise[100000]++;
	add(f, OBJECT_BLOB, noise + 9, 300000 - 9);
	noise[200]++;
	add(f, OBJECT_BLOB, noise + 8, 70000);
	add(f, OBJECT_COMMIT, "x", 1);
	add(f, OBJECT_TAG, "x", 1);
	write_pack(f);
	shell_do(f->dir, "git verify-pack objects/pack/pack-x.pack");
	free(noise);
}

static void a_full_disk_is_told(void **state)
{
	struct fixture *f = *state;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	unsigned char sum[SHA1_SIZE] = { 0 };

	add_versions(f);
	assert_true(git_pack_write(fd, f->objects, f->count, 1, sum) < 0);
	assert_true(git_pack_write_index(fd, f->objects, f->count, sum) < 0);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(git_reads_the_pack),
		TEST(the_index_is_that_of_git),
		TEST(versions_become_deltas),
		TEST(sizes_of_all_lengths_are_written),
		TEST(a_full_disk_is_told),
	};

	return cmocka_run_group_tests_name("git_pack", tests, NULL, NULL);
}
