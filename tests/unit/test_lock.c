/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/lock.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>

static char path[64];
static int dir_fd;

static int set_up(void **state)
{
	snprintf(path, sizeof(path), "/tmp/irminfs-lock-XXXXXX");
	if (!mkdtemp(path))
		return -1;
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0;
}

static int tear_down(void **state)
{
	unlinkat(dir_fd, "irminfs/lock", 0);
	unlinkat(dir_fd, "irminfs", AT_REMOVEDIR);
	close(dir_fd);
	return rmdir(path);
}

static void one_holder_at_a_time(void **state)
{
	struct store_lock *lock, *second;
	char mountpoint[32];
	pid_t pid;

	assert_int_equal(lock_holder(dir_fd, &pid, mountpoint, 32), -ENOENT);
	assert_int_equal(lock_take(dir_fd, "/mnt/a\nb", &lock), 0);
	assert_int_equal(lock_take(dir_fd, NULL, &second), -EBUSY);
	assert_int_equal(lock_holder(dir_fd, &pid, mountpoint, 32), 0);
	assert_int_equal(pid, getpid());
	assert_string_equal(mountpoint, "/mnt/a\nb");
	assert_int_equal(lock_holder(dir_fd, &pid, mountpoint, 5), 0);
	assert_string_equal(mountpoint, "/mnt");
	assert_int_equal(lock_describe(lock, NULL), 0);
	assert_int_equal(lock_holder(dir_fd, &pid, mountpoint, 32), 0);
	assert_string_equal(mountpoint, "");
	lock_release(lock);
	assert_int_equal(lock_holder(dir_fd, &pid, mountpoint, 32), -ENOENT);
	assert_int_equal(lock_take(dir_fd, NULL, &lock), 0);
	lock_release(lock);
	lock_release(NULL);
}

/* A child that takes the lock, says so, and dies without a word on a byte. */
static pid_t hold_in_child(int *ret_end)
{
	struct store_lock *lock;
	int said[2], end[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(said), 0);
	assert_int_equal(pipe(end), 0);
	pid = fork();
	if (pid == 0) {
		close(end[1]);
		if (lock_take(dir_fd, "/child", &lock) < 0 ||
		    write(said[1], "x", 1) != 1 || read(end[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(end[0]);
	close(said[1]);
	assert_int_equal(read(said[0], &byte, 1), 1);
	close(said[0]);
	*ret_end = end[1];
	return pid;
}

static void a_dead_holder_holds_nothing(void **state)
{
	char mountpoint[32];
	int end, status;
	pid_t pid, holder;
	struct store_lock *lock;

	pid = hold_in_child(&end);
	assert_int_equal(lock_take(dir_fd, NULL, &lock), -EBUSY);
	assert_int_equal(lock_holder(dir_fd, &holder, mountpoint, 32), 0);
	assert_int_equal(holder, pid);
	assert_string_equal(mountpoint, "/child");
	assert_int_equal(lock_wait_free(dir_fd, 0), -ETIMEDOUT);
	close(end);
	assert_int_equal(lock_wait_free(dir_fd, 10), 0);
	assert_int_equal(lock_holder(dir_fd, &holder, mountpoint, 32), -ENOENT);
	assert_int_equal(lock_take(dir_fd, NULL, &lock), 0);
	lock_release(lock);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* As after SIGKILL: the holder is gone or a zombie, and its lock is still there,
 * here by a copy of the descriptor. */
static void who_is_dying_is_waited_for(void **state)
{
	struct store_lock *lock;
	int said[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(said), 0);
	pid = fork();
	if (pid == 0) {
		if (lock_take(dir_fd, NULL, &lock) < 0)
			_exit(1);
		if (fork() == 0) {
			close(said[0]);
			close(said[1]);
			usleep(500000);
		}
		_exit(0);
	}
	close(said[1]);
	assert_int_equal(read(said[0], &byte, 1), 0);
	close(said[0]);
	assert_int_equal(lock_take(dir_fd, NULL, &lock), -EBUSY);
	assert_int_equal(lock_wait_free(dir_fd, 0), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void what_is_no_pid_is_not_believed(void **state)
{
	struct store_lock *lock;
	char mountpoint[32];
	pid_t pid;
	int fd;

	assert_int_equal(lock_take(dir_fd, NULL, &lock), 0);
	fd = openat(dir_fd, "irminfs/lock", O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "12x\nfoo", 7), 7);
	close(fd);
	assert_int_equal(lock_holder(dir_fd, &pid, mountpoint, 32), 0);
	assert_int_equal(pid, 0);
	assert_string_equal(mountpoint, "");
	lock_release(lock);
}

static void a_release_reaches_copies_of_the_descriptor(void **state)
{
	struct store_lock *lock, *again;
	int end[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(lock_take(dir_fd, NULL, &lock), 0);
	assert_int_equal(pipe(end), 0);
	pid = fork();
	if (pid == 0) {
		close(end[1]);
		_exit(read(end[0], &byte, 1) < 0);
	}
	close(end[0]);
	lock_release(lock);
	assert_int_equal(lock_take(dir_fd, NULL, &again), 0);
	lock_release(again);
	close(end[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_holder_at_a_time, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_dead_holder_holds_nothing,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_is_dying_is_waited_for,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_pid_is_not_believed,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_release_reaches_copies_of_the_descriptor, set_up,
			tear_down),
	};

	return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
