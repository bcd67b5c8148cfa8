/* SPDX-License-Identifier: ISC */
#include "tests/repositories.h"

#include <errno.h>
#include <sys/syscall.h>

/* ---- flushes are counted, and fail on demand ---- */

static _Atomic int fsyncs, fdatasyncs, syncfss;
static _Atomic int disk_error;

int fsync(int fd)
{
	fsyncs++;
	if (disk_error) {
		errno = disk_error;
		return -1;
	}
	return syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	fdatasyncs++;
	if (disk_error) {
		errno = disk_error;
		return -1;
	}
	return syscall(SYS_fdatasync, fd);
}

int syncfs(int fd)
{
	syncfss++;
	if (disk_error) {
		errno = disk_error;
		return -1;
	}
	return syscall(SYS_syncfs, fd);
}

static int set_up(void **state)
{
	disk_error = 0;
	return setup(state);
}

/* And gives it to Git. */
static struct oid store_text(struct fixture *f, const char *text)
{
	struct oid oid = write_text(f, text);

	assert_int_equal(odb_flush(f->odb), 0);
	return oid;
}

/* ---- tests ---- */

static void few_large_objects_are_flushed_singly(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(odb_flush(f->odb), 0);
	fsyncs = fdatasyncs = syncfss = 0;
	assert_int_equal(odb_flush(f->odb), 0);
	assert_int_equal(fsyncs + fdatasyncs + syncfss, 0);
	write_large(f, "a");
	write_large(f, "b");
	assert_int_equal(fsyncs + fdatasyncs + syncfss, 0);
	assert_int_equal(odb_flush(f->odb), 0);
	/* two files, their folders, and the folder of these */
	assert_int_equal(fsyncs, 5);
	assert_int_equal(syncfss + fdatasyncs, 0);
}

static void many_large_objects_are_flushed_at_once(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 20; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%d", i);
		write_large(f, text);
	}
	fsyncs = syncfss = 0;
	assert_int_equal(odb_flush(f->odb), 0);
	assert_int_equal(fsyncs, 0);
	assert_int_equal(syncfss, 1);
	assert_int_equal(odb_flush(f->odb), 0);
	assert_int_equal(syncfss, 1);
}

static void a_pack_is_flushed_with_its_index_and_folder(void **state)
{
	struct fixture *f = *state;

	store_text(f, "the first flush makes the file that marks kept packs");
	for (int i = 0; i < 100; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%d", i);
		write_text(f, text);
	}
	fsyncs = fdatasyncs = syncfss = 0;
	assert_int_equal(odb_flush(f->odb), 0);
	assert_int_equal(fdatasyncs, 2);
	assert_int_equal(fsyncs, 1);
	assert_int_equal(syncfss, 0);
	assert_int_equal(odb_flush(f->odb), 0);
	assert_int_equal(fdatasyncs, 2);
}

static void packed_meanwhile_is_flushed(void **state)
{
	struct fixture *f = *state;
	struct oid oid = write_large(f, "soon packed\n");
	char hex[OID_HEX_SIZE];

	shell_do(f->path, "echo %s | git pack-objects -q objects/pack/pack && "
		 "git prune-packed", oid_hex(&oid, hex));
	assert_int_equal(odb_flush(f->odb), 0);
}

static void assert_broken(struct fixture *f)
{
	disk_error = EIO;
	assert_int_equal(odb_flush(f->odb), -EIO);
	/* the kernel would report success now, for data that it dropped */
	disk_error = 0;
	assert_int_equal(odb_flush(f->odb), -EIO);
	assert_non_null(strstr(messages, "mounted again"));
}

static void a_failed_flush_of_a_loose_object_is_not_forgotten(void **state)
{
	struct fixture *f = *state;

	write_large(f, "lost");
	assert_broken(f);
}

static void a_failed_flush_of_a_pack_is_not_forgotten(void **state)
{
	struct fixture *f = *state;
	struct oid oid = write_text(f, "not durable");

	assert_broken(f);
	assert_blob(f->odb, &oid, "not durable");
	shell_do(f->path, "! ls objects/pack | grep pack");
}

static void a_pack_that_does_not_fit_is_tried_again(void **state)
{
	struct fixture *f = *state;
	struct oid oid = write_text(f, "late");

	disk_error = ENOSPC;
	assert_int_equal(odb_flush(f->odb), -ENOSPC);
	assert_blob(f->odb, &oid, "late");
	shell_do(f->path, "! ls -A objects/pack | grep -v keep");
	disk_error = 0;
	assert_int_equal(odb_flush(f->odb), 0);
	shell_do(f->path, "echo -n late | git hash-object --stdin | "
		 "git cat-file --batch-check | grep blob");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(few_large_objects_are_flushed_singly),
		TEST(many_large_objects_are_flushed_at_once),
		TEST(a_pack_is_flushed_with_its_index_and_folder),
		TEST(packed_meanwhile_is_flushed),
		TEST(a_failed_flush_of_a_loose_object_is_not_forgotten),
		TEST(a_failed_flush_of_a_pack_is_not_forgotten),
		TEST(a_pack_that_does_not_fit_is_tried_again),
	};

	return cmocka_run_group_tests_name("git_flush", tests, NULL, NULL);
}
