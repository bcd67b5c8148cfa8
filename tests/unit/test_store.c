/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/stores.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>

static void a_new_store_has_an_empty_main(void **state)
{
	struct fixture *f = *state;

	assert_true(has_branch(f, "main"));
	assert_shell(f, "refs/heads/main", "git for-each-ref --format='%%(refname)'");
	assert_shell(f, "1", "git rev-list --count main");
	assert_shell(f, "", "git ls-tree -r main");
	assert_shell(f, "ref: refs/heads/main", "cat HEAD");
	assert_shell(f, "", "git fsck --strict 2>&1");
	assert_shell(f, "700", "stat -c %%a irminfs");
	assert_string_equal(store_path(f->store), f->path);
}

static void an_existing_repository_gets_no_branch(void **state)
{
	struct fixture f;

	make_fixture(&f);
	assert_int_equal(mkdir(f.path, 0755), 0);
	free(shell(&f, "git init -q --bare ."));
	open_store(&f);
	assert_false(has_branch(&f, "main"));
	remove_fixture(&f);
}

static void absent_is_an_error_unless_asked_for(void **state)
{
	struct report report = { 0 };
	struct fixture f;

	make_fixture(&f);
	f.options.create = false;
	assert_int_equal(store_open(f.path, &f.options, &f.store, &report),
			 -ENOENT);
	assert_true(strlen(report.text));
	f.store = NULL;
	remove_fixture(&f);
}

static void one_process_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct report report = { 0 };
	struct store *second;
	char mountpoint[64], expected[32];
	pid_t pid;

	close_store(f);
	assert_int_equal(store_holder(f->path, &pid, mountpoint,
				      sizeof(mountpoint)), -ENOENT);
	assert_int_equal(store_wait_unlocked(f->path, 1), 0);
	f->options.mountpoint = "/mnt/here";
	open_store(f);
	assert_int_equal(store_open(f->path, &f->options, &second, &report),
			 -EBUSY);
	snprintf(expected, sizeof(expected), "process %d,", (int)getpid());
	assert_non_null(strstr(report.text, expected));
	assert_non_null(strstr(report.text, "/mnt/here"));
	assert_int_equal(store_holder(f->path, &pid, mountpoint,
				      sizeof(mountpoint)), 0);
	assert_int_equal(pid, getpid());
	assert_string_equal(mountpoint, "/mnt/here");
	assert_int_equal(store_wait_unlocked(f->path, 1), -ETIMEDOUT);
}

static void read_only_reads(void **state)
{
	struct fixture *f = *state;
	struct report report = { 0 };
	struct branch *b;
	struct oid head;

	write_file(f, "main", "d/a", "text");
	close_store(f);
	f->options.readonly = true;
	open_store(f);
	assert_true(store_is_readonly(f->store));
	assert_string_equal(file_text(f, "main", "d/a"), "text");
	b = branch_of(f, "main");
	assert_non_null(branch_readonly(b));
	assert_int_equal(branch_sync(b, &tester), 0);
	assert_int_equal(branch_commit(b, &tester, NULL, &head), 0);
	assert_int_equal(try_write(f, "main", "b", "x"), -EROFS);
	assert_int_equal(store_make(f->store, "x", &tester, &report), -EROFS);
	assert_true(strlen(report.text));
	assert_int_equal(store_fork(f->store, b, "x", &tester, NULL), -EROFS);
	assert_int_equal(store_drop(f->store, b, &tester, NULL), -EROFS);
	branch_unref(b);
}

#define NOBODY 65534

/* What opening gives to who may read the repository, but not the store's own
 * folder.  Permissions do not stop root, which therefore becomes somebody else
 * until all is closed. */
static int open_as_reader(struct fixture *f, bool *ret_readonly, char *ret_text)
{
	uid_t user = geteuid();
	int r = user == 0 ? seteuid(NOBODY) : 0;

	if (!r)
		r = store_open(f->path, &f->options, &f->store, NULL);
	if (!r) {
		*ret_readonly = store_is_readonly(f->store);
		snprintf(ret_text, 8, "%s", file_text(f, "main", "a"));
		r = store_close(f->store, NULL);
		f->store = NULL;
	}
	return seteuid(user) ? -EPERM : r;
}

