/* SPDX-License-Identifier: ISC */
#include "tests/repositories.h"
#include "tests/sanitized.h"
#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

static struct oid parse(const char *hex)
{
	struct oid oid;

	assert_int_equal(oid_parse(hex, &oid), 0);
	return oid;
}

/* Id that a command prints. */
#define GIT_OID(f, ...)                                                        \
	({                                                                     \
		char *hex_ = shell((f)->path, __VA_ARGS__);                    \
		struct oid oid_ = parse(hex_);                                 \
		free(hex_);                                                    \
		oid_;                                                          \
	})

static int read_blob(struct odb *odb, const struct oid *oid)
{
	void *data;
	size_t size;
	int r;

	messages[0] = '\0';
	r = odb_read(odb, oid, OBJECT_BLOB, &data, &size);
	if (r == 0)
		free(data);
	return r;
}

static void assert_logged(const struct oid *oid)
{
	char hex[OID_HEX_SIZE], *newline = strchr(messages, '\n');

	assert_non_null(strstr(messages, oid_hex(oid, hex)));
	assert_int_equal(newline[1], '\0');
}

/* ---- tests ---- */

static void objects_are_those_of_git(void **state)
{
	struct fixture *f = *state;
	struct tree_entry entry = { .mode = MODE_FILE, .name = "f" };
	struct oid oid, tree;
	enum object_type type;
	uint64_t size;

	entry.oid = write_text(f, "hello\n");
	oid = GIT_OID(f, "echo hello | git hash-object --stdin");
	assert_true(oid_equal(&oid, &entry.oid));
	assert_blob(f->odb, &oid, "hello\n");
	assert_int_equal(tree_write(f->odb, &entry, 1, &tree), 0);
	assert_int_equal(odb_read_header(f->odb, &tree, &type, &size), 0);
	assert_int_equal(type, OBJECT_TREE);
	assert_int_equal(size, sizeof("100644 f") + OID_SIZE);
	assert_int_equal(read_blob(f->odb, &tree), -EUCLEAN);
	assert_int_equal(odb_flush(f->odb), 0);
	assert_blob(f->odb, &oid, "hello\n");
	shell_do(f->path, "git fsck --strict");
}

static void what_git_writes_is_seen(void **state)
{
	struct fixture *f = *state;
	struct oid oid = GIT_OID(f, "echo late | git hash-object -w --stdin");
	struct oid packed;

	assert_blob(f->odb, &oid, "late\n");
	packed = GIT_OID(f, "echo pack >../p; git hash-object -w ../p; "
			 "git hash-object ../p | git pack-objects -q "
			 "objects/pack/pack >/dev/null; git prune-packed");
	assert_blob(f->odb, &packed, "pack\n");
	/* the pack that we have open is replaced by another */
	shell_do(f->path, "t=$(printf '100644 blob %%s\\tf\\n' "
		 "$(git hash-object ../p) | git mktree); "
		 "git update-ref refs/heads/x $(git commit-tree -m x $t); "
		 "git repack -adfq; git prune-packed");
	assert_blob(f->odb, &packed, "pack\n");
}

static void missing_objects_are_named(void **state)
{
	struct fixture *f = *state;
	struct oid oid = parse("1234567890123456789012345678901234567890");
	enum object_type type;

	assert_int_equal(read_blob(f->odb, &oid), -EIO);
	assert_logged(&oid);
	messages[0] = '\0';
	assert_int_equal(odb_read_header(f->odb, &oid, &type, NULL), -EIO);
	assert_logged(&oid);
	messages[0] = '\0';
	assert_int_equal(odb_unpack(f->odb, &oid, 2), -EIO);
	assert_logged(&oid);
}

/* Replaces the loose object by what command makes of it ("$o" is its file). */
static void damage(struct fixture *f, const struct oid *oid,
		   const char *command)
{
	char hex[OID_HEX_SIZE];

	oid_hex(oid, hex);
	shell_do(f->path, "o=objects/%.2s/%s; chmod +w $o; %s", hex, hex + 2,
		 command);
}

