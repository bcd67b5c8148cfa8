/* SPDX-License-Identifier: ISC */
#include "tests/shell.h"
#include "store/git_hash.h"
#include "store/git_packs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- a process that stops at a system call of its choice ---- */

static int calls, stop_at = -1;

/* A power failure is simulated elsewhere; here the process is killed. */
static void call(void)
{
	if (calls++ == stop_at)
		_exit(9);
}

int fdatasync(int fd)
{
	call();
	return syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	call();
	return syscall(SYS_fsync, fd);
}

int linkat(int a, const char *from, int b, const char *to, int flags)
{
	call();
	return syscall(SYS_linkat, a, from, b, to, flags);
}

int renameat(int a, const char *from, int b, const char *to)
{
	call();
	return syscall(SYS_renameat2, a, from, b, to, 0);
}

int unlinkat(int fd, const char *name, int flags)
{
	call();
	return syscall(SYS_unlinkat, fd, name, flags);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	call();
	return syscall(SYS_pwrite64, fd, data, size, offset);
}


/* ---- fixture ---- */

struct fixture {
	char *dir;
	int fd;
	struct git_packs packs;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	git_library_begin();
	f->dir = shell_begin();
	shell_do(f->dir, "git init -q --bare .");
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(git_packs_init(&f->packs, f->fd), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	git_packs_release(&f->packs);
	close(f->fd);
	shell_end(f->dir);
	free(f);
	git_library_end();
	return 0;
}

static int add(struct git_packs *packs, const char *text)
{
	struct pack_object objects[2] = {
		{ .type = OBJECT_BLOB, .data = text, .size = strlen(text) },
		{ .type = OBJECT_BLOB, .data = "same", .size = 4 },
	};
	bool sick = false;

	for (int i = 0; i < 2; i++)
		assert_int_equal(git_hash(OBJECT_BLOB, objects[i].data,
					  objects[i].size, &objects[i].oid), 0);
	return git_packs_add(packs, objects, 2, 1, &sick);
}

static void let_go(struct git_packs *packs)
{
	git_packs_let_go(packs, git_packs_take_kept(packs));
}

/* How many files of objects/pack match. */
static int count(struct fixture *f, const char *pattern)
{
	char *output = shell(f->dir, "ls -A objects/pack | grep -c '%s' || :",
			     pattern);
	int n = atoi(output);

	free(output);
	return n;
}

/* ---- tests ---- */

static void packs_are_kept_until_they_are_let_go(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(add(&f->packs, "one"), 0);
	assert_int_equal(add(&f->packs, "two"), 0);
	assert_int_equal(count(f, "^pack-.*[.]pack$"), 2);
	assert_int_equal(count(f, "^pack-.*[.]idx$"), 2);
	assert_int_equal(count(f, "^pack-.*[.]keep$"), 2);
	shell_do(f->dir, "git gc -q --prune=now && git cat-file blob "
		 "$(echo -n one | git hash-object --stdin)");
	let_go(&f->packs);
	assert_int_equal(count(f, "^pack-.*[.]keep$"), 0);
	shell_do(f->dir, "git gc -q --prune=now");
	assert_int_equal(count(f, "^pack-"), 0);
}

static void equal_packs_have_names_of_their_own(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(add(&f->packs, "one"), 0);
	assert_int_equal(add(&f->packs, "one"), 0);
	assert_int_equal(count(f, "[.]idx$"), 2);
}

static void without_links_packs_are_kept_too(void **state)
{
	struct fixture *f = *state;

	/* a folder cannot be linked */
	shell_do(f->dir, "mkdir objects/pack/.irminfs-keep");
	assert_int_equal(add(&f->packs, "one"), 0);
	shell_do(f->dir, "grep -q irminfs objects/pack/pack-*.keep && "
		 "rmdir objects/pack/.irminfs-keep");
}

static void recovery_leaves_what_is_not_ours(void **state)
{
	struct fixture *f = *state;

	shell_do(f->dir, "cd objects/pack && touch pack-x.keep tmp_pack_x && "
		 "echo mine >pack-%s.keep && touch pack-%s.pack",
		 "0123456789012345678901234567890123456789",
		 "0123456789012345678901234567890123456789");
	assert_int_equal(add(&f->packs, "one"), 0);
	assert_int_equal(git_packs_recover(&f->packs), 0);
	assert_int_equal(count(f, "^pack-.*[.]keep$"), 2);
	assert_int_equal(count(f, "^tmp"), 1);
	assert_int_equal(count(f, "[.]pack$"), 2);
	assert_int_equal(count(f, "irminfs"), 0);
}

/* In a child: a pack, and the end of its being kept. */
static int run_until(struct fixture *f, int at)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		calls = 0;
		stop_at = at;
		if (add(&f->packs, "text of the pack") < 0)
			_exit(1);
		let_go(&f->packs);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void a_kill_at_any_step_leaves_a_good_repository(void **state)
{
	struct fixture *f = *state;
	int at = 0, status;

	do {
		shell_do(f->dir, "rm -rf objects/pack/* objects/pack/.i*");
		status = run_until(f, at++);
		assert_true(status == 9 || status == 0);
		shell_do(f->dir, "git fsck --strict --no-dangling 2>&1 | "
			 "grep -v '^notice' | grep . && exit 1 || true");
		assert_int_equal(git_packs_recover(&f->packs), 0);
		assert_int_equal(count(f, "irminfs"), 0);
		assert_int_equal(count(f, "[.]keep$"), 0);
		assert_int_equal(count(f, "[.]pack$"), count(f, "[.]idx$"));
		shell_do(f->dir, "for i in objects/pack/*.idx; do test ! -e $i "
			 "|| git verify-pack $i || exit; done");
	} while (status == 9);
	/* the pack, its index, their flushes and names, the mark, the folder */
	assert_true(at > 10);
	assert_int_equal(count(f, "[.]idx$"), 1);
}

static void a_full_disk_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	size_t size = 3 << 20;
	char path[300], *text = malloc(size + 1);
	struct git_packs packs;
	int fd;

	for (size_t i = 0; i < size; i++)
		text[i] = 1 + random() % 255;
	text[size] = '\0';
	snprintf(path, sizeof(path), "%s/full", f->dir);
	mkdir(path, 0700);
	if (mount("none", path, "tmpfs", 0, "size=1m") < 0) {
		free(text);
		skip();
	}
	shell_do(path, "git init -q --bare .");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(git_packs_init(&packs, fd), 0);
	assert_int_equal(add(&packs, text), -ENOSPC);
	shell_do(path, "test -z \"$(ls -A objects/pack)\"");
	text[1000] = '\0';
	assert_int_equal(add(&packs, text), 0);
	git_packs_release(&packs);
	close(fd);
	umount(path);
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(packs_are_kept_until_they_are_let_go),
		TEST(equal_packs_have_names_of_their_own),
		TEST(without_links_packs_are_kept_too),
		TEST(recovery_leaves_what_is_not_ours),
		TEST(a_kill_at_any_step_leaves_a_good_repository),
		TEST(a_full_disk_leaves_nothing),
	};

	return cmocka_run_group_tests_name("git_packs", tests, NULL, NULL);
}