static void unwritable_is_opened_read_only(void **state)
{
	struct fixture *f = *state;
	bool readonly = false;
	char text[8] = "";
	int r;

	write_file(f, "main", "a", "text");
	close_store(f);
	free(shell(f, "chmod -R a+rX,a-w .. && chmod u-rwx irminfs"));
	log_set_sink(NULL, LOG_LEVEL_ERROR);
	r = open_as_reader(f, &readonly, text);
	log_set_sink(NULL, LOG_LEVEL_WARNING);
	free(shell(f, "chmod -R u+rwX .."));
	assert_int_equal(r, 0);
	assert_true(readonly);
	assert_string_equal(text, "text");
}

static void leftovers_of_the_dead_go(void **state)
{
	struct fixture *f = *state;

	close_store(f);
	free(shell(f, "mkdir -p irminfs/tmp irminfs/drivers/7/x; "
		   "touch irminfs/tmp/spill irminfs/drivers/7/x/base irminfs/mine"));
	open_store(f);
	assert_shell(f, "", "find irminfs/tmp irminfs/drivers -mindepth 1");
	assert_shell(f, "irminfs/mine", "ls irminfs/mine");
}

static void closing_saves_everything(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	fork_branch(f, "main", "b");
	write_file(f, "b", "a", "2");
	write_file(f, "main", "c", "3");
	close_store(f);
	assert_shell(f, "1", "git show main:a");
	assert_shell(f, "3", "git show main:c");
	assert_shell(f, "2", "git show b:a");
	assert_shell(f, "Irmin-Operation: unmount",
		     "git log -1 --format=%%B b | grep Operation");
	/* what was pinned while it was open dangles */
	assert_shell(f, "", "git fsck --strict --no-dangling 2>&1");
	open_store(f);
	assert_string_equal(file_text(f, "b", "a"), "2");
}

static void checked_out_branches_are_read_only(void **state)
{
	struct report report = { 0 };
	struct branch *b;
	struct fixture f;

	make_fixture(&f);
	assert_int_equal(mkdir(f.path, 0755), 0);
	free(shell(&f, "git init -q -b main . && echo 1 >a && git add a && "
		   "git commit -qm 1 && git branch other"));
	open_store(&f);
	assert_int_equal(try_write(&f, "main", "a", "2"), -EROFS);
	b = branch_of(&f, "main");
	assert_non_null(strstr(branch_readonly(b), f.dir));
	assert_int_equal(store_rename(f.store, b, "x", &tester, &report),
			 -EROFS);
	assert_non_null(strstr(report.text, "main"));
	report.text[0] = '\0';
	assert_int_equal(store_drop(f.store, b, &tester, &report), -EBUSY);
	assert_non_null(strstr(report.text, f.dir));
	branch_unref(b);
	write_file(&f, "other", "a", "2");
	fork_branch(&f, "main", "fork");
	write_file(&f, "fork", "a", "3");
	close_store(&f);
	f.options.force = true;
	open_store(&f);
	write_file(&f, "main", "a", "4");
	close_store(&f);
	assert_shell(&f, "4 2 3", "echo $(git show main:a other:a fork:a | "
		     "sed 's/./& /g')");
	remove_fixture(&f);
}

/* How many files below the path this process has open, but for its lock. */
static int count_open(const char *path)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[512];
	int count = 0;

	while ((entry = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target,
				       sizeof(target) - 1);

		target[n < 0 ? 0 : n] = '\0';
		count += strncmp(target, path, strlen(path)) == 0 &&
			 !strstr(target, "/irminfs/lock");
	}
	closedir(dir);
	return count;
}

/* Waits until the store is not locked; what is open then. */
static void *await_unlocked(void *fixture)
{
	struct fixture *f = fixture;
	struct flock whole = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/irminfs/lock", f->path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK)
		whole = (struct flock){ .l_type = F_RDLCK };
	close(fd);
	return (void *)(intptr_t)count_open(f->path);
}

static void who_finds_it_unlocked_finds_it_closed(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 20; i++) {
		pthread_t thread;
		void *open;

		write_file(f, "main", "a", i % 2 ? "1" : "2");
		assert_int_equal(pthread_create(&thread, NULL, await_unlocked,
						f), 0);
		close_store(f);
		assert_int_equal(pthread_join(thread, &open), 0);
		assert_null(open);
		open_store(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(a_new_store_has_an_empty_main),
		cmocka_unit_test(an_existing_repository_gets_no_branch),
		cmocka_unit_test(absent_is_an_error_unless_asked_for),
		store_test(one_process_at_a_time),
		store_test(read_only_reads),
		store_test(unwritable_is_opened_read_only),
		store_test(leftovers_of_the_dead_go),
		store_test(closing_saves_everything),
		store_test(who_finds_it_unlocked_finds_it_closed),
		cmocka_unit_test(checked_out_branches_are_read_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