static void damaged_objects_are_named_and_replaced(void **state)
{
	static const char *const ways[] = {
		": >$o", "truncate -s 9 $o", "echo garbage >$o",
		"cp objects/$(git hash-object ../other | sed 's,^..,&/,') $o",
		"printf 'xxxx' | dd of=$o bs=1 seek=30 conv=notrunc 2>&1",
	};
	struct fixture *f = *state;
	const char *text = "some text that is longer than the header is\n";
	struct oid oid, again;
	enum object_type type;

	shell_do(f->path, "echo other >../other; git hash-object -w ../other");
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		int fd = open(f->dir, O_TMPFILE | O_RDWR, 0600), r;

		oid = write_large(f, text);
		assert_int_equal(read_blob(f->odb, &oid), 0);
		damage(f, &oid, ways[i]);
		assert_int_equal(read_blob(f->odb, &oid), -EUCLEAN);
		assert_logged(&oid);
		r = odb_unpack(f->odb, &oid, fd);
		assert_true(r == -EIO || r == -EUCLEAN);
		close(fd);
		again = write_large(f, text);
		assert_true(oid_equal(&oid, &again));
		assert_int_equal(read_blob(f->odb, &oid), 0);
		assert_int_equal(odb_read_header(f->odb, &oid, &type, NULL), 0);
	}
	shell_do(f->path, "git fsck --strict");
}

static void a_damaged_loose_object_does_not_hide_a_pack(void **state)
{
	struct fixture *f = *state;
	struct oid oid = GIT_OID(f, "echo small | git hash-object -w --stdin");

	damage(f, &oid, "truncate -s 9 $o");
	assert_int_equal(read_blob(f->odb, &oid), -EUCLEAN);
	/* in memory, then in a pack */
	write_text(f, "small\n");
	assert_blob(f->odb, &oid, "small\n");
	assert_int_equal(odb_flush(f->odb), 0);
	assert_blob(f->odb, &oid, "small\n");
}

static void a_damaged_pack_does_not_hide_a_loose_copy(void **state)
{
	struct fixture *f = *state;
	struct oid oid = write_large(f, "in a pack and loose\n");
	char hex[OID_HEX_SIZE];

	oid_hex(&oid, hex);
	shell_do(f->path, "echo %s | git pack-objects -q objects/pack/pack && "
		 "rm -r objects/%.2s && cd objects/pack && chmod +w *.pack && "
		 "printf xxxx | dd of=$(echo *.pack) bs=1 seek=16 conv=notrunc "
		 "2>&1", hex, hex);
	assert_int_equal(read_blob(f->odb, &oid), -EUCLEAN);
	write_large(f, "in a pack and loose\n");
	assert_int_equal(read_blob(f->odb, &oid), 0);
}

/* ---- streams ---- */

struct pattern {
	uint64_t left;
	int error;		/* at the end */
};

static ssize_t read_pattern(void *context, void *buffer, size_t size)
{
	struct pattern *p = context;
	size_t n = size < 1000 ? size : 1000;

	n = n < p->left ? n : p->left;
	if (n == 0)
		return p->error;
	memset(buffer, 'x', n);
	p->left -= n;
	return n;
}

static void blobs_are_streamed(void **state)
{
	static const uint64_t sizes[] = { 0, 1, 999, 1 << 20, (1 << 20) + 1,
					  3333333 };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct pattern p = { .left = sizes[i] };
		struct oid oid, expected = GIT_OID(f, "head -c %llu /dev/zero | "
				"tr '\\0' x | git hash-object --stdin",
				(unsigned long long)sizes[i]);
		uint64_t size;
		enum object_type type;

		assert_int_equal(odb_write_blob(f->odb, sizes[i], read_pattern,
						&p, &oid), 0);
		assert_true(oid_equal(&oid, &expected));
		assert_int_equal(odb_read_header(f->odb, &oid, &type, &size), 0);
		assert_int_equal(size, sizes[i]);
	}
	shell_do(f->path, "git fsck --strict && ! ls objects | grep tmp");
}

static void streams_that_end_early_fail(void **state)
{
	struct fixture *f = *state;
	struct pattern p = { .left = 2000000 };
	struct oid oid;

	assert_int_equal(odb_write_blob(f->odb, 2000001, read_pattern, &p,
					&oid), -EIO);
	p = (struct pattern){ .left = 10 };
	assert_int_equal(odb_write_blob(f->odb, 11, read_pattern, &p, &oid),
			 -EIO);
	p = (struct pattern){ .left = 2000000, .error = -ENOSPC };
	assert_int_equal(odb_write_blob(f->odb, 2000001, read_pattern, &p,
					&oid), -ENOSPC);
	shell_do(f->path, "! ls objects | grep tmp");
}

