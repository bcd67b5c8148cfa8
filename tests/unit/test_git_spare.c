/* SPDX-License-Identifier: ISC */
#include "tests/repositories.h"

#include <fcntl.h>
#include <unistd.h>

static void assert_read(struct fixture *f, const struct oid *oid)
{
	void *data;
	size_t size;

	assert_int_equal(odb_read(f->odb, oid, OBJECT_BLOB, &data, &size), 0);
	assert_int_equal(size, LARGE);
	free(data);
}

#define PRUNE "git prune --expire=now"
#define COUNT "$(find objects -type f -path '*/[0-9a-f][0-9a-f]/*' | wc -l)"

/* ---- tests ---- */

static void what_is_pruned_can_be_read(void **state)
{
	struct fixture *f = *state;
	struct oid a = write_large(f, "a"), b = write_large(f, "b");
	enum object_type type;
	int fd = open(f->dir, O_TMPFILE | O_RDWR, 0600);

	assert_int_equal(odb_flush(f->odb), 0);
	shell_do(f->path, PRUNE " && test " COUNT " = 0");
	assert_read(f, &a);
	assert_int_equal(odb_read_header(f->odb, &b, &type, NULL), 0);
	shell_do(f->path, "test " COUNT " = 2 && git fsck; " PRUNE);
	assert_int_equal(odb_unpack(f->odb, &a, fd), 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), LARGE);
	close(fd);
}

static void what_is_pruned_is_flushed(void **state)
{
	struct fixture *f = *state;

	write_large(f, "a");
	shell_do(f->path, PRUNE);
	assert_int_equal(odb_flush(f->odb), 0);
	shell_do(f->path, "test " COUNT " = 1");
}

static void pruned_objects_come_back(void **state)
{
	struct fixture *f = *state;

	write_large(f, "a");
	write_large(f, "b");
	shell_do(f->path, PRUNE);
	git_objects_tend_spares(f->repo);
	assert_true(git_objects_has_spares(f->repo));
	shell_do(f->path, "test " COUNT " = 2 && git fsck --strict");
}

static void what_a_power_failure_cut_off_does_not_come_back(void **state)
{
	struct fixture *f = *state;

	write_large(f, "a");
	shell_do(f->path, PRUNE "; chmod +w irminfs/large/*; "
		 "truncate -s 500 irminfs/large/*");
	git_objects_tend_spares(f->repo);
	shell_do(f->path, "test " COUNT " = 0");
}

#define OLD "touch -d '-61 minutes' irminfs/large/*"

static ssize_t give_zeros(void *context, void *buffer, size_t size)
{
	(void)context;
	memset(buffer, 0, size);
	return size;
}

/* However large they are, and however late it is looked. */
static void pruned_objects_come_back_late(void **state)
{
	struct fixture *f = *state;
	struct oid oid;

	assert_int_equal(odb_write_blob(f->odb, 300 << 20, give_zeros, NULL,
					&oid), 0);
	shell_do(f->path, PRUNE "; " OLD);
	git_objects_tend_spares(f->repo);
	shell_do(f->path, "test " COUNT " = 1");
}

static void the_last_name_stays_until_there_is_another(void **state)
{
	struct fixture *f = *state;
	struct oid oid = write_large(f, "a");
	enum object_type type;

	/* the folder cannot be made again */
	shell_do(f->path, PRUNE "; " OLD "; d=objects/$(ls irminfs/large | "
		 "cut -c1-2); rm -rf $d && touch $d");
	git_objects_tend_spares(f->repo);
	assert_true(git_objects_has_spares(f->repo));
	shell_do(f->path, "rm objects/$(ls irminfs/large | cut -c1-2)");
	assert_int_equal(odb_read_header(f->odb, &oid, &type, NULL), 0);
}

static void names_go_in_time(void **state)
{
	struct fixture *f = *state;

	write_large(f, "a");
	git_objects_tend_spares(f->repo);
	shell_do(f->path, "test $(ls irminfs/large | wc -l) = 1; " OLD);
	git_objects_tend_spares(f->repo);
	shell_do(f->path, "test $(ls irminfs/large | wc -l) = 0 && "
		 "test " COUNT " = 1");
	assert_false(git_objects_has_spares(f->repo));
	/* packed ones do not take room twice for long */
	write_large(f, "b");
	shell_do(f->path, "ls irminfs/large | git pack-objects -q "
		 "objects/pack/pack >/dev/null && git prune-packed; "
		 "touch -d '-11 minutes' irminfs/large/*");
	git_objects_tend_spares(f->repo);
	shell_do(f->path, "test $(ls irminfs/large | wc -l) = 0");
}

/* By a git that looks at refs and then takes its time, as for `git gc --prune=now`
 * of a large repository; meanwhile there is a ref. */
static void what_was_packed_and_is_removed_then_comes_back(void **state)
{
	static const char *const packings[] = {
		"git repack -q -d --cruft",
		"ls irminfs/large | git pack-objects -q objects/pack/pack "
		">/dev/null; git prune-packed",
	};
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		struct oid oid = write_large(f, i ? "a" : "b");

		assert_int_equal(odb_flush(f->odb), 0);
		shell_do(f->path, "%s; test " COUNT " = 0; "
			 "ls objects/pack/* >../before", packings[i]);
		git_objects_tend_spares(f->repo);
		shell_do(f->path, "xargs rm -f <../before");
		git_objects_refresh(f->repo);
		git_objects_tend_spares(f->repo);
		assert_read(f, &oid);
		shell_do(f->path, PRUNE "; rm irminfs/large/*");
	}
}

/* ---- prune while it is written ---- */

struct pruning {
	struct fixture *f;
	size_t left;
};

static ssize_t prune_and_read(void *context, void *buffer, size_t size)
{
	struct pruning *p = context;

	if (size > p->left)
		size = p->left;
	memset(buffer, 'x', size);
	p->left -= size;
	shell_do(p->f->path, PRUNE);
	return size;
}

static void pruning_does_not_disturb_writing(void **state)
{
	struct fixture *f = *state;
	struct pruning p = { .f = f, .left = LARGE };
	struct oid oid;

	assert_int_equal(odb_write_blob(f->odb, LARGE, prune_and_read, &p,
					&oid), 0);
	assert_read(f, &oid);
	shell_do(f->path, "! ls -A objects | grep irminfs");
}

static void what_a_kill_leaves_is_removed(void **state)
{
	struct fixture *f = *state;

	shell_do(f->path, "touch objects/.irminfs-x");
	assert_int_equal(git_objects_recover(f->repo), 0);
	shell_do(f->path, "! ls -A objects | grep irminfs");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_pruned_can_be_read),
		TEST(what_is_pruned_is_flushed),
		TEST(pruned_objects_come_back),
		TEST(what_a_power_failure_cut_off_does_not_come_back),
		TEST(pruned_objects_come_back_late),
		TEST(the_last_name_stays_until_there_is_another),
		TEST(names_go_in_time),
		TEST(what_was_packed_and_is_removed_then_comes_back),
		TEST(pruning_does_not_disturb_writing),
		TEST(what_a_kill_leaves_is_removed),
	};

	return cmocka_run_group_tests_name("git_spare", tests, NULL, NULL);
}
