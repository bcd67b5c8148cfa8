/* SPDX-License-Identifier: ISC */
#include "tests/shell.h"
#include "store/git_program.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Its output; the caller frees it. */
static char *run(const char *dir, const char *const *argv, int keep)
{
	char *path;
	int fd, status;
	pid_t pid;

	assert_true(asprintf(&path, "%s/output", dir) > 0);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(git_program_start((char *const *)(uintptr_t)argv, -1,
					   fd, fd, false, keep, &pid), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
	free(path);
	return shell(dir, "cat output");
}

static void signals_that_we_block_reach_it(void **state)
{
	static const char *const argv[] = {
		"grep", "SigBlk", "/proc/self/status", NULL,
	};
	char *dir = shell_begin(), *text;
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	text = run(dir, argv, -1);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	assert_string_equal(text, "SigBlk:\t0000000000000000");
	free(text);
	shell_end(dir);
}

static void it_has_what_it_is_to_keep_and_no_more(void **state)
{
	static const char *const argv[] = { "ls", "/proc/self/fd", NULL };
	char *dir = shell_begin(), *without, *with;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	without = run(dir, argv, -1);
	with = run(dir, argv, fd);
	assert_true(strlen(with) > strlen(without));
	close(fd);
	free(without);
	free(with);
	shell_end(dir);
}

static void what_cannot_be_started_leaks_nothing(void **state)
{
	static const char *const argv[] = { "true", NULL };
	size_t before = 0;
	pid_t pid;
	(void)state;

	for (int i = 0; i < 101; i++) {
		if (i == 1)
			before = mallinfo2().uordblks;
		assert_int_equal(git_program_start((char *const *)
						   (uintptr_t)argv, -1, -1, -1,
						   false, -1, &pid), -EBADF);
	}
	assert_int_equal(mallinfo2().uordblks, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_that_we_block_reach_it),
		cmocka_unit_test(it_has_what_it_is_to_keep_and_no_more),
		cmocka_unit_test(what_cannot_be_started_leaks_nothing),
	};

	return cmocka_run_group_tests_name("git_program", tests, NULL, NULL);
}
