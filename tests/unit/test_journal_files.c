/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/journal_files.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SEGMENTS 4u

static char folder[] = "/tmp/irminfs-test-XXXXXX";
static int fd = -1;
static struct journal_files *files;

static int set_up(void **state)
{
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	char command[64];

	journal_files_free(files);
	files = NULL;
	close(fd);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static void open_files(void)
{
	assert_int_equal(journal_files_new(fd, true, SEGMENTS, &files), 0);
}

static ssize_t read_at(unsigned int file, char *text, size_t size,
		       uint64_t offset)
{
	return files->ops->read(files, file, text, size, offset);
}

static int write_at(unsigned int file, const char *text, uint64_t offset)
{
	return files->ops->write(files, file, text, strlen(text), offset);
}

static off_t size_of(const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -1
							       : st.st_size;
}

static void the_folder_is_made_and_private(void **state)
{
	struct stat st;

	assert_int_equal(journal_files_new(fd, false, SEGMENTS, &files),
			 -ENOENT);
	open_files();
	assert_int_equal(fstatat(fd, "journal", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(write_at(0, "a", 0), 0);
	assert_int_equal(fstatat(fd, "journal/0", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	journal_files_free(files);
	open_files();		/* again */
}

static void a_file_is_no_folder(void **state)
{
	int other = openat(fd, "journal", O_CREAT | O_WRONLY, 0600);

	close(other);
	assert_int_equal(journal_files_new(fd, true, SEGMENTS, &files),
			 -ENOTDIR);
	assert_int_equal(unlinkat(fd, "journal", 0), 0);
	assert_int_equal(symlinkat("/tmp", fd, "journal"), 0);
	assert_true(journal_files_new(fd, true, SEGMENTS, &files) < 0);
}

static void files_have_their_names(void **state)
{
	open_files();
	assert_int_equal(write_at(3, "abc", 0), 0);
	assert_int_equal(write_at(SEGMENTS + 1, "abcd", 0), 0);
	assert_int_equal(size_of("journal/3"), 3);
	assert_int_equal(size_of("journal/1.data"), 4);
	assert_int_equal(size_of("journal/1"), -1);
}

static void what_is_written_is_read(void **state)
{
	char text[16] = "";

	open_files();
	assert_int_equal(read_at(0, text, 4, 0), 0);
	assert_int_equal(write_at(0, "hello", 3), 0);
	assert_int_equal(read_at(0, text, 16, 2), 6);
	assert_memory_equal(text, "\0hello", 6);
	assert_int_equal(read_at(0, text, 16, 100), 0);
	journal_files_free(files);
	open_files();
	assert_int_equal(read_at(0, text, 5, 3), 5);
	assert_memory_equal(text, "hello", 5);
}

static void files_are_cut(void **state)
{
	open_files();
	assert_int_equal(files->ops->cut(files, 0, 0), 0);
	assert_int_equal(size_of("journal/0"), -1);
	assert_int_equal(write_at(0, "hello", 0), 0);
	assert_int_equal(files->ops->cut(files, 0, 2), 0);
	assert_int_equal(size_of("journal/0"), 2);
}

static void flushing_takes_any_file(void **state)
{
	open_files();
	assert_int_equal(files->ops->flush(files, 0), 0);
	assert_int_equal(files->ops->flush_apart(files, 0), 0);
	assert_int_equal(write_at(0, "hello", 0), 0);
	assert_int_equal(files->ops->flush(files, 0), 0);
	assert_int_equal(files->ops->flush_apart(files, 0), 0);
	assert_true(files->ops->room(files) > 0);
}

static void a_read_only_opening_makes_nothing(void **state)
{
	char text[8];

	open_files();
	assert_int_equal(write_at(0, "hello", 0), 0);
	journal_files_free(files);
	assert_int_equal(journal_files_new(fd, false, SEGMENTS, &files), 0);
	assert_int_equal(read_at(0, text, 5, 0), 5);
	assert_int_equal(read_at(1, text, 5, 0), 0);
	assert_int_equal(size_of("journal/1"), -1);
}

/* A name that leads elsewhere is not followed. */
static void links_are_not_followed(void **state)
{
	char text[8];

	open_files();
	assert_int_equal(symlinkat("/etc/hostname", fd, "journal/0"), 0);
	assert_int_equal(read_at(0, text, 5, 0), -ELOOP);
	assert_int_equal(write_at(0, "hello", 0), -ELOOP);
	assert_int_equal(files->ops->flush_apart(files, 0), -ELOOP);
}

#define BLOCK 4096u
#define BLOCKS 40u

/* Whole blocks and parts of them, short and long, over each other: some go around
 * the page cache, some through it. */
static void all_writes_show_in_their_order(void **state)
{
	static char model[BLOCKS * BLOCK], got[BLOCKS * BLOCK];
	uint64_t at, size, random = 1;

	open_files();
	assert_int_equal(files->ops->write(files, 1, model, sizeof(model), 0), 0);
	for (int i = 0; i < 400; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		at = (random >> 33) % BLOCKS * BLOCK;
		size = ((random >> 40) % 24 + 1) * BLOCK;
		if (i % 4 == 0) {
			at += (random >> 50) % BLOCK;
			size -= (random >> 20) % BLOCK;
		}
		if (at + size > sizeof(model))
			size = sizeof(model) - at;
		memset(model + at, i, size);
		assert_int_equal(files->ops->write(files, 1, model + at, size,
						   at), 0);
		if (i % 16 == 0)
			assert_int_equal(files->ops->flush(files, 1), 0);
		assert_int_equal(read_at(1, got, sizeof(got), 0), sizeof(got));
		assert_memory_equal(got, model, sizeof(got));
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_folder_is_made_and_private),
		TEST(a_file_is_no_folder),
		TEST(files_have_their_names),
		TEST(what_is_written_is_read),
		TEST(all_writes_show_in_their_order),
		TEST(files_are_cut),
		TEST(flushing_takes_any_file),
		TEST(a_read_only_opening_makes_nothing),
		TEST(links_are_not_followed),
	};

	return cmocka_run_group_tests_name("journal_files", tests, NULL, NULL);
}