static void large_blobs_are_unpacked(void **state)
{
	struct fixture *f = *state;
	struct oid oid = GIT_OID(f, "seq 1000000 >../n; "
				 "git hash-object -w ../n");
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/copy", f->dir);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	/* what is set for other repositories does not matter */
	setenv("GIT_DIR", "/nowhere", 1);
	setenv("GIT_OBJECT_DIRECTORY", "/nowhere", 1);
	assert_int_equal(odb_unpack(f->odb, &oid, fd), 0);
	unsetenv("GIT_DIR");
	unsetenv("GIT_OBJECT_DIRECTORY");
	close(fd);
	shell_do(f->dir, "cmp n copy");
}

static void replace_refs_do_not_deceive(void **state)
{
	struct fixture *f = *state;
	struct oid oid = GIT_OID(f, "echo true | git hash-object -w --stdin");
	int fd = open(f->dir, O_TMPFILE | O_RDWR, 0600);
	char text[16] = "";

	shell_do(f->path, "git replace "
		 "$(echo true | git hash-object --stdin) "
		 "$(echo false | git hash-object -w --stdin)");
	assert_int_equal(odb_unpack(f->odb, &oid, fd), 0);
	assert_int_equal(pread(fd, text, 15, 0), 5);
	assert_string_equal(text, "true\n");
	close(fd);
}

/* ---- threads ---- */

static void *write_and_flush(void *argument)
{
	struct fixture *f = argument;

	for (int i = 0; i < 30; i++) {
		char text[64];
		struct oid oid;

		snprintf(text, sizeof(text), "%ld %d", (long)pthread_self(), i);
		oid = write_text(f, text);
		if (i == 20)
			assert_int_equal(odb_flush(f->odb), 0);
		assert_blob(f->odb, &oid, text);
	}
	return NULL;
}

static void threads_write_read_and_flush_at_once(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, write_and_flush, f);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(odb_flush(f->odb), 0);
	shell_do(f->path, "git fsck --strict");
}

/* A source that reads and writes objects itself. */
static ssize_t read_through(void *context, void *buffer, size_t size)
{
	struct fixture *f = context;
	struct oid oid = write_text(f, "inner");

	assert_blob(f->odb, &oid, "inner");
	memset(buffer, 'y', size);
	return size;
}

static void *stream(void *argument)
{
	struct fixture *f = argument;
	struct oid oid;

	assert_int_equal(odb_write_blob(f->odb, 1500000, read_through, f, &oid),
			 0);
	return NULL;
}

static void sources_may_use_the_database(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, stream, f);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
}

static void a_full_disk_is_told(void **state)
{
	struct fixture *f = *state;
	struct pattern p = { .left = 3 << 20 };
	struct git_repo *repo;
	char path[300], *noise = malloc(1200000);
	struct oid oid;
	int fd, r, random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

	snprintf(path, sizeof(path), "%s/full", f->dir);
	mkdir(path, 0700);
	if (mount("none", path, "tmpfs", 0, "size=2m") < 0) {
		close(random);
		free(noise);
		skip();
	}
	assert_int_equal(git_repo_open(path, true, &repo, NULL), 0);
	assert_int_equal(read(random, noise, 1200000), 1200000);
	assert_int_equal(odb_write(git_repo_odb(repo), OBJECT_BLOB, noise,
				   1200000, &oid), 0);
	noise[0]++;
	assert_int_equal(odb_write(git_repo_odb(repo), OBJECT_BLOB, noise,
				   1200000, &oid), -ENOSPC);
	shell_do(path, "cat /dev/zero >fill || true");
	r = odb_write_blob(git_repo_odb(repo), 3 << 20, read_pattern, &p, &oid);
	assert_int_equal(r, -ENOSPC);
	shell_do(path, "rm fill && head -c 1000000 /dev/zero | "
		 "git hash-object -w --stdin >id && cat /dev/zero >fill || :");
	fd = openat(git_repo_dir_fd(repo), "copy", O_CREAT | O_RDWR, 0600);
	noise[40] = '\0';
	r = openat(git_repo_dir_fd(repo), "id", O_RDONLY);
	assert_int_equal(read(r, noise, 40), 40);
	close(r);
	oid = parse(noise);
	assert_int_equal(odb_unpack(git_repo_odb(repo), &oid, fd), -ENOSPC);
	close(fd);
	git_repo_free(repo);
	umount(path);
	close(random);
	free(noise);
}

static void assert_compression(struct fixture *f, const char *level,
			       size_t length, int least, int most)
{
	char *text = malloc(length), *size;
	struct git_repo *repo;
	struct oid oid;

	memset(text, 'a', length);
	shell_do(f->path, "rm -rf objects/[0-9a-f]* objects/pack/*; "
		 "git config core.looseCompression %s", level);
	assert_int_equal(git_repo_open(f->path, false, &repo, NULL), 0);
	assert_int_equal(odb_write(git_repo_odb(repo), OBJECT_BLOB, text,
				   length, &oid), 0);
	assert_int_equal(odb_flush(git_repo_odb(repo)), 0);
	git_repo_free(repo);
	size = shell(f->path, "cat $(find objects -name '*.pack' -o -path "
		     "'objects/[0-9a-f]*/*') | wc -c");
	assert_in_range(atoi(size), least, most);
	free(size);
	free(text);
}

static void compression_is_as_configured(void **state)
{
	assert_compression(*state, "0", 100000, 100001, 101000);
	assert_compression(*state, "-1", 100000, 1, 300);
	assert_compression(*state, "0", LARGE, LARGE, LARGE + 1000);
	assert_compression(*state, "-1", LARGE, 1, 2000);
}

/* ---- memory ---- */

#if SANITIZED < 2	/* sanitizers need address space of their own */

#define SPARE ((size_t)48 << 20)

/* Memory that the heap keeps: the second time it is not mapped apart any more. */
static void leave_memory_in_the_heap(void)
{
	for (int i = 0; i < 2; i++) {
		void *volatile memory = malloc(SPARE / (i + 1));

		free(memory);
	}
}

/* Allows no more address space than is in use. */
static struct rlimit limit_address_space(void)
{
	struct rlimit before, now;
	unsigned long pages;
	FILE *file = fopen("/proc/self/statm", "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu", &pages), 1);
	fclose(file);
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	now = before;
	now.rlim_cur = pages * sysconf(_SC_PAGESIZE);
	assert_int_equal(setrlimit(RLIMIT_AS, &now), 0);
	return before;
}

static void what_cannot_be_mapped_is_not_missing(void **state)
{
	struct fixture *f = *state;
	struct oid oid = write_text(f, "a text");
	struct rlimit before;
	void *data = NULL;
	size_t size;
	int r;

	assert_int_equal(odb_flush(f->odb), 0);
	git_repo_free(f->repo);
	assert_int_equal(git_repo_open(f->path, false, &f->repo, NULL), 0);
	f->odb = git_repo_odb(f->repo);
	leave_memory_in_the_heap();
	before = limit_address_space();
	r = odb_read(f->odb, &oid, OBJECT_BLOB, &data, &size);
	setrlimit(RLIMIT_AS, &before);
	assert_int_equal(r, -ENOMEM);
	assert_string_equal(messages, "");
	assert_int_equal(odb_read(f->odb, &oid, OBJECT_BLOB, &data, &size), 0);
	free(data);
}

#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(objects_are_those_of_git),
		TEST(what_git_writes_is_seen),
		TEST(missing_objects_are_named),
		TEST(damaged_objects_are_named_and_replaced),
		TEST(a_damaged_loose_object_does_not_hide_a_pack),
		TEST(a_damaged_pack_does_not_hide_a_loose_copy),
		TEST(blobs_are_streamed),
		TEST(streams_that_end_early_fail),
		TEST(large_blobs_are_unpacked),
		TEST(replace_refs_do_not_deceive),
		TEST(threads_write_read_and_flush_at_once),
		TEST(sources_may_use_the_database),
		TEST(a_full_disk_is_told),
		TEST(compression_is_as_configured),
#if SANITIZED < 2
		TEST(what_cannot_be_mapped_is_not_missing),
#endif
	};

	return cmocka_run_group_tests_name("git_odb", tests, NULL, NULL);
}
